"""Request notifier: announces what happens to requests, and starts the follow-up of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from loguru import logger

from protocol.messages import Progress
from protocol.types import Action, Reason
from remote.events import builders
from remote.events.bus import EventBus
from remote.health.health_registry import HealthRegistry, HealthSource
from remote.inventory import Inventory
from remote.settings import RemoteSettings
from remote.submission import RecordedAnswer, SubmissionRecord

# Whether a script may have run in an update that ended with this reason; then the component's health is checked.
SCRIPT_MAY_HAVE_RUN: Mapping[str, bool] = {
    Reason.INVALID_REQUEST: False,
    Reason.UNKNOWN_COMPONENT: False,
    Reason.SCRIPT_MISSING: False,
    Reason.SCRIPT_UNSAFE: False,
    Reason.SCRIPT_FAILED: True,
    Reason.TIMEOUT: True,
    Reason.UNHEALTHY: True,
    Reason.INTERRUPTED: True,
    Reason.CANNOT_START: True,
    Reason.ROLLBACK_FAILED: True,
    Reason.INTERNAL_ERROR: True,
}


class RequestNotifier:
    """Implements ``remote.gateway.request_follower.RequestListener``.

    Args:
        settings: with NATS, heartbeats report health, and no health check follows an update.
        bus: delivers the events.
        inventory: its installed versions are read again after each answer.
        registry: records the results of health checks.
        submit_health_check: submits a health check of a component; handles its own errors.
    """

    def __init__(
        self,
        settings: RemoteSettings,
        bus: EventBus,
        inventory: Inventory,
        registry: HealthRegistry,
        submit_health_check: Callable[[str], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._inventory = inventory
        self._registry = registry
        self._submit_health_check = submit_health_check

    def submitted(self, record: SubmissionRecord) -> None:
        """Announce a request that was written to the shared folder."""
        what = " ".join(filter(None, [record.action, record.component, record.version]))
        logger.info("submitted {}: {}", what, record.request_id)
        self._bus.publish(builders.progress_of(record, None))

    def progressed(self, record: SubmissionRecord, progress: Progress) -> None:
        """Announce the coordinator's or the script's progress."""
        self._bus.publish(builders.progress_of(record, progress))

    async def settled(self, record: SubmissionRecord, save: Callable[[SubmissionRecord], Awaitable[None]]) -> None:
        """Record an answer with its event number, then announce it, then start its follow-up (I2).

        Raises:
            StoreError: the answer was neither recorded nor announced.
        """
        answer = record.answer
        if answer is None:
            return
        await self._refresh()
        is_configured = record.component in self._settings.components  # it may have been removed since
        current = self._inventory.status_of(record.component).installed.version if is_configured else None
        answer = answer.model_copy(update={"current": current})
        events = builders.answer_events(record, answer, self._settings)
        async with self._bus.transaction(*events) as number:
            await save(record.model_copy(update={"answer": answer, "number": number}))
        logger.info("{} of {}: {}", record.action, record.component, answer.message)
        if is_configured:
            await self._follow_up(record, answer)

    def settled_unrecorded(self, record: SubmissionRecord) -> None:
        """Announce a local outcome that cannot be recorded: it is valid for this process only."""
        if record.answer is not None:
            self._bus.publish(*builders.answer_events(record, record.answer, self._settings))

    async def _follow_up(self, record: SubmissionRecord, answer: RecordedAnswer) -> None:
        if record.action == Action.HEALTH:
            running = builders.is_running(answer)
            # A check that could not run does not invalidate what is known.
            if running is not None and self._registry.record(record.component, running, HealthSource.HEALTH_CHECK):
                self.publish_health(record.component)
            return
        self._publish_check_result()
        may_have_run = SCRIPT_MAY_HAVE_RUN.get(answer.reason or "", True)  # also for a success and an unknown reason
        if answer.is_final and self._settings.nats.url is None and may_have_run:
            await self._submit_health_check(record.component)

    def publish_health(self, component: str) -> None:
        """Announce that a component runs, does not run, or is unknown."""
        self._bus.publish(builders.component_running(component, self._registry.of(component)))

    async def publish_inventory(self) -> None:
        """Read the installed versions again, and announce them beside the latest releases."""
        await self._refresh()
        self._publish_check_result()

    def _publish_check_result(self) -> None:
        self._bus.publish(builders.check_result(self._inventory.statuses()))

    async def _refresh(self) -> None:
        try:
            await asyncio.to_thread(self._inventory.refresh)
        except Exception:  # noqa: BLE001  a failing version source must not delay an answer (I16)
            logger.exception("cannot read the installed versions; the previous ones are used")
