"""What becomes of heartbeats when the server goes away, refuses us, or is shaken."""

import asyncio

import pytest
from heartbeat_fixture import Stage, stand_in, until
from nats_server import NatsServer

from remote.health import nats_connection as line_module
from remote.health.health_registry import How, Standing

RIGHT = "the right one"


@pytest.fixture
def absent(tmp_path):
    """A server that does not run yet."""
    server = NatsServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def guarded(tmp_path):
    """A server that asks for a token."""
    server = NatsServer(tmp_path, token=RIGHT)
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_lost_server_makes_all_unknown_until_it_is_back(nats, end):
    """While there is no server, nothing is known; when it is back on its port, components are heard again."""

    async def story():
        async with stand_in(nats.url), Stage(nats.url, components=("core", "scheduler"), alive_s=3) as stage:
            await stage.learns(running=True)
            await stage.learns(running=False, component="scheduler")
            getattr(nats, end)()
            await stage.learns(running=None)
            await stage.learns(running=None, component="scheduler")
            lost = stage.board.of("core")
            assert (lost.how, lost.at is None) == (None, False)
            nats.start()
            await stage.learns(running=True)
            await stage.learns(running=False, component="scheduler")
            assert stage.told() == [True, None, True]
            assert stage.told("scheduler") == [False, None, False]

    asyncio.run(story())


def test_after_a_loss_the_time_to_live_starts_anew(nats):
    """Nobody is called silent before its whole time to live has passed since the line is back."""

    async def story():
        async with Stage(nats.url, alive_s=0.7) as stage:
            await stage.learns(running=False)
            nats.kill()
            await stage.learns(running=None)
            began = stage.clock.monotonic()
            nats.start()
            await stage.learns(running=False)
            assert stage.changes[-1][2] - began >= 0.7

    asyncio.run(story())


def test_a_dead_line_accuses_nobody(nats, monkeypatch):
    """Where nothing comes through any more, components are unknown: it is not they who are silent."""

    async def story():
        async with stand_in(nats.url), Stage(nats.url, alive_s=2, interval_s=30) as stage:
            await stage.learns(running=True)
            monkeypatch.setattr(line_module, "ROUND_TRIP_S", 0.5)
            nats.freeze()
            await until(lambda: stage.lines("WARNING"), "the loss")
            nats.thaw()
            assert stage.told() == [True, None]

    asyncio.run(story())


def test_a_server_may_come_late(absent, tries):
    """A server that is not there at first is tried again and again, and told once; then components are heard."""

    async def story():
        async with Stage(absent.url) as stage:
            await until(lambda: len(tries) >= 4, "some tries")
            assert len(stage.lines("WARNING")) == 1
            assert f"NATS at 127.0.0.1:{absent.port}: " in stage.log[0]
            assert "Connect call failed" in stage.log[0]
            absent.start()
            async with stand_in(absent.url):
                await stage.learns(running=True)
            assert [line.split(":")[0] for line in stage.log] == ["WARNING", "INFO"]

    asyncio.run(story())


def test_each_outage_is_told(nats, tries):
    """A line is told when it is there, and its loss when it is lost, each time."""

    async def story():
        async with Stage(nats.url) as stage:
            for count in (1, 2, 3):
                await until(lambda count=count: len(stage.lines("INFO")) == count, "a line")
                nats.kill()
                await until(lambda: stage.log[-1].startswith("WARNING"), "its loss")
                tried = len(tries)
                await until(lambda tried=tried: len(tries) > tried + 1, "a try in vain")
                nats.start()

    asyncio.run(story())


def test_the_right_token_is_let_in(guarded):
    """The configured token is shown to the server."""

    async def story():
        async with stand_in(guarded.url, token=RIGHT), Stage(guarded.url, token=RIGHT) as stage:
            await stage.learns(running=True)

    asyncio.run(story())


@pytest.mark.parametrize("token", ["a wrong one", None])
def test_a_wrong_token_is_told_once(guarded, tries, token):
    """A server that lets us not in is tried on; the log says why, once, and not the token."""

    async def story():
        async with Stage(guarded.url, token=token) as stage:
            await until(lambda: len(tries) >= 4, "some tries")
            assert len(stage.log) == 1
            assert "Authorization Violation" in stage.log[0]
            assert "wrong one" not in stage.log[0]
            assert stage.board.of("core") == Standing(None, None, None)

    asyncio.run(story())


def test_a_password_in_the_url_is_not_told(absent):
    """The log names the server without the password that its URL may hold."""

    async def story():
        async with Stage(absent.url.replace("://", "://user:secret@")) as stage:
            await until(lambda: stage.log, "a line in the log")
            assert f"127.0.0.1:{absent.port}" in stage.log[0]
            assert "secret" not in stage.log[0]

    asyncio.run(story())


def test_a_loss_takes_back_only_what_heartbeats_told(nats):
    """What a health check or an update told stays when the server goes."""

    async def story():
        async with Stage(nats.url, components=("core", "scheduler")) as stage:
            await stage.listens()
            stage.board.learn("core", True, How.HEALTH_CHECK)
            stage.board.learn("scheduler", False, How.UPDATE)
            nats.kill()
            await until(lambda: stage.lines("WARNING"), "the loss")
            assert stage.board.of("core").running is True
            assert stage.board.of("scheduler").running is False
            assert stage.changes == []

    asyncio.run(story())
