"""Whether something is there, also when the disk does not tell."""

from __future__ import annotations

import errno
import os

import pytest

from protocol.fs import exists


def test_what_is_there_and_what_is_not(tmp_path):
    """Links are followed; one to itself leads nowhere, and is no error: the container could make one."""
    file, link, loop = tmp_path / "file", tmp_path / "link", tmp_path / "loop"
    file.touch()
    link.symlink_to(file)
    loop.symlink_to(loop)
    assert [exists(path) for path in (tmp_path, file, link, loop, file / "below", tmp_path / "other")] == [
        *(True, True, True),
        *(False, False, False),
    ]
    file.unlink()
    assert not exists(link)


def test_a_sick_disk_is_no_answer(tmp_path, monkeypatch):
    """Nobody may take a journal for lost because it could not be looked for."""

    def sick(*_arguments, **_options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "stat", sick)
    with pytest.raises(OSError, match="Input/output error"):
        exists(tmp_path)
