"""One host for one experiment: real folders and scripts, the real coordinator on a machine of its own, under strace."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from coordinator.settings import Limits
from property_tests.crash.namespace_machine import Machine, children
from property_tests.crash.shell_gates import Gate
from property_tests.crash.strace import Injection, Strace
from tests.support.real_host import REPOSITORY, Host, until

MAIN, WATCHER = "main", "watcher"
_PIPE_BYTES = 4096
_PAUSE_S = 0.001
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)

# Begins every script. The record is append-only and the scripts' own; flock tells two scripts of one lock that meet,
# and the kernel lets go of it however a script ends.
_PROLOGUE = """#!/bin/bash
exec 9>>{root}/lock-{lock}
flock --nonblock 9 || echo "overlap {script} $UPDATE_REQUEST_ID" >>{record}
echo "begin {script} $UPDATE_REQUEST_ID" >>{record}
trap 'echo "end {script} $UPDATE_REQUEST_ID $?" >>{record}' EXIT
{text}
"""


class Stage(Host):
    """A host whose coordinator can be stopped short of its first step, looked at, and killed at one call.

    Args:
        root: a folder of its own.
        machine: where the coordinator and its scripts live.
        sources: the tree whose coordinator it is.
    """

    def __init__(self, root: Path, machine: Machine, sources: Path = REPOSITORY) -> None:
        super().__init__(root)
        self.machine = machine
        self.record = root / "record"
        self.straces: dict[str, Strace] = {}
        self.arguments_before: list[str] = []  # of the next start: put before the coordinator's own command line
        self._sources = sources
        self._looks = 0
        self._shell_gate: Gate | None = None
        self._gate: int | None = None
        self._drain: threading.Thread | None = None

    @property
    def output_bytes(self) -> int:
        """How much of a stream its answers quote."""
        return self.sections["limits"].get("output_bytes", Limits().output_bytes)

    def script(self, component: str, name: str, text: str = "") -> Path:
        """Write one script: it records its beginning and its end, and does what ``text`` says between them."""
        lock = self.sections.get(f"components.{component}", {}).get("lock", component)
        path = self.root / "components" / component / name
        path.write_text(_PROLOGUE.format(root=self.root, lock=lock, script=name, record=self.record, text=text))
        path.chmod(0o755)
        return path

    # -- the coordinator ---------------------------------------------------------------------------------------

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the coordinator inside the machine without waiting for anything."""
        with self._stderr.open("ab") as log:
            self._starts = log.tell()
            return self._spawn(log.fileno())

    def spawn_gated(self) -> None:
        """Start it, and let it stop when it says that it is ready: there is no room for that word.

        All its threads stand still then, to be looked at from their first step on; ``open_gate`` lets them go.
        """
        source, sink = os.pipe()
        fcntl.fcntl(sink, _SET_PIPE_SIZE, _PIPE_BYTES)
        os.write(sink, b" " * _PIPE_BYTES)
        self._starts = self._stderr.stat().st_size if self._stderr.exists() else 0
        process = self._spawn(sink)
        os.close(sink)
        self._gate = source
        until(lambda: self._stands_still() or process.poll() is not None, "the coordinator to say that it is ready")

    def _spawn(self, stderr: int) -> subprocess.Popen[bytes]:
        assert self.process is None, "it runs already"
        own = [sys.executable, "-m", "coordinator", "run", "--config", str(self.config), *self.start_arguments]
        self.process = subprocess.Popen(
            self.machine.command([*self.arguments_before, *own], self._sources),
            env=self.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
        return self.process

    def _stands_still(self) -> bool:
        return "pipe_write" in self._waits_in()

    def _waits_in(self) -> str:
        """The kernel's function that its main thread sleeps in; empty when there is none."""
        try:
            return Path(f"/proc/{self.pid()}/wchan").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def open_gate(self) -> None:
        """Let it go on; what it says goes to the log."""
        assert self._gate is not None
        self._drain = threading.Thread(target=_drain, args=(self._gate, self._stderr))
        self._gate = None
        self._drain.start()

    def pid(self) -> int:
        """The coordinator's process, as seen from outside; 0 while there is none."""
        found = children(self.process.pid) if self.process else []
        if found and self.arguments_before:  # strace runs it
            found = children(found[0])
        return found[0] if found else 0

    def threads(self) -> dict[str, int]:
        """Its threads by what they do: main, one per lane, the watcher; in the order in which it starts them."""
        lanes = dict.fromkeys(
            settings.get("lock", section.removeprefix("components."))
            for section, settings in self.sections.items()
            if section.startswith("components.")
        )
        found = sorted(int(task.name) for task in Path(f"/proc/{self.pid()}/task").iterdir())
        return dict(zip([MAIN, *(f"lane {lock}" for lock in lanes), WATCHER], found, strict=True))

    def is_at_rest(self) -> bool:
        """Whether it has come up and its main thread sleeps."""
        return self.is_ready() and "poll" in self._waits_in()

    def watch(self, role: str, names: Sequence[str], injection: Injection | None = None) -> Strace:
        """Put strace on one of the threads that stand at the gate; ``names``: the system calls to look out for."""
        strace = self.straces[role] = self._strace(role.replace(" ", "-"), names)
        strace.attach(self.threads()[role], injection)
        return strace

    def gate_shell(self, shell: str) -> None:
        """Have the first shell of that kind stop before its first step; only where the sources are ``with_gates``."""
        self._shell_gate = Gate(self.root, shell)

    def watch_shell(self, role: str, names: Sequence[str], injection: Injection | None = None) -> Strace:
        """Wait for the shell to stand at its gate, put strace on it, and let it go."""
        gate = self._shell_gate
        assert gate is not None
        pid = until(lambda: gate.standing(self.machine.init), f"a {role} at its gate\n{self.log()}")
        strace = self.straces[role] = self._strace(role, names)
        strace.attach(pid, injection)
        gate.open()
        return strace

    def under_strace(self, names: Sequence[str], injection: Injection | None = None) -> Strace:
        """Have the next start's main thread looked at from its very first instruction."""
        strace = self.straces[MAIN] = self._strace("birth", names)
        self.arguments_before = strace.command(injection)
        return strace

    def _strace(self, name: str, names: Sequence[str]) -> Strace:
        self._looks += 1
        return Strace(self.root / f"strace-{name}-{self._looks}", names)

    def is_ready(self) -> bool:
        """Whether it has said so since its start."""
        return b" ready" in self._since_start()

    def ended(self) -> bool:
        """Whether it is gone."""
        return self.process is None or self.process.poll() is not None

    def bury(self) -> int:
        """Take note that it ended by itself, and how."""
        assert self.process is not None
        code = self.process.wait()
        self._forget()
        return code

    def terminate(self) -> None:
        """SIGTERM."""
        os.kill(self.pid(), signal.SIGTERM)

    def wait(self) -> int:
        """Wait until the coordinator has ended; the exit code."""
        code = super().wait()
        self._forget()
        return code

    def kill(self) -> None:
        """SIGKILL; scripts go on."""
        if self.process is not None:
            while self.process.poll() is None:  # nsenter has yet to fork it; strace first forks others, to try itself
                with suppress(ProcessLookupError):
                    if pid := self.pid():
                        os.kill(pid, signal.SIGKILL)
                time.sleep(_PAUSE_S)
            self._forget()

    def _forget(self) -> None:
        self.process = None
        self.arguments_before = []
        for strace in self.straces.values():
            strace.detach()
        self.straces = {}
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None
        if self._drain is not None:
            self._drain.join()
            self._drain = None

    def power_off(self) -> None:
        """Everything is gone at once; the disk stays as it is."""
        self.machine.power_off()
        if self.process is not None:
            self.process.wait()
            self._forget()

    def close(self) -> None:
        """End everything; scripts that still run go with the machine."""
        self.kill()


def _drain(source: int, log: Path) -> None:
    with os.fdopen(source, "rb", buffering=0) as pipe, log.open("ab", buffering=0) as file:
        while chunk := pipe.read(65536):
            file.write(chunk.lstrip(b" "))
