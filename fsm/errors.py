"""Everything this package can refuse, under one root."""

from __future__ import annotations


class FsmError(Exception):
    """Anything an update's life or its journal can go wrong with."""


class IllegalTransitionError(FsmError):
    """The table knows no such move: a defect of the caller. Nothing was written, nothing moved."""


class JournalError(FsmError):
    """The journal could not do what was asked; what it held before, it still holds."""


class JournalDamagedError(JournalError):
    """The file is no journal (any more); set it aside and begin a new one (I13)."""


class JournalUnavailableError(JournalError):
    """The journal cannot be reached right now: full, read-only, missing or busy; the host's matter."""


class JournalTooNewError(JournalError):
    """A later release wrote this journal; this one must not touch it."""


class JournalRefusedError(JournalError):
    """The journal's own rules forbid what was asked (I4): a defect of the caller. Nothing was written."""


class AlreadyKnownError(JournalError):
    """A request with this id is in the journal already; it is never admitted twice (I7)."""
