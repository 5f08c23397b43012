"""Release catalogue: refresh, force, failures and concurrent callers."""

import asyncio

import github_faults as faults
import pytest
from release_fixture import ALL_ONE, COMPONENTS, DAY_S, captured_log, versions

from remote.releases import catalogue as catalogue_module
from remote.releases.catalogue import ReleaseInfo
from remote.releases.github import GitHubClient
from remote.releases.release import newest
from tests.support.manual_clock import START

pytestmark = pytest.mark.usefixtures("published")


def test_catalogue_is_empty_before_the_first_answer(fixture):
    """A new catalogue has no release, no time and no error."""
    assert fixture.load() == dict.fromkeys(COMPONENTS, ReleaseInfo())


def test_refresh_finds_the_newest_releases(fixture):
    """Version, notes, URL and time of each component are known."""
    known = fixture.refresh()
    assert versions(known) == ALL_ONE
    assert known["two"].release.notes == "notes of two"
    assert known["two"].release.url == "https://github.com/owner/two/releases/tag/v1.0.0"
    assert (known["two"].checked_at, known["two"].error) == (START, None)


@pytest.mark.parametrize(("prereleases", "version"), [(False, "1.0.0"), (True, "2.0.0-rc.1")])
def test_refresh_includes_prereleases_as_configured(server, fixture, prereleases, version):
    """``releases.prereleases`` decides."""
    fixture.settings["prereleases"] = prereleases
    server.publish("owner/one", "2.0.0-rc.1", prerelease=True)
    assert versions(fixture.refresh())["one"] == version


def test_refresh_of_a_repository_without_releases_is_a_good_answer(server, fixture):
    """An empty list sets the time and no error."""
    server.repository("owner/one").releases.clear()
    assert fixture.refresh()["one"] == ReleaseInfo(checked_at=START)


def test_refresh_of_unchanged_repositories_costs_304s(server, fixture):
    """Three unchanged repositories cost three 304s, and the releases stay known."""
    first = fixture.refresh()
    server.requests.clear()
    assert fixture.refresh(force=True) == first
    assert server.statuses() == {304: 3}


def test_refresh_skips_fresh_answers_without_force(server, fixture):
    """Within the interval only ``force`` causes a request, also in the next process."""
    fixture.refresh()
    fixture.clock.sleep(DAY_S - 1)
    server.publish("owner/one", "1.1.0")
    assert versions(fixture.refresh()) == ALL_ONE
    assert versions(fixture.refresh(force=True)) == ALL_ONE | {"one": "1.1.0"}


def test_refresh_requests_old_answers(server, fixture):
    """An answer as old as the interval is requested again."""
    fixture.refresh()
    fixture.clock.sleep(DAY_S)
    server.publish("owner/one", "1.1.0")
    assert versions(fixture.refresh()) == ALL_ONE | {"one": "1.1.0"}


def test_refresh_requests_failed_components_again(server, fixture):
    """Only the failed component is requested, also within the interval."""

    async def scenario(catalogue):
        await catalogue.refresh(force=False)
        server.inject(faults.http_error(404))
        await catalogue.refresh(force=True)
        server.requests.clear()
        await catalogue.refresh(force=False)
        assert {catalogue.info(name).error for name in COMPONENTS} == {None}

    fixture.run(scenario)
    assert len(server.requests) == 1


def test_refresh_skips_components_that_recovered(server, fixture):
    """A good answer after a failure starts a new interval."""
    server.inject(faults.http_error(404), times=3)

    async def scenario(catalogue):
        for _ in range(3):
            await catalogue.refresh(force=False)

    fixture.run(scenario)
    assert server.statuses() == {404: 3, 200: 3}


def test_refresh_failure_keeps_the_last_good_answer(server, fixture):
    """Release and time stay; the error is added and logged."""

    async def scenario(catalogue):
        await catalogue.refresh(force=True)
        fixture.clock.sleep(60)
        server.inject(faults.http_error(404), times=3)
        with captured_log() as lines:
            await catalogue.refresh(force=True)
        for name in COMPONENTS:
            info = catalogue.info(name)
            assert (info.release.version, info.checked_at) == ("1.0.0", START)
            assert info.error.startswith(f"cannot check owner/{name}: 127.0.0.1 has no such repository")
            assert info.error in lines
        assert len(lines) == 3

    fixture.run(scenario)


def test_refresh_failure_of_one_repository_does_not_affect_the_others(server, fixture):
    """A missing repository is the error of its component only (I16)."""
    server.rename("owner/two", "owner/renamed")
    server.repository("owner/renamed").name = "owner/other"
    server.repository("owner/two").number = 99
    known = fixture.refresh()
    assert versions(known) == ALL_ONE | {"two": None}
    assert (known["two"].checked_at, known["one"].error) == (None, None)


def test_refresh_counts_unexpected_exceptions_as_failures(fixture, monkeypatch):
    """An unexpected exception is the error of its component (I16)."""

    async def defective(_github, repository):
        raise ZeroDivisionError(repository)

    monkeypatch.setattr("remote.releases.github.GitHubClient.list_releases", defective)
    with captured_log() as lines:
        known = fixture.refresh()
    assert known["one"].error == "cannot check owner/one: ZeroDivisionError('owner/one'); report this"
    assert len(lines) == 3


def test_refresh_failure_to_choose_a_release_does_not_affect_the_others(fixture, monkeypatch):
    """A list in which no newest release can be chosen is the error of its component (I16)."""

    def defective(entries, *, prereleases):
        if "/one/" in entries[0].html_url:
            raise ZeroDivisionError
        return newest(entries, prereleases=prereleases)

    monkeypatch.setattr(catalogue_module, "newest", defective)
    infos = fixture.refresh()
    assert versions(infos) == ALL_ONE | {"one": None}
    assert "ZeroDivisionError" in infos["one"].error


def test_refresh_is_shared_by_concurrent_callers(server, fixture):
    """A caller during a running refresh joins it."""

    async def scenario(catalogue):
        await asyncio.gather(*(catalogue.refresh(force=force) for force in (True, True, False, True)))
        assert versions({name: catalogue.info(name) for name in COMPONENTS}) == ALL_ONE

    fixture.run(scenario)
    assert len(server.requests) == 3


def test_forced_refresh_does_not_join_an_earlier_check(server, fixture, monkeypatch):
    """A release published during a check is found; all waiting callers share one more check."""
    list_releases, is_published = GitHubClient.list_releases, asyncio.Event()

    async def late(self, repository):
        entries = await list_releases(self, repository)
        await is_published.wait()
        return entries

    monkeypatch.setattr(GitHubClient, "list_releases", late)

    async def scenario(catalogue):
        early = asyncio.create_task(catalogue.refresh(force=False))
        await asyncio.to_thread(server.wait_for, 3)
        server.publish("owner/one", "1.5.0")
        forced = [asyncio.create_task(catalogue.refresh(force=True)) for _ in range(3)]
        await asyncio.sleep(0)
        is_published.set()
        await asyncio.gather(early, *forced)
        assert catalogue.info("one").release.version == "1.5.0"

    fixture.run(scenario)
    assert len(server.requests) == 6


def test_refresh_is_not_shared_by_sequential_callers(server, fixture):
    """A forced refresh always sends requests, also directly after another one."""

    async def scenario(catalogue):
        await catalogue.refresh(force=True)
        await catalogue.refresh(force=True)

    fixture.run(scenario)
    assert len(server.requests) == 6


def test_refresh_respects_force_of_a_joining_caller(server, fixture):
    """A forced call during a partial refresh checks the remaining components."""

    async def scenario(catalogue):
        await catalogue.refresh(force=False)
        server.inject(faults.http_error(404))
        await catalogue.refresh(force=True)
        server.requests.clear()
        await asyncio.gather(catalogue.refresh(force=False), catalogue.refresh(force=True))

    fixture.run(scenario)
    assert len({request.path for request in server.requests}) == len(server.requests) == 3


def test_refresh_survives_the_cancellation_of_its_first_caller(server, fixture):
    """Another caller that waited for the same refresh gets its answer."""
    server.inject(faults.slow(3600), times=3)

    async def scenario(catalogue):
        cancelled = asyncio.create_task(catalogue.refresh(force=True))
        await asyncio.to_thread(server.wait_for, 3)
        waiting = asyncio.create_task(catalogue.refresh(force=True))
        await asyncio.sleep(0)
        cancelled.cancel()
        await waiting
        assert versions({name: catalogue.info(name) for name in COMPONENTS}) == ALL_ONE

    fixture.run(scenario)
    assert not list(fixture.state.glob(".*.tmp"))


def test_refresh_cancelled_keeps_the_saved_answers(server, fixture):
    """A cancelled refresh does not change the file."""
    known = fixture.refresh()
    server.inject(faults.slow(3600), times=3)

    async def scenario(catalogue):
        refreshing = asyncio.create_task(catalogue.refresh(force=True))
        await asyncio.to_thread(server.wait_for, 6)
        refreshing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await refreshing

    fixture.run(scenario)
    assert fixture.load() == known
    assert not list(fixture.state.glob(".*.tmp"))
