"""A coordinator that stops or crashes while a script runs adopts it after a restart, and its answer is true."""

from __future__ import annotations

import pytest
from installed_host import COMMAND, NEXT, STATE, UNIT
from machine import Machine
from provisioned_host import ProvisionedHost

from tests.support.polling import wait_until

_HOLD = "/run/hold"  # the script waits while this file exists
_WAITING_SCRIPT = f"""#!/bin/bash
echo "begin $UPDATE_REQUEST_ID" >> /var/tmp/probe.log
echo PHASE:waiting
while [ -e {_HOLD} ]; do sleep 0.05; done
echo "end $UPDATE_REQUEST_ID" >> /var/tmp/probe.log
echo "completed"
echo "a warning" >&2
exit $(cat /var/tmp/probe.code)
"""
_CONFIGURATION = """
[execution]
executor = "systemd"
[components.probe]
directory = "/opt/dunebugger/probe"
"""


@pytest.fixture
def probe(host: ProvisionedHost) -> Machine:
    """A component whose update waits for the removal of a file, and exits with a given code."""
    machine = host.machine
    directory = "/opt/dunebugger/probe"
    machine.write(f"{directory}/update.sh", _WAITING_SCRIPT, 0o755)
    for script in ("rollback.sh", "health-check.sh"):
        machine.write(f"{directory}/{script}", f"#!/bin/sh\necho {script} >> /var/tmp/probe.log\n", 0o755)
    machine.write("/etc/dunebugger/update-coordinator.toml", _CONFIGURATION)
    machine.write("/var/tmp/probe.log", "")
    machine.write("/var/tmp/probe.code", "0\n")
    machine.write(_HOLD, "")
    machine.sh(f"systemctl restart {UNIT}")
    host.wait_for_service()
    return machine


def start_update(host: ProvisionedHost, request_id: str) -> str:
    """Submit an update, wait until its script waits, and return the coordinator's process id."""
    host.submit("probe", "update", "1.2.3", request_id)
    host.wait_for_phase(request_id, "waiting")
    return host.main_pid()


def set_restart_pause(machine: Machine, pause: str, more: str = "") -> None:
    """Set a constant restart pause, shorter than in the packaged unit, until the machine is powered off."""
    drop_in = f"[Service]\nRestartSec={pause}\nExecStartPre=\n{more}\n"
    machine.write(f"/run/systemd/system/{UNIT}.service.d/restart-pause.conf", drop_in)
    machine.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")


@pytest.mark.parametrize("code", [0, 7])
@pytest.mark.parametrize("interruption", ["restart", "kill", "stop and start"])
def test_coordinator_adopts_a_running_script_after_a_restart(
    host: ProvisionedHost, probe: Machine, interruption: str, code: int
):
    """The script runs once to its end; its exit code and output are in the only answer."""
    request_id = f"{interruption.replace(' ', '-')}-{code}"
    probe.write("/var/tmp/probe.code", f"{code}\n")
    pid = start_update(host, request_id)
    status = f'Status: "update probe 1.2.3 ({request_id})"'
    wait_until(lambda: status in probe.sh(f"systemctl status --no-pager {UNIT}"), f"systemd to show {status}")
    if interruption == "restart":
        probe.sh(f"systemctl restart {UNIT}")
    elif interruption == "kill":
        probe.sh(f"kill -9 {pid}")
    else:
        probe.sh(f"systemctl stop {UNIT}; sleep 1; systemctl start {UNIT}")
    host.wait_for_restart(pid)
    assert probe.read("/var/tmp/probe.log") == f"begin {request_id}\n"
    probe.sh(f"rm {_HOLD}")
    final = host.wait_for_answer(request_id)
    assert (final["output"], final["error"]) == ("PHASE:waiting\ncompleted\n", "a warning\n")
    assert final["attempts"][0]["exit_code"] == code
    assert (final["state"], final["reason"]) == (("rolled_back", "script_failed") if code else ("succeeded", None))
    rollback = ["rollback.sh"] if code else []
    assert probe.read("/var/tmp/probe.log").split("\n")[:-1] == [
        f"begin {request_id}", f"end {request_id}", *rollback, "health-check.sh",
    ]  # fmt: skip
    output = probe.run(COMMAND, "explain", request_id).stdout
    assert "started again and found update.sh still running: waited for it to end" in output


def test_script_survives_ten_coordinator_crashes(host: ProvisionedHost, probe: Machine):
    """After ten crashes during one script there is one run and one answer."""
    set_restart_pause(probe, "100ms")
    pid = start_update(host, "many-crashes")
    for _ in range(10):
        probe.sh(f"kill -9 {pid}")
        host.wait_for_restart(pid)
        pid = host.main_pid()
    probe.sh(f"rm {_HOLD}")
    assert host.wait_for_answer("many-crashes")["success"]
    assert probe.read("/var/tmp/probe.log").count("begin") == 1


def test_coordinator_collects_a_script_that_ended_while_it_was_stopped(host: ProvisionedHost, probe: Machine):
    """The run directory has the exit code, which the next coordinator collects."""
    probe.write("/var/tmp/probe.code", "9\n")
    start_update(host, "unobserved")
    probe.sh(f"systemctl stop {UNIT}; rm {_HOLD}")
    wait_until(lambda: "end unobserved" in probe.read("/var/tmp/probe.log"), "the script's end")
    probe.sh(f"systemctl start {UNIT}")
    final = host.wait_for_answer("unobserved")
    assert (final["attempts"][0]["exit_code"], final["state"], final["reason"]) == (9, "rolled_back", "script_failed")
    assert probe.read("/var/tmp/probe.log").count("begin") == 1


def test_watchdog_restarts_a_hanging_coordinator(host: ProvisionedHost, probe: Machine):
    """The watchdog restarts the coordinator; the script is not affected."""
    set_restart_pause(probe, "100ms", "WatchdogSec=2")
    pid = start_update(host, "hangs")
    probe.sh(f"kill -STOP {pid}")
    host.wait_for_restart(pid)
    assert "Watchdog timeout" in probe.journal(UNIT)
    probe.sh(f"rm {_HOLD}")
    assert host.wait_for_answer("hangs")["success"]


def test_operator_stop_of_a_script_is_reported_as_interrupted(host: ProvisionedHost, probe: Machine):
    """After ``systemctl stop`` of the script's unit the answer is rolled_back, interrupted."""
    start_update(host, "stopped")
    shown = probe.sh("systemctl show --property=MemoryMax 'dunebugger-request-stopped-1-*'")
    assert shown.strip() == f"MemoryMax={2 * 1024**3}", "MemoryMax differs from the component's memory_bytes"
    probe.sh("systemctl stop 'dunebugger-request-stopped-1-*'")
    final = host.wait_for_answer("stopped")
    assert (final["state"], final["reason"]) == ("rolled_back", "interrupted")


def test_new_release_adopts_a_script_that_runs_during_an_upgrade(host: ProvisionedHost, probe: Machine):
    """The script continues in a worker of the old release, and the new release answers."""
    start_update(host, "during-an-upgrade")
    host.checkout(NEXT, "9.9.9")
    host.install("--upgrade", checkout=NEXT)
    assert host.release() == "9.9.9"
    probe.sh(f"rm {_HOLD}")
    final = host.wait_for_answer("during-an-upgrade")
    assert (final["success"], final["output"]) == (True, "PHASE:waiting\ncompleted\n")
    assert probe.read("/var/tmp/probe.log").count("begin") == 1


def test_journal_passes_the_check_after_all_crashes(host: ProvisionedHost, probe: Machine):
    """The journal is intact, and no request is active."""
    output = probe.run(COMMAND, "check", "--no-scripts").stdout
    assert f"{STATE}/journal.db is intact; 0 request(s) under way" in output
