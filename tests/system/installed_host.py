"""A machine with the coordinator, installed from a checkout with the operator's commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from machine import CHECKOUT, Machine

UNIT = "dunebugger-update-coordinator"
HOME = "/opt/dunebugger/update-coordinator"
CONFIGURATION = "/etc/dunebugger/update-coordinator.toml"
STATE = "/var/lib/dunebugger/update-coordinator"
REQUESTS = "/var/dunebugger/updates/requests"
STATUS = "/var/dunebugger/updates/status"
COMMAND = "/usr/local/bin/update-coordinator"
WHEELHOUSE = f"{CHECKOUT}/dist/wheelhouse"
PRESENT = "/root/present"  # the checkout of the first installation
NEXT = "/root/next"  # the checkout of an upgrade

_SYSTEM_FOLDERS = {"/proc", "/sys", "/dev", "/run", "/tmp", "/root", "/mnt", "/var/tmp", "/var/log/journal"} | {
    f"/var/lib/{name}" for name in ("docker", "containerd", "systemd")
}
_SOURCES = (
    "pyproject.toml requirements.lock README.md LICENSE protocol policy fsm executors coordinator remote packaging"
)
_COPY = f"""
rm -rf "$1"; mkdir -p "$1"
cd {CHECKOUT}; tar -c --exclude=__pycache__ {_SOURCES} | tar -x --no-same-owner -C "$1"
chmod -R u=rwX,go=rX "$1"  # independent of the checkout's umask: tests also start the installer as another user
sed -i "s/^version = .*/version = \\"$2\\"/" "$1/pyproject.toml"
for component in core scheduler remote; do
    folder=$1/packaging/component-scripts/$component
    rm -rf "$folder"; mkdir -p "$folder"
    for script in update rollback health-check; do
        printf '#!/bin/sh\\necho %s of $UPDATE_COMPONENT\\n' $script > "$folder/$script.sh"
        chmod 755 "$folder/$script.sh"
    done
    echo "COMPONENT=$component" > "$folder/component.env"
done
"""


class InstalledHost:
    """Operator commands on a machine; installs without network, from a wheelhouse."""

    def __init__(self, machine: Machine) -> None:
        """Use a running machine."""
        self.machine = machine
        self.sh = machine.sh

    def checkout(self, folder: str = PRESENT, version: str = "1.0.0") -> None:
        """Copy this project to ``folder`` with minimal component scripts."""
        self.machine.run("sh", "-euc", _COPY, "sh", folder, version)

    def install(
        self, *options: str, checkout: str = PRESENT, check: bool = True, first: str = ":"
    ) -> subprocess.CompletedProcess[str]:
        """Run ``packaging/install.sh`` after the shell script ``first``, in separate network and mount namespaces."""
        script = f'{first}; exec "$@"'
        unshared = ("unshare", "--net", "--mount", "bash", "-euc", script, "bash")
        command = (*unshared, f"{checkout}/packaging/install.sh", "--wheelhouse", WHEELHOUSE, *options)
        return self.machine.run(*command, check=check, timeout=280)

    def release(self) -> str:
        """The name of the release that the service runs."""
        return self.sh(f"basename $(readlink -f {HOME}/current)").strip()

    def releases(self) -> list[str]:
        """The names of all installed releases."""
        return self.sh(f"ls {HOME}/releases").split()

    def is_active(self) -> bool:
        """Return whether the service is active."""
        return self.machine.run("systemctl", "is-active", UNIT, check=False).stdout == "active\n"

    def main_pid(self) -> str:
        """The main process id of the service."""
        return self.sh(f"systemctl show --property MainPID --value {UNIT}").strip()

    def start_command(self) -> str:
        """The command line of the running ExecStartPre process; empty if none is running."""
        control = f"/proc/$(systemctl show --property ControlPID --value {UNIT})/cmdline"
        return self.sh(f"cat {control} 2> /dev/null | tr '\\0' ' '").strip()

    def answers(self, component: str = "remote") -> bool:
        """Return whether a health request for ``component`` succeeds."""
        command = (COMMAND, "submit", component, "health", "--wait", "--timeout", "30")
        return self.machine.run(*command, check=False).returncode == 0

    def journal_ids(self) -> list[str]:
        """The ids of all requests in the journal."""
        history = self.sh(f"{COMMAND} history --limit 1000 --json")
        return self.machine.run(
            "python3", "-c", "import json, sys; print(*(r['request_id'] for r in json.load(sys.stdin)))", input=history
        ).stdout.split()

    def changed_files(self) -> dict[str, str]:
        """Mode, owner and link target of each path that a fresh host does not have, without files of the system."""
        upper, lower = self.machine.disk.upper, self.machine.disk._lower.split(":")
        found = {}
        for folder, folders, files in os.walk(upper):
            parent = f"/{Path(folder).relative_to(upper)}/".replace("/./", "/")
            folders[:] = [name for name in folders if f"{parent}{name}" not in _SYSTEM_FOLDERS]
            for name in folders + files:
                path = Path(folder, name)
                if name in files or not any(Path(f"{layer}{parent}{name}").is_dir() for layer in lower):
                    info = path.lstat()
                    target = path.readlink() if path.is_symlink() else ""
                    found[f"{parent}{name}"] = f"{info.st_mode:o} {info.st_uid}:{info.st_gid} {target}"
        return found
