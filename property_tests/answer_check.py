"""I1: checks that an answer is true, from the submitted requests and the scripts that ran."""

from __future__ import annotations

from property_tests.world import Run, World
from protocol.messages import FinalStatus
from protocol.types import Action, ExitKind, Reason, State

MAIN_SCRIPT = {Action.UPDATE: "update.sh", Action.ROLLBACK: "rollback.sh", Action.HEALTH: "health-check.sh"}
REJECTIONS = {Reason.INVALID_REQUEST, Reason.UNKNOWN_COMPONENT, Reason.SCRIPT_UNSAFE}


class AnswerChecker:
    """The known facts about one request.

    Args:
        world: where it ran.
        bodies: every (component, action, version) submitted under its id.
        runs: every script started for it.
        is_uncertain: whether a lost journal left it unanswered.
    """

    def __init__(
        self, world: World, bodies: list[tuple[object, object, object]], runs: list[Run], *, is_uncertain: bool
    ) -> None:
        self._world = world
        self._bodies = bodies
        self._runs = runs
        self._is_uncertain = is_uncertain

    def check(self, name: str, status: FinalStatus) -> None:
        """Check every claim of ``status``.

        Raises:
            AssertionError: a claim is false.
        """
        assert status.request_id == name
        assert status.success == (status.state is State.SUCCEEDED)
        assert (status.reason is None) == status.success
        if status.reason not in REJECTIONS:
            assert (status.component, status.action, status.version) in self._bodies
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
        main = self._of(MAIN_SCRIPT[status.action])
        assert main, f"{name} is reported as succeeded but never ran"
        assert main[-1].is_ok
        self._check_healthy()
        assert main[-1].version == (status.version or "")

    def _check_healthy(self) -> None:
        assert self._runs[-1].script == "health-check.sh"
        assert self._runs[-1].is_ok

    def _check_reason(self, name: str, status: FinalStatus) -> None:
        runs = self._runs
        cannot_start = name in {request_id for request_id, _ in self._world.failed_starts}
        may_be_interrupted = (
            self._is_uncertain
            or self._world.boot > 1  # after a reboot, a script that never started counts as interrupted
            or any(run.exit_code is None or run.ended_by is ExitKind.INTERRUPTED for run in runs)
        )
        failed = [run for run in runs if not run.is_alive and run.ended_by is None and run.exit_code]
        failed_vetting = "writable by others" in status.message
        possible = {
            Reason.INVALID_REQUEST: not runs or self._is_uncertain,
            Reason.UNKNOWN_COMPONENT: not runs or self._is_uncertain,
            Reason.SCRIPT_UNSAFE: failed_vetting,
            Reason.SCRIPT_FAILED: any(run.script != "health-check.sh" for run in failed),
            Reason.UNHEALTHY: any(run.script == "health-check.sh" for run in failed),
            Reason.TIMEOUT: any(run.ended_by is ExitKind.TIMED_OUT for run in runs),
            Reason.INTERRUPTED: may_be_interrupted,
            Reason.CANNOT_START: cannot_start,
            Reason.ROLLBACK_FAILED: (
                failed_vetting or cannot_start or may_be_interrupted or any(not run.is_ok for run in runs)
            ),
        }
        assert possible[status.reason], f"{name} is reported as {status.reason}: {status.message}; its runs: {runs}"
