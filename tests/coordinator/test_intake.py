"""Taking requests in while something fails for a moment."""

from __future__ import annotations

import errno
import json

import pytest

from coordinator.intake import Intake
from coordinator.publisher import Publisher
from fsm.journal import Journal
from fsm.machine import RequestMachine
from protocol.clock import SystemClock
from protocol.inbox import Inbox
from protocol.outbox import Outbox


class SickInbox(Inbox):
    """Lets nothing be read, as long as ``sick``."""

    sick = True

    def read(self, name):
        if self.sick:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(name)


class SadPublisher(Publisher):
    """Cannot tell any news."""

    def publish_queued(self, record):
        raise RuntimeError(f"cannot welcome {record.request_id}")


@pytest.fixture
def stage(tmp_path):
    """``requests/`` and ``status/``, a journal, and what makes an intake of them."""
    requests, status = tmp_path / "requests", tmp_path / "status"
    requests.mkdir()
    status.mkdir()
    clock = SystemClock()
    with Journal.open(tmp_path / "journal.db") as journal:

        def intake(inbox, admitted, publisher=Publisher):
            return Intake(
                inbox,
                journal,
                RequestMachine(journal),
                publisher(Outbox(status), inbox, journal, clock, 1024, print),
                clock,
                components=frozenset({"core", "edge"}),
                quarantine=tmp_path / "quarantine",
                settle_s=60.0,
                admitted=admitted.append,
                alive=lambda: None,
            )

        yield requests, intake


def wish(requests, name, component):
    """Submit a request for a component's health."""
    values = {"component": component, "action": "health", "request_id": name, "timestamp": "2026-01-02T03:04:05Z"}
    (requests / f"{name}.json").write_text(json.dumps(values))


def test_a_request_that_cannot_be_read_is_looked_at_again_soon(stage):
    """Nothing rings when a disk is well again: whoever waits must be told to look, and not only at the slow timer."""
    requests, make = stage
    wish(requests, "one", "core")
    inbox, admitted = SickInbox(requests, 1024), []
    intake = make(inbox, admitted)
    again = intake.sweep()
    assert again is not None
    assert 0 < again <= 10
    assert not admitted
    inbox.sick = False
    assert intake.sweep() is None
    assert admitted == ["core"]


def test_a_lane_is_told_of_each_request_whatever_fails_after_its_admission(stage):
    """Nobody comes to an admitted request again: one that no lane heard of would wait for the next one (I1)."""
    requests, make = stage
    wish(requests, "one", "core")
    wish(requests, "two", "edge")
    admitted = []
    with pytest.raises(RuntimeError, match="cannot welcome"):
        make(Inbox(requests, 1024), admitted, SadPublisher).sweep()
    assert sorted(admitted) == ["core", "edge"]
