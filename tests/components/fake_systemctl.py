#!/usr/bin/env python3
"""Fake systemctl for hosts without systemd: one service, run from ROOT/current by its own interpreter.

Implements the commands that the scripts use. FAKE_SYSTEMCTL_STATE holds the state; the commands are logged beside it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_SYSTEMCTL_STATE"])
ROOT = Path(os.environ["FAKE_SYSTEMCTL_ROOT"])


def alive(pid):
    """Whether a process exists and is no zombie."""
    try:
        return bool(pid) and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stop(state):
    """End the process."""
    if alive(state["pid"]):
        os.kill(state["pid"], signal.SIGTERM)
        while alive(state["pid"]):
            time.sleep(0.01)
    state["pid"] = 0


def start(state):
    """Start the process from the target of ``current``; like Type=simple, without waiting for it to work."""
    folder = (ROOT / "current").resolve()
    program = folder / "venv" / "bin" / "python"
    if not program.exists():
        return 1
    log = (STATE.parent / "service.log").open("ab")
    state["pid"] = subprocess.Popen(
        [str(program), "app.py"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    ).pid
    return 0


def show(state, wanted):
    """One property."""
    up = alive(state["pid"])
    active = "active" if up else "failed" if state["pid"] else "inactive"
    known = {
        "LoadState": "loaded",
        "ActiveState": active,
        "SubState": "running" if up else active,
        "MainPID": str(state["pid"] if up else 0),
        "NRestarts": "0",
    }
    print(known[wanted])  # noqa: T201  what systemctl prints


def main(words):
    """Run one command."""
    state = json.loads(STATE.read_text()) if STATE.exists() else {"pid": 0}
    with (STATE.parent / "commands").open("a") as log:
        log.write(" ".join(words) + "\n")
    code = 0
    match words:
        case ["show", wanted, "--value", "app.service"]:
            show(state, wanted.removeprefix("--property="))
        case ["restart", "app.service"]:
            stop(state)
            code = start(state)
        case ["stop", "app.service"]:
            stop(state)
        case ["reset-failed", "app.service"]:
            if not alive(state["pid"]):
                state["pid"] = 0
        case _:
            sys.exit(f"unknown: {words}")
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(state))
    new.rename(STATE)
    return code


sys.exit(main(sys.argv[1:]))
