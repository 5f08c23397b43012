"""The installed service as an operator meets it: the document's own commands, the status, the log, the check."""

from __future__ import annotations

import json
import re
from pathlib import Path

from installed_host import CONFIGURATION, HOME, UNIT
from polling import until
from provisioned_host import Household

# "Deployment", step 4 of the design document, word for word.
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
_QUESTIONS = ("service", "shared folders", "container", "scripts", "log", "health checks")


def test_the_documents_manual_test_works_word_for_word(household: Household):
    """Drop ``test-123.json`` with ``cat``; read the status."""
    household.sh(_MANUAL_TEST)
    status = "/var/dunebugger/updates/status/test-123.json"
    until((household.disk / status.lstrip("/")).exists, "the answer")
    final = json.loads(household.sh(f"cat {status}"))
    assert (final["request_id"], final["success"], final["message"]) == ("test-123", True, "Healthy")
    assert "dunebugger-remote runs" in final["output"]


def test_the_status_is_for_people(household: Household):
    """``systemctl status``: active, enabled, and a line for people."""
    told = household.sh(f"systemctl status --no-pager {UNIT}")
    assert "Active: active (running)" in told
    assert "; enabled;" in told
    assert 'Status: "waiting for requests"' in told


def test_the_journal_can_be_asked_for_a_request(household: Household):
    """Each line about a request carries its id, of the coordinator and of the script's unit."""
    request_id = household.ask("remote", "health", request_id="ask-the-journal")
    household.answer(request_id)
    told = household.sh(f"journalctl --no-pager --output=cat UPDATE_REQUEST_ID={request_id}")
    assert "accepted: health remote" in told
    assert "succeeded: Healthy" in told
    unit = household.sh("journalctl --no-pager --output=cat -u 'dunebugger-request-ask-the-journal-1-*'")
    assert "health-check.sh of health remote" in unit


def test_check_answers_each_question_of_the_document(household: Household):
    """All six of "Updates not working", and each finds a household in order."""
    found = json.loads(household.sh("update-coordinator check --json"))
    by_area = {area: [row for row in found if row["area"] == area] for area in _QUESTIONS}
    assert all(by_area.values()), found
    assert [row for row in found if row["grade"] == "bad"] == []
    assert any("dunebugger-remote sees /var/dunebugger/updates/requests" in row["finding"] for row in found)
    assert any(re.match(r"systemd says .* is active \(running\)", row["finding"]) for row in found)
    assert {row["finding"] for row in by_area["health checks"]} == {
        "core: healthy", "remote: healthy", "scheduler: healthy",
    }  # fmt: skip


def test_check_finds_each_trouble_of_the_document(household: Household):
    """All but the log's, made true one at a time: the exit code is 1, and the finding names the remedy."""
    machine = household.machine
    troubles = {
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
    for area, (make, mend, remedy) in troubles.items():
        machine.sh(make)
        options = () if area == "health checks" else ("--no-scripts",)
        told = machine.run("update-coordinator", "check", "--json", *options, check=False)
        machine.sh(mend)
        bad = [row for row in json.loads(told.stdout) if row["grade"] == "bad" and row["area"] == area]
        assert told.returncode == 1, area
        assert any(remedy in row["finding"] + row["remedy"] for row in bad), (area, told.stdout)


def test_check_tells_what_the_log_says(household: Household):
    """Why a start failed that has been mended since, in the words of the coordinator and of systemd."""
    machine = household.machine
    before = machine.read(CONFIGURATION)
    machine.write(CONFIGURATION, "[paths]\nstat = 1\n")
    assert machine.run("systemctl", "restart", UNIT, check=False).returncode != 0
    machine.write(CONFIGURATION, before)
    machine.sh(f"systemctl restart {UNIT}")
    found = json.loads(household.sh("update-coordinator check --no-scripts --json"))
    log = [row for row in found if row["area"] == "log"]
    assert any("warning(s) in systemd's journal of 24 hours" in row["finding"] for row in log), log
    assert any("Failed to start" in row["finding"] for row in log), log
    why = household.sh(f"journalctl --no-pager --output=cat --priority=err -u {UNIT}")
    assert f"{CONFIGURATION}:2" in why
    assert "paths.stat" in why


def test_a_service_that_dies_again_and_again_is_waited_for_longer(household: Household):
    """The pause grows to two minutes and stays there; whoever starts it by hand waits for nothing."""
    drop_in = f"/run/systemd/system/{UNIT}.service.d/soon.conf"
    household.machine.write(drop_in, "[Service]\nRestartSec=100ms\n")
    household.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")
    for pause_s in (0, 10, 30, 110, 110):
        pid = household.main_pid()
        household.sh(f"kill -9 {pid}")
        if pause_s:
            until(lambda pause_s=pause_s: household.starting_with() == f"sleep {pause_s}", household.starting_with)
            household.sh(f"kill $(systemctl show --property=ControlPID --value {UNIT})")
        household.await_another(pid)
    household.sh(f"kill -9 {household.main_pid()}")
    until(lambda: household.starting_with() == "sleep 110", household.starting_with)
    household.sh(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}")
    assert household.is_active()


def test_a_service_that_lived_before_it_died_is_not_waited_for(household: Household):
    """Half a second is enough at first; then ten minutes, as in the packaged unit, are too long for a test."""
    pause, drop_in = "/run/pause.sh", f"/run/systemd/system/{UNIT}.service.d/soon.conf"
    packaged = f"{HOME}/current/share/restart-pause.sh"
    household.sh(f"sed 's/^long_us=.*/long_us=500000/' {packaged} > {pause}")
    start = f"ExecStartPre=\nExecStartPre=-/bin/sh {pause} %n"
    household.machine.write(drop_in, f"[Service]\nRestartSec=100ms\n{start}\n")
    household.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")
    for _ in range(4):
        pid = household.main_pid()
        household.sh(f"sleep 0.6; kill -9 {pid}")
        household.await_another(pid)
    household.sh(f"cp {packaged} {pause}; kill -9 {household.main_pid()}")
    until(lambda: household.starting_with() == "sleep 110", household.starting_with)
    household.sh(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}")


def test_the_limits_are_the_daemons_alone(household: Household):
    """A fifth of a processor and 256 MB, as the document says; scripts have units of their own (test_executor.py)."""
    shown = household.sh(f"systemctl show --property=CPUQuotaPerSecUSec,MemoryMax {UNIT}")
    assert set(shown.split()) == {"CPUQuotaPerSecUSec=200ms", f"MemoryMax={256 * 1024**2}"}


def test_the_exposure_is_what_the_paper_says(household: Household):
    """``systemd-analyze security``: the figure in docs/operations.md was measured."""
    told = household.sh(f"systemd-analyze security --no-pager {UNIT} | tail -n 1")
    score = re.search(r"(\d+\.\d+) (\w+)", told)
    assert score is not None, told
    paper = Path(__file__).parents[2].joinpath("docs/operations.md").read_text(encoding="utf-8")
    assert f"{score[1]} {score[2]}" in paper, told
