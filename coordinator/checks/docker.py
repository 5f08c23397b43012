"""Troubleshooting step 3 (requirements, section 10): does the container see and use the shared folders?

Docker reports where the folders are mounted; a shell inside the container tests whether they can be used there.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.checks.tools import run_tool
from coordinator.settings import Paths, Settings
from protocol.diagnostics import CheckResult, bad, good, note

_CLIENTS = {"remote", "dunebugger-remote"}  # the container that submits requests, with and without project
_GROUP_WRITES = stat.S_IWGRP | stat.S_IXGRP
_SERVICE = "com.docker.compose.service"
_PROBE = """
echo "$(id -u)"
for folder in "$@"; do
    for right in d r w x; do test -$right "$folder" && printf %s $right; done
    echo
    echo "$(ls -di "$folder")"
done
"""
_START_REMEDY = {
    "paused": "docker unpause {name}",
    "restarting": "docker logs {name} shows why it ends repeatedly",
}


@dataclass(frozen=True)
class _Mount:
    """One folder of the host in a container."""

    source: Path
    destination: Path
    writable: bool


@dataclass(frozen=True)
class _Container:
    name: str
    service: str
    status: str
    exit_code: int
    mounts: tuple[_Mount, ...]

    def mount_of(self, folder: Path) -> _Mount | None:
        """The mount through which it sees ``folder``: the innermost, when several contain it."""
        holding = [mount for mount in self.mounts if folder.resolve().is_relative_to(mount.source.resolve())]
        return max(holding, key=lambda mount: len(mount.source.parts), default=None)

    def inner(self, folder: Path) -> Path | None:
        """The path under which it sees ``folder``."""
        mount = self.mount_of(folder)
        return None if mount is None else mount.destination / folder.resolve().relative_to(mount.source.resolve())

    def is_client(self, requests: Path) -> bool:
        """Whether it mounts the folder to use it; a container that mounts the whole disk read-only does not."""
        mount = self.mount_of(requests)
        return mount is not None and (mount.writable or mount.source.resolve() in (requests, *requests.parents[:1]))


@dataclass(frozen=True)
class _FolderTest:
    """A folder as the container's user finds it: one letter for each ``test`` that passed, and its inode."""

    uid: str
    rights: str
    inode: int | None


def container(settings: Settings) -> Iterator[CheckResult]:
    """Is the shared volume mounted in the container, and may the container write requests there?"""
    paths = settings.paths
    listed = run_tool("docker", "ps", "--all", "--quiet", "--no-trunc")
    if listed is None:
        yield note("Docker is not installed here, or does not respond: no container was checked")
        return
    if listed.code != 0:
        yield note(
            f"cannot list the containers: {listed.last_line}",
            "`systemctl status docker` shows whether it runs; run this check as root",
        )
        return
    containers = _inspect(listed.output.split())
    clients = [one for one in containers if one.is_client(paths.requests.resolve())]
    running = [one for one in clients if one.status == "running"]
    for one in running:
        yield from _check_container(one, paths)
    for one in clients:
        if one not in running:
            remedy = _START_REMEDY.get(one.status, "docker start {name}; docker logs {name} shows why it ended")
            code = f", exit code {one.exit_code}" if one.exit_code else ""
            text = f"{one.name} mounts {paths.requests}, but does not run: it is {one.status}{code}"
            yield note(text) if running else bad(text, remedy.format(name=one.name))
    if not clients:
        yield _missing(containers, paths)


def _missing(containers: list[_Container], paths: Paths) -> CheckResult:
    volumes = " and ".join(f"{folder}:{folder}" for folder in (paths.requests, paths.status))
    names = [one.name for one in containers if one.name in _CLIENTS or one.service == "remote"]
    return bad(
        f"{names[0]} does not mount {paths.requests}" if names else f"no container mounts {paths.requests}",
        f"add the volumes {volumes} to the container's compose file, then docker-compose up -d",
    )


def _inspect(ids: list[str]) -> list[_Container]:
    """Those of the containers that still exist; for one that was removed meanwhile, Docker only prints an error."""
    result = run_tool("docker", "inspect", *ids) if ids else None
    return [_container(one) for one in json.loads((result and result.output.strip()) or "[]")]


def _container(facts: dict[str, Any]) -> _Container:
    state, config = facts.get("State") or {}, facts.get("Config") or {}
    return _Container(
        name=str(facts.get("Name", "")).lstrip("/"),
        service=str((config.get("Labels") or {}).get(_SERVICE, "")),
        status=str(state.get("Status", "unknown")),
        exit_code=int(state.get("ExitCode", 0)),
        mounts=tuple(
            _Mount(Path(mount["Source"]), Path(mount["Destination"]), bool(mount.get("RW", True)))
            for mount in facts.get("Mounts") or []
            if mount.get("Source") and mount.get("Destination")
        ),
    )


def _check_container(one: _Container, paths: Paths) -> Iterator[CheckResult]:
    """Test what the container needs: to write requests, and to read and delete answers."""
    requests, status = one.inner(paths.requests), one.inner(paths.status)
    if requests is None or status is None:
        yield bad(
            f"{one.name} mounts {paths.requests} but not {paths.status}: it cannot read answers",
            f"add the volume {paths.status}:{paths.status} to its compose file, then docker-compose up -d",
        )
        return
    result = run_tool("docker", "exec", one.name, "sh", "-c", _PROBE, "sh", str(requests), str(status))
    probed = _parse_tests(result.output) if result else None
    yield _check_folder(one, paths.requests, requests, "write requests", bad, probed and probed[0])
    yield _check_folder(one, paths.status, status, "delete answers", note, probed and probed[1])
    if probed is None:
        why = result.last_line if result else "docker exec does not respond"
        yield note(f"cannot test inside {one.name} what its user can write: {why}")


def _check_folder(
    one: _Container,
    folder: Path,
    inner: Path,
    purpose: str,
    lacking: Callable[[str, str], CheckResult],
    probed: _FolderTest | None,
) -> CheckResult:
    """One folder; ``lacking`` makes the result for a folder that the container cannot write."""
    sees = f"{one.name} sees {folder} as {inner}"
    mount = one.mount_of(folder)
    if mount is not None and not mount.writable:
        remedy = "remove :ro from that volume in its compose file, then docker-compose up -d"
        return lacking(f"{sees}, but read-only: it cannot {purpose}", remedy)
    if probed is None:
        return note(sees)
    if probed.inode is not None and folder.is_dir() and probed.inode != folder.stat().st_ino:
        text = f"{one.name} sees an older folder than {folder} as {inner}: {folder} was recreated after it started"
        return bad(text, f"docker restart {one.name}")
    if "d" not in probed.rights:
        return bad(f"{one.name} finds no folder {inner}, where {folder} should be", f"docker restart {one.name}")
    if not set("wx") <= set(probed.rights):
        text = f"{sees}, but its user (uid {probed.uid}) cannot {purpose} there"
        return lacking(text, _access_remedy(folder, probed.uid))
    return good(f"{sees} and can {purpose} there")


def _access_remedy(folder: Path, uid: str) -> str:
    """How to give a container's user access: by the folder's group if that may write, as install.sh sets it up."""
    found = folder.stat()
    if found.st_gid != 0 and found.st_mode & _GROUP_WRITES == _GROUP_WRITES:
        return f'add group_add: ["{found.st_gid}"] to its service in the compose file, then docker-compose up -d'
    return f"chown {uid} {folder}"


def _parse_tests(output: str) -> tuple[_FolderTest, _FolderTest] | None:
    """What ``_PROBE`` printed; None if the container's shell did not run it, or printed something else."""
    lines = output.splitlines()
    if len(lines) != 5 or not lines[0].isdecimal():  # noqa: PLR2004  one line for the user, two for each folder
        return None
    uid = lines[0]
    return _FolderTest(uid, lines[1], _inode(lines[2])), _FolderTest(uid, lines[3], _inode(lines[4]))


def _inode(listed: str) -> int | None:
    first = listed.split()[:1]
    return int(first[0]) if first and first[0].isdecimal() else None
