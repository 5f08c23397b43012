"""strace on one thread: what it called, and the call at which it is killed or told of an error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from property_tests.crash.syscalls import CHANGES, Call, parse


@dataclass(frozen=True)
class Injection:
    """What happens at one call.

    Args:
        name: of the system call.
        nth: its number among the thread's calls of that name, from 1.
        what: in strace's words: ``signal=SIGKILL``, or ``error=ENOSPC``.
    """

    name: str
    nth: int
    what: str = "signal=SIGKILL"

    @property
    def error(self) -> str:
        """The error that the call returns without happening; empty for a signal."""
        return self.what.removeprefix("error=") if self.what.startswith("error=") else ""

    def __str__(self) -> str:
        return f"{self.name}#{self.nth} {self.error}".strip()


class Strace:
    """One strace and what it wrote.

    strace counts ``when=`` per thread. Only without ``-f``, with one thread to look at, does a number name one call.
    (And not with ``--seccomp-bpf``: strace 6.1 injects nothing then.)
    """

    def __init__(self, output: Path, names: Sequence[str] = CHANGES) -> None:
        """Look out for the system calls ``names``, and write them to ``output``."""
        self._output = output
        self._filter = ",".join(f"?{name}" for name in names)
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, injection: Injection | None = None) -> list[str]:
        """The beginning of a command line that runs another one under strace from its first instruction on."""
        # The execve that begins the other one is shown, but strace does not count it.
        return self._command(injection, uncounted=1 if injection and injection.name == "execve" else 0)

    def _command(self, injection: Injection | None, uncounted: int = 0) -> list[str]:
        inject = [f"--inject={injection.name}:{injection.what}:when={injection.nth - uncounted}"] if injection else []
        return ["strace", "-y", f"--output={self._output}", f"--trace={self._filter}", *inject]

    def attach(self, thread: int, injection: Injection | None = None) -> None:
        """Look at a thread that lives, from now on.

        Raises:
            RuntimeError: strace may not; the operator must be root or have CAP_SYS_PTRACE.
        """
        self._process = subprocess.Popen(
            [*self._command(injection), f"--attach={thread}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if b"attached" not in said:
            raise RuntimeError(f"cannot attach strace to thread {thread}: {said.decode().strip()}; run this as root")

    def detach(self) -> None:
        """Wait for it once its thread is gone, or leave the thread alone."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
            self._process = None

    def calls(self) -> list[Call]:
        """Everything the thread called, as far as it is written."""
        return parse(self._output.read_text(errors="replace").splitlines()) if self._output.exists() else []
