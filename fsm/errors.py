"""Errors of this package."""

from __future__ import annotations


class FsmError(Exception):
    """Root of the errors of requests and their journal."""


class IllegalTransitionError(FsmError):
    """The transition table has no such transition: a defect of the caller. Nothing was written, nothing changed."""


class JournalError(FsmError):
    """An operation of the journal failed; its content is unchanged."""


class JournalDamagedError(JournalError):
    """The file is not a journal, or not any more; it must be set aside and replaced (I13)."""


class JournalUnavailableError(JournalError):
    """The journal cannot be reached now: full, read-only, missing or busy. The host's fault."""


class JournalTooNewError(JournalError):
    """A later release wrote this journal; this release must not change it."""


class JournalRefusedError(JournalError):
    """The journal rejects a statement, such as a write that a constraint forbids (I4): a defect of the caller.

    Nothing was written.
    """


class AlreadyKnownError(JournalError):
    """The journal holds a request with this id; an id is admitted once (I7)."""
