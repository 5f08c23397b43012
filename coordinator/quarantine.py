"""Quarantine: keeps files that cannot be answered, because their name is unsafe as a path, for a person to inspect."""

from __future__ import annotations

import hashlib
from pathlib import Path

from loguru import logger

from protocol.fs import remove_tree
from protocol.inbox import Inbox
from protocol.names import REQUEST_ID_RULE, printable

KEPT = 100  # files; the oldest beyond them are removed (I12)


class Quarantine:
    """The directory ``paths.state/quarantine``.

    Args:
        directory: created when it is needed.
        inbox: where the files come from.
    """

    def __init__(self, directory: Path, inbox: Inbox) -> None:
        self._directory = directory
        self._inbox = inbox

    def take(self, name: str) -> bool:
        """Move ``name`` out of the inbox, and remove the oldest files beyond ``KEPT``; return whether it was moved."""
        label = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
        logger.error(
            "cannot answer {}: {}; moved to {} as {}", printable(name), REQUEST_ID_RULE, self._directory, label
        )
        try:
            self._inbox.quarantine(name, self._directory, label)
        except Exception as error:  # noqa: BLE001  the files after it must not wait (I16)
            logger.error("cannot move {} away: {}; trying again", printable(name), error)
            return False
        try:
            kept = sorted(self._directory.iterdir(), key=lambda path: path.lstat().st_ctime_ns)
        except OSError as error:
            logger.warning("cannot list {}: {}", self._directory, error.strerror)
            return True
        for path in kept[:-KEPT]:
            try:
                remove_tree(path)
            except Exception as error:  # noqa: BLE001  one that cannot be removed must not keep the others (I16)
                logger.warning("cannot remove {}: {}", path, error)
        return True
