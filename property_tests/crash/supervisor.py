"""What systemd is on a real host: it starts a coordinator again that ended with an error."""

from __future__ import annotations

import re
from collections.abc import Callable

from property_tests.crash.quiesce import Rest
from property_tests.crash.sandbox import Stage
from tests.support.real_host import until

_RESTARTS = 3
_FOR_GOOD = (0, 2)
# So loguru tells of a line that it could not write, on which nothing hangs.
_LOST_LINE = re.compile(r"^--- Logging error in Loguru .*?^--- End of logging error ---\n", re.DOTALL | re.MULTILINE)


class Supervisor:
    """Looks after one coordinator that met an error; what it starts is not disturbed any more.

    ``restarts`` counts them; ``notes`` says what is worth a look in what the coordinator said.
    """

    def __init__(self, stage: Stage) -> None:
        self.restarts = 0
        self.notes: list[str] = []
        self._stage = stage
        self._log_before = len(stage.log())

    def expect(self, rest: Rest, condition: Callable[[], bool], what: str) -> None:
        """Wait for ``condition``, with each life as patiently as with the first; start it again when it has ended."""
        while not condition():
            life = self.restarts
            rest.expect(lambda life=life: self._tend() > life or condition(), what)

    def _tend(self) -> int:
        """Start it again if it has ended; how often that was done.

        Raises:
            AssertionError: it ended with 0 though nobody asked it to, with 2, which is not started again, or will not
                stay up.
        """
        if self._stage.ended():
            code = self._stage.bury()
            if code in _FOR_GOOD:
                raise AssertionError(f"it ended with {code}, unasked, and so for good\n{self._log()}")
            if self.restarts == _RESTARTS:
                raise AssertionError(f"it ended again and again, at last with {code}\n{self._log()}")
            self.restarts += 1
            self.notes.append(f"ended with {code}")
            self._stage.spawn()
        return self.restarts

    def stop(self) -> None:
        """Ask it to stop; an error on that way may show in the exit code."""
        stage = self._stage
        until(lambda: stage.ended() or stage.is_ready(), f"ready\n{self._log()}")  # else a signal would kill it
        code = stage.bury() if stage.ended() else stage.stop()
        if code:
            self.notes.append(f"ended with {code} when it was to stop")
        said, lost = _LOST_LINE.subn("", self._said())
        if lost:
            self.notes.append("a line of the log was lost")
        if "Traceback" in said:
            self.notes.append(f"a traceback in the log:\n{said}")

    def _said(self) -> str:
        return self._stage.log()[self._log_before :]

    def _log(self) -> str:
        return self._said()[-3000:]
