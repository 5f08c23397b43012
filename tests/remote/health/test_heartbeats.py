"""Heartbeats, with a real NATS server and a component that answers."""

import asyncio
import json

import pytest
from heartbeat_fixture import Stage, send_raw, stand_in, until

from protocol.clock import SystemClock
from remote.health import nats_connection as line_module
from remote.health.health_registry import Board, How, Standing
from remote.health.heartbeats import Heartbeats
from remote.settings import NatsSettings


def test_who_answers_runs(nats):
    """A component that answers the question runs, by its heartbeat."""

    async def story():
        async with stand_in(nats.url), Stage(nats.url) as stage:
            await stage.learns(running=True)
            assert stage.board.of("core").how is How.HEARTBEAT
            assert stage.changes[0][:2] == ("core", True)

    asyncio.run(story())


def test_every_other_component_is_asked_again_and_again(nats):
    """Each component but ourselves is asked at its own subject, and every interval anew."""

    async def story():
        async with (
            stand_in(nats.url, answers=False) as listener,
            Stage(nats.url, components=("core", "scheduler", "remote")),
        ):
            await until(lambda: len(listener.asked) >= 6, "three rounds of questions")
            assert [message["destination"] for _, message in listener.asked[:4]] == ["core", "scheduler"] * 2
            assert {subject for subject, _ in listener.asked} == {
                "dunebugger.core.heartbeat",
                "dunebugger.scheduler.heartbeat",
            }
            assert all(message["source"] == "remote" for _, message in listener.asked)

    asyncio.run(story())


def test_questions_are_an_interval_apart(nats):
    """The second question does not come before the interval is over."""

    async def story():
        async with stand_in(nats.url) as core, Stage(nats.url, interval_s=2) as stage:
            await until(lambda: core.asked, "a question")
            first = core.spoke_at
            await until(lambda: len(core.asked) == 2, "another")
            assert core.spoke_at - first > 1  # the first may have been heard late
            assert stage.told() == [True]

    asyncio.run(story())


@pytest.mark.parametrize("name", ["core", "Core", "DUNEBUGGER-core"])
@pytest.mark.parametrize("subject", ["dunebugger.log", "dunebugger.scheduler.a.b", "dunebugger.remote.heartbeat"])
def test_whatever_a_component_says_counts(nats, name, subject):
    """Any message below the root proves that its source lives, whatever its subject and its capitals."""

    async def story():
        async with stand_in(nats.url, name=name, answers=False) as core, Stage(nats.url) as stage:
            await stage.listens()
            await core.say(subject, body={"level": 3})
            await stage.learns(running=True)

    asyncio.run(story())


def test_who_is_never_heard_does_not_run(nats):
    """Of what was never heard nothing is known, until its time to live has passed since the question."""

    async def story():
        async with Stage(nats.url, alive_s=0.5) as stage:
            assert stage.board.of("core") == Standing(None, None, None)
            began = stage.clock.monotonic()
            await stage.learns(running=False)
            assert stage.told() == [False]
            assert stage.changes[0][2] - began >= 0.5
            assert stage.board.of("core").how is How.HEARTBEAT

    asyncio.run(story())


def test_who_falls_silent_does_not_run_and_runs_again_when_it_speaks(nats):
    """A component runs for its time to live after its last message, and again from the next on."""

    async def story():
        async with stand_in(nats.url) as core, Stage(nats.url, alive_s=3, interval_s=0.2) as stage:
            await until(lambda: len(core.asked) >= 18, "more answers than one life is long")
            assert stage.board.of("core").running is True
            core.answers = False
            await stage.learns(running=False)
            assert stage.changes[-1][2] - core.spoke_at >= 3
            core.answers = True
            await stage.learns(running=True)

    asyncio.run(story())


def test_our_own_messages_prove_nothing(nats):
    """What bears our own name, our questions among it, makes nobody run; nor do strangers."""

    async def story():
        async with (
            stand_in(nats.url, name="remote") as ours,
            stand_in(nats.url, name="stranger"),
            Stage(nats.url, alive_s=0.5) as stage,
        ):
            await ours.say("dunebugger.core.heartbeat", destination="core")
            await stage.learns(running=False)
            assert stage.told() == [False]
            assert stage.told("remote") == []

    asyncio.run(story())


def test_a_heartbeat_more_is_no_news(nats):
    """Since when a component runs does not move with its messages; what was learned otherwise gives way to them."""

    async def story():
        async with stand_in(nats.url) as core, Stage(nats.url) as stage:
            await stage.learns(running=True)
            before = stage.board.of("core")
            heard = len(core.asked)
            await until(lambda: len(core.asked) >= heard + 3, "more questions")
            assert stage.board.of("core") == before
            stage.board.learn("core", False, How.HEALTH_CHECK)
            await stage.learns(running=True)
            assert stage.board.of("core").how is How.HEARTBEAT
            stage.board.learn("core", True, How.HEALTH_CHECK)
            await until(lambda: stage.board.of("core").how is How.HEARTBEAT, "a heartbeat")
            assert stage.told() == [True, True]

    asyncio.run(story())


JUNK = [b"", b"{", b"null", b"[]", b'["core"]', b'{"source": 7}', b"\xff\xfe", b"[" * 200_000, b"x" * 1_000_000]


def test_junk_is_ignored(nats):
    """What is no message of a component, however large and often, changes nothing and ends nothing."""

    async def story():
        async with stand_in(nats.url, answers=False) as core, Stage(nats.url) as stage:
            await stage.listens()
            for content in JUNK * 5:
                await core.say_raw(content)
            await core.say_raw(json.dumps({"source": "core", "body": "x" * 500_000}).encode())
            assert stage.told() == []
            await core.say()
            await stage.learns(running=True)
            assert len(stage.lines("INFO")) == 1

    asyncio.run(story())


def test_a_message_that_is_too_large_to_keep_costs_nothing(nats, monkeypatch):
    """What exceeds the memory set aside for messages is dropped; the line stays."""
    monkeypatch.setattr(line_module, "_PENDING_BYTES", 1000)

    async def story():
        async with stand_in(nats.url, answers=False) as core, Stage(nats.url) as stage:
            await stage.listens()
            await core.say_raw(b"x" * 2000)
            await core.say()
            await stage.learns(running=True)
            assert stage.lines("WARNING") == []

    asyncio.run(story())


def test_a_component_is_heard_in_a_flood(nats):
    """Many messages of others at once do not keep a component from being heard, nor the line from being used."""
    message = b'PUB dunebugger.log 22\r\n{"source": "stranger"}\r\n'

    async def story():
        async with stand_in(nats.url, answers=False) as core, Stage(nats.url) as stage:
            await stage.listens()
            await send_raw(nats.port, message * 50_000)
            await core.say()
            await stage.learns(running=True)
            assert stage.lines("WARNING") == []

    asyncio.run(story())


def test_a_name_that_is_no_subject_spoils_nothing(nats):
    """A component that cannot be asked stays unknown, and the others are asked."""

    async def story():
        async with stand_in(nats.url), Stage(nats.url, components=("a..b", "core"), alive_s=0.5) as stage:
            await stage.learns(running=True)
            began = stage.clock.monotonic()
            await until(lambda: stage.clock.monotonic() - began > 1, "more than a time to live")
            assert stage.board.of("a..b").running is None
            assert stage.lines("WARNING") == []

    asyncio.run(story())


def test_without_a_server_configured_there_is_nothing_to_do():
    """Where no NATS is configured, it ends at once, and everything stays unknown."""
    clock = SystemClock()
    board = Board(["core"], None, clock)
    asyncio.run(Heartbeats(NatsSettings(), None, ["core"], board, pytest.fail, clock).run())
    assert board.of("core") == Standing(None, None, None)
