"""The parts together, without a server around them."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from websockets.asyncio.client import connect

from remote.api.uvicorn_protocol import Wire
from remote.app import App
from remote.settings import Settings


@pytest.fixture
def app(tmp_path, github):
    """All parts, on folders of their own."""
    (tmp_path / "requests").mkdir()
    (tmp_path / "status").mkdir()
    paths = {name: tmp_path / name for name in ("requests", "status", "state")}
    return App(Settings.model_validate({"paths": paths, "releases": {"api": github.url}, "components": {}}))


def test_what_was_begun_is_finished_before_the_end(app):
    """Stopping does not cut a wish in two."""
    ended = []

    async def wish():
        await asyncio.sleep(0.05)
        ended.append(True)

    async def story():
        async with app.living():
            going_on = asyncio.create_task(app._undisturbed.do(wish()))
            await asyncio.sleep(0)
        assert ended == [True]
        await going_on

    asyncio.run(story())


def test_whoever_left_is_told_nothing_more(app):
    """Nothing is kept for a client that went, however it went."""

    async def story():
        server = uvicorn.Server(uvicorn.Config(app.site.app, ws=Wire, lifespan="on", log_config=None))
        listening = socket.create_server(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        address = "ws://127.0.0.1:{}/ws".format(*listening.getsockname()[1:])
        async with asyncio.timeout(60):
            async with connect(address, proxy=None) as polite, connect(address, proxy=None) as rude:
                await asyncio.gather(polite.recv(), rude.recv())
                assert len(app.house.stream._subscribers) == 2
                rude.transport.abort()
            server.should_exit = True
            await running
        assert not app.house.stream._subscribers

    asyncio.run(story())
