"""The gateway on real folders, with a coordinator that is played: what no real one does at will."""

from __future__ import annotations

import asyncio
import os

import pytest
from gateway_harness import LIMITS, DiedError, Life
from loguru import logger
from message_samples import final, progress

from protocol.types import Action
from remote.gateway.errors import Trouble
from remote.gateway.status_watcher import Bell


def answer_of(life):
    """The one record's answer."""
    (record,) = life.records
    return record.answer


def test_a_process_may_die_at_any_instant_and_each_answer_is_taken_exactly_once(tmp_path):
    """Before and after every write: a successor finds the record, and the shared folder ends empty."""

    async def ask_and_take(life):
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.outbox.publish(final(record.request_id))
        (life.requests / f"{record.request_id}.json").unlink()
        await life.until(lambda: life.listener.told and not list(life.status.iterdir()))

    lives = 0
    for instant in range(100):
        root = tmp_path / str(instant)
        root.mkdir()
        life = Life(root, dies_at=instant)
        try:
            asyncio.run(ask_and_take(life))
        except DiedError:
            lives += 1
            _succeed(root)
        else:
            break
    assert lives >= 7  # around keep, submit, keep and discard; the last may be seen too late to matter


def _succeed(root):
    """A successor brings everything to its end, with the coordinator's help where a request lies there."""
    life = Life(root)
    for path in life.requests.glob("*.json"):
        life.outbox.publish(final(path.stem))
        path.unlink()
    has_answer = list(life.status.glob("*.json"))
    asked = list(life.records)
    if not asked:
        assert not has_answer
        return

    async def take():
        if has_answer or asked[0].answer is not None:
            await life.until(lambda: answer_of(life) is not None and not list(life.status.glob("*.json")))
        else:  # it died before the request was written
            await life.until(lambda: life.gateway._open)
            await life.pass_time(LIMITS.pickup_s, lambda: life.gateway._open[asked[0].request_id].gone_since)
            await life.pass_time(3, lambda: answer_of(life) is not None)

    asyncio.run(take())
    answer = answer_of(life)
    if has_answer or asked[0].answer is not None:
        assert (answer.is_final, answer.reason) == (True, "unhealthy")
    else:
        assert (answer.is_final, answer.reason) == (False, Trouble.REQUEST_LOST)


def test_a_request_that_nobody_takes_up_is_withdrawn_and_told_once(tmp_path):
    """Not before its time, and with a moment's grace for one that read it just then."""
    life = Life(tmp_path)

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.clock.sleep(LIMITS.pickup_s - 1)
        await life.look()
        assert life.client.is_pending(record.request_id)
        await life.pass_time(1, lambda: life.gateway._open[record.request_id].gone_since)
        assert not life.client.is_pending(record.request_id)
        life.clock.sleep(1)
        await life.look()
        assert life.listener.told == []
        await life.pass_time(1, lambda: life.listener.told)

    asyncio.run(story())
    (told,) = life.listener.told
    assert told.answer.reason == Trouble.COORDINATOR_NOT_RUNNING
    assert "was withdrawn, nothing was changed" in told.answer.message


def test_a_coordinator_that_read_a_request_just_before_its_withdrawal_is_still_followed(tmp_path):
    """Its progress shows that it goes on, so there is no verdict, and its answer is the answer."""
    life = Life(tmp_path)

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        await life.pass_time(LIMITS.pickup_s, lambda: life.gateway._open[record.request_id].gone_since)
        life.outbox.publish_progress(progress(record.request_id, seq=3))
        await life.pass_time(5, lambda: life.listener.progress)
        await life.look()
        assert life.listener.told == []
        life.outbox.publish(final(record.request_id))
        await life.until(lambda: life.listener.told)

    asyncio.run(story())
    (told,) = life.listener.told
    assert (told.answer.reason, told.answer.is_late) == ("unhealthy", False)


def test_a_request_that_cannot_be_withdrawn_is_told_to_be_pending(tmp_path):
    """The truth: it will be carried out once the coordinator runs."""
    life = Life(tmp_path)

    def refuse(_request_id):
        raise PermissionError(1, os.strerror(1))

    life.client.withdraw = refuse

    async def story():
        await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        await life.pass_time(LIMITS.pickup_s, lambda: life.listener.told)

    asyncio.run(story())
    assert "will be carried out once it runs" in life.listener.told[0].answer.message


def test_progress_is_told_in_rising_order_and_once(tmp_path):
    """A number that was seen, or an older one, is no news."""
    life = Life(tmp_path)

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        for seq in (1, 1, 4, 2, 5):
            life.outbox.publish_progress(progress(record.request_id, seq=seq))
            await life.look()

    asyncio.run(story())
    assert [seq for _, seq in life.listener.progress] == [1, 4, 5]


def test_an_answer_that_cannot_be_written_down_is_not_taken(tmp_path):
    """Our own disk is full: it stays in the shared folder, is not told, and is taken once there is room."""
    life = Life(tmp_path)
    keep, full = life.records.keep, [True]

    def maybe(record):
        if full[0] and record.answer is not None:
            raise OSError(28, os.strerror(28))
        keep(record)

    life.records.keep = maybe

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.outbox.publish(final(record.request_id))
        await life.look()
        await life.look()
        assert life.client.get_status(record.request_id) is not None
        assert life.listener.told == []
        full[0] = False
        await life.pass_time(1, lambda: life.listener.told and not list(life.status.iterdir()))

    asyncio.run(story())
    assert len(life.listener.told) == 1


def test_answers_of_others_are_left_alone(tmp_path):
    """The folder is shared: what we did not ask is not ours to take."""
    life = Life(tmp_path)
    life.outbox.publish(final("somebody-elses"))

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.outbox.publish(final(record.request_id))
        await life.until(lambda: [path.name for path in life.status.iterdir()] == ["somebody-elses.json"])
        assert [answered.request_id for answered in life.listener.told] == [record.request_id]

    asyncio.run(story())


@pytest.mark.parametrize("way", ["inotify", "look"])
def test_an_answer_is_noticed_by_inotify_alone_and_without_it(tmp_path, monkeypatch, way):
    """A look once a second stands behind the bell."""
    if way == "look":
        monkeypatch.setattr(Bell, "start", lambda _self: None)
    else:
        monkeypatch.setattr("remote.gateway.status_watcher.POLL_S", 3600.0)
    life = Life(tmp_path)

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        looked = []
        life.client.progress = looked.append

        def is_told():
            if looked:  # it found nothing, and waits
                life.outbox.publish(final(record.request_id))
            return life.listener.told

        await life.until(is_told)

    asyncio.run(story())


def test_an_answer_is_told_once_though_what_comes_after_it_fails(tmp_path):
    """What was written down and told is not told again at the next look."""
    life = Life(tmp_path)
    settle = life.listener.settled

    async def stumble(record, keep):
        await settle(record, keep)
        raise RuntimeError("nobody thought of this")

    life.listener.settled = stumble

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.outbox.publish(final(record.request_id))
        await life.until(lambda: not list(life.status.iterdir()))

    asyncio.run(story())
    assert len(life.listener.told) == 1


def test_a_request_that_is_forgotten_is_followed_no_more(tmp_path):
    """Nobody answered it in all the time in which so many others were answered."""
    life = Life(tmp_path)

    async def story():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.outbox.publish_progress(progress(record.request_id, seq=1))
        await life.pass_time(LIMITS.timeout_s, lambda: life.listener.told)
        for _ in range(LIMITS.history):
            record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
            life.outbox.publish(final(record.request_id))
        await life.until(lambda: not life.gateway._open)

    asyncio.run(story())
    assert len(list(life.records)) == LIMITS.history


def test_a_request_wakes_a_gateway_that_had_nothing_to_do(tmp_path, monkeypatch):
    """Also where inotify does not work: without anything open nobody looks once a second."""
    monkeypatch.setattr(Bell, "start", lambda _self: None)
    life, naps, asking = Life(tmp_path), [], []
    wait = life.bell.wait

    async def fall_asleep(*, is_urgent):
        naps.append(is_urgent)
        await wait(is_urgent=is_urgent)

    async def ask():
        record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
        life.outbox.publish(final(record.request_id))

    def is_told():
        if naps and not asking:
            asking.append(asyncio.create_task(ask()))
        return life.listener.told

    life.bell.wait = fall_asleep
    asyncio.run(life.until(is_told))
    assert naps[0] is False


def test_only_so_many_answered_requests_are_remembered(tmp_path):
    """The oldest are forgotten, on disk, too, as soon as an answer more is there (I12)."""
    life = Life(tmp_path)

    async def story():
        for _ in range(LIMITS.history + 2):
            record = await life.gateway.ask("core", Action.UPDATE, "1.2.3")
            life.outbox.publish(final(record.request_id))
        await life.until(lambda: len(list(life.records)) == LIMITS.history and not list(life.status.iterdir()))

    asyncio.run(story())
    assert len(life.listener.told) == LIMITS.history + 2
    assert len(list((tmp_path / "records").iterdir())) == LIMITS.history


def test_a_fault_of_ours_in_one_request_keeps_no_other_waiting(tmp_path):
    """It is tried again, and the others are answered meanwhile."""
    life = Life(tmp_path)
    answer = life.client.get_status
    poisoned = []

    def read(request_id):
        found = answer(request_id)
        if request_id in poisoned:
            raise RuntimeError("nobody thought of this")
        return found

    life.client.get_status = read
    log = []
    sink = logger.add(log.append, format="{message}")

    async def story():
        poisoned.append((await life.gateway.ask("core", Action.UPDATE, "1.2.3")).request_id)
        record = await life.gateway.ask("scheduler", Action.UPDATE, "1.2.3")
        for request_id in (*poisoned, record.request_id):
            life.outbox.publish(final(request_id))
        await life.until(lambda: [told.request_id for told in life.listener.told] == [record.request_id])
        await life.look()
        first = poisoned.pop()
        await life.pass_time(1, lambda: [told.request_id for told in life.listener.told][1:] == [first])

    asyncio.run(story())
    logger.remove(sink)
    (complaint,) = log  # though it stumbled at every look
    assert complaint.startswith("cannot follow")
    assert "nobody thought of this" in complaint
