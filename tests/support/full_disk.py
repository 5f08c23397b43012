"""Steps and checks for hosts with a full disk."""

from __future__ import annotations

from tests.support.polling import wait_until

WAIT = "until [ -e go ]; do sleep 0.1; done"
NO_JOURNAL = "database or disk is full"
UPDATED = ["update.sh", "health-check.sh"]
ROLLED_BACK = ["update.sh", "rollback.sh", "health-check.sh"]


def put_all_on_one_disk(host, small_disk):
    """Put requests, statuses, state and log on one small disk, as on a Raspberry Pi."""
    disk = small_disk(host.root / "disk")
    for name in ("requests", "status", "state"):
        folder = host.root / "disk" / name
        folder.mkdir(mode=0o755)
        setattr(host, name, folder)
    paths = {name: str(getattr(host, name)) for name in ("requests", "status", "state")}
    host.set("paths", **paths, log_file=str(host.root / "disk/coordinator.log"))
    return disk


def start(host, update="", **settings):
    """Start a coordinator and serve one request before the disk is full."""
    host.component("core", {"update.sh": update}, **settings)
    host.start()
    assert host.submit_and_wait("before", "health")["success"]
    host.expect(lambda: not (host.state / "runs/before").exists(), "the removal of its files, which would free inodes")


def start_and_fill(host, disk, end, **settings):
    """Call ``start``; then ``update.sh`` of request ``one`` fills ``disk`` and executes ``end``."""
    start(host, f"cat /dev/zero > {host.state}/junk 2> /dev/null; {end}", **settings)
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    host.expect(disk.is_full, "a full disk")


def await_log(host, text):
    """Wait for a log line with ``text``."""
    host.expect(lambda: text in host.log(), f"{text!r} in the log")


def await_again(host, text):
    """Wait for one more log line with ``text``: the failed operation was retried."""
    seen = host.log().count(text)
    host.expect(lambda: host.log().count(text) > seen, f"{text!r} once more in the log")


def check_answer(host, request_id, scripts, state="succeeded", reason=None):
    """Check the one answer to a request; then serve another and check that the first is unchanged."""
    answer = host.answer(request_id)
    assert (answer["state"], answer["reason"], answer["success"]) == (state, reason, state == "succeeded")
    assert host.runs(request_id) == scripts
    before = host.final(request_id).stat()
    assert host.submit_and_wait(f"after-{request_id}", "health")["success"]
    wait_until(lambda: not list(host.requests.glob("*.json")), "no request left")
    assert host.final(request_id).stat().st_ino == before.st_ino
    assert host.runs(request_id) == scripts
    assert not [path.name for path in host.status.iterdir() if path.name.endswith((".tmp", ".progress.json"))]
    return answer
