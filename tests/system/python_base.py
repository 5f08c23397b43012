"""A base image with this host's Debian Python, made on the spot: what ``python:3-slim`` is where there is a network."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from machine import Machine

NAME = "dunebugger/python:base"
_PYTHON = Path("/usr/bin/python3").resolve()  # such as /usr/bin/python3.11
_LIBRARY = Path("/usr/lib", _PYTHON.name)
_WHEELS = Path("/usr/share/python-wheels")  # pip, which Debian's ensurepip takes from here
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What the Dockerfile uses, what the operator's check tries inside, and what tests look with.
_PROGRAMS = ("sh", "sed", "rm", "mkdir", "chown", "chmod", "id", "ls", "cat", "touch")
# What wheels of any Debian may expect, and no program here asks for.
_OF_WHEELS = ("libgcc_s.so.1", "libstdc++.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1")
_LEFT_OUT = re.compile(r"/(test|idlelib|lib2to3|tkinter|turtledemo|pydoc_data|config-[^/]*)(/|$)")
_MERGED = ("bin", "sbin", "lib", "lib64")  # links into usr, as Debian has them
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def python_version() -> str:
    """For which Python packages must be, such as ``3.11``."""
    return _PYTHON.name.removeprefix("python")


def import_base(machine: Machine) -> None:
    """Make it on a machine, as ``NAME``."""
    machine.docker("import", "--change", "ENV PATH=/usr/bin:/bin", "-", NAME, input=_archive())


def _archive() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", dereference=True) as archive:
        for name in _MERGED:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
        for name, mode in (("tmp", 0o1777), ("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("root", 0o700)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        for name, text in _FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
        programs = [_found(name) for name in _PROGRAMS]
        for program in programs:
            archive.add(program, f"usr/bin/{program.name}")
        archive.add(_PYTHON, "usr/bin/python3")
        for library in _libraries([_PYTHON, *programs, *_LIBRARY.glob("lib-dynload/*.so")]):
            archive.add(library, f"{library.parent.resolve()}/{library.name}")
        for folder in (_LIBRARY, _WHEELS):
            archive.add(folder, filter=lambda entry: None if _LEFT_OUT.search(f"/{entry.name}") else entry)
        if _CERTIFICATES.exists():
            archive.add(_CERTIFICATES)
    return held.getvalue()


def _found(program: str) -> Path:
    """The program under the name by which it is called, whatever it is a link to."""
    path = shutil.which(program, path="/usr/bin:/bin")
    assert path is not None, f"cannot find {program} in /usr/bin"
    return Path(path)


def _libraries(programs: Iterable[Path]) -> set[Path]:
    """All that the loader takes for them, under the paths where it looks."""
    listed = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=True).stdout
    found = {Path(library) for library in re.findall(r"(/\S+) \(0x", listed)}
    beside = next(library.parent for library in found if library.name == "libc.so.6")
    return found | {beside / name for name in _OF_WHEELS}
