"""A real host for one test: real directories, real bash scripts, the real coordinator as a child process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.polling import wait_until
from tests.support.server_process import DEADLINE_S, REPOSITORY, Sections, ServerProcess, write_toml

SCRIPTS = ("update.sh", "rollback.sh", "health-check.sh")
_POLL_S = 0.01


def stays(condition: Callable[[], Any], what: str, seconds: float) -> None:
    """Poll for ``seconds`` and assert that ``condition`` holds every time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what
        time.sleep(_POLL_S)


def request(request_id: str, action: str, component: str = "core", version: str | None = None) -> dict[str, Any]:
    """A well-formed request."""
    fields = {"component": component, "action": action, "request_id": request_id, "timestamp": "2026-01-02T03:04:05Z"}
    return fields | ({} if version is None else {"version": version})


class Host(ServerProcess):
    """All files of a coordinator, under one directory, and the coordinator itself."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "stderr.log")
        self.root = root
        self.requests = root / "requests"
        self.status = root / "status"
        self.state = root / "state"
        self.journal = self.state / "journal.db"
        self.log_file = root / "coordinator.log"
        self.runs_log = root / "runs.log"
        self.config = root / "coordinator.toml"
        self.sections: Sections = {
            "paths": {
                "requests": str(self.requests),
                "status": str(self.status),
                "state": str(self.state),
                "log_file": str(self.log_file),
            },
            "limits": {"settle_s": 0.3},
            "execution": {"stop_timeout_s": 30},
        }
        self.environment = dict(os.environ) | {
            "DOCKER_HOST": "unix:///nowhere"
        }  # the containers of the machine do not belong to this host
        self.start_arguments: tuple[str, ...] = ()
        self._restarts_left = 0
        for folder in (self.requests, self.status):
            folder.mkdir(mode=0o755)

    # -- files of the host ---------------------------------------------------------------------------------

    def component(self, name: str = "core", scripts: dict[str, str | None] | None = None, **settings: Any) -> Path:
        """Install a component; ``scripts`` maps file name → bash text, None for no file. Returns its directory."""
        directory = self.root / "components" / name
        directory.mkdir(mode=0o755, parents=True)
        for folder in (directory.parent, directory):
            folder.chmod(0o755)
        self.sections[f"components.{name}"] = {
            "directory": str(directory),
            "timeout_s": 60,
            "kill_grace_s": 1,
        } | settings
        for script in SCRIPTS:
            text = (scripts or {}).get(script, "")
            if text is not None:
                self.script(name, script, text)
        return directory

    def script(self, component: str, name: str, text: str = "") -> Path:
        """Write one script, which records its run and then executes ``text``."""
        path = self.root / "components" / component / name
        path.write_text(f'#!/bin/bash\necho "{name} $UPDATE_REQUEST_ID" >> {self.runs_log}\n{text}\n')
        path.chmod(0o755)
        return path

    def set(self, section: str, **values: Any) -> None:
        """Change settings before the start."""
        self.sections.setdefault(section, {}).update(values)

    def write_config(self) -> None:
        """Write the TOML file."""
        write_toml(self.config, self.sections)

    # -- the coordinator ---------------------------------------------------------------------------------------

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the coordinator without waiting for anything."""
        self.write_config()
        command = [sys.executable, "-m", "coordinator", "run", "--config", str(self.config), *self.start_arguments]
        return self.launch(command, self.environment)

    def start(self) -> None:
        """Start the coordinator and wait until it is ready."""
        process = self.spawn()
        wait_until(lambda: " ready" in self.log_since_start() or process.poll() is not None, f"ready\n{self.log()}")
        assert process.poll() is None, f"the coordinator exited with {process.returncode}\n{self.log()}"

    def start_supervised(self) -> None:
        """Start as systemd would: from now on, restart it whenever it exits with 1 during a wait."""
        self._restarts_left = 4
        self.spawn()
        self.expect(lambda: " ready" in self.log_since_start(), "ready")

    def memory_peak_kib(self) -> int:
        """VmHWM of the coordinator: its peak resident memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))

    def cli(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line."""
        self.write_config()
        return self.cli_raw(arguments[0], "--config", str(self.config), *arguments[1:], **options)

    def cli_raw(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one command without ``--config`` and without rewriting the configuration."""
        return subprocess.run(
            [sys.executable, "-m", "coordinator", *arguments],
            cwd=REPOSITORY,
            env=self.environment | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            **options,
        )

    def cli_process(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command of the command line, with pipes for its output and errors."""
        self.write_config()
        return subprocess.Popen(
            [sys.executable, "-m", "coordinator", arguments[0], "--config", str(self.config), *arguments[1:]],
            cwd=REPOSITORY,
            env=self.environment | {"COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # -- the client -------------------------------------------------------------------------------------

    def drop(self, name: str, content: bytes | dict[str, Any]) -> Path:
        """Create a file in ``requests/`` atomically."""
        path = self.requests / name
        temporary = self.requests / ".being-written"
        temporary.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        temporary.rename(path)
        return path

    def submit(self, request_id: str, action: str, component: str = "core", version: str | None = None) -> str:
        """Submit a well-formed request; updates get a version."""
        if action == "update" and version is None:
            version = "1.2.3"
        self.drop(f"{request_id}.json", request(request_id, action, component, version))
        return request_id

    def final(self, request_id: str) -> Path:
        """The path of a final status."""
        return self.status / f"{request_id}.json"

    def progress(self, request_id: str) -> dict[str, Any] | None:
        """The current progress; None without one."""
        try:
            return json.loads((self.status / f"{request_id}.progress.json").read_text())
        except FileNotFoundError:
            return None

    def answer(self, request_id: str) -> dict[str, Any]:
        """Wait for the final status, and for the removal of its request file."""
        self.expect(self.final(request_id).exists, f"the answer to {request_id}")
        answer = json.loads(self.final(request_id).read_text())
        self.expect(
            lambda: not os.path.lexists(self.requests / f"{request_id}.json"), f"{request_id}.json to be removed"
        )
        return answer

    def submit_and_wait(
        self, request_id: str, action: str, component: str = "core", version: str | None = None
    ) -> dict[str, Any]:
        """Submit a request and wait for its answer."""
        return self.answer(self.submit(request_id, action, component, version))

    def expect(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for ``condition``; fail at once, with the log, when the coordinator exits meanwhile."""

        def check() -> Any:
            met = condition()
            if not met and self.process is not None and self.process.poll() is not None:
                self._ended(self.process.returncode)
            return met

        wait_until(check, what)

    def _ended(self, code: int) -> None:
        if code != 1 or not self._restarts_left:
            raise AssertionError(f"the coordinator exited with {code}\n{self.log()[-6000:]}")
        self._restarts_left -= 1
        self.process = None
        self.spawn()

    # -- the scripts ----------------------------------------------------------------------------------

    def runs(self, request_id: str | None = None) -> list[str]:
        """The scripts that ran, in order: of one request, or all as ``script id``."""
        lines = self.runs_log.read_text().splitlines() if self.runs_log.exists() else []
        if request_id is None:
            return lines
        return [script for script, _, run_for in (line.partition(" ") for line in lines) if run_for == request_id]

    def await_run(self, script: str, request_id: str) -> None:
        """Wait until ``script`` has started for this request."""
        self.expect(lambda: script in self.runs(request_id), f"{script} of {request_id} to start")

    def script_processes(self) -> list[int]:
        """Live processes started by scripts: those whose working directory is a component's."""
        own = {os.getpid(), self.process.pid if self.process else 0}
        return [pid for pid in _pids() if pid not in own and self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        process = Path(f"/proc/{pid}")
        try:
            if process.joinpath("stat").read_text().rpartition(") ")[2].startswith("Z"):
                return False
            directory = str((process / "cwd").readlink())
            return directory.startswith(f"{self.root}/components/")
        except OSError:
            return False

    def end_scripts(self) -> None:
        """Kill every process that the scripts left, by pid."""

        def none_left() -> bool:
            left = self.script_processes()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return not left

        wait_until(none_left, "the scripts' processes to exit")

    def close(self) -> None:
        """Kill everything and remove the state directory."""
        self.kill()
        self.end_scripts()
        shutil.rmtree(self.state, ignore_errors=True)


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
