"""Conditions that trials wait for: answers, and a host without pending work."""

from __future__ import annotations

from collections.abc import Callable

from property_tests.crash.leftover_check import unexpected_files
from property_tests.crash.sandbox import Sandbox
from property_tests.crash.scenarios import Scenario
from tests.support.polling import wait_until

DEADLINE_S = 60.0  # shorter than the period of the slow timer: work that only the timer finds counts as missed


class Quiescence:
    """Conditions on the directories of one scenario."""

    def __init__(self, sandbox: Sandbox, scenario: Scenario) -> None:
        self._sandbox = sandbox
        self._scenario = scenario

    def expect(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for ``condition``; on failure report the coordinator's log."""
        try:
            wait_until(condition, what, DEADLINE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._sandbox.log()[-3000:]}") from None

    def is_answered(self) -> bool:
        """Whether every request has its answer."""
        return all(self._sandbox.final(request.request_id).exists() for request in self._scenario.planned)

    def are_requests_removed(self) -> bool:
        """Whether, in addition, no request file is left."""
        return self.is_answered() and not any(self._sandbox.requests.iterdir())

    def is_quiet(self) -> bool:
        """Whether all work is done."""
        return self.is_answered() and self.is_clean()

    def is_clean(self) -> bool:
        """Whether no file is left that the coordinator still has to remove."""
        sandbox = self._sandbox
        return not (
            any(sandbox.requests.iterdir())
            or any(sandbox.status.glob("*.progress.json"))
            or any(sandbox.status.glob(".*.tmp"))
            or any((sandbox.state / "runs").glob("*"))
        )

    def is_done(self) -> bool:
        """Whether, in addition, the present instance is idle: the previous one may have cleaned the directories."""
        return self.is_quiet() and self._sandbox.is_idle()

    def has_leftovers(self) -> bool:
        """Whether any file is left that must not remain at the scenario's end."""
        sandbox = self._sandbox
        return any(
            unexpected_files(
                sandbox.requests, sandbox.status, sandbox.state, self._scenario.planned, sandbox.output_bytes
            )
        )
