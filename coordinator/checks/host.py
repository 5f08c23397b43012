"""Checks of the host: the troubleshooting list of docs/requirements.md, section 10. Each bad result has its remedy."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from math import inf
from pathlib import Path

from coordinator.active_request import script_policy_of
from coordinator.checks.tools import TOOL_S, free_space, run_tool
from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import Component, Settings
from coordinator.state_folder import JOURNAL, LOCK, QUARANTINE, open_for_reading
from coordinator.texts import describe
from executors.vetting import vet
from fsm import script_plan
from fsm.errors import JournalDamagedError, JournalError
from fsm.journal_reader import JournalReader
from fsm.records import RequestRecord
from protocol.client import Client
from protocol.clock import SystemClock
from protocol.diagnostics import CheckResult, bad, good, note
from protocol.instance_lock import is_locked
from protocol.types import Action, ProtocolError

UNIT = "dunebugger-update-coordinator"
_COMPOSE_FILES = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")
_LOG_LINES = 500


def configuration(settings: Settings) -> Iterator[CheckResult]:
    """What is configured; the configuration has been read by now."""
    if not settings.components:
        yield bad("no component is configured", "add a [components.NAME] table with its directory")
    for lock, names in sorted(settings.lanes.items()):
        yield good(f"lock {lock}: {', '.join(sorted(names))}")


def running(settings: Settings) -> bool:
    """Whether a coordinator holds the state folder now."""
    return is_locked(settings.paths.state / LOCK)


def service(settings: Settings) -> Iterator[CheckResult]:
    """Troubleshooting step 1: is the coordinator running?"""
    if running(settings):
        pid = (settings.paths.state / LOCK).read_text().strip()
        yield good(f"a coordinator runs (pid {pid})")
    else:
        yield bad("no coordinator runs on this configuration", f"systemctl start {UNIT}, or update-coordinator run")
    result = run_tool("systemctl", "show", UNIT, "--property=LoadState,ActiveState,SubState,UnitFileState,StatusText")
    if result is None or result.code != 0:
        yield note("systemd is not available, or does not respond: nothing restarts the coordinator")
        return
    yield from _unit(dict(line.partition("=")[::2] for line in result.output.splitlines()))


def _unit(shown: dict[str, str]) -> Iterator[CheckResult]:
    """What systemd shows of the service."""
    if shown.get("LoadState") != "loaded":
        yield note(f"systemd has no unit {UNIT}: nothing restarts the coordinator", "sudo packaging/install.sh")
        return
    state = shown.get("ActiveState", "unknown")
    says = f"systemd reports that {UNIT} is {state} ({shown.get('SubState', 'unknown')})"
    if state == "failed":
        yield bad(says, f"journalctl -u {UNIT} -n 100 shows why; then systemctl restart {UNIT}")
    else:
        yield note(f"{says}: {shown['StatusText']}" if shown.get("StatusText") else says)
    if shown.get("UnitFileState") != "enabled":
        yield bad(f"{UNIT} does not start when the host boots", f"systemctl enable {UNIT}")


def folders(settings: Settings) -> Iterator[CheckResult]:
    """Troubleshooting step 2: do the shared folders exist, and can they be written?"""
    paths = settings.paths
    for folder in (paths.requests, paths.status, paths.state):
        if not folder.is_dir():
            yield bad(f"{folder} does not exist", "start the coordinator once as root: it creates the folder")
            continue
        found = folder.stat()
        text = f"{folder} (mode {found.st_mode & 0o7777:04o}, owner {found.st_uid}:{found.st_gid})"
        left = free_space(folder)
        if not os.access(folder, os.W_OK):
            yield bad(f"{text} cannot be written", f"remount it writable, or chown it to uid {os.getuid()}")
        elif left.is_low:
            yield bad(f"{text} has {left} free", "free space on its file system; df and df -i show how full it is")
        else:
            yield good(text)
    if paths.state.is_dir() and paths.state.stat().st_mode & 0o022:
        yield bad(f"{paths.state} can be written by others", f"chmod go-w {paths.state}")
    if paths.requests.is_dir():
        with os.scandir(paths.requests) as entries:
            waiting = sum(entry.name.endswith(".json") for entry in entries)
        yield note(f"{waiting} request file(s) waiting")
    quarantine = paths.state / QUARANTINE
    if quarantine.is_dir() and (kept := len(list(quarantine.iterdir()))):
        yield note(f"{kept} unanswerable file(s) in {quarantine}", "find out what writes them, then delete them")


def scripts(settings: Settings) -> Iterator[CheckResult]:
    """Troubleshooting step 4, and script debugging (section 11): do the scripts exist, and may they be run?"""
    for name, component in sorted(settings.components.items()):
        try:
            yield from _check_scripts(name, component)
        except OSError as error:  # the scripts of the others are checked all the same
            yield bad(f"{name}: cannot examine its scripts in {component.directory}: {error}", "check the disk")


def _check_scripts(name: str, component: Component) -> Iterator[CheckResult]:
    needed = {script for action in Action for script in script_plan.scripts_needed(action, script_policy_of(component))}
    failures = [found for script in sorted(needed) if (found := vet(component.directory, script, os.getuid()))]
    for failure in failures:
        yield bad(f"{name}: {failure.message}", f"until then, requests for {name} fail with {failure.reason}")
    if not failures:
        yield good(f"{name}: {', '.join(sorted(needed))} in {component.directory}")
    update = component.directory / script_plan.UPDATE
    if update.is_file() and b"compose" in update.read_bytes():
        places = (component.directory, component.directory.parent)
        if not any((place / file).exists() for place in places for file in _COMPOSE_FILES):
            yield note(f"{name}: update.sh mentions compose, but there is no compose file beside or above it")


def journal(settings: Settings) -> Iterator[CheckResult]:
    """Can the journal be read, and is it intact?"""
    path = settings.paths.state / JOURNAL
    for damaged in sorted(settings.paths.state.glob(f"{JOURNAL}.damaged-*")):
        if not damaged.name.endswith(("-wal", "-shm")):
            yield bad(
                f"a damaged journal was set aside as {damaged}", "check the disk; delete the file when done with it"
            )
    if not path.exists():
        yield note(f"{path} does not exist yet")
        return
    try:
        opened = JournalReader.open(path)
    except JournalError as error:
        yield bad(f"{path}: {error}", _remedy(error))
        return
    try:
        opened.database.require_integrity()
        unsettled = sum(opened.counts().values())
        late = len(opened.unpublished(100))
        yield good(f"{path} is intact; {unsettled} request(s) under way")
        if late:
            remedy = f"make {settings.paths.status} writable: they are published then"
            yield bad(f"{late} answer(s) could not be published", remedy)
    except JournalError as error:
        yield bad(f"{path}: {error}", _remedy(error))
    finally:
        opened.close()


def _remedy(error: JournalError) -> str:
    if isinstance(error, JournalDamagedError):
        return "restart the coordinator: it sets a damaged journal aside and builds a new one"
    return "fix that and check again: nothing shows that the journal itself is damaged"


def log(settings: Settings) -> Iterator[CheckResult]:
    """Troubleshooting step 5: see the log: the coordinator's own file, and systemd's journal."""
    path = settings.paths.log_file
    if path is None or not path.exists():
        yield note("no log file", f"journalctl -u {UNIT} -n 100")
    else:
        yield from _log_file(path)
    # Only systemd's journal shows why the coordinator did not start, or how it was killed.
    result = run_tool(
        "journalctl", f"--unit={UNIT}", "--since=-24h", "--priority=warning", "--quiet", "--output=short-iso"
    )
    if result is not None and (lines := result.output.splitlines()):
        yield note(f"{len(lines)} warning(s) in systemd's journal of 24 hours; the latest:", f"journalctl -u {UNIT}")
        yield note(lines[-1])


def _log_file(path: Path) -> Iterator[CheckResult]:
    with path.open(encoding="utf-8", errors="replace") as file:
        tail = deque(file, maxlen=_LOG_LINES)
    grave = [line.rstrip() for line in tail if " ERROR " in line or " CRITICAL" in line]
    if not grave:
        yield good(f"no errors in the last {len(tail)} lines of {path}")
        return
    yield note(f"{len(grave)} error(s) in the last {len(tail)} lines of {path}; the latest:", f"less +G {path}")
    yield note(grave[-1])


def _under_way(settings: Settings, name: str) -> RequestRecord | None:
    """The update or rollback that the component's lane runs next; None also when the journal cannot be read."""
    try:
        with open_for_reading(settings) as journal:
            due = journal.next_due(settings.lanes[settings.lane_of(name)], uptime_s=inf)
    except (ConfigurationError, UnavailableError):
        return None
    return due if due is not None and due.action is not Action.HEALTH else None


def health(settings: Settings) -> Iterator[CheckResult]:
    """Troubleshooting step 6: do the health checks pass? Submitted as a client submits them."""
    if not running(settings):
        yield note("health checks were not run", "they go through a running coordinator; start it and check again")
        return
    paths = settings.paths
    spool = (paths.requests, paths.status, paths.state)
    if full := [folder for folder in spool if folder.is_dir() and free_space(folder).is_exhausted]:
        yield note("health checks were not run", f"{full[0]} has no free space; free some and check again")
        return
    client = Client(settings.paths.requests, settings.paths.status, SystemClock())
    for name, component in sorted(settings.components.items()):
        if under_way := _under_way(settings, name):
            text = f"{name}: skipped, because it would have to wait: {describe(under_way)} is under way"
            yield note(text, f"update-coordinator explain {under_way.request_id}")
            continue
        try:
            request_id = client.submit(name, Action.HEALTH)
            final = client.wait_for_status(request_id, timeout_s=component.timeout_s + TOOL_S)
            client.discard(request_id)
        except (ProtocolError, OSError) as error:
            yield bad(f"{name}: {error}", f"update-coordinator history --component {name} shows what runs")
            continue
        if final.success:
            yield good(f"{name}: healthy")
        else:
            script = component.directory / script_plan.HEALTH_CHECK
            last = (final.error.strip() or final.output.strip()).rpartition("\n")[2]
            printed = f"; it printed: {last}" if last else ""
            yield bad(f"{name}: {final.message}{printed}", f"bash -x {script}; echo $?")
