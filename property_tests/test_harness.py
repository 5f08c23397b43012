"""Mutation tests of the sweeps: the coordinator is broken on purpose, in a copy, and a sweep must find each break.

A sweep that passes on a broken coordinator would prove nothing.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("protocol", "policy", "fsm", "executors", "coordinator", "property_tests", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Break:
    """One deliberate defect, and the sweep that must find it.

    Args:
        file: the file to break.
        before: the correct text.
        after: its replacement.
        sweep: the module and the options of the sweep.
        violation: text that the sweep must report, so that it fails for the right reason.
    """

    file: str
    before: str
    after: str
    sweep: tuple[str, ...]
    violation: str


# Of each sweep the part that finds the breaks below: a whole one takes minutes to hours.
# The states of power cuts are random: so many, after the operations that matter, that each break shows in over twenty.
CUTS = ("property_tests.power.sweep", "--states", "500", "--again", "0", "--real", "0")
ROLLED_BACK = ("--scenario", "failing update, rolled back, client without fsync", "--only", "remove")
FIRST_START = ("--scenario", "first start, client without fsync", "--only", "one.json")
KILLS = ("property_tests.crash.kill_sweep", "--firsts", "0", "--jobs", "1")
REJECTED = ("--scenario", "rejected")
SIGNALS = ("--scenario", "limit", "--only", "pidfd_send_signal")
REBOOTS = ("property_tests.crash.reboot_sweep", "--scenario", "reboots the machine at every start, on_failure none")

BREAKS = {
    "final status: content is not synced": Break(
        "protocol/fs.py",
        "        if durable:\n            os.fsync(descriptor)\n",
        "",
        (*CUTS, *ROLLED_BACK),
        "the status of one is invalid",
    ),
    "final status: directory is not synced": Break(
        "protocol/fs.py",
        "    if durable:\n        fsync_dir(path.parent)\n",
        "",
        (*CUTS, *ROLLED_BACK),
        "one has no final status",
    ),
    "journal: commits are not synced": Break(
        "fsm/database.py", '"PRAGMA synchronous = FULL"', '"PRAGMA synchronous = NORMAL"', (*CUTS, *ROLLED_BACK), "one"
    ),
    "state directory: parent is not synced": Break(
        "coordinator/app.py",
        "    fsync_parents(settings.paths.requests, settings.paths.status, settings.paths.state)\n",
        "",
        (*CUTS, *FIRST_START),
        "is missing in the journal",
    ),
    "intake: effects precede the journal": Break(
        "coordinator/intake.py",
        "        with ExitStack() as stack:  # an effect that fails does not prevent the others (I16)\n"
        "            for effect in reversed(effects):\n                stack.callback(effect)\n",
        "            for effect in effects:\n                effect()\n",
        (*KILLS, *REJECTED, "--only", "fsync"),
        "the journal implies another status",
    ),
    "statuses: written in place": Break(
        "protocol/fs.py",
        'temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")',
        "temporary = path",
        (*KILLS, *REJECTED, "--only", "write"),
        "invalid JSON",
    ),
    "executor: cause of a kill is not recorded first": Break(
        "executors/script_executor.py",
        "            directory.record_ended_by(cause)\n        stuck",
        "            pass\n        stuck",
        (*KILLS, *SIGNALS),
        "(script_failed)",
    ),
    "recovery: resumes are not bounded": Break(
        "coordinator/runner.py",
        "active.count_resume() > recovery.MAX_RESUMES",
        "active.count_resume() < 0",  # counted, but never exceeded
        REBOOTS,
        "update.sh ran",
    ),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_sweep_finds_the_break(tmp_path, broken):
    """The sweep that guards against the break exits with 1 and reports it."""
    for part in PARTS:
        source, copy = ROOT / part, tmp_path / part
        if source.is_dir():
            shutil.copytree(source, copy)  # with the bytecode, so that only the broken file is compiled again
        else:
            shutil.copy(source, copy)
    text = (tmp_path / broken.file).read_text()
    assert text.count(broken.before) == 1, f"cannot apply the break: {broken.file} has changed; adapt the break to it"
    (tmp_path / broken.file).write_text(text.replace(broken.before, broken.after))
    compileall.compile_dir(tmp_path, quiet=1)
    (tmp_path / "kept").mkdir()  # a sweep keeps the directories of failed trials
    environment = os.environ | {"TMPDIR": str(tmp_path / "kept")}
    command = [sys.executable, "-m", *broken.sweep, "--until-violation", broken.violation]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "WRONG: " in found.stdout
    assert broken.violation in found.stdout
