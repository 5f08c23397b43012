"""The command line and its configuration, as people and programs use them."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.support.polling import wait_until
from tests.support.real_host import DEADLINE_S, Host


def _line_of(host, text):
    return host.config.read_text().splitlines().index(text) + 1


@pytest.mark.parametrize("command", [("run",), ("check",), ("history",), ("submit", "core", "health")])
def test_configuration_error_names_line_and_nearest_key(host, command):
    """An unknown key ends every command with 2, naming file, line, key and the nearest known key."""
    host.component("core")
    host.set("limits", request_byte=5000)
    done = host.cli(*command)
    assert done.returncode == 2
    assert f"{host.config}:{_line_of(host, 'request_byte = 5000')}" in done.stderr
    assert "limits.request_byte" in done.stderr
    assert "did you mean request_bytes?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("components.core", {"directry": "/x"}, ["components.core.directry", "did you mean directory?"]),
        ("components.core", {"timeout_s": "soon"}, ["components.core.timeout_s", "number"]),
        ("components.core", {"on_failure": "panic"}, ["components.core.on_failure", "rollback"]),
        ("paths", {"requests": "relative/path"}, ["paths.requests", "absolute"]),
        ("limit", {"request_bytes": 5000}, ["unknown key limit", "did you mean limits?"]),
        ("execution", {"executor": "shell"}, ["execution.executor", "sh"]),
        ("limits", {"output_bytes": -1}, ["limits.output_bytes"]),
    ],
)
def test_configuration_error_names_a_wrong_value(host, section, values, expected):
    """A wrong type or value ends the start with 2, naming the key and the allowed values."""
    host.component("core")
    host.set(section, **values)
    done = host.cli("run")
    assert done.returncode == 2
    assert all(part in done.stderr for part in expected), done.stderr


def test_configuration_rejects_a_shared_directory(host):
    """Two components with one directory are rejected with 2, naming both."""
    directory = host.component("core")
    host.sections["components.copy"] = {"directory": f"{directory}/../core"}
    done = host.cli("run")
    assert done.returncode == 2
    assert "components.core" in done.stderr
    assert "components.copy" in done.stderr


@pytest.mark.parametrize("content", [None, "[paths\n", b"\xff\xfe"])
def test_configuration_error_names_an_unreadable_file(host, content):
    """A missing or broken file ends with 2 and its path, without a traceback."""
    if content is not None:
        host.config.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = host.cli_raw("run", "--config", str(host.config))
    assert done.returncode == 2
    assert str(host.config) in done.stderr
    assert "Traceback" not in done.stderr


def test_second_coordinator_on_one_state_directory_is_rejected(host):
    """A second coordinator exits with 2, names the first, and does not affect it."""
    host.component("core")
    host.start()
    done = host.cli("run")
    assert done.returncode == 2
    assert "another coordinator" in done.stderr
    assert host.submit_and_wait("one", "health")["success"]


def test_submit_wait_prints_a_line_per_change(host):
    """On a pipe submit --wait prints a line per change, then the answer, and exits with 0 on success."""
    directory = host.component(
        "core", {"update.sh": "echo PHASE:pulling; echo PROGRESS:42; until [ -e go ]; do sleep 0.1; done"}
    )
    host.start()
    with host.cli_process("submit", "core", "update", "1.2.3", "--wait") as submit:
        lines = [submit.stdout.readline().rstrip("\n")]
        while lines[-1] and lines[-1] != "running pulling 42 %":
            lines.append(submit.stdout.readline().rstrip("\n"))
        (directory / "go").touch()
        rest, errors = submit.communicate(timeout=DEADLINE_S)
    assert submit.returncode == 0, errors
    assert lines[0].startswith("submitted ")
    assert lines[-1] == "running pulling 42 %"
    assert rest.splitlines()[-1].startswith("succeeded: ")
    assert "\x1b" not in "".join(lines) + rest


def test_submit_wait_prints_no_line_for_output_alone(host):
    """Progress with new output only prints no line."""
    progress = host.status / "$UPDATE_REQUEST_ID.progress.json"
    shown = (
        f"until grep -q line-$line {progress}; do sleep 0.02; done; sleep 0.2"  # the waiting client polls in between
    )
    host.component("core", {"update.sh": f"echo PHASE:pulling; for line in 1 2; do echo line-$line; {shown}; done"})
    host.start()
    done = host.cli("submit", "core", "update", "1.2.3", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count("running pulling") == 1


@pytest.mark.parametrize(("version", "state"), [("1.2.3", "rolled_back"), ("latest", "failed")])
def test_submit_wait_exits_with_1_for_a_failed_request(host, version, state):
    """Submit --wait exits with 1 when the update failed or was rejected, and prints the result."""
    host.component("core", {"update.sh": "exit 3"})
    host.start()
    done = host.cli("submit", "core", "update", version, "--wait")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(f"{state}: ")


def test_submit_wait_json_is_the_final_status(host):
    """Submit --wait --json prints exactly the final status."""
    host.component("core")
    host.start()
    done = host.cli("submit", "core", "health", "--wait", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["state"]) == (0, "succeeded")
    assert answer == host.answer(answer["request_id"])


def test_submit_prints_the_id(host):
    """Submit prints the generated id, which status accepts."""
    host.component("core")
    done = host.cli("submit", "core", "health")
    assert done.returncode == 0
    request_id = done.stdout.strip()
    assert json.loads(host.cli("submit", "core", "health", "--json").stdout)["request_id"]
    host.start()
    assert host.answer(request_id)["success"]


def test_submit_wait_times_out_without_a_coordinator(host):
    """Submit --wait exits with 1 and a hint when no coordinator answers in time."""
    host.component("core")
    done = host.cli("submit", "core", "health", "--wait", "--timeout", "0.2")
    assert done.returncode == 1
    assert "is the coordinator running" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("submit", "core", "dance"), ("submit",), ("frobnicate",), ("history", "--limit", "0")]
)
def test_wrong_usage_exits_with_2(host, arguments):
    """Unknown arguments exit with 2."""
    host.component("core")
    host.write_config()
    assert host.cli_raw(*arguments).returncode == 2


@pytest.fixture(scope="module")
def history_host(tmp_path_factory):
    """A host with history: a success, a rolled back update, a rejection and a running request."""
    host = Host(tmp_path_factory.mktemp("history"))
    host.component(
        "core",
        {"update.sh": '[ "$1" != 6.6.6 ] || exit 3; [ "$1" != 7.7.7 ] || { echo PHASE:waiting; sleep 1000; }'},
    )
    host.start()
    host.submit_and_wait("good", "update", version="1.0.0")
    host.submit_and_wait("bad", "update", version="6.6.6")
    host.submit_and_wait("rejected", "health", "nowhere")
    host.submit("open", "update", version="7.7.7")
    wait_until(lambda: (p := host.progress("open")) and p["phase"] == "waiting", "the last request to run")
    yield host
    host.close()


@pytest.mark.parametrize(
    ("request_id", "code", "words"),
    [
        ("good", 0, "succeeded: "),
        ("bad", 1, "rolled_back: "),
        ("rejected", 1, "failed: "),
        ("open", 0, "under way: running, waiting"),
    ],
)
def test_status_prints_state_and_exits_accordingly(history_host, request_id, code, words):
    """Status prints the answer, or the progress; it exits with 1 for a failed request."""
    done = history_host.cli("status", request_id)
    assert (done.returncode, words in done.stdout) == (code, True), done.stdout
    assert json.loads(history_host.cli("status", request_id, "--json").stdout)["state"] in words


def test_status_json_equals_the_final_status_file(history_host):
    """Status --json equals the final status file."""
    assert json.loads(history_host.cli("status", "bad", "--json").stdout) == history_host.answer("bad")


def test_history_lists_newest_first(history_host):
    """History lists requests newest first, with state and message; --json, --limit and --component select."""
    done = history_host.cli("history")
    assert done.returncode == 0
    rows = json.loads(history_host.cli("history", "--json").stdout)
    assert [row["request_id"] for row in rows] == ["open", "rejected", "bad", "good"]
    assert [row["state"] for row in rows] == ["running", "failed", "rolled_back", "succeeded"]
    assert all(state in done.stdout for state in ("running", "failed", "rolled_back", "succeeded"))
    assert [row["request_id"] for row in json.loads(history_host.cli("history", "--json", "--limit", "1").stdout)] == [
        "open"
    ]
    mine = json.loads(history_host.cli("history", "--json", "--component", "core").stdout)
    assert [row["request_id"] for row in mine] == ["open", "bad", "good"]


def test_explain_prints_events_in_order(history_host):
    """Explain prints transitions and runs in order; --json has the same facts."""
    done = history_host.cli("explain", "bad")
    assert done.returncode == 0
    places = [
        done.stdout.find(text)
        for text in ("accepted", "update.sh was started", "exit code 3", "rollback.sh was started", "was restored")
    ]
    assert -1 not in places, done.stdout
    assert places == sorted(places)
    facts = json.loads(history_host.cli("explain", "bad", "--json").stdout)
    assert facts["request"]["state"] == "rolled_back"
    assert [transition["event"] for transition in facts["transitions"]] == ["accept", "start", "fail", "roll_back"]
    assert [run["script"] for run in facts["attempts"]] == ["update.sh", "rollback.sh", "health-check.sh"]
    assert "still in progress" in history_host.cli("explain", "open").stdout
    assert "no script was run" in history_host.cli("explain", "rejected").stdout


@pytest.mark.parametrize("command", ["status", "explain"])
def test_unknown_id_exits_with_1_and_a_hint(history_host, command):
    """An unknown id exits with 1 and a hint where ids are listed."""
    done = history_host.cli(command, "unknown")
    assert done.returncode == 1
    assert "history" in done.stderr


def test_diagram_shows_every_state(history_host):
    """Diagram prints a Mermaid state diagram with all six states."""
    done = history_host.cli_raw("diagram")
    assert done.returncode == 0
    assert done.stdout.startswith("stateDiagram-v2")
    for state in ("received", "validated", "running", "succeeded", "failed", "rolled_back"):
        assert re.search(rf"\b{state}\b", done.stdout)


def test_check_passes_on_a_healthy_host(host):
    """On a healthy host check exits with 0 and reports no problem, in JSON too."""
    host.component("core")
    host.start()
    done = host.cli("check")
    assert done.returncode == 0, done.stdout
    assert "no problems found" in done.stdout
    findings = json.loads(host.cli("check", "--json").stdout)
    assert {finding["grade"] for finding in findings} <= {"good", "note"}
    assert {"configuration", "service", "shared folders", "scripts", "journal", "log", "health checks"} <= {
        finding["area"] for finding in findings
    }
    host.expect(lambda: not list(host.requests.iterdir()), "its requests to be removed, which follows their answers")
    assert not list(host.status.glob("*.json")), "check removes its own answers"


def test_check_does_not_wait_for_an_update(host):
    """A component whose lock is held by an update is not health-checked; others are."""
    directory = host.component("core", {"update.sh": "until [ -e go ]; do sleep 0.1; done"}, lock="one")
    host.component("sibling", lock="one")
    host.component("other")
    host.start()
    host.submit("long", "update", version="1.2.3")
    host.await_run("update.sh", "long")
    done = host.cli("check", "--json")
    (directory / "go").touch()
    host.answer("long")
    rows = [row for row in json.loads(done.stdout) if row["area"] == "health checks"]
    busy = "skipped, because it would have to wait: update core 1.2.3 is under way"
    assert [row["finding"] for row in rows] == [f"core: {busy}", "other: healthy", f"sibling: {busy}"]
    assert rows[0]["remedy"] == "update-coordinator explain long"
    assert done.returncode == 0


def test_check_names_every_problem_and_its_remedy(host):
    """On a broken host check exits with 1, and each problem has a remedy."""
    directory = host.component("core", {"health-check.sh": "exit 1"})
    host.component("unhealthy", {"health-check.sh": "exit 1"})
    host.start()
    (directory / "update.sh").chmod(0o644)
    (directory / "rollback.sh").unlink()
    host.state.chmod(0o777)
    done = host.cli("check", "--json")
    assert done.returncode == 1
    problems = [finding for finding in json.loads(done.stdout) if finding["grade"] == "bad"]
    assert all(finding["remedy"] for finding in problems)
    findings = "\n".join(finding["finding"] for finding in problems)
    for named in (directory / "update.sh", directory / "rollback.sh", host.state, "unhealthy"):
        assert str(named) in findings
    plain = host.cli("check").stdout
    assert "problem(s) found" in plain
    assert "→" in plain


def test_check_reports_a_missing_coordinator(host):
    """Without a coordinator, or with missing directories, check exits with 1 and names the remedy."""
    host.component("core")
    host.status.rmdir()
    done = host.cli("check")
    assert done.returncode == 1
    assert "no coordinator runs" in done.stdout
    assert f"{host.status} does not exist" in done.stdout
    assert not host.state.exists(), "check creates nothing"


def test_check_reports_a_damaged_journal_without_modifying_it(host):
    """Check reports a damaged journal and does not modify it."""
    host.component("core")
    host.start()
    host.submit_and_wait("one", "health")
    host.stop()
    host.journal.write_bytes(damaged := os.urandom(8192))
    done = host.cli("check", "--no-scripts")
    assert done.returncode == 1
    assert str(host.journal) in done.stdout
    assert "builds a new one" in done.stdout
    assert host.journal.read_bytes() == damaged


def test_dry_run_starts_no_script(host):
    """Run --dry-run answers requests without starting a script."""
    host.component("core")
    host.start_arguments = ("--dry-run",)
    host.start()
    host.submit_and_wait("one", "update")
    assert host.runs() == []


def test_log_lines_carry_the_request_id(host):
    """Log lines about a request carry its id, in the log file and on stderr."""
    host.component("core")
    host.start()
    host.submit_and_wait("one", "health")
    host.submit_and_wait("two", "health", "nowhere")
    assert re.search(r"INFO +\[one\] accepted", host.log())
    assert re.search(r"WARNING +\[two\] rejected \(unknown_component\)", host.log_file.read_text())
