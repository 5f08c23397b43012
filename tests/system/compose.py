"""The two compose commands: ``docker-compose``, version 1, of Debian 12, and the plugin ``docker compose``.

Hosts with Docker's own packages have the plugin. Debian 13 packages it as one program that also runs on Debian 12.
"""

from __future__ import annotations

import fcntl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_CACHE = Path(__file__).parents[2] / "dist" / "compose-plugin"
_SUITE = "trixie"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
PLUGIN = "cli-plugins/docker-compose"  # below the folder that DOCKER_CONFIG names


@dataclass(frozen=True)
class Compose:
    """One compose command with the environment that it needs."""

    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def version_1(cls) -> Compose:
        """``docker-compose`` of Debian 12."""
        return cls(("docker-compose",))

    @classmethod
    def plugin(cls) -> Compose:
        """``docker compose`` of Debian 13, downloaded once into the checkout's dist/."""
        _CACHE.mkdir(parents=True, exist_ok=True)
        with (_CACHE / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in parallel
            if not (_CACHE / PLUGIN).exists():
                _fetch()
        return cls(("docker", "compose"), {"DOCKER_CONFIG": str(_CACHE)})


each_compose = pytest.mark.parametrize(
    "compose", [Compose.plugin, Compose.version_1], ids=["plugin", "version 1"], indirect=True
)


def _fetch() -> None:
    """Download and verify the package with apt, without installing it and with separate package lists."""
    apt = _CACHE / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_mirror()} {_SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt / "lists", "Dir::Cache::archives": apt / "archives",
        "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "", "APT::Sandbox::User": "root", "Acquire::Retries": 3,
    }  # fmt: skip
    arguments = [f"--option={name}={value}" for name, value in options.items()]
    _run("apt-get", *arguments, "--quiet", "update", folder=apt)
    _run("apt-get", *arguments, "--quiet", "download", f"docker-compose/{_SUITE}", folder=apt)
    [package] = apt.glob("docker-compose_*.deb")
    _run("dpkg-deb", "--extract", str(package), str(apt / "content"), folder=apt)
    plugin = _CACHE / PLUGIN
    plugin.parent.mkdir(exist_ok=True)
    (apt / "content/usr/libexec/docker" / PLUGIN).rename(plugin)
    _run("rm", "-r", str(apt), folder=_CACHE)


def _mirror() -> str:
    """The Debian mirror of this host."""
    sites = _run("apt-get", "indextargets", "--format", "$(SITE)", "Identifier: Packages", folder=_CACHE)
    return next(
        (site for site in sites.split() if site.rstrip("/").endswith("/debian")), "http://deb.debian.org/debian"
    )


def _run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"cannot get docker compose from Debian 13: {command}\n{done.stdout}{done.stderr}"
    return done.stdout
