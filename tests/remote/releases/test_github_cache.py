"""HTTP cache of the GitHub client: 304 for unchanged pages, and recovery from damaged files."""

import asyncio
import sqlite3

import github_faults as faults
import pytest
from release_fixture import REPOSITORY, captured_log

from remote.releases import cache as cache_module
from remote.releases import http_client as http_client_module
from remote.releases.github import PAGE_ENTRIES
from remote.releases.response import ReleasesUnavailableError


@pytest.fixture
def database(fixture):
    """The path of the cache."""
    return fixture.state / "releases-cache.sqlite"


def test_cache_revalidates_unchanged_pages_with_304s(server, fixture):
    """The cached page is returned, also in a new process."""
    server.publish(REPOSITORY, "1.0.0")
    assert fixture.list_tags() == fixture.list_tags() == fixture.list_tags() == ["v1.0.0"]
    assert server.statuses() == {200: 1, 304: 2}


def test_cache_keeps_an_etag_per_page(server, fixture):
    """Each page of an unchanged list costs a 304."""
    for number in range(PAGE_ENTRIES + 1):
        server.publish(REPOSITORY, f"1.0.{number}")
    assert fixture.list_tags() == fixture.list_tags()
    assert server.statuses() == {200: 2, 304: 2}


def test_cache_revalidates_before_max_age_expires(server, fixture):
    """A release published a moment ago is found, although ``max-age`` has not expired."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    server.publish(REPOSITORY, "1.1.0")
    assert fixture.list_tags() == ["v1.1.0", "v1.0.0"]


def test_cache_keeps_only_the_latest_response(server, fixture):
    """The previous response does not prevent a 304 after a change."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    server.publish(REPOSITORY, "1.1.0")
    fixture.list_tags()
    assert fixture.list_tags() == fixture.list_tags() == ["v1.1.0", "v1.0.0"]
    assert server.statuses() == {200: 2, 304: 2}


@pytest.mark.parametrize("status", [301, 404, 410, 501])
def test_cache_does_not_store_error_responses(server, fixture, status):
    """After an error, an unchanged page costs a 304 as before."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    target = f"{server.url}/elsewhere"
    fault = faults.redirect(target) if status == 301 else faults.http_error(status)
    server.inject(fault, times=4 if status >= 500 else 1)
    with pytest.raises(ReleasesUnavailableError):
        fixture.list_tags()
    assert fixture.list_tags() == ["v1.0.0"]
    assert server.requests[-1].status == 304


@pytest.mark.parametrize("fault", [faults.dropped(), faults.dropped_midway(), faults.body(b"<html>")])
def test_cache_does_not_store_incomplete_responses(server, fixture, fault):
    """A truncated or invalid response does not replace the last good one."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    server.publish(REPOSITORY, "1.1.0")
    server.inject(fault, times=4)
    with pytest.raises(ReleasesUnavailableError):
        fixture.list_tags()
    server.clear_faults()
    assert fixture.list_tags() == ["v1.1.0", "v1.0.0"]


def test_cache_does_not_store_the_token(server, fixture, database):
    """No file contains the token."""
    server.token = fixture.token = "a-secret-word"  # noqa: S105
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    assert server.statuses() == {200: 1}
    assert not [path for path in fixture.state.rglob("*") if path.is_file() and b"a-secret-word" in path.read_bytes()]
    assert b"1.0.0" in database.read_bytes()


def make_foreign(database):
    """Another program's database, with a table of hishel's name."""
    database.unlink()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE entries (something)")
    connection.close()


def make_damaged(database):
    """A database with a valid first page only."""
    data = database.read_bytes()
    database.write_bytes(data[:4096] + bytes(len(data) - 4096))


def make_directory(database):
    """A directory in place of the file."""
    database.unlink()
    (database / "inside").mkdir(parents=True)


def text(database):
    """A file that is not a database."""
    database.write_bytes(b"text instead of a database" * 150)


@pytest.mark.parametrize("damage", [make_foreign, make_damaged, make_directory, text])
def test_cache_replaces_a_damaged_file(server, fixture, database, damage):
    """An unusable database is logged once and replaced; no request fails."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    damage(database)
    with captured_log() as lines:
        assert fixture.list_tags() == fixture.list_tags() == ["v1.0.0"]
    assert server.statuses() == {200: 2, 304: 1}
    assert len(lines) == 1
    assert f"cannot use the cache {database}: " in lines[0]
    assert lines[0].endswith("; creating a new one")


def test_cache_requests_a_page_again_if_its_body_is_lost(server, fixture, database):
    """A cached response without its body is removed, and the page is requested again."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM streams")
    connection.close()
    assert fixture.list_tags() == ["v1.0.0"]
    assert [request.status for request in server.requests] == [200, 304, 200]


def test_cache_is_reopened_after_an_error(server, fixture, database, monkeypatch):
    """A database that fails twice makes one request fail; the next request opens and verifies it again (I16)."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM streams")
    connection.close()
    opened = []

    async def counted(*arguments):
        opened.append(arguments)
        return await cache_module.open_cache(*arguments)

    async def failing(_cache, _key):
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(http_client_module, "open_cache", counted)

    async def scenario():
        async with fixture.github() as github:
            with monkeypatch.context() as patched:
                patched.setattr(cache_module.ResponseCache, "remove", failing)
                with pytest.raises(sqlite3.DatabaseError):
                    await github.list_releases(REPOSITORY)
            return [entry.tag_name for entry in await github.list_releases(REPOSITORY)]

    assert asyncio.run(scenario()) == ["v1.0.0"]
    assert len(opened) == 2


def test_cache_is_opened_by_the_next_request_after_a_failed_open(server, fixture, monkeypatch):
    """A failed open is an error of the waiting requests, not of later ones (I16)."""
    server.publish(REPOSITORY, "1.0.0")
    opened = []

    async def failing_once(*arguments):
        opened.append(arguments)
        if len(opened) == 1:
            raise MemoryError
        return await cache_module.open_cache(*arguments)

    monkeypatch.setattr(http_client_module, "open_cache", failing_once)

    async def scenario():
        async with fixture.github() as github:
            with pytest.raises(MemoryError):
                await github.list_releases(REPOSITORY)
            return [entry.tag_name for entry in await github.list_releases(REPOSITORY)]

    assert asyncio.run(scenario()) == ["v1.0.0"]


def test_cache_is_in_memory_without_a_writable_directory(server, fixture):
    """An unwritable state directory is logged, and requests succeed."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.state = fixture.state / "file"
    fixture.state.write_bytes(b"")
    with captured_log() as lines:
        assert fixture.list_tags() == fixture.list_tags() == ["v1.0.0"]
    assert [
        line
        for line in lines
        if "cannot create the cache" in line and line.endswith("; make its folder writable for this user")
    ]
    assert server.statuses() == {200: 2}


def test_cache_file_size_is_bounded(server, fixture, database, monkeypatch):
    """Many changes do not fill the disk, and a full cache returns the latest page."""
    monkeypatch.setattr(cache_module, "CACHE_BYTES", 256 * 1024)
    for number in range(12):
        server.publish(REPOSITORY, f"1.0.{number}", notes="a" * 20_000)
        assert fixture.list_tags()[0] == f"v1.0.{number}"
    assert database.stat().st_size < 1024 * 1024
