"""One host of one trial: real directories and scripts, and the real coordinator in its own namespaces, under strace."""

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
from property_tests.crash.namespace_machine import NamespaceMachine, children
from property_tests.crash.shell_gates import Gate
from property_tests.crash.strace import Injection, Strace
from tests.support.polling import wait_until
from tests.support.real_host import REPOSITORY, Host

MAIN, WATCHER = "main", "watcher"
_PIPE_BYTES = 4096
_PAUSE_S = 0.001
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)

# Starts every script. The record is append-only; flock detects two overlapping scripts of one lock, and the kernel
# releases it however a script ends.
_PROLOGUE = """#!/bin/bash
exec 9>>{root}/lock-{lock}
flock --nonblock 9 || echo "overlap {script} $UPDATE_REQUEST_ID" >>{record}
echo "begin {script} $UPDATE_REQUEST_ID" >>{record}
trap 'echo "end {script} $UPDATE_REQUEST_ID $?" >>{record}' EXIT
{text}
"""


class Sandbox(Host):
    """A host whose coordinator can be stopped before its first step, traced, and killed at one call.

    Args:
        root: its own directory.
        machine: where the coordinator and its scripts run.
        sources: the tree of the coordinator.
    """

    def __init__(self, root: Path, machine: NamespaceMachine, sources: Path = REPOSITORY) -> None:
        super().__init__(root)
        self.machine = machine
        self.record = root / "record"
        self.straces: dict[str, Strace] = {}
        self.arguments_before: list[str] = []  # prefix of the next start's command line
        self._sources = sources
        self._strace_count = 0
        self._shell_gate: Gate | None = None
        self._gate: int | None = None
        self._drain: threading.Thread | None = None

    @property
    def output_bytes(self) -> int:
        """``limits.output_bytes``: how much of a stream an answer quotes."""
        return self.sections["limits"].get("output_bytes", Limits().output_bytes)

    def script(self, component: str, name: str, text: str = "") -> Path:
        """Write one script, which records its start and its end and runs ``text`` in between."""
        lock = self.sections.get(f"components.{component}", {}).get("lock", component)
        path = self.root / "components" / component / name
        path.write_text(_PROLOGUE.format(root=self.root, lock=lock, script=name, record=self.record, text=text))
        path.chmod(0o755)
        return path

    # -- the coordinator ---------------------------------------------------------------------------------------

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the coordinator inside the machine without waiting."""
        self.mark_log()
        with self.log_path.open("ab") as log:
            return self._spawn(log.fileno())

    def spawn_gated(self) -> None:
        """Start the coordinator and block it when it prints "ready": its stderr is a full pipe.

        All its threads are then idle and can be traced from their first step on; ``open_gate`` releases them.
        """
        source, sink = os.pipe()
        fcntl.fcntl(sink, _SET_PIPE_SIZE, _PIPE_BYTES)
        os.write(sink, b" " * _PIPE_BYTES)
        self.mark_log()
        process = self._spawn(sink)
        os.close(sink)
        self._gate = source
        wait_until(lambda: self._is_blocked() or process.poll() is not None, "the coordinator to print ready")

    def _spawn(self, stderr: int) -> subprocess.Popen[bytes]:
        assert self.process is None, "the coordinator is already running"
        own = [sys.executable, "-m", "coordinator", "run", "--config", str(self.config), *self.start_arguments]
        self.process = subprocess.Popen(
            self.machine.command([*self.arguments_before, *own], self._sources),
            env=self.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
        return self.process

    def _is_blocked(self) -> bool:
        return "pipe_write" in self._wait_channel()

    def _wait_channel(self) -> str:
        """The kernel function in which its main thread sleeps; empty without a process."""
        try:
            return Path(f"/proc/{self.pid()}/wchan").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def open_gate(self) -> None:
        """Release the coordinator; its output goes to the log."""
        assert self._gate is not None
        self._drain = threading.Thread(target=_drain, args=(self._gate, self.log_path))
        self._gate = None
        self._drain.start()

    def pid(self) -> int:
        """The coordinator's pid in the outer namespace; 0 while there is none."""
        found = children(self.process.pid) if self.process else []
        if found and self.arguments_before:  # the coordinator is strace's child
            found = children(found[0])
        return found[0] if found else 0

    def threads(self) -> dict[str, int]:
        """Its threads by role, in the order in which it starts them: main, one per lane, the watcher."""
        lanes = dict.fromkeys(
            settings.get("lock", section.removeprefix("components."))
            for section, settings in self.sections.items()
            if section.startswith("components.")
        )
        found = sorted(int(task.name) for task in Path(f"/proc/{self.pid()}/task").iterdir())
        return dict(zip([MAIN, *(f"lane {lock}" for lock in lanes), WATCHER], found, strict=True))

    def is_idle(self) -> bool:
        """Whether it is ready and its main thread sleeps."""
        return self.is_ready() and "poll" in self._wait_channel()

    def attach_strace(self, role: str, names: Sequence[str], injection: Injection | None = None) -> Strace:
        """Attach strace to one thread of a blocked coordinator; ``names`` are the system calls to trace."""
        strace = self.straces[role] = self._strace(role.replace(" ", "-"), names)
        strace.attach(self.threads()[role], injection)
        return strace

    def gate_shell(self, shell: str) -> None:
        """Block the first shell of that kind before its first step; only with sources from ``copy_with_gates``."""
        self._shell_gate = Gate(self.root, shell)

    def attach_strace_to_shell(self, role: str, names: Sequence[str], injection: Injection | None = None) -> Strace:
        """Wait until the shell blocks at its gate, attach strace, and release it."""
        gate = self._shell_gate
        assert gate is not None
        pid = wait_until(lambda: gate.blocked_pid(self.machine.init), f"a blocked {role} shell\n{self.log()}")
        strace = self.straces[role] = self._strace(role, names)
        strace.attach(pid, injection)
        gate.open()
        return strace

    def trace_next_start(self, names: Sequence[str], injection: Injection | None = None) -> Strace:
        """Trace the next start's main thread from its first instruction."""
        strace = self.straces[MAIN] = self._strace("start", names)
        self.arguments_before = strace.command(injection)
        return strace

    def _strace(self, name: str, names: Sequence[str]) -> Strace:
        self._strace_count += 1
        return Strace(self.root / f"strace-{name}-{self._strace_count}", names)

    def is_ready(self) -> bool:
        """Whether it has printed "ready" since its start."""
        return " ready" in self.log_since_start()

    def has_exited(self) -> bool:
        """Whether it has exited."""
        return self.process is None or self.process.poll() is not None

    def reap(self) -> int:
        """Reap a coordinator that has exited; returns its exit code."""
        assert self.process is not None
        code = self.process.wait()
        self._reset()
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        os.kill(self.pid(), signal.SIGTERM)

    def wait(self) -> int:
        """Wait until the coordinator has exited; returns its exit code."""
        code = super().wait()
        self._reset()
        return code

    def kill(self) -> None:
        """Send SIGKILL; scripts keep running."""
        if self.process is not None:
            while self.process.poll() is None:  # nsenter may not have forked it yet; strace first forks probes
                with suppress(ProcessLookupError):
                    if pid := self.pid():
                        os.kill(pid, signal.SIGKILL)
                time.sleep(_PAUSE_S)
            self._reset()

    def _reset(self) -> None:
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
        """Kill every process at once; the disk keeps all writes."""
        self.machine.power_off()
        if self.process is not None:
            self.process.wait()
            self._reset()

    def close(self) -> None:
        """Kill the coordinator; scripts that still run end with the machine."""
        self.kill()


def _drain(source: int, log: Path) -> None:
    with os.fdopen(source, "rb", buffering=0) as pipe, log.open("ab", buffering=0) as file:
        while chunk := pipe.read(65536):
            file.write(chunk.lstrip(b" "))
