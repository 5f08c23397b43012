"""What is known of the components' releases, and how it stays known."""

import asyncio

import github_faults as faults
import pytest
from hand_clock import START
from release_fixture import ALL_ONE, COMPONENTS, DAY_S, log, versions

from remote.releases.catalogue import Known
from remote.releases.github import GitHub

pytestmark = pytest.mark.usefixtures("published")


def test_before_the_first_answer_nothing_is_known(stage):
    """Without an answer there is neither a release nor an age nor an error."""
    assert stage.recall() == dict.fromkeys(COMPONENTS, Known())


def test_a_refresh_finds_the_newest_releases(stage):
    """After a refresh every component's newest release is known, with its notes, its address and its age."""
    known = stage.refresh()
    assert versions(known) == ALL_ONE
    assert known["two"].release.notes == "notes of two"
    assert known["two"].release.url == "https://github.com/owner/two/releases/tag/v1.0.0"
    assert (known["two"].checked_at, known["two"].error) == (START, None)


@pytest.mark.parametrize(("prereleases", "version"), [(False, "1.0.0"), (True, "2.0.0-rc.1")])
def test_prereleases_are_as_configured(server, stage, prereleases, version):
    """Pre-releases count where the configuration wants them."""
    stage.settings["prereleases"] = prereleases
    server.publish("owner/one", "2.0.0-rc.1", prerelease=True)
    assert versions(stage.refresh())["one"] == version


def test_a_component_without_releases_is_known_to_have_none(server, stage):
    """A repository that lists nothing is a good answer."""
    server.repository("owner/one").releases.clear()
    assert stage.refresh()["one"] == Known(checked_at=START)


def test_a_check_of_three_where_nothing_changed_costs_three_304s(server, stage):
    """A check of three repositories in which nothing changed costs three 304s, and nothing is forgotten by it."""
    first = stage.refresh()
    server.answers.clear()
    assert stage.refresh(force=True) == first
    assert server.statuses() == {304: 3}


def test_what_is_fresh_is_asked_for_only_by_force(server, stage):
    """Within the interval after a good answer only force asks again, also in the next process."""
    stage.refresh()
    stage.clock.sleep(DAY_S - 1)
    server.publish("owner/one", "1.1.0")
    assert versions(stage.refresh()) == ALL_ONE
    assert versions(stage.refresh(force=True)) == ALL_ONE | {"one": "1.1.0"}


def test_what_is_old_is_asked_for(server, stage):
    """A good answer that is as old as the interval is asked for again."""
    stage.refresh()
    stage.clock.sleep(DAY_S)
    server.publish("owner/one", "1.1.0")
    assert versions(stage.refresh()) == ALL_ONE | {"one": "1.1.0"}


def test_what_failed_is_asked_for_again(server, stage):
    """After a failed check that component alone is asked for again, even within the interval."""

    async def walk(catalogue):
        await catalogue.refresh(force=False)
        server.misbehave(faults.refusal(404))
        await catalogue.refresh(force=True)
        server.answers.clear()
        await catalogue.refresh(force=False)
        assert {catalogue.known(name).error for name in COMPONENTS} == {None}

    stage.run(walk)
    assert len(server.answers) == 1


def test_what_no_longer_fails_is_fresh(server, stage):
    """A good answer after a failed check is as good as any: nobody asks again within the interval."""
    server.misbehave(faults.refusal(404), times=3)

    async def walk(catalogue):
        for _ in range(3):
            await catalogue.refresh(force=False)

    stage.run(walk)
    assert server.statuses() == {404: 3, 200: 3}


def test_a_failure_keeps_the_last_good_answer(server, stage):
    """After a failed check the last good answer and its age stay, with the reason why there is none newer."""

    async def walk(catalogue):
        await catalogue.refresh(force=True)
        stage.clock.sleep(60)
        server.misbehave(faults.refusal(404), times=3)
        with log() as lines:
            await catalogue.refresh(force=True)
        for name in COMPONENTS:
            known = catalogue.known(name)
            assert (known.release.version, known.checked_at) == ("1.0.0", START)
            assert known.error.startswith(f"cannot check owner/{name}: 127.0.0.1 knows no such repository")
            assert known.error in lines
        assert len(lines) == 3

    stage.run(walk)


def test_one_failure_leaves_the_others_alone(server, stage):
    """A repository that is not there keeps nobody from knowing the others."""
    server.rename("owner/two", "owner/gone")
    server.repository("owner/gone").name = "owner/away"
    server.repository("owner/two").number = 99
    known = stage.refresh()
    assert versions(known) == ALL_ONE | {"two": None}
    assert (known["two"].checked_at, known["one"].error) == (None, None)


def test_a_stumble_leaves_the_others_alone(stage, monkeypatch):
    """An error that nobody foresaw counts as a failed check."""

    async def stumble(_github, repository):
        raise ZeroDivisionError(repository)

    monkeypatch.setattr("remote.releases.github.GitHub.releases", stumble)
    with log() as lines:
        known = stage.refresh()
    assert known["one"].error == "cannot check owner/one: ZeroDivisionError('owner/one'); report this"
    assert len(lines) == 3


def test_callers_share_one_refresh(server, stage):
    """Who wants a refresh while one is under way gets that one."""

    async def walk(catalogue):
        await asyncio.gather(*(catalogue.refresh(force=force) for force in (True, True, False, True)))
        assert versions({name: catalogue.known(name) for name in COMPONENTS}) == ALL_ONE

    stage.run(walk)
    assert len(server.answers) == 3


def test_who_insists_gets_no_answer_from_before_the_question(server, stage, monkeypatch):
    """A release that came while a check was under way is found by whoever asks then; all who wait share one more."""
    releases, has_come = GitHub.releases, asyncio.Event()

    async def late(self, repository):
        entries = await releases(self, repository)
        await has_come.wait()
        return entries

    monkeypatch.setattr(GitHub, "releases", late)

    async def walk(catalogue):
        early = asyncio.create_task(catalogue.refresh(force=False))
        await asyncio.to_thread(server.wait_for, 3)
        server.publish("owner/one", "1.5.0")
        insisting = [asyncio.create_task(catalogue.refresh(force=True)) for _ in range(3)]
        await asyncio.sleep(0)
        has_come.set()
        await asyncio.gather(early, *insisting)
        assert catalogue.known("one").release.version == "1.5.0"

    stage.run(walk)
    assert len(server.answers) == 6


def test_callers_after_each_other_do_not_share(server, stage):
    """A forced refresh asks again, however short a time after the last."""

    async def walk(catalogue):
        await catalogue.refresh(force=True)
        await catalogue.refresh(force=True)

    stage.run(walk)
    assert len(server.answers) == 6


def test_force_is_not_lost_in_a_shared_refresh(server, stage):
    """Who insists while a refresh of some is under way gets all the others as well."""

    async def walk(catalogue):
        await catalogue.refresh(force=False)
        server.misbehave(faults.refusal(404))
        await catalogue.refresh(force=True)
        server.answers.clear()
        await asyncio.gather(catalogue.refresh(force=False), catalogue.refresh(force=True))

    stage.run(walk)
    assert len({answered.path for answered in server.answers}) == len(server.answers) == 3


def test_who_leaves_does_not_take_the_answer_along(server, stage):
    """When the caller that asked is cancelled, another that waited for the same gets its answer."""
    server.misbehave(faults.slow(3600), times=3)

    async def walk(catalogue):
        leaving = asyncio.create_task(catalogue.refresh(force=True))
        await asyncio.to_thread(server.wait_for, 3)
        waiting = asyncio.create_task(catalogue.refresh(force=True))
        await asyncio.sleep(0)
        leaving.cancel()
        await waiting
        assert versions({name: catalogue.known(name) for name in COMPONENTS}) == ALL_ONE

    stage.run(walk)
    assert not list(stage.state.glob(".*.tmp"))


def test_stopping_leaves_nothing_broken(server, stage):
    """A refresh that is cancelled leaves the last good answers as they were."""
    known = stage.refresh()
    server.misbehave(faults.slow(3600), times=3)

    async def walk(catalogue):
        keeping = asyncio.create_task(catalogue.refresh(force=True))
        await asyncio.to_thread(server.wait_for, 6)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping

    stage.run(walk)
    assert stage.recall() == known
    assert not list(stage.state.glob(".*.tmp"))
