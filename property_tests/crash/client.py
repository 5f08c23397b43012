"""The client of a soak: asks for this and that, takes answers away, and asks again for what it has had already."""

from __future__ import annotations

import random
from collections import Counter

from property_tests.crash.monitor import Lookout
from property_tests.crash.sandbox import Stage
from property_tests.crash.scenarios import Wish
from property_tests.crash.workload import KINDS, Kind
from protocol.names import SUFFIX

_AT_ONCE = 4  # requests that wait for one lock, at most: what it takes to come to rest is bounded by that
_LATE = 2  # the same for a lock whose scripts run into their time limit
_LYING = 20  # answers that lie there, at most: the reader must be able to look at them all a thousand times a second
_ROUNDS = (0, 3)  # things it does at a time


class Customer:
    """Asks the coordinator of ``stage``; what it knows of answers, ``lookout`` has seen.

    ``wishes`` holds what was asked, by id; ``repeated`` how often an id was asked again.
    """

    def __init__(self, stage: Stage, lookout: Lookout, chance: random.Random) -> None:
        self.wishes: dict[str, Wish] = {}
        self.repeated = 0
        self._stage = stage
        self._lookout = lookout
        self._chance = chance
        self._kinds: dict[str, Kind] = {}
        self._open: set[str] = set()
        self._expected: set[str] = set()

    def act(self) -> None:
        """Do a few things, as chance has it."""
        for _ in range(self._chance.randint(*_ROUNDS)):
            (do,) = self._chance.choices((self._ask, self._take, self._ask_again), (6, 3, 1))
            do()
        while len(self._lying()) > _LYING:
            self._take()

    def ask_everything(self) -> None:
        """One of each kind."""
        for kind in KINDS:
            self._submit(kind)

    def is_answered(self) -> bool:
        """Whether all that was asked has its answer, and none is missing that was asked for again."""
        self._note_answers()
        return not self._open and all(self._stage.final(name).exists() for name in self._expected)

    @property
    def away(self) -> set[str]:
        """The ids whose answer was taken, and that were not submitted again since."""
        return self.wishes.keys() - self._expected

    def _note_answers(self) -> None:
        self._open = {name for name in self._open if name + SUFFIX not in self._lookout.finals}

    def _ask(self) -> None:
        self._note_answers()
        waiting = Counter(self._kinds[name].lock for name in self._open)
        kinds = [kind for kind in KINDS if waiting[kind.lock] < (_LATE if kind.cut else _AT_ONCE)]
        if kinds:
            self._submit(*self._chance.choices(kinds, [kind.weight for kind in kinds]))

    def _submit(self, kind: Kind) -> None:
        name = f"{kind.component}-{kind.action}-{len(self.wishes)}"
        self.wishes[name] = Wish(name, kind.action, kind.component, kind.state, kind.reason, kind.runs, kind.cut)
        self._kinds[name] = kind
        self._open.add(name)
        self._expected.add(name)
        self._drop(name)

    def _drop(self, name: str) -> None:
        kind = self._kinds[name]
        if kind.instead is None:
            self._stage.ask(name, kind.action, kind.component)
        else:
            self._stage.drop(name + SUFFIX, kind.instead.format(id=name).encode())

    def _take(self) -> None:
        """Take away one of the answers that lie there."""
        if lying := self._lying():
            name = self._chance.choice(lying)
            self._lookout.take(name)
            self._expected.discard(name)

    def _lying(self) -> list[str]:
        """The ids whose answer lies there and was seen."""
        names = (path.name for path in self._stage.status.iterdir())
        return sorted(name.removesuffix(SUFFIX) for name in names if name in self._lookout.finals)

    def _ask_again(self) -> None:
        """Submit an id again: under way, answered, or answered and taken away; at times with another content."""
        if not self.wishes:
            return
        name = self._chance.choice(list(self.wishes))
        self.repeated += 1
        self._expected.add(name)
        if name + SUFFIX in self._lookout.finals and self._chance.random() < 0.3:
            self._stage.ask(name, "update", "calm")
        else:
            self._drop(name)
