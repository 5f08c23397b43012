"""`dunebugger-remote check`: everything that serve needs, tried for real."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.real_host import DEADLINE_S, REPOSITORY


@pytest.fixture
def ready(serving):
    """A household that could not be better: the coordinator and serve run."""
    for name in ("core", "scheduler"):
        serving.github.publish(f"owner/{name}", "1.0.0")
    serving.host.start()
    serving.start()
    return serving


def findings(serving, code):
    """What it prints for programs: area → the findings there."""
    done = serving.cli("check", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, list] = {}
    for row in json.loads(done.stdout):
        found.setdefault(row["area"], []).append(row)
    return found


def bad(found):
    """Each finding that is to be mended, with its remedy."""
    return [
        (row["area"], row["finding"], row["remedy"]) for rows in found.values() for row in rows if row["grade"] == "bad"
    ]


def test_a_good_household_has_nothing_to_mend(ready):
    """Every area is looked at, and nothing is left behind in the shared folders."""
    found = findings(ready, 0)
    assert list(found) == ["server", "folders", "coordinator", "installed versions", "releases", "NATS"]
    assert "serve answers" in found["server"][1]["finding"]
    assert "core: the coordinator answers: Healthy" in [row["finding"] for row in found["coordinator"]]
    assert "core: 1.0.0 is the latest release of owner/core" in [row["finding"] for row in found["releases"]]
    assert [*ready.host.status.glob("*.json"), *ready.host.requests.glob("*.json")] == []


def test_a_proxy_for_the_world_is_not_asked_for_what_is_here(ready):
    """A proxy named in the environment knows nothing of our own loopback."""
    ready.environment["http_proxy"] = "http://127.0.0.1:1"
    assert "serve answers" in findings(ready, 0)["server"][1]["finding"]


def test_it_reads_well(ready):
    """For people: an area, its findings with marks, and the sum."""
    done = ready.cli("check")
    assert done.returncode == 0
    assert done.stdout.startswith("server\n  ✓ who connects to 127.0.0.1:")
    assert done.stdout.endswith("no problems found\n")


def test_a_coordinator_that_does_not_run_is_found(ready):
    """The request is withdrawn."""
    ready.sections["gateway"]["pickup_s"] = 0.3
    ready.host.stop()
    ((area, finding, remedy),) = bad(findings(ready, 1))
    assert area == "coordinator"
    assert "no answer" in finding
    assert "systemctl status" in remedy
    assert list(ready.host.requests.glob("*.json")) == []


def test_a_component_that_the_host_does_not_know_is_found(ready):
    """Both configurations must name it alike."""
    ready.sections["components.kore"] = ready.sections["components.core"]
    ready.github.publish("owner/core", "1.1.0")
    ((area, finding, remedy),) = bad(findings(ready, 1))
    assert (area, finding) == ("coordinator", "kore: the coordinator does not know it")
    assert "one name" in remedy


def test_a_missing_volume_is_found(ready):
    """With what to mount."""
    ready.host.stop()
    ready.host.requests.rmdir()
    found = bad(findings(ready, 1))
    assert ("folders", f"paths.requests {ready.host.requests}: No such file or directory") in [row[:2] for row in found]


def test_what_cannot_be_told_or_reached_is_found(ready):
    """A VERSION file, a repository and a NATS server that are not there."""
    (ready.directory("core") / "VERSION").unlink()
    ready.sections["components.scheduler"]["repository"] = "nowhere"
    ready.sections["nats"] = {"url": "nats://127.0.0.1:9"}
    found = bad(findings(ready, 1))
    assert [row[0] for row in found] == ["installed versions", "releases", "NATS"]
    assert "owner/nowhere" in found[1][1]


def test_a_nats_server_that_answers_is_no_finding(ready, nats):
    """It lets us in, and lets us listen."""
    ready.sections["nats"] = {"url": nats.url}
    assert findings(ready, 0)["NATS"][0]["grade"] == "good"


def test_an_address_that_lets_everybody_in_is_found(ready):
    """As serve itself would refuse it."""
    ready.sections["server"]["host"] = "0.0.0.0"
    assert "there is no access token" in bad(findings(ready, 1))[0][1]


def test_a_host_without_the_extra_is_told_what_to_install(ready):
    """The command is there with the coordinator; its libraries are not."""
    missing = "import sys; sys.modules['uvicorn'] = None; from remote.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", missing, "serve", "--config", str(ready.config)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        "cannot begin: uvicorn is not installed; install dunebugger-update-coordinator[remote]\n",
    )
