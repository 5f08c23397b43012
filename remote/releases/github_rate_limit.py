"""When may the server be asked again? What its rate limits say, and remembering it across restarts.

Source: GitHub, "Rate limits for the REST API" and "Best practices for using the REST API".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from loguru import logger
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from protocol.clock import Clock
from protocol.fs import write_atomic

WINDOW_S = 3600.0  # GitHub counts by the hour: no wait is longer than that, whatever a header says
BELIEVED_S = 2 * WINDOW_S  # what is remembered for longer than this comes from a clock that jumped
PAUSE_S = 60.0  # "wait for at least one minute", where a limit does not say how long, then twice that, and so on
FORBIDDEN, TOO_MANY = REFUSALS = (403, 429)
_DOUBLINGS = 8  # more would only be cut to the window
_DIGITS = 12


@dataclass(frozen=True)
class Limit:
    """The server asks to be left alone.

    Args:
        wait_s: for how long, > 0; None when it did not say.
    """

    wait_s: float | None


def limit_in(status: int, headers: Mapping[str, str], message: str, now: datetime) -> Limit | None:
    """The rate limit that an answer tells of; None when it tells of none.

    Instants are read against the server's own ``Date``, as our clock may be wrong until the network has set it.

    Args:
        status: of the answer. Good ones count, too: a quota may have been used up by this very question.
        headers: of the answer, by lower-case name.
        message: the sentence in a refusal's body.
        now: our clock, where the server gives no ``Date``.
    """
    now = _date(headers.get("date", "")) or now
    refused = status in REFUSALS
    if refused and "retry-after" in headers:
        return _limit(_delay(headers["retry-after"], now))
    if _number(headers.get("x-ratelimit-remaining", "")) == 0:
        reset = _number(headers.get("x-ratelimit-reset", ""))
        limit = _limit(None if reset is None else reset - now.timestamp())
        return limit if refused or limit.wait_s is not None else None
    if status == TOO_MANY or (refused and "rate limit" in message.lower()):
        return Limit(wait_s=None)
    return None


def _limit(wait_s: float | None) -> Limit:
    return Limit(wait_s=min(wait_s, WINDOW_S) if wait_s is not None and wait_s > 0 else None)


def _delay(text: str, now: datetime) -> float | None:
    """``Retry-After``: seconds or a date (RFC 9110, section 10.2.3)."""
    seconds = _number(text)
    if seconds is not None:
        return float(seconds)
    date = _date(text)
    return None if date is None else (date - now).total_seconds()


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


class _Remembered(BaseModel):
    """What the file holds."""

    until: AwareDatetime
    pauses: int = Field(ge=0)


class Quota:
    """Whether the server may be asked now; a process measures by the clock that never jumps, the file by the wall."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._until = clock.monotonic()
        self._pauses = 0
        self._recall()

    def wait_s(self) -> float:
        """Seconds until the server may be asked again; 0 when it may be now."""
        return max(0.0, self._until - self._clock.monotonic())

    def again_at(self) -> datetime:
        """The same as a time of day."""
        return self._clock.utc() + timedelta(seconds=self.wait_s())

    def note(self, limit: Limit) -> None:
        """Keep to ``limit`` from now on; several answers to questions asked beside each other count as one."""
        if limit.wait_s is not None:
            wait_s = limit.wait_s
        elif self.wait_s() > 0:
            return
        else:
            wait_s = min(PAUSE_S * 2 ** min(self._pauses, _DOUBLINGS), WINDOW_S)
            self._pauses += 1
        self._until = max(self._until, self._clock.monotonic() + wait_s)
        self._keep()

    def granted(self) -> None:
        """A good answer came: the next pause without a given length is a short one again."""
        if self._pauses:
            self._pauses = 0
            self._keep()

    def _keep(self) -> None:
        remembered = _Remembered(until=self.again_at(), pauses=self._pauses)
        try:
            write_atomic(self._path, remembered.model_dump_json().encode())
        except OSError as error:
            logger.warning("cannot remember the rate limit in {}: {}", self._path, error.strerror)

    def _recall(self) -> None:
        try:
            remembered = _Remembered.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds something else"
            logger.warning("cannot read the rate limit in {}: {}; asking anyway", self._path, reason)
            return
        wait_s = (remembered.until - self._clock.utc()).total_seconds()
        self._pauses = remembered.pauses
        if wait_s <= BELIEVED_S:
            self._until += max(0.0, wait_s)
