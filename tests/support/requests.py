"""Request records for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from fsm.records import RequestRecord
from protocol.types import Action, State

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


def make_record(**changes) -> RequestRecord:
    """A running update of core, with ``changes``."""
    record = RequestRecord(
        "one", "core", Action.UPDATE, "1.0.0", NOON, NOON, State.RUNNING, None, "", None, 0, None, published=False
    )
    return replace(record, **changes)
