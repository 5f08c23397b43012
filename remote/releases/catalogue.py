"""The newest release of every component: asked for when it is time, and remembered across restarts."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from loguru import logger
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from protocol.clock import Clock
from protocol.fs import write_atomic
from remote.releases.errors import RateLimitedError, ReleasesUnavailableError
from remote.releases.github import GitHub
from remote.releases.release import Release, newest
from remote.settings import Settings

RETRY_S = 900.0  # after a failed check, then twice that, and so on up to the interval
JITTER = 0.1  # of a wait: a thousand machines that were switched on together do not ask together for ever
_DOUBLINGS = 16  # more would only be cut to the interval, until they no longer fit a float
_HOUR_S = 3600.0


class Known(BaseModel):
    """What is known of a component's releases.

    Args:
        release: the newest by the last good answer; None when there is none, or no answer yet.
        checked_at: when that answer came.
        error: why the latest try failed; None when it did not.
    """

    model_config = ConfigDict(frozen=True)

    release: Release | None = None
    checked_at: datetime | None = None
    error: str | None = None


class _Question(BaseModel):
    """What was asked: a remembered answer to another question is none."""

    model_config = ConfigDict(frozen=True)

    api: str
    repository: str
    prereleases: bool


class _Remembered(BaseModel):
    """A good answer, as the file holds it."""

    question: _Question
    release: Release | None
    checked_at: AwareDatetime


class _File(BaseModel):
    components: Mapping[str, _Remembered]


@dataclass
class _Standing:
    """A component's question, what is known, and when it is asked again, in seconds of the clock that never jumps."""

    question: _Question
    due: float
    known: Known = field(default_factory=Known)
    failures: int = 0
    begun: int = 0  # how often it was asked


class Catalogue:
    """What is known of every component's releases.

    Args:
        settings: the components, their repositories, and how often to ask.
        github: who is asked.
        path: the file that keeps the good answers.
        clock: what time it is.
        pause: lets seconds pass between two checks.
    """

    def __init__(
        self,
        settings: Settings,
        github: GitHub,
        path: Path,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._github = github
        self._path = path
        self._clock = clock
        self._pause = pause
        self._interval_s = settings.releases.interval_h * _HOUR_S
        self._standings = {
            name: _Standing(
                _Question(
                    api=settings.releases.api,
                    repository=settings.repository_of(name),
                    prereleases=settings.releases.prereleases,
                ),
                due=clock.monotonic(),
            )
            for name in settings.components
        }
        self._one_refresh = asyncio.Lock()
        self._one_write = threading.Lock()
        self._recall()

    def known(self, component: str) -> Known:
        """What is known of ``component``'s releases, without asking anybody."""
        return self._standings[component].known

    async def refresh(self, *, force: bool) -> None:
        """Ask for the releases of all components, beside each other.

        Who calls while that is under way waits for it. What was asked after their call is not asked again for them; an
        answer from before it is none to who uses ``force``: they may know of a release that has come since.

        Args:
            force: ask for all; else only where the last good answer is older than the interval, or the last try failed.
        """
        begun = {name: standing.begun for name, standing in self._standings.items()}
        async with self._one_refresh:
            wanted = [
                standing
                for name, standing in self._standings.items()
                if standing.begun == begun[name] and (force or self._is_wanted(standing))
            ]
            async with asyncio.TaskGroup() as group:
                for standing in wanted:
                    group.create_task(self._check(standing))
            if any(standing.failures == 0 for standing in wanted):
                await asyncio.to_thread(self._keep, self._remembered())

    async def keep_fresh(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Refresh now if it is time, then whenever it is, for ever.

        Args:
            changed: called after each refresh.
        """
        while True:
            if (wait_s := self._wait_s()) > 0:
                await self._pause(wait_s * random.uniform(1, 1 + JITTER))  # noqa: S311  no secret
                continue
            await self.refresh(force=False)
            await changed()

    def _wait_s(self) -> float:
        """Seconds until the first component is due."""
        dues = [standing.due for standing in self._standings.values()]
        return min(dues) - self._clock.monotonic() if dues else self._interval_s

    def _is_wanted(self, standing: _Standing) -> bool:
        return standing.failures > 0 or standing.due <= self._clock.monotonic()

    async def _check(self, standing: _Standing) -> None:
        standing.begun += 1
        try:
            entries = await self._github.releases(standing.question.repository)
        except ReleasesUnavailableError as error:
            self._failed(standing, str(error), error.again_in_s if isinstance(error, RateLimitedError) else 0)
        except Exception as error:  # noqa: BLE001  a server made a library stumble; the others go on
            self._failed(standing, f"cannot check {standing.question.repository}: {error!r}; report this", 0)
        else:
            standing.known = Known(
                release=newest(entries, prereleases=standing.question.prereleases), checked_at=self._clock.utc()
            )
            standing.failures = 0
            standing.due = self._clock.monotonic() + self._interval_s

    def _failed(self, standing: _Standing, message: str, again_in_s: float) -> None:
        logger.warning("{}", message)
        standing.known = standing.known.model_copy(update={"error": message})
        pause_s = min(RETRY_S * 2 ** min(standing.failures, _DOUBLINGS), self._interval_s)
        standing.failures += 1
        standing.due = self._clock.monotonic() + max(pause_s, again_in_s)

    def _remembered(self) -> _File:
        return _File(
            components={
                name: _Remembered(
                    question=standing.question, release=standing.known.release, checked_at=standing.known.checked_at
                )
                for name, standing in self._standings.items()
                if standing.known.checked_at is not None
            }
        )

    def _keep(self, file: _File) -> None:
        """Write the good answers, in a thread, which a cancelled refresh leaves behind: hence one at a time."""
        with self._one_write:
            try:
                write_atomic(self._path, file.model_dump_json().encode())
            except OSError as error:
                logger.warning("cannot remember the releases in {}: {}", self._path, error.strerror)

    def _recall(self) -> None:
        try:
            file = _File.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds something else"
            logger.warning("cannot read the releases remembered in {}: {}; asking anew", self._path, reason)
            return
        for name, remembered in file.components.items():
            standing = self._standings.get(name)
            if standing is not None and standing.question == remembered.question:
                standing.known = Known(release=remembered.release, checked_at=remembered.checked_at)
                age_s = (self._clock.utc() - remembered.checked_at).total_seconds()
                if age_s >= 0:  # else a clock jumped, and nobody knows
                    standing.due += max(0.0, self._interval_s - age_s)
