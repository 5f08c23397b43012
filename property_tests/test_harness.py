"""Whether the sweeps find what they look for: the coordinator is broken on purpose, in a copy, and each break is found.

A sweep that stays green on a broken coordinator would prove nothing.
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
        file: where.
        before: the text that is right.
        after: what stands there instead.
        sweep: its command.
        told: what the sweep must say about it, so that it is found for what it is.
    """

    file: str
    before: str
    after: str
    sweep: str
    told: str


CUTS = "property_tests.power.sweep --states 400 --again 0 --real 0 --story successful --story failing"
KILLS = "property_tests.crash.kill_sweep --story refused --firsts 0"
SIGNALS = "property_tests.crash.kill_sweep --story limit --firsts 0 --only pidfd_send_signal"
REBOOTS = "property_tests.crash.reboot_sweep --story takes"

BREAKS = {
    "an answer's content is not synced": Break(
        "protocol/fs.py",
        "        if durable:\n            os.fsync(descriptor)\n",
        "",
        CUTS,
        "the answer to one is none",
    ),
    "an answer's name is not synced": Break(
        "protocol/fs.py",
        "    if durable:\n        fsync_dir(path.parent)\n",
        "",
        CUTS,
        "one has no answer",
    ),
    "the journal's commits are not synced": Break(
        "fsm/database.py", '"PRAGMA synchronous = FULL"', '"PRAGMA synchronous = NORMAL"', CUTS, "one"
    ),
    "the state folder's name is not synced": Break(
        "coordinator/app.py",
        "    fsync_parents(settings.paths.requests, settings.paths.status, settings.paths.state)\n",
        "",
        CUTS,
        "the answer to one",
    ),
    "effects come before the journal": Break(
        "coordinator/intake.py",
        "        with ExitStack() as stack:  # one that fails keeps no other back: nobody comes to them again\n"
        "            for effect in reversed(effects):\n                stack.callback(effect)\n",
        "            for effect in effects:\n                effect()\n",
        KILLS,
        "the journal would answer",
    ),
    "statuses are written in place": Break(
        "protocol/fs.py",
        'temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")',
        "temporary = path",
        KILLS,
        "no JSON",
    ),
    "a script is ended before anybody notes why": Break(
        "executors/script_executor.py",
        "            directory.record_ended_by(cause)\n        stuck",
        "            pass\n        stuck",
        SIGNALS,
        "(script_failed)",
    ),
    "resumes are not bounded": Break(
        "coordinator/runner.py",
        "walk.count_resume() > recovery.MAX_RESUMES",
        "walk.count_resume() < 0",  # it is counted, and nobody minds
        REBOOTS,
        "update.sh ran",
    ),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_break_is_found(tmp_path, broken):
    """The sweep that guards against it ends with 1 and says what is wrong."""
    for part in PARTS:
        source, copy = ROOT / part, tmp_path / part
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    text = (tmp_path / broken.file).read_text()
    assert text.count(broken.before) == 1, f"{broken.file} has changed: the break must be made anew"
    (tmp_path / broken.file).write_text(text.replace(broken.before, broken.after))
    compileall.compile_dir(tmp_path, quiet=1)
    (tmp_path / "kept").mkdir()  # a sweep keeps what it found wrong
    here = os.environ | {"TMPDIR": str(tmp_path / "kept")}
    command = [sys.executable, "-m", *broken.sweep.split(), "--until-told", broken.told]
    found = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "WRONG: " in found.stdout
    assert broken.told in found.stdout
