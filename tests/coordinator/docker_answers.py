"""Recorded output of Docker 20.10 (with a 28.2 client) for real containers, and a fake ``docker`` that prints it.

Recorded with ``docker run -v FOLDER:/var/dunebugger/updates …`` on an image with busybox, and on one that contains only
its own program. ``docker inspect`` is reduced to the parts that the check reads; FOLDER is replaced by the shared
folder, INODE and INODE2 by the inodes of ``requests`` and ``status``.
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
STALE_FOLDER = f"0\ndrwx\n1 {INNER}/requests\ndrwx\nINODE2 {INNER}/status\n"
NO_FOLDER = "0\n\n\n\n\n"
NO_SHELL = (
    "OCI runtime exec failed: exec failed: unable to start container process: "
    'exec: "sh": executable file not found in $PATH: unknown\n'
)
NO_DAEMON = "Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?\n"
ONE_IS_MISSING = "Error: No such object: 0123456789ab\n"


def container(*mounts, name="remote", state="running", labels=None):
    """One entry of ``docker inspect``."""
    facts = {"Name": f"/{name}", "State": STATES[state], "Mounts": list(mounts)}
    return facts | {"Config": {"User": "", "Labels": labels or {}}}


class Docker:
    """A fake ``docker`` on PATH with one output per command; it records its calls."""

    def __init__(self, bin_folder, shared):
        self._bin = bin_folder
        self._shared = shared
        program = bin_folder / "docker"
        program.write_text(
            '#!/bin/sh\necho "$*" >> "$0.calls"\ncat "$0.$1.out"; cat "$0.$1.err" >&2; exit "$(cat "$0.$1.code")"\n'
        )
        program.chmod(0o755)
        self.set_output("ps", "")
        self.set_output("inspect", "[]\n", "Error: No such object\n", 1)
        self.set_output("exec", "", "Error: No such container: remote\n", 1)

    def set_output(self, command, output, error="", code=0):
        """Set what ``docker command`` prints from now on, and its exit code."""
        inodes = {
            f"INODE{n}": str((self._shared / name).stat().st_ino) for n, name in (("2", "status"), ("", "requests"))
        }
        for placeholder, value in {**inodes, "FOLDER": str(self._shared)}.items():
            output = output.replace(placeholder, value)
        for suffix, content in (("out", output), ("err", error), ("code", str(code))):
            (self._bin / f"docker.{command}.{suffix}").write_text(content)

    def calls(self):
        """The arguments of each call."""
        return (self._bin / "docker.calls").read_text().splitlines()

    def set_containers(self, *containers, shell_output=ROOT, shell_code=0, **inspect):
        """Set the containers that exist; ``shell_output`` is the output of a shell in a container."""
        self.set_output("ps", "".join(f"{ID}\n" for _ in containers))
        self.set_output("inspect", json.dumps(containers), **inspect)
        self.set_output("exec", shell_output, code=shell_code)
