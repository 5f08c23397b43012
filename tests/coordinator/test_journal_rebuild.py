"""The rebuild of a lost journal: what each file becomes (I13)."""

from __future__ import annotations

import json

import pytest

from coordinator.journal_rebuild import JournalRebuild
from coordinator.policy_gate import PolicyGate
from coordinator.runtime import RunningTime
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.recovery import LOST_BOOT
from policy.engine import Defer, Reject, RuleSet
from policy.rules import RULES
from protocol.inbox import Inbox
from protocol.messages import FinalStatus
from protocol.outbox import Outbox
from protocol.types import Action, Reason, State
from tests.support.manual_clock import START, ManualClock


class ForbiddenRule:
    """A permission rule that must not be asked."""

    def evaluate(self, _request, _context):
        raise AssertionError("a rebuild asks no permission")


class Bench:
    """An empty journal, and the two folders."""

    def __init__(self, folder, rules=None):
        self.requests, self.status, self.runs = (folder / name for name in ("requests", "status", "runs"))
        for made in (self.requests, self.status, self.runs):
            made.mkdir()
        self.journal = Journal.open(folder / "journal.db")
        clock = ManualClock()
        gate = PolicyGate(
            rules or RuleSet(RULES.form, (ForbiddenRule(),)),
            frozenset({"core"}),
            clock,
            RunningTime(self.journal, clock),
        )
        machine = RequestMachine(self.journal)
        self.rebuild = JournalRebuild(machine, Inbox(self.requests, 4096), Outbox(self.status), gate, clock, self.runs)

    def ask(self, name, action="update", component="core", version="1.2.3"):
        values = {"component": component, "action": action, "version": version, "request_id": name}
        (self.requests / f"{name}.json").write_text(json.dumps(values | {"timestamp": "2026-01-02T03:04:05Z"}))

    def answer(self, name, state, reason=None, **changes):
        status = FinalStatus(
            request_id=name,
            component="core",
            action=Action.UPDATE,
            version="1.2.3",
            success=state is State.SUCCEEDED,
            state=state,
            reason=reason,
            message="so it ended",
            output="",
            error="",
            exit_code=0,
            timestamp=START,
            started_at=START,
            finished_at=START,
        )
        content = json.loads(status.model_dump_json()) | changes
        (self.status / f"{name}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("state", "reason"),
    [(State.SUCCEEDED, None), (State.FAILED, Reason.TIMEOUT), (State.ROLLED_BACK, Reason.UNHEALTHY)],
)
def test_an_answer_is_settled_and_published(bench, state, reason):
    """It says what it said, and is not executed again (I7)."""
    bench.answer("a", state, reason)
    bench.rebuild.run()
    record = bench.journal.get("a")
    assert (record.state, record.reason, record.message, record.published) == (state, reason, "so it ended", True)


def test_an_answer_with_unknown_reason_and_action_is_taken_over(bench):
    """A newer release wrote it: it is an answer all the same."""
    bench.answer("a", State.FAILED, reason="held", action="cancel")
    bench.rebuild.run()
    record = bench.journal.get("a")
    assert (record.state, record.reason, record.action) == (State.FAILED, "held", "cancel")


@pytest.mark.parametrize(("action", "script"), [("update", "update.sh"), ("rollback", "rollback.sh")])
def test_a_request_without_an_answer_counts_as_begun(bench, action, script):
    """Its script may have run: it is taken up as interrupted, with the number of its last run."""
    (bench.runs / "a" / "3").mkdir(parents=True)
    bench.ask("a", action)
    bench.rebuild.run()
    attempt = bench.journal.open_attempt("a")
    assert (attempt.script, attempt.boot_id, attempt.number) == (script, LOST_BOOT, 3)
    assert bench.journal.get("a").state is State.RUNNING


def test_health_checks_and_malformed_requests_are_left_to_the_intake(bench):
    """A health check simply runs; a request that no form rule allows cannot have run."""
    bench.ask("health", "health")
    bench.ask("unknown", component="web")
    bench.ask("version", version="latest")
    (bench.requests / "junk.json").write_text("{")
    bench.rebuild.run()
    assert bench.journal.history(9) == []


@pytest.mark.parametrize("verdict", [Defer(1e9, "not yet"), None])
def test_a_form_rule_may_not_lose_what_may_have_run(tmp_path, verdict):
    """Only a rejection leaves a request out: a deferral says nothing about whether its script ran."""

    class Rule:
        def evaluate(self, _request, _context):
            return verdict or Reject(Reason.INVALID_REQUEST, "no")

    bench = Bench(tmp_path, RuleSet((Rule(),), ()))
    bench.ask("a")
    bench.rebuild.run()
    assert (bench.journal.get("a") is not None) is (verdict is not None)
    bench.journal.close()


def test_one_file_that_cannot_be_taken_over_keeps_no_other_back(bench, monkeypatch):
    """The error is logged, and the journal is rebuilt from the others (I16)."""
    for name in ("bad-answer", "good-answer"):
        bench.answer(name, State.SUCCEEDED)
    for name in ("bad", "good"):
        bench.ask(name)
    insert = bench.journal.insert

    def failing_insert(request_id, *rest):
        if request_id.startswith("bad"):
            raise RuntimeError("defect")
        return insert(request_id, *rest)

    monkeypatch.setattr(bench.journal, "insert", failing_insert)
    bench.rebuild.run()
    assert {record.request_id for record in bench.journal.history(9)} == {"good", "good-answer"}
