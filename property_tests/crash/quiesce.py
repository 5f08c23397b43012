"""What is waited for on a stage: answers, and that nothing is left to be done."""

from __future__ import annotations

from collections.abc import Callable

from property_tests.crash.leftover_check import strays
from property_tests.crash.sandbox import Stage
from property_tests.crash.scenarios import Scenario
from tests.support.real_host import until

PATIENCE_S = 60.0  # less than the coordinator's slow timer: what only that one finds, nobody has taken care of


class Rest:
    """Looks at the folders of one story."""

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        self._stage = stage
        self._scenario = scenario

    def expect(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for ``condition``; with what the coordinator said, when it is in vain."""
        try:
            until(condition, what, PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._stage.log()[-3000:]}") from None

    def is_answered(self) -> bool:
        """Whether every wish has its answer."""
        return all(self._stage.final(wish.request_id).exists() for wish in self._scenario.wishes)

    def is_taken_away(self) -> bool:
        """Whether, with that, no request waits any more."""
        return self.is_answered() and not any(self._stage.requests.iterdir())

    def is_quiet(self) -> bool:
        """Whether everything has been done that is to be done."""
        return self.is_answered() and self.is_clean()

    def is_clean(self) -> bool:
        """Whether nothing lies there that somebody will still take away."""
        stage = self._stage
        return not (
            any(stage.requests.iterdir())
            or any(stage.status.glob("*.progress.json"))
            or any(stage.status.glob(".*.tmp"))
            or any((stage.state / "runs").glob("*"))
        )

    def is_done(self) -> bool:
        """Whether this life has nothing left to do; that the one before left nothing says little of it."""
        return self.is_quiet() and self._stage.is_at_rest()

    def has_leavings(self) -> bool:
        """Whether anything lies there that the story's end must not leave."""
        stage = self._stage
        return any(strays(stage.requests, stage.status, stage.state, self._scenario.wishes, stage.output_bytes))
