"""strace on one thread: its system calls, and the call that is replaced by a signal or an error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from property_tests.crash.syscalls import CHANGES, Syscall, parse


@dataclass(frozen=True)
class Injection:
    """The effect injected at one call.

    Args:
        name: of the system call.
        nth: its number among the thread's calls of that name, from 1.
        what: in strace's syntax: ``signal=SIGKILL``, or ``error=ENOSPC``.
    """

    name: str
    nth: int
    what: str = "signal=SIGKILL"

    @property
    def error(self) -> str:
        """The errno name that the call returns instead of executing; empty for a signal."""
        return self.what.removeprefix("error=") if self.what.startswith("error=") else ""

    def __str__(self) -> str:
        return f"{self.name}#{self.nth} {self.error}".strip()


class Strace:
    """One strace process and its output.

    strace counts ``when=`` per thread. Only without ``-f``, with a single thread, does a number identify one call.
    (``--seccomp-bpf`` cannot be used: strace 6.1 injects nothing with it.)
    """

    def __init__(self, output: Path, names: Sequence[str] = CHANGES) -> None:
        """Trace the system calls ``names`` into the file ``output``."""
        self._output = output
        self._filter = ",".join(f"?{name}" for name in names)
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, injection: Injection | None = None) -> list[str]:
        """The prefix of a command line that runs a program under strace from its first instruction."""
        # strace prints the execve that starts the program, but does not count it.
        return self._command(injection, uncounted=1 if injection and injection.name == "execve" else 0)

    def _command(self, injection: Injection | None, uncounted: int = 0) -> list[str]:
        inject = [f"--inject={injection.name}:{injection.what}:when={injection.nth - uncounted}"] if injection else []
        return ["strace", "-y", f"--output={self._output}", f"--trace={self._filter}", *inject]

    def attach(self, thread: int, injection: Injection | None = None) -> None:
        """Trace a running thread from now on.

        Raises:
            RuntimeError: strace lacks permission; the operator must be root or have CAP_SYS_PTRACE.
        """
        self._process = subprocess.Popen(
            [*self._command(injection), f"--attach={thread}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert self._process.stderr is not None
        message = self._process.stderr.readline()
        if b"attached" not in message:
            raise RuntimeError(f"cannot attach strace to thread {thread}: {message.decode().strip()}; run this as root")

    def detach(self) -> None:
        """Wait for strace once its thread has exited, or detach from the thread."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
            self._process = None

    def calls(self) -> list[Syscall]:
        """Every call of the thread written so far."""
        return parse(self._output.read_text(errors="replace").splitlines()) if self._output.exists() else []
