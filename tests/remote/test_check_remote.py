"""``dunebugger-remote check`` against a real coordinator, release server and NATS server."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy

import pytest
from remote_server import installation

from protocol.client import StatusTimeoutError
from protocol.clock import SystemClock
from protocol.diagnostics import Severity, good
from remote import serve_checks
from remote.commands import check
from remote.releases.github import GitHubClient
from remote.settings import RemoteSettings
from tests.support.real_host import DEADLINE_S, REPOSITORY


def start(serving):
    """Start the coordinator and serve; both components have a release."""
    for name in ("core", "scheduler"):
        serving.github.publish(f"owner/{name}", "1.0.0")
    serving.host.start()
    serving.start()
    return serving


@pytest.fixture
def ready(serving):
    """The coordinator and serve are running, and both components have a release; the test may change all of it."""
    return start(serving)


@pytest.fixture(scope="module")
def module_ready(tmp_path_factory):
    """The same, shared by the tests that change only the configuration that the command reads."""
    with installation(tmp_path_factory.mktemp("ready")) as serving:
        yield start(serving)


@pytest.fixture
def working(module_ready):
    """The shared installation; its configuration and environment are restored after the test."""
    sections, environment = deepcopy(module_ready.sections), dict(module_ready.environment)
    yield module_ready
    module_ready.sections, module_ready.environment = sections, environment
    module_ready.write_config()


def run_check(serving, code):
    """Run the command with ``--json``; return its results by area."""
    done = serving.cli("check", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, list] = {}
    for row in json.loads(done.stdout):
        found.setdefault(row["area"], []).append(row)
    return found


def bad_results(found):
    """Return area, finding and remedy of each bad result."""
    return [
        (row["area"], row["finding"], row["remedy"]) for rows in found.values() for row in rows if row["grade"] == "bad"
    ]


def test_check_finds_no_problem_in_a_working_installation(working):
    """Every area has results, and no file is left in the shared folders."""
    found = run_check(working, 0)
    assert list(found) == ["server", "folders", "coordinator", "installed versions", "releases", "NATS"]
    assert "serve answers" in found["server"][1]["finding"]
    assert "core: the coordinator answers: Healthy" in [row["finding"] for row in found["coordinator"]]
    assert "core: 1.0.0 is the latest release of owner/core" in [row["finding"] for row in found["releases"]]
    assert [*working.host.status.glob("*.json"), *working.host.requests.glob("*.json")] == []


def test_check_does_not_use_a_proxy_for_loopback(working):
    """A proxy from the environment could not reach the container's loopback address."""
    working.environment["http_proxy"] = "http://127.0.0.1:1"
    assert "serve answers" in run_check(working, 0)["server"][1]["finding"]


def test_check_prints_marks_and_a_summary(working):
    """The text output has areas, results with marks, and a summary."""
    done = working.cli("check")
    assert done.returncode == 0
    assert done.stdout.startswith("server\n  ✓ clients of 127.0.0.1:")
    assert done.stdout.endswith("no problems found\n")


def test_check_reports_a_coordinator_that_is_not_running(ready):
    """There is one result for all components, and the request is withdrawn."""
    ready.sections["gateway"]["pickup_s"] = 0.3
    ready.host.stop()
    ((area, finding, remedy),) = bad_results(run_check(ready, 1))
    assert area == "coordinator"
    assert "no answer" in finding
    assert "systemctl status" in remedy
    assert list(ready.host.requests.glob("*.json")) == []


def test_check_reports_a_component_that_the_coordinator_does_not_have(ready):
    """Both configurations must use the same name."""
    ready.sections["components.kore"] = ready.sections["components.core"]
    ready.github.publish("owner/core", "1.1.0")
    ((area, finding, remedy),) = bad_results(run_check(ready, 1))
    assert (area, finding) == ("coordinator", "kore: the coordinator has no such component")
    assert "the same name" in remedy


def test_check_reports_a_missing_volume(ready):
    """The finding names the folder."""
    ready.host.stop()
    ready.host.requests.rmdir()
    found = bad_results(run_check(ready, 1))
    assert ("folders", f"paths.requests {ready.host.requests}: No such file or directory") in [row[:2] for row in found]


def test_check_reports_version_repository_and_nats_problems(ready):
    """Each area has its own result: a VERSION file, a repository and a NATS server are missing."""
    (ready.directory("core") / "VERSION").unlink()
    ready.sections["components.scheduler"]["repository"] = "nowhere"
    ready.sections["nats"] = {"url": "nats://127.0.0.1:9"}
    found = bad_results(run_check(ready, 1))
    assert [row[0] for row in found] == ["installed versions", "releases", "NATS"]
    assert "owner/nowhere" in found[1][1]


def test_check_accepts_a_nats_server_that_answers(working, nats):
    """The server accepts the connection and the subscription."""
    working.sections["nats"] = {"url": nats.url}
    assert run_check(working, 0)["NATS"][0]["grade"] == "good"


def test_check_reports_an_open_address_without_a_token(working):
    """The check rejects the same configuration as serve."""
    working.sections["server"]["host"] = "0.0.0.0"
    assert "there is no access token" in bad_results(run_check(working, 1))[0][1]


@pytest.mark.parametrize("as_json", [True, False])
def test_check_continues_after_a_check_that_raises(monkeypatch, capsys, as_json):
    """An exception is a bad result of its area, and the areas around it have their own results (I16)."""

    def broken(*_arguments):
        yield good("before")
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(check.logs, "set_up", lambda _level: None)  # keeps the log setup of the other tests
    for name in ("check_server", "check_coordinator", "check_releases", "check_nats"):
        monkeypatch.setattr(serve_checks, name, lambda *_arguments: [good("works")])
    monkeypatch.setattr(serve_checks, "check_folders", broken)
    monkeypatch.setattr(serve_checks, "check_installed_versions", broken)
    assert check.execute(RemoteSettings(), as_json=as_json) == 1
    out = capsys.readouterr().out
    assert out.count("works") == 4
    assert out.count("before") == 2
    for area in ("folders", "installed versions"):
        assert f"cannot check {area}: ZeroDivisionError: broken" in out


def test_check_releases_continues_after_an_unexpected_exception(monkeypatch):
    """A defect that one repository triggers is a bad result, and the others are checked (I16)."""

    async def list_releases(_github, repository):
        if repository.endswith("/dunebugger"):
            raise ZeroDivisionError
        return []

    monkeypatch.setattr(GitHubClient, "list_releases", list_releases)
    first, *others = serve_checks.check_releases(RemoteSettings(), SystemClock())
    assert (first.severity, "ZeroDivisionError" in first.text) == (Severity.BAD, True)
    assert [result.severity for result in others] == [Severity.NOTE, Severity.NOTE]


def test_check_coordinator_continues_after_a_component_without_an_answer(monkeypatch):
    """A component whose request is read but not answered does not prevent the other checks (I16)."""
    requested = []

    def request_health(_client, component, _pickup_s, progress):
        requested.append(component)
        if component == "core":
            progress.append("taken up")
        raise StatusTimeoutError(f"no answer for {component}")

    monkeypatch.setattr(serve_checks, "_request_health", request_health)
    results = list(serve_checks.check_coordinator(RemoteSettings(), SystemClock()))
    assert requested == ["core", "scheduler"]
    assert [result.text for result in results] == ["no answer for core", "no answer for scheduler"]


def test_command_without_its_libraries_names_the_package_extra(working):
    """The command is installed with the coordinator, but its libraries only with the extra."""
    missing = "import sys; sys.modules['uvicorn'] = None; from remote.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", missing, "serve", "--config", str(working.config)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        "cannot start: uvicorn is not installed; install dunebugger-update-coordinator[remote]\n",
    )
