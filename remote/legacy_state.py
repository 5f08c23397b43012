"""Import of the state of releases before the SQLite store: a file per request, and a file for event numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from loguru import logger
from pydantic import ValidationError

from protocol.names import stem_of
from remote.store import StateStore
from remote.submission import SubmissionRecord


def import_legacy_state(folder: Path, store: StateStore) -> None:
    """Import ``folder/requests/*.json`` and ``folder/numbers``, then remove them.

    They stay as long as one of their requests has no final answer: such a request may be the update that installed
    this release, and its rollback restores the release that needs them. Records in the store take precedence, so an
    interrupted import can be repeated. A file that does not decode stays for inspection.

    Raises:
        StoreError: nothing was imported.
        OSError: a file cannot be read or removed; the import is complete or repeated at the next start.
    """
    requests, numbers = folder / "requests", folder / "numbers"
    records = dict(_read_records(requests))
    reserved_until = _read_number(numbers)
    if not records and reserved_until is None:
        return
    store.import_records(records.values(), reserved_until or 0)
    imported = [store.get(record.request_id) for record in records.values()]
    if any(record is not None and record.is_open for record in imported):
        return
    for path in records:
        path.unlink()
    with suppress(OSError):  # not empty: a file that does not decode
        requests.rmdir()
    numbers.unlink(missing_ok=True)


def _read_records(folder: Path) -> Iterator[tuple[Path, SubmissionRecord]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (stem := stem_of(path.name)) is None:
            continue  # a temporary file
        try:
            record = SubmissionRecord.model_validate_json(path.read_bytes())
        except ValidationError:
            record = None
        if record is None or record.request_id != stem:
            logger.warning("cannot import {}: it is not the record of a request; remove it after inspection", path)
            continue
        yield path, record


def _read_number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    if text.isascii() and text.isdigit() and len(text) < 17:  # noqa: PLR2004  2⁵³, JSON's largest, has 16
        return int(text)
    logger.warning("cannot import {}: it holds {!a}, not a number; event numbers restart", path, text[:40])
    return 0
