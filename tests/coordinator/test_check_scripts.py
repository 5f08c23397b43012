"""The check of the components' scripts."""

from __future__ import annotations

from pathlib import Path

from coordinator.checks.host import scripts
from coordinator.settings import Component, Settings
from protocol.diagnostics import Severity


def test_check_of_scripts_continues_after_a_component_that_cannot_be_examined(tmp_path, monkeypatch):
    """A disk error in one folder is that component's finding; the others have their own (I16)."""
    components = {}
    for name in ("bad", "good"):
        folder = tmp_path / name
        folder.mkdir(mode=0o755)
        for script in ("update.sh", "rollback.sh", "health-check.sh"):
            (folder / script).write_text("#!/bin/sh\n")
            (folder / script).chmod(0o755)
        components[name] = Component(directory=folder)
    read = Path.read_bytes

    def failing(path):
        if path.parent.name == "bad":
            raise OSError(5, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    found = {result.text.partition(":")[0]: result.severity for result in scripts(Settings(components=components))}
    assert found == {"bad": Severity.BAD, "good": Severity.GOOD}
