"""I11: the wall clock may jump by decades at any moment; nothing is lost, run again or forgotten for that (I1, I7)."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.support.real_host import request
from tests.support.shifted_clock import ShiftedClock, since_1970

DAY_S = 86400
SETTLE_S = 60  # the longest that may be configured
DECADES_S = 30 * 365 * DAY_S
# Seconds that the clock is ahead before the jump, and after it. A Raspberry Pi has no battery: it begins in 1970.
JUMPS = {
    "a day on": (0, DAY_S),
    "a day back": (0, -DAY_S),
    "30 years on": (0, DECADES_S),
    "30 years back": (0, -DECADES_S),
    "to 1970": (0, since_1970()),
    "from 1970": (since_1970(), 0),
}
WAITS = """
echo PHASE:waiting; until [ -e turned ]; do sleep 0.02; done
echo PHASE:turned; until [ -e go ]; do sleep 0.02; done"""
WORKS = ["update.sh", "health-check.sh"]
jumps = pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)


def _let(host, what):
    (host.root / "components/core" / what).touch()


def _begin(host, jump, **scripts):
    """A coordinator whose clock has not jumped yet, and an update that waits."""
    clock = ShiftedClock(host, jump[0])
    host.component("core", {"update.sh": WAITS} | scripts)
    host.start()
    host.ask("one", "update")
    host.await_run("update.sh", "one")
    return clock


def _is_in(host, phase):
    return (host.progress("one") or {}).get("phase") == phase


def _assert_worked(host, answer):
    """It succeeded, each script ran once, and durations know of no jump."""
    assert (answer["state"], answer["reason"]) == ("succeeded", None)
    assert host.runs(answer["request_id"]) == WORKS
    assert all(0 <= attempt["seconds"] < DAY_S / 2 for attempt in answer["attempts"] if attempt["seconds"] is not None)


def _give_time_to_tidy(host):
    """Two more requests: with the second, the coordinator's first pass is surely over, its tidying up included."""
    for name in ("first", "second"):
        host.settle(f"{name}-{time.monotonic_ns()}", "health")


@jumps
def test_a_jump_while_an_update_runs_is_no_time_out(host, jump):
    """The script runs on and its own end counts; all that is said has a stamp of the hour it was said in."""
    clock = _begin(host, jump)
    host.expect(lambda: _is_in(host, "waiting"), "the script's first phase")
    assert clock.shows(host.progress("one")["timestamp"])
    before = host.log().splitlines()
    assert clock.shows(before[-1].split()[0])
    clock.turn(jump[1])
    _let(host, "turned")
    host.expect(lambda: _is_in(host, "turned"), "the script's second phase")
    assert clock.shows(host.progress("one")["timestamp"])
    _let(host, "go")
    answer = host.answer("one")
    _assert_worked(host, answer)
    assert clock.shows(answer["timestamp"])
    assert clock.shows(answer["finished_at"])
    clock.turn(jump[0])
    assert clock.shows(answer["started_at"])


@jumps
def test_a_time_limit_holds_whatever_the_clock_says(host, jump):
    """Set back by decades, a script that never ends is still ended when its own time is over; and it has its time."""
    clock = ShiftedClock(host, jump[0])
    host.component("core", {"update.sh": "sleep 1000"}, timeout_s=3, on_failure="none")
    host.start()
    host.ask("one", "update")
    host.expect(lambda: _is_in(host, "update") or host.final("one").exists(), "its turn")
    clock.turn(jump[1])
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("failed", "timeout")
    assert host.runs("one") in (["update.sh"], [])  # on a busy machine it is over before the script says a word
    assert 3 <= answer["attempts"][0]["seconds"] < DAY_S / 2


@jumps
@pytest.mark.parametrize("is_over", [False, True], ids=["adopted", "collected"])
def test_a_jump_between_death_and_restart_changes_nothing(host, jump, is_over):
    """The next coordinator waits for the script that runs, or takes what it left; neither starts it again."""
    clock = _begin(host, jump)
    host.kill()
    clock.turn(jump[1])
    _let(host, "turned")
    if is_over:
        _let(host, "go")
        host.expect(lambda: not host.script_processes(), "the script to end")
    host.start()
    _let(host, "go")
    answer = host.answer("one")
    _assert_worked(host, answer)
    assert clock.shows(answer["timestamp"])


@jumps
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_an_answer_is_kept_and_given_again_after_a_jump(host, jump, restarts):
    """It lies there unread, with the complete log of its run; and whoever asks again gets it again: nothing runs."""
    clock = ShiftedClock(host, jump[0])
    host.component("core", {"update.sh": "yes noise | head -c 10000"})
    host.set("limits", output_bytes=1024)
    host.start()
    host.settle("one", "update")
    content = host.final("one").read_bytes()
    log = host.state / "runs/one/1/stdout"
    if restarts:
        assert host.stop() == 0
    clock.turn(jump[1])
    if restarts:
        host.start()
    _give_time_to_tidy(host)
    assert (host.final("one").read_bytes(), log.stat().st_size) == (content, 10000)
    host.settle("one", "update")
    assert host.final("one").read_bytes() == content
    host.final("one").unlink()
    host.settle("one", "update")
    assert host.final("one").read_bytes() == content
    _assert_worked(host, json.loads(content))


@jumps
def test_a_request_that_is_being_written_is_not_judged_for_a_jump(host, jump):
    """Decades by the wall clock are not settle_s: a file that is half there has its time (I5)."""
    clock = ShiftedClock(host, jump[0])
    host.component("core")
    host.set("limits", settle_s=SETTLE_S)
    host.start()
    whole = json.dumps(request("one", "health")).encode()
    begin = time.monotonic()
    host.drop("one.json", whole[:20])
    _give_time_to_tidy(host)
    clock.turn(jump[1])
    _give_time_to_tidy(host)
    is_judged = host.final("one").exists()
    assert not is_judged or time.monotonic() - begin >= SETTLE_S  # on a machine that slow, it was to be judged
    host.drop("one.json", whole)
    assert host.answer("one")["state"] == ("failed" if is_judged else "succeeded")


@jumps
def test_client_and_host_may_disagree_about_the_time(host, jump):
    """Requests stamped decades ahead or ago, in files as old or as new as that, are all served, once each."""
    clock = ShiftedClock(host, jump[0])
    host.component("core")
    asked = {f"at-{year}": f"{year}-02-03T04:05:06Z" for year in (1970, 1996, 2026, 2056, 2107)}
    for number, (name, stamp) in enumerate(asked.items()):
        path = host.drop(f"{name}.json", request(name, "update", version="1.2.3") | {"timestamp": stamp})
        os.utime(path, (number, time.time() + (number - 2) * DECADES_S / 2))
        if name == "at-1996":
            host.start()
    clock.turn(jump[1])
    late = host.drop("late.json", request("late", "update", version="1.2.3") | {"timestamp": "1969-12-31T23:59:59Z"})
    os.utime(late, (0, 0))
    for name in (*asked, "late"):
        _assert_worked(host, host.answer(name))
