"""Locks, floods, and a status directory that disappears."""

from __future__ import annotations

import json
import os
import shutil

from tests.support.polling import wait_until
from tests.support.real_host import request


def test_lanes_of_different_locks_run_in_parallel(host):
    """Components of different locks run in parallel: each script waits for the other's marker (I10)."""
    for name, other in (("left", "right"), ("right", "left")):
        host.component(
            name,
            {"update.sh": f"touch {host.root}/mark-{name}; until [ -e {host.root}/mark-{other} ]; do sleep 0.02; done"},
        )
    host.start()
    for name in ("left", "right"):
        host.submit(f"of-{name}", "update", name)
    assert host.answer("of-left")["success"]
    assert host.answer("of-right")["success"]


def test_lane_runs_one_script_at_a_time(host):
    """Components that share a lock never run at the same time (I10)."""
    busy = f"mkdir {host.root}/held || {{ touch {host.root}/overlap; exit 1; }}; sleep 0.05; rmdir {host.root}/held"
    for name in ("left", "right"):
        host.component(name, {"update.sh": busy, "health-check.sh": busy}, lock="shared")
    host.start()
    submitted = [host.submit(f"{name}-{number}", "update", name) for number in range(4) for name in ("left", "right")]
    assert all(host.answer(request_id)["success"] for request_id in submitted)
    assert not (host.root / "overlap").exists()


def test_lanes_answer_two_thousand_requests_in_order(host):
    """2,000 waiting requests are answered, per component in order of arrival, in bounded memory."""
    names = ("core", "remote")
    for name in names:
        host.component(name)
    host.start()
    host.submit_and_wait("warm", "health")
    host.stop()
    count = 2000
    for number in range(count):
        path = host.drop(f"n{number:04}.json", request(f"n{number:04}", "health", names[number % 2]))
        os.utime(path, ns=(0, 1_700_000_000_000_000_000 + number * 1_000_000))
    host.start()
    early = host.memory_peak_kib()
    for last in (count - 2, count - 1):
        wait_until(host.final(f"n{last:04}").exists, f"the last answers\n{host.log()[-2000:]}", 300)
    assert all(json.loads(host.final(f"n{number:04}").read_text())["success"] for number in range(count))
    ran = [line.split()[1] for line in host.runs() if not line.endswith("warm")]
    for parity in range(2):
        mine = [request_id for request_id in ran if int(request_id[1:]) % 2 == parity]
        assert mine == [f"n{number:04}" for number in range(parity, count, 2)]
    wait_until(lambda: not list(host.requests.iterdir()), "the requests to be removed")
    assert host.memory_peak_kib() - early < 10 * 1024


def _move_status_away(host):
    host.status.rename(host.root / "elsewhere")


def _move_status_back(host):
    (host.root / "elsewhere").rename(host.status)


def _replace_by_file(host):
    shutil.rmtree(host.status)
    host.status.write_text("not a directory")


def _restore(host):
    host.status.unlink()
    host.status.mkdir()


def _outage(host, begin, end, *, submits_another):
    host.component("core", {"update.sh": "until [ -e go ]; do sleep 0.1; done"})
    host.start()
    host.submit("under-way", "update")
    host.await_run("update.sh", "under-way")
    begin(host)
    (host.root / "components/core/go").touch()
    host.submit("rejected", "update", "nowhere")
    wait_until(lambda: host.log().count("cannot publish the answer") >= 2, f"the error in the log\n{host.log()}")
    check = host.cli("check", "--no-scripts")
    assert check.returncode == 1
    assert str(host.status) in check.stdout
    assert "answer(s) could not be published" in check.stdout
    end(host)
    if submits_another:
        host.submit("another", "health")
    assert host.answer("under-way")["success"]
    assert host.answer("rejected")["reason"] == "unknown_component"
    assert host.submit_and_wait("later", "health")["success"]
    assert host.runs("under-way") == ["update.sh", "health-check.sh"]
    assert host.cli("check").returncode == 0


def test_answers_wait_for_a_missing_status_directory(host):
    """While status/ is missing nothing is lost, log and check report it; the answers appear once it is back (I1)."""
    _outage(host, _move_status_away, _move_status_back, submits_another=False)


def test_answers_wait_for_an_unwritable_status_directory(host):
    """While a file replaces status/ nothing is lost; the answers appear once it is repaired (I1)."""
    _outage(host, _replace_by_file, _restore, submits_another=True)


def test_unpublished_answer_survives_a_kill(host):
    """An answer that was not published before a kill is published by the next coordinator (I1, I9)."""
    host.component("core", {"update.sh": "exit 3"})
    host.start()
    host.submit_and_wait("first", "health")
    _move_status_away(host)
    host.submit("one", "update")
    wait_until(lambda: "cannot publish the answer" in host.log(), "the error in the log")
    host.kill()
    _move_status_back(host)
    host.start()
    assert host.answer("one")["state"] == "rolled_back"
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]
