"""The numbers of events: they grow for ever, over all lives of this program."""

from __future__ import annotations

from pathlib import Path

from loguru import logger

from protocol.fs import write_atomic

_BLOCK = 1_000_000  # one write per so many events, and per start


class Numbers:
    """Reserves numbers in blocks on disk, so that none is ever given twice, whatever dies in between.

    Args:
        path: a file of our own state folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = self._last = self.first = 0

    def load(self) -> None:
        """Begin behind all that an earlier life may have given.

        Raises:
            OSError: the state folder is full, read-only or gone; the operator's to mend.
        """
        try:
            text = self._path.read_text(encoding="ascii").strip()
            self._end = int(text) if text.isdigit() else self._lost(text)
        except FileNotFoundError:
            self._end = 0
        self._last = self._end
        self.first = self._last + 1
        self._reserve()

    def _lost(self, text: str) -> int:
        logger.warning("cannot use {}: it holds {!r}, not a number; numbering starts anew", self._path, text[:40])
        return 0

    def _reserve(self) -> None:
        end = self._end + _BLOCK
        write_atomic(self._path, f"{end}\n".encode(), mode=0o600)
        self._end = end

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._last

    def take(self) -> int:
        """The next number."""
        if self._last == self._end:
            self._reserve()
        self._last += 1
        return self._last
