"""What is asked of the coordinator while it is killed: a table, one entry per story."""

from __future__ import annotations

from dataclasses import dataclass, field

UPDATE, ROLLBACK, HEALTH = "update.sh", "rollback.sh", "health-check.sh"

FAILS = "echo broken >&2; exit 3"
HEALTHY_ONCE_ROLLED_BACK = f"[ -e rolled-back ] || {{ {FAILS}; }}"
# The numbers of one step add up to more than a coordinator's tick, so that it reports each of them.
SLOW = "for at in 20 40 60 80; do echo PHASE:at-$at; echo PROGRESS:$at; sleep 0.12 9>&-; done"
# Its children ignore TERM as it does; one keeps the lock's file, so that whatever runs beside it is told of.
STUBBORN = """
trap '' TERM
setsid bash -c 'trap "" TERM; while :; do sleep 1; done' &
while :; do sleep 1; done"""


@dataclass(frozen=True)
class Part:
    """A component: its lock, and what its scripts do (nothing, where nothing is said)."""

    lock: str
    scripts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """A request, and what becomes of it whatever dies meanwhile: its answer, and the scripts run for it, in order.

    ``cut`` names those of them that the time limit ends: they do not tell of their own end, and on a busy machine not
    even of their beginning.
    """

    request_id: str
    action: str
    component: str
    state: str
    reason: str | None
    runs: tuple[str, ...]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A story.

    Args:
        name: in the tables.
        components: what is installed.
        wishes: asked at once.
        settled: those of them that have their answer already, and are asked a second time.
        taken: of these, the ones whose first answer the client has taken away.
        at_birth: whether all is asked before the coordinator is started for the first time.
    """

    name: str
    components: dict[str, Part]
    wishes: tuple[Wish, ...]
    settled: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    at_birth: bool = False


def updated(request_id: str, component: str = "core") -> Wish:
    """An update that works."""
    return Wish(request_id, "update", component, "succeeded", None, (UPDATE, HEALTH))


def undone(request_id: str, component: str = "core") -> Wish:
    """An update whose script fails, and whose rollback works."""
    return Wish(request_id, "update", component, "rolled_back", "script_failed", (UPDATE, ROLLBACK, HEALTH))


def healthy(request_id: str, component: str = "core") -> Wish:
    """A health check that finds everything well."""
    return Wish(request_id, "health", component, "succeeded", None, (HEALTH,))


def refused(request_id: str, component: str = "nowhere") -> Wish:
    """A request for a component that nobody configured."""
    return Wish(request_id, "update", component, "failed", "unknown_component", ())


CORE = {"core": Part("core")}
SUCCESS = Scenario("successful update", CORE, (updated("one"),))
ROLLED_BACK = Scenario("failing update, rolled back", {"core": Part("core", {UPDATE: FAILS})}, (undone("one"),))

SCENARIOS = (
    SUCCESS,
    ROLLED_BACK,
    Scenario(
        "unhealthy update, rolled back",
        {"core": Part("core", {HEALTH: HEALTHY_ONCE_ROLLED_BACK, ROLLBACK: "touch rolled-back"})},
        (Wish("one", "update", "core", "rolled_back", "unhealthy", (UPDATE, HEALTH, ROLLBACK, HEALTH)),),
    ),
    Scenario(
        "failing rollback",
        {"core": Part("core", {UPDATE: FAILS, ROLLBACK: FAILS})},
        (Wish("one", "update", "core", "failed", "rollback_failed", (UPDATE, ROLLBACK)),),
    ),
    Scenario("health", CORE, (healthy("one"),)),
    Scenario(
        "rollback asked for",
        CORE,
        (Wish("one", "rollback", "core", "succeeded", None, (ROLLBACK, HEALTH)),),
    ),
    Scenario("refused request", CORE, (refused("one"), refused("two"))),
    Scenario(
        "two components at once",
        {"core": Part("core", {UPDATE: SLOW}), "left": Part("left", {UPDATE: FAILS})},
        (updated("one"), undone("two", "left")),
    ),
    Scenario(
        "an update waits for the lock",
        {"left": Part("shared", {UPDATE: FAILS}), "right": Part("shared")},
        (undone("one", "left"), updated("two", "right"), healthy("three", "right")),
    ),
    # Nothing but what never ends has the short limit: on a busy machine it would be too short for all else.
    Scenario(
        "an update meets its time limit",
        {
            "late": Part(
                "shared",
                {UPDATE: STUBBORN},
                {"timeout_s": 1.0, "kill_grace_s": 0.2, "on_failure": "none", "verify_health": False},
            ),
            "right": Part("shared"),
        },
        (Wish("one", "update", "late", "failed", "timeout", (UPDATE,), cut=(UPDATE,)), healthy("two", "right")),
    ),
    Scenario("first start", CORE, (updated("one"), refused("two")), at_birth=True),
    Scenario("script outlives the coordinator", {"core": Part("core", {UPDATE: SLOW})}, (updated("one"),)),
    Scenario(
        "duplicate submission",
        CORE,
        (updated("kept"), updated("taken")),
        settled=frozenset({"kept", "taken"}),
        taken=frozenset({"taken"}),
    ),
)
