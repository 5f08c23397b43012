"""Sentences that depend on what the journal recorded: recovery actions and exits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coordinator import texts
from fsm.records import AttemptRecord
from fsm.recovery import RecoveryAction
from protocol.types import ExitKind, State, UnknownValue

STOPPED = AttemptRecord(
    "a", 1, State.RUNNING, "update.sh", "boot", datetime(2026, 1, 16, tzinfo=UTC), 5.0, ending=ExitKind.TIMED_OUT
)


@pytest.mark.parametrize("action", RecoveryAction)
def test_describe_recovery_has_a_sentence_for_every_action(action):
    """Each sentence names the script."""
    sentence = texts.describe_recovery("update.sh", action)
    assert sentence.startswith("the coordinator was started again and ")
    assert "update.sh" in sentence


def test_describe_exit_omits_an_unknown_duration():
    """When no coordinator waited for the end of a run, the sentence has no number."""
    assert (
        texts.describe_exit("update.sh", replace(STOPPED, seconds=61.2))
        == "update.sh was stopped after 61 s, its time limit"
    )
    assert texts.describe_exit("update.sh", STOPPED) == "update.sh was stopped at its time limit"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (1, "update.sh ended with exit code 1"),
        (128, "update.sh ended with exit code 128"),
        (137, "update.sh was killed by signal 9 (exit code 137)"),
        (192, "update.sh was killed by signal 64 (exit code 192)"),
        (193, "update.sh ended with exit code 193"),
        (255, "update.sh ended with exit code 255"),
    ],
)
def test_describe_exit_names_only_existing_signals(code, sentence):
    """Linux has 64 signals: an exit code above 192 is the script's own."""
    attempt = replace(STOPPED, ending=ExitKind.EXITED, exit_code=code)
    assert texts.describe_exit("update.sh", attempt) == sentence


def test_describe_exit_quotes_an_unknown_ending():
    """What a newer release recorded is not described as an exit."""
    attempt = replace(STOPPED, ending=UnknownValue("cancelled"), exit_code=0)
    assert texts.describe_exit("update.sh", attempt).endswith("does not know: 'cancelled'")


def test_describe_recovery_quotes_an_unknown_action():
    """An action that a newer release recorded is no error."""
    assert "'wake'" in texts.describe_recovery("update.sh", UnknownValue("wake"))
