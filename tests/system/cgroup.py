"""The control groups of a machine."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.polling import wait_until


class ControlGroup:
    """A group of this name in every hierarchy that systemd uses: the unified one, and v1's ``name=systemd``.

    systemd-nspawn creates the groups of a machine below its own group. Two machines started from the same group would
    share their groups, because each has a ``system.slice/docker.service``, and their leftovers could not be separated.
    """

    def __init__(self, name: str) -> None:
        self.folders = [mount / name for mount in _hierarchies()]

    def create(self) -> None:
        """Create the group, empty: leftovers of an earlier group of this name are removed."""
        self.remove()
        for folder in self.folders:
            folder.mkdir()

    def kill(self) -> None:
        """Kill all processes at once: they are frozen first, so that none can observe the end of another."""
        unified = next((folder for folder in self.folders if (folder / "cgroup.kill").exists()), None)
        if unified is None or "populated 0" in (unified / "cgroup.events").read_text():
            return
        (unified / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in (unified / "cgroup.events").read_text(), f"all in {unified} to be frozen")
        (unified / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Remove the group and its subgroups after the last process has exited."""
        wait_until(lambda: all(_removed(folder) for folder in self.folders), f"no process in {self.folders}")


def _hierarchies() -> list[Path]:
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    ours = {
        Path(at)
        for _, at, kind, options, *_ in lines
        if at.startswith("/sys/fs/cgroup") and (kind == "cgroup2" or "name=systemd" in options.split(","))
    }
    assert ours, "cannot find a control group hierarchy under /sys/fs/cgroup; in a container, run it with --privileged"
    return sorted(ours)


def _removed(folder: Path) -> bool:
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            Path(path).rmdir()
    except OSError:  # EBUSY: a process is still in the group, or has not been reaped
        return False
    return True
