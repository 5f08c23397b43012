"""The disk of a machine: what survives when its power is cut."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from polling import wait_until

_CLONE_NEWNS = 0x00020000  # <linux/sched.h>
_ALLOWED = "run the system tests as root, and in a container with --privileged"

DOCKER = "/var/lib/docker"

# What an installation or the services of the outer machine left, of which a fresh host knows nothing. Without its
# units, start scripts and file systems, a machine starts what Debian always starts, and what is enabled here.
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

# No bridge and no rules, for the machine has the network of the outer one: containers run with network_mode host, and
# nothing out there may change. One attempt at a download, for dockerd waits up to a minute between five of them.
_DAEMON = """\
{
  "iptables": false, "ip6tables": false, "bridge": "none", "ip-forward": false,
  "storage-driver": "overlay2", "max-download-attempts": 1
}
"""


class Disk:
    """A root that begins as a copy of /, or of another disk that is at rest.

    It lies in a tmpfs: an overlay takes no other overlay for its upper folder, and / is one in many containers.
    """

    def __init__(self, folder: Path, stock: Disk | None = None) -> None:
        """Mount it under ``folder``.

        Args:
            folder: a new one; empty again after ``remove``.
            stock: what it begins as. It must not be mounted as a root, and must be there for as long as this one.
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
                self._freshen()
            else:
                subprocess.run(["cp", "-a", "--reflink=auto", str(stock.docker), str(folder)], check=True)
            self._name()
        except BaseException:
            self.remove()
            raise

    def mount(self) -> None:
        """Put the root together."""
        layers = f"lowerdir={self._lower},upperdir={self.upper},workdir={self.folder / 'work'}"
        _mount("-t", "overlay", "-o", layers, "overlay", str(self.root))

    def resize(self, size: str) -> None:
        """Let it hold so much, such as ``500m``; no less than it holds already."""
        _mount("-o", f"remount,size={size}", str(self.folder))

    def unmount(self) -> None:
        """Take the root apart, so that the disk is at rest; what ends in this very moment may hold it for another."""
        if os.path.ismount(self.root):
            wait_until(
                lambda: subprocess.run(["umount", str(self.root)], capture_output=True).returncode == 0, "umount"
            )

    def remove(self) -> None:
        """Take it away with all it holds."""
        self.unmount()
        wait_until(lambda: subprocess.run(["umount", str(self.folder)], capture_output=True).returncode == 0, "umount")

    def _hide_local_programs(self) -> None:
        """A fresh host has Debian's python3 and docker, whatever lies before them in the outer machine's PATH."""
        local = self.upper / "usr/local"
        local.mkdir(parents=True, mode=0o755)
        os.setxattr(local, "trusted.overlay.opaque", b"y")
        for name in ("bin", "sbin", "lib", "share"):
            (local / name).mkdir(mode=0o755)

    def _freshen(self) -> None:
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

    def _name(self) -> None:
        """Two machines with the same id would write into one journal."""
        (self.root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")


def unshare_mounts() -> None:
    """Let what this thread mounts from now on be seen by what it starts only, and vanish with it, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise AssertionError(f"cannot have mounts of our own: {os.strerror(ctypes.get_errno())}; {_ALLOWED}")
    _mount("--make-rprivate", "/")


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"cannot mount {arguments[-1]}: {done.stderr.strip()}; {_ALLOWED}"
