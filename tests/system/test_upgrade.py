"""install.sh --upgrade: kept files, and rollback to the previous release after a failure."""

from __future__ import annotations

import pytest
from installed_host import COMMAND, CONFIGURATION, HOME, NEXT, REQUESTS, STATE, STATUS, WHEELHOUSE, InstalledHost

_SCHEMA = f"{NEXT}/fsm/schema.py"
_ADD_MIGRATION = (
    f"sed -i '0,/^)/s/^)/    \"0900_next.sql\",\\n)/' {_SCHEMA}; grep -q 0900_next {_SCHEMA}"
    f"; echo '{{}}' > {NEXT}/fsm/migrations/0900_next.sql"
)
_MIGRATE = _ADD_MIGRATION.format("CREATE TABLE later (number INTEGER);")
# Faults of the new release that occur only in the service, which has a NOTIFY_SOCKET, not in the installer's commands.
_IN_SERVICE = (
    "printf '%s\\n' 'import os, sys, threading' 'if \"NOTIFY_SOCKET\" in os.environ: {}' "
    f">> {NEXT}/coordinator/__init__.py"
)
_EXITS_AT_START = _IN_SERVICE.format("sys.exit(1)")
_EXITS_LATER = _IN_SERVICE.format("threading.Timer(2.5, os._exit, (1,)).start()")
_DAEMON = f"{NEXT}/coordinator/daemon.py"
_EXITS_AFTER_MIGRATION = (
    f"sed -i 's/^        self._handle_signals()/        raise OSError(5, \"injected\")/' {_DAEMON}"
    f"; grep -q injected {_DAEMON}"
)
_REQUEST = (
    '{"component":"remote","action":"%s","version":"1.2.3","request_id":"%s","timestamp":"2026-01-16T10:30:00Z"}\n'
)

_WAITING_SCRIPT = """#!/bin/bash
trap 'exit 7' TERM
sleep 600 &
touch /root/waits
wait
"""


@pytest.fixture(scope="module")
def disk_with_coordinator(make_machine, wheelhouse):
    """The disk of a host with release 1.0.0 and one answered request."""
    machine = make_machine()
    machine.boot()
    host = InstalledHost(machine)
    host.checkout()
    host.install()
    assert host.answers()
    machine.shut_down()
    machine.disk.unmount()
    yield machine.disk
    machine.close()


@pytest.fixture
def host(new_machine, disk_with_coordinator):
    """A host with release 1.0.0, and a checkout of 2.0.0."""
    machine = new_machine(stock=disk_with_coordinator)
    machine.boot()
    host = InstalledHost(machine)
    host.checkout(NEXT, "2.0.0")
    assert host.is_active()
    return host


def test_upgrade_keeps_configuration_and_journal(host):
    """The previous release is kept; older releases are removed unless one of their scripts is still running.

    Such a script, stopped two upgrades later, still receives TERM and time to clean up, and its exit code is recorded.
    """
    host.sh(f"echo '# mine' >> {CONFIGURATION}")
    configuration, ids = host.machine.read(CONFIGURATION), host.journal_ids()
    assert ids
    host.machine.write("/opt/dunebugger/remote/update.sh", _WAITING_SCRIPT, 0o755)
    host.machine.write(f"{REQUESTS}/slow.json", _REQUEST % ("update", "slow"))
    host.sh("until [ -e /root/waits ]; do sleep 0.1; done")
    host.install("--upgrade", checkout=NEXT)
    assert host.release() == "2.0.0"
    assert host.machine.read(CONFIGURATION) == configuration
    assert set(ids) <= set(host.journal_ids())
    assert host.answers("core")
    assert host.releases() == ["1.0.0", "2.0.0"]
    host.checkout(NEXT, "3.0.0")
    output = host.install("--upgrade", checkout=NEXT).stdout
    assert "kept the old release 1.0.0: a script that it started is still running" in output
    assert host.releases() == ["1.0.0", "2.0.0", "3.0.0"]
    host.sh("systemctl stop 'dunebugger-request-slow-1-*'")
    host.sh(f"until [ -e {STATUS}/slow.json ]; do sleep 0.1; done")
    assert '"exit_code": 7' in host.sh(f"{COMMAND} explain --json slow")
    host.install("--upgrade", checkout=NEXT)
    assert host.releases() == ["2.0.0", "3.0.0"]


def test_upgrade_to_the_same_release_changes_nothing(host):
    """An upgrade to the installed release does not restart the service."""
    pid = host.main_pid()
    host.install("--upgrade")
    assert host.main_pid() == pid


def test_upgrade_to_a_changed_checkout_of_the_same_version_creates_a_release(host):
    """An installation reports the difference; an upgrade creates a separate release once."""
    host.checkout(NEXT, "1.0.0")
    host.sh(f"echo '# changed' >> {NEXT}/coordinator/app.py")
    done = host.install(checkout=NEXT, check=False)
    assert done.returncode == 1
    assert "this checkout differs from it; run: sudo" in done.stderr
    host.install("--upgrade", checkout=NEXT)
    assert host.release() == "1.0.0-2"
    host.install("--upgrade", checkout=NEXT)
    assert host.release() == "1.0.0-2"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            f"sed -i 's/sha256:./sha256:z/' {NEXT}/requirements.lock",
            "cannot build release 2.0.0: pip could not install",
        ),
        (f"echo nonsense >> {NEXT}/pyproject.toml", "cannot build release 2.0.0: pip could not build the project"),
        (f"echo nonsense >> {NEXT}/coordinator/cli.py", "cannot build release 2.0.0: the built command does not run"),
        (f"sed -i s/stop_timeout_s/patience_s/ {NEXT}/coordinator/settings.py", "unknown key execution.stop_timeout_s"),
        (_ADD_MIGRATION.format("DROP TABLE absent;"), "no such table: absent"),
    ],
    ids=["packages", "project", "command", "configuration", "journal"],
)
def test_upgrade_that_fails_its_preflight_does_not_affect_the_service(host, fault, message):
    """Build, configuration and journal are checked while the current release is running."""
    host.sh(f"echo 'stop_timeout_s = 30' >> {CONFIGURATION}; {fault}")
    pid, before = host.main_pid(), host.changed_files()
    done = host.install("--upgrade", checkout=NEXT, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert host.main_pid() == pid
    changed = {path for path, state in host.changed_files().items() if before.get(path) != state}
    assert {path for path in changed if not path.startswith((f"{HOME}/releases/2.0.0", STATE, "/var/log/"))} == set()
    assert host.answers()


@pytest.mark.parametrize(
    "fault", [_EXITS_AT_START, f"{_MIGRATE}; {_EXITS_AFTER_MIGRATION}", f"{_MIGRATE}; {_EXITS_LATER}"]
)
def test_upgrade_to_a_release_that_exits_is_rolled_back(host, fault):
    """The old release runs again with its files and its journal, also after a migration of the schema."""
    host.sh(f"{fault}; echo '# next' >> {NEXT}/packaging/tmpfiles.conf")
    ids, before = host.journal_ids(), host.changed_files()
    done = host.install("--upgrade", checkout=NEXT, check=False)
    assert done.returncode == 1
    assert "Release 1.0.0 runs again" in done.stderr
    assert host.release() == "1.0.0"
    assert host.is_active()
    assert host.journal_ids() == ids
    assert "# next" not in host.machine.read("/etc/tmpfiles.d/dunebugger.conf")
    assert host.sh(f"ls {HOME}").split() == ["current", "installed.sha256", "releases"]
    assert set(before) - set(host.changed_files()) <= {f"{STATE}/journal.db-wal", f"{STATE}/journal.db-shm"}
    assert host.answers()


def test_upgrade_rollback_never_replaces_a_journal_with_new_records(host):
    """The old journal lacks a script that ran; the new release stays if the old one cannot read the new journal."""
    host.sh(f"{_MIGRATE}; {_EXITS_LATER}; systemctl stop dunebugger-update-coordinator")
    host.machine.write(f"{REQUESTS}/early.json", _REQUEST % ("health", "early"))
    done = host.install("--upgrade", checkout=NEXT, check=False)
    assert done.returncode == 1
    assert "cannot roll back to release 1.0.0: release 2.0.0 has written to the journal" in done.stderr
    assert host.release() == "2.0.0"
    assert "early" in host.journal_ids()


def test_upgrade_keeps_changed_files_and_adds_new_ones_beside_them(host):
    """Changed files are treated like configuration files of dpkg: the new version gets the suffix .new."""
    remote = "/opt/dunebugger/remote"
    host.sh(f"echo IMAGE=mine > {remote}/component.env")
    for name in ("component.env", "update.sh"):
        host.sh(f"echo '# next' >> {NEXT}/packaging/component-scripts/remote/{name}")
    output = host.install("--upgrade", checkout=NEXT).stdout
    assert host.machine.read(f"{remote}/component.env") == "IMAGE=mine\n"
    assert host.machine.read(f"{remote}/component.env.new") == "COMPONENT=remote\n# next\n"
    assert "# next" in host.machine.read(f"{remote}/update.sh")
    assert f"kept {remote}/component.env, which you changed" in output
    host.sh(f"rm {remote}/component.env.new")
    host.install(checkout=NEXT)
    assert host.sh(f"ls {remote}").split() == ["component.env", "health-check.sh", "rollback.sh", "update.sh"]


@pytest.mark.parametrize(
    "moment",
    [
        f"[ -e {HOME}/releases/2.0.0/bin/pip ]",
        f"[ -e {HOME}/before-upgrade.part ]",
        f"[ -e {HOME}/before-upgrade ]",
        f'[ "$(readlink {HOME}/current)" = releases/2.0.0 ]',
        "grep -q next /etc/tmpfiles.d/dunebugger.conf",
    ],
)
def test_power_cut_during_an_upgrade_leaves_a_working_host(host, moment):
    """The host works with either release, and a second run of the command completes the upgrade."""
    ids = host.journal_ids()
    host.sh(f"echo '# next' >> {NEXT}/packaging/tmpfiles.conf; {_MIGRATE}")
    host.sh(f"systemd-run --unit=upgrade {NEXT}/packaging/install.sh --upgrade --wheelhouse {WHEELHOUSE}")
    host.sh(f"until {moment}; do :; done", timeout=60)
    host.machine.cut_power()
    host.machine.boot()
    assert host.is_active()
    assert host.answers()
    host.install("--upgrade", checkout=NEXT)
    assert host.release() == "2.0.0"
    assert set(ids) <= set(host.journal_ids())
    assert host.sh(f"ls {HOME}").split() == ["current", "installed.sha256", "previous", "releases"]
