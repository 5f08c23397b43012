"""install.sh on a fresh host."""

from __future__ import annotations

import os
import re

import pytest
from compose import Compose
from installed_host import (
    COMMAND,
    CONFIGURATION,
    HOME,
    PRESENT,
    REQUESTS,
    STATE,
    STATUS,
    UNIT,
    WHEELHOUSE,
    InstalledHost,
)
from machine import CHECKOUT

_MEMBER = ("setpriv", "--reuid=10001", "--regid=10001")


@pytest.fixture(scope="module")
def installed(make_machine, wheelhouse):
    """A host with the coordinator, installed without network; ``output`` is the output of the installation."""
    machine = make_machine()
    machine.boot()
    host = InstalledHost(machine)
    host.checkout()
    host.output = host.install().stdout
    yield host
    machine.close()


@pytest.fixture(scope="module")
def bare(make_machine, wheelhouse):
    """A host without the coordinator; each test restores its state."""
    machine = make_machine()
    machine.boot()
    host = InstalledHost(machine)
    host.checkout()
    yield host
    machine.close()


def as_member(host, *command, check=True):
    """Run a command as a container's user, which has no account on the host and is in the group."""
    group = host.sh("getent group dunebugger | cut -d: -f3").strip()
    return host.machine.run(*_MEMBER, f"--groups={group}", *command, check=check)


def test_install_starts_a_working_service(installed):
    """The service is enabled, active and working; findings about components do not fail the installation."""
    assert installed.is_active()
    assert installed.sh(f"systemctl is-enabled {UNIT}") == "enabled\n"
    assert installed.answers()
    assert installed.release() == "1.0.0"
    assert "problem(s) found" in installed.output
    assert "is installed and active" in installed.output
    assert "group_add" in installed.output


def test_installed_library_has_a_copy_of_the_version_rule(installed):
    """A checkout has a link to protocol/version.py; a release has a copy, because the target is not next to share/."""
    rule = f"{HOME}/current/share/library/version.py"
    assert installed.sh(f"test ! -L {rule}; python3 -I {rule} v1.2.3") == "1.2.3\n"


def test_second_install_changes_nothing(installed):
    """No file changes, and the service is not restarted."""
    list_files = f"find {HOME} /opt/dunebugger /etc /usr/local -printf '%p %i %T@ %m\\n' | sort"
    before, pid = installed.sh(list_files), installed.main_pid()
    installed.install()
    assert installed.sh(list_files) == before
    assert installed.main_pid() == pid


def test_second_install_restores_missing_files(installed):
    """Missing files are restored; the service is restarted, because its unit was missing."""
    missing = ("/opt/dunebugger/core/update.sh", f"/etc/systemd/system/{UNIT}.service", COMMAND, STATUS)
    pid = installed.main_pid()
    installed.sh(f"rm -rf {' '.join(missing)}")
    installed.install()
    installed.sh("".join(f"test -e {path};" for path in missing))
    assert installed.main_pid() != pid
    assert installed.answers()


def test_installed_folders_have_minimal_permissions(installed):
    """Modes and owners are as documented."""
    paths = (REQUESTS, STATUS, "/var/dunebugger/updates", STATE, "/opt/dunebugger/core/update.sh", HOME, CONFIGURATION)
    assert installed.sh(f"stat -c '%a %U:%G' {' '.join(paths)}").splitlines() == [
        "1770 root:dunebugger",
        "770 root:dunebugger",
        "755 root:root",
        "700 root:root",
        "755 root:root",
        "755 root:root",
        "644 root:root",
    ]


def test_group_member_writes_a_request_and_takes_the_answer(installed):
    """A member writes the request with cat, then reads and deletes the answer."""
    request = '{"component":"remote","action":"health","request_id":"test-123","timestamp":"2026-01-16T10:30:00Z"}'
    submit = f"cat > {REQUESTS}/test-123.json; until [ -e {STATUS}/test-123.json ]; do sleep 0.1; done"
    group = installed.sh("getent group dunebugger | cut -d: -f3").strip()
    installed.machine.run(*_MEMBER, f"--groups={group}", "sh", "-euc", submit, input=request)
    assert '"success":true' in as_member(installed, "cat", f"{STATUS}/test-123.json").stdout
    as_member(installed, "rm", f"{STATUS}/test-123.json")
    assert "test-123.json" not in installed.sh(f"ls {STATUS}")


@pytest.mark.parametrize(
    "attempt",
    [
        f"ls {STATE}",
        f"cat {STATE}/journal.db",
        "touch /var/dunebugger/updates/new",
        f"mv {REQUESTS} /var/dunebugger/updates/other",
        f"rm -f {REQUESTS}/anothers",
        f"echo > {STATUS}/.coordinator",
        "touch /opt/dunebugger/remote/update.sh /opt/dunebugger/remote/new",
        f"echo >> {CONFIGURATION}",
        "cat /var/log/dunebugger/update-coordinator.log",
        f"touch {HOME}/new",
    ],
)
def test_group_member_has_no_other_permission(installed, attempt):
    """A member has no access outside the two folders, and none to files of other users in them."""
    installed.sh(f"touch {REQUESTS}/anothers {STATUS}/.coordinator; chown 10002 {REQUESTS}/anothers")
    assert as_member(installed, "sh", "-c", attempt, check=False).returncode != 0


def test_other_users_have_no_access(installed):
    """Other users can neither write a request nor list the answers."""
    for attempt in (f"touch {REQUESTS}/x.json", f"ls {REQUESTS}", f"ls {STATUS}"):
        command = (*_MEMBER, "--clear-groups", "sh", "-c", attempt)
        assert installed.machine.run(*command, check=False).returncode != 0


def test_service_status_shows_the_state(installed):
    """``systemctl status`` shows the current work, and the log has no access denied by the sandbox."""
    assert 'Status: "waiting for requests"' in installed.sh(f"systemctl status {UNIT}")
    log = installed.sh(f"journalctl --unit {UNIT} --output cat")
    assert not re.search(r"not permitted|Permission denied|Read-only file system|Traceback", log)


def test_sh_executor_drop_in_lifts_the_sandbox(installed):
    """With the drop-in, scripts can write everywhere and use the network."""
    script = "#!/bin/sh\ntouch /opt/written /usr/written /root/written && exec grep -q : /proc/net/dev\n"
    drop_in = f"/etc/systemd/system/{UNIT}.service.d/sh-executor.conf"
    installed.sh(f"cp {CONFIGURATION} /tmp/kept; cp -p /opt/dunebugger/core/health-check.sh /tmp/script")
    installed.machine.write("/opt/dunebugger/core/health-check.sh", script, 0o755)
    installed.machine.write(CONFIGURATION, '[execution]\nexecutor = "sh"\n')
    installed.sh(f"systemctl restart {UNIT}")
    assert not installed.answers("core")
    installed.sh(f"install -D -m 644 {HOME}/current/share/sh-executor.conf {drop_in}; systemctl daemon-reload")
    installed.sh(f"systemctl restart {UNIT}")
    assert installed.answers("core")
    installed.sh(f"rm {drop_in}; cp /tmp/kept {CONFIGURATION}; systemctl daemon-reload; systemctl restart {UNIT}")
    installed.sh("cp -p /tmp/script /opt/dunebugger/core/health-check.sh; rm /opt/written /usr/written /root/written")


def test_compose_example_is_valid_and_unprivileged(installed):
    """The example has no root user, capability, moving tag, or mount of the parent folder."""
    example = f"{HOME}/current/share/docker-compose.yml"
    shown = installed.sh(f"docker-compose -f {example} config")
    assert shown.count("read_only: true") == shown.count("no-new-privileges:true") == shown.count("- ALL") == 2
    assert "latest" not in shown
    assert set(re.findall(r"/var/dunebugger/[^\s:]+", shown)) == {REQUESTS, STATUS}
    Compose.plugin()
    installed.sh(f"DOCKER_CONFIG={CHECKOUT}/dist/compose-plugin docker compose -f {example} config --quiet")


_SITECUSTOMIZE = "mkdir /tmp/fake; echo 'import sys; {}' > /tmp/fake/sitecustomize.py; export PYTHONPATH=/tmp/fake"
_FAILED_PRECONDITIONS = [
    ("export PYTHON=/nowhere/python3", "does not run; run: apt-get install python3 python3-venv"),
    (_SITECUSTOMIZE.format("sys.version_info = (3, 9, 2)"), "is Python 3.9, and 3.11 is needed; upgrade the host"),
    (
        _SITECUSTOMIZE.format('sys.modules["ensurepip"] = None'),
        "lacks venv or ensurepip; run: apt-get install python3-venv",
    ),
    ("mount -t tmpfs none /run/systemd", "systemd does not run this host"),
    ("echo ID=fedora > /tmp/fake; mount --bind /tmp/fake /etc/os-release", "this host is not Debian"),
    ("mount -t tmpfs -o size=10m none /opt", "MB free, and 300 are needed; free space there"),
    (f"rm {PRESENT}/LICENSE", "LICENSE is missing; run packaging/install.sh of a complete checkout"),
    ('chmod 711 /root; set -- setpriv --reuid=10001 --clear-groups "$@"', "this command needs root; run: sudo"),
    ('set -- "$1" --wheelhouse /tmp', "it contains no wheel; fill it on a machine with network: make wheelhouse"),
    ('set -- "$1" --upgrade', "no update coordinator is installed here; run: sudo"),
    ('set -- "$1" --purge', "--purge needs --uninstall; see --help"),
    ('set -- "$1" --frobnicate', "unknown option --frobnicate; see --help"),
]


@pytest.mark.parametrize(
    ("first", "message"), _FAILED_PRECONDITIONS, ids=[message[:40] for _, message in _FAILED_PRECONDITIONS]
)
def test_failed_precondition_names_the_remedy(bare, first, message):
    """The error is a line that starts with "cannot", and the host is unchanged."""
    before = bare.changed_files()
    done = bare.install(check=False, first=first)
    bare.checkout()
    bare.sh("rm -rf /tmp/fake")
    assert done.returncode in {1, 2}
    assert done.stderr.startswith("cannot ")
    assert message in done.stderr
    assert bare.changed_files() == before


def test_install_without_options_uses_the_package_index(bare):
    """The documented command works, and the uninstall needs no checkout."""
    index = {name: value for name, value in os.environ.items() if re.match("pip_|https?_proxy|ssl_cert", name.lower())}
    bare.machine.run(f"{PRESENT}/packaging/install.sh", timeout=500, env=index)
    assert bare.is_active()
    assert bare.answers()
    bare.machine.run(f"{HOME}/current/share/install.sh", "--uninstall", "--purge")
    bare.sh(f"test ! -e {HOME} -a ! -e {COMMAND} -a ! -e {STATE} -a ! -e {CONFIGURATION}")


def test_failed_build_leaves_no_files(bare):
    """A package with a wrong hash fails the build, and the release folder is removed."""
    before = bare.changed_files()
    done = bare.install(check=False, first=f"sed -i 's/sha256:./sha256:z/' {PRESENT}/requirements.lock")
    bare.checkout()
    assert done.returncode == 1
    assert "cannot build release 1.0.0: pip could not install requirements.lock" in done.stderr
    assert "make wheelhouse" in done.stderr.splitlines()[-1]
    bare.sh(f"rmdir {HOME}/releases {HOME} /opt/dunebugger")
    assert bare.changed_files() == before


def test_concurrent_installation_is_rejected(bare):
    """Two installations would write into the same folders."""
    done = bare.install(check=False, first="exec 7> /run/dunebugger-install.lock; flock 7")
    assert done.returncode == 1
    assert done.stderr == "cannot continue: another install.sh is running; wait until it has ended\n"


@pytest.mark.parametrize("made", [f"{HOME}/releases/1.0.0/bin/pip", "/etc/tmpfiles.d/dunebugger.conf"])
def test_interrupted_install_is_completed_by_a_second_run(new_machine, wheelhouse, made):
    """A second run completes an installation after a power cut during the build or the copy of host files."""
    machine = new_machine()
    machine.boot()
    host = InstalledHost(machine)
    host.checkout()
    machine.sh(f"systemd-run --unit=installation {PRESENT}/packaging/install.sh --wheelhouse {WHEELHOUSE}")
    machine.sh(f"until [ -e {made} ]; do sleep 0.01; done", timeout=60)
    machine.cut_power()
    machine.boot()
    host.install()
    assert host.is_active()
    assert host.answers()
    assert host.releases() == ["1.0.0"]
