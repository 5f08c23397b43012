"""GitHub's rate limits: parse them from responses, and respect them across restarts.

Source: GitHub, "Rate limits for the REST API" and "Best practices for using the REST API".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from loguru import logger
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from protocol.clock import Clock
from remote.state_database import StoreError
from remote.store import StateStore

WINDOW_S = 3600.0  # GitHub counts per hour: a longer wait in a header is reduced to this
MAX_SAVED_WAIT_S = 2 * WINDOW_S  # a saved longer wait comes from a clock that jumped
PAUSE_S = 60.0  # "wait for at least one minute" if the limit has no duration; doubled each time
FORBIDDEN, TOO_MANY_REQUESTS = LIMIT_STATUSES = (403, 429)
_DOUBLINGS = 8  # more would exceed the window
_DIGITS = 12


@dataclass(frozen=True)
class RateLimit:
    """A rate limit that is in force.

    Args:
        wait_s: its duration, > 0; None if the server gave none.
    """

    wait_s: float | None


def parse_rate_limit(status: int, headers: Mapping[str, str], message: str, now: datetime) -> RateLimit | None:
    """Return the rate limit that a response announces; None if it announces none.

    Times are relative to the server's ``Date`` header, as the local clock may be wrong until NTP has set it.

    Args:
        status: of the response; also 200, as this request may have used up the quota.
        headers: of the response, by lower-case name.
        message: the message in the body of an error response.
        now: the local clock, used if the response has no ``Date``.
    """
    now = _parse_date(headers.get("date", "")) or now
    is_rejected = status in LIMIT_STATUSES
    if is_rejected and "retry-after" in headers:
        return _bounded(_parse_retry_after(headers["retry-after"], now))
    if _parse_number(headers.get("x-ratelimit-remaining", "")) == 0:
        reset = _parse_number(headers.get("x-ratelimit-reset", ""))
        limit = _bounded(None if reset is None else reset - now.timestamp())
        return limit if is_rejected or limit.wait_s is not None else None
    if status == TOO_MANY_REQUESTS or (is_rejected and "rate limit" in message.lower()):
        return RateLimit(wait_s=None)
    return None


def _bounded(wait_s: float | None) -> RateLimit:
    return RateLimit(wait_s=min(wait_s, WINDOW_S) if wait_s is not None and wait_s > 0 else None)


def _parse_retry_after(text: str, now: datetime) -> float | None:
    """``Retry-After``: seconds or a date (RFC 9110, section 10.2.3)."""
    seconds = _parse_number(text)
    if seconds is not None:
        return float(seconds)
    date = _parse_date(text)
    return None if date is None else (date - now).total_seconds()


def _parse_number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


class SavedLimit(BaseModel):
    """The rate limit in the store."""

    until: AwareDatetime
    pauses: int = Field(ge=0)


class RateLimitTracker:
    """Respects the server's rate limits: by the monotonic clock in this process, by the wall clock in the store.

    Args:
        store: keeps the current limit.
        clock: the source of time.
    """

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._until = clock.monotonic()
        self._pauses = 0
        self._load()

    def wait_s(self) -> float:
        """Return the seconds until the next request is allowed; 0 if it is allowed now."""
        return max(0.0, self._until - self._clock.monotonic())

    def allowed_at(self) -> datetime:
        """Return the time at which the next request is allowed, aware UTC."""
        return self._clock.utc() + timedelta(seconds=self.wait_s())

    def record_limit(self, limit: RateLimit) -> None:
        """Respect ``limit`` from now on; limits in the responses to concurrent requests count as one."""
        if limit.wait_s is not None:
            wait_s = limit.wait_s
        elif self.wait_s() > 0:
            return
        else:
            wait_s = min(PAUSE_S * 2 ** min(self._pauses, _DOUBLINGS), WINDOW_S)
            self._pauses += 1
        self._until = max(self._until, self._clock.monotonic() + wait_s)
        self._save()

    def record_success(self) -> None:
        """Reset the pause for limits without a duration."""
        if self._pauses:
            self._pauses = 0
            self._save()

    def _save(self) -> None:
        saved = SavedLimit(until=self.allowed_at(), pauses=self._pauses)
        try:
            self._store.save_rate_limit(saved.model_dump_json())
        except StoreError as error:
            logger.warning("cannot save the rate limit: {}", error)

    def _load(self) -> None:
        try:
            record = self._store.saved_rate_limit()
            if record is None:
                return
            saved = SavedLimit.model_validate_json(record)
        except (StoreError, ValidationError) as error:
            reason = error if isinstance(error, StoreError) else "invalid content"
            logger.warning("cannot read the saved rate limit: {}; ignoring it", reason)
            return
        wait_s = (saved.until - self._clock.utc()).total_seconds()
        self._pauses = saved.pauses
        if wait_s <= MAX_SAVED_WAIT_S:
            self._until += max(0.0, wait_s)
