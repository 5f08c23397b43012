"""Measurements of the container side: latency of a request and of an answer, and its memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import proc_stats
from bench_host import COMPONENTS, ROOT
from results import Row
from websockets.sync.client import ClientConnection, connect

from protocol.messages import FinalStatus
from protocol.outbox import Outbox
from protocol.types import Action, State

sys.path.append(str(ROOT / "packaging" / "demo"))

from release_server import ACCOUNT, Published, ReleaseServer

_READY = b"ready on http://127.0.0.1:"
_READY_S = 120.0
_LATENCY_MS = 20
_RESIDENT_MB = 80
_POLL_S = 0.0001
_AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def container_side(root: Path, *, quick: bool) -> list[Row]:
    """A server with three repositories and a client; the coordinator is simulated, so that it is not measured."""
    rounds = 20 if quick else 200
    releases = {name: [Published("1.1.0", "notes"), Published("1.0.0", "notes")] for name in COMPONENTS}
    with ExitStack() as stack:
        server = stack.enter_context(ReleaseServer(releases))
        process = stack.enter_context(_ServeProcess(root / "serving", server.url))
        client = process.client(stack)
        _expect(client, "update_check_result")
        before = server.answered.copy()
        _send(client, "updater.check_updates", {"force": True})
        _expect(client, "update_check_result")
        responses = server.answered - before
        requests, answers, floors = [], [], []
        for _ in range(rounds):
            request, answer = process.update(client)
            requests.append(request)
            answers.append(answer)
            floors.append(process.floor())
        resident, highest = proc_stats.memory_mb(process.pid)
    floor = statistics.median(floors) * 1000
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(responses.items()))
    return [
        Row(
            "serve: perform_update message → request file; p50",
            statistics.median(requests) * 1000,
            "ms",
            limit=_LATENCY_MS,
        ),
        Row("serve: final status → update_result; p50", statistics.median(answers) * 1000, "ms", limit=_LATENCY_MS),
        Row("serve: floor of both: write, fsync, rename, fsync; p50", floor, "ms", note=f"{rounds} rounds"),
        Row("serve: resident memory", resident, "MB", limit=_RESIDENT_MB, note=f"peak {highest:.1f} MB"),
        Row("serve: 304 responses of a check without changes", responses[304], "", limit=3, at_least=True, note=counts),
        Row("serve: responses of that check in total", responses.total(), "", limit=3),
    ]


class _ServeProcess:
    """The container side as a process, on its own directories."""

    def __init__(self, root: Path, api: str) -> None:
        self.pid = 0
        self._requests, self._status = root / "requests", root / "status"
        self._outbox = Outbox(self._status)
        self._log = root / "log"
        self._configuration = root / "remote.toml"
        for folder in (self._requests, self._status):
            folder.mkdir(parents=True)
        sections: dict[str, dict[str, Any]] = {
            "paths": {"requests": str(self._requests), "status": str(self._status), "state": str(root / "state")},
            "server": {"port": 0, "messages_per_s": 10000},
            "releases": {"api": api, "account": ACCOUNT},
            "nats": {"url": "nats://127.0.0.1:9"},  # no server, so no health check after each update
        }
        for name in COMPONENTS:
            version = root / name
            version.write_text("1.0.0\n", encoding="utf-8")
            sections[f"components.{name}"] = {"repository": name, "installed": "version_file", "path": str(version)}
        lines = []
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        self._configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "remote", "serve", "--config", str(self._configuration)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = self._process.pid
        end = time.monotonic() + _READY_S
        while _READY not in self._log.read_bytes():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"cannot measure serve:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def client(self, stack: ExitStack) -> ClientConnection:
        """Connect a WebSocket client."""
        port = int(self._log.read_bytes().partition(_READY)[2].split()[0])
        return stack.enter_context(connect(f"ws://127.0.0.1:{port}/ws", proxy=None, compression=None))

    def update(self, client: ClientConnection) -> tuple[float, float]:
        """Run one update with an immediate answer; returns the seconds of the request and of the answer."""
        begun = time.perf_counter()
        _send(client, "updater.perform_update", {"component": "remote"})
        while not (found := list(self._requests.glob("*.json"))):
            time.sleep(_POLL_S)
        requested = time.perf_counter() - begun
        request_id = found[0].stem
        found[0].unlink()
        time.sleep(0.01)
        begun = time.perf_counter()
        self._outbox.publish(_final(request_id))
        _expect(client, "update_result")
        return requested, time.perf_counter() - begun

    def floor(self) -> float:
        """The seconds of writing one small file durably."""
        begun = time.perf_counter()
        self._outbox.publish(_final("floor"))
        seconds = time.perf_counter() - begun
        (self._status / "floor.json").unlink()
        return seconds


def _final(request_id: str) -> FinalStatus:
    return FinalStatus(
        request_id=request_id,
        component="remote",
        action=Action.UPDATE,
        version="1.1.0",
        success=False,
        state=State.ROLLED_BACK,
        reason=None,
        message="measured",
        output="",
        error="",
        exit_code=1,
        timestamp=_AT,
        started_at=_AT,
        finished_at=_AT,
    )


def _send(client: ClientConnection, subject: str, body: dict[str, Any]) -> None:
    client.send(json.dumps({"subject": subject, "body": body, "source": "bench"}))


def _expect(client: ClientConnection, subject: str) -> None:
    while json.loads(client.recv(_READY_S))["subject"] != subject:
        pass
