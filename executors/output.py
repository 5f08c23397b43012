"""What a script says: bounded excerpts for people, phases and progress for the status (I12)."""

from __future__ import annotations

import re

_CHUNK_BYTES = 1024 * 1024
_CHUNKS_PER_LOOK = 16  # about 10 ms of work, then the caller looks at its deadline again
_LINE_BYTES = 1024  # of an unfinished line; longer than any line that means something
_PHASE_CHARACTERS = 100
_CANDIDATES = 16  # malformed lines skipped per chunk in search of a good one
_PERCENT = re.compile(r"\d{1,3}(?:\.\d*)?", re.ASCII)
_PERCENT_MAX = 100


def excerpt(path: str, limit_bytes: int) -> str:
    """The file as text, or its first and last ``limit_bytes / 2`` when it is larger; "" when there is none.

    Bytes that are not UTF-8 are shown as U+FFFD.
    """
    try:
        file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115  as text, closed below
    except FileNotFoundError:
        return ""
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        if size <= limit_bytes:
            return file.read(limit_bytes).decode(errors="replace")
        half = limit_bytes // 2
        head = file.read(half)
        file.seek(size - half)
        tail = file.read(half)
    note = f"\n[… {size - 2 * half} bytes left out; the complete log, as long as it is kept: {path} …]\n"
    return head.decode(errors="replace") + note + tail.decode(errors="replace")


class Follower:
    """Reads a growing stdout for its last ``PHASE:name`` and ``PROGRESS:0..100`` lines, in flat memory."""

    def __init__(self, path: str) -> None:
        self.phase: str | None = None
        self.percent: int | None = None
        self._path = path
        self._offset = 0
        self._unfinished = b"\n"  # the line break before it, and the beginning of the last line

    def look(self) -> bool:
        """Take in what is new, a bounded amount of it; whether there is more."""
        try:
            file = open(self._path, "rb", buffering=0)  # noqa: PTH123, SIM115  as text, closed below
        except FileNotFoundError:
            return False
        with file:
            file.seek(self._offset)
            for _ in range(_CHUNKS_PER_LOOK):
                chunk = file.read(_CHUNK_BYTES)
                self._offset += len(chunk)
                if chunk:
                    self._take(chunk)
                if len(chunk) < _CHUNK_BYTES:
                    return False
        return True

    def _take(self, chunk: bytes) -> None:
        text = self._unfinished + chunk
        end = text.rfind(b"\n")
        for line in _last_lines(text, b"\nPHASE:", end):
            if name := _name(line):
                self.phase = name
                break
        for line in _last_lines(text, b"\nPROGRESS:", end):
            if (percent := _percent(line)) is not None:
                self.percent = percent
                break
        self._unfinished = text[end : end + _LINE_BYTES]


def _last_lines(text: bytes, start: bytes, end: int) -> list[str]:
    """What follows ``start`` in the last complete lines that begin with it, latest first; ``end``: the last break."""
    found: list[str] = []
    at = end
    while len(found) < _CANDIDATES and (at := text.rfind(start, 0, at)) >= 0:
        line = text[at + len(start) : at + len(start) + _LINE_BYTES]
        found.append(line.partition(b"\n")[0].decode(errors="replace"))
    return found


def _name(line: str) -> str:
    printable = "".join(character if character.isprintable() else "\ufffd" for character in line.strip())
    return printable[:_PHASE_CHARACTERS]


def _percent(line: str) -> int | None:
    text = line.strip()
    if not _PERCENT.fullmatch(text) or float(text) > _PERCENT_MAX:
        return None
    return int(float(text))
