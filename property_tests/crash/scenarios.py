"""The scenarios that the sweeps disrupt: a table, one entry per scenario."""

from __future__ import annotations

from dataclasses import dataclass, field

UPDATE, ROLLBACK, HEALTH = "update.sh", "rollback.sh", "health-check.sh"

FAILS = "echo broken >&2; exit 3"
HEALTHY_ONCE_ROLLED_BACK = f"[ -e rolled-back ] || {{ {FAILS}; }}"
# Each step takes longer than the coordinator's tick, so that it reports each percentage.
SLOW = "for at in 20 40 60 80; do echo PHASE:at-$at; echo PROGRESS:$at; sleep 0.12 9>&-; done"
# The script and its children ignore TERM; one child keeps the lock's file open, so that an overlap is recorded.
IGNORES_TERM = """
trap '' TERM
setsid bash -c 'trap "" TERM; while :; do sleep 1; done' &
while :; do sleep 1; done"""


@dataclass(frozen=True)
class ComponentSpec:
    """A component: its lock, and the text of its scripts (empty by default)."""

    lock: str
    scripts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedRequest:
    """A request and its outcome, which no kill changes: its answer, and the scripts that run for it, in order.

    ``cut`` names the scripts that the time limit ends: they do not record their end, and on a busy machine they may not
    record their start.
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
    """A scenario.

    Args:
        name: in the tables.
        components: the installed components.
        planned: submitted at once.
        settled: ids that are answered already and are submitted a second time.
        taken: of these, the ids whose first answer the client has taken.
        before_first_start: whether all requests are submitted before the first start of the coordinator.
    """

    name: str
    components: dict[str, ComponentSpec]
    planned: tuple[PlannedRequest, ...]
    settled: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    before_first_start: bool = False


def updated(request_id: str, component: str = "core") -> PlannedRequest:
    """An update that succeeds."""
    return PlannedRequest(request_id, "update", component, "succeeded", None, (UPDATE, HEALTH))


def rolled_back(request_id: str, component: str = "core") -> PlannedRequest:
    """An update whose script fails and whose rollback succeeds."""
    return PlannedRequest(request_id, "update", component, "rolled_back", "script_failed", (UPDATE, ROLLBACK, HEALTH))


def healthy(request_id: str, component: str = "core") -> PlannedRequest:
    """A health check that succeeds."""
    return PlannedRequest(request_id, "health", component, "succeeded", None, (HEALTH,))


def rejected(request_id: str, component: str = "unconfigured") -> PlannedRequest:
    """A request for an unconfigured component."""
    return PlannedRequest(request_id, "update", component, "failed", "unknown_component", ())


CORE = {"core": ComponentSpec("core")}
SUCCESS = Scenario("successful update", CORE, (updated("one"),))
ROLLED_BACK = Scenario(
    "failing update, rolled back", {"core": ComponentSpec("core", {UPDATE: FAILS})}, (rolled_back("one"),)
)

SCENARIOS = (
    SUCCESS,
    ROLLED_BACK,
    Scenario(
        "unhealthy update, rolled back",
        {"core": ComponentSpec("core", {HEALTH: HEALTHY_ONCE_ROLLED_BACK, ROLLBACK: "touch rolled-back"})},
        (PlannedRequest("one", "update", "core", "rolled_back", "unhealthy", (UPDATE, HEALTH, ROLLBACK, HEALTH)),),
    ),
    Scenario(
        "failing rollback",
        {"core": ComponentSpec("core", {UPDATE: FAILS, ROLLBACK: FAILS})},
        (PlannedRequest("one", "update", "core", "failed", "rollback_failed", (UPDATE, ROLLBACK)),),
    ),
    Scenario("health", CORE, (healthy("one"),)),
    Scenario(
        "requested rollback",
        CORE,
        (PlannedRequest("one", "rollback", "core", "succeeded", None, (ROLLBACK, HEALTH)),),
    ),
    Scenario("rejected request", CORE, (rejected("one"), rejected("two"))),
    Scenario(
        "two components at once",
        {"core": ComponentSpec("core", {UPDATE: SLOW}), "left": ComponentSpec("left", {UPDATE: FAILS})},
        (updated("one"), rolled_back("two", "left")),
    ),
    Scenario(
        "update waits for the lock",
        {"left": ComponentSpec("shared", {UPDATE: FAILS}), "right": ComponentSpec("shared")},
        (rolled_back("one", "left"), updated("two", "right"), healthy("three", "right")),
    ),
    # Only scripts that never end have the short limit: on a busy machine it would be too short for others.
    Scenario(
        "update reaches its time limit",
        {
            "late": ComponentSpec(
                "shared",
                {UPDATE: IGNORES_TERM},
                {"timeout_s": 1.0, "kill_grace_s": 0.2, "on_failure": "none", "verify_health": False},
            ),
            "right": ComponentSpec("shared"),
        },
        (
            PlannedRequest("one", "update", "late", "failed", "timeout", (UPDATE,), cut=(UPDATE,)),
            healthy("two", "right"),
        ),
    ),
    Scenario("first start", CORE, (updated("one"), rejected("two")), before_first_start=True),
    Scenario("script outlives the coordinator", {"core": ComponentSpec("core", {UPDATE: SLOW})}, (updated("one"),)),
    Scenario(
        "duplicate submission",
        CORE,
        (updated("kept"), updated("taken")),
        settled=frozenset({"kept", "taken"}),
        taken=frozenset({"taken"}),
    ),
)
