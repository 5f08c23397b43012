"""Gates for the shells that run scripts: each shell blocks before its first step, so that strace can attach.

A copy of the sources is tested whose ``launcher.sh`` and ``session.sh`` open a FIFO first, if it exists.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from property_tests.crash.namespace_machine import descendants
from tests.support.polling import wait_until
from tests.support.real_host import REPOSITORY

LAUNCHER, WORKER = "launcher", "worker"
SHELLS = {LAUNCHER: "launcher.sh", WORKER: "session.sh"}

_PACKAGES = ("protocol", "policy", "fsm", "executors", "coordinator")
# The second argument of both scripts is state/runs in the sandbox's root. The gate precedes the script's first line: a
# blocked shell must not have done anything yet.
_BLOCKED_IN = (b"wait_for_partner", b"fifo_open")
_GATE = '[ -p "${{2%/state/runs}}/gate-{shell}" ] && {{ : <"${{2%/state/runs}}/gate-{shell}"; }}\n'


def copy_with_gates(folder: Path) -> Path:
    """A copy of the sources in ``folder`` whose shells block at their gates; made once."""
    copy = folder / "sources"
    if not copy.exists():
        for package in _PACKAGES:
            shutil.copytree(REPOSITORY / package, copy / package)
        for shell, script in SHELLS.items():
            path = copy / "executors" / script
            path.write_text(_GATE.format(shell=shell) + path.read_text())
    return copy


class Gate:
    """The FIFO at which the first shell of a kind blocks, in a sandbox's root."""

    def __init__(self, root: Path, shell: str) -> None:
        self._path = root / f"gate-{shell}"
        self._script = f"executors/{SHELLS[shell]}"
        os.mkfifo(self._path)

    def blocked_pid(self, init: int) -> int:
        """The pid of the blocked shell, in the outer namespace; 0 while there is none."""
        for pid in descendants(init):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                waits = Path(f"/proc/{pid}/wchan").read_bytes() in _BLOCKED_IN
                if waits and len(words) > 1 and words[1].endswith(self._script.encode()):
                    return pid
        return 0

    def open(self) -> None:
        """Release the shell; later ones find no gate."""
        descriptor = wait_until(self._opened, "the shell to block at its gate again after strace woke it")
        self._path.unlink()
        os.close(descriptor)

    def _opened(self) -> int | None:
        try:
            return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None
