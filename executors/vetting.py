"""Whether a script may be run as root: nobody but root, or the coordinator's user, may be able to change it (I6)."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from executors.interface import VetFailure
from protocol.types import Reason

_ROOT = 0
_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_LINKS = 40  # the kernel's own bound for one path
_OF_THE_PATH = {errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EACCES}  # these stay until somebody mends it


def vet(directory: Path, script: str, own_uid: int) -> VetFailure | None:
    """Why ``directory/script`` must not be run by ``own_uid``; None when it may.

    Looked at is every folder and link the kernel passes on its way to the script, wherever links lead.
    """
    path = directory / script
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return VetFailure(Reason.SCRIPT_MISSING, f"cannot run {path}: it is no regular file; put the script there")
        real = os.path.realpath(path, strict=True)
        strict = {os.path.realpath(directory, strict=True), real}
        passed = dict(_passed(path))
    except OSError as error:
        return _unseen(path, error)
    for at, found in passed.items():
        objection = _flaw(at, found, own_uid, is_strict=at in strict)
        if objection is not None:
            return objection
    itself = passed[real]
    if not itself.st_mode & _EXECUTABLE:
        return _unsafe(str(path), itself, "it is not executable", "chmod +x")
    return None


def _unseen(path: Path, error: OSError) -> VetFailure:
    if error.errno == errno.ENOENT:
        return VetFailure(
            Reason.SCRIPT_MISSING, f"cannot run {path}: it does not exist; install the component's scripts"
        )
    if error.errno in _OF_THE_PATH:
        return VetFailure(Reason.SCRIPT_MISSING, f"cannot run {path}: {error.strerror}; check the path")
    # A sick disk, or no descriptor left: nothing is known of the script, least of all that it is missing (I1).
    return VetFailure(Reason.CANNOT_START, f"cannot look at {path}: {error.strerror}; check the disk it lies on")


def _passed(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """What a walk to ``path`` passes: folders, links, and at last the file itself."""
    here, links = "/", 0
    pending = [part for part in str(path.absolute()).split("/") if part]
    yield here, os.lstat(here)
    while pending:
        part = pending.pop(0)
        if part in (".", ".."):
            here = os.path.dirname(here) if part == ".." else here  # noqa: PTH120
            continue
        at = os.path.join(here, part)  # noqa: PTH118
        found = os.lstat(at)
        yield at, found
        if not stat.S_ISLNK(found.st_mode):
            here = at
            continue
        links += 1
        if links > _LINKS:
            raise OSError(errno.ELOOP, "too many links")
        target = os.readlink(at)  # noqa: PTH115
        here = "/" if target.startswith("/") else here
        pending = [part for part in target.split("/") if part] + pending


def _flaw(at: str, found: os.stat_result, own_uid: int, *, is_strict: bool) -> VetFailure | None:
    """What lets somebody else change ``at``; ``is_strict`` for the script and its component's directory."""
    mode = found.st_mode
    if found.st_uid not in (_ROOT, own_uid):
        remedy = "chown -h root" if stat.S_ISLNK(mode) else "chown root"
        return _unsafe(at, found, "it belongs to somebody else than root", remedy)
    if stat.S_ISLNK(mode):
        return None  # only its owner can turn it elsewhere
    is_shared = bool(mode & stat.S_ISVTX) and found.st_uid == _ROOT  # such as /tmp: entries are safe from others
    if not is_strict and is_shared:
        return None
    if mode & stat.S_IWOTH:
        return _unsafe(at, found, "everybody may write to it", "chmod go-w")
    if mode & stat.S_IWGRP and (is_strict or found.st_gid not in (_ROOT, os.getegid())):
        return _unsafe(at, found, "its group may write to it", "chmod go-w")
    return None


def _unsafe(at: str, found: os.stat_result, flaw: str, remedy: str) -> VetFailure:
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    kind = f"mode {stat.S_IMODE(found.st_mode):04o}, owner {owner}"
    return VetFailure(
        Reason.SCRIPT_UNSAFE, f"cannot trust {at}: {flaw} ({kind}); as root, run: {remedy} {shlex.quote(at)}"
    )
