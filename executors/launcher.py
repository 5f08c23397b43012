"""The small shell that starts scripts in the coordinator's stead, itself started through ``sh``.

Forking the daemon costs 3 to 5 ms per script. A launcher costs that once: it keeps a parked session waiting, which
needs only a line on its stdin to run. It is a child subreaper, so whatever a script starts, however it detaches
itself, stays a descendant of the launcher until that ends.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import select
import signal
from pathlib import Path
from typing import BinaryIO

import sh

from executors.interface import CannotStartError, ProcessId
from executors.processes import command_line, look

_HERE = Path(__file__).parent
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: the child must not take the loader's lock
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _detach() -> None:
    """In the forked child: leave the coordinator's session for init, as a subreaper with default signals."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:  # what is ignored stays so across exec
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Launcher:
    """One lane's launcher, and the two pipes that join it to us."""

    def __init__(self, runs: Path) -> None:
        """Start it, marked with the resolved folder of all ``runs``, for ``executors.shells`` to find it by.

        Raises:
            CannotStartError: no memory, processes or descriptors are left, or there is no /bin/sh.
            OSError: likewise.
        """
        self.identity: ProcessId | None = None  # a session that claims a run tells its own and this
        self.session: ProcessId | None = None
        self.run: Path | None = None
        self.gone = False
        asked, self._ask = os.pipe()
        try:
            self._notice, notices = os.pipe()
        except OSError:
            os.close(asked)
            os.close(self._ask)
            raise
        self._ours = [self._ask, self._notice]
        try:
            with open(asked, "rb") as stdin, open(notices, "wb") as stdout:  # noqa: PTH123  descriptors
                self._start(stdin, stdout, runs)
        except BaseException:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._notice, select.POLLIN)

    @staticmethod
    def _start(stdin: BinaryIO, stdout: BinaryIO, runs: Path) -> None:
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
            with Path(os.devnull).open("wb") as nowhere:
                sh.Command("/bin/sh")(
                    str(_HERE / "launcher.sh"),
                    str(_HERE / "session.sh"),
                    str(runs),
                    _in=stdin,
                    _out=stdout,
                    _err=nowhere,
                    _cwd="/",
                    _env={"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"},
                    _preexec_fn=_detach,
                    _close_fds=True,
                    _tty_out=False,
                )
        except KeyError as error:  # also when /etc/passwd could not be read: the C library does not tell the two apart
            raise CannotStartError(f"cannot find the home of user {os.geteuid()} in /etc/passwd") from error
        except sh.ForkException as error:  # in words a whole traceback, of the child's
            last = str(error).strip().rpartition("\n")[2].strip()
            raise CannotStartError(f"cannot start /bin/sh: {last}; is the machine out of memory?") from error
        except (sh.ErrorReturnCode, sh.CommandNotFound, RuntimeError) as error:  # the last: no thread
            raise CannotStartError(f"cannot start /bin/sh: {error}; is the machine out of memory?") from error

    def ask(self, run: Path) -> None:
        """Have the parked session, or the next one, run what the directory ``run`` says.

        Raises:
            BrokenPipeError: the launcher and its session are gone.
        """
        os.write(self._ask, os.fsencode(run) + b"\n")  # shorter than PIPE_BUF: whole or not at all
        self.run = run

    def pause(self, seconds: float) -> None:
        """Sleep until something happened, at most ``seconds``; sets ``gone`` when nobody can tell us any more."""
        for _, event in self._poll.poll(seconds * 1000):
            if not (event & select.POLLIN and os.read(self._notice, 4096)):
                self.gone = True
                self._poll.unregister(self._notice)

    def is_burdened(self) -> bool:
        """Whether something an earlier script left behind still lives below the launcher."""
        if self.identity is None:
            return False
        pid = self.identity.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return True  # it died, or this kernel does not tell
        parked = str(self.session.pid) if self.session else ""
        return any(child != parked and _is_foreign(int(child)) for child in children)

    def close(self) -> None:
        """Let go: the parked session ends, and the launcher with it; a running session ends first."""
        self.gone = True
        while self._ours:
            os.close(self._ours.pop())


def _is_foreign(pid: int) -> bool:
    """Whether a child of a launcher is neither its parked session nor one about to become that or to end."""
    words = command_line(pid)
    if not words:
        return False
    if words == [b""]:
        return look(pid) is not None
    ours = (os.fsencode(_HERE / "launcher.sh"), os.fsencode(_HERE / "session.sh"))
    return not any(word in ours for word in words[1:3])
