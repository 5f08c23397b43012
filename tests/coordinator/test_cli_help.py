"""The command line: its help, its exit codes for errors, and the modules that ``run`` loads."""

import errno
import inspect
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from coordinator.cli import FAILED, USAGE_ERROR, app
from coordinator.main import serve
from fsm.database import Database
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "run": ["--config", "--dry-run"],
    "submit": ["COMPONENT", "ACTION", "VERSION", "--config", "--wait", "--timeout", "--json"],
    "status": ["ID", "--config", "--json"],
    "history": ["--config", "--component", "--limit", "--json"],
    "explain": ["ID", "--config", "--json"],
    "check": ["--config", "--scripts", "--no-scripts", "--json"],
    "diagram": [],
}


def invoke(*arguments):
    """Run a command line, on a terminal wide enough not to break words."""
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "NO_COLOR": "1"})


def failing_call(*_arguments, number=errno.EIO, **_options):
    """Raise OSError, as the system call does."""
    raise OSError(number, os.strerror(number))


def test_help_lists_every_command():
    """The help lists exactly the commands in ``COMMANDS``."""
    shown = invoke("--help")
    assert shown.exit_code == 0
    assert set(app.commands) == set(COMMANDS)
    assert all(f"  {name} " in shown.output for name in COMMANDS)


@pytest.mark.parametrize(("command", "arguments"), COMMANDS.items())
def test_help_of_a_command_describes_it(command, arguments):
    """The help of a command begins with what it does, and names every argument and option."""
    shown = invoke(command, "--help")
    assert shown.exit_code == 0
    output = " ".join(shown.output.split())
    assert inspect.getdoc(app.commands[command].callback) in output
    assert [name for name in arguments if name.lower() not in output.lower()] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["restart"],
        ["run", "--fast"],
        ["submit"],
        ["submit", "core"],
        ["submit", "core", "destroy"],
        ["status"],
        ["history", "--limit", "0"],
        ["history", "--limit", "many"],
        ["explain"],
        ["diagram", "extra"],
    ],
)
def test_cli_rejects_an_invalid_command_line(arguments):
    """An invalid command line ends with exit code 2 before anything is done."""
    assert invoke(*arguments).exit_code == USAGE_ERROR


@pytest.mark.parametrize(
    "arguments", [["submit", "core", "health"], ["status", "r1"], ["history"], ["explain", "r1"], ["check"]]
)
def test_cli_rejects_an_invalid_configuration(tmp_path, arguments):
    """Every command rejects a configuration with an unknown key: exit code 2, and the reason on stderr."""
    config = tmp_path / "c.toml"
    config.write_text("[limit]\n")
    result = invoke(*arguments, "--config", str(config))
    assert result.exit_code == USAGE_ERROR
    assert f"{config}:1: unknown key limit; did you mean limits?" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["status", "r1"], ["check"]])
def test_cli_reports_a_configuration_that_cannot_be_read(tmp_path, monkeypatch, arguments):
    """Another command line does not correct a disk error: exit code 1."""
    monkeypatch.setattr(Path, "read_bytes", failing_call)
    result = invoke(*arguments, "--config", str(tmp_path / "c.toml"))
    assert result.exit_code == FAILED
    assert result.stderr == f"cannot read the configuration {tmp_path / 'c.toml'}: Input/output error\n"


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, 1), (errno.ENOSPC, 1), (errno.EMFILE, 1), (errno.EROFS, 1), (errno.EACCES, 2)]
)
@pytest.mark.parametrize("call", ["read_bytes", "mkdir"])
def test_serve_exits_with_1_only_for_a_transient_error(tmp_path, monkeypatch, capsys, call, number, code):
    """After exit code 1 a supervisor retries; 2, after which it does not, is for errors that the operator corrects."""
    config = tmp_path / "c.toml"
    folders = "".join(f'{name} = "{tmp_path / name}"\n' for name in ("requests", "status", "state"))
    config.write_text(f'[paths]\n{folders}log_file = "{tmp_path / "log"}"\n')
    monkeypatch.setattr(Path, call, lambda *_, **_options: failing_call(number=number))
    assert serve(config, None) == code
    assert os.strerror(number) in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(errno.EIO, FAILED), (errno.ENOMEM, FAILED), (errno.ENOENT, USAGE_ERROR)])
def test_run_reports_an_interpreter_that_cannot_be_started(monkeypatch, number, code):
    """An error of disk or memory may be transient, so a supervisor retries; a missing interpreter stays missing."""
    monkeypatch.setattr(os, "execve", partial(failing_call, number=number))
    result = invoke("run")
    assert result.exit_code == code
    assert result.stderr == f"cannot start {sys.executable}: {os.strerror(number)}\n"


def test_run_does_not_check_access_to_the_configuration(tmp_path, monkeypatch):
    """The daemon reports why it cannot read the configuration; a transient error is no wrong command line."""
    config = tmp_path / "c.toml"
    config.write_text("")
    started = []
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "execve", lambda _program, command, _environment: started.append(command[3:]))
    invoke("run", "--config", str(config))
    assert started == [[str(config), ""]]


def test_run_loads_only_what_it_needs():
    """``run`` works for years: its process loads no command line, no rich, no TLS and no command."""
    program = (
        "import runpy, sys; sys.argv = ['main', '/nonexistent.toml', '']\n"
        "try: runpy.run_module('coordinator.main', run_name='__main__')\n"
        "except SystemExit as ended: assert ended.code == 2\n"
        "unwanted = {'rich', 'click', '_ssl'}\n"
        "print(*{line.split('/')[-1] for line in open('/proc/self/maps') if 'libssl' in line or 'libcrypto' in line})\n"
        "print(*sorted(n for n in sys.modules if n.split('.')[0] in unwanted"
        " or n.startswith(('coordinator.commands', 'coordinator.cli'))))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.split() == []


@pytest.mark.parametrize("command", [("status", "r1"), ("history",), ("explain", "r1")])
def test_cli_reports_a_journal_that_fails_while_it_is_read(tmp_path, monkeypatch, command):
    """One line instead of a traceback, and exit code 1: another try may succeed."""
    config = tmp_path / "c.toml"
    config.write_text(f'[paths]\nstate = "{tmp_path}"\n')
    Journal.open(tmp_path / "journal.db").close()

    def failing_read(*_arguments, **_options):
        raise JournalUnavailableError("cannot reach the journal: disk I/O error")

    monkeypatch.setattr(Database, "read", failing_read)
    result = invoke(*command, "--config", str(config))
    assert (result.exit_code, result.stderr) == (FAILED, "cannot reach the journal: disk I/O error\n")
