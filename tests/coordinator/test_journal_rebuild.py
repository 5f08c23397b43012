"""The rebuild of a lost journal: the record that each file becomes (I13)."""

from __future__ import annotations

import json

import pytest

from coordinator.journal_rebuild import JournalRebuild
from coordinator.policy_gate import PolicyGate
from coordinator.runtime import RunningTime
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.recovery import LOST_BOOT
from policy.engine import ALLOW, Defer, Reject, RuleSet
from policy.rules import RULES
from protocol.inbox import Inbox
from protocol.messages import FinalStatus
from protocol.outbox import Outbox
from protocol.types import Action, Reason, State
from tests.support.manual_clock import START, ManualClock


class ForbiddenRule:
    """A permission rule that must not be evaluated."""

    def evaluate(self, _request, _context):
        raise AssertionError("a rebuild evaluates no permission rule")


class RebuildFixture:
    """An empty journal and the two shared folders."""

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

    def submit(self, name, action="update", component="core", version="1.2.3"):
        values = {"component": component, "action": action, "version": version, "request_id": name}
        (self.requests / f"{name}.json").write_text(json.dumps(values | {"timestamp": "2026-01-02T03:04:05Z"}))

    def write_status(self, name, state, reason=None, **changes):
        status = FinalStatus(
            request_id=name,
            component="core",
            action=Action.UPDATE,
            version="1.2.3",
            success=state is State.SUCCEEDED,
            state=state,
            reason=reason,
            message="recorded message",
            output="",
            error="",
            exit_code=0,
            timestamp=START,
            started_at=START,
            finished_at=START,
        )
        content = json.loads(status.model_dump_json()) | changes
        (self.status / f"{name}.json").write_text(json.dumps(content))


FIXTURE = RebuildFixture


@pytest.mark.parametrize(
    ("state", "reason"),
    [(State.SUCCEEDED, None), (State.FAILED, Reason.TIMEOUT), (State.ROLLED_BACK, Reason.UNHEALTHY)],
)
def test_rebuild_imports_an_answer_as_settled_and_published(fixture, state, reason):
    """The record has the values of the answer, and the request is not executed again (I7)."""
    fixture.write_status("a", state, reason)
    fixture.rebuild.run()
    record = fixture.journal.get("a")
    assert (record.state, record.reason, record.message, record.published) == (state, reason, "recorded message", True)


def test_rebuild_imports_an_answer_of_a_newer_release(fixture):
    """The unknown reason and action are kept: it is an answer nevertheless."""
    fixture.write_status("a", State.FAILED, reason="held", action="cancel")
    fixture.rebuild.run()
    record = fixture.journal.get("a")
    assert (record.state, record.reason, record.action) == (State.FAILED, "held", "cancel")


@pytest.mark.parametrize(("action", "script"), [("update", "update.sh"), ("rollback", "rollback.sh")])
def test_rebuild_records_an_unanswered_request_as_running(fixture, action, script):
    """Its script may have run: the open attempt has the number of its last run and counts as interrupted."""
    (fixture.runs / "a" / "3").mkdir(parents=True)
    fixture.submit("a", action)
    fixture.rebuild.run()
    attempt = fixture.journal.open_attempt("a")
    assert (attempt.script, attempt.boot_id, attempt.number) == (script, LOST_BOOT, 3)
    assert fixture.journal.get("a").state is State.RUNNING


def test_rebuild_leaves_health_and_malformed_requests_to_the_intake(fixture):
    """A health check can run again; a request that no form rule allows cannot have run."""
    fixture.submit("health", "health")
    fixture.submit("unknown", component="web")
    fixture.submit("version", version="latest")
    (fixture.requests / "junk.json").write_text("{")
    fixture.rebuild.run()
    assert fixture.journal.history(9) == []


@pytest.mark.parametrize("verdict", [Defer(1e9, "not yet"), None])
def test_rebuild_omits_only_a_rejected_request(tmp_path, verdict):
    """A deferral does not show whether the script ran, so it omits nothing."""

    class Rule:
        def evaluate(self, _request, _context):
            return verdict or Reject(Reason.INVALID_REQUEST, "no")

    fixture = RebuildFixture(tmp_path, RuleSet((Rule(),), ()))
    fixture.submit("a")
    fixture.rebuild.run()
    assert (fixture.journal.get("a") is not None) is (verdict is not None)
    fixture.journal.close()


def test_rebuild_continues_after_a_file_that_raises(fixture, monkeypatch):
    """The error is logged, and the journal is rebuilt from the others (I16)."""
    for name in ("bad-answer", "good-answer"):
        fixture.write_status(name, State.SUCCEEDED)
    for name in ("bad", "good"):
        fixture.submit(name)
    insert = fixture.journal.insert

    def failing_insert(request_id, *rest):
        if request_id.startswith("bad"):
            raise RuntimeError("defect")
        return insert(request_id, *rest)

    monkeypatch.setattr(fixture.journal, "insert", failing_insert)
    fixture.rebuild.run()
    assert {record.request_id for record in fixture.journal.history(9)} == {"good", "good-answer"}


def test_rebuild_continues_after_a_request_for_which_a_rule_raises(tmp_path):
    """The defect of a rule costs the request that it concerns, and no start (I16)."""

    class Rule:
        def evaluate(self, request, _context):
            if request.request_id == "bad":
                raise RuntimeError("defect")
            return ALLOW

    fixture = RebuildFixture(tmp_path, RuleSet((Rule(),), ()))
    for name in ("bad", "good"):
        fixture.submit(name)
    fixture.rebuild.run()
    assert [record.request_id for record in fixture.journal.history(9)] == ["good"]
    fixture.journal.close()


def test_rebuild_leaves_a_status_with_an_unknown_state(fixture):
    """Which transitions led there is not known; the answers beside it are imported."""
    fixture.write_status("newer", State.FAILED)
    path = fixture.status / "newer.json"
    path.write_text(path.read_text().replace('"failed"', '"paused"'))
    fixture.write_status("good", State.SUCCEEDED)
    fixture.rebuild.run()
    assert [record.request_id for record in fixture.journal.history(9)] == ["good"]
