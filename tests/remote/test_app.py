"""The application, in the process of the tests."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
import uvicorn
from websockets.asyncio.client import connect

from remote.app import App
from remote.commands.serve import LingerLimitedProtocol
from remote.settings import RemoteSettings


@pytest.fixture
def app(tmp_path, github):
    """The application with separate folders."""
    (tmp_path / "requests").mkdir()
    (tmp_path / "status").mkdir()
    paths = {name: tmp_path / name for name in ("requests", "status", "state")}
    return App(RemoteSettings.model_validate({"paths": paths, "releases": {"api": github.url}, "components": {}}))


def test_app_completes_running_work_before_it_stops(app):
    """A stop does not interrupt a running command."""
    ended = []

    async def work():
        await asyncio.sleep(0.05)
        ended.append(True)

    async def scenario():
        async with app.running():
            running = asyncio.create_task(app._context.requests._background.run(work()))
            await asyncio.sleep(0)
        assert ended == [True]
        await running

    asyncio.run(scenario())


def test_app_unsubscribes_disconnected_clients(app):
    """The bus keeps no subscriber after a clean close or an aborted connection."""

    async def scenario():
        server = uvicorn.Server(uvicorn.Config(app.asgi, ws=LingerLimitedProtocol, lifespan="on", log_config=None))
        listening = socket.create_server(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        address = "ws://127.0.0.1:{}/ws".format(*listening.getsockname()[1:])
        async with asyncio.timeout(60):
            async with connect(address, proxy=None) as closing, connect(address, proxy=None) as aborting:
                await asyncio.gather(closing.recv(), aborting.recv())
                assert len(app.bus._subscribers) == 2
                aborting.transport.abort()
            server.should_exit = True
            await running
        assert not app.bus._subscribers

    asyncio.run(scenario())


def test_app_loads_no_nats_library_unless_nats_is_configured(app):
    """It takes memory, and a fifth of the processor time of a start."""
    code = "import sys, remote.app, remote.commands.serve; sys.exit('nats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert app._heartbeats is None
