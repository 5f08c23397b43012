"""One recorded instance and the crash states of power cuts during it: restart on each, and check the result."""

from __future__ import annotations

import random
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from property_tests.crash.namespace_machine import NamespaceMachine
from property_tests.crash.sandbox import Sandbox
from property_tests.crash.scenarios import SCENARIOS, Scenario
from property_tests.power import daemon_restart
from property_tests.power.crash_points import CrashPoint, crash_points
from property_tests.power.crash_states import crash_states, digest
from property_tests.power.disk_model import DiskImage, DiskModel
from property_tests.power.recording import Recorder, Recording, write_image
from property_tests.power.recovery_check import check_recovery
from property_tests.power.simulated_restart import SimulatedRestart
from property_tests.report import is_reported
from property_tests.simulated_host import RAM
from tests.support.real_host import REPOSITORY

_BY_CHANCE = 30  # random states per crash point, besides those by rule
_KEPT_EXAMPLES = 20
_LONG_PAGES = 960  # SQLite checkpoints its log beyond 1000 pages


class Precondition(StrEnum):
    """The state before a recorded instance; the value is the prefix of its row in the table."""

    NOTHING = ""  # all requests are submitted, no coordinator has run
    CUT = "after a cut: "  # the power failed during such an instance
    LONG_LOG = "long log: "  # the coordinator was killed just before a checkpoint
    LOSS = "journal lost: "  # the coordinator was killed, and the journal was deleted


@dataclass(frozen=True)
class InstanceSpec:
    """What to record, and how much of it to try.

    Args:
        scenario_index: position in ``SCENARIOS``.
        before: the initial state.
        client_skips_fsync: whether the client writes its requests without fsync.
        number: distinguishes otherwise equal instances.
        states: number of states to try.
        real: number of them on which the real daemon is started too.
        seed: of the random choices.
    """

    scenario_index: int
    before: Precondition
    client_skips_fsync: bool
    number: int
    states: int
    real: int
    seed: int

    @property
    def scenario(self) -> Scenario:
        """The scenario."""
        return SCENARIOS[self.scenario_index]

    def __str__(self) -> str:
        return f"{self.before}{self.scenario.name}{', client without fsync' if self.client_skips_fsync else ''}"


@dataclass
class Findings:
    """The results of an instance.

    Args:
        digests: one per state tried.
        kinds: number of states right after each kind of operation.
        crash_points: number of crash points.
        real: number of states on which the real daemon was started.
        wrong: number of states with violations.
        violations: descriptions of the first states with each distinct violation, 20 at most.
    """

    digests: set[bytes] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    crash_points: int = 0
    real: int = 0
    wrong: int = 0
    violations: list[str] = field(default_factory=list)


class InstanceTrial:
    """Records an instance and tries its power cuts, on its own machine and in its own directory.

    Args:
        spec: what to record, and how much of it to try.
        only: only crash points after an operation whose description contains this text; "": all.
        until_violation: try no state after a violation that contains this text; None: try all.
    """

    def __init__(self, spec: InstanceSpec, only: str = "", until_violation: str | None = None) -> None:
        self._spec = spec
        self._only = only
        self._until_violation = until_violation
        self._chance = random.Random(repr(spec))
        self._folder = Path(tempfile.mkdtemp(prefix="power-"))
        self._scratch = Path(tempfile.mkdtemp(prefix="power-", dir=RAM if Path(RAM).is_dir() else None))
        self._machine = NamespaceMachine(self._folder)
        self._found = Findings()
        self._described: set[str] = set()

    def run(self) -> Findings:
        """Run the trial; removes all its files."""
        self._machine.power_on()
        try:
            recorder = Recorder(self._folder, self._machine, REPOSITORY)
            sandbox, recording = self._record(recorder)
            tried = self._try(sandbox, recording)
            for crash_point, image in self._chance.sample(tried, min(self._spec.real, len(tried))):
                self._found.real += 1
                self._record_result(
                    f"{crash_point}, the real daemon",
                    daemon_restart.serve(sandbox, recording, image, crash_point),
                    image,
                )
        finally:
            self._machine.power_off()
            shutil.rmtree(self._folder)
            shutil.rmtree(self._scratch)
        return self._found

    def _record(self, recorder: Recorder) -> tuple[Sandbox, Recording]:
        scenario, before = self._spec.scenario, self._spec.before
        sandbox, earlier = recorder.prepare(
            scenario,
            client_skips_fsync=self._spec.client_skips_fsync,
            log_pages=_LONG_PAGES if before is Precondition.LONG_LOG else 0,
        )
        first = recorder.record(scenario, sandbox, earlier, fresh=True)
        if before is Precondition.CUT:
            crash_point, image = self._cut(first)
        elif before is Precondition.LOSS:
            crash_point, image = self._loss(first)
        else:
            return sandbox, first
        daemon_restart.restore_host(sandbox, scenario, image, crash_point)
        earlier = replace(
            earlier,
            recorded_lines=crash_point.recorded_lines,
            seen=crash_point.seen,
            journal_lost=before is Precondition.LOSS,
        )
        return sandbox, recorder.record(scenario, sandbox, earlier, fresh=False)

    def _cut(self, recording: Recording) -> tuple[CrashPoint, DiskImage]:
        chosen = self._chance.randrange(sum(1 for _ in crash_points(recording)))
        crash_point, disk = next(islice(crash_points(recording), chosen, None))
        return crash_point, self._chance.choice(list(crash_states(disk, self._chance, _BY_CHANCE)))

    def _loss(self, recording: Recording) -> tuple[CrashPoint, DiskImage]:
        """A journal counts as lost where one existed: the marker is in ``status/``."""
        stops = [(crash_point, disk.current()) for crash_point, disk in crash_points(recording)]
        crash_point, image = self._chance.choice([stop for stop in stops if "status/.coordinator" in stop[1]])
        # An answer that its client has taken is unknown after the loss: no file records it.
        seen = {
            request_id: answer
            for request_id, answer in crash_point.seen.items()
            if f"status/{request_id}.json" in image
        }
        left = {path: content for path, content in image.items() if not path.startswith("state/journal")}
        return replace(crash_point, seen=seen), left

    def _try(self, sandbox: Sandbox, recording: Recording) -> list[tuple[CrashPoint, DiskImage]]:
        """Restart on states of the chosen crash points, or of a sample of them; returns the states tried.

        The rest of a crash point with fewer distinct states than its share is added to the next ones.
        """
        self._found.crash_points = sum(1 for _ in self._chosen_points(recording))
        if not self._found.crash_points:
            return []
        each, more = divmod(self._spec.states, self._found.crash_points)
        chosen = set(self._chance.sample(range(self._found.crash_points), more))
        tried, left = [], 0
        for number, (crash_point, disk) in enumerate(self._chosen_points(recording)):
            left += each + (number in chosen)
            candidates = list(crash_states(disk, self._chance, _BY_CHANCE)) if left else []
            self._chance.shuffle(candidates)
            for image in candidates:
                if is_reported(self._until_violation, self._found.violations):
                    return tried
                if not left:
                    break
                if (name := digest(image)) not in self._found.digests:
                    self._found.digests.add(name)
                    self._found.kinds[crash_point.kind] += 1
                    self._record_result(str(crash_point), self._serve(sandbox, recording, image, crash_point), image)
                    tried.append((crash_point, image))
                    left -= 1
        return tried

    def _chosen_points(self, recording: Recording) -> Iterator[tuple[CrashPoint, DiskModel]]:
        return (point for point in crash_points(recording) if self._only in str(point[0].last or ""))

    def _serve(self, sandbox: Sandbox, recording: Recording, image: DiskImage, crash_point: CrashPoint) -> list[str]:
        write_image(image, self._scratch)
        record = list(crash_point.recorded_lines)
        try:
            SimulatedRestart(self._scratch, sandbox.root / "components", recording.scenario, record).serve()
            return check_recovery(self._scratch, recording, image, crash_point, record)
        except Exception:  # noqa: BLE001  any exception of the coordinator is a finding
            return [traceback.format_exc()]

    def _record_result(self, what: str, violations: list[str], image: DiskImage) -> None:
        if not violations:
            return
        self._found.wrong += 1
        if not self._described.issuperset(violations) and len(self._found.violations) < _KEPT_EXAMPLES:
            self._described.update(violations)
            left = {path: None if content is None else len(content) for path, content in image.items()}
            self._found.violations.append("\n    ".join([f"{self._spec}: {what}", *violations, str(left)]))
