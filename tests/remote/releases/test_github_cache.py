"""Asking again costs next to nothing, and what was kept is never in the way."""

import sqlite3

import github_faults as faults
import pytest
from release_fixture import REPOSITORY, log

from remote.releases import cache as cache_module
from remote.releases.errors import ReleasesUnavailableError
from remote.releases.github import PAGE_ENTRIES


@pytest.fixture
def database(stage):
    """Where the cache lies."""
    return stage.state / "releases-cache.sqlite"


def test_asking_again_costs_a_304(server, stage):
    """Where nothing changed, the server says just that, to a new process as well, and all is still known."""
    server.publish(REPOSITORY, "1.0.0")
    assert stage.ask() == stage.ask() == stage.ask() == ["v1.0.0"]
    assert server.statuses() == {200: 1, 304: 2}


def test_every_page_is_asked_for_by_its_own_tag(server, stage):
    """Where nothing changed on any page, every page costs a 304."""
    for number in range(PAGE_ENTRIES + 1):
        server.publish(REPOSITORY, f"1.0.{number}")
    assert stage.ask() == stage.ask()
    assert server.statuses() == {200: 2, 304: 2}


def test_every_question_reaches_the_server(server, stage):
    """What was published a moment ago is found, although the last answer may still be kept for a minute."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    server.publish(REPOSITORY, "1.1.0")
    assert stage.ask() == ["v1.1.0", "v1.0.0"]


def test_asking_again_after_a_change_costs_a_304(server, stage):
    """The answer before the last one is forgotten: it does not keep the server from saying that nothing changed."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    server.publish(REPOSITORY, "1.1.0")
    stage.ask()
    assert stage.ask() == stage.ask() == ["v1.1.0", "v1.0.0"]
    assert server.statuses() == {200: 2, 304: 2}


@pytest.mark.parametrize("status", [301, 404, 410, 501])
def test_a_refusal_is_not_kept(server, stage, status):
    """What went wrong in between is forgotten, and asking again costs a 304 as before."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    target = f"{server.url}/elsewhere"
    fault = faults.redirect(target) if status == 301 else faults.refusal(status)
    server.misbehave(fault, times=4 if status >= 500 else 1)
    with pytest.raises(ReleasesUnavailableError):
        stage.ask()
    assert stage.ask() == ["v1.0.0"]
    assert server.answers[-1].status == 304


@pytest.mark.parametrize("fault", [faults.dropped(), faults.dropped_midway(), faults.body(b"<html>")])
def test_half_an_answer_is_not_kept(server, stage, fault):
    """An answer that broke off, or made no sense, is not taken for the last good one."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    server.publish(REPOSITORY, "1.1.0")
    server.misbehave(fault, times=4)
    with pytest.raises(ReleasesUnavailableError):
        stage.ask()
    server.behave()
    assert stage.ask() == ["v1.1.0", "v1.0.0"]


def test_the_token_is_not_kept(server, stage, database):
    """Nothing on disk holds the token."""
    server.token = stage.token = "a-secret-word"  # noqa: S105
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    assert server.statuses() == {200: 1}
    assert not [path for path in stage.state.rglob("*") if path.is_file() and b"a-secret-word" in path.read_bytes()]
    assert b"1.0.0" in database.read_bytes()


def foreign(database):
    """A database of somebody else's, in which hishel finds a table of its own name."""
    database.unlink()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE entries (something)")
    connection.close()


def damaged(database):
    """A database that begins well."""
    data = database.read_bytes()
    database.write_bytes(data[:4096] + bytes(len(data) - 4096))


def folder(database):
    """Not even a file."""
    database.unlink()
    (database / "inside").mkdir(parents=True)


def text(database):
    """No database at all."""
    database.write_bytes(b"not a database, whatever its name says" * 100)


@pytest.mark.parametrize("spoil", [foreign, damaged, folder, text])
def test_a_spoilt_cache_is_begun_anew(server, stage, database, spoil):
    """A database that cannot be used is told and replaced: it keeps nobody from asking, now or the next time."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    spoil(database)
    with log() as lines:
        assert stage.ask() == stage.ask() == ["v1.0.0"]
    assert server.statuses() == {200: 2, 304: 1}
    assert len(lines) == 1
    assert f"cannot use the cache {database}: " in lines[0]
    assert lines[0].endswith("; beginning a new one")


def test_a_lost_body_is_asked_for_anew(server, stage, database):
    """A kept answer of which a part is missing is forgotten, and the whole is asked for."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM streams")
    connection.close()
    assert stage.ask() == ["v1.0.0"]
    assert [answered.status for answered in server.answers] == [200, 304, 200]


def test_without_a_place_for_the_cache_all_is_asked_for(server, stage):
    """Where the state folder cannot be written, that is told, and every question is answered all the same."""
    server.publish(REPOSITORY, "1.0.0")
    stage.state = stage.state / "file"
    stage.state.write_bytes(b"")
    with log() as lines:
        assert stage.ask() == stage.ask() == ["v1.0.0"]
    assert [line for line in lines if "cannot keep a cache in" in line and line.endswith("; let this user write there")]
    assert server.statuses() == {200: 2}


def test_the_cache_is_bounded(server, stage, database, monkeypatch):
    """What changes again and again does not fill the disk, and is still found when the cache is full."""
    monkeypatch.setattr(cache_module, "CACHE_BYTES", 256 * 1024)
    for number in range(12):
        server.publish(REPOSITORY, f"1.0.{number}", notes="a" * 20_000)
        assert stage.ask()[0] == f"v1.0.{number}"
    assert database.stat().st_size < 1024 * 1024
