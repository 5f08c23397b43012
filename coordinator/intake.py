"""Intake: opens request files safely, bounds, parses and evaluates them; admits them to the journal, or rejects them.

Every pass reads the whole directory, so it does not matter which event caused it, or whether one was missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import assert_never

from loguru import logger

from coordinator import texts
from coordinator.observers import RequestObserver
from coordinator.policy_gate import PolicyGate
from coordinator.quarantine import Quarantine
from coordinator.runtime import Runtime
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.records import RequestRecord, TransitionFacts
from fsm.transition_table import Event
from policy.engine import Allow, Defer, Reject
from protocol.decode import RequestUnreadableError, decode_request
from protocol.inbox import Entry, FileInUseError, Fingerprint, HardLinkError, Inbox
from protocol.messages import Request
from protocol.names import is_component, is_request_id, printable, stem_of
from protocol.types import ProtocolError, Reason

MAX_FAILURES = 5  # unexpected errors with one file; then it is answered as failed (I16)
_WINDOW = 1024  # names held in memory at once, however many there are (I12)
_BATCH = 64  # requests admitted with one fsync
_RUNNING_TIME_S = 60.0  # each record of it is one more page to sync with the admission
_RETRY_S = 5.0  # no event reports that a disk works again

_Effect = Callable[[], object]


class Intake:
    """Admits or rejects the files in ``requests/``; each is decided exactly once (I1, I7).

    Args:
        inbox: the directory.
        machine: admits requests to its journal, and makes their first transition.
        gate: evaluates the rules.
        observers: notified of each accepted and each rejected request.
        quarantine: for files whose name cannot be answered.
        runtime: clock, watchdog, running time.
        settle_s: how long a file that is not JSON (yet) must stay unchanged before it is rejected.
    """

    def __init__(
        self,
        inbox: Inbox,
        machine: RequestMachine,
        gate: PolicyGate,
        observers: RequestObserver,
        quarantine: Quarantine,
        runtime: Runtime,
        settle_s: float,
    ) -> None:
        self._inbox = inbox
        self._journal = machine.journal
        self._machine = machine
        self._gate = gate
        self._observers = observers
        self._quarantine = quarantine
        self._runtime = runtime
        self._settle_s = settle_s
        self._unstable: dict[str, tuple[Fingerprint, float]] = {}
        self._unstable_before: dict[str, tuple[Fingerprint, float]] = {}
        self._failures: Counter[str] = Counter()
        self._retry_needed = False

    def sweep(self) -> float | None:
        """One pass over the directory; it ends early when the coordinator is to stop.

        Returns:
            Seconds until the next pass, for files that may still be growing, or that the host could not read or
            move; None when there are none.

        Raises:
            OSError: the directory cannot be read.
            JournalError: nothing was admitted from the present batch on; the files stay.
        """
        self._unstable_before, self._unstable = self._unstable, {}
        self._retry_needed = False
        after: Entry | None = None
        while window := self._inbox.oldest(_WINDOW, after=after, known=self._journal.open_ids):
            for batch in _batches(window):
                if self._runtime.stops.is_stopping:
                    return None
                self._process_batch(batch)
                self._runtime.notifier.watchdog()  # a flood takes longer than the watchdog waits
            after = window[-1]
            if len(window) < _WINDOW:
                break
        waits = ([self._settle_s] if self._unstable else []) + ([_RETRY_S] if self._retry_needed else [])
        return min(waits, default=None)

    def _process_batch(self, batch: list[Entry]) -> None:
        """Commit the whole batch with one fsync; then the effects of each (I2)."""
        with self._journal.transaction():
            self._runtime.running_time.record(after_s=_RUNNING_TIME_S)
            effects = [effect for entry in batch if (effect := self._classify_guarded(entry.name))]
        with ExitStack() as stack:  # an effect that fails does not prevent the others (I16)
            for effect in reversed(effects):
                stack.callback(effect)

    def _classify_guarded(self, name: str) -> _Effect | None:
        """Classify one file; after an unexpected error the next pass retries it, and the others continue (I16)."""
        try:
            with self._journal.transaction():
                effect = self._classify(name)
        except (JournalDamagedError, JournalUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001  one file must not stop those after it
            return self._count_failure(name, error)
        self._failures.pop(name, None)
        return effect

    def _count_failure(self, name: str, error: Exception) -> _Effect | None:
        self._failures[name] += 1
        self._retry_needed = True
        what = f"{type(error).__name__}: {error}"
        logger.opt(exception=error).error(
            "cannot evaluate {}: unexpected error {} of {}", printable(name), self._failures[name], MAX_FAILURES
        )
        if self._failures[name] < MAX_FAILURES:
            return None
        del self._failures[name]
        stem = stem_of(name) or ""
        try:
            with self._journal.transaction():
                return self._reject(stem, None, Reject(Reason.INTERNAL_ERROR, f"cannot evaluate the request: {what}"))
        except (JournalDamagedError, JournalUnavailableError):
            raise
        except Exception as second:  # noqa: BLE001  as above
            logger.opt(exception=second).error("cannot reject {}: moving it to quarantine", printable(name))
            return partial(self._on_unanswerable, name)

    def _classify(self, name: str) -> _Effect | None:
        """Decide about one file, and record the decision; return the effect to run once that is committed."""
        stem = stem_of(name) or ""
        if not is_request_id(stem):
            return partial(self._on_unanswerable, name)
        if self._journal.requeue_answer(stem):
            return partial(self._on_resubmitted, stem)
        try:
            request = self._read(name, stem)
        except ProtocolError as error:
            return self._reject(stem, None, Reject(Reason.INVALID_REQUEST, str(error)))
        if request is None:
            return None
        verdict = self._gate.at_intake(request)
        if isinstance(verdict, Reject):
            return self._reject(stem, request, verdict)
        return self._admit(stem, request, verdict)

    def _read(self, name: str, stem: str) -> Request | None:
        """The request in a file; None while it is missing, incomplete or unreadable.

        Raises:
            ProtocolError: it is not a request, and will not become one.
        """
        try:
            return decode_request(self._inbox.read(name), stem)
        except (FileNotFoundError, FileInUseError):
            return None
        except (RequestUnreadableError, HardLinkError):
            if self._observe(name) >= self._settle_s:
                self._unstable.pop(name, None)
                raise
            return None
        except OSError as error:
            self._retry_needed = True
            logger.error("cannot read request {}: {}; trying again", printable(name), error.strerror)
            return None

    def _admit(self, stem: str, request: Request, verdict: Allow | Defer) -> _Effect:
        now = self._runtime.clock.utc()
        record = self._journal.insert(stem, request.component, request.action, request.version, request.timestamp, now)
        record = self._machine.fire(record, Event.ACCEPT, TransitionFacts(now))
        if isinstance(verdict, Defer):
            self._journal.defer(stem, now, verdict.until_uptime_s, verdict.why)
        elif not isinstance(verdict, Allow):
            assert_never(verdict)
        return partial(self._on_accepted, record)

    def _reject(self, stem: str, request: Request | None, verdict: Reject) -> _Effect:
        now = self._runtime.clock.utc()
        component = request.component if request and is_component(request.component) else None
        action, stamp = (request.action, request.timestamp) if request else (None, None)
        record = self._journal.insert(stem, component, action, None, stamp, now)
        facts = TransitionFacts(now, verdict.reason, verdict.message, settles=True)
        return partial(self._on_rejected, self._machine.fire(record, Event.REFUSE, facts))

    def _on_accepted(self, record: RequestRecord) -> None:
        with logger.contextualize(request_id=record.request_id):
            self._observers.accepted(record)
            logger.info("accepted: {}", texts.describe(record))

    def _on_rejected(self, record: RequestRecord) -> None:
        logger.bind(request_id=record.request_id).warning("rejected ({}): {}", record.reason, record.message)
        self._observers.settled(record)

    def _on_resubmitted(self, request_id: str) -> None:
        record = self._journal.get(request_id)
        if record is not None and record.settled_at is not None:
            self._observers.settled(record)

    def _on_unanswerable(self, name: str) -> None:
        if not self._quarantine.take(name):
            self._retry_needed = True

    def _observe(self, name: str) -> float:
        """Note the present state of a file, for the next pass.

        Returns:
            For how many seconds it has not changed, as observed here, on the monotonic clock (I11); -1: it is gone.
        """
        present, now = self._inbox.fingerprint(name), self._runtime.clock.monotonic()
        fingerprint, since = self._unstable_before.get(name, (present, now))
        if present is None:
            return -1.0
        if fingerprint != present:
            since = now
        if len(self._unstable) < _WINDOW:
            self._unstable[name] = (present, since)
        return now - since


def _batches(window: list[Entry]) -> Iterator[list[Entry]]:
    entries = iter(window)
    while batch := list(islice(entries, _BATCH)):
        yield batch
