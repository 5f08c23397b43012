"""One trial: a scenario, its disruptions, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from property_tests.crash.faults import errors_of
from property_tests.crash.ground_truth import Uncertainty
from property_tests.crash.scenarios import Scenario
from property_tests.crash.strace import Injection
from property_tests.crash.syscalls import CHANGES, Syscall


@dataclass(frozen=True)
class Disruption:
    """A disruption at one call of one thread: a kill, a power cut, or an error.

    Args:
        role: the thread, or the shell that runs scripts.
        injection: the call and the effect.
        takes_power: whether the whole machine goes down, including scripts.
        is_rare: whether a small share of its kind is enough.
        place: what the call is about; a sample holds one disruption of each place before the second of any.
    """

    role: str
    injection: Injection
    takes_power: bool = False
    is_rare: bool = False
    place: str = ""

    @property
    def error(self) -> str:
        """The errno name that the call returns; empty for a kill."""
        return self.injection.error

    @property
    def names(self) -> Sequence[str]:
        """The system calls to trace, to know whether the disruption happened."""
        return (self.injection.name,) if self.error else CHANGES

    def hit(self, call: Syscall) -> Hit:
        """Classify the call at which it happened: threads do not always run in the same order."""
        fits = self.error in errors_of(call, injected=True) if self.error else call.changes
        group = "start-up" if self.error and call.is_start_up else call.group
        return Hit(group if fits else "other call", str(call), fits, self.error)

    def __str__(self) -> str:
        return f"{self.role}: {self.injection}{' with power cut' if self.takes_power else ''}"


@dataclass(frozen=True)
class PowerCut:
    """A power cut once ``script`` has started, counted from the start of the present instance."""

    script: str

    def __str__(self) -> str:
        return f"power cut during {self.script}"


@dataclass(frozen=True)
class TraceSpec:
    """What to trace in a reference run.

    Args:
        names: of the system calls.
        roles: of shells to trace too.
        watches: whether to trace the watcher's thread too.
        stops: whether to stop it at the end and trace that too; else it is killed.
    """

    names: Sequence[str] = CHANGES
    roles: tuple[str, ...] = ()
    watches: bool = False
    stops: bool = False


@dataclass(frozen=True)
class Trial:
    """One scenario and its disruptions.

    Args:
        scenario: the scenario.
        row: in the table.
        disruptions: the first happens during the scenario, each other one during the recovery from the one before.
        trace: what to trace of the instance after the last disruption; None for nothing.
        uncertainty: what else may have happened; None when every outcome is known beforehand.
    """

    scenario: Scenario
    row: str
    disruptions: tuple[Disruption | PowerCut, ...] = ()
    trace: TraceSpec | None = None
    uncertainty: Uncertainty | None = None

    @property
    def is_of_recovery(self) -> bool:
        """Whether it disrupts a recovery."""
        return len(self.disruptions) > 1

    @property
    def place(self) -> tuple[bool, str, str, str]:
        """Where the last disruption happens, in any scenario; trials that share it are similar."""
        last = self.disruptions[-1] if self.disruptions else None
        if not isinstance(last, Disruption):
            return self.is_of_recovery, "", self.row, ""
        return self.is_of_recovery, last.role.partition(" ")[0], last.place, last.error

    @property
    def is_rare(self) -> bool:
        """Whether a small share of its kind is enough."""
        last = self.disruptions[-1] if self.disruptions else None
        return isinstance(last, Disruption) and last.is_rare

    def __str__(self) -> str:
        return f"{self.scenario.name}: {', then '.join(map(str, self.disruptions)) or 'no disruption'}"


@dataclass(frozen=True)
class Hit:
    """Where a disruption happened.

    Args:
        group: the column in the table.
        text: the call, or another event.
        fits: whether it is the intended place.
        error: what the call returned; empty where the coordinator ended.
    """

    group: str
    text: str
    fits: bool
    error: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass
class TrialResult:
    """The result of a trial.

    Args:
        hits: per disruption where it happened; None when the instance ended without it.
        violations: descriptions of the violations.
        reference_s: duration of the traced scenario, in seconds.
        settled_s: from the last start to the last answer, in seconds; for an error, from the submission.
        ready_s: from that start to "ready", in seconds.
        polls: of the reader.
        restarts: how often the coordinator exited with an error and was restarted.
        calls: per role, the calls of the traced instance until it was idle.
        last_calls: per role, the calls of its stop: a disrupted instance may not reach them.
        notes: notable facts that are not violations.
    """

    hits: list[Hit | None] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    reference_s: float = 0.0
    settled_s: float = 0.0
    ready_s: float = 0.0
    polls: int = 0
    restarts: int = 0
    calls: dict[str, list[Syscall]] = field(default_factory=dict)
    last_calls: dict[str, list[Syscall]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_hit(self) -> bool:
        """Whether every disruption happened, at its intended place."""
        return all(hit is not None and hit.fits for hit in self.hits)

    @property
    def is_invalid(self) -> bool:
        """Whether a call returned an error that it cannot return: the trial is then invalid."""
        return any(hit is not None and hit.error and not hit.fits for hit in self.hits)
