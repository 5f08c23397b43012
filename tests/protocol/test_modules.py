"""Folders of parts: what cannot be read is an error, never an empty folder."""

import errno
import importlib
import os
import sys
from importlib import _bootstrap_external
from pathlib import Path

import pytest

from protocol.modules import hollow_packages, modules_of


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package out of the names of its files."""

    def make(*files):
        folder = tmp_path / "parts"
        folder.mkdir()
        for name in ("__init__.py", *files):
            (folder / name).touch()
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "parts", raising=False)
        return importlib.import_module("parts")

    return make


def test_each_file_is_a_module(package):
    """Sorted by name; what is no module does not count."""
    assert modules_of(package("b.py", "a_1.py", "notes.txt", "old.py~")) == ["a_1", "b"]


def test_a_folder_that_cannot_be_read_is_not_empty(package, monkeypatch):
    """The error of the disk comes through; ``pkgutil`` would keep it to itself."""
    parts = package("a.py")

    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(OSError, match="Input/output error") as error:
        modules_of(parts)
    assert error.value.errno == errno.EIO


def test_a_folder_without_any_part_is_an_error(package):
    """An installation that lost its files says so, with the remedy."""
    with pytest.raises(FileNotFoundError, match="install the coordinator anew") as error:
        modules_of(package())
    assert error.value.filename.endswith("/parts")


def test_a_package_whose_beginning_was_hidden_is_hollow(tmp_path, monkeypatch):
    """The interpreter goes on with an empty package where it cannot look at the ``__init__.py``; we do not."""
    for name in ("whole", "hidden", "namespace"):
        (tmp_path / name).mkdir()
    for name in ("whole", "hidden"):
        (tmp_path / name / "__init__.py").write_text("HERE = True\n")
    look = _bootstrap_external._path_stat

    def fail(path):
        if path.endswith("hidden/__init__.py"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return look(path)

    monkeypatch.syspath_prepend(tmp_path)
    with monkeypatch.context() as sick:
        sick.setattr(_bootstrap_external, "_path_stat", fail)
        for name in ("whole", "hidden", "namespace"):
            monkeypatch.delitem(sys.modules, name, raising=False)
            importlib.import_module(name)
    try:
        assert not hasattr(sys.modules["hidden"], "HERE")
        assert hollow_packages() == ["hidden"]
    finally:
        for name in ("whole", "hidden", "namespace"):
            del sys.modules[name]
