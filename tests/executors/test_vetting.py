"""Vetting: only root and the coordinator's user may be able to change a script (I6)."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from executors.vetting import vet
from protocol.types import Reason

OTHER_UID = 54321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A component directory that passes the vetting, below a folder of its own."""
    made = tmp_path / "above" / "component"
    made.mkdir(parents=True)
    for folder in (made, made.parent):
        folder.chmod(0o755)
    script = made / "update.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return made


def _link_elsewhere(directory: Path) -> None:
    """The script is a link into a folder that all users may write to."""
    elsewhere = directory.parent / "elsewhere"
    elsewhere.mkdir()
    (directory / "update.sh").rename(elsewhere / "real.sh")
    (directory / "update.sh").symlink_to(elsewhere / "real.sh")
    elsewhere.chmod(0o777)


def _link_of_another_user(directory: Path) -> None:
    """The component's directory is reached through a link that another user owns."""
    (directory.parent / "real").mkdir(mode=0o755)
    directory.rename(directory.parent / "real" / "component")
    directory.symlink_to(directory.parent / "real" / "component")
    os.chown(directory, OTHER_UID, 0, follow_symlinks=False)


def _link_chain(directory: Path) -> None:
    """A link leads to a second link in a folder that all users may write to."""
    between = directory.parent / "between"
    between.mkdir()
    directory.rename(directory.parent / "real")
    (between / "second").symlink_to(directory.parent / "real")
    directory.symlink_to(between / "second")
    between.chmod(0o777)


UNSAFE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "script writable by group": (lambda p: (p / "update.sh").chmod(0o775), "mode 0775", "chmod go-w .*update.sh"),
    "script writable by all": (lambda p: (p / "update.sh").chmod(0o757), "mode 0757", "chmod go-w .*update.sh"),
    "script not executable": (lambda p: (p / "update.sh").chmod(0o644), "not executable", r"chmod \+x .*update.sh"),
    "script of another user": (
        lambda p: os.chown(p / "update.sh", OTHER_UID, 0),
        "owner 54321",
        "chown root .*update.sh",
    ),
    "directory writable by group": (lambda p: p.chmod(0o775), "mode 0775", "chmod go-w .*component$"),
    "directory sticky, writable by all": (lambda p: p.chmod(0o1777), "mode 1777", "chmod go-w .*component$"),
    "directory of another user": (lambda p: os.chown(p, OTHER_UID, 0), "owner 54321", "chown root .*component$"),
    "parent folder writable by all": (lambda p: p.parent.chmod(0o777), "mode 0777", "chmod go-w .*above$"),
    "parent folder of another user": (lambda p: os.chown(p.parent, OTHER_UID, 0), "owner 54321", "chown root .*above$"),
    "parent folder writable by another group": (
        lambda p: (os.chown(p.parent, 0, OTHER_UID), p.parent.chmod(0o775)),
        "group",
        "chmod go-w .*above$",
    ),
    "link into a folder writable by all": (_link_elsewhere, "mode 0777", "chmod go-w .*elsewhere$"),
    "link of another user": (_link_of_another_user, "owner 54321", "chown -h root .*component$"),
    "chain of links": (_link_chain, "mode 0777", "chmod go-w .*between$"),
}


@needs_root
@pytest.mark.parametrize("case", UNSAFE.values(), ids=UNSAFE.keys())
def test_vet_rejects_a_script_that_other_users_can_change(
    directory: Path, case: tuple[Callable[[Path], object], str, str]
):
    """The message names the path, the cause and the remedy."""
    make_unsafe, cause, remedy = case
    make_unsafe(directory)
    failure = vet(directory, "update.sh", 0)
    assert failure is not None
    assert failure.reason is Reason.SCRIPT_UNSAFE
    assert cause in failure.message
    assert re.search(remedy, failure.message)


SAFE: dict[str, Callable[[Path], object]] = {
    "as installed": lambda p: None,
    "sticky parent folder of root": lambda p: p.parent.chmod(0o1777),
    "parent folder writable by root's group": lambda p: p.parent.chmod(0o775),
    "script link within": lambda p: ((p / "update.sh").rename(p / "real.sh"), (p / "update.sh").symlink_to("real.sh")),
    "own user": lambda p: os.chown(p / "update.sh", OTHER_UID, 0),
}


@needs_root
@pytest.mark.parametrize("name", SAFE)
def test_vet_accepts_a_script_that_only_root_can_change(directory: Path, name: str):
    """The coordinator's own user may be able to change it as well."""
    SAFE[name](directory)
    assert vet(directory, "update.sh", OTHER_UID if name == "own user" else 0) is None


MISSING: dict[str, Callable[[Path], object]] = {
    "no script": lambda p: (p / "update.sh").unlink(),
    "no directory": lambda p: p.rename(p.parent / "moved"),
    "a directory instead": lambda p: ((p / "update.sh").unlink(), (p / "update.sh").mkdir()),
    "a dangling link": lambda p: ((p / "update.sh").unlink(), (p / "update.sh").symlink_to("nowhere")),
    "a link to itself": lambda p: ((p / "update.sh").unlink(), (p / "update.sh").symlink_to("update.sh")),
    "a pipe": lambda p: ((p / "update.sh").unlink(), os.mkfifo(p / "update.sh")),
}


@pytest.mark.parametrize("remove", MISSING.values(), ids=MISSING.keys())
def test_vet_reports_a_missing_script(directory: Path, remove: Callable[[Path], object]):
    """Anything that cannot be a script counts as missing."""
    remove(directory)
    failure = vet(directory, "update.sh", 0)
    assert failure is not None
    assert failure.reason is Reason.SCRIPT_MISSING
    assert failure.message.startswith("cannot run ")


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_vet_does_not_report_a_read_error_as_missing(directory: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    """A read error proves nothing about the script, and may be transient."""

    def fail(_path: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "lstat", fail)
    failure = vet(directory, "update.sh", 0)
    monkeypatch.undo()
    assert failure is not None
    assert failure.reason is Reason.CANNOT_START
    assert os.strerror(number) in failure.message
