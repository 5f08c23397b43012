"""A host on a full disk: how it gets there, and what must be true afterwards."""

from __future__ import annotations

from tests.support.real_host import until

WAIT = "until [ -e go ]; do sleep 0.02; done"
NO_JOURNAL = "database or disk is full"
UPDATED = ["update.sh", "health-check.sh"]
UNDONE = ["update.sh", "rollback.sh", "health-check.sh"]


def one_card(host, small_disk):
    """Requests, statuses, state and log on the same small disk, as on a Raspberry Pi."""
    disk = small_disk(host.root / "card")
    for name in ("requests", "status", "state"):
        folder = host.root / "card" / name
        folder.mkdir(mode=0o755)
        setattr(host, name, folder)
    paths = {name: str(getattr(host, name)) for name in ("requests", "status", "state")}
    host.set("paths", **paths, log_file=str(host.root / "card/coordinator.log"))
    return disk


def start(host, update="", **settings):
    """A coordinator that has worked before its disk gets full."""
    host.component("core", {"update.sh": update}, **settings)
    host.start()
    assert host.settle("before", "health")["success"]
    host.expect(lambda: not (host.state / "runs/before").exists(), "its files to go, whose names would be free again")


def start_and_fill(host, disk, end, **settings):
    """The same, under which ``update.sh`` of the request ``one`` has filled ``disk``, and goes on with ``end``."""
    start(host, f"cat /dev/zero > {host.state}/junk 2> /dev/null; {end}", **settings)
    host.ask("one", "update")
    host.await_run("update.sh", "one")
    host.expect(disk.is_full, "a full disk")


def await_log(host, text):
    """A line with this in it."""
    host.expect(lambda: text in host.log(), f"{text!r} in the log")


def await_again(host, text):
    """One more such line: what did not work has been tried again."""
    seen = host.log().count(text)
    host.expect(lambda: host.log().count(text) > seen, f"{text!r} once more in the log")


def settled(host, request_id, scripts, state="succeeded", reason=None):
    """The one answer to a request, after which another is served and nothing more happens to the first."""
    answer = host.answer(request_id)
    assert (answer["state"], answer["reason"], answer["success"]) == (state, reason, state == "succeeded")
    assert host.runs(request_id) == scripts
    before = host.final(request_id).stat()
    assert host.settle(f"after-{request_id}", "health")["success"]
    until(lambda: not list(host.requests.glob("*.json")), "no request left")
    assert host.final(request_id).stat().st_ino == before.st_ino
    assert host.runs(request_id) == scripts
    assert not [path.name for path in host.status.iterdir() if path.name.endswith((".tmp", ".progress.json"))]
    return answer
