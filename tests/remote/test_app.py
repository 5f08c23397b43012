"""The parts together, without a server around them."""

from __future__ import annotations

import asyncio

import pytest

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
