"""Disks that are really full: answers may be late or true failures, never wrong, never lost (I1, I2)."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.full_disk import (
    UNDONE,
    UPDATED,
    WAIT,
    await_again,
    await_log,
    one_card,
    settled,
    start,
    start_and_fill,
)


def _problems(host):
    """What ``check`` finds, each with its remedy: a problem without one does not count."""
    check = host.cli("check", "--json")
    assert check.returncode == 1, check.stderr
    return {
        row["finding"]: row["remedy"] for row in json.loads(check.stdout) if row["grade"] == "bad" and row["remedy"]
    }


@pytest.mark.parametrize(("fill", "left"), [("fill", " has 0 KiB"), ("fill_names", " and 0 inodes free")])
def test_an_answer_waits_for_room_in_the_status_folder(host, small_disk, fill, left):
    """Without room in status/ the answer is kept, log and check say why, and it comes out as soon as there is some."""
    disk = small_disk(host.status)
    start(host)
    getattr(disk, fill)()
    host.ask("one", "update")
    await_log(host, "[one] succeeded")
    await_again(host, f"[one] cannot publish the answer: {host.status}/")
    assert re.search(r"one\.json(\.tmp)?: No space left on device; it is kept and tried again", host.log())
    problems = _problems(host)
    assert any(str(host.status) in text and left in text and "free space" in problems[text] for text in problems)
    assert any("1 answer(s) could not be published" in text for text in problems)
    assert (host.requests / "one.json").exists()
    assert not host.final("one").exists()
    disk.grow()
    settled(host, "one", UPDATED)


def test_a_request_waits_for_room_in_the_journal(host, small_disk):
    """Without room in paths.state a request is not admitted, the coordinator stays up, and nothing is lost."""
    disk = small_disk(host.state)
    start(host)
    disk.fill()
    host.ask("one", "update")
    host.drop("bad.json", b"[]")
    await_again(host, "cannot take requests in: cannot reach the journal")
    problems = _problems(host)
    assert any(str(host.state) in text and " has 0 KiB" in text and "free space" in problems[text] for text in problems)
    assert sorted(path.name for path in host.requests.iterdir()) == ["bad.json", "one.json"]
    assert [path.name for path in host.status.glob("*.json")] == ["before.json"]
    assert host.runs("one") == []
    disk.grow()
    assert host.answer("bad")["reason"] == "invalid_request"
    settled(host, "one", UPDATED)


@pytest.mark.parametrize("left", [0, 2, 4])
def test_a_script_whose_files_find_no_names_is_said_not_to_have_started(host, small_disk, left):
    """Where no names are left for the files of a run, the answer is cannot_start, not a result it never had."""
    disk = small_disk(host.state)
    start(host)
    disk.fill_names(left)
    answer = host.settle("one", "update")
    assert (answer["state"], answer["reason"], answer["attempts"]) == ("failed", "cannot_start", [])
    assert "free disk space" in answer["message"]
    assert host.runs("one") == []
    disk.grow()
    assert host.settle("two", "update")["success"]


def test_a_script_that_finds_no_name_to_say_that_it_starts_waits_for_one(host, small_disk):
    """Where the very last name is missing, nothing starts and nothing is made up: it starts once there is room."""
    disk = small_disk(host.state)
    start(host)
    disk.fill_names(5)
    host.ask("one", "update")
    await_again(host, "cannot go on with lane core")
    assert host.runs("one") == []
    disk.grow()
    settled(host, "one", UPDATED)


@pytest.mark.parametrize(
    ("end", "scripts", "state", "reason", "exit_code"),
    [
        ("exit 0", UPDATED, "succeeded", None, 0),
        ("exit 3", UNDONE, "rolled_back", "script_failed", 3),
        ("yes; exit 0", UPDATED, "succeeded", None, 0),
        ("sleep 600", UNDONE, "rolled_back", "timeout", 143),
        ("trap 'exit 0' TERM; sleep 600 & wait", UNDONE, "rolled_back", "timeout", 0),
    ],
)
def test_a_script_that_fills_the_disk_ends_as_it_ended(host, small_disk, end, scripts, state, reason, exit_code):
    """However a script ends that filled paths.state, the answer says just that, late, and what is due is done once."""
    disk = small_disk(host.state)
    start_and_fill(host, disk, end, timeout_s=6)  # to fill it takes a busy machine longer than 2 s
    await_again(host, "cannot go on with lane core")  # said of a run that is over, whatever else finds no room
    assert host.runs("one") == ["update.sh"], "something ran that the journal does not know of"
    assert not host.final("one").exists()
    disk.grow()
    answer = settled(host, "one", scripts, state, reason)
    assert answer["exit_code"] == exit_code
    assert answer["attempts"][0]["seconds"] is None, "nobody could write down how long it took"


def test_a_full_card_loses_nothing(host, small_disk):
    """With everything on one full disk, what was asked for waits, what is asked for is refused, and all is answered."""
    disk = one_card(host, small_disk)
    host.component("other", {"update.sh": WAIT})
    host.ask("two", "update", "other")
    start_and_fill(host, disk, f"yes 2> /dev/null; {WAIT}; exit 3")
    process = host.process
    refused = host.cli("submit", "core", "health")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "cannot write the request" in refused.stderr
    assert sorted(path.name for path in host.requests.glob("*.json")) == ["one.json", "two.json"]
    problems = _problems(host)
    for folder in (host.requests, host.status, host.state):
        assert any(f"{folder} (" in text and " has 0 KiB" in text for text in problems), folder
    for component in ("core", "other"):
        (host.root / "components" / component / "go").touch()
        await_again(host, f"cannot go on with lane {component}")
    assert host.runs("one") == host.runs("two") == ["update.sh"]
    disk.grow()
    settled(host, "two", UPDATED)
    answer = settled(host, "one", UNDONE, "rolled_back", "script_failed")
    assert answer["exit_code"] == 3
    assert host.process is process
    assert process.poll() is None
