"""A base image with this host's Debian Python, which replaces ``python:3-slim`` and needs no network."""

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
_WHEELS = Path("/usr/share/python-wheels")  # contains pip for Debian's ensurepip
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Programs that the Dockerfile, the operator's check and the tests use.
_PROGRAMS = ("sh", "sed", "rm", "mkdir", "chown", "chmod", "id", "ls", "cat", "touch")
# Libraries that wheels require and the programs above do not.
_WHEEL_LIBRARIES = ("libgcc_s.so.1", "libstdc++.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1")
_EXCLUDED = re.compile(r"/(test|idlelib|lib2to3|tkinter|turtledemo|pydoc_data|config-[^/]*)(/|$)")
_USR_LINKS = ("bin", "sbin", "lib", "lib64")  # links into usr, as Debian has them
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def python_version() -> str:
    """The version of the base image's Python, such as ``3.11``."""
    return _PYTHON.name.removeprefix("python")


def import_base(machine: Machine) -> None:
    """Build the image on a machine, as ``NAME``."""
    machine.docker("import", "--change", "ENV PATH=/usr/bin:/bin", "-", NAME, input=_archive())


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for name in _USR_LINKS:
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
        programs = [_resolve_program(name) for name in _PROGRAMS]
        for program in programs:
            archive.add(program, f"usr/bin/{program.name}")
        archive.add(_PYTHON, "usr/bin/python3")
        for library in _libraries([_PYTHON, *programs, *_LIBRARY.glob("lib-dynload/*.so")]):
            archive.add(library, f"{library.parent.resolve()}/{library.name}")
        for folder in (_LIBRARY, _WHEELS):
            archive.add(folder, filter=lambda entry: None if _EXCLUDED.search(f"/{entry.name}") else entry)
        if _CERTIFICATES.exists():
            archive.add(_CERTIFICATES)
    return buffer.getvalue()


def _resolve_program(program: str) -> Path:
    """The path of the program, without following links."""
    path = shutil.which(program, path="/usr/bin:/bin")
    assert path is not None, f"cannot find {program} in /usr/bin"
    return Path(path)


def _libraries(programs: Iterable[Path]) -> set[Path]:
    """The shared libraries of the programs, by the paths of the loader."""
    listed = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=True).stdout
    found = {Path(library) for library in re.findall(r"(/\S+) \(0x", listed)}
    folder = next(library.parent for library in found if library.name == "libc.so.6")
    return found | {folder / name for name in _WHEEL_LIBRARIES}
