"""Reference model of one host: the submitted requests, their answers, and every property that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf

from coordinator.housekeeping import PERIOD_S
from fsm.transition_table import TRANSITIONS
from property_tests.answer_check import AnswerChecker
from property_tests.invariant_observer import read_final_status
from property_tests.simulated_host import DAY_S, RERUN, SimulatedHost
from property_tests.world import Run
from protocol.messages import FinalStatus, Progress
from protocol.names import PROGRESS_SUFFIX, is_request_id, stem_of
from protocol.types import State

LEGAL = {(transition.event, transition.source, transition.dest) for transition in TRANSITIONS}
MAX_STARTS = 12
RequestBody = tuple[object, object, object]


class Model:
    """The expected state of every request.

    ``bodies`` is every content submitted under an id, ``unanswered`` the ids whose file has no answer yet,
    ``answers`` the one final status seen per id, ``started`` how many scripts it had run when it settled, ``since``
    the position in the world's history from which runs count for a forgotten id, ``uncertain`` how many lost journals
    left an id unanswered (it counts as interrupted each time), ``journal_ids`` the ids in the journal at the last
    check.
    """

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self.bodies: dict[str, list[RequestBody]] = {}
        self.unanswered: set[str] = set()
        self.uncertain: Counter[str] = Counter()
        self.journal_ids: set[str] = set()
        self.answers: dict[str, FinalStatus] = {}
        self.started: dict[str, int] = {}
        self.since: dict[str, int] = {}
        self._restored: dict[str, dict[str, object]] = {}
        self._latest: dict[str, RequestBody | None] = {}

    def request_submitted(self, stem: str, body: RequestBody | None = None) -> None:
        """Record that a file of that name appeared."""
        self.unanswered.add(stem)
        self._latest[stem] = body
        if body:
            self.bodies.setdefault(stem, []).append(body)

    def requests_restored(self, names: list[str]) -> None:
        """Record that a power cut undid the removal of these request files."""
        self.unanswered.update(stem for name in names if is_request_id(stem := stem_of(name) or ""))

    def answer_taken(self, name: str) -> None:
        """Expect no answer any more, unless the request was submitted again."""
        if f"{name}.json" not in self._host.spool.names():
            self.unanswered.discard(name)

    def journal_lost(self) -> None:
        """Reduce the expectations to what a coordinator without a journal can know from the two folders (I13)."""
        submitted = {stem_of(name) for name in self._host.spool.names()}
        self.journal_ids = set()
        for name in {*self.bodies, *self.answers, *self.unanswered}:
            if self._host.spool.final(name).exists():
                if name in self.answers:  # the same answer; facts about its runs may be lost
                    self._restored[name] = _stable_fields(self.answers[name])
                continue
            self._forget(name)
            if name not in submitted or not self._latest[name]:  # no file describes it: the next request is new
                self.since[name] = len(self._host.world.history)
                del self.uncertain[name]
            if name in submitted:
                self.uncertain[name] += 1

    def _forget(self, name: str) -> None:
        self._host.observer.forget(name)
        for kept in (self.answers, self._restored, self.started):
            kept.pop(name, None)

    def runs(self, name: str, script: str | None = None) -> list[Run]:
        """The runs since the id was last forgotten."""
        runs = self._host.world.history[self.since.get(name, 0) :]
        return [run for run in runs if run.request_id == name and script in (None, run.script)]

    # -- properties ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check every property that holds at any moment."""
        self._check_forgotten()
        self.check_statuses()
        self._check_starts()
        self._check_history()

    def check_statuses(self) -> None:
        """I5, I1: statuses are complete, unique and true."""
        for path in self._host.spool.status.glob("*.json"):
            if path.name.endswith(PROGRESS_SUFFIX):
                if path.stat().st_size or self._host.daemon:
                    Progress.model_validate_json(path.read_bytes())
                continue
            name = stem_of(path.name) or ""
            assert is_request_id(name)
            status = read_final_status(path)
            assert status, f"the status of {name} is incomplete"
            if name in self._restored and _stable_fields(status) == self._restored[name]:
                self.answers[name] = status
            earlier = self.answers.setdefault(name, status)
            assert status == earlier, f"{name} was answered twice"
            self.started.setdefault(name, len(self.runs(name)))
            uncertain = name in self.uncertain
            AnswerChecker(self._host.world, self.bodies.get(name, []), self.runs(name), is_uncertain=uncertain).check(
                name, status
            )
        for name in self._host.observer.expired:
            self.answer_taken(name)
        self._host.observer.expired.clear()

    def _check_forgotten(self) -> None:
        """I1, I7: an id is forgotten only long after its answer; a later request under it is a new one."""
        journal_ids = self._host.journal_ids()
        for name in self.journal_ids - journal_ids:
            answered = self._host.observer.published_at.get(name)
            assert answered is not None, f"{name} was forgotten without an answer"
            days = (self._host.clock.run_for - answered + PERIOD_S) / DAY_S  # running time is counted in whole hours
            assert days >= self._host.settings.limits.history_days, f"{name} was forgotten after {days:g} days"
            assert not self._host.spool.final(name).exists(), f"{name} was forgotten while its answer exists"
            assert f"{name}.json" not in self._host.spool.names(), f"{name} was forgotten while its request file exists"
            self._forget(name)
            del self.uncertain[name]
            self.since[name] = len(self._host.world.history)
        self.journal_ids = journal_ids

    def _check_starts(self) -> None:
        """I3, I7, I10: no script starts twice, after its request settled, or while another one of its lock runs."""
        for run in self._host.world.history:
            assert not run.overlapping, f"{run.request_id} {run.script} started overlapping {run.overlapping}"
        for name in self.bodies:
            for script in ("update.sh", "rollback.sh"):
                runs = self.runs(name, script)
                # After a lost journal nothing shows that rollback.sh may have run: each loss allows one more run (I13).
                allowed = 1 + self.uncertain[name] if script == "rollback.sh" else 1
                again = [run for run in runs if run.component != RERUN]
                assert len(again) <= allowed, f"{script} was started {len(again)} times for {name}"
                assert len(runs) <= MAX_STARTS, f"{script} was started {len(runs)} times for {name}: unbounded"
            if name in self.started:
                assert len(self.runs(name)) == self.started[name], f"{name} ran again after it was settled"

    def _check_history(self) -> None:
        """I4: the history is legal; I1: a settled request keeps the state of its answer."""
        if not self._host.daemon:
            return
        journal = self._host.journal
        for name in self.journal_ids:
            record = journal.get(name)
            state = State.RECEIVED
            for transition in journal.transitions(name):
                assert (transition.event, transition.source, transition.dest) in LEGAL
                assert transition.source is state
                state = transition.dest
            assert state is record.state
            if name in self.answers and record.settled_at:
                assert record.state is self.answers[name].state

    def check_drained(self) -> None:
        """I9, I1: a coordinator that ran long enough without disruption has answered every request."""
        assert not self._host.spool.names(), "request files are left"
        self.check()
        assert not list(self._unanswered()), f"without an answer: {list(self._unanswered())}"
        left = list(self._host.spool.status.glob(f"*{PROGRESS_SUFFIX}"))
        assert not left, "a progress file was left after its answer"
        assert self._host.journal.next_due(list(self._host.settings.components), uptime_s=inf) is None
        assert not self._host.journal.unpublished(1)
        assert not self._host.world.alive(), "a script is still running after its request settled"

    def _unanswered(self) -> Iterator[str]:
        return (name for name in self.unanswered if not self._host.spool.final(name).exists())


def _stable_fields(status: FinalStatus) -> dict[str, object]:
    """The fields of an answer that survive a lost journal: all but the facts about its runs."""
    return status.model_dump(include={"request_id", "component", "action", "version", "success", "state", "reason"})
