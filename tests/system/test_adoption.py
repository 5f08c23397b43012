"""The coordinator goes away while a script runs, and comes back: the script never notices, and the answer is true."""

from __future__ import annotations

import pytest
from installed_host import COMMAND, NEXT, STATE, UNIT
from machine import Machine
from polling import until
from provisioned_host import Household

_HELD = "/run/held"  # the script waits for as long as this file is there
_WAITS = f"""#!/bin/bash
echo "begin $UPDATE_REQUEST_ID" >> /var/tmp/probe.log
echo PHASE:waiting
while [ -e {_HELD} ]; do sleep 0.05; done
echo "end $UPDATE_REQUEST_ID" >> /var/tmp/probe.log
echo "came through"
echo "and complained" >&2
exit $(cat /var/tmp/probe.code)
"""
_CONFIGURATION = """
[execution]
executor = "systemd"
[components.probe]
directory = "/opt/dunebugger/probe"
"""


@pytest.fixture
def probe(household: Household) -> Machine:
    """A component whose update waits until it is told to go on, and then ends with the code it is told."""
    machine = household.machine
    directory = "/opt/dunebugger/probe"
    machine.write(f"{directory}/update.sh", _WAITS, 0o755)
    for script in ("rollback.sh", "health-check.sh"):
        machine.write(f"{directory}/{script}", f"#!/bin/sh\necho {script} >> /var/tmp/probe.log\n", 0o755)
    machine.write("/etc/dunebugger/update-coordinator.toml", _CONFIGURATION)
    machine.write("/var/tmp/probe.log", "")
    machine.write("/var/tmp/probe.code", "0\n")
    machine.write(_HELD, "")
    machine.sh(f"systemctl restart {UNIT}")
    household.await_service()
    return machine


def begin(household: Household, request_id: str) -> str:
    """Ask for an update, and wait until its script waits; the coordinator's pid."""
    household.ask("probe", "update", "1.2.3", request_id)
    household.await_phase(request_id, "waiting")
    return household.main_pid()


def restart_after(machine: Machine, pause: str, more: str = "") -> None:
    """Have systemd wait less than it is told by the packaged unit, and always the same, until the machine is off."""
    soon = f"[Service]\nRestartSec={pause}\nExecStartPre=\n{more}\n"
    machine.write(f"/run/systemd/system/{UNIT}.service.d/soon.conf", soon)
    machine.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")


@pytest.mark.parametrize("code", [0, 7])
@pytest.mark.parametrize("how", ["restart", "kill", "stop for a while"])
def test_a_running_script_is_adopted(household: Household, probe: Machine, how: str, code: int):
    """It runs once, to its own end; exit code and output are its own; there is one answer."""
    request_id = f"{how.replace(' ', '-')}-{code}"
    probe.write("/var/tmp/probe.code", f"{code}\n")
    pid = begin(household, request_id)
    assert f'Status: "update probe 1.2.3 ({request_id})"' in probe.sh(f"systemctl status --no-pager {UNIT}")
    if how == "restart":
        probe.sh(f"systemctl restart {UNIT}")
    elif how == "kill":
        probe.sh(f"kill -9 {pid}")
    else:
        probe.sh(f"systemctl stop {UNIT}; sleep 1; systemctl start {UNIT}")
    household.await_another(pid)
    assert probe.read("/var/tmp/probe.log") == f"begin {request_id}\n"
    probe.sh(f"rm {_HELD}")
    final = household.answer(request_id)
    assert (final["output"], final["error"]) == ("PHASE:waiting\ncame through\n", "and complained\n")
    assert final["attempts"][0]["exit_code"] == code
    assert (final["state"], final["reason"]) == (("rolled_back", "script_failed") if code else ("succeeded", None))
    last = ["rollback.sh"] if code else []
    assert probe.read("/var/tmp/probe.log").split("\n")[:-1] == [
        f"begin {request_id}", f"end {request_id}", *last, "health-check.sh",
    ]  # fmt: skip
    told = probe.run(COMMAND, "explain", request_id).stdout
    assert "started again and found update.sh still running: waited for it to end" in told


def test_it_may_die_again_and_again(household: Household, probe: Machine):
    """Ten times in one run: still one run, and one answer."""
    restart_after(probe, "100ms")
    pid = begin(household, "many-deaths")
    for _ in range(10):
        probe.sh(f"kill -9 {pid}")
        household.await_another(pid)
        pid = household.main_pid()
    probe.sh(f"rm {_HELD}")
    assert household.answer("many-deaths")["success"]
    assert probe.read("/var/tmp/probe.log").count("begin") == 1


def test_a_script_that_ends_while_nobody_looks_is_told_truly(household: Household, probe: Machine):
    """Its session wrote the exit code; whoever comes next reads it."""
    probe.write("/var/tmp/probe.code", "9\n")
    begin(household, "alone")
    probe.sh(f"systemctl stop {UNIT}; rm {_HELD}")
    until(lambda: "end alone" in probe.read("/var/tmp/probe.log"), "the script's end")
    probe.sh(f"systemctl start {UNIT}")
    final = household.answer("alone")
    assert (final["attempts"][0]["exit_code"], final["state"], final["reason"]) == (9, "rolled_back", "script_failed")
    assert probe.read("/var/tmp/probe.log").count("begin") == 1


def test_a_coordinator_that_hangs_is_started_again(household: Household, probe: Machine):
    """The watchdog sees it; the script does not."""
    restart_after(probe, "100ms", "WatchdogSec=2")
    pid = begin(household, "hangs")
    probe.sh(f"kill -STOP {pid}")
    household.await_another(pid)
    assert "Watchdog timeout" in probe.journal(UNIT)
    probe.sh(f"rm {_HELD}")
    assert household.answer("hangs")["success"]


def test_an_operator_may_stop_a_script(household: Household, probe: Machine):
    """``systemctl stop`` of its unit: interrupted, rolled back, told so."""
    begin(household, "stopped")
    shown = probe.sh("systemctl show --property=MemoryMax 'dunebugger-request-stopped-1-*'")
    assert shown.strip() == f"MemoryMax={2 * 1024**3}", "not the component's memory_bytes"
    probe.sh("systemctl stop 'dunebugger-request-stopped-1-*'")
    final = household.answer("stopped")
    assert (final["state"], final["reason"]) == ("rolled_back", "interrupted")


def test_an_upgrade_leaves_a_running_script_to_the_new_release(household: Household, probe: Machine):
    """The shell that runs it is the old release's, whoever tells how it ended."""
    begin(household, "over-an-upgrade")
    household.checkout(NEXT, "9.9.9")
    household.install("--upgrade", checkout=NEXT)
    assert household.release() == "9.9.9"
    probe.sh(f"rm {_HELD}")
    final = household.answer("over-an-upgrade")
    assert (final["success"], final["output"]) == (True, "PHASE:waiting\ncame through\n")
    assert probe.read("/var/tmp/probe.log").count("begin") == 1


def test_the_journal_of_requests_is_whole_after_all_that(household: Household, probe: Machine):
    """And every request has its answer."""
    told = probe.run(COMMAND, "check", "--no-scripts").stdout
    assert f"{STATE}/journal.db is whole; 0 request(s) under way" in told
