"""Stand-in for systemd: restarts a coordinator that exited with an error."""

from __future__ import annotations

import re
from collections.abc import Callable

from property_tests.crash.quiesce import Quiescence
from property_tests.crash.sandbox import Sandbox
from tests.support.polling import wait_until

_RESTARTS = 3
_FINAL_CODES = (0, 2)
# Loguru's report of a log line that it could not write, which affects nothing else.
_LOST_LINE = re.compile(r"^--- Logging error in Loguru .*?^--- Ending of logging error ---\n", re.DOTALL | re.MULTILINE)


class Supervisor:
    """Supervises one coordinator that receives an error; restarted instances are not disrupted.

    ``restarts`` counts restarts; ``notes`` collects notable log output.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.restarts = 0
        self.notes: list[str] = []
        self._sandbox = sandbox
        self._log_before = len(sandbox.log())

    def expect(self, quiescence: Quiescence, condition: Callable[[], bool], what: str) -> None:
        """Wait for ``condition``, with a full deadline per instance; restart the coordinator when it has exited."""
        while not condition():
            instance = self.restarts
            quiescence.expect(lambda instance=instance: self._restart_if_exited() > instance or condition(), what)

    def _restart_if_exited(self) -> int:
        """Restart the coordinator if it has exited; the number of restarts so far.

        Raises:
            AssertionError: it exited too often, with 0 without a stop, or with 2, which systemd does not restart.
        """
        if self._sandbox.has_exited():
            code = self._sandbox.reap()
            if code in _FINAL_CODES:
                raise AssertionError(f"it exited with {code} without a stop, and is not restarted\n{self._log()}")
            if self.restarts == _RESTARTS:
                raise AssertionError(f"it exited {_RESTARTS + 1} times, last with {code}\n{self._log()}")
            self.restarts += 1
            self.notes.append(f"exited with {code}")
            self._sandbox.spawn()
        return self.restarts

    def stop(self) -> None:
        """Stop the coordinator; an error during the stop may show in the exit code."""
        sandbox = self._sandbox
        wait_until(
            lambda: sandbox.has_exited() or sandbox.is_ready(), f"ready\n{self._log()}"
        )  # before that, SIGTERM would kill it
        code = sandbox.reap() if sandbox.has_exited() else sandbox.stop()
        if code:
            self.notes.append(f"exited with {code} at the stop")
        output, lost = _LOST_LINE.subn("", self._output())
        if lost:
            self.notes.append("a log line was lost")
        if "Traceback" in output:
            self.notes.append(f"a traceback in the log:\n{output}")

    def _output(self) -> str:
        return self._sandbox.log()[self._log_before :]

    def _log(self) -> str:
        return self._output()[-3000:]
