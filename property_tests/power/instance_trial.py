"""One recorded life and everything that power cuts during it may leave: each is started on, and judged."""

from __future__ import annotations

import random
import shutil
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from property_tests.crash.namespace_machine import Machine
from property_tests.crash.sandbox import Stage
from property_tests.crash.scenarios import SCENARIOS, Scenario
from property_tests.power import daemon_restart
from property_tests.power.crash_points import Moment, moments
from property_tests.power.crash_states import digest, images
from property_tests.power.disk_model import Image
from property_tests.power.recording import Recorder, Recording, lay
from property_tests.power.recovery_check import judge
from property_tests.power.simulated_restart import Successor
from property_tests.simulated_host import RAM
from tests.support.real_host import REPOSITORY

_BY_CHANCE = 30  # states drawn per instant, beside those that follow a rule
_KEPT_FAULTS = 5
_LONG_PAGES = 960  # SQLite folds its log in when a commit takes it beyond 1000


class Before(StrEnum):
    """What has happened when a recorded life begins; the value begins its row in the table."""

    NOTHING = ""  # all is asked, and nobody has looked
    CUT = "after a cut: "  # power failed at some instant of such a life
    LONG_LOG = "long log: "  # a coordinator was killed whose log SQLite is about to fold in
    LOSS = "journal lost: "  # a coordinator stopped at some instant, and somebody deleted the journal


@dataclass(frozen=True)
class Life:
    """What is recorded, and how much of it is tried.

    Args:
        story: number of the scenario.
        before: how it begins.
        careless: whether the client writes its requests without fsync.
        number: tells lives apart that are alike in all this.
        states: how many states to try.
        real: how many of them to give to the real daemon, too.
        seed: chooses them.
    """

    story: int
    before: Before
    careless: bool
    number: int
    states: int
    real: int
    seed: int

    @property
    def scenario(self) -> Scenario:
        """The story."""
        return SCENARIOS[self.story]

    def __str__(self) -> str:
        return f"{self.before}{self.scenario.name}{', client without fsync' if self.careless else ''}"


@dataclass
class Findings:
    """What came of a life.

    Args:
        digests: one for each state that was tried.
        kinds: how many states there were right after each kind of operation.
        instants: how many instants the life had.
        real: how many states the real daemon was given.
        wrong: how many were judged wrong.
        faults: of the first of those, everything in words.
    """

    digests: set[bytes] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    instants: int = 0
    real: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)


class Trial:
    """Records a life and tries its cuts, on a machine and in a folder of its own."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._chance = random.Random(repr(life))
        self._folder = Path(tempfile.mkdtemp(prefix="power-"))
        self._spot = Path(tempfile.mkdtemp(prefix="power-", dir=RAM if Path(RAM).is_dir() else None))
        self._machine = Machine(self._folder)
        self._found = Findings()

    def run(self) -> Findings:
        """All of it; nothing is left behind."""
        self._machine.power_on()
        try:
            recorder = Recorder(self._folder, self._machine, REPOSITORY)
            stage, recording = self._record(recorder)
            tried = self._try(stage, recording)
            for moment, image in self._chance.sample(tried, min(self._life.real, len(tried))):
                self._found.real += 1
                self._take_in(
                    f"{moment}, the real daemon", daemon_restart.serve(stage, recording, image, moment), image
                )
        finally:
            self._machine.power_off()
            shutil.rmtree(self._folder)
            shutil.rmtree(self._spot)
        return self._found

    def _record(self, recorder: Recorder) -> tuple[Stage, Recording]:
        scenario, before = self._life.scenario, self._life.before
        stage, earlier = recorder.prepare(
            scenario, careless=self._life.careless, log_pages=_LONG_PAGES if before is Before.LONG_LOG else 0
        )
        first = recorder.record(scenario, stage, earlier, fresh=True)
        if before is Before.CUT:
            moment, image = self._cut(first)
        elif before is Before.LOSS:
            moment, image = self._loss(first)
        else:
            return stage, first
        daemon_restart.lay_all(stage, scenario, image, moment)
        earlier = replace(earlier, noted=moment.noted, seen=moment.seen, forgotten=before is Before.LOSS)
        return stage, recorder.record(scenario, stage, earlier, fresh=False)

    def _cut(self, recording: Recording) -> tuple[Moment, Image]:
        chosen = self._chance.randrange(sum(1 for _ in moments(recording)))
        moment, disk = next(islice(moments(recording), chosen, None))
        return moment, self._chance.choice(list(images(disk, self._chance, _BY_CHANCE)))

    def _loss(self, recording: Recording) -> tuple[Moment, Image]:
        """A journal counts as lost where one has been: the mark of it is in ``status/``."""
        stops = [(moment, disk.present()) for moment, disk in moments(recording)]
        moment, image = self._chance.choice([stop for stop in stops if "status/.coordinator" in stop[1]])
        # An answer that its client has taken is forgotten with the journal: no file tells of it.
        seen = {
            request_id: answer for request_id, answer in moment.seen.items() if f"status/{request_id}.json" in image
        }
        left = {path: content for path, content in image.items() if not path.startswith("state/journal")}
        return replace(moment, seen=seen), left

    def _try(self, stage: Stage, recording: Recording) -> list[tuple[Moment, Image]]:
        """Start on states of every instant, or of a sample of them; what was tried.

        An instant that has fewer states of its own than its share leaves the rest to the next ones.
        """
        self._found.instants = sum(1 for _ in moments(recording))
        each, more = divmod(self._life.states, self._found.instants)
        chosen = set(self._chance.sample(range(self._found.instants), more))
        tried, left = [], 0
        for number, (moment, disk) in enumerate(moments(recording)):
            left += each + (number in chosen)
            candidates = list(images(disk, self._chance, _BY_CHANCE)) if left else []
            self._chance.shuffle(candidates)
            for image in candidates:
                if not left:
                    break
                if (name := digest(image)) not in self._found.digests:
                    self._found.digests.add(name)
                    self._found.kinds[moment.kind] += 1
                    self._take_in(str(moment), self._serve(stage, recording, image, moment), image)
                    tried.append((moment, image))
                    left -= 1
        return tried

    def _serve(self, stage: Stage, recording: Recording, image: Image, moment: Moment) -> list[str]:
        lay(image, self._spot)
        record = list(moment.noted)
        try:
            Successor(self._spot, stage.root / "components", recording.scenario, record).serve()
            return judge(self._spot, recording, image, moment, record)
        except Exception:  # noqa: BLE001  whatever the coordinator dies of is the finding
            return [traceback.format_exc()]

    def _take_in(self, what: str, faults: list[str], image: Image) -> None:
        if not faults:
            return
        self._found.wrong += 1
        if self._found.wrong <= _KEPT_FAULTS:
            left = {path: None if content is None else len(content) for path, content in image.items()}
            self._found.faults.append("\n    ".join([f"{self._life}: {what}", *faults, str(left)]))
