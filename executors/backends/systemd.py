"""Backend ``systemd``: each script runs in a transient unit with limits of its own, which survives the coordinator."""

from __future__ import annotations

import base64
import os
import pwd
import select
import sys
from pathlib import Path

from sh import Command, CommandNotFound, ErrorReturnCode, ForkException

from executors.interface import CannotStartError, Executor, ExecutorSettings, ScriptRun, UnsuitableHostError
from executors.processes import unit_members, unit_name
from executors.run_directory import Claim, RunDirectory
from executors.script_executor import ScriptExecutor
from protocol.clock import Clock

_HERE = Path(__file__).parents[1]
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TASKS = 4096  # a script that forks without end must not exhaust the host's process table
_CAP_SLACK_S = 30  # beyond the deadline and the grace, which the coordinator enforces as long as it runs
_STOP_SLACK_S = 15  # to record how it ended
_SPAWN_S = 60  # twice what systemd-run itself waits for an answer of systemd
_TIMED_OUT = 124  # exit code of timeout(1)
_CLAIM_TICK_S = 0.005
_NOT_BOOTED = (
    'cannot use executor = "systemd": this host was not booted with systemd; set executor = "sh" in the configuration'
)


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """Return the executor for scripts in systemd units.

    Raises:
        UnsuitableHostError: systemd does not run this host.
    """
    if not _BOOTED.is_dir():
        raise UnsuitableHostError(_NOT_BOOTED)
    return ScriptExecutor(settings, clock, UnitSpawner(settings.runs.resolve(), clock))


class UnitSpawner:
    """Has systemd start a worker per run; nothing is held between runs. See ``Spawner`` for the methods."""

    def __init__(self, runs_folder: Path, clock: Clock) -> None:
        self._runs_folder = runs_folder
        self._clock = clock

    def spawn(self, directory: RunDirectory) -> None:
        """Start the unit, and wait until its shell is executed: some 40 ms, 60 s at most."""
        unit = unit_name(directory.path)
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
            with Path(os.devnull).open("rb") as stdin:
                # Not sh's _timeout: with it, sh notices the end of a command only every 100 ms.
                Command("timeout")(
                    _SPAWN_S,
                    str(Command("systemd-run")),
                    *_unit_arguments(directory.run, directory.path),
                    *_worker_command(self._runs_folder, home),
                    _in=stdin,
                    _env={"PATH": _PATH, "LANG": "C.UTF-8"},
                    _cwd="/",
                    _close_fds=True,
                    _new_session=True,  # a Ctrl-C in the coordinator's terminal must not reach it
                    _tty_out=False,
                )
        except KeyError as error:  # also when /etc/passwd cannot be read: the C library does not distinguish the two
            raise CannotStartError(f"cannot find the home of user {os.geteuid()} in /etc/passwd") from error
        except ErrorReturnCode as error:
            if error.exit_code == _TIMED_OUT:
                raise CannotStartError(f"systemd does not start {unit} within {_SPAWN_S} seconds") from error
            reason = error.stderr.decode(errors="replace").strip() or f"exit code {error.exit_code}"
            raise CannotStartError(f"systemd does not start {unit}: {reason}") from error
        except (CommandNotFound, ForkException, RuntimeError) as error:  # the last: no thread
            last = str(error).strip().rpartition("\n")[2].strip()
            raise CannotStartError(f"cannot run systemd-run: {last}") from error

    def attach(self, directory: RunDirectory) -> _UnitHandle:
        """See ``Spawner.attach``; also for a launcher's run, of an earlier coordinator with the executor ``sh``."""
        return _UnitHandle(unit_name(directory.path), self._clock)

    def close(self) -> None:
        """Nothing is held."""


class _UnitHandle:
    """Waits for the worker's end through a pidfd; polls until there is one. See ``RunHandle`` for the methods."""

    def __init__(self, unit: str, clock: Clock) -> None:
        self._unit = unit
        self._clock = clock
        self._claim: Claim | None = None
        self._pidfd: int | None = None
        self._poll = select.poll()

    def claimed(self, claim: Claim) -> None:
        self._claim = claim
        try:
            self._pidfd = os.pidfd_open(claim.worker.pid)
        except OSError:
            return  # it ended, or no descriptor is left: poll instead
        self._poll.register(self._pidfd, select.POLLIN)

    def is_lost(self) -> bool:
        return not unit_members(self._unit)

    def survives_coordinator(self) -> bool:
        return self._claim is None or self._claim.is_in_unit

    def pause(self, seconds: float) -> None:
        if self._claim is None:
            self._clock.sleep(min(seconds, _CLAIM_TICK_S))
        elif self._pidfd is None:
            self._clock.sleep(seconds)
        elif self._poll.poll(seconds * 1000):
            self.close()  # it stays readable; what the worker left is read without another pause

    def discard(self) -> None:
        """The unit ends with its worker."""

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _unit_arguments(run: ScriptRun, path: Path) -> list[str]:
    """The options of systemd-run that describe the unit."""
    words = (_HERE / "unit_stop.sh", path, sys.executable, run.kill_grace_s)
    stop = " ".join(["/bin/sh", *(_quote(str(word).replace("$", "$$")) for word in words)])
    properties = {
        "Description": f"{run.script} of {run.action} {run.component} {run.version}".strip(),
        "MemoryMax": run.memory_bytes,
        "TasksMax": _TASKS,
        "OOMPolicy": "continue",  # the script sees that its child was killed, and ends on its own
        "RuntimeMaxSec": f"{run.timeout_s + run.kill_grace_s + _CAP_SLACK_S:.3f}",
        "TimeoutStopSec": f"{run.kill_grace_s + _STOP_SLACK_S:.3f}",
        "KillMode": "process",  # a service that a script left in the background on purpose is left alone
        "IgnoreSIGPIPE": "no",
        "SuccessExitStatus": "9",  # of a worker whose input has ended
        "StandardInput": "data",
        "StandardInputData": base64.b64encode(os.fsencode(path) + b"\n").decode(),
        "StandardOutput": "null",
        "StandardError": "journal",
        "LogExtraFields": f"UPDATE_REQUEST_ID={run.request_id}",
        "ExecStop": stop,  # at RuntimeMaxSec, or by systemctl stop; the worker is alive, and records the script's end
        "ExecStopPost": stop,  # the worker was killed: systemd skips ExecStop then
    }
    settings = (f"--property={name}={value}" for name, value in properties.items())
    for_stop = f"--setenv=PYTHONPATH={_HERE.parent}"  # env -i removes it for the script
    return [f"--unit={unit_name(path)}", "--service-type=exec", "--collect", "--quiet", for_stop, *settings, "--"]


def _worker_command(runs_folder: Path, home: str) -> list[str]:
    """The worker's command line; dollar signs are doubled, because systemd expands variables."""
    environment = (f"PATH={_PATH}", f"HOME={home}", "LANG=C.UTF-8")
    words = ("/usr/bin/env", "-i", *environment, "/bin/sh", str(_HERE / "session.sh"), "", str(runs_folder))
    return [word.replace("$", "$$") for word in words]


def _quote(word: str) -> str:
    """One word of a command line as systemd splits it."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
