"""A run's directory, ``runs/<request_id>/<attempt>/``: the record of a run, which survives every process.

command   what to run, as shell code; its last line shows that it was read whole; written before a worker gets the run
stdout, stderr   the streams, complete; created before a worker gets the run, because inodes may run out
session   what became of the run, line by line; a line counts once its line break is there:
          - the claim: pid and start of the worker, pid and start of its launcher, or the worker's again where a systemd
            unit contains it; or "revoked". Every claimant appends, then reads: the first line decides permanently, and
            a claimant that finds another's line there stops
          - "ended_by KIND": the run is about to be ended, with an ``ExitKind``; written before the first signal
          - "exit CODE": how the script ended; written by the worker

Earlier releases wrote the same files, and their runs are adopted: names and lines must stay readable.

The claim allocates a block of the disk, with space for the later lines: a script that fills the disk, or finds it full,
loses space for its output, but not for its exit code. One more file would cost as much as an fsync.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from executors.interface import Outcome, ProcessId, ScriptRun
from executors.output import head_and_tail
from executors.processes import boot_id
from protocol.types import Action, ExitKind

_CLAIM_WORDS = 4
_CLAIM_DIGITS = 20  # of 64 bits
_PID_MAX = 2**31 - 1
_EXIT_CODE_MAX = 255
_REVOKED = b"revoked\n"
_ENDED_BY = b"ended_by "
_EXIT = b"exit "
_STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class Claim:
    """The worker that runs the script, and the launcher above it."""

    worker: ProcessId
    launcher: ProcessId

    @property
    def is_in_unit(self) -> bool:
        """Whether systemd started the worker: it has no launcher then, and its claim names it twice."""
        return self.worker == self.launcher


class RunDirectory:
    """The directory of one attempt, as the coordinator reads and writes it.

    Every method raises OSError when the storage fails, unless it says otherwise.
    """

    def __init__(self, runs: Path, run: ScriptRun) -> None:
        self.run = run
        self.path = runs / run.request_id / str(run.attempt)
        at = str(self.path)  # joined as text: these are opened several times a second
        self.stdout, self.stderr, self._command = f"{at}/stdout", f"{at}/stderr", f"{at}/command"
        self._session = f"{at}/session"
        self._claimed: Claim | None = None

    @classmethod
    def of_orphan(cls, path: Path, kill_grace_s: float) -> RunDirectory:
        """The run in ``path``, of which only the directory is known."""
        run = ScriptRun(
            request_id=path.parent.name,
            attempt=int(path.name),
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
        return cls(path.parents[1], run)

    def prepare(self) -> None:
        """Write the command, and create the stream files.

        Raises:
            FileExistsError: this attempt was prepared before; it must not run again (I3).
            OSError: the disk is full or read-only.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700)
        run = self.run
        for stream in (self.stdout, self.stderr):
            _append(stream, b"")
        exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in run.environment().items())
        words = shlex.join((str(run.directory), f"{run.directory}/{run.script}", *run.arguments))
        _append(self._command, os.fsencode(f"export {exports}\nset -- {words}\nwhole=y\n"))

    def claim(self) -> Claim | None:
        """The worker that claimed the run in the present boot, and its launcher; None until one did."""
        if self._claimed is None:
            self._claimed = _parse_claim(_read(self._session))
        return self._claimed

    def revoke(self) -> bool:
        """Prevent the run from ever starting; False when it was claimed before and may have started.

        A claim that was written only in part, on a full disk, is no claim, and a line appended to it is none either.

        Raises:
            OSError: the disk is full or read-only.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if b"\n" not in _read(self._session):
            _append(self._session, _REVOKED)
        return _parse_claim(_read(self._session)) is None

    def exit_code(self) -> int | None:
        """The script's exit code, 128 + n when signal n ended it; None while no valid one is recorded."""
        code = self._first(_EXIT)
        if code is None or not code.isdigit() or len(code) > len(str(_EXIT_CODE_MAX)):
            return None
        return int(code) if int(code) <= _EXIT_CODE_MAX else None

    def record_ended_by(self, kind: ExitKind) -> None:
        """Record why the run is being ended, for a later coordinator; the first record counts. Never raises."""
        with contextlib.suppress(OSError):  # the script must be ended also on a disk that fails
            _append(self._session, _ENDED_BY + kind.value.encode() + b"\n")

    def ended_by(self) -> ExitKind | None:
        """Why the run was ended, or is being ended; None when it was not."""
        value = self._first(_ENDED_BY)
        if value is None:
            return None
        try:
            return ExitKind(value.decode(errors="replace"))
        except ValueError:  # a kind of a newer release; the run was ended in any case
            return ExitKind.INTERRUPTED

    def _first(self, prefix: bytes) -> bytes | None:
        """The rest of the first complete line that begins with ``prefix``."""
        for line in _read(self._session).split(b"\n")[:-1]:
            if line.startswith(prefix):
                return line.removeprefix(prefix)
        return None

    def outcome(self, exit_kind: ExitKind, limit_bytes: int, detail: str = "") -> Outcome:
        """The run as it is known now, with at most ``limit_bytes`` of each stream."""
        output, error = head_and_tail(self.stdout, limit_bytes), head_and_tail(self.stderr, limit_bytes)
        return Outcome(exit_kind, self.exit_code(), output, error, detail)


def list_runs(runs: Path) -> tuple[list[Path], list[OSError]]:
    """The directories of all runs, and an error for each folder that cannot be read; never raises.

    ``Path.glob`` is no alternative: from Python 3.13 on it skips what it cannot read, and a running script with it.
    """
    errors: list[OSError] = []
    found = [
        Path(attempt.path)
        for request in _list_folder(str(runs), errors)
        for attempt in _list_folder(request.path, errors)
        if attempt.name.isascii() and attempt.name.isdecimal()
    ]
    return found, errors


def remove_runs(runs: Path, request_id: str, keep_above_bytes: int) -> None:
    """Remove a request's runs, except streams above ``keep_above_bytes``, of which only excerpts are elsewhere.

    Raises:
        OSError: the first error; everything else was removed.
    """
    folder = f"{runs}/{request_id}"
    errors: list[OSError] = []
    for attempt in _list_folder(folder, errors):
        for file in _list_folder(attempt.path, errors):
            try:
                if file.name not in _STREAMS or file.stat().st_size <= keep_above_bytes:
                    os.unlink(file.path)  # noqa: PTH108  text, as above
            except FileNotFoundError:
                pass  # lane and housekeeping may remove the same request at once
            except OSError as error:
                errors.append(error)
        _remove_if_empty(attempt.path)
    _remove_if_empty(folder)
    if errors:
        raise errors[0]


def _parse_claim(content: bytes) -> Claim | None:
    line, end, _ = content.partition(b"\n")
    words = line.split() if end else []
    if len(words) != _CLAIM_WORDS or not all(word.isdigit() and len(word) <= _CLAIM_DIGITS for word in words):
        return None
    pid, start, launcher, launcher_start = map(int, words)
    if not (0 < pid <= _PID_MAX and 0 < launcher <= _PID_MAX):
        return None
    return Claim(ProcessId(boot_id(), pid, start), ProcessId(boot_id(), launcher, launcher_start))


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


def _list_folder(folder: str, errors: list[OSError]) -> list[os.DirEntry[str]]:
    """The entries of ``folder``; [] when there is no such folder; [] and an error when it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        errors.append(error)
        return []


def _remove_if_empty(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106  text, as above
