"""A soak on one host: many coordinator instances, ended at random instants, checked whenever the host is idle."""

from __future__ import annotations

import math
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from property_tests.crash.leftover_check import unfinished_run_directories
from property_tests.crash.monitor import StatusMonitor
from property_tests.crash.namespace_machine import NamespaceMachine
from property_tests.crash.oracle import check_requests
from property_tests.crash.resources import ResourceUsage
from property_tests.crash.sandbox import Sandbox
from property_tests.crash.soak_client import SoakClient
from property_tests.crash.workload import COMPONENTS, OUTPUT_BYTES
from tests.support.polling import wait_until

_CHECK_PERIOD = 50  # instances between two checks
_DEADLINE_S = 300.0
_LOGS_BYTES = 8 * 1024 * 1024  # limits.logs_bytes, for complete logs of noisy scripts
_STDERR_BYTES = 1024 * 1024
_PAUSE_S = 0.01


@dataclass(frozen=True)
class StopKind:
    """How instances are stopped: a row of a table.

    Args:
        weight: relative frequency.
        is_ready: whether to wait for "ready" first.
        shortest_s: shortest time from that moment, or from the start, to the end; drawn log-uniformly.
        longest_s: longest such time.
        signals: SIGTERM, SIGKILL, or both in this order.
    """

    weight: int
    is_ready: bool
    shortest_s: float
    longest_s: float
    signals: tuple[str, ...] = ("KILL",)


STOP_KINDS = {
    "killed at once": StopKind(10, False, 1e-5, 0.2),
    "killed while starting": StopKind(20, False, 0.2, 1.5),
    "killed while recovering": StopKind(25, True, 1e-4, 0.1),
    "killed while working": StopKind(38, True, 0.1, 2.0),
    "stopped": StopKind(3, True, 0.01, 1.0, ("TERM",)),
    "killed while stopping": StopKind(4, True, 0.01, 1.0, ("TERM", "KILL")),
}


@dataclass
class SoakResult:
    """The result of a soak."""

    stops: Counter[str] = field(default_factory=Counter)
    submitted: int = 0
    repeated: int = 0
    polls: int = 0
    slowest_s: float = 0.0
    usages: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def add(self, other: SoakResult) -> None:
        """Add another host's result."""
        self.stops += other.stops
        self.submitted += other.submitted
        self.repeated += other.repeated
        self.polls += other.polls
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.usages += other.usages
        self.violations += other.violations


class SoakRun:
    """One host and its many coordinator instances.

    Args:
        cycles: kills and restarts.
        seed: of all random choices; the timing of other processes stays random.
    """

    def __init__(self, cycles: int, seed: int) -> None:
        self._cycles = cycles
        self._seed = seed
        self._chance = random.Random(seed)
        self._folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self._machine = NamespaceMachine(self._folder)
        (self._folder / "host").mkdir()
        self._sandbox = sandbox = Sandbox(self._folder / "host", self._machine)
        self._monitor = StatusMonitor(sandbox.status)
        self._client = SoakClient(sandbox, self._monitor, self._chance)
        self._result = SoakResult()
        sandbox.set("limits", output_bytes=OUTPUT_BYTES, logs_bytes=_LOGS_BYTES)
        for name, part in COMPONENTS.items():
            sandbox.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        sandbox.write_config()

    def run(self) -> SoakResult:
        """Run all instances, with a check every ``_CHECK_PERIOD`` of them and at the end."""
        self._machine.power_on()
        self._monitor.start()
        try:
            self._run_instances()
        except (AssertionError, TimeoutError, subprocess.SubprocessError) as error:
            self._result.violations.append(str(error))
        finally:
            self._sandbox.kill()
            self._monitor.stop()
            self._machine.power_off()
        self._result.submitted = len(self._client.planned)
        self._result.repeated = self._client.repeated
        self._result.polls = self._monitor.polls
        if self._result.violations:
            self._result.violations.append(f"the host is kept in {self._folder}")
        else:
            shutil.rmtree(self._folder)
        return self._result

    def _run_instances(self) -> None:
        first = last = self._check_when_idle(everything=True)
        for number in range(1, self._cycles + 1):
            self._run_instance()
            is_last = number == self._cycles
            if number % _CHECK_PERIOD == 0 or is_last:
                last = self._check_when_idle(everything=is_last)
                counts = f"{number} instances, {len(self._client.planned)} requests"
                print(f"seed {self._seed}: {counts}", flush=True)
        self._result.usages.append(f"first {first}, last {last}")
        self._result.violations += last.excess(first)

    def _run_instance(self) -> None:
        """One instance with a random end."""
        (name,) = self._chance.choices(list(STOP_KINDS), [kind.weight for kind in STOP_KINDS.values()])
        kind, sandbox = STOP_KINDS[name], self._sandbox
        self._client.act()
        self._spawn()
        if kind.is_ready:
            self._until_ready()
        self._run_for_a_while(kind)
        if "TERM" in kind.signals:
            sandbox.terminate()
        if kind.signals == ("TERM",):
            assert sandbox.wait() == 0, "the exit code after SIGTERM was not 0"
        else:
            if "TERM" in kind.signals:
                self._run_for_a_while(kind, may_end=True)
            sandbox.kill()
        self._result.stops[name] += 1

    def _spawn(self) -> None:
        stderr = self._folder / "host" / "stderr.log"
        if stderr.exists() and stderr.stat().st_size > _STDERR_BYTES:
            stderr.write_bytes(b"")  # the log file has the same lines and is rotated
        self._sandbox.spawn()

    def _until_ready(self) -> None:
        def poll() -> bool:
            self._client.act()
            return self._sandbox.has_exited() or self._sandbox.is_ready()

        wait_until(poll, f"ready\n{self._log()}", _DEADLINE_S)
        self._assert_running()

    def _run_for_a_while(self, kind: StopKind, *, may_end: bool = False) -> None:
        """Let an instance and the client run for a random time."""
        span = math.exp(self._chance.uniform(math.log(kind.shortest_s), math.log(kind.longest_s)))
        over = time.monotonic() + span
        while (left := over - time.monotonic()) > 0:
            time.sleep(min(left, self._chance.uniform(0, 10 * _PAUSE_S)))
            if left > _PAUSE_S:
                self._client.act()
        if not may_end:
            self._assert_running()

    def _assert_running(self) -> None:
        assert not self._sandbox.has_exited(), f"the coordinator exited unexpectedly\n{self._log()}"

    def _log(self) -> str:
        return self._sandbox.log()[-6000:]

    def _check_when_idle(self, *, everything: bool) -> ResourceUsage:
        """An instance without disruption: every request gets its answer, and all are checked.

        Args:
            everything: whether to serve one request of each kind before the resources are measured.
        """
        begin = time.monotonic()
        self._spawn()
        wait_until(lambda: self._client.is_answered() or self._sandbox.has_exited(), "the answers", _DEADLINE_S)
        self._assert_running()
        self._result.slowest_s = max(self._result.slowest_s, time.monotonic() - begin)
        if everything:
            self._client.submit_every_kind()
        wait_until(self._is_quiet, "the host to be idle", _DEADLINE_S)
        usage = ResourceUsage.of(self._sandbox.pid())
        assert self._sandbox.stop() == 0, "the exit code after SIGTERM was not 0"
        wait_until(lambda: not self._machine.processes(), "the last process to exit", _DEADLINE_S)
        planned = self._client.planned.values()
        self._result.violations += check_requests(self._sandbox, planned, self._monitor, self._client.taken)
        assert not self._result.violations, "violations were found at the check"
        return usage

    def _is_quiet(self) -> bool:
        sandbox = self._sandbox
        return (
            self._client.is_answered()
            and not any(sandbox.requests.iterdir())
            and not any(sandbox.status.glob("*.progress.json"))
            and not unfinished_run_directories(sandbox.state / "runs", sandbox.output_bytes)
        )
