"""What ``check`` says of the container, from answers that a real Docker gave; no engine is needed."""

from __future__ import annotations

import os

import pytest
from docker_answers import (
    COMPOSE,
    NO_ENGINE,
    NO_FOLDER,
    NO_SHELL,
    OLD_FOLDER,
    ONE_IS_GONE,
    READ_ONLY,
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
    """The only ``docker`` on PATH; it knows no container yet."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return Docker(tmp_path / "bin", shared)


@pytest.fixture
def found(shared):
    """Asks for the findings, as (grade, text, remedy)."""
    paths = Paths(requests=shared / "requests", status=shared / "status", state=shared / "state")
    settings = Settings(paths=paths)
    return lambda: [(one.severity, one.text, one.remedy) for one in docker_check.container(settings)]


def test_a_container_that_can_do_all_it_needs_is_good(docker, shared, found):
    """The volume is mounted, and the container's user can write requests and delete answers."""
    docker.holds(container(VOLUME))
    inner = "/var/dunebugger/updates"
    assert found() == [
        ("good", f"remote sees {shared}/requests as {inner}/requests and can write requests there", ""),
        ("good", f"remote sees {shared}/status as {inner}/status and can delete answers there", ""),
    ]


def test_a_folder_reached_through_a_link_is_the_same_folder(docker, shared, tmp_path):
    """Docker names the folder a link leads to; the configuration may name the link."""
    docker.holds(container(VOLUME))
    (tmp_path / "link").symlink_to(shared)
    paths = Paths(requests=tmp_path / "link/requests", status=tmp_path / "link/status", state=shared / "state")
    assert {one.severity for one in docker_check.container(Settings(paths=paths))} == {"good"}


def test_a_container_without_the_volume_is_bad(docker, shared, found):
    """The container of the default name runs without the volume: it is named, and so is the volume to add."""
    docker.holds(container())
    ((grade, text, remedy),) = found()
    assert (grade, text) == ("bad", f"remote does not mount {shared}/requests")
    assert f"volumes {shared}/requests:{shared}/requests and {shared}/status:{shared}/status to" in remedy


def test_a_compose_service_is_known_by_its_label(docker, found):
    """Compose gives containers names of its own."""
    docker.holds(container(name="dunebugger_remote_1", labels=COMPOSE))
    assert found()[0][1].startswith("dunebugger_remote_1 does not mount ")


@pytest.mark.parametrize("others", [[], [container(name="db")], [container(WHOLE_DISK, name="exporter")]])
def test_no_container_is_bad(docker, shared, found, others):
    """Nobody mounts the volume; one that looks at the whole disk, read-only, is not the one that asks."""
    docker.holds(*others)
    assert [one[:2] for one in found()] == [("bad", f"no container mounts {shared}/requests")]


def test_a_read_only_volume_is_bad(docker, found):
    """No request can be written to it, whatever the shell inside says; and no answer deleted."""
    docker.holds(container(READ_ONLY))
    requests, status = found()
    assert requests[0] == "bad"
    assert "read-only: it cannot write requests" in requests[1]
    assert ":ro" in requests[2]
    assert status[0] == "note"


def test_answers_that_cannot_be_deleted_are_worth_a_note(docker, found):
    """They go away by themselves in time."""
    docker.holds(container(*STATUS_READ_ONLY))
    assert [one[0] for one in found()] == ["good", "note"]


def test_a_volume_without_the_answers_is_bad(docker, shared, found):
    """Who mounts only ``requests`` asks, and never hears."""
    docker.holds(container(VOLUME | {"Source": "FOLDER/requests", "Destination": "/r"}))
    ((grade, text, _),) = found()
    assert (grade, text) == ("bad", f"remote mounts {shared}/requests but not {shared}/status: it never sees an answer")


def test_a_user_who_may_not_write_is_bad(docker, shared, found):
    """The folders belong to root at first; the remedy names the container's user."""
    docker.holds(container(VOLUME), tried=UID_1000)
    requests, status = found()
    assert requests[0] == "bad"
    assert "its user (uid 1000) cannot write requests" in requests[1]
    assert requests[2] == f"chown 1000 {shared}/requests"
    assert (status[0], status[2]) == ("note", f"chown 1000 {shared}/status")


def test_a_user_who_may_join_the_folders_group_is_told_so(docker, shared, found):
    """As install.sh leaves them: the group may write, so nothing on the host needs to change."""
    for name, mode in (("requests", 0o1770), ("status", 0o770)):
        os.chown(shared / name, 0, 4711)
        (shared / name).chmod(mode)
    docker.holds(container(VOLUME), tried=UID_1000)
    remedy = 'add group_add: ["4711"] to its service in the compose file, then docker-compose up -d'
    assert [one[2] for one in found()] == [remedy] * 2


@pytest.mark.parametrize(("tried", "told"), [(OLD_FOLDER, "an older folder"), (NO_FOLDER, "finds no folder")])
def test_a_folder_made_anew_behind_the_mount_is_bad(docker, found, tried, told):
    """A mount stays with the folder it was made of; when that was replaced, the container talks to nobody."""
    docker.holds(container(VOLUME), tried=tried)
    grade, text, remedy = found()[0]
    assert (grade, told in text, remedy) == ("bad", True, "docker restart remote")


@pytest.mark.parametrize(
    ("state", "told", "remedy"),
    [
        ("exited", "it is exited, exit code 137", "docker start remote"),
        ("paused", "it is paused", "docker unpause remote"),
        ("restarting", "it is restarting, exit code 1", "docker logs remote"),
    ],
)
def test_a_container_that_does_not_run_is_bad(docker, found, state, told, remedy):
    """It is looked for, named, with its state and how to go on."""
    docker.holds(container(VOLUME, state=state))
    ((grade, text, advice),) = found()
    assert "--all" in docker.asked()[0].split(), "Docker lists only what runs, unless asked for all"
    assert (grade, text.endswith(told), advice.startswith(remedy)) == ("bad", True, True)


def test_an_old_container_beside_the_running_one_is_worth_a_note(docker, found):
    """What stopped is no problem as long as another one asks."""
    docker.holds(container(VOLUME, name="old", state="exited"), container(VOLUME))
    assert [one[0] for one in found()] == ["good", "good", "note"]


def test_a_container_that_went_meanwhile_hides_no_other(docker, found):
    """Docker complains of it, and still tells of the rest."""
    docker.holds(container(VOLUME), error=ONE_IS_GONE, code=1)
    assert [one[0] for one in found()] == ["good", "good"]


def test_an_image_without_a_shell_is_believed_as_far_as_docker_goes(docker, found):
    """What could not be tried is said, with the reason; it is no problem."""
    docker.holds(container(VOLUME), tried=NO_SHELL, tried_code=126)
    findings = found()
    assert [one[0] for one in findings] == ["note", "note", "note"]
    assert 'exec: "sh": executable file not found' in findings[-1][1]


def test_an_engine_that_does_not_answer_is_said_so(docker, found):
    """That is not the same as no container."""
    docker.says("ps", "", NO_ENGINE, 1)
    ((grade, text, remedy),) = found()
    assert grade == "note"
    assert "Cannot connect to the Docker daemon" in text
    assert "systemctl status docker" in remedy


def test_a_host_without_docker_is_said_so(found, tmp_path, monkeypatch):
    """Other hosts have other containers."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [one[0] for one in found()] == ["note"]
