"""The installed service from the operator's view: documented commands, status, log and check."""

from __future__ import annotations

import json
import re
from pathlib import Path

from installed_host import CONFIGURATION, HOME, UNIT
from provisioned_host import ProvisionedHost

from tests.support.polling import wait_until

# The manual test of requirements, section 6.4, verbatim.
_MANUAL_TEST = """\
cat > /var/dunebugger/updates/requests/test-123.json << EOF
{
  "component": "remote",
  "action": "health",
  "request_id": "test-123",
  "timestamp": "$(date -Iseconds)"
}
EOF
"""
_AREAS = ("service", "shared folders", "container", "scripts", "log", "health checks")


def test_manual_request_of_the_deployment_guide_is_answered(host: ProvisionedHost):
    """The request is written with ``cat``, and its status is a success."""
    host.sh(_MANUAL_TEST)
    status = "/var/dunebugger/updates/status/test-123.json"
    wait_until((host.disk / status.lstrip("/")).exists, "the answer")
    final = json.loads(host.sh(f"cat {status}"))
    assert (final["request_id"], final["success"], final["message"]) == ("test-123", True, "Healthy")
    assert "dunebugger-remote runs" in final["output"]


def test_systemctl_status_shows_the_state(host: ProvisionedHost):
    """``systemctl status`` shows active, enabled, and a readable status line."""
    output = host.sh(f"systemctl status --no-pager {UNIT}")
    assert "Active: active (running)" in output
    assert "; enabled;" in output
    assert 'Status: "waiting for requests"' in output


def test_system_journal_can_be_filtered_by_request(host: ProvisionedHost):
    """Each log line of the coordinator about a request has its id, and the unit of its script has its name."""
    request_id = host.submit("remote", "health", request_id="journal-filter")
    host.wait_for_answer(request_id)
    output = host.sh(f"journalctl --no-pager --output=cat UPDATE_REQUEST_ID={request_id}")
    assert "accepted: health remote" in output
    assert "succeeded: Healthy" in output
    unit = host.sh("journalctl --no-pager --output=cat -u 'dunebugger-request-journal-filter-1-*'")
    assert "health-check.sh of health remote" in unit


def test_check_covers_each_troubleshooting_area(host: ProvisionedHost):
    """On a healthy host all six areas have results, and no result is bad."""
    found = json.loads(host.sh("update-coordinator check --json"))
    by_area = {area: [row for row in found if row["area"] == area] for area in _AREAS}
    assert all(by_area.values()), found
    assert [row for row in found if row["grade"] == "bad"] == []
    assert any("dunebugger-remote sees /var/dunebugger/updates/requests" in row["finding"] for row in found)
    assert any(re.match(r"systemd reports that .* is active \(running\)", row["finding"]) for row in found)
    assert {row["finding"] for row in by_area["health checks"]} == {
        "core: healthy", "remote: healthy", "scheduler: healthy",
    }  # fmt: skip


def test_check_finds_each_documented_problem(host: ProvisionedHost):
    """The test causes one problem at a time: the exit code is 1, and the result names the remedy."""
    machine = host.machine
    problems = {
        "container": ("docker stop -t 1 dunebugger-remote", "docker start dunebugger-remote", "docker start"),
        "scripts": (
            "chmod o+w /opt/dunebugger/core/update.sh",
            "chmod o-w /opt/dunebugger/core/update.sh",
            "chmod go-w",
        ),
        "shared folders": (
            "mount -o bind,ro /var/dunebugger/updates/status /var/dunebugger/updates/status",
            "umount /var/dunebugger/updates/status",
            "remount it writable",
        ),
        "health checks": ("systemctl stop dunebugger-core", "systemctl start dunebugger-core", "bash -x"),
        "service": (f"systemctl disable --quiet {UNIT}", f"systemctl enable --quiet {UNIT}", "systemctl enable"),
    }
    for area, (cause, repair, remedy) in problems.items():
        machine.sh(cause)
        options = () if area == "health checks" else ("--no-scripts",)
        output = machine.run("update-coordinator", "check", "--json", *options, check=False)
        machine.sh(repair)
        bad = [row for row in json.loads(output.stdout) if row["grade"] == "bad" and row["area"] == area]
        assert output.returncode == 1, area
        assert any(remedy in row["finding"] + row["remedy"] for row in bad), (area, output.stdout)


def test_check_reports_errors_in_the_log(host: ProvisionedHost):
    """The check reports an earlier failed start; the log has its cause."""
    machine = host.machine
    before = machine.read(CONFIGURATION)
    machine.write(CONFIGURATION, "[paths]\nstat = 1\n")
    assert machine.run("systemctl", "restart", UNIT, check=False).returncode != 0
    machine.write(CONFIGURATION, before)
    machine.sh(f"systemctl restart {UNIT}")
    found = json.loads(host.sh("update-coordinator check --no-scripts --json"))
    log = [row for row in found if row["area"] == "log"]
    assert any("warning(s) in systemd's journal of 24 hours" in row["finding"] for row in log), log
    assert any("Failed to start" in row["finding"] for row in log), log
    errors = host.sh(f"journalctl --no-pager --output=cat --priority=err -u {UNIT}")
    assert f"{CONFIGURATION}:2" in errors
    assert "paths.stat" in errors


def test_restart_pause_grows_with_every_crash(host: ProvisionedHost):
    """The pause grows to two minutes and no further; a manual start has no pause."""
    drop_in = f"/run/systemd/system/{UNIT}.service.d/restart-pause.conf"
    host.machine.write(drop_in, "[Service]\nRestartSec=100ms\n")
    host.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")
    for pause_s in (0, 10, 30, 110, 110):
        pid = host.main_pid()
        host.sh(f"kill -9 {pid}")
        if pause_s:
            wait_until(
                lambda pause_s=pause_s: host.start_command() == f"sleep {pause_s}",
                host.start_command,
            )
            host.sh(f"kill $(systemctl show --property=ControlPID --value {UNIT})")
        host.wait_for_restart(pid)
    host.sh(f"kill -9 {host.main_pid()}")
    wait_until(lambda: host.start_command() == "sleep 110", host.start_command)
    host.sh(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}")
    assert host.is_active()


def test_restart_pause_is_reset_by_a_long_uptime(host: ProvisionedHost):
    """The pause is reset at an uptime limit of 0.5 s, and not before the packaged limit of ten minutes."""
    pause, drop_in = "/run/pause.sh", f"/run/systemd/system/{UNIT}.service.d/restart-pause.conf"
    packaged = f"{HOME}/current/share/restart-pause.sh"
    host.sh(f"sed 's/^long_us=.*/long_us=500000/' {packaged} > {pause}")
    start = f"ExecStartPre=\nExecStartPre=-/bin/sh {pause} %n"
    host.machine.write(drop_in, f"[Service]\nRestartSec=100ms\n{start}\n")
    host.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")
    for _ in range(4):
        pid = host.main_pid()
        host.sh(f"sleep 0.6; kill -9 {pid}")
        host.wait_for_restart(pid)
    host.sh(f"cp {packaged} {pause}; kill -9 {host.main_pid()}")
    wait_until(lambda: host.start_command() == "sleep 110", host.start_command)
    host.sh(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}")


def test_resource_limits_apply_to_the_daemon_only(host: ProvisionedHost):
    """The daemon has 20 % of a processor and 256 MB (requirements, section 12.2); scripts have their own units."""
    shown = host.sh(f"systemctl show --property=CPUQuotaPerSecUSec,MemoryMax {UNIT}")
    assert set(shown.split()) == {"CPUQuotaPerSecUSec=200ms", f"MemoryMax={256 * 1024**2}"}


def test_documented_exposure_score_is_current(host: ProvisionedHost):
    """docs/operations.md has the score of ``systemd-analyze security``."""
    output = host.sh(f"systemd-analyze security --no-pager {UNIT} | tail -n 1")
    score = re.search(r"(\d+\.\d+) (\w+)", output)
    assert score is not None, output
    document = Path(__file__).parents[2].joinpath("docs/operations.md").read_text(encoding="utf-8")
    assert f"{score[1]} {score[2]}" in document, output
