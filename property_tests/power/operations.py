"""Disk operations of one instance, in order, parsed from the trace of the daemon, its shells and its scripts.

The trace comes from ``strace -f -y -xx``: strings in hexadecimal, descriptors with the path they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_CALLS = (
    "?open,openat,?creat,write,writev,pwrite64,?pwritev,ftruncate,truncate,fallocate,fsync,fdatasync,?sync,?syncfs,"
    "?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?link,linkat,?symlink,symlinkat,sendfile,"
    "copy_file_range"
)
OPTIONS = ("-f", "-y", "-xx", "--string-limit=4194304", f"--trace={_CALLS}")

_LINE = re.compile(r"^(\d+) +(.*)$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_UNFINISHED = " <unfinished ...>"
_CALL = re.compile(r"^(\w+)\((.*)\) += (\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"^(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})+)>")


class OperationKind(StrEnum):
    """The kinds of disk operations."""

    CREATE = "create"  # of a file, if there is none of this name
    MKDIR = "mkdir"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"  # of a file, or of the names in a directory
    RENAME = "rename"
    REMOVE = "remove"  # of a file or an empty directory


@dataclass(frozen=True)
class Operation:
    """One disk operation.

    Args:
        kind: its kind.
        path: its path; the source of a rename.
        target: of a rename.
        offset: of a write, in bytes; None for the end of the file.
        data: of a write.
        size: of a truncation, in bytes.
    """

    kind: OperationKind
    path: str
    target: str = ""
    offset: int | None = None
    data: bytes = b""
    size: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.path} {self.target}".rstrip()


def parse(trace: Path) -> Iterator[Operation]:
    """Every operation of a trace that changed or synced a disk, in execution order.

    Raises:
        NotImplementedError: the trace has a call that the disk model lacks; extend the model.
    """
    with trace.open(encoding="ascii", errors="replace") as lines:
        for name, arguments, value in _calls(lines):
            yield from _operations(name, arguments, value)


def _calls(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Complete successful calls, in the order in which they ended; strace splits a line when threads alternate."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        if not found:
            continue
        thread, text = found.groups()
        if text.endswith(_UNFINISHED):
            begun[thread] = text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(thread) + resumed[1]
        if call := _CALL.match(text):
            yield call[1], call[2], int(call[3])


def _operations(name: str, arguments: str, value: int) -> Iterator[Operation]:
    words = arguments.split(", ")
    if name in ("open", "openat", "creat"):
        path = _paths(words)[0]
        if "O_CREAT" in arguments or name == "creat":
            yield Operation(OperationKind.CREATE, path)
        if "O_TRUNC" in arguments or name == "creat":
            yield Operation(OperationKind.TRUNCATE, path)
    elif name in ("write", "writev", "pwrite64"):
        data = b"".join(_bytes(text) for text in _TEXT.findall(arguments))[:value]
        offset = int(words[-1]) if name == "pwrite64" else None
        yield Operation(OperationKind.WRITE, _descriptor_path(words[0]), offset=offset, data=data)
    elif name == "ftruncate":
        yield Operation(OperationKind.TRUNCATE, _descriptor_path(words[0]), size=int(words[1]))
    elif name in ("fsync", "fdatasync"):
        yield Operation(OperationKind.SYNC, _descriptor_path(words[0]))
    elif name in ("rename", "renameat", "renameat2"):
        source, target = _paths(words)
        yield Operation(OperationKind.RENAME, source, target)
    elif name in ("unlink", "unlinkat", "rmdir"):
        yield Operation(OperationKind.REMOVE, _paths(words)[0])
    elif name in ("mkdir", "mkdirat"):
        yield Operation(OperationKind.MKDIR, _paths(words)[0])
    else:
        raise NotImplementedError(f"cannot model {name}({arguments}): extend property_tests/power/operations.py")


def _paths(words: list[str]) -> list[str]:
    """The paths among a call's arguments; relative ones are resolved against the preceding descriptor."""
    found, base = [], ""
    for word in words:
        if place := _PLACE.match(word):
            base = _text(place[1])
        elif text := _TEXT.fullmatch(word):
            path = _text(text[1])
            found.append(path if path.startswith("/") else f"{base}/{path}")
    return found


def _descriptor_path(word: str) -> str:
    """The path of an open file; empty for pipes, sockets and removed files."""
    place = _PLACE.match(word)
    return _text(place[1]) if place and not word.endswith("(deleted)") else ""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(text: str) -> str:
    return _bytes(text).decode(errors="surrogateescape")
