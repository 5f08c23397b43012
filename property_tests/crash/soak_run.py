"""The lives of one host's coordinator during a soak: begun, ended at random instants, and judged when it may rest."""

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

from property_tests.crash.client import Customer
from property_tests.crash.leftover_check import leftovers
from property_tests.crash.monitor import Lookout
from property_tests.crash.namespace_machine import Machine
from property_tests.crash.oracle import judge_wishes
from property_tests.crash.resources import Usage
from property_tests.crash.sandbox import Stage
from property_tests.crash.workload import COMPONENTS, OUTPUT_BYTES
from tests.support.real_host import until

_STRETCH = 50  # lives between two rests
_PATIENCE_S = 300.0
_LOGS_BYTES = 8 * 1024 * 1024  # limits.logs_bytes: complete logs of the noisy
_STDERR_BYTES = 1024 * 1024
_PAUSE_S = 0.01


@dataclass(frozen=True)
class End:
    """How lives end: a row of a table.

    Args:
        weight: how often, beside the others.
        is_ready: whether it is waited for "ready" first.
        shortest_s: from that moment, or from the start, to the end; chance takes any magnitude between the two.
        longest_s: likewise.
        signals: SIGTERM, SIGKILL, or the one and in its midst the other.
    """

    weight: int
    is_ready: bool
    shortest_s: float
    longest_s: float
    signals: tuple[str, ...] = ("KILL",)


ENDS = {
    "killed at birth": End(10, False, 1e-5, 0.2),
    "killed starting": End(20, False, 0.2, 1.5),
    "killed recovering": End(25, True, 1e-4, 0.1),
    "killed at work": End(38, True, 0.1, 2.0),
    "stopped": End(3, True, 0.01, 1.0, ("TERM",)),
    "killed stopping": End(4, True, 0.01, 1.0, ("TERM", "KILL")),
}


@dataclass
class Tale:
    """What came of a soak."""

    ends: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    repeated: int = 0
    polls: int = 0
    slowest_s: float = 0.0
    usages: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tale) -> None:
        """Take in another's."""
        self.ends += other.ends
        self.asked += other.asked
        self.repeated += other.repeated
        self.polls += other.polls
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.usages += other.usages
        self.faults += other.faults


class Lives:
    """One host and its coordinator's many lives.

    Args:
        cycles: kills and restarts.
        seed: of everything left to chance; instants of other processes are not.
    """

    def __init__(self, cycles: int, seed: int) -> None:
        self._cycles = cycles
        self._seed = seed
        self._chance = random.Random(seed)
        self._folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self._machine = Machine(self._folder)
        (self._folder / "host").mkdir()
        self._stage = stage = Stage(self._folder / "host", self._machine)
        self._lookout = Lookout(stage.status)
        self._customer = Customer(stage, self._lookout, self._chance)
        self._tale = Tale()
        stage.set("limits", output_bytes=OUTPUT_BYTES, logs_bytes=_LOGS_BYTES)
        for name, part in COMPONENTS.items():
            stage.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        stage.write_config()

    def run(self) -> Tale:
        """All lives, with a rest and a verdict now and then, and at the end over everything."""
        self._machine.power_on()
        self._lookout.start()
        try:
            self._live_all()
        except (AssertionError, TimeoutError, subprocess.SubprocessError) as error:
            self._tale.faults.append(str(error))
        finally:
            self._stage.kill()
            self._lookout.stop()
            self._machine.power_off()
        self._tale.asked = len(self._customer.wishes)
        self._tale.repeated = self._customer.repeated
        self._tale.polls = self._lookout.polls
        if self._tale.faults:
            self._tale.faults.append(f"all of it is kept in {self._folder}")
        else:
            shutil.rmtree(self._folder)
        return self._tale

    def _live_all(self) -> None:
        first = last = self._rest(everything=True)
        for number in range(1, self._cycles + 1):
            self._live()
            is_last = number == self._cycles
            if number % _STRETCH == 0 or is_last:
                last = self._rest(everything=is_last)
                told = f"{number} lives, {len(self._customer.wishes)} requests"
                print(f"seed {self._seed}: {told}", flush=True)
        self._tale.usages.append(f"{first} at first, {last} at last")
        self._tale.faults += last.excess(first)

    def _live(self) -> None:
        """One life, ended as chance has it."""
        (name,) = self._chance.choices(list(ENDS), [end.weight for end in ENDS.values()])
        end, stage = ENDS[name], self._stage
        self._customer.act()
        self._spawn()
        if end.is_ready:
            self._until_ready()
        self._let_pass(end)
        if "TERM" in end.signals:
            stage.terminate()
        if end.signals == ("TERM",):
            assert stage.wait() == 0, "it did not end with 0 after SIGTERM"
        else:
            if "TERM" in end.signals:
                self._let_pass(end, may_end=True)
            stage.kill()
        self._tale.ends[name] += 1

    def _spawn(self) -> None:
        stderr = self._folder / "host" / "stderr.log"
        if stderr.exists() and stderr.stat().st_size > _STDERR_BYTES:
            stderr.write_bytes(b"")  # the log file tells the same, and is rotated
        self._stage.spawn()

    def _until_ready(self) -> None:
        def look() -> bool:
            self._customer.act()
            return self._stage.ended() or self._stage.is_ready()

        until(look, f"ready\n{self._log()}", _PATIENCE_S)
        self._must_live()

    def _let_pass(self, end: End, *, may_end: bool = False) -> None:
        """Let a life go on for as long as chance has it, and the client with it."""
        span = math.exp(self._chance.uniform(math.log(end.shortest_s), math.log(end.longest_s)))
        over = time.monotonic() + span
        while (left := over - time.monotonic()) > 0:
            time.sleep(min(left, self._chance.uniform(0, 10 * _PAUSE_S)))
            if left > _PAUSE_S:
                self._customer.act()
        if not may_end:
            self._must_live()

    def _must_live(self) -> None:
        assert not self._stage.ended(), f"it ended by itself\n{self._log()}"

    def _log(self) -> str:
        return self._stage.log()[-6000:]

    def _rest(self, *, everything: bool) -> Usage:
        """A life that nobody disturbs: everything gets its answer, and is judged.

        Args:
            everything: whether it is to serve one request of each kind before it is looked at.
        """
        begin = time.monotonic()
        self._spawn()
        until(lambda: self._customer.is_answered() or self._stage.ended(), "the answers", _PATIENCE_S)
        self._must_live()
        self._tale.slowest_s = max(self._tale.slowest_s, time.monotonic() - begin)
        if everything:
            self._customer.ask_everything()
        until(self._is_quiet, "everything to come to rest", _PATIENCE_S)
        usage = Usage.of(self._stage.pid())
        assert self._stage.stop() == 0, "it did not end with 0 after SIGTERM"
        until(lambda: not self._machine.processes(), "the last process to end", _PATIENCE_S)
        wishes = self._customer.wishes.values()
        self._tale.faults += judge_wishes(self._stage, wishes, self._lookout, self._customer.away)
        assert not self._tale.faults, "so it was found at rest"
        return usage

    def _is_quiet(self) -> bool:
        stage = self._stage
        return (
            self._customer.is_answered()
            and not any(stage.requests.iterdir())
            and not any(stage.status.glob("*.progress.json"))
            and not leftovers(stage.state / "runs", stage.output_bytes)
        )
