"""SIGKILL at random instants, many times (I1, I3, I9, I10)."""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise

from tests.support.real_host import stays

SEED = 20260101
ROUNDS = 15
LONGEST_S = 0.9
LOCKS = {"core": "core", "left": "shared", "right": "shared"}


def _recording(host, lock, script, end="exit 0"):
    """Return bash text that records start and stop of the script, in one file per lock."""
    note = f'read up _ < /proc/uptime; echo "$what {script} $UPDATE_REQUEST_ID $up" >> {host.root}/notes-{lock}'
    return f"what=start; {note}\nsleep 0.0$((RANDOM % 9 + 1))\nwhat=stop; {note}\n{end}"


def _install(host):
    for name, lock in LOCKS.items():
        scripts = {script: _recording(host, lock, script) for script in ("update.sh", "rollback.sh", "health-check.sh")}
        failing = 'case "$UPDATE_REQUEST_ID" in *bad*) exit 3;; esac'
        scripts["update.sh"] = _recording(host, lock, "update.sh", failing)
        host.component(name, scripts, lock=lock)


def _submit_mixture(host, number):
    """Submit the mixed requests of one round; return id → expected state."""
    return {
        host.submit(f"k{number}-update", "update", "left"): "succeeded",
        host.submit(f"k{number}-bad", "update", "right"): "rolled_back",
        host.submit(f"k{number}-rollback", "rollback", "core"): "succeeded",
        host.submit(f"k{number}-health", "health", "core"): "succeeded",
        host.submit(f"k{number}-rejected", "update", "unconfigured"): "failed",
    }


def _finals(host):
    return {
        path.stem: (path.read_bytes(), path.stat().st_ino)
        for path in host.status.glob("k*.json")
        if not path.name.endswith(".progress.json")
    }


def test_random_kills_lose_and_repeat_no_request(host):
    """After random SIGKILLs each request has one true answer and ran at most once, one at a time per lock."""
    generator = random.Random(SEED)
    _install(host)
    expected = {}
    seen = {}
    for number in range(ROUNDS):
        process = host.spawn()
        expected |= _submit_mixture(host, number)
        end = time.monotonic() + generator.uniform(0, LONGEST_S)
        stays(
            lambda process=process: process.poll() is None,
            f"the coordinator exited unexpectedly\n{host.log()}",
            end - time.monotonic(),
        )
        host.kill()
        for request_id, final in _finals(host).items():
            assert seen.setdefault(request_id, final) == final, f"the answer to {request_id} changed"
    host.start()
    answers = {request_id: host.answer(request_id) for request_id in expected}
    assert {request_id: answer["state"] for request_id, answer in answers.items()} == expected
    finals = _finals(host)
    assert set(finals) == set(expected)
    assert {request_id: finals[request_id] for request_id in seen} == seen
    assert all(json.loads(content)["request_id"] == request_id for request_id, (content, _) in finals.items())
    for request_id, state in expected.items():
        runs = host.runs(request_id)
        assert runs.count("update.sh") == (1 if request_id.endswith(("-update", "-bad")) else 0), request_id
        assert runs.count("rollback.sh") == (1 if request_id.endswith(("-rollback", "-bad")) else 0), request_id
        assert bool(runs) == (state != "failed")
    for lock in set(LOCKS.values()):
        _assert_one_at_a_time((host.root / f"notes-{lock}").read_text().splitlines())
    assert not list(host.requests.iterdir())
    assert not list(host.status.glob("*.progress.json"))


def _assert_one_at_a_time(notes):
    """Start and stop of each script alternate, and no start precedes the previous stop."""
    assert len(notes) % 2 == 0
    fields = [note.split() for note in notes]
    for begin, end in zip(fields[::2], fields[1::2], strict=True):
        assert (begin[0], end[0]) == ("start", "stop"), (begin, end)
        assert begin[1:3] == end[1:3]
    assert all(float(earlier[3]) <= float(later[3]) for earlier, later in pairwise(fields))
