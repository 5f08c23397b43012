"""Create a folder in which the coordinator runs on three sample components.

``python packaging/demo/prepare.py FOLDER`` adds missing files to FOLDER and changes no existing one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

COMPONENTS = ("core", "scheduler", "remote")
FIRST_VERSION = "1.0.0"

_SCRIPTS = Path(__file__).resolve().parent / "components"
_FOLDER_MODE = 0o755  # the coordinator rejects scripts that other users can write
_SCRIPT_MODE = 0o755


def configuration_file(root: Path) -> Path:
    """Path of the configuration file of ``root``."""
    return root / "update-coordinator.toml"


def prepare(root: Path) -> Path:
    """Add missing folders, components and the configuration to ``root``.

    Args:
        root: created when missing.

    Returns:
        The configuration file.
    """
    root = root.resolve()
    for folder in (root.parent, root, root / "requests", root / "status", root / "state", root / "components"):
        _make_folder(folder)
    for name in COMPONENTS:
        _install_component(name, root / "components" / name)
    configuration = configuration_file(root)
    if not configuration.exists():
        configuration.write_text(_configuration(root), encoding="utf-8")
    return configuration


def _make_folder(folder: Path) -> None:
    """Create ``folder`` unless it exists, not writable by others regardless of the umask."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(_FOLDER_MODE)


def _install_component(name: str, directory: Path) -> None:
    """Copy the sample scripts of ``name`` and record its first version as installed."""
    _make_folder(directory)
    for script in sorted((_SCRIPTS / name).glob("*.sh")):
        copy = directory / script.name
        if not copy.exists():
            shutil.copyfile(script, copy)
            copy.chmod(_SCRIPT_MODE)
    _make_folder(directory / "installed")
    version = directory / "installed" / "VERSION"
    if not version.exists():
        version.write_text(f"{FIRST_VERSION}\n", encoding="utf-8")


def _configuration(root: Path) -> str:
    """The configuration with absolute paths, which work from any working directory."""
    lines = ["[paths]"]
    lines += [f"{key} = {_quoted(root / key)}" for key in ("requests", "status", "state")]
    lines += [f"log_file = {_quoted(root / 'update-coordinator.log')}"]
    for name in COMPONENTS:
        lines += ["", f"[components.{name}]", f"directory = {_quoted(root / 'components' / name)}", "timeout_s = 30"]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    """``path`` as a TOML basic string, whose escapes JSON shares."""
    return json.dumps(str(path), ensure_ascii=False)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  the program's name and one folder
        sys.exit("usage: python packaging/demo/prepare.py FOLDER")
    print(f"configuration: {prepare(Path(sys.argv[1]))}")
