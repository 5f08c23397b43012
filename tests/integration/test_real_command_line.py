"""The command line, as a person or a program types it, and the configuration it is given."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.support.real_host import Host, until


def _line_of(host, text):
    return host.config.read_text().splitlines().index(text) + 1


@pytest.mark.parametrize("command", [("run",), ("check",), ("history",), ("submit", "core", "health")])
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one(host, command):
    """A key nobody knows ends every command with 2, naming file, line, key and the nearest known key."""
    host.component("core")
    host.set("limits", request_byte=5000)
    done = host.cli(*command)
    assert done.returncode == 2
    assert f"{host.config}:{_line_of(host, 'request_byte = 5000')}" in done.stderr
    assert "limits.request_byte" in done.stderr
    assert "did you mean request_bytes?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("section", "values", "told"),
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
def test_a_wrong_value_is_named(host, section, values, told):
    """A wrong type or value ends the start with 2, naming the key and what would do."""
    host.component("core")
    host.set(section, **values)
    done = host.cli("run")
    assert done.returncode == 2
    assert all(part in done.stderr for part in told), done.stderr


def test_two_components_may_not_share_a_directory(host):
    """Two components with one directory are refused with 2, naming both."""
    directory = host.component("core")
    host.sections["components.copy"] = {"directory": f"{directory}/../core"}
    done = host.cli("run")
    assert done.returncode == 2
    assert "components.core" in done.stderr
    assert "components.copy" in done.stderr


@pytest.mark.parametrize("content", [None, "[paths\n", b"\xff\xfe"])
def test_a_configuration_that_cannot_be_read_is_named(host, content):
    """A missing or broken file ends with 2 and its path, not with a traceback."""
    if content is not None:
        host.config.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = host.cli_raw("run", "--config", str(host.config))
    assert done.returncode == 2
    assert str(host.config) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_coordinator_on_the_same_state_is_refused(host):
    """A second coordinator ends with 2, says who is in the way, and disturbs nothing."""
    host.component("core")
    host.start()
    done = host.cli("run")
    assert done.returncode == 2
    assert "another coordinator" in done.stderr
    assert host.settle("one", "health")["success"]


def test_submit_and_wait_shows_plain_lines_and_ends_with_0(host):
    """On a pipe submit --wait prints a line per change, then the answer; 0 when the request succeeded."""
    host.component("core", {"update.sh": "echo PHASE:pulling; echo PROGRESS:42; sleep 0.4"})
    host.start()
    done = host.cli("submit", "core", "update", "1.2.3", "--wait")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("submitted ")
    assert "running pulling 42 %" in lines
    assert lines[-1].startswith("succeeded: ")
    assert "\x1b" not in done.stdout


def test_submit_and_wait_shows_no_line_for_output_alone(host):
    """Progress that brings nothing but more output changes nothing of what --wait shows."""
    progress = host.status / "$UPDATE_REQUEST_ID.progress.json"
    shown = f"until grep -q line-$line {progress}; do sleep 0.02; done; sleep 0.2"  # time for whoever waits to see it
    host.component("core", {"update.sh": f"echo PHASE:pulling; for line in 1 2; do echo line-$line; {shown}; done"})
    host.start()
    done = host.cli("submit", "core", "update", "1.2.3", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count("running pulling") == 1


@pytest.mark.parametrize(("version", "state"), [("1.2.3", "rolled_back"), ("latest", "failed")])
def test_submit_and_wait_ends_with_1_when_the_request_failed(host, version, state):
    """Submit --wait ends with 1 when the update failed or was refused, and says how."""
    host.component("core", {"update.sh": "exit 3"})
    host.start()
    done = host.cli("submit", "core", "update", version, "--wait")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(f"{state}: ")


def test_submit_and_wait_as_json_is_the_answer(host):
    """Submit --wait --json prints exactly the final status."""
    host.component("core")
    host.start()
    done = host.cli("submit", "core", "health", "--wait", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["state"]) == (0, "succeeded")
    assert answer == host.answer(answer["request_id"])


def test_submit_without_waiting_prints_the_id(host):
    """Submit prints the id it chose, with which status then tells the answer."""
    host.component("core")
    done = host.cli("submit", "core", "health")
    assert done.returncode == 0
    request_id = done.stdout.strip()
    assert json.loads(host.cli("submit", "core", "health", "--json").stdout)["request_id"]
    host.start()
    assert host.answer(request_id)["success"]


def test_submit_gives_up_waiting_when_nobody_answers(host):
    """Submit --wait ends with 1 and a question when no coordinator answers in time."""
    host.component("core")
    done = host.cli("submit", "core", "health", "--wait", "--timeout", "0.2")
    assert done.returncode == 1
    assert "is the coordinator running" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("submit", "core", "dance"), ("submit",), ("frobnicate",), ("history", "--limit", "0")]
)
def test_wrong_usage_ends_with_2(host, arguments):
    """What the command line does not know ends with 2."""
    host.component("core")
    host.write_config()
    assert host.cli_raw(*arguments).returncode == 2


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A host with a story: a success, a rolled back update, a refusal and one under way."""
    host = Host(tmp_path_factory.mktemp("told"))
    host.component(
        "core",
        {"update.sh": '[ "$1" != 6.6.6 ] || exit 3; [ "$1" != 7.7.7 ] || { echo PHASE:waiting; sleep 1000; }'},
    )
    host.start()
    host.settle("good", "update", version="1.0.0")
    host.settle("bad", "update", version="6.6.6")
    host.settle("refused", "health", "nowhere")
    host.ask("open", "update", version="7.7.7")
    until(lambda: (p := host.progress("open")) and p["phase"] == "waiting", "the last one to run")
    yield host
    host.close()


@pytest.mark.parametrize(
    ("request_id", "code", "words"),
    [
        ("good", 0, "succeeded: "),
        ("bad", 1, "rolled_back: "),
        ("refused", 1, "failed: "),
        ("open", 0, "under way: running, waiting"),
    ],
)
def test_status_tells_where_a_request_stands(told, request_id, code, words):
    """Status shows the answer, or how far the request is; 1 when it failed."""
    done = told.cli("status", request_id)
    assert (done.returncode, words in done.stdout) == (code, True), done.stdout
    assert json.loads(told.cli("status", request_id, "--json").stdout)["state"] in words


def test_status_as_json_is_the_file_the_container_reads(told):
    """Status --json gives the same facts as the final status file."""
    assert json.loads(told.cli("status", "bad", "--json").stdout) == told.answer("bad")


def test_history_lists_the_latest_first(told):
    """History names requests newest first, with state and message; --json, --limit and --component do what they say."""
    done = told.cli("history")
    assert done.returncode == 0
    rows = json.loads(told.cli("history", "--json").stdout)
    assert [row["request_id"] for row in rows] == ["open", "refused", "bad", "good"]
    assert [row["state"] for row in rows] == ["running", "failed", "rolled_back", "succeeded"]
    assert all(state in done.stdout for state in ("running", "failed", "rolled_back", "succeeded"))
    assert [row["request_id"] for row in json.loads(told.cli("history", "--json", "--limit", "1").stdout)] == ["open"]
    mine = json.loads(told.cli("history", "--json", "--component", "core").stdout)
    assert [row["request_id"] for row in mine] == ["open", "bad", "good"]


def test_explain_tells_the_story_in_order(told):
    """Explain tells moves and runs in the order they happened; --json holds the same facts."""
    done = told.cli("explain", "bad")
    assert done.returncode == 0
    places = [
        done.stdout.find(text)
        for text in ("accepted", "update.sh was started", "exit code 3", "rollback.sh was started", "was restored")
    ]
    assert -1 not in places, done.stdout
    assert places == sorted(places)
    facts = json.loads(told.cli("explain", "bad", "--json").stdout)
    assert facts["request"]["state"] == "rolled_back"
    assert [move["event"] for move in facts["transitions"]] == ["accept", "start", "fail", "roll_back"]
    assert [run["script"] for run in facts["attempts"]] == ["update.sh", "rollback.sh", "health-check.sh"]
    assert "not over yet" in told.cli("explain", "open").stdout
    assert "no script was run" in told.cli("explain", "refused").stdout


@pytest.mark.parametrize("command", ["status", "explain"])
def test_an_unknown_id_ends_with_1_and_a_hint(told, command):
    """An id nobody submitted ends with 1 and says where ids are listed."""
    done = told.cli(command, "nobody")
    assert done.returncode == 1
    assert "history" in done.stderr


def test_diagram_draws_the_table_of_moves(told):
    """Diagram prints a Mermaid state diagram that names all six states."""
    done = told.cli_raw("diagram")
    assert done.returncode == 0
    assert done.stdout.startswith("stateDiagram-v2")
    for state in ("received", "validated", "running", "succeeded", "failed", "rolled_back"):
        assert re.search(rf"\b{state}\b", done.stdout)


def test_check_is_content_with_a_healthy_host(host):
    """On a healthy host check ends with 0, finds no problem, and its JSON says the same."""
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
    host.expect(lambda: not list(host.requests.iterdir()), "its requests to be taken away, which follows their answers")
    assert not list(host.status.glob("*.json")), "check takes its own answers away"


def test_check_does_not_wait_for_an_update(host):
    """A component whose lock is held by an update is not asked how it is; the others are."""
    directory = host.component("core", {"update.sh": "until [ -e go ]; do sleep 0.01; done"}, lock="one")
    host.component("sister", lock="one")
    host.component("other")
    host.start()
    host.ask("long", "update", version="1.2.3")
    host.await_run("update.sh", "long")
    done = host.cli("check", "--json")
    (directory / "go").touch()
    host.answer("long")
    rows = [row for row in json.loads(done.stdout) if row["area"] == "health checks"]
    busy = "not asked, for it would wait: update core 1.2.3 is under way"
    assert [row["finding"] for row in rows] == [f"core: {busy}", "other: healthy", f"sister: {busy}"]
    assert rows[0]["remedy"] == "update-coordinator explain long"
    assert done.returncode == 0


def test_check_names_every_problem_and_its_remedy(host):
    """On a broken host check ends with 1; each problem has a remedy."""
    directory = host.component("core", {"health-check.sh": "exit 1"})
    host.component("sick", {"health-check.sh": "exit 1"})
    host.start()
    (directory / "update.sh").chmod(0o644)
    (directory / "rollback.sh").unlink()
    host.state.chmod(0o777)
    done = host.cli("check", "--json")
    assert done.returncode == 1
    problems = [finding for finding in json.loads(done.stdout) if finding["grade"] == "bad"]
    assert all(finding["remedy"] for finding in problems)
    told_of = "\n".join(finding["finding"] for finding in problems)
    for named in (directory / "update.sh", directory / "rollback.sh", host.state, "sick"):
        assert str(named) in told_of
    plain = host.cli("check").stdout
    assert "problem(s) found" in plain
    assert "→" in plain


def test_check_misses_a_coordinator_that_does_not_run(host):
    """Without a coordinator, or with folders missing, check ends with 1 and says what to start or make."""
    host.component("core")
    host.status.rmdir()
    done = host.cli("check")
    assert done.returncode == 1
    assert "no coordinator runs" in done.stdout
    assert f"{host.status} does not exist" in done.stdout
    assert not host.state.exists(), "check makes nothing"


def test_check_reads_a_damaged_journal_without_touching_it(host):
    """A journal that is no database is named by check, which leaves it as it is."""
    host.component("core")
    host.start()
    host.settle("one", "health")
    host.stop()
    host.journal.write_bytes(damaged := os.urandom(8192))
    done = host.cli("check", "--no-scripts")
    assert done.returncode == 1
    assert str(host.journal) in done.stdout
    assert "builds a new one" in done.stdout
    assert host.journal.read_bytes() == damaged


def test_dry_run_starts_no_script(host):
    """Run --dry-run answers requests without starting any script."""
    host.component("core")
    host.start_arguments = ("--dry-run",)
    host.start()
    host.settle("one", "update")
    assert host.runs() == []


def test_the_log_binds_every_line_to_its_request(host):
    """What is said about a request carries its id, in the log file as on stderr."""
    host.component("core")
    host.start()
    host.settle("one", "health")
    host.settle("two", "health", "nowhere")
    assert re.search(r"INFO +\[one\] accepted", host.log())
    assert re.search(r"WARNING +\[two\] refused \(unknown_component\)", host.log_file.read_text())
