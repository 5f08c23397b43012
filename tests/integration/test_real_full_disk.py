"""Full disks: an answer may be late, or a true failure, but is never wrong and never lost (I1, I2)."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.full_disk import (
    ROLLED_BACK,
    UPDATED,
    WAIT,
    await_again,
    await_log,
    check_answer,
    put_all_on_one_disk,
    start,
    start_and_fill,
)


def _problems(host):
    """The problems that ``check`` reports, each with its remedy; problems without a remedy are left out."""
    check = host.cli("check", "--json")
    assert check.returncode == 1, check.stderr
    return {
        row["finding"]: row["remedy"] for row in json.loads(check.stdout) if row["grade"] == "bad" and row["remedy"]
    }


@pytest.mark.parametrize(("fill", "left"), [("fill", " has 0 KiB"), ("fill_names", " and 0 inodes free")])
def test_answer_waits_for_space_in_the_status_directory(host, small_disk, fill, left):
    """Without space in status/ the answer is kept and the cause reported; it is published once space is free."""
    disk = small_disk(host.status)
    start(host)
    getattr(disk, fill)()
    host.submit("one", "update")
    await_log(host, "[one] succeeded")
    await_again(host, f"[one] cannot publish the answer: {host.status}/")
    assert re.search(r"one\.json(\.tmp)?: No space left on device; it is kept and tried again", host.log())
    problems = _problems(host)
    assert any(str(host.status) in text and left in text and "free space" in problems[text] for text in problems)
    assert any("1 answer(s) could not be published" in text for text in problems)
    assert (host.requests / "one.json").exists()
    assert not host.final("one").exists()
    disk.grow()
    check_answer(host, "one", UPDATED)


def test_request_waits_for_space_in_the_journal(host, small_disk):
    """Without space in paths.state a request is not admitted, the coordinator stays up, and nothing is lost."""
    disk = small_disk(host.state)
    start(host)
    disk.fill()
    host.submit("one", "update")
    host.drop("bad.json", b"[]")
    await_again(host, "cannot read requests: cannot reach the journal")
    problems = _problems(host)
    assert any(str(host.state) in text and " has 0 KiB" in text and "free space" in problems[text] for text in problems)
    assert sorted(path.name for path in host.requests.iterdir()) == ["bad.json", "one.json"]
    assert [path.name for path in host.status.glob("*.json")] == ["before.json"]
    assert host.runs("one") == []
    disk.grow()
    assert host.answer("bad")["reason"] == "invalid_request"
    check_answer(host, "one", UPDATED)


@pytest.mark.parametrize("left", [0, 2, 4])
def test_run_without_inodes_cannot_start(host, small_disk, left):
    """Without inodes for the files of a run, the answer is cannot_start."""
    disk = small_disk(host.state)
    start(host)
    disk.fill_names(left)
    answer = host.submit_and_wait("one", "update")
    assert (answer["state"], answer["reason"], answer["attempts"]) == ("failed", "cannot_start", [])
    assert "free disk space" in answer["message"]
    assert host.runs("one") == []
    disk.grow()
    assert host.submit_and_wait("two", "update")["success"]


def test_run_without_an_inode_for_its_claim_waits(host, small_disk):
    """Without the last inode nothing starts and nothing is reported; the script starts once space is free."""
    disk = small_disk(host.state)
    start(host)
    disk.fill_names(5)
    host.submit("one", "update")
    await_again(host, "cannot continue with lane core")
    assert host.runs("one") == []
    disk.grow()
    check_answer(host, "one", UPDATED)


@pytest.mark.parametrize(
    ("end", "scripts", "state", "reason", "exit_code"),
    [
        ("exit 0", UPDATED, "succeeded", None, 0),
        ("exit 3", ROLLED_BACK, "rolled_back", "script_failed", 3),
        ("yes; exit 0", UPDATED, "succeeded", None, 0),
        ("sleep 600", ROLLED_BACK, "rolled_back", "timeout", 143),
        ("trap 'exit 0' TERM; sleep 600 & wait", ROLLED_BACK, "rolled_back", "timeout", 0),
    ],
)
def test_script_that_fills_the_disk_gets_its_true_result(host, small_disk, end, scripts, state, reason, exit_code):
    """However a script that filled paths.state ends, the late answer reports that result, and each step runs once."""
    disk = small_disk(host.state)
    start_and_fill(host, disk, end, timeout_s=10)  # filling the disk takes seconds on a busy machine
    await_again(host, "cannot continue with lane core")  # logged only after the run has ended
    assert host.runs("one") == ["update.sh"], "a script ran without a journal entry"
    assert not host.final("one").exists()
    disk.grow()
    answer = check_answer(host, "one", scripts, state, reason)
    assert answer["exit_code"] == exit_code
    assert answer["attempts"][0]["seconds"] is None, "the duration could not be recorded"


def test_one_full_disk_for_everything_loses_no_request(host, small_disk):
    """With everything on one full disk, accepted requests wait, new ones fail at submission, and all are answered."""
    disk = put_all_on_one_disk(host, small_disk)
    host.component("other", {"update.sh": WAIT})
    host.submit("two", "update", "other")
    start_and_fill(host, disk, f"yes 2> /dev/null; {WAIT}; exit 3")
    process = host.process
    done = host.cli("submit", "core", "health")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot write the request" in done.stderr
    assert sorted(path.name for path in host.requests.glob("*.json")) == ["one.json", "two.json"]
    problems = _problems(host)
    for folder in (host.requests, host.status, host.state):
        assert any(f"{folder} (" in text and " has 0 KiB" in text for text in problems), folder
    for component in ("core", "other"):
        (host.root / "components" / component / "go").touch()
        await_again(host, f"cannot continue with lane {component}")
    assert host.runs("one") == host.runs("two") == ["update.sh"]
    disk.grow()
    check_answer(host, "two", UPDATED)
    answer = check_answer(host, "one", ROLLED_BACK, "rolled_back", "script_failed")
    assert answer["exit_code"] == 3
    assert host.process is process
    assert process.poll() is None
