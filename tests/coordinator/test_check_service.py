"""``check`` of the service, from the output of ``systemctl show``."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.checks import host
from coordinator.settings import Paths, Settings

ACTIVE = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running",
    "UnitFileState": "enabled", "StatusText": "update remote 1.1.0 (r1)",
}  # fmt: skip
UNKNOWN = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "UnitFileState": ""}
UNIT_IS = "systemd reports that dunebugger-update-coordinator is"


@pytest.mark.parametrize(
    ("properties", "code", "results"),
    [
        (ACTIVE, 0, [("note", f"{UNIT_IS} active (running): update remote 1.1.0 (r1)")]),
        (ACTIVE | {"StatusText": ""}, 0, [("note", f"{UNIT_IS} active (running)")]),
        (ACTIVE | {"ActiveState": "failed", "SubState": "failed"}, 0, [("bad", f"{UNIT_IS} failed (failed)")]),
        (
            ACTIVE | {"UnitFileState": "disabled"},
            0,
            [
                ("note", f"{UNIT_IS} active (running): update remote 1.1.0 (r1)"),
                ("bad", "dunebugger-update-coordinator does not start when the host boots"),
            ],
        ),
        (
            UNKNOWN,
            0,
            [("note", "systemd has no unit dunebugger-update-coordinator: nothing restarts the coordinator")],
        ),
        ({}, 1, [("note", "systemd is not available, or does not respond: nothing restarts the coordinator")]),
    ],
    ids=["active", "no status", "failed", "not enabled", "not installed", "not booted"],
)
def test_check_reports_the_state_of_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, properties, code, results
):
    """The first result is that no coordinator runs; the results of the unit follow it."""
    output = "".join(f"{key}={value}\n" for key, value in properties.items())
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat <<'E'\n{output}E\nexit {code}\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    settings = Settings(paths=Paths(state=tmp_path / "state"))
    first, *others = host.service(settings)
    assert (first.severity, first.text) == ("bad", "no coordinator runs on this configuration")
    assert [(result.severity, result.text) for result in others] == results
