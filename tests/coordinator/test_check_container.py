"""``check`` of the container, with recorded output of a real Docker; no Docker daemon is needed."""

from __future__ import annotations

import os

import pytest
from docker_answers import (
    COMPOSE,
    NO_DAEMON,
    NO_FOLDER,
    NO_SHELL,
    ONE_IS_MISSING,
    READ_ONLY,
    STALE_FOLDER,
    STATUS_READ_ONLY,
    UID_1000,
    VOLUME,
    WHOLE_DISK,
    Docker,
    container,
)

from coordinator.checks import docker as docker_check
from coordinator.settings import Paths, Settings


@pytest.fixture
def shared(tmp_path):
    """The shared folder."""
    for name in ("requests", "status"):
        (tmp_path / "updates" / name).mkdir(parents=True)
    return tmp_path / "updates"


@pytest.fixture
def docker(tmp_path, shared, monkeypatch):
    """The first ``docker`` on PATH; it lists no container yet."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return Docker(tmp_path / "bin", shared)


@pytest.fixture
def check(shared):
    """A function that runs the check and returns (severity, text, remedy) for each result."""
    paths = Paths(requests=shared / "requests", status=shared / "status", state=shared / "state")
    settings = Settings(paths=paths)
    return lambda: [(result.severity, result.text, result.remedy) for result in docker_check.container(settings)]


def test_check_accepts_a_container_with_the_volume(docker, shared, check):
    """The volume is mounted, and the container's user can write requests and delete answers."""
    docker.set_containers(container(VOLUME))
    inner = "/var/dunebugger/updates"
    assert check() == [
        ("good", f"remote sees {shared}/requests as {inner}/requests and can write requests there", ""),
        ("good", f"remote sees {shared}/status as {inner}/status and can delete answers there", ""),
    ]


def test_check_resolves_a_link_to_the_shared_folder(docker, shared, tmp_path):
    """Docker names the target of the link; the configuration may name the link."""
    docker.set_containers(container(VOLUME))
    (tmp_path / "link").symlink_to(shared)
    paths = Paths(requests=tmp_path / "link/requests", status=tmp_path / "link/status", state=shared / "state")
    assert {result.severity for result in docker_check.container(Settings(paths=paths))} == {"good"}


def test_check_reports_a_container_without_the_volume(docker, shared, check):
    """A container with the default name lacks the volume: the result names the container and the volume to add."""
    docker.set_containers(container())
    ((severity, text, remedy),) = check()
    assert (severity, text) == ("bad", f"remote does not mount {shared}/requests")
    assert f"volumes {shared}/requests:{shared}/requests and {shared}/status:{shared}/status to" in remedy


def test_check_identifies_a_compose_service_by_its_label(docker, check):
    """Compose generates the names of its containers."""
    docker.set_containers(container(name="dunebugger_remote_1", labels=COMPOSE))
    assert check()[0][1].startswith("dunebugger_remote_1 does not mount ")


@pytest.mark.parametrize("others", [[], [container(name="db")], [container(WHOLE_DISK, name="exporter")]])
def test_check_reports_that_no_container_mounts_the_volume(docker, shared, check, others):
    """A container that mounts the whole disk read-only is not the container side."""
    docker.set_containers(*others)
    assert [result[:2] for result in check()] == [("bad", f"no container mounts {shared}/requests")]


def test_check_reports_a_read_only_volume(docker, check):
    """No request can be written to it, even if the shell inside reports write access, and no answer can be deleted."""
    docker.set_containers(container(READ_ONLY))
    requests, status = check()
    assert requests[0] == "bad"
    assert "read-only: it cannot write requests" in requests[1]
    assert ":ro" in requests[2]
    assert status[0] == "note"


def test_check_notes_a_read_only_status_folder(docker, check):
    """Housekeeping removes the answers in time."""
    docker.set_containers(container(*STATUS_READ_ONLY))
    assert [result[0] for result in check()] == ["good", "note"]


def test_check_reports_a_missing_status_volume(docker, shared, check):
    """A container that mounts only ``requests`` never sees an answer."""
    docker.set_containers(container(VOLUME | {"Source": "FOLDER/requests", "Destination": "/r"}))
    ((severity, text, _),) = check()
    assert (severity, text) == (
        "bad",
        f"remote mounts {shared}/requests but not {shared}/status: it cannot read answers",
    )


def test_check_reports_a_user_without_write_access(docker, shared, check):
    """The folders belong to root at first; the remedy names the container's user."""
    docker.set_containers(container(VOLUME), shell_output=UID_1000)
    requests, status = check()
    assert requests[0] == "bad"
    assert "its user (uid 1000) cannot write requests" in requests[1]
    assert requests[2] == f"chown 1000 {shared}/requests"
    assert (status[0], status[2]) == ("note", f"chown 1000 {shared}/status")


def test_check_proposes_the_group_of_the_folders(docker, shared, check):
    """With the permissions that install.sh sets, the group may write, so the host needs no change."""
    for name, mode in (("requests", 0o1770), ("status", 0o770)):
        os.chown(shared / name, 0, 4711)
        (shared / name).chmod(mode)
    docker.set_containers(container(VOLUME), shell_output=UID_1000)
    remedy = 'add group_add: ["4711"] to its service in the compose file, then docker-compose up -d'
    assert [result[2] for result in check()] == [remedy] * 2


@pytest.mark.parametrize(("shell_output", "cause"), [(STALE_FOLDER, "an older folder"), (NO_FOLDER, "finds no folder")])
def test_check_reports_a_stale_mount(docker, check, shell_output, cause):
    """A mount keeps the folder that it was made of: after the host replaces it, the container uses the old one."""
    docker.set_containers(container(VOLUME), shell_output=shell_output)
    severity, text, remedy = check()[0]
    assert (severity, cause in text, remedy) == ("bad", True, "docker restart remote")


@pytest.mark.parametrize(
    ("state", "cause", "remedy"),
    [
        ("exited", "it is exited, exit code 137", "docker start remote"),
        ("paused", "it is paused", "docker unpause remote"),
        ("restarting", "it is restarting, exit code 1", "docker logs remote"),
    ],
)
def test_check_reports_a_container_that_is_not_running(docker, check, state, cause, remedy):
    """The result has the container's name, its state and the remedy."""
    docker.set_containers(container(VOLUME, state=state))
    ((severity, text, advice),) = check()
    assert "--all" in docker.calls()[0].split(), "without --all Docker lists only running containers"
    assert (severity, text.endswith(cause), advice.startswith(remedy)) == ("bad", True, True)


def test_check_notes_a_stopped_container_beside_a_running_one(docker, check):
    """A stopped container is no problem while another one runs."""
    docker.set_containers(container(VOLUME, name="old", state="exited"), container(VOLUME))
    assert [result[0] for result in check()] == ["good", "good", "note"]


def test_check_continues_after_a_container_that_was_removed(docker, check):
    """Docker reports an error for the removed container, and still describes the others."""
    docker.set_containers(container(VOLUME), error=ONE_IS_MISSING, code=1)
    assert [result[0] for result in check()] == ["good", "good"]


def test_check_notes_an_image_without_a_shell(docker, check):
    """A result notes, with the reason, that access could not be tried; that is no problem."""
    docker.set_containers(container(VOLUME), shell_output=NO_SHELL, shell_code=126)
    results = check()
    assert [result[0] for result in results] == ["note", "note", "note"]
    assert 'exec: "sh": executable file not found' in results[-1][1]


def test_check_notes_a_docker_daemon_that_does_not_answer(docker, check):
    """That is not the same as no container."""
    docker.set_output("ps", "", NO_DAEMON, 1)
    ((severity, text, remedy),) = check()
    assert severity == "note"
    assert "Cannot connect to the Docker daemon" in text
    assert "systemctl status docker" in remedy


def test_check_notes_a_host_without_docker(check, tmp_path, monkeypatch):
    """A host may run its containers with another engine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [result[0] for result in check()] == ["note"]
