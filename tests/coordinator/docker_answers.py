"""What Docker 20.10 (asked by its 28.2 client) said of real containers, and a program that says it again.

Recorded with ``docker run -v FOLDER:/var/dunebugger/updates …`` on an image with busybox, and on one that holds nothing
but its own program. Of ``docker inspect`` the parts are kept that are read; FOLDER stands for the shared folder, INODE
and INODE2 for the inodes of ``requests`` and ``status``.
"""

from __future__ import annotations

import json

ID = "8fddee2eb053c29094e1d89ee92598bc4b4c1904d78c06d6dc9af66ace1217b3"
INNER = "/var/dunebugger/updates"
VOLUME = {
    "Type": "bind", "Source": "FOLDER", "Destination": INNER, "Mode": "", "RW": True, "Propagation": "rprivate",
}  # fmt: skip
READ_ONLY = VOLUME | {"Mode": "ro", "RW": False}
WHOLE_DISK = {
    "Type": "bind", "Source": "/", "Destination": "/host", "Mode": "ro", "RW": False, "Propagation": "rslave",
}  # fmt: skip
STATUS_READ_ONLY = [
    READ_ONLY | {"Source": "FOLDER/status", "Destination": f"{INNER}/status"},
    VOLUME | {"Source": "FOLDER/requests", "Destination": f"{INNER}/requests"},
]
COMPOSE = {"com.docker.compose.project": "dunebugger", "com.docker.compose.service": "remote"}
STATES = {
    "running": {"Status": "running", "Running": True, "Paused": False, "Restarting": False, "ExitCode": 0},
    "exited": {"Status": "exited", "Running": False, "Paused": False, "Restarting": False, "ExitCode": 137},
    "paused": {"Status": "paused", "Running": True, "Paused": True, "Restarting": False, "ExitCode": 0},
    "restarting": {"Status": "restarting", "Running": True, "Paused": False, "Restarting": True, "ExitCode": 1},
}

ROOT = f"0\ndrwx\nINODE {INNER}/requests\ndrwx\nINODE2 {INNER}/status\n"
UID_1000 = f"1000\ndrx\nINODE {INNER}/requests\ndrx\nINODE2 {INNER}/status\n"
OLD_FOLDER = f"0\ndrwx\n1 {INNER}/requests\ndrwx\nINODE2 {INNER}/status\n"
NO_FOLDER = "0\n\n\n\n\n"
NO_SHELL = (
    "OCI runtime exec failed: exec failed: unable to start container process: "
    'exec: "sh": executable file not found in $PATH: unknown\n'
)
NO_ENGINE = "Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?\n"
ONE_IS_GONE = "Error: No such object: 0123456789ab\n"


def container(*mounts, name="remote", state="running", labels=None):
    """One entry of ``docker inspect``."""
    facts = {"Name": f"/{name}", "State": STATES[state], "Mounts": list(mounts)}
    return facts | {"Config": {"User": "", "Labels": labels or {}}}


class Docker:
    """A ``docker`` on PATH that gives each of its commands one answer."""

    def __init__(self, bin_folder, shared):
        self._bin = bin_folder
        self._shared = shared
        program = bin_folder / "docker"
        program.write_text(
            '#!/bin/sh\necho "$*" >> "$0.asked"\ncat "$0.$1.out"; cat "$0.$1.err" >&2; exit "$(cat "$0.$1.code")"\n'
        )
        program.chmod(0o755)
        self.says("ps", "")
        self.says("inspect", "[]\n", "Error: No such object\n", 1)
        self.says("exec", "", "Error: No such container: remote\n", 1)

    def says(self, command, output, error="", code=0):
        """From now on this is its answer."""
        inodes = {
            f"INODE{n}": str((self._shared / name).stat().st_ino) for n, name in (("2", "status"), ("", "requests"))
        }
        for word, meaning in {**inodes, "FOLDER": str(self._shared)}.items():
            output = output.replace(word, meaning)
        for end, content in (("out", output), ("err", error), ("code", str(code))):
            (self._bin / f"docker.{command}.{end}").write_text(content)

    def asked(self):
        """What it was asked, a line each time."""
        return (self._bin / "docker.asked").read_text().splitlines()

    def holds(self, *containers, tried=ROOT, tried_code=0, **inspect):
        """These containers are there; ``tried`` is what a shell inside prints."""
        self.says("ps", "".join(f"{ID}\n" for _ in containers))
        self.says("inspect", json.dumps(containers), **inspect)
        self.says("exec", tried, code=tried_code)
