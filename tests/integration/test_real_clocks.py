"""Jumps of the wall clock, by up to decades: no request is lost, run again or forgotten (I1, I7, I11)."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.support.real_host import request
from tests.support.shifted_clock import ShiftedClock, since_1970

DAY_S = 86400
SETTLE_S = 60  # the largest allowed value
DECADES_S = 30 * 365 * DAY_S
# Offset in seconds before and after the jump. A Raspberry Pi has no battery: it starts in 1970.
JUMPS = {
    "a day ahead": (0, DAY_S),
    "a day back": (0, -DAY_S),
    "30 years ahead": (0, DECADES_S),
    "30 years back": (0, -DECADES_S),
    "to 1970": (0, since_1970()),
    "from 1970": (since_1970(), 0),
}
WAITS = """
echo PHASE:waiting; until [ -e turned ]; do sleep 0.1; done
echo PHASE:turned; until [ -e go ]; do sleep 0.1; done"""
SCRIPTS = ["update.sh", "health-check.sh"]
jumps = pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)


def _create(host, name):
    """Create the file that a script waits for."""
    (host.root / "components/core" / name).touch()


def _begin(host, jump, **scripts):
    """Start a coordinator before the jump, and an update that waits."""
    clock = ShiftedClock(host, jump[0])
    host.component("core", {"update.sh": WAITS} | scripts)
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    return clock


def _is_in_phase(host, phase):
    return (host.progress("one") or {}).get("phase") == phase


def _assert_succeeded(host, answer):
    """The request succeeded, each script ran once, and no duration includes the jump."""
    assert (answer["state"], answer["reason"]) == ("succeeded", None)
    assert host.runs(answer["request_id"]) == SCRIPTS
    assert all(0 <= attempt["seconds"] < DAY_S / 2 for attempt in answer["attempts"] if attempt["seconds"] is not None)


def _await_housekeeping(host):
    """Serve two more requests: with the second, a whole pass including housekeeping is over."""
    for name in ("first", "second"):
        host.submit_and_wait(f"{name}-{time.monotonic_ns()}", "health")


@jumps
def test_clock_jump_does_not_time_out_a_running_update(host, jump):
    """The script continues and its exit code counts; each timestamp is the wall time of its event."""
    clock = _begin(host, jump)
    host.expect(lambda: _is_in_phase(host, "waiting"), "the script's first phase")
    assert clock.shows(host.progress("one")["timestamp"])
    before = host.log().splitlines()
    assert clock.shows(before[-1].split()[0])
    clock.shift(jump[1])
    _create(host, "turned")
    host.expect(lambda: _is_in_phase(host, "turned"), "the script's second phase")
    assert clock.shows(host.progress("one")["timestamp"])
    _create(host, "go")
    answer = host.answer("one")
    _assert_succeeded(host, answer)
    assert clock.shows(answer["timestamp"])
    assert clock.shows(answer["finished_at"])
    clock.shift(jump[0])
    assert clock.shows(answer["started_at"])


@jumps
def test_time_limit_is_independent_of_clock_jumps(host, jump):
    """A script that never ends is stopped at its time limit, not earlier, after a jump in either direction."""
    clock = ShiftedClock(host, jump[0])
    host.component("core", {"update.sh": "sleep 1000"}, timeout_s=3, on_failure="none")
    host.start()
    host.submit("one", "update")
    host.expect(lambda: _is_in_phase(host, "update") or host.final("one").exists(), "the script's start")
    clock.shift(jump[1])
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("failed", "timeout")
    assert host.runs("one") in (
        ["update.sh"],
        [],
    )  # on a busy machine the limit may pass before the script records its start
    assert 3 <= answer["attempts"][0]["seconds"] < DAY_S / 2


@jumps
@pytest.mark.parametrize("is_over", [False, True], ids=["adopted", "collected"])
def test_clock_jump_between_kill_and_restart_changes_nothing(host, jump, is_over):
    """The next coordinator adopts the running script or collects its result; neither starts it again."""
    clock = _begin(host, jump)
    host.kill()
    clock.shift(jump[1])
    _create(host, "turned")
    if is_over:
        _create(host, "go")
        host.expect(lambda: not host.script_processes(), "the script to end")
    host.start()
    _create(host, "go")
    answer = host.answer("one")
    _assert_succeeded(host, answer)
    assert clock.shows(answer["timestamp"])


@jumps
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_answer_survives_a_clock_jump(host, jump, restarts):
    """An unread answer stays, with the complete log of its run; a resubmission gets it again and runs nothing."""
    clock = ShiftedClock(host, jump[0])
    host.component("core", {"update.sh": "yes noise | head -c 10000"})
    host.set("limits", output_bytes=1024)
    host.start()
    host.submit_and_wait("one", "update")
    content = host.final("one").read_bytes()
    log = host.state / "runs/one/1/stdout"
    if restarts:
        assert host.stop() == 0
    clock.shift(jump[1])
    if restarts:
        host.start()
    _await_housekeeping(host)
    assert (host.final("one").read_bytes(), log.stat().st_size) == (content, 10000)
    host.submit_and_wait("one", "update")
    assert host.final("one").read_bytes() == content
    host.final("one").unlink()
    host.submit_and_wait("one", "update")
    assert host.final("one").read_bytes() == content
    _assert_succeeded(host, json.loads(content))


@jumps
def test_settle_time_is_independent_of_clock_jumps(host, jump):
    """A jump of the wall clock does not count towards settle_s (I5)."""
    clock = ShiftedClock(host, jump[0])
    host.component("core")
    host.set("limits", settle_s=SETTLE_S)
    host.start()
    whole = json.dumps(request("one", "health")).encode()
    begin = time.monotonic()
    host.drop("one.json", whole[:20])
    _await_housekeeping(host)
    clock.shift(jump[1])
    _await_housekeeping(host)
    is_answered = host.final("one").exists()
    assert not is_answered or time.monotonic() - begin >= SETTLE_S  # on a very slow machine the file was due
    host.drop("one.json", whole)
    assert host.answer("one")["state"] == ("failed" if is_answered else "succeeded")


@jumps
def test_request_timestamps_may_be_decades_off(host, jump):
    """Requests with timestamps and file times decades off are all served, once each."""
    clock = ShiftedClock(host, jump[0])
    host.component("core")
    submitted = {f"at-{year}": f"{year}-02-03T04:05:06Z" for year in (1970, 1996, 2026, 2056, 2107)}
    for number, (name, stamp) in enumerate(submitted.items()):
        path = host.drop(f"{name}.json", request(name, "update", version="1.2.3") | {"timestamp": stamp})
        os.utime(path, (number, time.time() + (number - 2) * DECADES_S / 2))
        if name == "at-1996":
            host.start()
    clock.shift(jump[1])
    late = host.drop("late.json", request("late", "update", version="1.2.3") | {"timestamp": "1969-12-31T23:59:59Z"})
    os.utime(late, (0, 0))
    for name in (*submitted, "late"):
        _assert_succeeded(host, host.answer(name))
