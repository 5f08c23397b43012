"""Import of the files in which earlier releases kept their state, before the SQLite store had a table for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from loguru import logger
from pydantic import BaseModel, JsonValue, ValidationError

from protocol.names import stem_of
from remote.releases.catalogue import SavedRelease
from remote.releases.github_rate_limit import SavedLimit
from remote.state_database import StoreError
from remote.store import StateStore
from remote.submission import SubmissionRecord


class _ReleasesFile(BaseModel):
    """``releases.json``; its entries are validated one by one, so that a damaged one does not affect the others."""

    components: Mapping[str, JsonValue]


def import_legacy_state(folder: Path, store: StateStore) -> None:
    """Import the files of earlier releases into the store, then remove them.

    - ``requests/*.json`` and ``numbers``: they stay as long as one of their requests has no final answer: such a
      request may be the update that installed this release, and its rollback restores the release that needs them.
      Records in the store take precedence, so an interrupted import can be repeated.
    - ``releases.json`` and ``releases-limit.json``: what they replace in the store is older.

    A file that cannot be read, removed or decoded is logged and stays, and the others are imported (I16).

    Raises:
        StoreError: the requests cannot be imported; the import is repeated at the next start.
    """
    _import_requests(folder / "requests", folder / "numbers", store)
    _import_file(folder / "releases.json", lambda content: store.save_releases(dict(_decode_releases(content))))
    _import_file(
        folder / "releases-limit.json",
        lambda content: store.save_rate_limit(SavedLimit.model_validate_json(content).model_dump_json()),
    )


def _import_requests(requests: Path, numbers: Path, store: StateStore) -> None:
    records = dict(_read_records(requests))
    reserved_until = _read_number(numbers)
    if not records and reserved_until is None:
        return
    store.import_records(records.values(), reserved_until or 0)
    imported = [store.get(record.request_id) for record in records.values()]
    if any(record is not None and record.is_open for record in imported):
        return
    for path in records:
        _remove(path)
    with suppress(OSError):  # not empty: a file that does not decode
        requests.rmdir()
    _remove(numbers)


def _read_records(folder: Path) -> Iterator[tuple[Path, SubmissionRecord]]:
    for path in _list(folder):
        stem = stem_of(path.name)
        if stem is None or (content := _read(path)) is None:
            continue  # a temporary file, or one that cannot be read
        try:
            record = SubmissionRecord.model_validate_json(content)
        except ValidationError:
            record = None
        if record is None or record.request_id != stem:
            logger.warning("cannot import {}: it is not the record of a request; remove it after inspection", path)
            continue
        yield path, record


def _read_number(path: Path) -> int | None:
    content = _read(path)
    if content is None:
        return None
    text = content.decode("ascii", errors="replace").strip()
    if text.isascii() and text.isdigit() and len(text) < 17:  # noqa: PLR2004  2⁵³, JSON's largest, has 16
        return int(text)
    logger.warning("cannot import {}: it holds {!a}, not a number; event numbers restart", path, text[:40])
    return 0


def _import_file(path: Path, save: Callable[[bytes], None]) -> None:
    """Import one file, which only saves requests to GitHub: without it, they are sent again."""
    content = _read(path)
    if content is None:
        return
    try:
        save(content)
    except (ValidationError, StoreError) as error:
        reason = error if isinstance(error, StoreError) else "it does not decode; remove it after inspection"
        logger.warning("cannot import {}: {}", path, reason)
    else:
        _remove(path)


def _decode_releases(content: bytes) -> Iterator[tuple[str, str]]:
    for component, value in _ReleasesFile.model_validate_json(content).components.items():
        try:
            yield component, SavedRelease.model_validate(value).model_dump_json()
        except ValidationError:
            logger.warning("cannot import the releases of {!a}: they do not decode; requesting them again", component)


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        logger.warning("cannot import {}: {}", folder, error.strerror)
        return []


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("cannot import {}: {}", path, error.strerror)
        return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("cannot remove {}: {}; it is imported again at the next start", path, error.strerror)
