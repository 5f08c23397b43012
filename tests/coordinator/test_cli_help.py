"""What can be typed, and what it costs to start."""

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


def typed(*words):
    """The outcome of a command line, on a terminal wide enough not to break words."""
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})


def sick_disk(*_arguments, fault=errno.EIO, **_options):
    """Fail as the system call would."""
    raise OSError(fault, os.strerror(fault))


def test_every_command_is_listed():
    """The help lists exactly the commands of the architecture."""
    shown = typed("--help")
    assert shown.exit_code == 0
    assert set(app.commands) == set(COMMANDS)
    assert all(f"  {name} " in shown.output for name in COMMANDS)


@pytest.mark.parametrize(("command", "words"), COMMANDS.items())
def test_every_command_explains_itself(command, words):
    """A command's help begins with what it does, and names every argument and option."""
    shown = typed(command, "--help")
    assert shown.exit_code == 0
    output = " ".join(shown.output.split())
    assert inspect.getdoc(app.commands[command].callback) in output
    assert [word for word in words if word.lower() not in output.lower()] == []


@pytest.mark.parametrize(
    "words",
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
def test_a_wrong_command_line_is_a_usage_error(words):
    """What cannot be understood ends with exit code 2 before anything is done."""
    assert typed(*words).exit_code == USAGE_ERROR


@pytest.mark.parametrize(
    "words", [["submit", "core", "health"], ["status", "r1"], ["history"], ["explain", "r1"], ["check"]]
)
def test_a_configuration_error_is_a_usage_error(tmp_path, words):
    """Every command refuses a configuration with an unknown key: exit code 2, and the reason on stderr."""
    config = tmp_path / "c.toml"
    config.write_text("[limit]\n")
    result = typed(*words, "--config", str(config))
    assert result.exit_code == USAGE_ERROR
    assert f"{config}:1: unknown key limit; did you mean limits?" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", [["status", "r1"], ["check"]])
def test_a_configuration_that_cannot_be_read_this_time_is_no_usage_error(tmp_path, monkeypatch, words):
    """A sick disk is nothing that another command line would mend: exit code 1."""
    monkeypatch.setattr(Path, "read_bytes", sick_disk)
    result = typed(*words, "--config", str(tmp_path / "c.toml"))
    assert result.exit_code == FAILED
    assert result.stderr == f"cannot read the configuration {tmp_path / 'c.toml'}: Input/output error\n"


@pytest.mark.parametrize(
    ("fault", "code"), [(errno.EIO, 1), (errno.ENOSPC, 1), (errno.EMFILE, 1), (errno.EROFS, 1), (errno.EACCES, 2)]
)
@pytest.mark.parametrize("call", ["read_bytes", "mkdir"])
def test_a_supervisor_tries_again_what_may_go_well_next_time(tmp_path, monkeypatch, capsys, call, fault, code):
    """A start that fails by a passing error ends with 1; 2, not to be tried again, is for what the operator mends."""
    config = tmp_path / "c.toml"
    folders = "".join(f'{name} = "{tmp_path / name}"\n' for name in ("requests", "status", "state"))
    config.write_text(f'[paths]\n{folders}log_file = "{tmp_path / "log"}"\n')
    monkeypatch.setattr(Path, call, lambda *_, **_options: sick_disk(fault=fault))
    assert serve(config, None) == code
    assert os.strerror(fault) in capsys.readouterr().err


@pytest.mark.parametrize(("fault", "code"), [(errno.EIO, FAILED), (errno.ENOMEM, FAILED), (errno.ENOENT, USAGE_ERROR)])
def test_a_daemon_that_cannot_be_started_is_told_of_in_words(monkeypatch, fault, code):
    """The host may have room next time, so a supervisor tries again; an interpreter that is gone stays away."""
    monkeypatch.setattr(os, "execve", partial(sick_disk, fault=fault))
    result = typed("run")
    assert result.exit_code == code
    assert result.stderr == f"cannot start {sys.executable}: {os.strerror(fault)}\n"


def test_a_disk_that_is_sick_for_a_moment_is_no_wrong_command_line(tmp_path, monkeypatch):
    """The command line does not judge the configuration's file: who reads it knows why it cannot."""
    config = tmp_path / "c.toml"
    config.write_text("")
    started = []
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "execve", lambda _program, command, _environment: started.append(command[3:]))
    typed("run", "--config", str(config))
    assert started == [[str(config), ""]]


def test_run_loads_only_what_it_needs():
    """``run`` stays up for years: its process holds no command line, no rich, no TLS and no command at all."""
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
