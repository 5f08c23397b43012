"""Gateway with real folders and a simulated coordinator, for situations that a real one does not reproduce."""

from __future__ import annotations

import asyncio
import itertools
import json
import os

import pytest
from gateway_harness import LIMITS, CrashError, GatewayHarness
from loguru import logger

from protocol.types import Action
from remote.gateway.errors import FailureCode, SubmitError
from remote.gateway.request_follower import MAX_FAILURES
from remote.gateway.status_watcher import StatusWatcher
from remote.state_database import StoreError
from tests.support.message_samples import final, progress


def answer_of(harness):
    """The answer of the only record."""
    (record,) = harness.store
    return record.answer


def test_gateway_takes_each_answer_exactly_once_after_any_crash(tmp_path):
    """After a crash before or after any write, a restart finds the record, and the shared folder ends empty."""

    async def submit_and_take(harness):
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
            asyncio.run(submit_and_take(harness))
        except CrashError:
            crashes += 1
            _restart(root)
        else:
            break
    assert crashes >= 7  # around save, submit, save and discard; the run may end before the last one


def _restart(root):
    """Restart, and check that the request is settled, with the coordinator's answer if it was submitted."""
    harness = GatewayHarness(root)
    for path in harness.requests.glob("*.json"):
        harness.outbox.publish(final(path.stem))
        path.unlink()
    has_answer = list(harness.status.glob("*.json"))
    records = list(harness.store)
    if not records:
        assert not has_answer
        return

    async def take():
        if has_answer or records[0].answer is not None:
            await harness.until(lambda: answer_of(harness) is not None and not list(harness.status.glob("*.json")))
        else:  # the crash was before the request was written
            await harness.until(lambda: harness.follower._open)
            await harness.pass_time(LIMITS.pickup_s, lambda: harness.follower._open[records[0].request_id].gone_since)
            await harness.pass_time(3, lambda: answer_of(harness) is not None)

    asyncio.run(take())
    answer = answer_of(harness)
    if has_answer or records[0].answer is not None:
        assert (answer.is_final, answer.reason) == (True, "unhealthy")
    else:
        assert (answer.is_final, answer.reason) == (False, FailureCode.REQUEST_LOST)


def test_gateway_withdraws_a_request_that_is_not_taken_up(tmp_path):
    """The withdrawal follows the pickup timeout and is announced once, after a grace period for a concurrent pickup."""
    harness = GatewayHarness(tmp_path)

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.clock.sleep(LIMITS.pickup_s - 1)
        await harness.follower.poll_all()
        assert harness.client.is_pending(record.request_id)
        await harness.pass_time(1, lambda: harness.follower._open[record.request_id].gone_since)
        assert not harness.client.is_pending(record.request_id)
        harness.clock.sleep(1)
        await harness.follower.poll_all()
        assert harness.listener.settlements == []
        await harness.pass_time(1, lambda: harness.listener.settlements)

    asyncio.run(scenario())
    (settled,) = harness.listener.settlements
    assert settled.answer.reason == FailureCode.COORDINATOR_NOT_RUNNING
    assert "was withdrawn, nothing was changed" in settled.answer.message


def test_gateway_follows_a_request_that_was_read_just_before_its_withdrawal(tmp_path):
    """Its progress shows that the request runs: there is no local outcome, and the answer is not late."""
    harness = GatewayHarness(tmp_path)

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        await harness.pass_time(LIMITS.pickup_s, lambda: harness.follower._open[record.request_id].gone_since)
        harness.outbox.publish_progress(progress(record.request_id, seq=3))
        await harness.pass_time(5, lambda: harness.listener.progress)
        await harness.follower.poll_all()
        assert harness.listener.settlements == []
        harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: harness.listener.settlements)

    asyncio.run(scenario())
    (settled,) = harness.listener.settlements
    assert (settled.answer.reason, settled.answer.is_late) == ("unhealthy", False)


def test_gateway_reports_a_request_that_cannot_be_withdrawn_as_pending(tmp_path):
    """The message says that the request runs as soon as the coordinator runs."""
    harness = GatewayHarness(tmp_path)

    def fail(_request_id):
        raise PermissionError(1, os.strerror(1))

    harness.client.withdraw = fail

    async def scenario():
        await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        await harness.pass_time(LIMITS.pickup_s, lambda: harness.listener.settlements)

    asyncio.run(scenario())
    assert "will be executed when it runs again" in harness.listener.settlements[0].answer.message


def test_gateway_announces_progress_in_rising_order_and_once(tmp_path):
    """A known sequence number, or a lower one, is ignored."""
    harness = GatewayHarness(tmp_path)

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        for seq in (1, 1, 4, 2, 5):
            harness.outbox.publish_progress(progress(record.request_id, seq=seq))
            await harness.follower.poll_all()

    asyncio.run(scenario())
    assert [seq for _, seq in harness.listener.progress] == [1, 4, 5]


def test_gateway_takes_no_answer_that_cannot_be_recorded(tmp_path):
    """While the disk is full, the answer stays in the shared folder, unannounced; it is taken later (I2)."""
    harness = GatewayHarness(tmp_path)
    save, full = harness.store.save, [True]

    def save_unless_full(record):
        if full[0] and record.answer is not None:
            raise StoreError("disk full")
        save(record)

    harness.store.save = save_unless_full

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        await harness.follower.poll_all()
        await harness.follower.poll_all()
        assert harness.client.get_status(record.request_id) is not None
        assert harness.listener.settlements == []
        full[0] = False
        await harness.pass_time(1, lambda: harness.listener.settlements and not list(harness.status.iterdir()))

    asyncio.run(scenario())
    assert len(harness.listener.settlements) == 1


def test_gateway_leaves_the_answers_of_other_clients(tmp_path):
    """The folder is shared: only answers to recorded requests are taken."""
    harness = GatewayHarness(tmp_path)
    harness.outbox.publish(final("another-clients"))

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: [path.name for path in harness.status.iterdir()] == ["another-clients.json"])
        assert harness.settled_ids() == [record.request_id]

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["inotify", "polling"])
def test_gateway_notices_an_answer_by_inotify_alone_and_by_polling_alone(tmp_path, monkeypatch, method):
    """Polling once a second is the fallback of the watcher."""
    if method == "polling":
        monkeypatch.setattr(StatusWatcher, "start", lambda _self: None)
    else:
        monkeypatch.setattr("remote.gateway.status_watcher.POLL_S", 3600.0)
    harness = GatewayHarness(tmp_path)

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        polled = []
        harness.client.progress = polled.append

        def is_settled():
            if polled:  # the first poll found nothing, and the gateway waits
                harness.outbox.publish(final(record.request_id))
            return harness.listener.settlements

        await harness.until(is_settled)

    asyncio.run(scenario())


def test_gateway_announces_an_answer_once_when_a_later_step_fails(tmp_path):
    """An answer that was recorded and announced is not announced again by the next poll."""
    harness = GatewayHarness(tmp_path)
    settle = harness.listener.settled

    async def settle_and_fail(record, save):
        await settle(record, save)
        raise RuntimeError("unexpected")

    harness.listener.settled = settle_and_fail

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        await harness.follower.poll_all()
        await harness.pass_time(1, lambda: not list(harness.status.iterdir()))

    asyncio.run(scenario())
    assert len(harness.listener.settlements) == 1


def test_gateway_stops_following_a_pruned_request(tmp_path):
    """A request with a local outcome is pruned after enough later requests are answered."""
    harness = GatewayHarness(tmp_path)

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish_progress(progress(record.request_id, seq=1))
        await harness.pass_time(LIMITS.timeout_s, lambda: harness.listener.settlements)
        for _ in range(LIMITS.history):
            record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
            harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: not harness.follower._open)

    asyncio.run(scenario())
    assert len(list(harness.store)) == LIMITS.history


def test_gateway_is_woken_by_a_request_when_idle(tmp_path, monkeypatch):
    """A submission wakes an idle gateway, which does not poll, also without inotify."""
    monkeypatch.setattr(StatusWatcher, "start", lambda _self: None)
    harness, waits, submitting = GatewayHarness(tmp_path), [], []
    wait = harness.watcher.wait

    async def recorded_wait(*, is_urgent):
        waits.append(is_urgent)
        await wait(is_urgent=is_urgent)

    async def submit():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))

    def is_settled():
        if waits and not submitting:
            submitting.append(asyncio.create_task(submit()))
        return harness.listener.settlements

    harness.watcher.wait = recorded_wait
    asyncio.run(harness.until(is_settled))
    assert waits[0] is False


def test_gateway_prunes_answered_records(tmp_path):
    """The oldest answered records are deleted, also from the file, when a new answer exceeds the limit (I12)."""
    harness = GatewayHarness(tmp_path)

    async def scenario():
        for _ in range(LIMITS.history + 2):
            record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
            harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: len(list(harness.store)) == LIMITS.history and not list(harness.status.iterdir()))

    asyncio.run(scenario())
    assert len(harness.listener.settlements) == LIMITS.history + 2
    assert len(list(GatewayHarness(tmp_path).store)) == LIMITS.history


def test_gateway_polls_the_other_requests_when_one_fails(tmp_path):
    """The failing request is retried, and the others are answered meanwhile (I16)."""
    harness = GatewayHarness(tmp_path)
    answer = harness.client.get_status
    failing = []

    def read(request_id):
        found = answer(request_id)
        if request_id in failing:
            raise RuntimeError("unexpected")
        return found

    harness.client.get_status = read
    log = []
    sink = logger.add(log.append, format="{message}")

    async def scenario():
        failing.append((await harness.gateway.submit("core", Action.UPDATE, "1.2.3")).request_id)
        record = await harness.gateway.submit("scheduler", Action.UPDATE, "1.2.3")
        for request_id in (*failing, record.request_id):
            harness.outbox.publish(final(request_id))
        await harness.until(lambda: harness.settled_ids() == [record.request_id])
        await harness.follower.poll_all()
        first = failing.pop()
        await harness.pass_time(1, lambda: harness.settled_ids()[1:] == [first])

    asyncio.run(scenario())
    logger.remove(sink)
    (line,) = log  # although every poll failed
    assert line.startswith("cannot follow")
    assert "unexpected" in line


def fail_always(harness):
    """Submit two requests, and advance the clock until the first, whose polls always fail, is no longer followed."""
    read = harness.client.get_status
    polls = []

    def get_status(request_id):
        if request_id == failing:
            polls.append(harness.clock.monotonic())
            raise RuntimeError("unexpected")
        return read(request_id)

    failing = None
    harness.client.get_status = get_status

    async def scenario():
        nonlocal failing
        failing = (await harness.gateway.submit("core", Action.UPDATE, "1.2.3")).request_id
        other = (await harness.gateway.submit("scheduler", Action.UPDATE, "1.2.3")).request_id
        harness.outbox.publish_progress(progress(other, seq=1))
        for _ in range(MAX_FAILURES * 2):
            await harness.follower.poll_all()
            harness.clock.sleep(300)
        harness.outbox.publish(final(other))
        await harness.until(lambda: any(settled.request_id == other for settled in harness.listener.settlements))

    asyncio.run(scenario())
    return failing, polls


def test_gateway_stops_following_a_request_that_always_fails(tmp_path):
    """After a bounded number of polls the request has a true outcome, and the other requests are answered (I16)."""
    harness = GatewayHarness(tmp_path)
    failing, polls = fail_always(harness)
    assert len(polls) == MAX_FAILURES
    answer = harness.store.get(failing).answer
    assert (answer.success, answer.reason, answer.is_final) == (False, FailureCode.CANNOT_FOLLOW, False)
    assert f"update-coordinator status {failing}" in answer.message
    assert failing not in [record.request_id for record, _ in harness.gateway.outstanding()]
    assert harness.listener.unrecorded == []


def test_gateway_follows_an_unanswered_request_after_a_restart(tmp_path):
    """The coordinator's answer replaces the local outcome, marked as late."""
    failing, _ = fail_always(GatewayHarness(tmp_path))
    restarted = GatewayHarness(tmp_path)
    restarted.outbox.publish(final(failing))
    # Either process may take the answer to the other request of ``fail_always``.
    asyncio.run(restarted.until(lambda: failing in restarted.settled_ids()))
    (settled,) = [record for record in restarted.listener.settlements if record.request_id == failing]
    assert (settled.answer.is_late, settled.answer.is_final) == (True, True)


def test_gateway_announces_an_outcome_that_it_cannot_record(tmp_path):
    """If the disk stays full, this process announces a local outcome, and the next one takes the answer (I1, I16)."""
    harness = GatewayHarness(tmp_path)
    save = harness.store.save

    def save_unless_answered(record):
        if record.answer is not None:
            raise StoreError("disk full")
        save(record)

    harness.store.save = save_unless_answered

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        harness.outbox.publish(final(record.request_id))
        for _ in range(MAX_FAILURES):
            await harness.follower.poll_all()
            harness.clock.sleep(300)
        return record.request_id

    request_id = asyncio.run(scenario())
    (outcome,) = harness.listener.unrecorded
    assert (outcome.request_id, outcome.answer.reason) == (request_id, FailureCode.CANNOT_FOLLOW)
    assert "disk full" in outcome.answer.message
    assert (harness.listener.settlements, harness.gateway.outstanding()) == ([], [])
    restarted = GatewayHarness(tmp_path)
    asyncio.run(restarted.until(lambda: restarted.listener.settlements and not list(restarted.status.iterdir())))
    assert [settled.answer.is_late for settled in restarted.listener.settlements] == [False]


def test_gateway_continues_when_an_outcome_cannot_be_announced(tmp_path):
    """A listener that always fails for one request is logged, and the other requests are settled (I16)."""
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
    """The pause doubles from 1 s to 5 min: a transient error is retried soon, and a permanent one costs little."""
    harness = GatewayHarness(tmp_path)

    def fail(_request_id):
        polls.append(harness.clock.monotonic())
        raise RuntimeError("unexpected")

    polls = []
    harness.client.get_status = fail

    async def scenario():
        await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        for _ in range(40):
            await harness.follower.poll_all()
            harness.clock.sleep(1)

    asyncio.run(scenario())
    assert [later - earlier for earlier, later in itertools.pairwise(polls)] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("failing", ["delete", "prune"])
def test_gateway_continues_when_old_records_cannot_be_deleted(tmp_path, failing):
    """The answer is taken; a later answer deletes the records (I16)."""
    harness = GatewayHarness(tmp_path)

    def fail(*_arguments):
        raise StoreError("disk full")

    setattr(harness.store, failing, fail)

    async def scenario():
        for _ in range(LIMITS.history + 1):
            record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
            harness.outbox.publish(final(record.request_id))
        await harness.until(lambda: not harness.follower._open and not list(harness.status.iterdir()))

    asyncio.run(scenario())
    assert len(harness.listener.settlements) == LIMITS.history + 1


def test_gateway_takes_an_answer_with_unknown_values(tmp_path):
    """An unknown reason is kept, and unknown fields are ignored."""
    harness = GatewayHarness(tmp_path)

    async def scenario():
        record = await harness.gateway.submit("core", Action.UPDATE, "1.2.3")
        fields = json.loads(final(record.request_id).model_dump_json())
        fields |= {"reason": "quota_exceeded", "action": "cancel", "priority": 7}
        (harness.status / f"{record.request_id}.json").write_text(json.dumps(fields))
        await harness.until(lambda: harness.listener.settlements)

    asyncio.run(scenario())
    answer = harness.listener.settlements[0].answer
    assert (answer.reason, answer.is_final) == ("quota_exceeded", True)


def test_gateway_reports_a_request_that_it_cannot_record(tmp_path):
    """A request that would be unknown after a restart is not submitted (I2)."""
    harness = GatewayHarness(tmp_path)

    def fail(_record):
        raise StoreError("disk full")

    harness.store.save = fail
    with pytest.raises(SubmitError, match="cannot record the request: disk full") as raised:
        asyncio.run(harness.gateway.submit("core", Action.UPDATE, "1.2.3"))
    assert raised.value.code is FailureCode.CANNOT_KEEP
    assert list(harness.requests.iterdir()) == []


def test_gateway_deletes_the_record_of_a_request_that_it_cannot_submit(tmp_path):
    """The record is deleted; if that fails too, this process does not follow the request."""
    harness = GatewayHarness(tmp_path)
    harness.requests.rmdir()
    with pytest.raises(SubmitError) as raised:
        asyncio.run(harness.gateway.submit("core", Action.UPDATE, "1.2.3"))
    assert raised.value.code is FailureCode.VOLUME_MISSING
    assert (harness.gateway.records(), harness.gateway.outstanding()) == ([], [])
