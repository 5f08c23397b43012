"""The shells that run scripts, made to stop at a gate each, for strace to be put on them before their first step.

A copy of the sources is tried whose ``launcher.sh`` and ``session.sh`` open a FIFO first, where there is one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from property_tests.crash.namespace_machine import below
from tests.support.real_host import REPOSITORY, until

LAUNCHER, SESSION = "launcher", "session"
SHELLS = (LAUNCHER, SESSION)

_PACKAGES = ("protocol", "policy", "fsm", "executors", "coordinator")
# The mark, the second argument of both, is state/runs in the stage's root. The first line of either file stays first:
# a shell that stands at its gate must not have done anything yet.
_AT_GATE = (b"wait_for_partner", b"fifo_open")
_GATE = '[ -p "${{2%/state/runs}}/gate-{shell}" ] && {{ : <"${{2%/state/runs}}/gate-{shell}"; }}\n'


def with_gates(folder: Path) -> Path:
    """A copy of the sources in ``folder`` whose shells stop at their gates; made once."""
    copy = folder / "sources"
    if not copy.exists():
        for package in _PACKAGES:
            shutil.copytree(REPOSITORY / package, copy / package)
        for shell in SHELLS:
            path = copy / "executors" / f"{shell}.sh"
            path.write_text(_GATE.format(shell=shell) + path.read_text())
    return copy


class Gate:
    """Where the first shell of a kind stops, in a stage's root."""

    def __init__(self, root: Path, shell: str) -> None:
        self._path = root / f"gate-{shell}"
        self._script = f"executors/{shell}.sh"
        os.mkfifo(self._path)

    def standing(self, init: int) -> int:
        """The shell that stands there, as seen from outside; 0 while none does."""
        for pid in below(init):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                waits = Path(f"/proc/{pid}/wchan").read_bytes() in _AT_GATE
                if waits and len(words) > 1 and words[1].endswith(self._script.encode()):
                    return pid
        return 0

    def open(self) -> None:
        """Let it go; those that come later find no gate."""
        descriptor = until(self._opened, "the shell to stand at its gate again, where strace woke it")
        self._path.unlink()
        os.close(descriptor)

    def _opened(self) -> int | None:
        try:
            return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None
