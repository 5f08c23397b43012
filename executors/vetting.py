"""Decides whether a script may run as root: only root and the coordinator's user may be able to change it (I6)."""

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
_PATH_ERRORS = {errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EACCES}  # permanent: the path itself is wrong


def vet(directory: Path, script: str, own_uid: int) -> VetFailure | None:
    """Why ``directory/script`` must not be run by ``own_uid``; None when it may. Never raises.

    Examines every folder and link that the kernel passes when it resolves the path, wherever links lead.
    """
    path = directory / script
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return VetFailure(
                Reason.SCRIPT_MISSING, f"cannot run {path}: it is not a regular file; put the script there"
            )
        real = os.path.realpath(path, strict=True)
        strict = {os.path.realpath(directory, strict=True), real}
        passed = dict(_resolve(path))
    except OSError as error:
        return _cannot_examine(path, error)
    for at, found in passed.items():
        failure = _vet_entry(at, found, own_uid, is_strict=at in strict)
        if failure is not None:
            return failure
    if not passed[real].st_mode & _EXECUTABLE:
        return _unsafe(str(path), passed[real], "it is not executable", "chmod +x")
    return None


def _cannot_examine(path: Path, error: OSError) -> VetFailure:
    if error.errno == errno.ENOENT:
        return VetFailure(
            Reason.SCRIPT_MISSING, f"cannot run {path}: it does not exist; install the component's scripts"
        )
    if error.errno in _PATH_ERRORS:
        return VetFailure(Reason.SCRIPT_MISSING, f"cannot run {path}: {error.strerror}; check the path")
    # EIO, or no descriptor left: possibly transient, and no evidence that the script is missing (I1).
    return VetFailure(Reason.CANNOT_START, f"cannot examine {path}: {error.strerror}; check the disk it is on")


def _resolve(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """What the resolution of ``path`` passes: folders, links, and at last the file itself; 40 links at most."""
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


def _vet_entry(at: str, found: os.stat_result, own_uid: int, *, is_strict: bool) -> VetFailure | None:
    """How another user could change ``at``; ``is_strict`` for the script and its component's directory."""
    mode = found.st_mode
    if found.st_uid not in (_ROOT, own_uid):
        remedy = "chown -h root" if stat.S_ISLNK(mode) else "chown root"
        return _unsafe(at, found, "it does not belong to root", remedy)
    if stat.S_ISLNK(mode):
        return None  # only its owner can change its target
    is_shared = bool(mode & stat.S_ISVTX) and found.st_uid == _ROOT  # such as /tmp: others cannot replace entries
    if not is_strict and is_shared:
        return None
    if mode & stat.S_IWOTH:
        return _unsafe(at, found, "all users may write to it", "chmod go-w")
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
