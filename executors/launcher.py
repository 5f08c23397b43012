"""The launcher: a small shell, started through ``sh`` once per lane, that keeps a warm worker for the next script.

Forking the daemon costs 4 ms per script, and a start through ``sh`` twice as much (ADR 001). A warm worker starts a
script as soon as it reads a line. The launcher is a child subreaper: every process that a script starts, even one that
detaches itself, stays a descendant of the launcher until the launcher ends.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import select
import signal
from pathlib import Path
from typing import BinaryIO

from sh import Command, CommandNotFound, ErrorReturnCode, ForkException

from executors.interface import CannotStartError
from executors.processes import command_line, stat_process
from executors.run_directory import Claim

_HERE = Path(__file__).parent
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: the child must not take the loader's lock
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _detach() -> None:
    """In the forked child: become a child of init, a subreaper and a session leader, with default signals."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:  # an ignored signal stays ignored after exec
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Launcher:
    """One lane's launcher, and the two pipes to it."""

    def __init__(self, runs: Path) -> None:
        """Start the launcher, marked with the resolved folder of all ``runs``; ``termination.find_shells`` needs that.

        Raises:
            CannotStartError: no memory, processes or descriptors are left, or there is no /bin/sh.
            OSError: likewise.
        """
        self.claim: Claim | None = None  # of the latest run: shows the pids of the launcher and its worker
        self.run_directory: Path | None = None  # the latest
        self.is_gone = False
        requests, self._requests = os.pipe()
        try:
            self._notices, notices = os.pipe()
        except OSError:
            os.close(requests)
            os.close(self._requests)
            raise
        self._descriptors = [self._requests, self._notices]
        try:
            with open(requests, "rb") as stdin, open(notices, "wb") as stdout:  # noqa: PTH123  descriptors
                self._start(stdin, stdout, runs)
        except BaseException:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._notices, select.POLLIN)

    @staticmethod
    def _start(stdin: BinaryIO, stdout: BinaryIO, runs: Path) -> None:
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
            with Path(os.devnull).open("wb") as stderr:
                Command("/bin/sh")(
                    str(_HERE / "launcher.sh"),
                    str(_HERE / "session.sh"),
                    str(runs),
                    _in=stdin,
                    _out=stdout,
                    _err=stderr,
                    _cwd="/",
                    _env={"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"},
                    _preexec_fn=_detach,
                    _close_fds=True,
                    _tty_out=False,
                )
        except KeyError as error:  # also when /etc/passwd cannot be read: the C library does not distinguish the two
            raise CannotStartError(f"cannot find the home of user {os.geteuid()} in /etc/passwd") from error
        except ForkException as error:  # its text is the traceback in the child
            last = str(error).strip().rpartition("\n")[2].strip()
            raise CannotStartError(f"cannot start /bin/sh: {last}; is the machine out of memory?") from error
        except (ErrorReturnCode, CommandNotFound, RuntimeError) as error:  # the last: no thread
            raise CannotStartError(f"cannot start /bin/sh: {error}; is the machine out of memory?") from error

    def submit(self, run_directory: Path) -> None:
        """Have the warm worker, or the next one, run what ``run_directory`` contains.

        Raises:
            BrokenPipeError: the launcher and its worker are gone.
        """
        os.write(self._requests, os.fsencode(run_directory) + b"\n")  # below PIPE_BUF: whole or not at all
        self.run_directory = run_directory

    def pause(self, seconds: float) -> None:
        """Sleep until a notice, at most ``seconds``; sets ``is_gone`` when launcher and worker have closed the pipe."""
        for _, event in self._poll.poll(seconds * 1000):
            if not (event & select.POLLIN and os.read(self._notices, 4096)):
                self.is_gone = True
                self._poll.unregister(self._notices)

    def has_leftovers(self) -> bool:
        """Whether a process that an earlier script left running is a child of the launcher."""
        if self.claim is None:
            return False
        pid = self.claim.launcher.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return True  # it died, or this kernel has no such file
        worker = str(self.claim.worker.pid)
        return any(child != worker and _is_of_script(int(child)) for child in children)

    def close(self) -> None:
        """Close the pipes: the warm worker ends, and the launcher with it; a running script ends first."""
        self.is_gone = True
        while self._descriptors:
            os.close(self._descriptors.pop())


def _is_of_script(pid: int) -> bool:
    """Whether a child of a launcher is neither its worker nor a process that is about to become one or to end."""
    words = command_line(pid)
    if not words:
        return False
    if words == [b""]:
        return stat_process(pid) is not None
    own = (os.fsencode(_HERE / "launcher.sh"), os.fsencode(_HERE / "session.sh"))
    return not any(word in own for word in words[1:3])
