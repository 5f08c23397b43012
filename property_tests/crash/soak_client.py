"""The client of a soak: submits requests, takes answers, and submits ids again."""

from __future__ import annotations

import random
from collections import Counter

from property_tests.crash.monitor import StatusMonitor
from property_tests.crash.sandbox import Sandbox
from property_tests.crash.scenarios import PlannedRequest
from property_tests.crash.workload import KINDS, RequestKind
from protocol.names import SUFFIX

_MAX_PENDING = 4  # most pending requests per lock, which bounds the time until the host is idle
_MAX_PENDING_SLOW = 2  # the same for a lock whose scripts reach their time limit
_MAX_UNREAD = 20  # most unread answers: the reader must be able to check them all a thousand times a second
_ACTIONS = (0, 3)  # fewest and most actions per step


class SoakClient:
    """Submits requests to the coordinator of ``sandbox``; ``monitor`` supplies the answers seen.

    ``planned`` maps each id to its request; ``repeated`` counts resubmissions.
    """

    def __init__(self, sandbox: Sandbox, monitor: StatusMonitor, chance: random.Random) -> None:
        self.planned: dict[str, PlannedRequest] = {}
        self.repeated = 0
        self._sandbox = sandbox
        self._monitor = monitor
        self._chance = chance
        self._kinds: dict[str, RequestKind] = {}
        self._unanswered: set[str] = set()
        self._expected: set[str] = set()

    def act(self) -> None:
        """Take a few random actions."""
        for _ in range(self._chance.randint(*_ACTIONS)):
            (do,) = self._chance.choices((self._submit_random, self._take, self._resubmit), (6, 3, 1))
            do()
        while len(self._unread_answers()) > _MAX_UNREAD:
            self._take()

    def submit_every_kind(self) -> None:
        """Submit one request of each kind."""
        for kind in KINDS:
            self._submit_kind(kind)

    def is_answered(self) -> bool:
        """Whether every request has its answer, resubmitted ones included."""
        self._note_answers()
        return not self._unanswered and all(self._sandbox.final(name).exists() for name in self._expected)

    @property
    def taken(self) -> set[str]:
        """The ids whose answer was taken and that were not resubmitted since."""
        return self.planned.keys() - self._expected

    def _note_answers(self) -> None:
        self._unanswered = {name for name in self._unanswered if name + SUFFIX not in self._monitor.finals}

    def _submit_random(self) -> None:
        self._note_answers()
        waiting = Counter(self._kinds[name].lock for name in self._unanswered)
        kinds = [kind for kind in KINDS if waiting[kind.lock] < (_MAX_PENDING_SLOW if kind.cut else _MAX_PENDING)]
        if kinds:
            self._submit_kind(*self._chance.choices(kinds, [kind.weight for kind in kinds]))

    def _submit_kind(self, kind: RequestKind) -> None:
        name = f"{kind.component}-{kind.action}-{len(self.planned)}"
        self.planned[name] = PlannedRequest(
            name, kind.action, kind.component, kind.state, kind.reason, kind.runs, kind.cut
        )
        self._kinds[name] = kind
        self._unanswered.add(name)
        self._expected.add(name)
        self._write(name)

    def _write(self, name: str) -> None:
        kind = self._kinds[name]
        if kind.raw_body is None:
            self._sandbox.submit(name, kind.action, kind.component)
        else:
            self._sandbox.drop(name + SUFFIX, kind.raw_body.format(id=name).encode())

    def _take(self) -> None:
        """Take one of the unread answers."""
        if unread := self._unread_answers():
            name = self._chance.choice(unread)
            self._monitor.take(name)
            self._expected.discard(name)

    def _unread_answers(self) -> list[str]:
        """The ids whose answer exists and was seen by the monitor."""
        names = (path.name for path in self._sandbox.status.iterdir())
        return sorted(name.removesuffix(SUFFIX) for name in names if name in self._monitor.finals)

    def _resubmit(self) -> None:
        """Resubmit an id: pending, answered, or answered and taken; sometimes with another body."""
        if not self.planned:
            return
        name = self._chance.choice(list(self.planned))
        self.repeated += 1
        self._expected.add(name)
        if name + SUFFIX in self._monitor.finals and self._chance.random() < 0.3:
            self._sandbox.submit(name, "update", "plain")
        else:
            self._write(name)
