"""``make crash-sweep``: kills the real coordinator at every call that changes anything, and judges what came of it.

Every story is first told undisturbed under strace, which names the calls; then once per call, killed there. Of the
coordinators killed so, some are restarted under strace as well, which names the calls of their recovery; then once per
call of it, killed there again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from property_tests.crash.experiment import Blow, Experiment, Result
from property_tests.crash.machine import Machine
from property_tests.crash.scenarios import ROLLED_BACK, SCENARIOS, SUCCESS, Scenario
from property_tests.crash.strace import Injection
from property_tests.crash.tally import Tally
from tests.integration.real_host import REPOSITORY

RESTART_S = 2.0  # what the coordinator may take from its start to the last answer, beside the scripts' own time
_PER_START = 3.0  # on a machine so slow that even that is short: so many times what the start itself took
_MISSES = 3  # tries to hit a call that did not come up, for threads do not always take turns in the same order


@dataclass(frozen=True)
class Trial:
    """One story and the blows that fall while it is told."""

    story: int
    blows: tuple[Blow, ...] = ()
    observe: bool = False

    @property
    def scenario(self) -> Scenario:
        """The story."""
        return SCENARIOS[self.story]

    def __str__(self) -> str:
        return f"{self.scenario.name}: {', then '.join(map(str, self.blows)) or 'undisturbed'}"


class Site:
    """Where one worker process does its experiments, one after the other."""

    def __init__(self, sources: Path) -> None:
        self._sources = sources
        self._stack = ExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="crash-"))
        self._machine = Machine(self._folder)
        self._machine.power_on()
        self._count = 0

    def do(self, trial: Trial) -> Result:
        """One experiment; a call that did not come up is tried again."""
        for _ in range(_MISSES):
            self._count += 1
            place = self._folder / f"experiment-{self._count}"
            result = Experiment(place, self._machine, trial.scenario, self._sources).run(
                trial.blows, observe=trial.observe
            )
            if result.faults:
                result.faults.append(f"all of it is kept in {place}")
                self._machine.reboot()  # whatever it left running
            if result.faults or all(hit is not None and hit.changes for hit in result.hits):
                break
        return result


_site: Site | None = None


def _set_up(sources: Path) -> None:
    global _site  # noqa: PLW0603  one per worker process
    _site = Site(sources)


def _do(trial: Trial) -> tuple[Trial, Result]:
    assert _site is not None
    return trial, _site.do(trial)


class Sweep:
    """All of it.

    Args:
        stories: numbers of the scenarios to tell.
        firsts: after how many first blows per story the recovery is swept as well.
        seed: chooses them, and the sample.
        sample: how many trials to make of all that there are; None for all.
        sources: the tree whose coordinator is tried.
        jobs: worker processes.
    """

    def __init__(
        self, stories: list[int], *, firsts: int, seed: int, sample: int | None, sources: Path, jobs: int
    ) -> None:
        self._stories = stories
        self._firsts = firsts
        self._chance = random.Random(seed)
        self._sample = sample
        self._pool = ProcessPoolExecutor(jobs, initializer=_set_up, initargs=(sources,))
        self._undisturbed: dict[int, Result] = {}
        self.tally = Tally()

    def run(self) -> Tally:
        """Tell every story, then again with every blow."""
        with self._pool:
            direct = self._direct()
            recoveries = self._recoveries(direct)
            trials = self._chosen(direct, recoveries)
            print(f"{len(direct)} calls, {len(recoveries)} calls of recoveries; to be tried: {len(trials)}", flush=True)
            for trial, result in self._all(trials):
                self.tally.add(_row(trial), result, self._faults(trial, result), str(trial))
        return self.tally

    def _all(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Result]]:
        for future in as_completed([self._pool.submit(_do, trial) for trial in trials]):
            yield future.result()

    def _direct(self) -> list[Trial]:
        """A trial for each call of each story."""
        found = []
        undisturbed = (Trial(story, observe=SCENARIOS[story].at_birth) for story in self._stories)
        for trial, result in self._all(undisturbed):
            self.tally.record(f"{trial.scenario.name}, undisturbed", result)
            self._undisturbed[trial.story] = result
            found += [Trial(trial.story, (blow,)) for blow in _blows(result)]
        return sorted(found, key=str)

    def _recoveries(self, direct: list[Trial]) -> list[Trial]:
        """A trial for each call of the recoveries from some of the first blows."""
        firsts = []
        for story in self._stories:
            of_story = [trial for trial in direct if trial.story == story]
            firsts += self._chance.sample(of_story, min(self._firsts, len(of_story)))
        observed = (Trial(first.story, first.blows, observe=True) for first in firsts)
        found = []
        for trial, result in self._all(observed):
            if result.faults:
                self.tally.record(f"{trial}, the recovery undisturbed", result)
            found += [Trial(trial.story, (*trial.blows, blow)) for blow in _blows(result)]
        return sorted(found, key=str)

    def _chosen(self, direct: list[Trial], recoveries: list[Trial]) -> list[Trial]:
        """All, or a sample: every call of a successful and of a rolled back update, the others as chance has it."""
        everything = direct + recoveries
        if self._sample is None:
            chosen = everything
        else:
            always = [trial for trial in direct if trial.scenario in (SUCCESS, ROLLED_BACK)]
            others = [trial for trial in everything if trial not in always]
            chosen = always + self._chance.sample(others, min(len(others), max(0, self._sample - len(always))))
        self._chance.shuffle(chosen)
        return chosen

    def _faults(self, trial: Trial, result: Result) -> list[str]:
        own = self._undisturbed[trial.story].told_s
        allowed = max(RESTART_S, _PER_START * result.ready_s) + own
        if result.faults or result.settled_s <= allowed:
            return result.faults
        return [f"answered {result.settled_s:.2f} s after the restart; allowed are {allowed:.2f} s"]


def _blows(result: Result) -> list[Blow]:
    return [
        Blow(role, Injection(call.name, call.nth))
        for role, calls in result.calls.items()
        for call in calls
        if call.changes and not (call.name == "execve" and call.nth == 1)  # strace's own: it starts the coordinator
    ]


def _row(trial: Trial) -> str:
    return trial.scenario.name if len(trial.blows) == 1 else f"recovery: {trial.scenario.name}"


def main() -> int:
    """Sweep, print the table, and say with the exit code whether all was well."""
    parser = argparse.ArgumentParser(description="Kill the coordinator at every call that changes anything.")
    parser.add_argument("--sample", type=int, help="so many trials, chosen by the seed (all)")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--firsts", type=int, default=3, help="recoveries to sweep per story (%(default)s)")
    parser.add_argument("--story", action="append", help="only stories whose name holds this text")
    parser.add_argument("--sources", type=Path, default=REPOSITORY, help="the tree whose coordinator is tried")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    stories = [
        number
        for number, scenario in enumerate(SCENARIOS)
        if not options.story or any(text in scenario.name for text in options.story)
    ]
    begin = time.monotonic()
    tally = Sweep(
        stories,
        firsts=options.firsts,
        seed=options.seed,
        sample=options.sample,
        sources=options.sources.resolve(),
        jobs=options.jobs,
    ).run()
    print(tally.table())
    print(f"{time.monotonic() - begin:.0f} s, seed {options.seed}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
