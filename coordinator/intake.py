"""Takes requests in: open safely, bound, parse, judge; then admit to the journal or refuse with an answer.

Every pass looks at the whole folder, so it does not matter which event asked for it, or whether one was missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from loguru import logger

from coordinator import texts
from coordinator.publisher import Publisher
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import RequestRecord
from fsm.transition_table import Event
from policy.engine import PolicyContext, Rejection, decide
from protocol.clock import Clock
from protocol.decode import RequestUnreadableError, decode_request
from protocol.inbox import Entry, FileInUseError, Fingerprint, HardLinkError, Inbox
from protocol.messages import Request
from protocol.names import REQUEST_ID_RULE, is_component, is_request_id, printable, stem_of
from protocol.types import ProtocolError, Reason

_WINDOW = 1024  # names held in memory at once, however many there are (I12)
_TROUBLE_S = 5.0  # nothing rings when a disk is well again
_BATCH = 64  # requests admitted with one fsync
_QUARANTINED = 100

_Effect = Callable[[], object]


class Intake:
    """Admits or refuses what lies in ``requests/``; each file gets there exactly once (I1, I7)."""

    def __init__(
        self,
        inbox: Inbox,
        journal: Journal,
        lives: RequestMachine,
        publisher: Publisher,
        clock: Clock,
        *,
        components: frozenset[str],
        quarantine: Path,
        settle_s: float,
        admitted: Callable[[str], None],
        alive: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._journal = journal
        self._lives = lives
        self._publisher = publisher
        self._clock = clock
        self._components = components
        self._quarantine = quarantine
        self._settle_s = settle_s
        self._admitted = admitted
        self._alive = alive
        self._restless: dict[str, tuple[Fingerprint, float]] = {}
        self._is_hindered = False
        self._before: dict[str, tuple[Fingerprint, float]] = {}

    def sweep(self) -> float | None:
        """One pass over the folder.

        Returns:
            After how many seconds a file must be looked at again that may still be growing, or that the host would not
            let us read or move; None when there is none.

        Raises:
            OSError: the folder cannot be read.
            JournalError: nothing was admitted from the present batch on; the files stay.
        """
        self._before, self._restless = self._restless, {}
        self._is_hindered = False
        after: Entry | None = None
        while window := self._inbox.oldest(_WINDOW, after=after, known=self._journal.active_ids):
            for batch in _batches(window):
                self._take(batch)
                self._alive()  # a flood takes longer than the watchdog waits
            after = window[-1]
            if len(window) < _WINDOW:
                break
        waits = ([self._settle_s] if self._restless else []) + ([_TROUBLE_S] if self._is_hindered else [])
        return min(waits, default=None)

    def _take(self, batch: list[Entry]) -> None:
        """Journal first, for the whole batch with one fsync; the effects of each after it (I2)."""
        with self._journal.transaction():
            effects = [effect for entry in batch if (effect := self._judge(entry.name))]
        with ExitStack() as stack:  # one that fails keeps no other back: nobody comes to them again
            for effect in reversed(effects):
                stack.callback(effect)

    def _judge(self, name: str) -> _Effect | None:
        """Decide about one file, and record it; what remains to be done once that is on disk is returned."""
        stem = stem_of(name) or ""
        if not is_request_id(stem):
            return partial(self._set_aside, name)
        if self._journal.requeue_answer(stem):
            return partial(self._publisher.publish_status, stem)
        try:
            request = self._read(name, stem)
        except ProtocolError as error:
            return self._refuse(stem, None, Rejection(Reason.INVALID_REQUEST, str(error)))
        return self._admit(stem, request) if request else None

    def _read(self, name: str, stem: str) -> Request | None:
        """The request in a file; None while it is not there, not whole yet, or not to be had.

        Raises:
            ProtocolError: it is no request, and will not become one.
        """
        try:
            return decode_request(self._inbox.read(name), stem)
        except (FileNotFoundError, FileInUseError):
            return None
        except (RequestUnreadableError, HardLinkError):
            if self._at_rest(name):
                raise
            return None
        except OSError as error:
            self._is_hindered = True
            logger.error("cannot read request {}: {}; trying again", printable(name), error.strerror)
            return None

    def _admit(self, stem: str, request: Request) -> _Effect:
        now = self._clock.utc()
        if refusal := decide(request, PolicyContext(now, self._components)):
            return self._refuse(stem, request, refusal)
        record = self._journal.insert(stem, request.component, request.action, request.version, request.timestamp, now)
        with self._lives.of(record) as life:
            life.fire(Event.ACCEPT, at=now)
        return partial(self._welcome, replace(record, state=life.state))

    def _refuse(self, stem: str, request: Request | None, refusal: Rejection) -> _Effect:
        now = self._clock.utc()
        component = request.component if request and is_component(request.component) else None
        record = self._journal.insert(
            stem, component, request.action if request else None, None, request.timestamp if request else None, now
        )
        with self._lives.of(record) as life:
            life.fire(Event.REFUSE, at=now, reason=refusal.reason, message=refusal.message, settles=True)
        return partial(self._turn_away, stem, refusal)

    def _welcome(self, record: RequestRecord) -> None:
        try:
            self._publisher.publish_queued(record)
        finally:
            self._admitted(record.component or "")
        with logger.contextualize(request_id=record.request_id):
            logger.info("accepted: {}", texts.asked(record))

    def _turn_away(self, stem: str, refusal: Rejection) -> None:
        logger.bind(request_id=stem).warning("refused ({}): {}", refusal.reason, refusal.message)
        self._publisher.publish_status(stem)

    def _set_aside(self, name: str) -> None:
        """Keep what cannot be answered, for its name is unsafe as a path, where a person can look at it."""
        label = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
        logger.error(
            "cannot answer {}: {}; moved to {} as {}", printable(name), REQUEST_ID_RULE, self._quarantine, label
        )
        try:
            self._inbox.quarantine(name, self._quarantine, label)
            kept = sorted(self._quarantine.iterdir(), key=lambda path: path.lstat().st_ctime_ns)
            for path in kept[:-_QUARANTINED]:
                Inbox(self._quarantine, 0).remove(path.name)
        except OSError as error:
            self._is_hindered = True
            logger.error("cannot move {} away: {}; trying again", printable(name), error.strerror)

    def _at_rest(self, name: str) -> bool:
        """Whether ``name`` has stayed the same for ``settle_s``, by our own looking and the monotonic clock (I11)."""
        if (present := self._inbox.fingerprint(name)) is None:
            return False
        now = self._clock.monotonic()
        fingerprint, since = self._before.get(name, (present, now))
        if fingerprint != present:
            since = now
        if now - since >= self._settle_s:
            return True
        if len(self._restless) < _WINDOW:
            self._restless[name] = (present, since)
        return False


def _batches(window: list[Entry]) -> Iterator[list[Entry]]:
    entries = iter(window)
    while batch := list(islice(entries, _BATCH)):
        yield batch
