"""What a script says: bounded excerpts for people, phases and progress for the status, the latest lines (I12)."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from executors.interface import ProgressReport

_CHUNK_BYTES = 1024 * 1024
_CHUNKS_PER_LOOK = 16  # about 10 ms of work, then the caller looks at its deadline again
_LINE_BYTES = 1024  # of an unfinished line; longer than any line that means something
_PHASE_CHARACTERS = 100
_CANDIDATES = 16  # malformed lines skipped per chunk in search of a good one
_PERCENT = re.compile(r"\d{1,3}(?:\.\d*)?", re.ASCII)
_PERCENT_MAX = 100
_TAIL_BYTES = 4096  # two of them fit into a progress file whatever they hold, see protocol/outbox.py
_CONTINUATION = bytes(range(0x80, 0xC0))  # what follows the first byte of a character in UTF-8, three times at most


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


class Listener:
    """Follows both streams of one run for what its script reports."""

    def __init__(self, stdout: str, stderr: str) -> None:
        self._follower = Follower(stdout)
        self._output = Tail(stdout)
        self._error = Tail(stderr)

    def look(self) -> bool:
        """Take in what is new; whether there is more. The tails never lag behind, however much there is."""
        has_more = self._follower.look()
        self._output.look()  # later than the phases: the line that named one is there when the phase is
        self._error.look()
        return has_more

    def report(self) -> ProgressReport:
        """What the script has shown up to the latest look."""
        return ProgressReport(self._follower.phase, self._follower.percent, self._output.text, self._error.text)


class Tail:
    """The end of a growing stream as text; a look costs the same however much was written.

    It begins at a line's beginning where there is one among the last bytes, else at a character's.
    """

    def __init__(self, path: str) -> None:
        self.text = ""
        self._path = path
        self._size = 0

    def look(self) -> None:
        """Take in what is new. A stream that cannot be read just now stays as it was seen: all this is only news."""
        with suppress(OSError), open(self._path, "rb", buffering=0) as file:  # noqa: PTH123  as text
            size = file.seek(0, os.SEEK_END)
            if size != self._size:
                file.seek(max(size - _TAIL_BYTES - 1, 0))  # the byte before the tail may be a line's end
                self.text = _end(file.read(_TAIL_BYTES + 1))
                self._size = size


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


def _end(content: bytes) -> str:
    """The tail of ``content`` as text; longer than a tail, it was cut from something longer."""
    if len(content) > _TAIL_BYTES:
        line = content.find(b"\n", 0, -1) + 1
        content = content[line:] if line else content[1:4].lstrip(_CONTINUATION) + content[4:]
    return content.decode(errors="replace")


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
