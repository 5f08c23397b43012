"""A virtual host with its own systemd and Docker engine, whose power can be cut."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from cgroup import ControlGroup
from disk import DOCKER, Disk

from tests.support.polling import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
CHECKOUT = "/mnt/checkout"  # its path in a machine
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
# Joins the control groups before "--", then executes the command after it.
_JOIN_GROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'
_NSPAWN_RUN = Path("/run/systemd/nspawn")
_BOOT_DEADLINE_S = 120.0
_STOP_DEADLINE_S = 120.0


class Machine:
    """systemd in its own namespaces (systemd-nspawn), on a disk that survives power cuts.

    The machine shares the network of the outer machine. A power cut loses its /tmp and /run, as on most hosts. Boot it
    from the main thread: the machine ends with the thread that booted it, and so with the tests, even when killed.
    """

    def __init__(self, folder: Path, stock: Disk | None = None, binds: Mapping[Path, str] | None = None) -> None:
        """Create the machine, powered off.

        Args:
            folder: a new folder for its disk.
            stock: the disk to copy; without it, a fresh Debian with the programs of /.
            binds: folders of the outer machine and their paths in the machine, read-only.
        """
        self.name = f"dunebugger-{uuid.uuid4().hex[:8]}"
        self.disk = Disk(folder, stock)
        self._binds = [f"--bind-ro={outside}:{inside}" for outside, inside in (binds or {}).items()]
        self._group = ControlGroup(self.name)
        self.groups = self._group.folders
        self._console = folder / "console"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self.leader = 0  # outer process id of its first process

    def boot(self) -> None:
        """Boot, and wait until all enabled services, including Docker, have started or failed."""
        assert not self.is_on(), f"cannot boot {self.name}: it is on"
        self._group.create()
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                self._command(),
                # cgroup v2 as on Debian 12; under v1 the controllers are read-only, and Docker must create groups.
                env=_ENVIRONMENT | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # Ctrl-C reaches only the tests, which close the machine
            )
        try:
            self.leader = wait_until(self._find_leader, "a first process")
            wait_until(self._has_started, "a booted system", _BOOT_DEADLINE_S)
        except BaseException as error:
            found = self.diagnostics()
            self.cut_power()
            raise AssertionError(f"cannot boot {self.name}: {error}\n{found}") from error

    def _command(self) -> list[str]:
        return [
            # When the tests end, TERM makes systemd-nspawn shut the machine down; KILL would leave its processes.
            *("setpriv", "--pdeathsig=TERM", "sh", "-c", _JOIN_GROUPS, "sh", *map(str, self.groups), "--"),
            *("systemd-nspawn", f"--directory={self.disk.root}", f"--machine={self.name}"),
            *("--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--boot"),
            *("--resolv-conf=off", "--timezone=off"),  # the disk has those of /
            # runc creates a key ring per container, and a BPF program as the device filter of cgroup v2.
            "--system-call-filter=@keyring bpf",
            # dockerd configures container networks. systemd-nspawn drops this capability when the network is shared.
            "--capability=CAP_NET_ADMIN",
            # Docker's layers are overlays, which cannot be on the root overlay.
            f"--bind={self.disk.docker}:{DOCKER}",
            *self._binds,
        ]

    def _find_leader(self) -> int:
        """The child of systemd-nspawn in another PID namespace; another child exists briefly."""
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended with {self._nspawn.returncode}")
        ours = Path("/proc/self/ns/pid").readlink()
        pid = self._nspawn.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return next((int(child) for child in children if Path(f"/proc/{child}/ns/pid").readlink() != ours), 0)
        except OSError:
            return 0

    def _has_started(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended with {self._nspawn.returncode}")
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in {"running", "degraded"}

    def is_on(self) -> bool:
        """Return whether the machine is running."""
        return self._nspawn is not None and self._nspawn.poll() is None

    def exists(self) -> bool:
        """Return whether the machine is not closed."""
        return os.path.ismount(self.disk.folder)

    def pids(self) -> set[int]:
        """The ids of all of its processes in the outer PID namespace."""
        found = (path.read_text().split() for group in self.groups for path in group.rglob("cgroup.procs"))
        return {int(pid) for pids in found for pid in pids}

    def cut_power(self) -> None:
        """Kill all of its processes at once; the disk keeps what was written."""
        assert self._nspawn is not None
        self._group.kill()
        self._await_end()

    def shut_down(self) -> None:
        """Shut down cleanly."""
        self.run("systemctl", "poweroff", check=False)  # the command may be killed by the shutdown
        self._await_end()

    def reboot(self) -> None:
        """Shut down cleanly and boot."""
        self.shut_down()
        self.boot()

    def _await_end(self) -> None:
        assert self._nspawn is not None
        try:
            self._nspawn.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            found = self.diagnostics()
            self._nspawn.kill()
            self._nspawn.wait()
            raise AssertionError(f"{self.name} has not stopped in {_STOP_DEADLINE_S:g} s\n{found}") from None
        finally:
            self.leader = 0
            self._group.remove()
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Remove the leftovers of systemd-nspawn when /run is not a tmpfs."""
        at = self.disk.root.stat()
        (_NSPAWN_RUN / f"locks/inode-{at.st_dev}:{at.st_ino}").unlink(missing_ok=True)
        for kind in ("propagate", "unix-export"):
            folder = _NSPAWN_RUN / kind / self.name
            if folder.is_mount():  # unix-export, from systemd 256 on
                subprocess.run(["umount", folder], check=True)
            if folder.is_dir():
                folder.rmdir()

    def close(self) -> None:
        """Cut the power if it is running, and remove its disk."""
        if not self.exists():
            return
        if self._nspawn is not None:
            self.cut_power()
        self.disk.remove()

    def run(
        self,
        *command: str,
        check: bool = True,
        input: str | bytes = b"",  # noqa: A002 - as in subprocess
        timeout: float = 120.0,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine, as root with a clean environment, and wait for its end.

        Args:
            command: the program and its arguments.
            check: fail unless it exits with 0.
            input: its standard input.
            timeout: seconds until it is killed and the test fails.
            env: additional environment variables.
        """
        assert self.is_on(), f"cannot run {command} on {self.name}: it is not running"
        assert self.leader
        variables = [f"{name}={value}" for name, value in (_ENVIRONMENT | dict(env or {})).items()]
        argv = ["nsenter", "--target", str(self.leader), "--all", "--wdns=/", "env", "-i", *variables, *command]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
            try:
                raw = process.communicate(input.encode() if isinstance(input, str) else input, timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # also the child of nsenter, which has the pipes open
                raise AssertionError(f"{command} has not ended in {timeout:g} s on {self.name}") from None
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        out, err = (text.decode(errors="replace") for text in raw)
        done = subprocess.CompletedProcess(command, process.returncode, out, err)
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}\n{out}{err}"
        return done

    def sh(self, text: str, **options) -> str:
        """Run an sh script, and return its standard output. The options are those of ``run``."""
        return self.run("sh", "-euc", text, **options).stdout

    def read(self, path: str) -> str:
        """The content of a file."""
        return self.run("cat", path).stdout

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file, and create missing parent folders."""
        script = 'mkdir -p "${1%/*}/"; cat > "$1"; chmod "$2" "$1"'
        self.run("sh", "-euc", script, "sh", path, f"{mode:o}", input=content)

    def boot_id(self) -> str:
        """The kernel's boot id."""
        return self.read("/proc/sys/kernel/random/boot_id").strip()

    def docker(self, *arguments: str, **options) -> str:
        """Run ``docker``, and return its output. The options are those of ``run``."""
        return self.run("docker", *arguments, **options).stdout.strip()

    def journal(self, unit: str | None = None) -> str:
        """The system journal of all boots, or of one unit; also available when the machine is off."""
        journal = f"--directory={self.disk.root}/var/log/journal"
        chosen = ["--unit", unit] if unit else []
        return subprocess.run(
            ["journalctl", journal, "--no-pager", "--output=short-precise", *chosen], capture_output=True, text=True
        ).stdout

    def diagnostics(self) -> str:
        """The last lines of console and journal, for failure messages."""
        parts = {"console": self._console.read_text(errors="replace"), "journal": self.journal()}
        return "\n".join(
            f"--- {name} of {self.name}\n" + "\n".join(text.splitlines()[-100:]) for name, text in parts.items()
        )
