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
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A component that passes, below a folder of its own."""
    directory = tmp_path / "above" / "component"
    directory.mkdir(parents=True)
    for folder in (directory, directory.parent):
        folder.chmod(0o755)
    script = directory / "update.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return directory


def _link_elsewhere(place: Path) -> None:
    """The script is a link into a folder that all users may write to."""
    elsewhere = place.parent / "elsewhere"
    elsewhere.mkdir()
    (place / "update.sh").rename(elsewhere / "real.sh")
    (place / "update.sh").symlink_to(elsewhere / "real.sh")
    elsewhere.chmod(0o777)


def _link_of_another_user(place: Path) -> None:
    """The component's directory is reached over a link that another user owns."""
    (place.parent / "real").mkdir(mode=0o755)
    place.rename(place.parent / "real" / "component")
    place.symlink_to(place.parent / "real" / "component")
    os.chown(place, OTHER_UID, 0, follow_symlinks=False)


def _link_chain(place: Path) -> None:
    """A link leads over a second one that stands in an open folder."""
    between = place.parent / "between"
    between.mkdir()
    place.rename(place.parent / "real")
    (between / "second").symlink_to(place.parent / "real")
    place.symlink_to(between / "second")
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
    "directory sticky but open": (lambda p: p.chmod(0o1777), "mode 1777", "chmod go-w .*component$"),
    "directory of another user": (lambda p: os.chown(p, OTHER_UID, 0), "owner 54321", "chown root .*component$"),
    "folder above open": (lambda p: p.parent.chmod(0o777), "mode 0777", "chmod go-w .*above$"),
    "folder above of another user": (lambda p: os.chown(p.parent, OTHER_UID, 0), "owner 54321", "chown root .*above$"),
    "folder above for another group": (
        lambda p: (os.chown(p.parent, 0, OTHER_UID), p.parent.chmod(0o775)),
        "group",
        "chmod go-w .*above$",
    ),
    "link into an open folder": (_link_elsewhere, "mode 0777", "chmod go-w .*elsewhere$"),
    "link of another user": (_link_of_another_user, "owner 54321", "chown -h root .*component$"),
    "chain of links": (_link_chain, "mode 0777", "chmod go-w .*between$"),
}


@needs_root
@pytest.mark.parametrize("case", UNSAFE.values(), ids=UNSAFE.keys())
def test_vet_rejects_what_others_can_change(place: Path, case: tuple[Callable[[Path], object], str, str]):
    """The message names the path, what was found, and the remedy."""
    spoil, found, remedy = case
    spoil(place)
    failure = vet(place, "update.sh", 0)
    assert failure is not None
    assert failure.reason is Reason.SCRIPT_UNSAFE
    assert found in failure.message
    assert re.search(remedy, failure.message)


SAFE: dict[str, Callable[[Path], object]] = {
    "as installed": lambda p: None,
    "sticky folder of root above": lambda p: p.parent.chmod(0o1777),
    "folder above open to root's group": lambda p: p.parent.chmod(0o775),
    "script link within": lambda p: ((p / "update.sh").rename(p / "real.sh"), (p / "update.sh").symlink_to("real.sh")),
    "own user": lambda p: os.chown(p / "update.sh", OTHER_UID, 0),
}


@needs_root
@pytest.mark.parametrize("name", SAFE)
def test_vet_accepts_what_only_root_can_change(place: Path, name: str):
    """Or the coordinator's own user."""
    SAFE[name](place)
    assert vet(place, "update.sh", OTHER_UID if name == "own user" else 0) is None


MISSING: dict[str, Callable[[Path], object]] = {
    "no script": lambda p: (p / "update.sh").unlink(),
    "no directory": lambda p: p.rename(p.parent / "moved"),
    "a directory instead": lambda p: ((p / "update.sh").unlink(), (p / "update.sh").mkdir()),
    "a dangling link": lambda p: ((p / "update.sh").unlink(), (p / "update.sh").symlink_to("nowhere")),
    "a link to itself": lambda p: ((p / "update.sh").unlink(), (p / "update.sh").symlink_to("update.sh")),
    "a pipe": lambda p: ((p / "update.sh").unlink(), os.mkfifo(p / "update.sh")),
}


@pytest.mark.parametrize("spoil", MISSING.values(), ids=MISSING.keys())
def test_vet_reports_a_missing_script(place: Path, spoil: Callable[[Path], object]):
    """Anything that cannot be a script counts as missing."""
    spoil(place)
    failure = vet(place, "update.sh", 0)
    assert failure is not None
    assert failure.reason is Reason.SCRIPT_MISSING
    assert failure.message.startswith("cannot run ")


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_vet_does_not_report_a_read_error_as_missing(place: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    """A read error proves nothing about the script, and may be transient."""

    def refuse(_path: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "lstat", refuse)
    failure = vet(place, "update.sh", 0)
    monkeypatch.undo()
    assert failure is not None
    assert failure.reason is Reason.CANNOT_START
    assert os.strerror(number) in failure.message
