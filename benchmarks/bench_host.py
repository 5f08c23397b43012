"""A host to measure: directories on a real disk, components with scripts, and the real daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import proc_stats

ROOT = Path(__file__).resolve().parents[1]
SH, SYSTEMD = "sh", "systemd"  # the executors
HEALTH = "health-check.sh"
COMPONENTS = ("core", "scheduler", "remote")  # each with its own lock
HEALTHY = '#!/bin/bash\necho "healthy"\n'
STAMP = "2026-01-16T10:30:00Z"
POLL_S = 0.00002  # polling period of a waiting client; about 70 µs in practice
_READY_S = 120.0
_STOP_S = 60.0


class BenchHost:
    """Directories, and a coordinator that runs on them between ``start`` and ``stop``."""

    def __init__(self, root: Path, executor: str, scripts: dict[str, str] | None = None) -> None:
        """Create the directories, scripts and configuration; no process runs yet.

        Args:
            root: a new directory; removed at the end of the context.
            executor: ``execution.executor`` of its coordinator.
            scripts: component → the text of its health-check.sh.
        """
        self.root = root
        self.requests, self.status, self.state = root / "requests", root / "status", root / "state"
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self._log = root / "stderr.log"
        for folder in (self.requests, self.status, self.state):
            folder.mkdir(parents=True)
        lines = ["[paths]"]
        lines += [f"{name} = {json.dumps(str(root / name))}" for name in ("requests", "status", "state")]
        lines += [f"log_file = {json.dumps(str(root / 'coordinator.log'))}"]
        lines += ["[execution]", "stop_timeout_s = 5", f"executor = {json.dumps(executor)}"]
        for component, text in (scripts or dict.fromkeys(COMPONENTS, HEALTHY)).items():
            lines += [f"[components.{component}]", f"directory = {json.dumps(str(self.directory(component)))}"]
            self.directory(component).mkdir(parents=True)
            for name in (HEALTH, "update.sh", "rollback.sh"):
                script = self.directory(component) / name
                script.write_text(text, encoding="utf-8")
                script.chmod(0o755)
        self.configuration = root / "update-coordinator.toml"
        self.configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def directory(self, component: str) -> Path:
        """The directory of a component's scripts."""
        return self.root / "components" / component

    # -- the daemon --------------------------------------------------------------------------------------------

    def start(self) -> float:
        """Start the coordinator; returns the seconds until it prints "ready".

        Raises:
            RuntimeError: it exited, or is not ready in time.
        """
        begun = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "coordinator", "run", "--config", str(self.configuration)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid
        with self._log.open("rb") as log:
            seen = b""
            while b" ready" not in seen:
                seen = seen[-16:] + log.read()
                if self._process.poll() is not None or time.perf_counter() - begun > _READY_S:
                    raise RuntimeError(f"cannot start the coordinator; the end of its log:\n{self.tail()}")
                time.sleep(0.001)
        return time.perf_counter() - begun

    def stop(self) -> None:
        """Stop the coordinator and end its child processes."""
        if self._process is None:
            return
        members = {pid: proc_stats.start_ticks(pid) for pid in proc_stats.process_tree(self.pid)}
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        proc_stats.end(members)

    def kill(self) -> None:
        """Kill the coordinator and its child processes, as a power cut does."""
        if self._process is None:
            return
        members = {pid: proc_stats.start_ticks(pid) for pid in proc_stats.process_tree(self.pid)}
        self._process.kill()
        self._process.wait()
        self._process = None
        proc_stats.end(members, grace_s=0)

    def has_ended(self) -> bool:
        """Whether the coordinator has exited."""
        return self._process is None or self._process.poll() is not None

    def tail(self) -> str:
        """The end of the coordinator's log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])

    # -- the client --------------------------------------------------------------------------------------------

    def write_request(self, component: str, *, request_id: str = "", publish: bool = True) -> str:
        """Write a health request as a client does: a complete temporary file, then a rename."""
        self._count += 1
        request_id = request_id or f"r-{self._count:07d}"
        content = {"component": component, "action": "health", "request_id": request_id, "timestamp": STAMP}
        temporary = self.requests / f".{request_id}.json.tmp"
        temporary.write_bytes(json.dumps(content).encode())
        if publish:
            temporary.rename(self.requests / f"{request_id}.json")
        return request_id

    def submit_and_wait(self, component: str, *, timeout_s: float = 60.0) -> float:
        """Submit a health request; returns the seconds from the rename until its answer is readable."""
        request_id = self.write_request(component, publish=False)
        temporary, request = self.requests / f".{request_id}.json.tmp", str(self.requests / f"{request_id}.json")
        answer = str(self.status / f"{request_id}.json")
        begun = time.perf_counter()
        temporary.rename(request)
        while not _exists(answer):
            if time.perf_counter() - begun > timeout_s or self.has_ended():
                raise RuntimeError(f"cannot get an answer to {request_id}; the end of the log:\n{self.tail()}")
            time.sleep(POLL_S)
        seconds = time.perf_counter() - begun
        status = self.take(request_id)
        if not status["success"]:
            raise RuntimeError(f"{request_id} failed: {status}\n{self.tail()}")
        while _exists(request):  # the work after an answer must not be measured with the next request
            time.sleep(0.0005)
        return seconds

    def take(self, request_id: str) -> dict[str, Any]:
        """Read an answer and delete it."""
        path = self.status / f"{request_id}.json"
        status: dict[str, Any] = json.loads(path.read_bytes())
        path.unlink()
        return status

    def answered(self) -> int:
        """The number of final statuses."""
        with os.scandir(self.status) as entries:
            return sum(
                entry.name.endswith(".json")
                and not entry.name.endswith(".progress.json")
                and not entry.name.startswith(".")
                for entry in entries
            )

    def wait_for_answers(self, count: int, *, timeout_s: float, pause_s: float) -> bool:
        """Wait until there are ``count`` answers; returns whether they arrived in time."""
        deadline = time.perf_counter() + timeout_s
        while self.answered() < count:
            if time.perf_counter() > deadline or self.has_ended():
                return False
            time.sleep(pause_s)
        return True


def _exists(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116  the cheapest check
    except FileNotFoundError:
        return False
    return True
