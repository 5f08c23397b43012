"""What is said to people, where a sentence depends on what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coordinator import texts
from fsm.records import AttemptRecord
from fsm.recovery import RecoveryAction
from protocol.types import ExitKind, State

STOPPED = AttemptRecord(
    "a", 1, State.RUNNING, "update.sh", "boot", datetime(2026, 1, 16, tzinfo=UTC), 5.0, ending=ExitKind.TIMED_OUT
)


@pytest.mark.parametrize("resumption", RecoveryAction)
def test_every_resumption_has_its_sentence(resumption):
    """Whatever a restart decides can be told, and names the script."""
    sentence = texts.resumed("update.sh", resumption)
    assert sentence.startswith("the coordinator was started again and ")
    assert "update.sh" in sentence


def test_a_time_limit_is_told_with_the_seconds_that_are_known():
    """When nobody saw a run end at its limit, no number is made up."""
    assert (
        texts.ending("update.sh", replace(STOPPED, seconds=61.2)) == "update.sh was stopped after 61 s, its time limit"
    )
    assert texts.ending("update.sh", STOPPED) == "update.sh was stopped at its time limit"
