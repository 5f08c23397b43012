"""Heartbeat monitor: sends heartbeat requests over NATS; any message of a component proves that it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NoReturn

from loguru import logger

from protocol.clock import Clock
from protocol.names import printable
from remote.health.health_registry import HealthRegistry, HealthSource
from remote.health.heartbeat_messages import has_valid_subject, heartbeat_request, parse_sender
from remote.health.liveness import LivenessTracker
from remote.health.nats_connection import ConnectionLostError, NatsConnection
from remote.settings import SELF, NatsSettings

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_MAX_LOGGED_REASONS = 5


class HeartbeatMonitor:
    """Records in the registry which components run, as far as heartbeats show it.

    Without a connection, what heartbeats showed is unknown again, and with a new connection every component gets its
    full time: a component is never marked as silent because messages could not arrive.

    Args:
        settings: the server and the intervals; without ``url`` there is nothing to do.
        token: for the server; None if it requires none.
        components: all names; this program, and names that cannot be part of a subject, are not monitored.
        registry: receives the results.
        changed: called with a component whose ``running`` changed.
        clock: measures silence.
    """

    def __init__(
        self,
        settings: NatsSettings,
        token: str | None,
        components: Sequence[str],
        registry: HealthRegistry,
        changed: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._token = token
        self._monitored = [name for name in components if name != SELF and has_valid_subject(name)]
        self._by_sender = _senders(settings.subject_root, self._monitored)
        self._registry = registry
        self._changed = changed
        self._clock = clock
        self._liveness = LivenessTracker(self._monitored, settings.interval_s, settings.alive_s)
        self._logged_reasons: set[str] = set()

    async def run(self) -> None:
        """Keep a connection to the server and monitor the components, until cancelled.

        Reconnects without end, because a server may be away for any time and nothing else depends on it; the pause
        grows from 1 s to 30 s, or to the interval between requests if that is shorter. No error ends the loop (I16).
        """
        if self._settings.url is None:
            return
        longest_s = min(_LONGEST_PAUSE_S, self._settings.interval_s)
        pause_s = first_s = min(_FIRST_PAUSE_S, longest_s)
        while True:
            started = self._clock.monotonic()
            reason = await self._use_connection(self._settings.url)
            self._log_loss(reason)
            self._reset_health()
            if self._clock.monotonic() - started > longest_s:
                pause_s = first_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    async def _use_connection(self, url: str) -> str:
        """Connect and monitor until the connection is lost; return the reason."""
        connection = NatsConnection(url, self._token, self._settings.subject_root, self._on_message)
        try:
            await connection.open()
            self._logged_reasons.clear()
            logger.info(f"listening for heartbeats at {_address(url)}")
            return await self._monitor(connection)
        except ConnectionLostError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  a defect here costs this connection, not the monitor (I16)
            logger.opt(exception=error).error("cannot monitor heartbeats")
            return f"unexpected {type(error).__name__}: {printable(str(error))}"
        finally:
            await connection.close()

    async def _monitor(self, connection: NatsConnection) -> NoReturn:
        next_round = self._clock.monotonic()
        self._liveness.restart(next_round)
        while True:
            if self._clock.monotonic() >= next_round:
                next_round = self._clock.monotonic() + self._settings.interval_s
                await self._send_requests(connection)
            await self._mark_expired(connection)
            next_event = min(next_round, self._liveness.next_expiry())
            await connection.pause(max(0.0, next_event - self._clock.monotonic()))

    async def _send_requests(self, connection: NatsConnection) -> None:
        for component in self._monitored:
            await connection.publish(*heartbeat_request(self._settings.subject_root, component))
        self._liveness.record_request(self._clock.monotonic())
        await connection.round_trip()

    async def _mark_expired(self, connection: NatsConnection) -> None:
        """Mark silent components as not running; the round trip first delivers all messages that are in transit."""
        now = self._clock.monotonic()
        if self._liveness.next_expiry() > now:
            return
        await connection.round_trip()
        for component in self._liveness.pop_expired(now):
            self._record(component, running=False)

    def _on_message(self, content: bytes) -> None:
        component = self._by_sender.get(parse_sender(content) or "")
        if component is not None:
            self._liveness.record_message(component, self._clock.monotonic())
            self._record(component, running=True)

    def _record(self, component: str, *, running: bool) -> None:
        """Record a change: a further heartbeat does not change since when a component runs."""
        known = self._registry.of(component)
        if (known.running, known.how) == (running, HealthSource.HEARTBEAT):
            return
        if self._registry.record(component, running, HealthSource.HEARTBEAT):
            self._notify(component)

    def _reset_health(self) -> None:
        """Make unknown what heartbeats showed; the results of other sources stay."""
        for component in self._monitored:
            is_from_heartbeat = self._registry.of(component).how is HealthSource.HEARTBEAT
            if is_from_heartbeat and self._registry.record(component, None, None):
                self._notify(component)

    def _notify(self, component: str) -> None:
        """Call ``changed``; its failure for one component must not keep the others from being recorded (I16)."""
        try:
            self._changed(component)
        except Exception:  # noqa: BLE001  see above
            logger.exception("cannot publish whether {} runs", component)

    def _log_loss(self, reason: str) -> None:
        """Log why there is no connection: each reason once, and at most five until there is one again."""
        if reason in self._logged_reasons or len(self._logged_reasons) >= _MAX_LOGGED_REASONS:
            return
        self._logged_reasons.add(reason)
        address = _address(self._settings.url or "")
        logger.warning(
            f"cannot monitor heartbeats: NATS at {address}: {reason}; trying again; see [nats] in the configuration"
        )


def _senders(root: str, components: Sequence[str]) -> dict[str, str]:
    """Return the components by the names they may send, in lower case: ``NAME`` and ``ROOT-NAME``."""
    long = {f"{root}-{component}".lower(): component for component in components}
    return {**long, **{component.lower(): component for component in components}}


def _address(url: str) -> str:
    """Return host and port of ``url``, without the password that may be in it."""
    return url.rpartition("://")[2].rpartition("@")[2]
