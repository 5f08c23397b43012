"""``exists``: whether a path exists, with an error if the file system cannot tell."""

from __future__ import annotations

import errno
import os

import pytest

from protocol.fs import exists


def test_exists_follows_links(tmp_path):
    """A link to itself does not exist and is no error, because a container can create one."""
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


def test_exists_raises_when_the_disk_fails(tmp_path, monkeypatch):
    """An I/O error must not make a journal count as lost."""

    def fail(*_arguments, **_options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "stat", fail)
    with pytest.raises(OSError, match="Input/output error"):
        exists(tmp_path)
