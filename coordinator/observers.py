"""The one interface for parts that observe requests: publisher, sd_notify status, later metrics and audit."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from executors.interface import ProgressReport
from fsm.errors import JournalDamagedError
from fsm.records import RequestRecord


class RequestObserver:
    """Is notified after each step has been committed to the journal (I2). Each method does nothing unless overridden.

    Lanes notify from their own threads; one request is never notified from two threads at once.
    """

    def accepted(self, record: RequestRecord) -> None:
        """The request was admitted, and waits for its turn."""

    def started(self, record: RequestRecord, script: str) -> None:
        """A script of the request was started, or found running after a restart."""

    def progressed(self, record: RequestRecord, report: ProgressReport) -> None:
        """The running script printed output, or a new phase or percentage."""

    def moved(self, record: RequestRecord) -> None:
        """The request changed its state, and is not settled yet."""

    def settled(self, record: RequestRecord) -> None:
        """The request has its final answer in the journal; also notified when a settled id is submitted again."""

    def answered(self, record: RequestRecord) -> None:
        """The final status was written where the client reads it."""


class ObserverGroup(RequestObserver):
    """Notifies several observers in order; one that fails is logged, and the others are still notified (I16)."""

    def __init__(self) -> None:
        self._observers: tuple[RequestObserver, ...] = ()

    def add(self, *observers: RequestObserver) -> None:
        """Notify these as well, after those that were added before."""
        self._observers += observers

    def accepted(self, record: RequestRecord) -> None:
        """See ``RequestObserver``."""
        self._notify(record, lambda observer: observer.accepted(record))

    def started(self, record: RequestRecord, script: str) -> None:
        """See ``RequestObserver``."""
        self._notify(record, lambda observer: observer.started(record, script))

    def progressed(self, record: RequestRecord, report: ProgressReport) -> None:
        """See ``RequestObserver``."""
        self._notify(record, lambda observer: observer.progressed(record, report))

    def moved(self, record: RequestRecord) -> None:
        """See ``RequestObserver``."""
        self._notify(record, lambda observer: observer.moved(record))

    def settled(self, record: RequestRecord) -> None:
        """See ``RequestObserver``."""
        self._notify(record, lambda observer: observer.settled(record))

    def answered(self, record: RequestRecord) -> None:
        """See ``RequestObserver``."""
        self._notify(record, lambda observer: observer.answered(record))

    def _notify(self, record: RequestRecord, call: Callable[[RequestObserver], None]) -> None:
        damage: JournalDamagedError | None = None
        for observer in self._observers:
            try:
                call(observer)
            except JournalDamagedError as error:  # only a restart helps; the others are notified first
                damage = error
            except Exception as error:  # noqa: BLE001  an observer must not change what happens to the request
                name = type(observer).__name__
                logger.opt(exception=error).error("{} failed for request {}", name, record.request_id)
        if damage is not None:
            raise damage
