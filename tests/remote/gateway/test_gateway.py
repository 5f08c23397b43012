"""Gateway on real folders, with a simulated coordinator: what a real one does not do at will."""

from __future__ import annotations

import asyncio
import itertools
import json
import os

import pytest
from gateway_harness import LIMITS, CrashError, GatewayHarness
from loguru import logger

from protocol.types import Action
from remote.gateway import gateway as gateway_module
from remote.gateway.errors import FailureCode, SubmitError
from remote.gateway.status_watcher import StatusWatcher
from remote.store import StoreError
from tests.support.message_samples import final, progress


def answer_of(harness):
    """The one record's answer."""
    (record,) = harness.store
    return record.answer


def test_gateway_takes_each_answer_exactly_once_whenever_it_crashes(tmp_path):
    """Before and after every write: a restart finds the record, and the shared folder ends empty."""

    async def ask_and_take(harness):
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        (harness.requests / f"{record.request_id}.json").unlink()
        await harness.until(lambda: harness.listener.settlements and not list(harness.status.iterdir()))

    crashes = 0
    for instant in range(100):
        root = tmp_path / str(instant)
        root.mkdir()
        harness = GatewayHarness(root, crash_at=instant)
        try:
            asyncio.run(ask_and_take(harness))
        except CrashError:
            crashes += 1
            _restart(root)
        else:
            break
    assert crashes >= 7  # around save, submit, save and discard; the last may be seen too late to matter


def _restart(root):
    """A restart settles everything, with the coordinator's answer where there is a request."""
    harness = GatewayHarness(root)
    for path in harness.requests.glob("*.json"):
        harness.outbox.publish(final(path.stem))
        path.unlink()
    has_answer = list(harness.status.glob("*.json"))
    asked = list(harness.store)
    if not asked:
        assert not has_answer
        return

    async def take():
        if has_answer or asked[0].answer is not None:
            await harness.until(lambda: answer_of(harness) is not None and not list(harness.status.glob("*.json")))
        else:  # it died before the request was written
            await harness.until(lambda: harness.gateway._open)
            await harness.pass_time(LIMITS.pickup_s, lambda: harness.gateway._open[asked[0].request_id].gone_since)
            await harness.pass_time(3, lambda: answer_of(harness) is not None)

    asyncio.run(take())
    answer = answer_of(harness)
    if has_answer or asked[0].answer is not None:
        assert (answer.is_final, answer.reason) == (True, "unhealthy")
    else:
        assert (answer.is_final, answer.reason) == (False, FailureCode.REQUEST_LOST)


def test_gateway_withdraws_a_request_that_is_not_taken_up(tmp_path):
    """Not before its time, with a grace period for a coordinator that read it just then; announced once."""
    harness = GatewayHarness(tmp_path)

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.clock.sleep(LIMITS.pickup_s - 1)
        await harness.gateway.poll_all()
        assert harness.client.is_pending(record.request_id)
        await harness.pass_time(1, lambda: harness.gateway._open[record.request_id].gone_since)
        assert not harness.client.is_pending(record.request_id)
        harness.clock.sleep(1)
        await harness.gateway.poll_all()
        assert harness.listener.settlements == []
        await harness.pass_time(1, lambda: harness.listener.settlements)

    asyncio.run(story())
    (settled,) = harness.listener.settlements
    assert settled.answer.reason == FailureCode.COORDINATOR_NOT_RUNNING
    assert "was withdrawn, nothing was changed" in settled.answer.message


def test_gateway_follows_a_request_that_was_read_just_before_its_withdrawal(tmp_path):
    """Its progress shows that it goes on, so there is no local outcome, and the coordinator's answer is not late."""
    harness = GatewayHarness(tmp_path)

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        await harness.pass_time(LIMITS.pickup_s, lambda: harness.gateway._open[record.request_id].gone_since)
        harness.outbox.publish_progress(progress(record.request_id, seq=3))
        await harness.pass_time(5, lambda: harness.listener.progress)
        await harness.gateway.poll_all()
        assert harness.listener.settlements == []
        harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: harness.listener.settlements)

    asyncio.run(story())
    (settled,) = harness.listener.settlements
    assert (settled.answer.reason, settled.answer.is_late) == ("unhealthy", False)


def test_gateway_reports_a_request_that_cannot_be_withdrawn_as_pending(tmp_path):
    """It will be carried out once the coordinator runs."""
    harness = GatewayHarness(tmp_path)

    def refuse(_request_id):
        raise PermissionError(1, os.strerror(1))

    harness.client.withdraw = refuse

    async def story():
        await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        await harness.pass_time(LIMITS.pickup_s, lambda: harness.listener.settlements)

    asyncio.run(story())
    assert "will be executed when it runs again" in harness.listener.settlements[0].answer.message


def test_gateway_announces_progress_in_rising_order_and_once(tmp_path):
    """A sequence number that was seen, or a lower one, is ignored."""
    harness = GatewayHarness(tmp_path)

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        for seq in (1, 1, 4, 2, 5):
            harness.outbox.publish_progress(progress(record.request_id, seq=seq))
            await harness.gateway.poll_all()

    asyncio.run(story())
    assert [seq for _, seq in harness.listener.progress] == [1, 4, 5]


def test_gateway_takes_no_answer_that_cannot_be_recorded(tmp_path):
    """With a full disk it stays in the shared folder, unannounced, and is taken once there is room (I2)."""
    harness = GatewayHarness(tmp_path)
    save, full = harness.store.save, [True]

    def save_unless_full(record):
        if full[0] and record.answer is not None:
            raise StoreError("disk full")
        save(record)

    harness.store.save = save_unless_full

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        await harness.gateway.poll_all()
        await harness.gateway.poll_all()
        assert harness.client.get_status(record.request_id) is not None
        assert harness.listener.settlements == []
        full[0] = False
        await harness.pass_time(1, lambda: harness.listener.settlements and not list(harness.status.iterdir()))

    asyncio.run(story())
    assert len(harness.listener.settlements) == 1


def test_gateway_leaves_the_answers_of_other_clients(tmp_path):
    """The folder is shared: only answers to recorded requests are taken."""
    harness = GatewayHarness(tmp_path)
    harness.outbox.publish(final("another-clients"))

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: [path.name for path in harness.status.iterdir()] == ["another-clients.json"])
        assert [answered.request_id for answered in harness.listener.settlements] == [record.request_id]

    asyncio.run(story())


@pytest.mark.parametrize("way", ["inotify", "polling"])
def test_gateway_notices_an_answer_by_inotify_alone_and_by_polling_alone(tmp_path, monkeypatch, way):
    """Polling once a second is the fallback of the watcher."""
    if way == "polling":
        monkeypatch.setattr(StatusWatcher, "start", lambda _self: None)
    else:
        monkeypatch.setattr("remote.gateway.status_watcher.POLL_S", 3600.0)
    harness = GatewayHarness(tmp_path)

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        looked = []
        harness.client.progress = looked.append

        def is_settled():
            if looked:  # it found nothing, and waits
                harness.outbox.publish(final(record.request_id))
            return harness.listener.settlements

        await harness.until(is_settled)

    asyncio.run(story())


def test_gateway_announces_an_answer_once_when_what_follows_fails(tmp_path):
    """An answer that was recorded and announced is not announced again by the next poll."""
    harness = GatewayHarness(tmp_path)
    settle = harness.listener.settled

    async def settle_and_fail(record, save):
        await settle(record, save)
        raise RuntimeError("unexpected")

    harness.listener.settled = settle_and_fail

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        await harness.gateway.poll_all()
        await harness.pass_time(1, lambda: not list(harness.status.iterdir()))

    asyncio.run(story())
    assert len(harness.listener.settlements) == 1


def test_gateway_stops_following_a_pruned_request(tmp_path):
    """It had a local outcome, and so many later requests were answered that it was pruned."""
    harness = GatewayHarness(tmp_path)

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish_progress(progress(record.request_id, seq=1))
        await harness.pass_time(LIMITS.timeout_s, lambda: harness.listener.settlements)
        for _ in range(LIMITS.history):
            record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
            harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: not harness.gateway._open)

    asyncio.run(story())
    assert len(list(harness.store)) == LIMITS.history


def test_gateway_is_woken_by_a_request_when_idle(tmp_path, monkeypatch):
    """Also without inotify: an idle gateway does not poll."""
    monkeypatch.setattr(StatusWatcher, "start", lambda _self: None)
    harness, naps, asking = GatewayHarness(tmp_path), [], []
    wait = harness.watcher.wait

    async def fall_asleep(*, is_urgent):
        naps.append(is_urgent)
        await wait(is_urgent=is_urgent)

    async def ask():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))

    def is_settled():
        if naps and not asking:
            asking.append(asyncio.create_task(ask()))
        return harness.listener.settlements

    harness.watcher.wait = fall_asleep
    asyncio.run(harness.until(is_settled))
    assert naps[0] is False


def test_gateway_prunes_answered_records(tmp_path):
    """The oldest are deleted, also from the file, as soon as there is one answer more (I12)."""
    harness = GatewayHarness(tmp_path)

    async def story():
        for _ in range(LIMITS.history + 2):
            record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
            harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: len(list(harness.store)) == LIMITS.history and not list(harness.status.iterdir()))

    asyncio.run(story())
    assert len(harness.listener.settlements) == LIMITS.history + 2
    assert len(list(GatewayHarness(tmp_path).store)) == LIMITS.history


def test_gateway_polls_the_other_requests_when_one_fails(tmp_path):
    """It is retried, and the others are answered meanwhile (I16)."""
    harness = GatewayHarness(tmp_path)
    answer = harness.client.get_status
    poisoned = []

    def read(request_id):
        found = answer(request_id)
        if request_id in poisoned:
            raise RuntimeError("unexpected")
        return found

    harness.client.get_status = read
    log = []
    sink = logger.add(log.append, format="{message}")

    async def story():
        poisoned.append((await harness.gateway.submit("core", Action.UPDATE, "1.2.3")).request_id)
        record = await harness.gateway.submit("scheduler", Action.UPDATE, "1.2.3")
        for request_id in (*poisoned, record.request_id):
            harness.outbox.publish(final(request_id))
        await harness.until(lambda: harness.settled_ids() == [record.request_id])
        await harness.gateway.poll_all()
        first = poisoned.pop()
        await harness.pass_time(1, lambda: harness.settled_ids()[1:] == [first])

    asyncio.run(story())
    logger.remove(sink)
    (complaint,) = log  # though it failed at every poll
    assert complaint.startswith("cannot follow")
    assert "unexpected" in complaint


def fail_always(harness):
    """Submit two requests, of which the first can never be polled, and let time pass until it is given up."""
    read = harness.client.get_status
    polls = []

    def get_status(request_id):
        if request_id == poisoned:
            polls.append(harness.clock.monotonic())
            raise RuntimeError("unexpected")
        return read(request_id)

    poisoned = None
    harness.client.get_status = get_status

    async def story():
        nonlocal poisoned
        poisoned = (await harness.gateway.submit("core", Action.UPDATE, "1.2.3")).request_id
        other = (await harness.gateway.submit("scheduler", Action.UPDATE, "1.2.3")).request_id
        harness.outbox.publish_progress(progress(other, seq=1))
        for _ in range(gateway_module.MAX_FAILURES * 2):
            await harness.gateway.poll_all()
            harness.clock.sleep(300)
        harness.outbox.publish(final(other))
        await harness.until(lambda: any(settled.request_id == other for settled in harness.listener.settlements))

    asyncio.run(story())
    return poisoned, polls


def test_gateway_gives_a_request_up_that_always_fails(tmp_path):
    """After a bounded number of polls there is a truthful outcome, and the other requests are answered (I16)."""
    harness = GatewayHarness(tmp_path)
    poisoned, polls = fail_always(harness)
    assert len(polls) == gateway_module.MAX_FAILURES
    answer = harness.store.get(poisoned).answer
    assert (answer.success, answer.reason, answer.is_final) == (False, FailureCode.CANNOT_FOLLOW, False)
    assert f"update-coordinator status {poisoned}" in answer.message
    assert poisoned not in [record.request_id for record, _ in harness.gateway.outstanding()]
    assert harness.listener.unrecorded == []


def test_gateway_follows_a_request_that_it_gave_up_after_a_restart(tmp_path):
    """The coordinator's answer replaces the local outcome, marked as late."""
    poisoned, _ = fail_always(GatewayHarness(tmp_path))
    restarted = GatewayHarness(tmp_path)
    restarted.outbox.publish(final(poisoned))
    # The other request of ``fail_always`` may get its answer from either process.
    asyncio.run(restarted.until(lambda: poisoned in restarted.settled_ids()))
    (settled,) = [one for one in restarted.listener.settlements if one.request_id == poisoned]
    assert (settled.answer.is_late, settled.answer.is_final) == (True, True)


def test_gateway_announces_an_outcome_that_it_cannot_record(tmp_path):
    """With a disk that stays full the request ends for this process; the next one takes the answer (I1, I16)."""
    harness = GatewayHarness(tmp_path)
    save = harness.store.save

    def save_unless_answered(record):
        if record.answer is not None:
            raise StoreError("disk full")
        save(record)

    harness.store.save = save_unless_answered

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        for _ in range(gateway_module.MAX_FAILURES):
            await harness.gateway.poll_all()
            harness.clock.sleep(300)
        return record.request_id

    request_id = asyncio.run(story())
    (outcome,) = harness.listener.unrecorded
    assert (outcome.request_id, outcome.answer.reason) == (request_id, FailureCode.CANNOT_FOLLOW)
    assert "disk full" in outcome.answer.message
    assert (harness.listener.settlements, harness.gateway.outstanding()) == ([], [])
    restarted = GatewayHarness(tmp_path)
    asyncio.run(restarted.until(lambda: restarted.listener.settlements and not list(restarted.status.iterdir())))
    assert [settled.answer.is_late for settled in restarted.listener.settlements] == [False]


def test_gateway_goes_on_when_an_outcome_cannot_be_announced(tmp_path):
    """A listener that always fails for one request ends in a line of the log (I16)."""
    harness = GatewayHarness(tmp_path)
    settle = harness.listener.settled

    async def fail_for_core(record, save):
        if record.component == "core":
            raise RuntimeError("unexpected")
        await settle(record, save)

    harness.listener.settled = fail_for_core
    log = []
    sink = logger.add(log.append, format="{message}")
    fail_always(harness)
    logger.remove(sink)
    assert any(line.startswith("cannot announce the outcome of") for line in log)
    assert [settled.component for settled in harness.listener.settlements] == ["scheduler"]


def test_gateway_pauses_longer_after_each_failure(tmp_path):
    """From one second to five minutes, so that a transient failure is retried soon and a lasting one costs little."""
    harness = GatewayHarness(tmp_path)

    def fail(_request_id):
        polls.append(harness.clock.monotonic())
        raise RuntimeError("unexpected")

    polls = []
    harness.client.get_status = fail

    async def story():
        await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        for _ in range(40):
            await harness.gateway.poll_all()
            harness.clock.sleep(1)

    asyncio.run(story())
    assert [later - earlier for earlier, later in itertools.pairwise(polls)] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("failing", ["delete", "prune"])
def test_gateway_goes_on_when_old_records_cannot_be_deleted(tmp_path, failing):
    """The answer is taken; the records are deleted after a later answer (I16)."""
    harness = GatewayHarness(tmp_path)

    def fail(*_arguments):
        raise StoreError("disk full")

    setattr(harness.store, failing, fail)

    async def story():
        for _ in range(LIMITS.history + 1):
            record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
            harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: not harness.gateway._open and not list(harness.status.iterdir()))

    asyncio.run(story())
    assert len(harness.listener.settlements) == LIMITS.history + 1


def test_gateway_takes_an_answer_with_values_that_only_newer_coordinators_know(tmp_path):
    """Reason, action and unknown fields are read as what they are."""
    harness = GatewayHarness(tmp_path)

    async def story():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        fields = json.loads(final(record.request_id).model_dump_json())
        fields |= {"reason": "quota_exceeded", "action": "cancel", "priority": 7}
        (harness.status / f"{record.request_id}.json").write_text(json.dumps(fields))
        await harness.until(lambda: harness.listener.settlements)

    asyncio.run(story())
    answer = harness.listener.settlements[0].answer
    assert (answer.reason, answer.is_final) == ("quota_exceeded", True)


def test_gateway_reports_a_request_that_it_cannot_record(tmp_path):
    """Nothing is submitted that would be unknown after a restart (I2)."""
    harness = GatewayHarness(tmp_path)

    def fail(_record):
        raise StoreError("disk full")

    harness.store.save = fail
    with pytest.raises(SubmitError, match="cannot record the request: disk full") as raised:
        asyncio.run(harness.gateway.submit("core", Action.UPDATE, "1.2.3"))
    assert raised.value.code is FailureCode.CANNOT_KEEP
    assert list(harness.requests.iterdir()) == []


def test_gateway_forgets_a_request_that_it_cannot_submit(tmp_path):
    """Its record is deleted; where that fails too, it is not followed in this process."""
    harness = GatewayHarness(tmp_path)
    harness.requests.rmdir()
    with pytest.raises(SubmitError) as raised:
        asyncio.run(harness.gateway.submit("core", Action.UPDATE, "1.2.3"))
    assert raised.value.code is FailureCode.VOLUME_MISSING
    assert (harness.gateway.records(), harness.gateway.outstanding()) == ([], [])
