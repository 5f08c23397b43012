"""Opening the journal to read it, for the commands that do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from coordinator.app import JOURNAL
from coordinator.errors import ConfigurationError
from coordinator.settings import Settings
from fsm.errors import JournalError
from fsm.journal import Journal


@contextmanager
def reading(settings: Settings) -> Iterator[Journal]:
    """The journal, read-only; it may be in use by a running coordinator.

    Raises:
        ConfigurationError: there is none, or it cannot be read by this user.
    """
    path = settings.paths.state / JOURNAL
    try:
        journal = Journal.open(path, read_only=True)
    except JournalError as error:
        raise ConfigurationError(
            f"cannot read the journal {path}: {error}; run as root, with the coordinator's --config, once it has run"
        ) from None
    try:
        yield journal
    finally:
        journal.close()


def print_error(message: str) -> int:
    """Say on stderr what is wrong, and return the exit code for it."""
    print(message, file=sys.stderr)  # noqa: T201
    return 1
