"""install.sh --uninstall: leftovers, kept files, and rejection while a script runs."""

from __future__ import annotations

import pytest
from installed_host import CONFIGURATION, STATE, UNIT, InstalledHost

# Every change of a group rewrites these files, so the tests compare their content instead.
_GROUPS = {"/etc/group", "/etc/gshadow", "/etc/group-", "/etc/gshadow-", "/etc/.pwd.lock"}


@pytest.fixture(scope="module")
def bare_machine(make_machine, wheelhouse):
    """A fresh machine."""
    machine = make_machine()
    machine.boot()
    yield machine
    machine.close()


@pytest.fixture
def host(bare_machine):
    """A host with the coordinator, and its files before the installation."""
    host = InstalledHost(bare_machine)
    host.checkout()
    host.sh("rm -rf /var/lib/dunebugger")
    host.before = host.changed_files()
    host.groups = host.sh("cat /etc/group /etc/gshadow")
    host.install()
    assert host.answers()
    return host


def leftovers(host):
    """The paths that the uninstall did not remove."""
    now = host.changed_files()
    assert set(host.before) - set(now) == set()
    return {path for path in now if now[path] != host.before.get(path)} - _GROUPS


def test_uninstall_leaves_only_the_journal(host):
    """All other paths are as before the installation; a second uninstall changes nothing."""
    host.install("--uninstall")
    found = leftovers(host)
    assert f"{STATE}/journal.db" in found
    assert {path for path in found if not path.startswith(STATE)} <= {"/var/lib/dunebugger"}
    assert host.sh("cat /etc/group /etc/gshadow") == host.groups
    assert host.sh(f"systemctl list-units --all --plain --no-legend '{UNIT}*'") == ""
    host.install("--uninstall")
    assert leftovers(host) == found


def test_purge_removes_the_journal(host):
    """A purge leaves no path of the installation."""
    host.install("--uninstall", "--purge")
    assert leftovers(host) == set()


def test_uninstall_keeps_and_lists_files_of_the_operator(host):
    """Changed scripts, the compose file, core's releases and the backups are kept and listed."""
    kept = [
        "/opt/dunebugger/remote/update.sh",
        "/opt/dunebugger/docker-compose.yml",
        "/opt/dunebugger/remote/backups/r-1/file",
        "/opt/dunebugger/core/releases/1.2.3/file",
    ]
    for path in kept:
        host.machine.write(path, "mine\n", 0o755)
    output = host.install("--uninstall", "--purge").stdout
    for path in kept:
        assert host.machine.read(path) == "mine\n"
        assert path.removesuffix("/r-1/file").removesuffix("/1.2.3/file") in output
    assert "/opt/dunebugger/remote/rollback.sh" not in leftovers(host)
    host.sh("rm -rf /opt/dunebugger")


def test_uninstall_keeps_and_lists_configured_folders(host):
    """Folders outside of the default paths are kept."""
    host.sh(f"mkdir /srv/requests; printf '[paths]\\nrequests = \"/srv/requests\"\\n' >> {CONFIGURATION}")
    assert "/srv/requests: configured as paths.requests" in host.install("--uninstall", "--purge").stdout
    host.sh("rmdir /srv/requests")
    assert leftovers(host) == set()


def test_uninstall_is_rejected_while_a_script_runs(host):
    """The error names the unit, and the service keeps running."""
    host.sh("systemd-run --quiet --unit=dunebugger-request-r-1-1 sleep 300")
    pid = host.main_pid()
    done = host.install("--uninstall", check=False)
    assert done.returncode == 1
    assert "a script is running (dunebugger-request-r-1-1.service); wait until it has ended" in done.stderr
    assert host.main_pid() == pid
    host.sh("systemctl stop dunebugger-request-r-1-1")
    host.install("--uninstall", "--purge")
    assert leftovers(host) == set()


def test_interrupted_uninstall_is_completed_by_a_second_run(host):
    """A second run completes an uninstall after a power cut."""
    machine = host.machine
    machine.sh("systemd-run --unit=removal /root/present/packaging/install.sh --uninstall --purge")
    machine.sh("while [ -e /etc/tmpfiles.d/dunebugger.conf ]; do sleep 0.001; done", timeout=60)
    machine.cut_power()
    machine.boot()
    host.install("--uninstall", "--purge")
    assert leftovers(host) == set()
