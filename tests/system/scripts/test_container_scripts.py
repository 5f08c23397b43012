"""The packaged scripts of a container, on a real Docker engine with a real registry."""

from __future__ import annotations

import pytest
from compose import each_compose


@each_compose
def test_container_update_runs_the_new_image_and_can_be_rolled_back(host):
    """After an update from 1.0.0 to 1.1.0 and a rollback, the compose file is byte-identical."""
    before = host.snapshot()
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stdout + done.stderr
    phases = [line[6:] for line in done.stdout.splitlines() if line.startswith("PHASE:")]
    assert phases == ["check", "pull", "backup", "set-image", "start", "verify"]
    [(name, image, image_id, state)] = host.containers()
    assert (image, state) == (f"{host.registry.name}/remote:1.1.0", "running")
    assert image_id == host.image_id(image)
    assert name == before[1][0][0]
    assert host.compose_file.read_bytes() == before[0].replace(b"remote:1.0.0", b"remote:1.1.0")
    assert host.health().returncode == 0
    back = host.rollback(done.request)
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.snapshot() == before


def test_container_update_to_the_running_version_changes_nothing(host):
    """The update makes no backup, so that a rollback of its request changes nothing."""
    started = host.started_at()
    done = host.update("1.0.0")
    assert done.returncode == 0
    assert "runs" in done.stdout
    assert "already" in done.stdout
    assert not (host.folder / "remote" / "backups").exists()
    back = host.rollback(done.request)
    assert back.returncode == 0
    assert "changed nothing" in back.stdout
    assert host.started_at() == started


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1.2.0", "cannot open the settings"),
        ("1.3.0", "no answer on port 80"),
        ("1.5.0", "gave up after two seconds"),
    ],
)
def test_container_update_to_a_broken_version_restores_the_previous_one(host, version, message):
    """The new version exits at once, is unhealthy, or restarts in a loop: the error has the cause, and 1.0.0 runs."""
    before = host.snapshot()
    done = host.update(version)
    assert done.returncode == 1
    assert message in done.stderr
    assert f"restored to {host.registry.name}/remote:1.0.0" in done.stderr
    assert host.snapshot() == before
    started = host.started_at()
    back = host.rollback(done.request)
    assert back.returncode == 0
    assert "as it was" in back.stdout
    assert host.started_at() == started


def test_container_update_to_a_missing_version_keeps_the_container_running(host):
    """The pull fails before any change, and the container keeps running."""
    before, started = host.snapshot(), host.started_at()
    done = host.update("9.9.9")
    assert done.returncode == 1
    assert f"cannot pull {host.registry.name}/remote:9.9.9; nothing was changed" in done.stderr
    assert (host.snapshot(), host.started_at()) == (before, started)
    assert host.rollback(done.request).returncode == 0
    assert (host.snapshot(), host.started_at()) == (before, started)


def test_update_script_without_a_registry_keeps_the_container_running(host):
    """Without a registry the pull fails before any change, and the container keeps running."""
    before, started = host.snapshot(), host.started_at()
    host.registry.stop()
    try:
        assert host.update("1.1.0").returncode == 1
    finally:
        host.registry.start()
    assert (host.snapshot(), host.started_at()) == (before, started)


def test_rollback_script_restores_one_component_of_a_compose_file(host):
    """A rollback of remote after an update of scheduler leaves scheduler's image, in the file and running."""
    first = host.update("1.1.0")
    second = host.update("1.4.0", component="scheduler")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert host.rollback(first.request).returncode == 0
    assert host.file_image("remote").endswith(":1.0.0")
    assert host.file_image("scheduler").endswith(":1.4.0")
    assert [one[1].rpartition(":")[2] for one in host.containers("scheduler")] == ["1.4.0"]


def test_rollback_restores_the_image_of_a_moved_tag(host):
    """The compose file names latest, and the tag has moved since: the rollback restores the recorded image."""
    engine, name = host.engine, f"{host.registry.name}/remote"
    engine.run("tag", f"{name}:1.0.0", f"{name}:latest")
    host.compose_file.write_text(host.compose_file.read_text().replace("remote:1.0.0", "remote:latest"))
    host.compose("up", "-d", "remote")
    before = host.snapshot()
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    engine.run("tag", f"{name}:1.1.0", f"{name}:latest")
    back = host.rollback(done.request)
    assert back.returncode == 0, back.stderr
    assert host.snapshot() == before


def test_rollback_restores_the_image_of_a_republished_tag(host):
    """The tag names another image after it was republished: the rollback restores the image and the tag."""
    image = f"{host.registry.name}/remote:1.1.0"
    assert host.update("1.1.0").returncode == 0
    before = host.snapshot()
    engine = host.engine
    engine.build(f"{host.registry.name}/remote:1.1.0", engine.program, "1.1.0", note=" anew")
    engine.run("push", image)
    engine.run("tag", before[3], image)
    host.compose("stop", "remote")
    try:
        done = host.update("1.1.0")
        assert done.returncode == 0, done.stderr
        assert host.containers()[0][2] != before[1][0][2]
        assert host.rollback(done.request).returncode == 0
        assert [one[:3] for one in host.containers()] == [one[:3] for one in before[1]]
        assert host.image_id(image) == before[3]
    finally:
        engine.build(image, engine.program, "1.1.0")
        engine.run("push", image)


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_rollback_restores_a_stopped_or_absent_container(host, state):
    """An update starts a stopped or absent service; its rollback restores the previous state."""
    host.compose("stop", "remote")
    if state == "absent":
        host.compose("rm", "-f", "remote")
    before = host.compose_file.read_bytes()
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    assert host.containers()[0][3] == "running"
    back = host.rollback(done.request)
    assert back.returncode == 0, back.stderr
    assert host.compose_file.read_bytes() == before
    found = host.containers()
    assert found == [] if state == "absent" else [(one[1][-5:], one[3]) for one in found] == [("1.0.0", "created")]
    assert host.rollback(done.request).stdout.count("nothing is restored") == 1


def test_pruned_backup_removes_its_images(host):
    """With BACKUPS=3 the oldest backup is removed with its unused image, and its rollback fails."""
    first = host.update("1.4.0")
    for version in ("1.0.0", "1.1.0", "1.0.0", "1.1.0"):
        assert host.update(version).returncode == 0
    backups = {one.name for one in (host.folder / "remote" / "backups").iterdir() if one.name.startswith("request")}
    assert len(backups) == 3
    assert first.request not in backups
    assert host.image_id(f"{host.registry.name}/remote:1.4.0") == ""
    assert host.image_id(f"{host.registry.name}/remote:1.0.0") != ""
    before = host.snapshot()
    rejected = host.rollback(first.request)
    assert rejected.returncode == 1
    assert "its backup was removed" in rejected.stderr
    assert host.snapshot() == before


def test_container_health_reports_the_cause(host):
    """Causes are a stopped container, another image, no container, and no engine within DOCKER_WAIT_S (I16)."""
    assert host.health().returncode == 0
    assert "is healthy" in host.health().stdout
    host.compose("stop", "remote")
    stopped = host.health()
    assert stopped.returncode == 1
    assert "it is exited" in stopped.stderr
    host.compose("start", "remote")
    text = host.compose_file.read_text()
    host.compose_file.write_text(text.replace("remote:1.0.0", "remote:1.1.0"))
    other = host.health()
    assert other.returncode == 1
    assert "docker-compose.yml names" in other.stderr
    host.compose_file.write_text(text)
    host.compose("rm", "-sf", "remote")
    assert "cannot find a container of remote" in host.health().stderr
    host.settings("remote", DOCKER_HOST="unix:///nowhere/d.sock")
    assert "cannot reach the Docker engine" in host.health().stderr


@pytest.mark.parametrize(
    ("settings", "version", "message"),
    [
        ({}, "latest", "it is not a version"),
        ({}, "1.1", "it is not a version"),
        ({}, "1.1.0+build", "must not contain +"),
        ({"TAG": "v{version}"}, "1.0.0-" + "a" * 122, "its image tag has 129 characters, and Docker allows 128"),
        ({"SERVICE": "missing"}, "1.1.0", "`services` has no `missing`; it has: remote, scheduler"),
        ({"IMAGE": "elsewhere/remote"}, "1.1.0", "make the two agree"),
        ({"COMPOSE_YAML": "/nowhere.yml"}, "1.1.0", "cannot find the compose file /nowhere.yml"),
        ({"SERVICE": ""}, "1.1.0", "SERVICE is missing"),
    ],
)
def test_failed_container_precondition_changes_nothing(host, settings, version, message):
    """The error has the remedy, and no backup is made."""
    started = host.started_at()
    host.settings("remote", **settings)
    done = host.update(version)
    assert done.returncode == 1
    assert message in done.stderr
    assert host.started_at() == started
    assert not (host.folder / "remote" / "backups").exists()
