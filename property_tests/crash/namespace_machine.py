"""A machine in namespaces of this one: its own processes, /proc and boot id, on the same disk; its power can be cut."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_INIT = 'mount --bind "$1" ' + _BOOT_ID + " && echo up && read -r _"  # bash reaps orphans while it reads


class NamespaceMachine:
    """A PID and mount namespace. Needs root.

    Args:
        folder: for the machine's own files.
    """

    def __init__(self, folder: Path) -> None:
        self._boot_file = folder / "boot_id"
        self._unshare: subprocess.Popen[bytes] | None = None
        self._init = 0

    def power_on(self) -> None:
        """Boot: a new boot id, no processes.

        Raises:
            RuntimeError: the namespaces could not be created; the operator must be root.
        """
        self._boot_file.write_text(f"{uuid.uuid4()}\n")
        self._unshare = subprocess.Popen(
            [
                "unshare",
                "--pid",
                "--mount-proc",
                "--fork",
                "--kill-child",
                "bash",
                "-c",
                _INIT,
                "init",
                self._boot_file,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._unshare.stdout is not None
        if self._unshare.stdout.readline() != b"up\n":
            self.power_off()
            raise RuntimeError("cannot create PID and mount namespaces: run this as root")
        (self._init,) = children(self._unshare.pid)

    def power_off(self) -> None:
        """Cut the power: every process is killed at once."""
        if self._unshare is not None:
            self._unshare.kill()  # --kill-child kills init, and with it the namespace
            self._unshare.communicate()
            self._unshare = None

    def reboot(self) -> None:
        """Cut the power and boot again."""
        self.power_off()
        self.power_on()

    def command(self, arguments: list[str], directory: Path) -> list[str]:
        """The command line that runs ``arguments`` inside, in ``directory``."""
        return ["nsenter", f"--target={self._init}", "--pid", "--mount", f"--wd={directory}", *arguments]

    @property
    def init(self) -> int:
        """The pid of the machine's first process, in the outer namespace."""
        return self._init

    def processes(self) -> int:
        """The number of processes inside, without init."""
        return len(descendants(self._init))


def children(pid: int) -> list[int]:
    """The child processes of ``pid``."""
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid: int) -> list[int]:
    """All descendants of ``pid``."""
    found = children(pid)
    return found + [descendant for child in found for descendant in descendants(child)]
