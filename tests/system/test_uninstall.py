"""install.sh --uninstall: what it leaves, what it keeps, and when it refuses."""

from __future__ import annotations

import pytest
from installed_host import CONFIGURATION, STATE, UNIT, InstalledHost

# Written by every change of a group, whoever makes it; what they say is compared by itself.
_GROUPS = {"/etc/group", "/etc/gshadow", "/etc/group-", "/etc/gshadow-", "/etc/.pwd.lock"}


@pytest.fixture(scope="module")
def bare_machine(make_machine, wheelhouse):
    """A machine that has never seen the coordinator, with a checkout."""
    machine = make_machine()
    machine.boot()
    yield machine
    machine.close()


@pytest.fixture
def host(bare_machine):
    """A host with the coordinator, and how its disk looked before."""
    host = InstalledHost(bare_machine)
    host.checkout()
    host.sh("rm -rf /var/lib/dunebugger")
    host.before = host.changed_files()
    host.groups = host.sh("cat /etc/group /etc/gshadow")
    host.install()
    assert host.answers()
    return host


def left(host):
    """The paths that are there now, and were not before."""
    now = host.changed_files()
    assert set(host.before) - set(now) == set()
    return {path for path in now if now[path] != host.before.get(path)} - _GROUPS


def test_uninstall_leaves_only_the_journal(host):
    """Every path on the disk is as before; and saying it again changes nothing."""
    host.install("--uninstall")
    found = left(host)
    assert f"{STATE}/journal.db" in found
    assert {path for path in found if not path.startswith(STATE)} <= {"/var/lib/dunebugger"}
    assert host.sh("cat /etc/group /etc/gshadow") == host.groups
    assert host.sh(f"systemctl list-units --all --plain --no-legend '{UNIT}*'") == ""
    host.install("--uninstall")
    assert left(host) == found


def test_purge_removes_the_journal(host):
    """Then there is no trace at all."""
    host.install("--uninstall", "--purge")
    assert left(host) == set()


def test_uninstall_keeps_and_lists_files_of_the_operator(host):
    """Changed scripts, the compose file, core's releases and the components' backups."""
    kept = [
        "/opt/dunebugger/remote/update.sh",
        "/opt/dunebugger/docker-compose.yml",
        "/opt/dunebugger/remote/backups/r-1/file",
        "/opt/dunebugger/core/releases/1.2.3/file",
    ]
    for path in kept:
        host.machine.write(path, "mine\n", 0o755)
    said = host.install("--uninstall", "--purge").stdout
    for path in kept:
        assert host.machine.read(path) == "mine\n"
        assert path.removesuffix("/r-1/file").removesuffix("/1.2.3/file") in said
    assert "/opt/dunebugger/remote/rollback.sh" not in left(host)
    host.sh("rm -rf /opt/dunebugger")


def test_uninstall_keeps_and_lists_configured_folders(host):
    """What the configuration had elsewhere is not ours to remove."""
    host.sh(f"mkdir /srv/requests; printf '[paths]\\nrequests = \"/srv/requests\"\\n' >> {CONFIGURATION}")
    assert "/srv/requests: configured as paths.requests" in host.install("--uninstall", "--purge").stdout
    host.sh("rmdir /srv/requests")
    assert left(host) == set()


def test_uninstall_is_refused_while_a_script_runs(host):
    """It refuses, names the unit, and leaves the service running."""
    host.sh("systemd-run --quiet --unit=dunebugger-request-r-1-1 sleep 300")
    pid = host.main_pid()
    done = host.install("--uninstall", check=False)
    assert done.returncode == 1
    assert "a script is running (dunebugger-request-r-1-1.service); wait until it has ended" in done.stderr
    assert host.main_pid() == pid
    host.sh("systemctl stop dunebugger-request-r-1-1")
    host.install("--uninstall", "--purge")
    assert left(host) == set()


def test_interrupted_uninstall_is_completed_by_a_second_run(host):
    """Wherever it came."""
    machine = host.machine
    machine.sh("systemd-run --unit=removal /root/present/packaging/install.sh --uninstall --purge")
    machine.sh("while [ -e /etc/tmpfiles.d/dunebugger.conf ]; do sleep 0.001; done", timeout=60)
    machine.cut_power()
    machine.boot()
    host.install("--uninstall", "--purge")
    assert left(host) == set()
