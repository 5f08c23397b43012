"""Common part of the sweeps: list every system call of every scenario in a reference run, then disrupt each.

Every scenario first runs without disruption under strace, which lists its calls; then once per call, with the sweep's
disruption there. After some of these disruptions the restart is traced too, which lists the calls of the recovery;
these are disrupted in the same way.
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

from property_tests.crash.ground_truth import Uncertainty
from property_tests.crash.scenarios import SCENARIOS, Scenario
from property_tests.crash.strace import Injection
from property_tests.crash.summary import Summary
from property_tests.crash.syscalls import Syscall
from property_tests.crash.trial import Disruption, TraceSpec, Trial, TrialResult
from property_tests.crash.workers import Workers
from property_tests.report import ProgressMeter, is_reported

_JOBS = (os.cpu_count() or 1) + 1  # trials wait part of the time
RESTART_S = 2.0  # limit from the coordinator's start to the last answer, without the scripts' own time
_PER_START = 3.0  # on a slow machine: this multiple of the start's own duration


@dataclass(frozen=True)
class SweepSpec:
    """The definition of one sweep.

    Args:
        purpose: in one sentence, for ``--help``.
        noun: what is counted.
        trace: which calls to trace.
        disruptions: a role and one of its calls → every disruption of that call.
        uncertainty: what else may have happened then; None when no outcome changes.
        first: the same for the disruptions that may precede a swept recovery.
        always: whether a trial is run independently of the sample.
        is_punctual: whether the last answer is due within ``RESTART_S`` of the last start.
        more: further reference runs, with other calls traced.
        extra: trials that belong to no call.
    """

    purpose: str
    noun: str
    trace: TraceSpec
    disruptions: Callable[[str, Syscall], Iterator[Disruption]]
    uncertainty: Uncertainty | None
    first: Callable[[str, Syscall], Iterator[Disruption]]
    always: Callable[[Trial], bool]
    is_punctual: bool = True
    more: tuple[Trial, ...] = ()
    extra: tuple[Trial, ...] = ()


def kills(role: str, call: Syscall, *, takes_power: bool = False) -> Iterator[Disruption]:
    """A kill of the coordinator at a call that changes anything."""
    if call.changes and not call.is_beginning:
        yield Disruption(role, Injection(call.name, call.nth), takes_power, place=call.place)


@dataclass(frozen=True)
class Options:
    """The options common to all sweeps."""

    sample: int | None
    seed: int
    firsts: int
    texts: tuple[str, ...]
    jobs: int
    rare: float
    until: float
    until_violation: str | None
    only: str

    def includes(self, scenario: Scenario) -> bool:
        """Whether the scenario is selected."""
        return any(text in scenario.name for text in self.texts)


class Sweep:
    """All trials of one sweep.

    Args:
        spec: its definition.
        options: which part of it to run.
        workers: the processes that run the trials.
    """

    def __init__(self, spec: SweepSpec, options: Options, workers: Workers) -> None:
        self._spec = spec
        self._options = options
        self._workers = workers
        self._chance = random.Random(options.seed)
        self._scenarios = [scenario for scenario in SCENARIOS if options.includes(scenario)]
        self._reference_s: dict[str, float] = {}
        self.summary = Summary(spec.noun)

    def run(self) -> Summary:
        """Run every scenario without disruption, then with every disruption."""
        direct, firsts = self._direct()
        recoveries = self._recoveries(firsts)
        extra = [trial for trial in self._spec.extra if self._options.includes(trial.scenario)]
        trials = self._chosen(direct + extra, recoveries)
        print(
            f"{len(direct)} in scenarios, {len(recoveries)} in recoveries, {len(extra)} others; to run: {len(trials)}",
            flush=True,
        )
        meter = ProgressMeter(len(trials), self._spec.noun)
        for trial, result in self._workers.run(trials, self._options.until):
            violations = self._violations(trial, result)
            self.summary.add(trial, result, violations)
            meter.step(self.summary.wrong)
            if is_reported(self._options.until_violation, violations):
                break
        if meter.done < len(trials):
            print(f"not run: {len(trials) - meter.done}")
        return self.summary

    def _direct(self) -> tuple[list[Trial], list[Trial]]:
        """A trial for each disruption of each call of each scenario, and the trials that recoveries may follow."""
        spec = self._spec
        references = [Trial(scenario, scenario.name, trace=spec.trace) for scenario in self._scenarios]
        references += [trial for trial in spec.more if self._options.includes(trial.scenario)]
        found, firsts = [], []
        for trial, result in self._workers.run(references):
            self.summary.record(trial, result)
            self._reference_s[trial.scenario.name] = max(
                result.reference_s, self._reference_s.get(trial.scenario.name, 0.0)
            )
            plain = replace(trial, trace=None)
            every = _all(spec.disruptions, result.calls, result.last_calls)
            found += [
                replace(plain, disruptions=(disruption,), uncertainty=trial.uncertainty or spec.uncertainty)
                for disruption in every
            ]
            if trial.trace == spec.trace:
                firsts += [replace(plain, disruptions=(disruption,)) for disruption in _all(spec.first, result.calls)]
        return self._thinned(sorted(found, key=str)), sorted(firsts, key=str)

    def _recoveries(self, direct: list[Trial]) -> list[Trial]:
        """A trial for each disruption of each call of the recoveries from some first disruptions."""
        spec, firsts = self._spec, []
        for scenario in self._scenarios:
            of_scenario = [trial for trial in direct if trial.scenario == scenario]
            firsts += self._chance.sample(of_scenario, min(self._options.firsts, len(of_scenario)))
        observed = (
            replace(first, row=f"recovery: {first.row}", trace=spec.trace, uncertainty=_uncertainty_of_recovery(spec))
            for first in firsts
        )
        found = []
        for trial, result in self._workers.run(observed):
            if result.violations:
                self.summary.record(trial, result)
            plain = replace(trial, trace=None, uncertainty=spec.uncertainty)
            every = _all(spec.disruptions, result.calls, result.last_calls)
            found += [replace(plain, disruptions=(*trial.disruptions, disruption)) for disruption in every]
        return self._thinned(sorted(found, key=str))

    def _thinned(self, trials: list[Trial]) -> list[Trial]:
        """The trials, with a sample of the rare ones only."""
        rare = [number for number, trial in enumerate(trials) if trial.is_rare]
        left_out = set(rare) - set(self._chance.sample(rare, round(len(rare) * self._options.rare)))
        return [trial for number, trial in enumerate(trials) if number not in left_out]

    def _chosen(self, direct: list[Trial], recoveries: list[Trial]) -> list[Trial]:
        """All trials or a sample: mandatory ones first, then the others in random order, because time may run out."""
        sample = self._options.sample
        direct = [trial for trial in direct if self._options.only in str(trial)]
        recoveries = [trial for trial in recoveries if self._options.only in str(trial)]
        always = [trial for trial in direct if self._spec.always(trial)]
        others = [trial for trial in direct if not self._spec.always(trial)] + recoveries
        return always + self._varied(others)[: None if sample is None else max(0, sample - len(always))]

    def _varied(self, trials: list[Trial]) -> list[Trial]:
        """In random order, with one trial of each place before the second of any."""
        seen: Counter[tuple[bool, str, str, str]] = Counter()
        ranked = []
        for trial in self._chance.sample(trials, len(trials)):
            ranked.append((seen[trial.place], trial))
            seen[trial.place] += 1
        return [trial for _, trial in sorted(ranked, key=itemgetter(0))]

    def _violations(self, trial: Trial, result: TrialResult) -> list[str]:
        allowed = max(RESTART_S, _PER_START * result.ready_s) + self._reference_s.get(trial.scenario.name, 0.0)
        if result.violations or not self._spec.is_punctual or result.settled_s <= allowed:
            return result.violations
        return [f"answered {result.settled_s:.2f} s after the restart; the limit is {allowed:.2f} s"]


def _all(
    disruptions: Callable[[str, Syscall], Iterator[Disruption]], *parts: dict[str, list[Syscall]]
) -> list[Disruption]:
    return [
        disruption
        for part in parts
        for role, calls in part.items()
        for call in calls
        for disruption in disruptions(role, call)
    ]


def _uncertainty_of_recovery(spec: SweepSpec) -> Uncertainty | None:
    """A recovery that is only traced follows a disruption of its own spec: a kill leaves no uncertainty, a cut does."""
    return spec.uncertainty if spec.first is spec.disruptions else None


def main(spec: SweepSpec) -> int:
    """Run the sweep and print the table; returns 1 if there were violations."""
    parser = argparse.ArgumentParser(description=spec.purpose)
    parser.add_argument("--sample", type=int, help="number of trials, chosen by the seed (all)")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--firsts", type=int, default=3, help="recoveries to sweep per scenario (%(default)s)")
    parser.add_argument("--scenario", action="append", help="only scenarios whose name contains this text")
    parser.add_argument("--jobs", type=int, default=_JOBS, help="trials in parallel (%(default)s)")
    parser.add_argument("--rare", type=float, default=0.02, help="share of the rare trials to run (%(default)s)")
    parser.add_argument(
        "--only", default="", help="only trials whose description, as printed after WRONG, contains this text"
    )
    parser.add_argument("--minutes", type=float, default=inf, help="start no trial after this time (no limit)")
    parser.add_argument("--until-violation", help="start no trial after a violation that contains this text")
    arguments = parser.parse_args()
    begin = time.monotonic()
    options = Options(
        arguments.sample,
        arguments.seed,
        arguments.firsts,
        tuple(arguments.scenario or ("",)),
        arguments.jobs,
        arguments.rare,
        begin + arguments.minutes * 60,
        arguments.until_violation,
        arguments.only,
    )
    with Workers(options.jobs) as workers:
        summary = Sweep(spec, options, workers).run()
    print(summary)
    print(f"{time.monotonic() - begin:.0f} s, seed {options.seed}")
    return 1 if summary.wrong else 0
