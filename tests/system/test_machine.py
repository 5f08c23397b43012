"""The machines of the system tests: boot, units, power cuts, isolation."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cgroup import ControlGroup
from machine import CHECKOUT, REPOSITORY


def test_machine_boots_without_a_failed_unit(machine):
    """The machine is a plain Debian without the services of the outer machine, and every unit starts."""
    assert machine.run("systemctl", "is-system-running", check=False).stdout == "running\n"
    assert machine.sh("cat /proc/1/comm") == "systemd\n"


def test_every_boot_of_a_machine_has_its_own_id(machine):
    """The coordinator detects a reboot by the boot id."""
    outer = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    seen = [machine.boot_id()]
    machine.reboot()
    seen.append(machine.boot_id())
    machine.cut_power()
    machine.boot()
    seen.append(machine.boot_id())
    assert len({outer, *seen}) == 4


def test_synced_file_survives_a_power_cut(machine):
    """A synced file is kept; files in /run and /tmp are lost."""
    machine.write("/opt/synced/file", "synced\n", 0o750)
    machine.sh("sync -d /opt/synced/file; touch /run/lost /tmp/lost")
    machine.cut_power()
    machine.boot()
    assert machine.read("/opt/synced/file") == "synced\n"
    assert machine.sh("stat -c %a /opt/synced/file; ls -d /run/lost /tmp/lost 2> /dev/null || true") == "750\n"


def test_power_cut_sends_no_signal(machine):
    """No process receives a signal or writes anything."""
    machine.write("/opt/on-stop.sh", "trap 'touch /opt/signalled' TERM EXIT; touch /run/began; sleep infinity & wait")
    machine.run("systemd-run", "--unit=on-stop", "sh", "/opt/on-stop.sh")
    machine.sh("until [ -e /run/began ]; do sleep 0.01; done", timeout=20)
    machine.cut_power()
    assert not (machine.disk.root / "opt/signalled").exists()
    machine.boot()


def test_shutdown_stops_units_with_a_signal(machine):
    """A clean shutdown stops units with TERM."""
    machine.write("/opt/on-stop.sh", "trap 'touch /opt/signalled' TERM; touch /run/began; sleep infinity & wait")
    machine.run("systemd-run", "--unit=on-stop", "sh", "/opt/on-stop.sh")
    machine.sh("until [ -e /run/began ]; do sleep 0.01; done", timeout=20)
    machine.shut_down()
    assert (machine.disk.root / "opt/signalled").exists()
    machine.boot()


def test_machine_runs_a_transient_unit(machine):
    """``systemd-run`` works; the exit code is returned, and the output is in the journal."""
    done = machine.run("systemd-run", "--wait", "--unit=printed", "sh", "-c", "echo printed; exit 7", check=False)
    assert done.returncode == 7, done.stderr
    machine.run("journalctl", "--sync")
    assert "printed\n" in machine.journal("printed.service")


def test_machine_enforces_the_sandbox_of_a_unit(machine):
    """A sandboxed unit cannot write outside of its writable paths."""
    hardened = [
        *("ProtectSystem=strict", "ReadWritePaths=/opt", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"),
        *("NoNewPrivileges=yes", "CapabilityBoundingSet=", "RestrictNamespaces=yes", "PrivateNetwork=yes"),
        *("ProtectKernelTunables=yes", "ProtectControlGroups=yes", "SystemCallFilter=@system-service"),
    ]
    run = ["systemd-run", "--wait", "--pipe", *(f"--property={line}" for line in hardened), "sh", "-euc"]
    machine.run(*run, "touch /opt/allowed")
    denied = machine.run(*run, "touch /etc/denied", check=False)
    assert denied.returncode == 1
    assert "Read-only file system" in denied.stderr


def test_disk_of_a_machine_can_be_full(machine):
    """A test can fill the disk to its last byte."""
    machine.disk.resize("300m")
    full = machine.run("sh", "-c", "cat /dev/zero > /opt/filler", check=False)
    assert "No space left on device" in full.stderr
    assert (machine.disk.root / "opt/filler").stat().st_size < 300 << 20
    machine.run("rm", "/opt/filler")
    machine.disk.resize("50%")


def test_machine_has_a_clean_environment(machine):
    """Programs have a clean environment, an empty standard input, and / as working directory."""
    assert machine.sh("env | sort | sed 's/=.*//'; cat").split() == ["HOME", "LANG", "PATH", "PWD"]
    assert machine.run("pwd").stdout == "/\n"


def test_machine_hides_an_installation_of_the_outer_host(machine):
    """No file of an installation on the outer machine is visible."""
    assert machine.sh("ls -d /opt/dunebugger /etc/dunebugger /var/dunebugger 2> /dev/null || true") == ""


def test_machine_sees_the_checkout_read_only(machine):
    """The installation source is read-only."""
    assert machine.read(f"{CHECKOUT}/pyproject.toml") == (REPOSITORY / "pyproject.toml").read_text()
    assert machine.run("touch", f"{CHECKOUT}/new", check=False).returncode != 0


def test_program_beyond_its_timeout_fails_the_test(machine):
    """The program is killed with its child processes."""
    with pytest.raises(AssertionError, match=r"has not ended in 0\.3 s"):
        machine.run("sh", "-c", "sleep 4321; true", timeout=0.3)
    assert machine.run("pgrep", "-f", "sleep 432[1]", check=False).returncode == 1


@pytest.mark.parametrize("end", ["closed", "systemd-nspawn killed"])
def test_closed_machine_leaves_no_traces(new_machine, end):
    """No mount, file, control group or process is left."""
    made = new_machine()
    made.boot()
    folder, leader, groups, root = made.disk.folder, made.leader, made.groups, made.disk.root.stat()
    assert leader in made.pids()
    if end != "closed":
        made._nspawn.kill()
        made._nspawn.wait()
    made.close()
    assert list(folder.iterdir()) == []
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    assert not any(group.exists() for group in groups)
    leftovers = {made.name, f"inode-{root.st_dev}:{root.st_ino}"}
    assert not [path for path in Path("/run/systemd/nspawn").rglob("*") if path.name in leftovers]


_KILLED_TESTS = """
import os, sys
from pathlib import Path
from disk import unshare_mounts
from machine import Machine
unshare_mounts()
made = Machine(Path(sys.argv[1]))
made.boot()
print(made.name, flush=True)
os.kill(os.getpid(), 9)
"""


def test_machine_ends_with_killed_tests(tmp_path):
    """The machine of a killed test run has no running process and no mount."""
    run = [sys.executable, "-c", _KILLED_TESTS, str(tmp_path)]
    name = subprocess.run(run, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True).stdout.strip()
    ControlGroup(name).remove()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_machine_that_cannot_boot_reports_the_cause(new_machine):
    """The error names the missing bind source, and the closed machine leaves no file."""
    made = new_machine(binds={Path("/nonexistent"): "/mnt/nonexistent"})
    with pytest.raises(AssertionError, match=r"(?s)cannot boot .*nonexistent"):
        made.boot()
    made.close()
    assert list(made.disk.folder.iterdir()) == []


def test_machines_are_isolated_from_each_other(new_machine, machine):
    """Each has its own processes, disk and machine id."""
    other = new_machine()
    other.boot()
    other.write("/opt/of-the-other", "")
    machine.cut_power()
    machine.boot()
    assert other.run("systemctl", "is-system-running", check=False).stdout == "running\n"
    assert not machine.sh("ls /opt").count("of-the-other")
    assert machine.read("/etc/machine-id") != other.read("/etc/machine-id")


def test_machine_write_keeps_the_mode_of_an_existing_folder(machine):
    """``write`` creates missing folders and does not change existing ones."""
    machine.run("install", "-d", "-m", "700", "/opt/closed")
    machine.write("/opt/closed/file", b"\xff", 0o600)
    assert stat.S_IMODE((machine.disk.root / "opt/closed").stat().st_mode) == 0o700
    assert (machine.disk.root / "opt/closed/file").read_bytes() == b"\xff"
