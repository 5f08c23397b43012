"""Whether an answer is true (I1): it must follow from what was asked and from what really ran."""

from __future__ import annotations

from property_tests.world import Run, World
from protocol.messages import FinalStatus
from protocol.types import Action, ExitKind, Reason, State

MAIN = {Action.UPDATE: "update.sh", Action.ROLLBACK: "rollback.sh", Action.HEALTH: "health-check.sh"}
REFUSALS = {Reason.INVALID_REQUEST, Reason.UNKNOWN_COMPONENT, Reason.SCRIPT_UNSAFE}


class Truth:
    """What is known about one request.

    Args:
        world: where it ran.
        wishes: every (component, action, version) asked under its id.
        runs: every script started for it.
        is_doubtful: whether a lost journal left it unanswered.
    """

    def __init__(
        self, world: World, wishes: list[tuple[object, object, object]], runs: list[Run], *, is_doubtful: bool
    ) -> None:
        self._world = world
        self._wishes = wishes
        self._runs = runs
        self._is_doubtful = is_doubtful

    def check(self, name: str, status: FinalStatus) -> None:
        """Fail where ``status`` says anything that is not so."""
        assert status.request_id == name
        assert status.success == (status.state is State.SUCCEEDED)
        assert (status.reason is None) == status.success
        if status.reason not in REFUSALS:
            assert (status.component, status.action, status.version) in self._wishes
        if status.state is State.SUCCEEDED:
            self._check_success(name, status)
        elif status.state is State.ROLLED_BACK:
            assert status.action is Action.UPDATE
            assert self._of("rollback.sh")[-1].is_ok
            self._check_healthy()
            self._check_reason(name, status)
        else:
            self._check_reason(name, status)

    def _of(self, script: str) -> list[Run]:
        return [run for run in self._runs if run.script == script]

    def _check_success(self, name: str, status: FinalStatus) -> None:
        main = self._of(MAIN[status.action])
        assert main, f"{name} is said to have succeeded, but never ran"
        assert main[-1].is_ok
        self._check_healthy()
        assert main[-1].version == (status.version or "")

    def _check_healthy(self) -> None:
        assert self._runs[-1].script == "health-check.sh"
        assert self._runs[-1].is_ok

    def _check_reason(self, name: str, status: FinalStatus) -> None:
        runs = self._runs
        refused = name in {request_id for request_id, _ in self._world.refusals}
        unclear = (
            self._is_doubtful
            or self._world.boot > 1  # a script that never began is not told from one that the reboot took
            or any(run.exit_code is None or run.ended_by is ExitKind.INTERRUPTED for run in runs)
        )
        badly = [run for run in runs if not run.is_alive and run.ended_by is None and run.exit_code]
        vetoed = "others may write it" in status.message
        holds = {
            Reason.INVALID_REQUEST: not runs or self._is_doubtful,
            Reason.UNKNOWN_COMPONENT: not runs or self._is_doubtful,
            Reason.SCRIPT_UNSAFE: vetoed,
            Reason.SCRIPT_FAILED: any(run.script != "health-check.sh" for run in badly),
            Reason.UNHEALTHY: any(run.script == "health-check.sh" for run in badly),
            Reason.TIMEOUT: any(run.ended_by is ExitKind.TIMED_OUT for run in runs),
            Reason.INTERRUPTED: unclear,
            Reason.CANNOT_START: refused,
            Reason.ROLLBACK_FAILED: vetoed or refused or unclear or any(not run.is_ok for run in runs),
        }
        assert holds[status.reason], f"{name} is said to be {status.reason}: {status.message}; it ran {runs}"
