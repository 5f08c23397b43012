"""Reads a script's streams: bounded excerpts for people, phase, percentage and last lines for the progress (I12)."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from executors.interface import ProgressReport

_CHUNK_BYTES = 1024 * 1024
_CHUNKS_PER_READ = 16  # about 10 ms of work, then the caller checks its deadline again
_LINE_BYTES = 1024  # of an unfinished line; longer than any line that has a meaning
_PHASE_CHARACTERS = 100
_CANDIDATES = 16  # malformed lines skipped per chunk in search of a valid one
_PERCENT = re.compile(r"\d{1,3}(?:\.\d*)?", re.ASCII)
_PERCENT_MAX = 100
_TAIL_BYTES = 4096  # two of them always fit into a progress file, see protocol/outbox.py
_CONTINUATION = bytes(range(0x80, 0xC0))  # what follows the first byte of a character in UTF-8, three times at most


def head_and_tail(path: str, limit_bytes: int) -> str:
    """The file as text, or its first and last ``limit_bytes / 2`` when it is larger; "" when there is none.

    Bytes that are not UTF-8 become U+FFFD.

    Raises:
        OSError: the file exists and cannot be read.
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


class ProgressReader:
    """Reads both streams of one run for what its script reports. Never raises: progress must not affect the run."""

    def __init__(self, stdout: str, stderr: str) -> None:
        self._follower = OutputFollower(stdout)
        self._output = TailReader(stdout)
        self._error = TailReader(stderr)

    def read(self) -> bool:
        """Read what is new; return whether there is more. The tails are always those of the whole streams."""
        has_more = self._follower.read()
        self._output.read()  # after the phases, so that the tail contains the line that named the phase
        self._error.read()
        return has_more

    def report(self) -> ProgressReport:
        """The progress up to the latest ``read``."""
        return ProgressReport(self._follower.phase, self._follower.percent, self._output.text, self._error.text)


class TailReader:
    """The end of a growing stream as text; a read costs the same however much was written.

    It begins at the beginning of a line where there is one among the last bytes, else of a character.
    """

    def __init__(self, path: str) -> None:
        self.text = ""
        self._path = path
        self._size = 0

    def read(self) -> None:
        """Read what is new. When the stream cannot be read, the text stays as it is."""
        with suppress(OSError), open(self._path, "rb", buffering=0) as file:  # noqa: PTH123  as text
            size = file.seek(0, os.SEEK_END)
            if size != self._size:
                file.seek(max(size - _TAIL_BYTES - 1, 0))  # the byte before the tail may be a line's end
                self.text = _decode_tail(file.read(_TAIL_BYTES + 1))
                self._size = size


class OutputFollower:
    """Reads a growing stdout for its last ``PHASE:name`` and ``PROGRESS:0..100`` lines, in constant memory."""

    def __init__(self, path: str) -> None:
        self.phase: str | None = None
        self.percent: int | None = None
        self._path = path
        self._offset = 0
        self._unfinished = b"\n"  # the line break before it, and the beginning of the last line

    def read(self) -> bool:
        """Read a bounded amount of what is new; return whether there is more, False when the stream cannot be read."""
        with suppress(OSError), open(self._path, "rb", buffering=0) as file:  # noqa: PTH123  as text
            file.seek(self._offset)
            for _ in range(_CHUNKS_PER_READ):
                chunk = file.read(_CHUNK_BYTES)
                self._offset += len(chunk)
                if chunk:
                    self._parse(chunk)
                if len(chunk) < _CHUNK_BYTES:
                    return False
            return True
        return False

    def _parse(self, chunk: bytes) -> None:
        text = self._unfinished + chunk
        end = text.rfind(b"\n")
        for line in _last_lines(text, b"\nPHASE:", end):
            if name := _parse_phase(line):
                self.phase = name
                break
        for line in _last_lines(text, b"\nPROGRESS:", end):
            if (percent := _parse_percent(line)) is not None:
                self.percent = percent
                break
        self._unfinished = text[end : end + _LINE_BYTES]


def _decode_tail(content: bytes) -> str:
    """The tail of ``content`` as text; content longer than a tail was cut from something longer."""
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


def _parse_phase(line: str) -> str:
    printable = "".join(character if character.isprintable() else "\ufffd" for character in line.strip())
    return printable[:_PHASE_CHARACTERS]


def _parse_percent(line: str) -> int | None:
    text = line.strip()
    if not _PERCENT.fullmatch(text) or float(text) > _PERCENT_MAX:
        return None
    return int(float(text))
