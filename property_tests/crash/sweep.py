"""What the sweeps share: name every call of every story by telling it undisturbed, then make a trial of each.

Every story is first told undisturbed under strace, which names the calls; then once per call, with what the sweep does
there. After some of the coordinators that died so, the restart is looked at as well, which names the calls of the
recovery; then these are tried in the same way.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from operator import itemgetter

from property_tests.crash.ground_truth import Doubt
from property_tests.crash.scenarios import SCENARIOS, Scenario
from property_tests.crash.strace import Injection
from property_tests.crash.summary import Tally
from property_tests.crash.syscalls import Call
from property_tests.crash.trial import Blow, Look, Result, Trial
from property_tests.crash.workers import Workers
from property_tests.report import Waiting, is_told

_JOBS = (os.cpu_count() or 1) + 1  # a trial waits now and then
RESTART_S = 2.0  # what the coordinator may take from its start to the last answer, beside the scripts' own time
_PER_START = 3.0  # on a machine so slow that even that is short: so many times what the start itself took


@dataclass(frozen=True)
class Kind:
    """What tells one sweep from another.

    Args:
        purpose: in one sentence, for ``--help``.
        noun: what is counted.
        look: at which calls.
        blows: a role and a call it makes → all that is to befall it there.
        doubt: what may have happened besides the story, then; None when nothing changes how it ends.
        first: what befalls the life before a recovery that is swept: one of these, at one of its calls.
        always: whether a trial is made whatever the sample.
        is_punctual: whether the last answer must be there within ``RESTART_S`` of the last start.
        more: told undisturbed as well, for more calls: stories under another look.
        extra: trials that no call names.
    """

    purpose: str
    noun: str
    look: Look
    blows: Callable[[str, Call], Iterator[Blow]]
    doubt: Doubt | None
    first: Callable[[str, Call], Iterator[Blow]]
    always: Callable[[Trial], bool]
    is_punctual: bool = True
    more: tuple[Trial, ...] = ()
    extra: tuple[Trial, ...] = ()


def kills(role: str, call: Call, *, takes_power: bool = False) -> Iterator[Blow]:
    """The coordinator's end at a call that changes anything."""
    if call.changes and not call.is_beginning:
        yield Blow(role, Injection(call.name, call.nth), takes_power, place=call.place)


@dataclass(frozen=True)
class Options:
    """What may be asked of every sweep."""

    sample: int | None
    seed: int
    firsts: int
    texts: tuple[str, ...]
    jobs: int
    rare: float
    until: float
    until_told: str | None
    only: str

    def wants(self, story: Scenario) -> bool:
        """Whether the story is one of those asked for."""
        return any(text in story.name for text in self.texts)


class Sweep:
    """All of one kind.

    Args:
        kind: which.
        options: how much of it.
        workers: who makes the trials.
    """

    def __init__(self, kind: Kind, options: Options, workers: Workers) -> None:
        self._kind = kind
        self._options = options
        self._workers = workers
        self._chance = random.Random(options.seed)
        self._stories = [story for story in SCENARIOS if options.wants(story)]
        self._told_s: dict[str, float] = {}
        self.tally = Tally(kind.noun)

    def run(self) -> Tally:
        """Tell every story, then again with everything that may befall it."""
        direct, firsts = self._direct()
        recoveries = self._recoveries(firsts)
        extra = [trial for trial in self._kind.extra if self._options.wants(trial.scenario)]
        trials = self._chosen(direct + extra, recoveries)
        print(
            f"{len(direct)} in stories, {len(recoveries)} in recoveries, {len(extra)} others; "
            f"to be tried: {len(trials)}",
            flush=True,
        )
        waiting = Waiting(len(trials), self._kind.noun)
        for trial, result in self._workers.make(trials, self._options.until):
            faults = self._faults(trial, result)
            self.tally.add(trial, result, faults)
            waiting.step(self.tally.wrong)
            if is_told(self._options.until_told, faults):
                break
        if waiting.done < len(trials):
            print(f"not begun, or not waited for: {len(trials) - waiting.done} of them")
        return self.tally

    def _direct(self) -> tuple[list[Trial], list[Trial]]:
        """A trial for each thing that may befall each call of each story; and those that recoveries may follow."""
        kind = self._kind
        undisturbed = [Trial(story, story.name, look=kind.look) for story in self._stories]
        undisturbed += [trial for trial in kind.more if self._options.wants(trial.scenario)]
        found, firsts = [], []
        for trial, result in self._workers.make(undisturbed):
            self.tally.record(trial, result)
            self._told_s[trial.scenario.name] = max(result.told_s, self._told_s.get(trial.scenario.name, 0.0))
            plain = replace(trial, look=None)
            every = _all(kind.blows, result.calls, result.last_calls)
            found += [replace(plain, blows=(blow,), doubt=trial.doubt or kind.doubt) for blow in every]
            if trial.look == kind.look:
                firsts += [replace(plain, blows=(blow,)) for blow in _all(kind.first, result.calls)]
        return self._thinned(sorted(found, key=str)), sorted(firsts, key=str)

    def _recoveries(self, direct: list[Trial]) -> list[Trial]:
        """A trial for each thing that may befall each call of the recoveries from some of the first blows."""
        kind, firsts = self._kind, []
        for story in self._stories:
            of_story = [trial for trial in direct if trial.scenario == story]
            firsts += self._chance.sample(of_story, min(self._options.firsts, len(of_story)))
        observed = (
            replace(first, row=f"recovery: {first.row}", look=kind.look, doubt=_doubt_of_recovery(kind))
            for first in firsts
        )
        found = []
        for trial, result in self._workers.make(observed):
            if result.faults:
                self.tally.record(trial, result)
            plain = replace(trial, look=None, doubt=kind.doubt)
            every = _all(kind.blows, result.calls, result.last_calls)
            found += [replace(plain, blows=(*trial.blows, blow)) for blow in every]
        return self._thinned(sorted(found, key=str))

    def _thinned(self, trials: list[Trial]) -> list[Trial]:
        """Without most of those of which a few will do."""
        rare = [number for number, trial in enumerate(trials) if trial.is_rare]
        left_out = set(rare) - set(self._chance.sample(rare, round(len(rare) * self._options.rare)))
        return [trial for number, trial in enumerate(trials) if number not in left_out]

    def _chosen(self, direct: list[Trial], recoveries: list[Trial]) -> list[Trial]:
        """All, or a sample: what is always tried first, then the others as chance has it, for time may end."""
        sample = self._options.sample
        direct = [trial for trial in direct if self._options.only in str(trial)]
        recoveries = [trial for trial in recoveries if self._options.only in str(trial)]
        always = [trial for trial in direct if self._kind.always(trial)]
        others = [trial for trial in direct if not self._kind.always(trial)] + recoveries
        return always + self._varied(others)[: None if sample is None else max(0, sample - len(always))]

    def _varied(self, trials: list[Trial]) -> list[Trial]:
        """In an order by chance, in which one of each place comes before the second of any."""
        seen: Counter[tuple[bool, str, str, str]] = Counter()
        ranked = []
        for trial in self._chance.sample(trials, len(trials)):
            ranked.append((seen[trial.place], trial))
            seen[trial.place] += 1
        return [trial for _, trial in sorted(ranked, key=itemgetter(0))]

    def _faults(self, trial: Trial, result: Result) -> list[str]:
        allowed = max(RESTART_S, _PER_START * result.ready_s) + self._told_s.get(trial.scenario.name, 0.0)
        if result.faults or not self._kind.is_punctual or result.settled_s <= allowed:
            return result.faults
        return [f"answered {result.settled_s:.2f} s after the restart; allowed are {allowed:.2f} s"]


def _all(blows: Callable[[str, Call], Iterator[Blow]], *parts: dict[str, list[Call]]) -> list[Blow]:
    return [blow for part in parts for role, calls in part.items() for call in calls for blow in blows(role, call)]


def _doubt_of_recovery(kind: Kind) -> Doubt | None:
    """A recovery that is only looked at follows a blow of its own kind: a kill leaves no doubt, a power cut does."""
    return kind.doubt if kind.first is kind.blows else None


def main(kind: Kind) -> int:
    """Sweep, print the table, and say with the exit code whether all was well."""
    parser = argparse.ArgumentParser(description=kind.purpose)
    parser.add_argument("--sample", type=int, help="so many trials, chosen by the seed (all)")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--firsts", type=int, default=3, help="recoveries to sweep per story (%(default)s)")
    parser.add_argument("--story", action="append", help="only stories whose name holds this text")
    parser.add_argument("--jobs", type=int, default=_JOBS, help="trials at a time (%(default)s)")
    parser.add_argument("--rare", type=float, default=0.02, help="share of what need be tried rarely (%(default)s)")
    parser.add_argument("--only", default="", help="only trials whose description holds this text, as WRONG tells it")
    parser.add_argument("--minutes", type=float, default=inf, help="begin no trial after so long (no limit)")
    parser.add_argument("--until-told", help="begin no trial after a finding that holds this text")
    asked = parser.parse_args()
    begin = time.monotonic()
    options = Options(
        asked.sample,
        asked.seed,
        asked.firsts,
        tuple(asked.story or ("",)),
        asked.jobs,
        asked.rare,
        begin + asked.minutes * 60,
        asked.until_told,
        asked.only,
    )
    with Workers(options.jobs) as workers:
        tally = Sweep(kind, options, workers).run()
    print(tally)
    print(f"{time.monotonic() - begin:.0f} s, seed {options.seed}")
    return 1 if tally.wrong else 0
