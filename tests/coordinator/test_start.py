"""A start that cannot read the whole program ends, before anything is made or let in (ADR 010)."""

import errno
import importlib
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from coordinator.app import build
from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import load_settings
from policy.engine import all_judges
from protocol.clock import SystemClock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def refused(tmp_path):
    """Starts a coordinator that must not come up; what was said about it."""
    all_judges.cache_clear()

    def start(error=UnavailableError, *, written=""):
        config = tmp_path / "c.toml"
        folders = "".join(f'{name} = "{tmp_path / name}"\n' for name in ("requests", "status", "state"))
        config.write_text(f"[paths]\n{folders}{written}")
        with pytest.raises(error) as raised, ExitStack() as resources:
            build(load_settings(config), SystemClock(), resources)
        assert not (tmp_path / "requests").exists()
        return str(raised.value)

    return start


def sick_disk(path):
    """Fail as a system call would; ``path`` is what it was about, if it says so."""
    raise OSError(errno.EIO, os.strerror(errno.EIO), *path)


@pytest.mark.parametrize("written", ["", '[execution]\nexecutor = "sh"\n'])
@pytest.mark.parametrize("folder", ["policy/rules"])
def test_a_folder_of_parts_that_cannot_be_listed(monkeypatch, refused, folder, written):
    """A start without the judges is refused."""
    listed = Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda path: sick_disk([str(path)]) if str(path).endswith(folder) else listed(path)
    )
    assert refused(written=written) == f"cannot read {ROOT / folder}: Input/output error"


def test_a_folder_of_judges_that_is_empty(monkeypatch, refused):
    """No second start would mend that."""
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [] if str(path).endswith("rules") else listed(path))
    said = refused(ConfigurationError)
    assert said == f"cannot read {ROOT / 'policy/rules'}: no module in it; install the coordinator anew"


def test_a_judge_that_cannot_be_read_to_its_end(monkeypatch, refused):
    """An error while a file is read names no file, unlike one while it is opened; the words do without."""
    monkeypatch.setattr(importlib, "import_module", lambda _name: sick_disk([]))
    assert refused() == "cannot read the program: Input/output error"


def test_a_part_of_a_library(tmp_path, monkeypatch, refused):
    """A package that came without its ``__init__.py`` would be stumbled over for good."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "__init__.py").touch()
    hidden = ModuleType("hidden")
    hidden.__path__ = [str(tmp_path / "hidden")]
    monkeypatch.setitem(sys.modules, "hidden", hidden)
    assert refused() == "cannot start: only a part of hidden could be read; start again"
