"""The documentation agrees with the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from coordinator.cli import app
from coordinator.commands.diagram import mermaid
from coordinator.settings import Component, Execution, Limits, Paths
from protocol.types import Reason

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_shows_the_state_diagram():
    """The README contains the output of ``diagram``."""
    assert f"<!-- diagram -->\n```mermaid\n{mermaid()}```\n<!-- /diagram -->" in README


def test_readme_names_every_configuration_key():
    """Every configuration key is documented."""
    keys = [key for model in (Paths, Limits, Execution, Component) for key in model.model_fields]
    assert [key for key in keys if not re.search(rf"\b{key}\b", README)] == []


def test_readme_names_every_reason():
    """Every reason code is documented."""
    assert [reason for reason in Reason if f"`{reason}`" not in README] == []


def test_readme_names_every_command():
    """Every command of the help is documented."""
    help_text = subprocess.run(
        [sys.executable, "-m", "coordinator", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  (\w+) ", help_text.split("Commands:")[1], re.MULTILINE)
    assert set(commands) == set(app.commands)
    assert [command for command in commands if not re.search(rf"`(update-coordinator )?{command}\b", README)] == []


def test_invariants_name_existing_tests():
    """docs/invariants.md lists I1 to I16, each with at least one existing test."""
    text = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")
    assert [number for number in range(1, 17) if f"**I{number}**" not in text] == []
    named = re.findall(r"`((?:tests|property_tests)/[\w/]+\.py)(?:::(\w+))?`", text)
    assert named
    for file, test in named:
        assert (ROOT / file).is_file(), file
        assert (
            not test
            or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
            or f"class {test}" in (ROOT / file).read_text(encoding="utf-8")
        ), test
