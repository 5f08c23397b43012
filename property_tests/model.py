"""What is true of one host, kept beside the coordinator, and everything that must follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf

from coordinator.housekeeping import PERIOD_S
from fsm.transition_table import TRANSITIONS
from property_tests.answer_check import Truth
from property_tests.invariant_observer import whole
from property_tests.simulated_host import DAY_S, RERUN, LittleHost
from property_tests.world import Run
from protocol.messages import FinalStatus, Progress
from protocol.names import PROGRESS_SUFFIX, is_request_id, stem_of
from protocol.types import State

LEGAL = {(move.event, move.source, move.dest) for move in TRANSITIONS}
MAX_STARTS = 12
Wish = tuple[object, object, object]


class Model:
    """What is known of the requests.

    ``wishes`` is every content that was ever asked under an id, ``owed`` the ids whose file nobody has answered yet,
    ``answers`` the one final status seen under an id, ``started`` how many scripts it had run when it was settled,
    ``since`` how far back the world's history counts for an id that was forgotten, ``doubtful`` how many lost journals
    left an id unanswered: it counts as interrupted each time; ``known`` the ids that the journal held when last looked
    at.
    """

    def __init__(self, host: LittleHost) -> None:
        self._host = host
        self.wishes: dict[str, list[Wish]] = {}
        self.owed: set[str] = set()
        self.doubtful: Counter[str] = Counter()
        self.known: set[str] = set()
        self.answers: dict[str, FinalStatus] = {}
        self.started: dict[str, int] = {}
        self.since: dict[str, int] = {}
        self._restored: dict[str, dict[str, object]] = {}
        self._latest: dict[str, Wish | None] = {}

    def asked(self, stem: str, wish: Wish | None = None) -> None:
        """A file of that name appeared."""
        self.owed.add(stem)
        self._latest[stem] = wish
        if wish:
            self.wishes.setdefault(stem, []).append(wish)

    def came_back(self, names: list[str]) -> None:
        """A power cut undid the removal of these request files."""
        self.owed.update(stem for name in names if is_request_id(stem := stem_of(name) or ""))

    def answer_taken(self, name: str) -> None:
        """Nobody waits for it any more, unless the request is there anew."""
        if f"{name}.json" not in self._host.spool.names():
            self.owed.discard(name)

    def journal_lost(self) -> None:
        """What a coordinator without a journal can still know, from the two folders alone (I13)."""
        asked = {stem_of(name) for name in self._host.spool.names()}
        self.known = set()
        for name in {*self.wishes, *self.answers, *self.owed}:
            if self._host.spool.final(name).exists():
                if name in self.answers:  # the same answer, though its runs are no longer known in full
                    self._restored[name] = _core(self.answers[name])
                continue
            self._forget(name)
            if name not in asked or not self._latest[name]:  # no file tells what it was: what comes is a new request
                self.since[name] = len(self._host.world.history)
                del self.doubtful[name]
            if name in asked:
                self.doubtful[name] += 1

    def _forget(self, name: str) -> None:
        self._host.witness.forget(name)
        for kept in (self.answers, self._restored, self.started):
            kept.pop(name, None)

    def runs(self, name: str, script: str | None = None) -> list[Run]:
        """What was started for the present life of an id."""
        runs = self._host.world.history[self.since.get(name, 0) :]
        return [run for run in runs if run.request_id == name and script in (None, run.script)]

    # -- what must be true ---------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything that holds at any moment."""
        self._check_forgotten()
        self.look()
        self._check_starts()
        self._check_history()

    def look(self) -> None:
        """I5, I1: statuses are whole, single and true."""
        for path in self._host.spool.status.glob("*.json"):
            if path.name.endswith(PROGRESS_SUFFIX):
                if path.stat().st_size or self._host.daemon:
                    Progress.model_validate_json(path.read_bytes())
                continue
            name = stem_of(path.name) or ""
            assert is_request_id(name)
            status = whole(path)
            assert status, f"there is only a part of the answer to {name}"
            if name in self._restored and _core(status) == self._restored[name]:
                self.answers[name] = status
            earlier = self.answers.setdefault(name, status)
            assert status == earlier, f"{name} was answered twice"
            self.started.setdefault(name, len(self.runs(name)))
            doubtful = name in self.doubtful
            Truth(self._host.world, self.wishes.get(name, []), self.runs(name), is_doubtful=doubtful).check(
                name, status
            )
        for name in self._host.witness.tidied:
            self.answer_taken(name)
        self._host.witness.tidied.clear()

    def _check_forgotten(self) -> None:
        """I1, I7: only what was answered long ago is forgotten; then its id is a new one, if it is asked again."""
        known = self._host.known()
        for name in self.known - known:
            answered = self._host.witness.put_out.get(name)
            assert answered is not None, f"{name} is forgotten without an answer"
            days = (self._host.clock.run_for - answered + PERIOD_S) / DAY_S  # running time is counted by the hour
            assert days >= self._host.settings.limits.history_days, f"{name} is forgotten after {days:g} days"
            assert not self._host.spool.final(name).exists(), f"{name} is forgotten, and its answer lies there for ever"
            assert f"{name}.json" not in self._host.spool.names(), f"{name} is forgotten while its request lies there"
            self._forget(name)
            del self.doubtful[name]
            self.since[name] = len(self._host.world.history)
        self.known = known

    def _check_starts(self) -> None:
        """I3, I7, and I10: nothing starts twice, after it was settled, or beside another."""
        for run in self._host.world.history:
            assert not run.beside, f"{run.request_id} {run.script} started beside {run.beside}"
        for name in self.wishes:
            for script in ("update.sh", "rollback.sh"):
                runs = self.runs(name, script)
                # Each lost journal takes the knowledge along that rollback.sh may have run: it may once more (I13).
                allowed = 1 + self.doubtful[name] if script == "rollback.sh" else 1
                again = [run for run in runs if run.component != RERUN]
                assert len(again) <= allowed, f"{script} was started {len(again)} times for {name}"
                assert len(runs) <= MAX_STARTS, f"{script} is started for {name} without end"
            if name in self.started:
                assert len(self.runs(name)) == self.started[name], f"{name} was settled, and ran again"

    def _check_history(self) -> None:
        """I4; and what the journal says to be settled stays so."""
        if not self._host.daemon:
            return
        journal = self._host.journal
        for name in self.known:
            record = journal.get(name)
            state = State.RECEIVED
            for move in journal.transitions(name):
                assert (move.event, move.source, move.dest) in LEGAL
                assert move.source is state
                state = move.dest
            assert state is record.state
            if name in self.answers and record.settled_at:
                assert record.state is self.answers[name].state

    def check_drained(self) -> None:
        """I9, I1: a coordinator that was left alone for long enough has answered everything."""
        assert not self._host.spool.names(), "unanswered requests are left"
        self.check()
        assert not list(self._unanswered()), f"no answer: {list(self._unanswered())}"
        left = list(self._host.spool.status.glob(f"*{PROGRESS_SUFFIX}"))
        assert not left, "progress outlived its answer"
        assert self._host.journal.next_due(list(self._host.settings.components), uptime_s=inf) is None
        assert not self._host.journal.unpublished(1)
        assert not self._host.world.alive(), "a script outlived its request"

    def _unanswered(self) -> Iterator[str]:
        return (name for name in self.owed if not self._host.spool.final(name).exists())


def _core(status: FinalStatus) -> dict[str, object]:
    """What an answer keeps even when the journal is lost: all but what is known of its runs."""
    return status.model_dump(include={"request_id", "component", "action", "version", "success", "state", "reason"})
