"""Release catalogue: the newest release of every component, polled and kept across restarts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from loguru import logger
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from protocol.clock import Clock
from remote.releases.github import GitHubClient
from remote.releases.release import Release, newest
from remote.releases.response import RateLimitedError, ReleasesUnavailableError
from remote.settings import RemoteSettings
from remote.state_database import StoreError
from remote.store import StateStore

RETRY_S = 900.0  # pause after a failed check; doubled each time, up to the interval
JITTER = 0.1  # of a wait: devices that were switched on together do not poll at the same time
_DOUBLINGS = 16  # more would exceed the interval, and finally the range of a float
_HOUR_S = 3600.0


class ReleaseInfo(BaseModel):
    """Result of checking one component's releases.

    Args:
        release: the newest one in the last successful answer; None if there is none, or no answer yet.
        checked_at: the time of the last successful answer, aware UTC.
        error: why the latest check failed; None if it did not fail.
    """

    model_config = ConfigDict(frozen=True)

    release: Release | None = None
    checked_at: datetime | None = None
    error: str | None = None


class _Query(BaseModel):
    """What was requested: a saved answer to another query is not used."""

    model_config = ConfigDict(frozen=True)

    api: str
    repository: str
    prereleases: bool


class SavedRelease(BaseModel):
    """A successful answer in the store."""

    question: _Query
    release: Release | None
    checked_at: AwareDatetime


@dataclass
class _Entry:
    """State of one component.

    Attributes:
        query: what is requested.
        due: when the next check is due, in seconds of the monotonic clock.
        info: what is known.
        failures: failed checks since the last successful one.
        checks: started checks; ``refresh`` compares it to join a check that is running.
    """

    query: _Query
    due: float
    info: ReleaseInfo = field(default_factory=ReleaseInfo)
    failures: int = 0
    checks: int = 0


class Catalogue:
    """The newest release of every component.

    Args:
        settings: the components, their repositories, and the polling interval.
        github: lists releases.
        store: keeps the successful answers.
        clock: the source of time.
        pause: waits for a number of seconds between two polls.
    """

    def __init__(
        self,
        settings: RemoteSettings,
        github: GitHubClient,
        store: StateStore,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._github = github
        self._store = store
        self._clock = clock
        self._pause = pause
        self._interval_s = settings.releases.interval_h * _HOUR_S
        self._entries = {
            name: _Entry(
                _Query(
                    api=settings.releases.api,
                    repository=settings.repository_of(name),
                    prereleases=settings.releases.prereleases,
                ),
                due=clock.monotonic(),
            )
            for name in settings.components
        }
        self._refresh_lock = asyncio.Lock()
        self._load()

    def info(self, component: str) -> ReleaseInfo:
        """Return what is known of ``component``'s releases, without a request."""
        return self._entries[component].info

    async def refresh(self, *, force: bool) -> None:
        """Check the releases of all components concurrently; a failure is recorded in its component's ``info``.

        A caller during a running refresh waits for it. Checks that started after the call are not repeated for it;
        with ``force``, a check that started before the call is repeated, as a release may have appeared since.

        Args:
            force: check all components; else only those whose check is due or whose last check failed.
        """
        checks_before = {name: entry.checks for name, entry in self._entries.items()}
        async with self._refresh_lock:
            due = [
                entry
                for name, entry in self._entries.items()
                if entry.checks == checks_before[name] and (force or self._is_due(entry))
            ]
            async with asyncio.TaskGroup() as group:
                for entry in due:
                    group.create_task(self._check(entry))
            if any(entry.failures == 0 for entry in due):
                await asyncio.to_thread(self._save, self._to_save())

    async def poll(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Refresh whenever a check is due, until cancelled.

        Endless, because new releases can only be found by polling. The wait after a failure grows from ``RETRY_S`` to
        the interval, a failure of one repository does not delay the others, and a defect does not end the loop (I16).

        Args:
            changed: called after each refresh.
        """
        while True:
            if (wait_s := self._wait_s()) > 0:
                await self._pause(wait_s * random.uniform(1, 1 + JITTER))  # noqa: S311  no secret
                continue
            try:
                await self.refresh(force=False)
                await changed()
            except Exception:  # noqa: BLE001  a defect here must not stop the polls after it (I16)
                logger.exception("cannot complete the check for releases; trying again in {:g} s", RETRY_S)
                await self._pause(RETRY_S)

    def _wait_s(self) -> float:
        """Return the seconds until the first check is due."""
        dues = [entry.due for entry in self._entries.values()]
        return min(dues) - self._clock.monotonic() if dues else self._interval_s

    def _is_due(self, entry: _Entry) -> bool:
        return entry.failures > 0 or entry.due <= self._clock.monotonic()

    async def _check(self, entry: _Entry) -> None:
        entry.checks += 1
        try:
            listed = await self._github.list_releases(entry.query.repository)
            release = newest(listed, prereleases=entry.query.prereleases)
        except ReleasesUnavailableError as error:
            self._record_failure(entry, str(error), error.retry_after_s if isinstance(error, RateLimitedError) else 0)
        except Exception as error:  # noqa: BLE001  a defect met in one repository must not stop the others (I16)
            self._record_failure(entry, f"cannot check {entry.query.repository}: {error!r}; report this", 0)
        else:
            entry.info = ReleaseInfo(release=release, checked_at=self._clock.utc())
            entry.failures = 0
            entry.due = self._clock.monotonic() + self._interval_s

    def _record_failure(self, entry: _Entry, message: str, retry_after_s: float) -> None:
        logger.warning("{}", message)
        entry.info = entry.info.model_copy(update={"error": message})
        pause_s = min(RETRY_S * 2 ** min(entry.failures, _DOUBLINGS), self._interval_s)
        entry.failures += 1
        entry.due = self._clock.monotonic() + max(pause_s, retry_after_s)

    def _to_save(self) -> dict[str, str]:
        return {
            name: SavedRelease(
                question=entry.query, release=entry.info.release, checked_at=entry.info.checked_at
            ).model_dump_json()
            for name, entry in self._entries.items()
            if entry.info.checked_at is not None
        }

    def _save(self, answers: Mapping[str, str]) -> None:
        try:
            self._store.save_releases(answers)
        except StoreError as error:
            logger.warning("cannot save the releases: {}", error)

    def _load(self) -> None:
        """Restore the saved answers, each for itself, so that a damaged one does not affect the others (I16)."""
        try:
            answers = self._store.saved_releases()
        except StoreError as error:
            logger.warning("cannot read the saved releases: {}; requesting them again", error)
            return
        for name, entry in self._entries.items():
            if name not in answers:
                continue
            try:
                self._restore(entry, SavedRelease.model_validate_json(answers[name]))
            except ValidationError:
                logger.warning("cannot read the saved releases of {}: invalid content; requesting them again", name)

    def _restore(self, entry: _Entry, saved: SavedRelease) -> None:
        if entry.query != saved.question:
            return
        entry.info = ReleaseInfo(release=saved.release, checked_at=saved.checked_at)
        age_s = (self._clock.utc() - saved.checked_at).total_seconds()
        if age_s >= 0:  # a negative age comes from a clock that jumped: the real age is unknown
            entry.due += max(0.0, self._interval_s - age_s)
