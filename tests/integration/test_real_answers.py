"""Well-formed requests for scripts that succeed or fail."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.support.polling import wait_until
from tests.support.real_host import request

FIELDS = {
    "request_id",
    "component",
    "action",
    "version",
    "success",
    "state",
    "reason",
    "message",
    "output",
    "error",
    "exit_code",
    "timestamp",
    "started_at",
    "finished_at",
    "attempts",
}
PROGRESS_FIELDS = {
    "request_id",
    "component",
    "action",
    "state",
    "phase",
    "percent",
    "seq",
    "timestamp",
    "output",
    "error",
}


def _instants(answer):
    """The timestamps of an answer, in the order they must have."""
    return [datetime.fromisoformat(answer[name]) for name in ("started_at", "finished_at")]


@pytest.mark.parametrize(
    ("action", "version", "scripts"),
    [
        ("health", None, ["health-check.sh"]),
        ("update", "v1.2.3-rc.1+build.5", ["update.sh", "health-check.sh"]),
        ("rollback", None, ["rollback.sh", "health-check.sh"]),
    ],
)
def test_success_has_every_field_and_leaves_no_file(host, action, version, scripts):
    """A success has every field of the contract; request file and progress are removed."""
    host.component(
        "core", {script: f"echo out of {script}; echo err of {script} >&2" for script in ("update.sh", *scripts)}
    )
    host.start()
    answer = host.submit_and_wait("one", action, version=version)
    assert set(answer) == FIELDS
    assert {name: answer[name] for name in ("request_id", "component", "action", "version", "success", "state")} == {
        "request_id": "one",
        "component": "core",
        "action": action,
        "version": version,
        "success": True,
        "state": "succeeded",
    }
    assert answer["reason"] is None
    assert answer["message"]
    assert answer["output"] == "".join(f"out of {script}\n" for script in scripts)
    assert answer["error"] == "".join(f"err of {script}\n" for script in scripts)
    assert answer["exit_code"] == 0
    assert [(run["script"], run["exit_code"]) for run in answer["attempts"]] == [(script, 0) for script in scripts]
    assert all(run["seconds"] >= 0 for run in answer["attempts"])
    started, finished = _instants(answer)
    assert started.tzinfo is not None
    assert started <= finished
    assert datetime.fromisoformat(answer["timestamp"]).tzinfo is not None
    assert host.runs() == [f"{script} one" for script in scripts]
    assert not list(host.requests.iterdir())
    assert [path.name for path in host.status.glob("*.json")] == ["one.json"]


def test_script_environment_holds_only_its_request(host):
    """A script runs in its component's directory, with stdin closed, in its own session, with a minimal environment."""
    host.environment["LD_SOMETHING_OF_THE_OPERATOR"] = "x"
    directory = host.component("core", {"update.sh": "true"})
    seen = host.root / "seen"
    host.script(
        "core",
        "update.sh",
        f'env -0 > {seen}.env; pwd > {seen}.cwd; printf \'%s\\n\' "$#" "$@" > {seen}.arguments\n'
        f"cat > {seen}.stdin; cut -d' ' -f6 /proc/$$/stat > {seen}.session; ls /proc/$$/fd > {seen}.descriptors",
    )
    host.start()
    assert host.submit_and_wait("one", "update", version="v2.0.0")["success"]

    def read(what):
        return seen.with_suffix(f".{what}").read_text()

    environment = dict(entry.split("=", 1) for entry in read("env").split("\0") if entry)
    assert {name: value for name, value in environment.items() if name.startswith("UPDATE_")} == {
        "UPDATE_REQUEST_ID": "one",
        "UPDATE_COMPONENT": "core",
        "UPDATE_ACTION": "update",
        "UPDATE_VERSION": "v2.0.0",
        "UPDATE_ROLLBACK_OF": "one",
    }
    rest = {name for name in environment if not name.startswith("UPDATE_")}
    assert rest <= {"PATH", "HOME", "LANG", "PWD", "SHLVL", "_"}
    assert read("cwd").strip() == str(directory)
    assert read("arguments").split() == ["1", "v2.0.0"]
    assert read("stdin") == ""
    assert int(read("session")) != host.process.pid
    assert set(read("descriptors").split()) <= {"0", "1", "2", "255"}, "descriptors leaked into the script"


def test_failed_update_is_rolled_back(host):
    """An update whose script fails is rolled back once, and the answer has the reason."""
    host.component(
        "core",
        {
            "update.sh": "echo trying; echo no such image >&2; exit 3",
            "rollback.sh": 'echo "undoing $UPDATE_ROLLBACK_OF"',
        },
    )
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["state"], answer["reason"]) == (False, "rolled_back", "script_failed")
    assert answer["exit_code"] == 3
    assert answer["output"] == "trying\nundoing one\n"
    assert answer["error"] == "no such image\n"
    assert "3" in answer["message"]
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_unhealthy_update_is_rolled_back(host):
    """An update with a failing health check is rolled back; the check then decides about the rollback."""
    host.component(
        "core",
        {
            "update.sh": "touch broken",
            "health-check.sh": "test ! -e broken || { echo unhealthy >&2; exit 4; }",
            "rollback.sh": "rm broken",
        },
    )
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["state"], answer["reason"]) == (False, "rolled_back", "unhealthy")
    assert answer["exit_code"] == 4
    assert host.runs("one") == ["update.sh", "health-check.sh", "rollback.sh", "health-check.sh"]


@pytest.mark.parametrize(
    ("rollback", "health", "scripts"),
    [
        ("exit 9", "", ["update.sh", "rollback.sh"]),
        ("touch unhealthy", "test ! -e unhealthy", ["update.sh", "rollback.sh", "health-check.sh"]),
    ],
)
def test_failed_rollback_is_reported(host, rollback, health, scripts):
    """A rollback that fails, or leaves the component unhealthy, gives failed/rollback_failed."""
    host.component("core", {"update.sh": "exit 3", "rollback.sh": rollback, "health-check.sh": health})
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["state"], answer["reason"]) == (False, "failed", "rollback_failed")
    assert host.runs("one") == scripts
    assert "unexpected error" not in host.log(), "the lane failed on its own settled request"


def test_on_failure_none_skips_the_rollback(host):
    """With on_failure = none a failed update stays failed, and rollback.sh is not required."""
    host.component("core", {"update.sh": "exit 3", "rollback.sh": None}, on_failure="none")
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["state"], answer["reason"], answer["exit_code"]) == ("failed", "script_failed", 3)
    assert host.runs("one") == ["update.sh"]


def test_verify_health_false_skips_the_health_check(host):
    """With verify_health = false update.sh alone decides, and health-check.sh is not required."""
    host.component("core", {"health-check.sh": None}, verify_health=False)
    host.start()
    assert host.submit_and_wait("one", "update")["state"] == "succeeded"
    assert host.runs("one") == ["update.sh"]


def test_health_request_reports_an_unhealthy_component(host):
    """A health request on an unhealthy component fails as unhealthy, with the check's exit code and output."""
    host.component("core", {"health-check.sh": "echo port closed; exit 1"})
    host.start()
    answer = host.submit_and_wait("one", "health")
    assert (answer["success"], answer["state"], answer["reason"]) == (False, "failed", "unhealthy")
    assert (answer["exit_code"], answer["output"]) == (1, "port closed\n")


def test_rollback_receives_the_update_it_reverts(host):
    """A rollback request receives the last update that ran and was not rolled back (I8)."""
    host.component("core", {"rollback.sh": 'echo "undo:$UPDATE_ROLLBACK_OF:"'})
    host.component("other")
    host.start()
    for update in ("u1", "u2"):
        assert host.submit_and_wait(update, "update")["success"]
    assert host.submit_and_wait("u3", "update", "other")["success"]
    assert host.submit_and_wait("h1", "health")["success"]
    undone = [host.submit_and_wait(f"r{number}", "rollback")["output"] for number in (1, 2, 3)]
    assert undone == ["undo:u2:\n", "undo:u1:\n", "undo::\n"]


def test_progress_shows_phase_and_percent_while_a_script_runs(host):
    """Reported phases and percentages appear as progress at once; the final status replaces it."""
    host.component(
        "core",
        {"update.sh": "echo PHASE:pulling; echo PROGRESS:42; until [ -e go ]; do sleep 0.1; done; echo PROGRESS:100"},
    )
    host.start()
    host.submit("one", "update")
    seen = wait_until(lambda: (p := host.progress("one")) and p["percent"] == 42 and p, "the percentage to appear")
    assert set(seen) == PROGRESS_FIELDS
    assert (seen["state"], seen["phase"], seen["component"], seen["action"]) == ("running", "pulling", "core", "update")
    assert not host.final("one").exists()
    (host.root / "components/core/go").touch()
    assert host.answer("one")["success"]
    assert host.progress("one") is None


def test_request_may_have_unknown_fields_and_a_local_timestamp(host):
    """Unknown fields are ignored, and a timestamp without offset is local time."""
    host.component("core")
    host.start()
    host.drop("one.json", request("one", "health") | {"timestamp": "2026-01-02T03:04:05", "signature": {"by": "x"}})
    assert host.answer("one")["success"]


def test_start_answers_waiting_requests(host):
    """A request that arrived while no coordinator ran is answered after the start."""
    host.component("core")
    host.submit("one", "health")
    host.start()
    assert host.answer("one")["success"]


def test_resubmission_of_a_running_request_starts_nothing(host):
    """An id resubmitted before it is settled is not executed again (I7)."""
    host.component("core", {"update.sh": "until [ -e go ]; do sleep 0.1; done"})
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    host.submit("one", "update", version="9.9.9")
    assert (
        host.submit_and_wait("bad", "update", "nowhere")["reason"] == "unknown_component"
    )  # one intake pass has read both
    (host.root / "components/core/go").touch()
    answer = host.answer("one")
    assert (answer["success"], answer["version"]) == (True, "1.2.3")
    assert host.submit_and_wait("two", "health")["success"]
    assert host.runs("one") == ["update.sh", "health-check.sh"]


@pytest.mark.parametrize("restarted", [False, True])
def test_resubmission_of_a_settled_id_gets_the_recorded_answer(host, restarted):
    """An id resubmitted after its answer was taken gets the same answer, and no script runs (I7)."""
    host.component("core", {"update.sh": "echo once; exit 3"})
    host.start()
    first = host.submit_and_wait("one", "update")
    host.final("one").unlink()
    if restarted:
        host.stop()
        host.start()
    host.submit("one", "health")
    assert host.answer("one") == first
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_rejected_id_stays_rejected(busy_host):
    """A valid request under a rejected id gets the recorded rejection (I7)."""
    busy_host.drop("rejected.json", request("rejected", "update"))
    first = busy_host.answer("rejected")
    assert first["reason"] == "invalid_request"
    busy_host.final("rejected").unlink()
    assert busy_host.submit_and_wait("rejected", "update", version="1.0.0") == first
    assert busy_host.runs("rejected") == []


def test_final_status_never_changes(busy_host):
    """A final status file does not change after it appeared (I1, I5)."""
    busy_host.submit_and_wait("stays", "health")
    before = busy_host.final("stays").stat()
    busy_host.submit("stays", "update")
    busy_host.submit_and_wait("later", "health")
    wait_until(lambda: not (busy_host.requests / "stays.json").exists(), "the repeated request to be removed")
    after = busy_host.final("stays").stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_size) == (after.st_ino, after.st_mtime_ns, after.st_size)
    assert json.loads(busy_host.final("stays").read_text())["action"] == "health"
