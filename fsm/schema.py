"""The schema of the journal: its migrations, as scripts of statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources

# Number n takes the schema from version n-1 to n. Append only.
MIGRATIONS = (
    "0001_initial.sql",
    "0002_resumptions.sql",
    "0003_answered_uptime.sql",
    "0004_deferrals_and_failures.sql",
)


def migrations() -> list[str]:
    """The scripts of ``MIGRATIONS``.

    Raises:
        OSError: one is missing from the installation, or cannot be read.
    """
    folder = resources.files("fsm") / "migrations"
    return [(folder / name).read_text(encoding="utf-8") for name in MIGRATIONS]


def statements(script: str) -> Iterator[str]:
    """Split a script; ``executescript`` would commit the transaction that each migration runs in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
