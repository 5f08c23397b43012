"""Taking requests in from a disk that is sick for a moment."""

from __future__ import annotations

import errno
import json

from coordinator.intake import Intake
from coordinator.publisher import Publisher
from fsm.journal import Journal
from fsm.machine import Lives
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


def test_a_request_that_cannot_be_read_is_looked_at_again_soon(tmp_path):
    """Nothing rings when a disk is well again: whoever waits must be told to look, and not only at the slow timer."""
    requests, status = tmp_path / "requests", tmp_path / "status"
    requests.mkdir()
    status.mkdir()
    wish = {"component": "core", "action": "health", "request_id": "one", "timestamp": "2026-01-02T03:04:05Z"}
    (requests / "one.json").write_text(json.dumps(wish))
    inbox, clock, admitted = SickInbox(requests, 1024), SystemClock(), []
    with Journal.open(tmp_path / "journal.db") as journal:
        intake = Intake(
            inbox,
            journal,
            Lives(journal),
            Publisher(Outbox(status), inbox, journal, clock, 1024),
            clock,
            components=frozenset({"core"}),
            quarantine=tmp_path / "quarantine",
            settle_s=60.0,
            admitted=admitted.append,
        )
        again = intake.sweep()
        assert again is not None
        assert 0 < again <= 10
        assert not admitted
        inbox.sick = False
        assert intake.sweep() is None
        assert admitted == ["core"]
