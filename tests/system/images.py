"""Small working and broken images, built without a base image from programs of the outer machine."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from image_registry import ImageRegistry
from machine import Machine

REMOTE = "dunebugger/remote"
PROGRAMS = ("sh", "sleep", "cat", "ls", "test", "id", "touch", "rm", "mkdir")
# Exits at once on TERM: compose waits ten seconds before it kills.
SERVE = "trap 'exit 0' TERM INT; sleep infinity & wait"
# The default interval of 30 s is too long for a test; a compose file may set another one.
_HEALTHCHECK = "HEALTHCHECK --interval=1s --timeout=5s --retries=2 CMD"


@dataclass(frozen=True)
class Image:
    """The content of an image.

    Attributes:
        command: an sh script, the container's first process.
        health: an sh script that runs each second and must exit 0; no health check if empty.
        user: ``user`` or ``user:group``, as numbers.
        files: additional files, absolute path and text.
        changes: additional Dockerfile lines that ``docker import`` supports.
    """

    command: str = SERVE
    health: str = "exit 0"
    user: str = "0:0"
    files: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()

    def build(self, machine: Machine, name: str) -> None:
        """Build the image on a machine. Its file /version has the part of ``name`` after the last colon."""
        changes = [f"CMD {_exec_form(self.command)}", f"USER {self.user}", *self.changes]
        if self.health:
            changes.append(f"{_HEALTHCHECK} {self.health}")
        archive = _archive((("/version", f"{name.rpartition(':')[2]}\n"), *self.files))
        flags = [flag for change in changes for flag in ("--change", change)]
        machine.docker("import", *flags, "-", name, input=archive)


# The targets of updates. Each has its own layer, so that an update must pull it.
RELEASES = {
    "1.0.0": Image(),
    "1.1.0": Image(),
    "1.2.0": Image(command="echo cannot start: this release is broken >&2; exit 3"),
    "1.3.0": Image(health="echo unhealthy; exit 1"),
}


def publish(machine: Machine, registry: ImageRegistry, repository: str, releases: dict[str, Image]) -> None:
    """Build images on a machine, push them to the registry, and remove them from the machine."""
    for version, image in releases.items():
        name = registry.name(repository, version)
        image.build(machine, name)
        machine.docker("push", "--quiet", name)
        machine.docker("rmi", name)


def _exec_form(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'["/bin/sh", "-c", "{quoted}"]'


def _archive(files: tuple[tuple[str, str], ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("proc", 0o755), ("sys", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        contents = _programs() | {path: (text.encode(), 0o644) for path, text in files}
        for path, (content, mode) in contents.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@cache
def _programs() -> dict[str, tuple[bytes, int]]:
    """Content and mode of the programs and their shared libraries, by path in the image."""
    found = {f"/bin/{program}": Path(shutil.which(program, path="/usr/bin:/bin") or program) for program in PROGRAMS}
    for program in list(found.values()):
        listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
        found |= {library: Path(library) for library in re.findall(r"(/\S+) \(0x", listed)}
    return {path: (file.read_bytes(), 0o755) for path, file in found.items()}
