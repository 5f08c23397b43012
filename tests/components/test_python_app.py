"""The packaged scripts of a Python application, with a real server, archives and virtual environments."""

from __future__ import annotations

import json
import signal

import pytest
from app_host import AppHost

from protocol.version import MAX_CHARACTERS

LONGEST = "1.0.0-" + "a" * (MAX_CHARACTERS - len("1.0.0-"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A host with 1.0.0, installed by an update; each test restores this state."""
    made = AppHost(tmp_path_factory.mktemp("app"))
    for version in ("1.0.0", "1.1.0", "1.4.0"):
        made.publish(version)
    made.publish("1.2.0", kind="exits")
    made.publish("1.3.0", kind="unhealthy")
    made.publish("1.5.0", kind="unmet")
    made.publish("1.6.0", digest="wrong")
    made.publish("1.7.0", digest="none")
    made.publish("1.8.0", more={".complete": b"1.8.0"}.items())
    made.publish("1.9.0", digest="sums")
    made.publish(LONGEST)
    first = made.update("1.0.0", request="first")
    assert first.returncode == 0, first.stdout + first.stderr
    assert made.response() == "1.0.0 hello"
    yield made
    made.close()


@pytest.fixture
def host(installed):
    """The host; checks after the test that it is unchanged."""
    before = installed.snapshot()
    assert before[:3] == ("releases/1.0.0", ["1.0.0"], "1.0.0 hello")
    yield installed
    assert installed.snapshot() == before


def test_app_update_and_its_rollback(host):
    """1.1.0 runs in its own environment; then 1.0.0 runs again, and the folder of 1.1.0 is removed."""
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[6:] for line in done.stdout.splitlines() if line.startswith("PHASE:")] == [
        "check", "release", "download", "verify-download", "backup", "unpack", "dependencies", "switch", "restart",
        "verify",
    ]  # fmt: skip
    assert (host.current(), host.response()) == ("releases/1.1.0", "1.1.0 hello")
    release = host.folder / "releases" / "1.1.0"
    assert json.loads((release / "VERSION").read_text()) == {"full_version": "1.1.0"}
    assert (release / "app.py").stat().st_uid == 0
    health = host.run("health-check.sh")
    assert (health.returncode, health.stdout.splitlines()[-1]) == (0, "app.service runs 1.1.0")
    back = host.rollback(done.request)
    assert back.returncode == 0, back.stderr
    pid = host.pid()
    assert "nothing is restored" in host.rollback(done.request).stdout
    assert host.pid() == pid


def test_app_update_to_the_running_version_changes_nothing(host):
    """There is no download and no backup."""
    pid, requested = host.pid(), len(host.server.requested)
    done = host.update("1.0.0")
    assert (done.returncode, host.pid(), len(host.server.requested)) == (0, pid, requested)
    assert "already runs 1.0.0" in done.stdout
    assert "changed nothing" in host.rollback(done.request).stdout


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.2.0", "cannot accept app.service: it does not stay up, it is failed"),
        ("1.3.0", "cannot accept app.service: it runs, but does not respond to http://127.0.0.1:"),
        ("1.5.0", "cannot install the dependencies"),
        ("1.8.0", "its top folder contains .complete or venv"),
    ],
)
def test_app_update_to_a_bad_release_restores_the_previous_one(host, version, words):
    """The release exits at once, does not respond, or cannot be built: the message has the cause, and 1.0.0 runs."""
    pid = host.pid()
    done = host.update(version)
    assert done.returncode == 1
    assert words in done.stderr
    assert (host.pid() == pid) == (version in ("1.5.0", "1.8.0")), "a failed build must not restart the service"
    assert "it was restored to releases/1.0.0" in done.stderr
    assert host.rollback(done.request).returncode == 0


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.6.0", "cannot verify app-1.6.0.tar.gz: its digest is sha256:"),
        ("1.7.0", "publishes no SHA-256 of app-1.7.0.tar.gz"),
        ("9.9.9", "cannot read release v9.9.9"),
        ("latest", "it is not a version"),
        ("../1.0.0", "it is not a version"),
    ],
)
def test_unverified_artifact_changes_nothing(host, version, words):
    """A manipulated artifact, one without a digest, or a missing release causes no backup and no restart."""
    pid = host.pid()
    done = host.update(version)
    assert done.returncode == 1
    assert words in done.stderr
    assert host.pid() == pid
    assert "changed nothing" in host.rollback(done.request).stdout


def test_artifact_beyond_the_limit_is_removed(host):
    """The limit holds for a published size above it, and for a published size that is false."""
    host.settings(DOWNLOAD_BYTES=500)
    assert "more than DOWNLOAD_BYTES=500" in host.update("1.1.0").stderr
    release = json.loads(host.server.files["/repos/owner/app/releases/tags/v1.1.0"])
    release["assets"][0]["size"] = 7
    host.server.files["/repos/owner/app/releases/tags/v1.1.0"] = json.dumps(release).encode()
    host.server.files["/stored/app-1.1.0.tar.gz"], kept = b"0" * 99_999, host.server.files["/stored/app-1.1.0.tar.gz"]
    done = host.update("1.1.0")
    assert "cannot download" in done.stderr
    assert sum(one.stat().st_size for one in (host.folder / "releases" / ".download").iterdir()) < 4000
    host.server.files["/stored/app-1.1.0.tar.gz"] = kept
    host.settings()


def test_app_update_accepts_a_list_of_sums(host):
    """The digest is in SHA256SUMS of the same release."""
    done = host.update("1.9.0")
    assert done.returncode == 0, done.stderr
    assert host.rollback(done.request).returncode == 0


def test_longest_version_is_installed(host):
    """The longest version that policy accepts works as folder, artifact name and argument."""
    done = host.update(LONGEST)
    assert done.returncode == 0, done.stderr
    assert (host.current(), host.response()) == (f"releases/{LONGEST}", f"{LONGEST} hello")
    assert host.rollback(done.request).returncode == 0


def test_republished_version_is_installed_beside_the_old_one(host):
    """The same version with another digest never overwrites the active release, which a rollback restores."""
    first = host.update("1.4.0")
    host.publish("1.4.0", note="republished")
    second = host.update("1.0.0")
    third = host.update("1.4.0")
    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0), third.stderr
    assert len(host.releases()) == 3
    assert host.current().startswith("releases/1.4.0.")
    assert (host.folder / "current" / "note").read_text() == "republished"
    for one in (third, second, first):
        back = host.rollback(one.request)
        assert back.returncode in (0, 1), back.stderr
    assert "its backup was removed" in back.stderr
    assert host.update("1.0.0").returncode == 0
    for _ in range(2):  # two more backups, so that none names 1.4.0 any longer
        assert host.rollback(host.update("1.1.0").request).returncode == 0


PHASES = ["check", "release", "download", "verify-download", "backup", "unpack", "dependencies", "switch", "restart"]


@pytest.mark.parametrize(("phase", "after_s"), [(one, 0.0) for one in [*PHASES, "verify"]] + [
    ("unpack", 0.2), ("dependencies", 1.0), ("switch", 0.05), ("restart", 0.1), ("verify", 0.5),
])  # fmt: skip
def test_killed_app_update_is_undone(host, phase, after_s):
    """After SIGKILL in any phase, the rollback restores the previous state (I8)."""
    host.kill_in_phase("update.sh", "1.1.0", request=f"killed-{phase}-{after_s}", phase=phase, after_s=after_s)
    back = host.rollback(f"killed-{phase}-{after_s}")
    assert back.returncode == 0, back.stdout + back.stderr
    assert (host.current(), host.response()) == ("releases/1.0.0", "1.0.0 hello")


def test_sigterm_ends_an_update_without_an_undo(host):
    """After the time limit a restore would take too long: the script prints the rollback command and exits."""
    code, output = host.kill_in_phase(
        "update.sh", "1.1.0", request="late", phase="verify", after_s=0.2, number=signal.SIGTERM
    )
    assert code == 143
    assert "stopped; to undo the changes: UPDATE_ROLLBACK_OF=late " in output
    assert "PHASE:restore" not in output
    assert host.rollback("late").returncode == 0


@pytest.mark.parametrize("phase", ["restore", "verify-restored"])
def test_killed_app_rollback_can_be_repeated(host, phase):
    """This holds also when the link was switched while the service still ran the new release."""
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    host.kill_in_phase("rollback.sh", request="undo", of=done.request, phase=phase, after_s=0.02)
    assert host.rollback(done.request).returncode == 0


def test_incomplete_release_is_rebuilt(host):
    """A folder that a power cut left incomplete is not used."""
    folder = host.folder / "releases" / "1.1.0"
    folder.mkdir()
    (folder / "app.py").write_text("import sys; sys.exit(1)")
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    assert host.response() == "1.1.0 hello"
    assert host.rollback(done.request).returncode == 0


def test_rollback_restores_a_stopped_service(host):
    """The previous release was installed but not running."""
    host.systemctl("stop", "app.service")
    health = host.run("health-check.sh")
    assert health.returncode == 1
    assert "does not stay up, it is inactive" in health.stderr
    done = host.update("1.1.0")
    assert (done.returncode, host.response()) == (0, "1.1.0 hello")
    assert host.rollback(done.request).returncode == 0
    assert host.response() is None
    host.systemctl("restart", "app.service")
    assert host.run("health-check.sh").returncode == 0


def test_first_installation_can_be_rolled_back(tmp_path):
    """Afterwards there is no link and no running service; the component scripts are unchanged."""
    host = AppHost(tmp_path)
    try:
        host.publish("1.0.0")
        before = host.other_files()
        assert "does not lead to a folder" in host.run("health-check.sh").stderr
        done = host.update("1.0.0")
        assert done.returncode == 0, done.stderr
        back = host.rollback(done.request)
        assert back.returncode == 0, back.stderr
        assert (host.current(), host.releases(), host.response(), host.other_files()) == (None, [], None, before)
        without_request = host.run("rollback.sh")
        assert without_request.returncode == 1
        assert f"  {done.request}" in without_request.stderr
    finally:
        host.close()
