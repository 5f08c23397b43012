"""What is remembered of requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from message_samples import final

from protocol.types import Action, State
from remote.store import OUTPUT_CHARACTERS, Answer, Record, Records

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def record(number, answer=None):
    """A request, each a second later than the one before."""
    return Record(
        request_id=f"id-{number}",
        component="core",
        action=Action.UPDATE,
        version="1.2.3",
        asked_at=AT + timedelta(seconds=number),
        answer=answer,
    )


def answered(is_final=True):
    """Some answer."""
    return Answer(success=True, state=State.SUCCEEDED, reason=None, message="done", finished_at=AT, is_final=is_final)


def loaded(folder, keep=3):
    """The records of a folder."""
    records = Records(folder, keep)
    records.load()
    return records


def test_what_is_kept_is_there_after_a_restart(tmp_path):
    """Word for word, in the order in which it was asked."""
    records = loaded(tmp_path / "made")
    for kept in (record(2), record(1, answered())):
        records.keep(kept)
    assert list(loaded(tmp_path / "made")) == [record(1, answered()), record(2)]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\0" * 300, b"[]"])
def test_a_torn_file_is_left_and_harms_nothing(tmp_path, content):
    """Whatever a sick disk left: the others are read."""
    records = loaded(tmp_path)
    records.keep(record(1))
    (tmp_path / "id-9.json").write_bytes(content)
    assert list(loaded(tmp_path)) == [record(1)]
    assert (tmp_path / "id-9.json").exists()


def test_of_what_a_script_wrote_the_end_is_remembered():
    """The host keeps the rest."""
    streams = {"output": "x" * 20_000 + "the end", "error": "y" * 20_000 + "its reason"}
    answer = Answer.of(final("id-1").model_copy(update=streams), is_late=False)
    assert (len(answer.output), len(answer.error)) == (OUTPUT_CHARACTERS, OUTPUT_CHARACTERS)
    assert (answer.output[-7:], answer.error[-10:]) == ("the end", "its reason")


@pytest.mark.parametrize("name", ["a-copy.json", "z-copy.json"])
def test_a_record_under_another_name_is_none(tmp_path, name):
    """A copy that somebody made is neither a second request nor what became of the first."""
    records = loaded(tmp_path)
    records.keep(record(1))
    (tmp_path / name).write_bytes((tmp_path / "id-1.json").read_bytes())
    records.keep(record(1, answered()))
    assert list(loaded(tmp_path)) == [record(1, answered())]


def test_the_oldest_answered_ones_go_first(tmp_path):
    """What has no answer yet is never forgotten; a verdict of ours counts as one."""
    records = loaded(tmp_path, keep=2)
    for kept in (record(1), record(2, answered(is_final=False)), *(record(n, answered()) for n in (3, 4))):
        records.keep(kept)
    records.prune()
    expected = ["id-1", "id-3", "id-4"]
    assert [kept.request_id for kept in records] == expected
    assert [kept.request_id for kept in loaded(tmp_path)] == expected


@pytest.mark.parametrize(("answer", "is_open"), [(None, True), (answered(is_final=False), True), (answered(), False)])
def test_only_the_coordinators_answer_closes_a_request(answer, is_open):
    """What we say in its place may still be replaced."""
    assert record(1, answer).is_open is is_open
