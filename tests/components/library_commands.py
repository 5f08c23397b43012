"""Call the library's Python commands in this process; the script tests run them as programs."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "packaging" / "component-scripts"
sys.path.append(str(SCRIPTS / "library"))


def run_command(name, *arguments):
    """Output and exit code of a command."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = importlib.import_module(name.removesuffix(".py")).main([str(one) for one in arguments])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), errors.getvalue())
