"""A deferred request from intake to answer: journal, ``next_due``, a restart, ``status`` and ``explain``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from coordinator.app import build
from coordinator.commands import explain, status
from coordinator.settings import Component, Paths, Settings
from fsm.journal import Journal
from policy.engine import ALLOW, Defer, RuleSet
from policy.rules import RULES
from protocol.types import State
from tests.support.coordinator_parts import BOOT, NoWatcher, ScriptedExecutor
from tests.support.manual_clock import ManualClock

DUE_S = 90.0


class OpeningTimeRule:
    """A permission rule that defers every request until the running time is ``DUE_S``."""

    def evaluate(self, _request, context):
        return Defer(DUE_S, "waits for its window") if context.uptime_s < DUE_S else ALLOW


class DeferralHost:
    """One state folder, and the coordinators that start on it one after the other."""

    def __init__(self, root):
        paths = Paths(requests=root / "requests", status=root / "status", state=root / "state", log_file=None)
        self.settings = Settings(paths=paths, components={"core": Component(directory=Path("/opt/core"))})
        self.clock = ManualClock()
        self.executor = ScriptedExecutor()

    def start(self, resources):
        return build(
            self.settings,
            resources,
            clock=self.clock,
            executor=self.executor,
            watcher=NoWatcher(),
            rules=RuleSet(RULES.form, (OpeningTimeRule(),)),
            boot_id=BOOT,
        )

    def submit(self, name, action):
        values = {"component": "core", "action": action, "version": "1.2.3", "request_id": name}
        content = json.dumps(values | {"timestamp": "2026-01-02T03:04:05Z"})
        (self.settings.paths.requests / f"{name}.json").write_text(content)

    def state_of(self, name):
        found = json.loads((self.settings.paths.status / f"{name}.json").read_text())
        return found["state"]


@pytest.fixture
def host(tmp_path):
    """A host without a coordinator."""
    return DeferralHost(tmp_path)


def test_deferred_request_survives_a_restart_and_runs_when_due(host, capsys):
    """It stays validated and is shown as waiting; no script runs before its time, and all of them run after it."""
    with ExitStack() as resources:
        daemon = host.start(resources)
        host.submit("a", "update")
        daemon.run_once()
        assert daemon.lanes.run_next("core") == pytest.approx(DUE_S)
        host.clock.sleep(30.0)
        daemon._runtime.running_time.record()
    assert status.execute(host.settings, "a", as_json=False) == 0
    assert "waits: waits for its window" in capsys.readouterr().out
    assert status.execute(host.settings, "a", as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["deferred_why"], shown["due_uptime"]) == ("validated", "waits for its window", DUE_S)
    with ExitStack() as resources:
        daemon = host.start(resources)
        daemon.run_once()
        assert daemon.lanes.run_next("core") == pytest.approx(DUE_S - 30.0)
        assert "start" not in dict(host.executor.calls)
        host.clock.sleep(DUE_S - 30.0)
        assert daemon.lanes.run_next("core") == 0.0
        assert daemon.lanes.run_next("core") is None
    assert host.state_of("a") == State.SUCCEEDED
    explain.execute(host.settings, "a", as_json=False)
    text = capsys.readouterr().out
    assert text.index("accepted") < text.index("It was deferred: waits for its window.") < text.index("Its turn came")


def test_due_request_can_be_deferred_again(host, monkeypatch):
    """The runner evaluates the rules again: a request that is due in the journal runs only when the rules allow it."""
    with ExitStack() as resources:
        daemon = host.start(resources)
        host.submit("a", "update")
        daemon.run_once()
        monkeypatch.setattr(OpeningTimeRule, "evaluate", lambda *_: Defer(500.0, "waits for another window"))
        host.clock.sleep(DUE_S)
        assert daemon.lanes.run_next("core") == 0.0
        assert daemon.lanes.run_next("core") == pytest.approx(500.0 - DUE_S)
        assert "start" not in dict(host.executor.calls)


def test_deferral_into_the_past_is_moved_one_second_ahead(host, monkeypatch):
    """Otherwise the lane would spin (I16)."""
    monkeypatch.setattr(OpeningTimeRule, "evaluate", lambda *_: Defer(0.0, "waits"))
    with ExitStack() as resources:
        daemon = host.start(resources)
        host.submit("a", "update")
        daemon.run_once()
        assert daemon.lanes.run_next("core") == pytest.approx(1.0)


def test_start_continues_after_an_unconfigured_request_that_cannot_be_settled(host):
    """A row with an id that cannot be looked up costs no start; the request beside it is settled (I16)."""
    with ExitStack() as resources:
        host.start(resources)
    journal = Journal.open(host.settings.paths.state / "journal.db")
    for request_id in (b"x1", "x2"):
        journal.database.write(
            "INSERT INTO requests (id, component, action, received_at, state)"
            " VALUES (?, 'web', 'health', '2026-01-01T00:00:00+00:00', 'received')",
            (request_id,),
        )
    journal.close()
    with ExitStack() as resources:
        daemon = host.start(resources)
        daemon.run_once()
    assert host.state_of("x2") == State.FAILED
