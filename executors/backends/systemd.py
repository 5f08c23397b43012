"""Each script in a transient unit of systemd, named after its request: with limits of its own, and whole when we go."""

from __future__ import annotations

import base64
import os
import pwd
import select
import sys
from pathlib import Path

import sh

from executors import units
from executors.termination import is_in_unit
from executors.interface import CannotStartError, Executor, ExecutorSettings, ProcessId, ScriptRun, UnsuitableHostError
from executors.run_directory import Session
from executors.script_executor import SessionExecutor
from protocol.clock import Clock

_HERE = Path(__file__).parents[1]
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TASKS = 4096  # a loop that forks must not take the host's processes away
_CAP_SLACK_S = 30  # beyond the deadline and the grace, which are the coordinator's to see to as long as it lives
_STOP_SLACK_S = 15  # to write down how it ended
_CLAIM_TICK_S = 0.005
_NOT_BOOTED = (
    'cannot use executor = "systemd": this host was not booted with systemd; say executor = "sh" in the configuration'
)


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """The executor for scripts in units of systemd.

    Raises:
        UnsuitableHostError: systemd does not run this host.
    """
    if not _BOOTED.is_dir():
        raise UnsuitableHostError(_NOT_BOOTED)
    return SessionExecutor(settings, clock, Units(settings.runs.resolve(), clock))


class Units:
    """Has systemd start a session per run; nothing is held between runs."""

    def __init__(self, mark: Path, clock: Clock) -> None:
        self._mark = mark
        self._clock = clock

    def ask(self, step: ScriptRun, session: Session) -> None:
        """Start the unit, and wait until its shell has been executed: 20 ms or so."""
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
            with Path(os.devnull).open("rb") as nothing:
                sh.Command("systemd-run")(
                    *_unit(step, session.directory),
                    *_shell(self._mark, home),
                    _in=nothing,
                    _env={"PATH": _PATH, "LANG": "C.UTF-8"},
                    _cwd="/",
                    _close_fds=True,
                    _new_session=True,  # a Ctrl-C for us is none for it
                    _tty_out=False,
                )
        except KeyError as error:  # also when /etc/passwd could not be read: the C library does not tell the two apart
            raise CannotStartError(f"cannot find the home of user {os.geteuid()} in /etc/passwd") from error
        except sh.ErrorReturnCode as error:
            told = error.stderr.decode(errors="replace").strip() or f"exit code {error.exit_code}"
            raise CannotStartError(f"systemd does not start {units.name_of(session.directory)}: {told}") from error
        except (sh.CommandNotFound, sh.ForkException, RuntimeError) as error:  # the last: no thread
            last = str(error).strip().rpartition("\n")[2].strip()
            raise CannotStartError(f"cannot run systemd-run: {last}") from error

    def tether(self, step: ScriptRun, session: Session) -> _Tether:
        """The bond to the run's unit, or to a launcher that an earlier coordinator's ``sh`` executor left."""
        del step
        return _Tether(units.name_of(session.directory), self._clock)

    def close(self) -> None:
        """Nothing is held."""


class _Tether:
    """A descriptor of the session's process, which tells its end at once; the clock until there is one."""

    def __init__(self, unit: str, clock: Clock) -> None:
        self._unit = unit
        self._clock = clock
        self._claim: tuple[ProcessId, ProcessId] | None = None
        self._process: int | None = None
        self._poll = select.poll()

    def claimed(self, claim: tuple[ProcessId, ProcessId]) -> None:
        self._claim = claim
        try:
            self._process = os.pidfd_open(claim[0].pid)
        except OSError:
            return  # it has ended, or there is no descriptor left: the clock will do
        self._poll.register(self._process, select.POLLIN)

    def is_lost(self) -> bool:
        return not units.members(self._unit)

    def outlives_us(self) -> bool:
        return self._claim is None or is_in_unit(self._claim)

    def pause(self, seconds: float) -> None:
        if self._claim is None:
            self._clock.sleep(min(seconds, _CLAIM_TICK_S))
        elif self._process is None:
            self._clock.sleep(seconds)
        elif self._poll.poll(seconds * 1000):
            self.close()  # it says so for ever; what it left is read without another pause

    def cut(self) -> None:
        """Its unit goes with it."""

    def close(self) -> None:
        if self._process is not None:
            os.close(self._process)
            self._process = None


def _unit(step: ScriptRun, run: Path) -> list[str]:
    """What systemd is told about the run."""
    words = (_HERE / "unit_stop.sh", run, sys.executable, step.kill_grace_s)
    stop = " ".join(["/bin/sh", *(_quoted(str(word).replace("$", "$$")) for word in words)])
    properties = {
        "Description": f"{step.script} of {step.action} {step.component} {step.version}".strip(),
        "MemoryMax": step.memory_bytes,
        "TasksMax": _TASKS,
        "OOMPolicy": "continue",  # the script learns that its child was killed, and says how it ended
        "RuntimeMaxSec": f"{step.timeout_s + step.kill_grace_s + _CAP_SLACK_S:.3f}",
        "TimeoutStopSec": f"{step.kill_grace_s + _STOP_SLACK_S:.3f}",
        "KillMode": "process",  # a service that a script left in the background on purpose is left alone
        "IgnoreSIGPIPE": "no",
        "SuccessExitStatus": "9",  # of a session that nobody asks any more
        "StandardInput": "data",
        "StandardInputData": base64.b64encode(os.fsencode(run) + b"\n").decode(),
        "StandardOutput": "null",
        "StandardError": "journal",
        "LogExtraFields": f"UPDATE_REQUEST_ID={step.request_id}",
        "ExecStop": stop,  # its time is up, or somebody stops it; the session lives, and says how its script ended
        "ExecStopPost": stop,  # the session was killed: the above is left out then
    }
    settings = (f"--property={name}={value}" for name, value in properties.items())
    for_stop = f"--setenv=PYTHONPATH={_HERE.parent}"  # env -i keeps it from the script
    return [f"--unit={units.name_of(run)}", "--service-type=exec", "--collect", "--quiet", for_stop, *settings, "--"]


def _shell(mark: Path, home: str) -> list[str]:
    """The session's command line; systemd would replace what follows a dollar sign by a variable."""
    environment = (f"PATH={_PATH}", f"HOME={home}", "LANG=C.UTF-8")
    words = ("/usr/bin/env", "-i", *environment, "/bin/sh", str(_HERE / "session.sh"), "", str(mark))
    return [word.replace("$", "$$") for word in words]


def _quoted(word: str) -> str:
    """One word for systemd's own splitting of a line."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
