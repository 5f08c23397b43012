"""What is tried once: a story, what befalls the coordinator while it is told, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from property_tests.crash.faults import errors_of
from property_tests.crash.ground_truth import Doubt
from property_tests.crash.scenarios import Scenario
from property_tests.crash.strace import Injection
from property_tests.crash.syscalls import CHANGES, Call


@dataclass(frozen=True)
class Blow:
    """What happens at one call of one thread: the coordinator is killed, power goes with it, or the call fails.

    Args:
        role: which thread, or which of the shells that run scripts.
        injection: at which call, and what.
        takes_power: whether the whole machine goes down at once, the scripts with it.
        is_rare: whether it is one of so many like it that a few will do.
        place: what the call is about; a sample holds one blow of each place before it holds two of any.
    """

    role: str
    injection: Injection
    takes_power: bool = False
    is_rare: bool = False
    place: str = ""

    @property
    def error(self) -> str:
        """The error that the call returns; empty where the blow kills."""
        return self.injection.error

    @property
    def names(self) -> Sequence[str]:
        """The system calls that must be looked out for, to know whether it fell."""
        return (self.injection.name,) if self.error else CHANGES

    def hit(self, call: Call) -> Hit:
        """What it means that it fell on ``call``, for threads do not always take turns alike."""
        fits = self.error in errors_of(call, injected=True) if self.error else call.changes
        group = "start-up" if self.error and call.is_start_up else call.group
        return Hit(group if fits else "beside", str(call), fits, self.error)

    def __str__(self) -> str:
        return f"{self.role}: {self.injection}{' and power' if self.takes_power else ''}"


@dataclass(frozen=True)
class Cut:
    """Power goes once ``script`` has begun; counted from the start of the coordinator's present life."""

    script: str

    def __str__(self) -> str:
        return f"power goes while {self.script} runs"


@dataclass(frozen=True)
class Look:
    """What to note of an undisturbed life.

    Args:
        names: of the system calls.
        roles: of shells that are looked at as well.
        watches: whether the watcher's thread counts, too.
        stops: whether it is asked to stop at last, and looked at until it has; else it is killed.
    """

    names: Sequence[str] = CHANGES
    roles: tuple[str, ...] = ()
    watches: bool = False
    stops: bool = False


@dataclass(frozen=True)
class Trial:
    """One story and what falls upon it.

    Args:
        scenario: the story.
        row: in the table.
        blows: the first falls while the story is told, each other one during the recovery from the one before.
        look: what to note of the life after the last blow; None for nothing.
        doubt: what may have happened besides the story; None when every ending is known beforehand.
    """

    scenario: Scenario
    row: str
    blows: tuple[Blow | Cut, ...] = ()
    look: Look | None = None
    doubt: Doubt | None = None

    @property
    def is_of_recovery(self) -> bool:
        """Whether it is about a start that finds something left."""
        return len(self.blows) > 1

    @property
    def place(self) -> tuple[bool, str, str, str]:
        """Where the last blow falls, whatever the story; trials that share it have much in common."""
        last = self.blows[-1] if self.blows else None
        if not isinstance(last, Blow):
            return self.is_of_recovery, "", self.row, ""
        return self.is_of_recovery, last.role.partition(" ")[0], last.place, last.error

    @property
    def is_rare(self) -> bool:
        """Whether it is one of so many like it that a few will do."""
        last = self.blows[-1] if self.blows else None
        return isinstance(last, Blow) and last.is_rare

    def __str__(self) -> str:
        return f"{self.scenario.name}: {', then '.join(map(str, self.blows)) or 'undisturbed'}"


@dataclass(frozen=True)
class Hit:
    """Where a blow fell.

    Args:
        group: the column in the table.
        text: the call, or what else it was.
        fits: whether it is what the blow was meant for.
        error: what the call returned; empty where the coordinator ended there.
    """

    group: str
    text: str
    fits: bool
    error: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass
class Result:
    """What came of a trial.

    Args:
        hits: per blow where it fell, None when the life ended without it.
        faults: what is wrong, in words.
        told_s: how long the story took while its calls were noted, in seconds.
        settled_s: from the last start to the last answer, in seconds; under an error, from the asking.
        ready_s: from that start to its "ready", in seconds.
        polls: how often the reader looked.
        restarts: how often the coordinator ended with an error and was started again.
        calls: per role what the last life called until it came to rest, when it was looked at.
        last_calls: per role what it called after that, asked to stop: a life that is struck need not come so far.
        notes: what deserves a look though nothing is wrong.
    """

    hits: list[Hit | None] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    told_s: float = 0.0
    settled_s: float = 0.0
    ready_s: float = 0.0
    polls: int = 0
    restarts: int = 0
    calls: dict[str, list[Call]] = field(default_factory=dict)
    last_calls: dict[str, list[Call]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_hit(self) -> bool:
        """Whether everything that was to befall the coordinator did, where it was meant to."""
        return all(hit is not None and hit.fits for hit in self.hits)

    @property
    def is_astray(self) -> bool:
        """Whether a call returned an error that it cannot: what came of that says nothing."""
        return any(hit is not None and hit.error and not hit.fits for hit in self.hits)
