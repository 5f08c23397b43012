"""The disk of a machine, which survives power cuts."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from tests.support.polling import wait_until

_CLONE_NEWNS = 0x00020000  # <linux/sched.h>
_REMEDY = "run the system tests as root, and in a container with --privileged"

DOCKER = "/var/lib/docker"

# Files of installations and services on the outer machine, which a fresh host does not have. Without them a machine
# starts only the services of plain Debian and the services enabled below.
_NOT_ON_A_FRESH_HOST = (
    "opt/dunebugger",
    "etc/dunebugger",
    "var/dunebugger",
    "var/lib/dunebugger",
    "var/log/dunebugger",
    "etc/sysusers.d/dunebugger.conf",
    "etc/tmpfiles.d/dunebugger.conf",
    "etc/systemd/system",
    "etc/fstab",
    "etc/docker",
    "var/lib/containerd",
    "var/log/journal",
    *(f"etc/rc{level}.d" for level in "0123456S"),
)
_ENABLED = ("docker.service", "docker.socket", "containerd.service")
_MASKED = ("getty.target", "systemd-tmpfiles-clean.timer", "systemd-networkd.service", "systemd-timesyncd.service")

# No bridge and no firewall rules, because the machine shares the outer network: containers run with network_mode host.
# One download attempt, because dockerd otherwise makes five with pauses of up to a minute.
_DAEMON = """\
{
  "iptables": false, "ip6tables": false, "bridge": "none", "ip-forward": false,
  "storage-driver": "overlay2", "max-download-attempts": 1
}
"""


class Disk:
    """A root file system that starts as a copy of /, or of another unmounted disk.

    It is in a tmpfs: the upper folder of an overlay must not be on an overlay, and in many containers / is an overlay.
    """

    def __init__(self, folder: Path, stock: Disk | None = None) -> None:
        """Create the disk, and mount it under ``folder``.

        Args:
            folder: a new folder; ``remove`` leaves it empty.
            stock: the disk to copy. Its root must stay unmounted, and it must exist as long as this disk.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root = folder / "root"
        self.docker = folder / "docker"
        self.upper = folder / "upper"
        _mount("-t", "tmpfs", "-o", "mode=755", "none", str(folder))
        try:
            for made in (self.root, self.upper, folder / "work"):
                made.mkdir(mode=0o755)
            if stock is None:
                self._hide_local_programs()
            self._lower = "/" if stock is None else f"{stock.upper}:{stock._lower}"
            self.mount()
            if stock is None:
                self.docker.mkdir(mode=0o710)
                self._remove_host_files()
            else:
                subprocess.run(["cp", "-a", "--reflink=auto", str(stock.docker), str(folder)], check=True)
            self._set_machine_id()
        except BaseException:
            self.remove()
            raise

    def mount(self) -> None:
        """Mount the root."""
        layers = f"lowerdir={self._lower},upperdir={self.upper},workdir={self.folder / 'work'}"
        _mount("-t", "overlay", "-o", layers, "overlay", str(self.root))

    def resize(self, size: str) -> None:
        """Set the size, such as ``500m``; at least the used space."""
        _mount("-o", f"remount,size={size}", str(self.folder))

    def unmount(self) -> None:
        """Unmount the root, with retries, because an exiting process may still use it."""
        if os.path.ismount(self.root):
            wait_until(
                lambda: subprocess.run(["umount", str(self.root)], capture_output=True).returncode == 0, "umount"
            )

    def remove(self) -> None:
        """Remove the disk with its content."""
        self.unmount()
        wait_until(lambda: subprocess.run(["umount", str(self.folder)], capture_output=True).returncode == 0, "umount")

    def _hide_local_programs(self) -> None:
        """Hide /usr/local: a fresh host has Debian's python3 and docker, not those of the outer machine's PATH."""
        local = self.upper / "usr/local"
        local.mkdir(parents=True, mode=0o755)
        os.setxattr(local, "trusted.overlay.opaque", b"y")
        for name in ("bin", "sbin", "lib", "share"):
            (local / name).mkdir(mode=0o755)

    def _remove_host_files(self) -> None:
        for name in _NOT_ON_A_FRESH_HOST:
            found = self.root / name
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)
        for name in ("etc/systemd/system", "etc/docker", "var/log/journal"):
            (self.root / name).mkdir(mode=0o755)
        for unit in (self.root / "lib/systemd/system").glob("dunebugger*"):
            unit.unlink()
        (self.root / "etc/hostname").write_text("dunebugger\n")
        (self.root / "etc/docker/daemon.json").write_text(_DAEMON)
        for verb, units in (("enable", _ENABLED), ("mask", _MASKED)):
            subprocess.run(["systemctl", "--quiet", f"--root={self.root}", verb, *units], check=True)

    def _set_machine_id(self) -> None:
        """Set a new machine id: two machines with the same id would write into one journal."""
        (self.root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")


def unshare_mounts() -> None:
    """Give this thread a private mount namespace: its mounts disappear when the tests end, even when killed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise AssertionError(f"cannot create a mount namespace: {os.strerror(ctypes.get_errno())}; {_REMEDY}")
    _mount("--make-rprivate", "/")


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"cannot mount {arguments[-1]}: {done.stderr.strip()}; {_REMEDY}"
