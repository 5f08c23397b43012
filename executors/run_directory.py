"""A run's directory, ``runs/<request_id>/<attempt>/``: all that is known of it, whoever dies meanwhile.

command   what to run, for the shell, which knows by the last line that it has read all of it; written before
          anything is asked
stdout, stderr   the streams, complete; there before anything is asked, for inodes may run out
session   what became of it, line by line; a line counts once its break is there:
          - who claimed the run: pid and start of the session, pid and start of its launcher, or its own again where a
            unit of systemd holds it; or "revoked". Everybody appends, then reads: the first line decides, once and for
            all, and whoever finds another's there goes no further
          - "ended_by CONCLUSION": the coordinator is about to end it; written before the first signal
          - "exit CODE": how the script ended; written by the session

A claim takes a block of the disk, with room for the lines that follow it: a script that fills the disk, or finds it
full, takes away the room for its output, but not for how it ended. And each file more would cost as much as an fsync.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path
from typing import BinaryIO, Literal

from executors.interface import Outcome, ProcessId, ScriptRun
from executors.output import excerpt
from executors.processes import boot_id
from protocol.types import Action, ExitKind

_CLAIM_WORDS = 4
_REVOKED = b"revoked\n"
_ENDED_BY = b"ended_by "
_EXIT = b"exit "


class Session:
    """The files of one attempt, as the coordinator reads and writes them."""

    def __init__(self, runs: Path, step: ScriptRun) -> None:
        self.step = step
        self.directory = runs / step.request_id / str(step.attempt)
        at = str(self.directory)  # joined as text: these are looked at all the time
        self.stdout, self.stderr, self._command = f"{at}/stdout", f"{at}/stderr", f"{at}/command"
        self._session = f"{at}/session"
        self._claimed: tuple[ProcessId, ProcessId] | None = None

    @classmethod
    def left_in(cls, directory: Path, kill_grace_s: float) -> Session:
        """The session of a run of which nothing but its directory is known."""
        step = ScriptRun(
            request_id=directory.parent.name,
            attempt=int(directory.name),
            lane="",
            component="",
            action=Action.HEALTH,
            directory=Path("/"),
            script="",
            arguments=(),
            version="",
            rollback_of="",
            timeout_s=0,
            kill_grace_s=kill_grace_s,
            memory_bytes=0,
        )
        return cls(directory.parents[1], step)

    def prepare(self) -> None:
        """Write what is to be run, and make the files that it will write.

        Raises:
            FileExistsError: this attempt was prepared before; it must not run again (I3).
            OSError: the disk is full or read-only.
        """
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700)
        step = self.step
        for stream in (self.stdout, self.stderr):
            _append(stream, b"")
        exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in step.environment().items())
        words = shlex.join((str(step.directory), f"{step.directory}/{step.script}", *step.arguments))
        _append(self._command, os.fsencode(f"export {exports}\nset -- {words}\nwhole=y\n"))

    def claim(self) -> tuple[ProcessId, ProcessId] | None:
        """The session that claimed the run, and its launcher, in the present boot; None until it did."""
        if self._claimed is None and (found := _claim(_read(self._session))):
            pid, start, launcher, launcher_start = found
            self._claimed = ProcessId(boot_id(), pid, start), ProcessId(boot_id(), launcher, launcher_start)
        return self._claimed

    def revoke(self) -> bool:
        """Make sure that the run never starts; False when it was claimed before and may have started.

        A claim that was only half written when the disk was full is nobody's: what we append to it is no claim either.

        Raises:
            OSError: the disk is full or read-only.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if b"\n" not in _read(self._session):
            _append(self._session, _REVOKED)
        return _claim(_read(self._session)) is None

    def exit_code(self) -> int | None:
        """The script's exit code, 128 + n when signal n ended it; None as long as it is not complete."""
        code = self._told(_EXIT)
        return None if code is None else int(code)

    def note(self, cause: ExitKind) -> None:
        """Remember why the run is being ended, for a coordinator that comes after us; the first cause stays."""
        with contextlib.suppress(OSError):  # a sick disk must not save the script
            _append(self._session, _ENDED_BY + cause.value.encode() + b"\n")

    def ended_by(self) -> ExitKind | None:
        """Why a coordinator ended the run, or began to; None when it was left to itself."""
        cause = self._told(_ENDED_BY)
        return None if cause is None else ExitKind(cause.decode())

    def _told(self, what: bytes) -> bytes | None:
        """What the first line of that kind says after its first word."""
        for line in _read(self._session).split(b"\n")[:-1]:
            if line.startswith(what):
                return line.removeprefix(what)
        return None

    def outcome(self, conclusion: ExitKind, limit_bytes: int, detail: str = "") -> Outcome:
        """The run as it is known now, with at most ``limit_bytes`` of each stream."""
        output, error = excerpt(self.stdout, limit_bytes), excerpt(self.stderr, limit_bytes)
        return Outcome(conclusion, self.exit_code(), output, error, detail)


def _claim(content: bytes) -> tuple[int, int, int, int] | None:
    line, end, _ = content.partition(b"\n")
    words = line.split() if end else []
    if len(words) != _CLAIM_WORDS or not all(word.isdigit() for word in words):
        return None
    pid, start, launcher, launcher_start = map(int, words)
    return pid, start, launcher, launcher_start


def _open(path: str, mode: Literal["rb", "ab"]) -> BinaryIO:
    return open(path, mode)  # noqa: PTH123  the caller closes it


def _append(path: str, content: bytes) -> None:
    with _open(path, "ab") as file:
        file.write(content)


def _read(path: str) -> bytes:
    try:
        with _open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def attempts(runs: Path) -> list[Path]:
    """The directories of all runs that are there.

    Raises:
        OSError: the disk is sick; a glob would hide that, and with it a script that runs, from Python 3.13 on.
    """
    return [
        Path(attempt.path)
        for request in _inside(str(runs))
        for attempt in _inside(request.path)
        if attempt.name.isdigit()
    ]


def forget(runs: Path, request_id: str, keep_above_bytes: int) -> None:
    """Remove a request's runs, except streams above ``keep_above_bytes``, of which only excerpts are elsewhere."""
    folder = f"{runs}/{request_id}"
    for attempt in _inside(folder):
        for file in _inside(attempt.path):
            with contextlib.suppress(FileNotFoundError):  # lane and housekeeping may forget the same request at once
                if file.name not in ("stdout", "stderr") or file.stat().st_size <= keep_above_bytes:
                    os.unlink(file.path)  # noqa: PTH108  text, as above
        _remove_if_empty(attempt.path)
    _remove_if_empty(folder)


def _inside(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_if_empty(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106  text, as above
