"""Run both sides on loopback, with sample components and a local release server: ``make demo-web``.

Runs until Ctrl-C. It acts as the container runtime: when the sample update of ``remote`` has installed another version,
it stops the page's server during the update and starts it as that version.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator_process import CoordinatorProcess
from prepare import COMPONENTS, FIRST_VERSION, prepare
from release_server import ACCOUNT, Published, ReleaseServer

from protocol.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path("var/demo-web").resolve()
_PORT = 8080
_READY = re.compile(rb"ready on (http://\S+)")
_READY_DEADLINE_S = 60.0
_POLL_INTERVAL_S = 0.1
_RELEASES = {
    "core": [
        Published(
            "1.1.0",
            "## Quieter at night\n\n- Lights **fade** instead of switching\n- Starts in half the time\n",
        ),
        Published("1.0.0", "The first release."),
    ],
    "scheduler": [
        Published(
            "2.0.0+broken",
            "This release is broken on purpose: its health check fails, and `1.0.0` is restored.\n",
        ),
        Published("1.0.0", "The first release."),
    ],
    "remote": [
        Published(
            "1.1.0",
            "This component serves this page. Its update replaces it **while it runs**: the page loses\n"
            "its connection, reconnects automatically, and shows the result.\n",
        ),
        Published("1.0.0", "The first release."),
    ],
}


class ServeProcess:
    """``dunebugger-remote serve`` as a child process that reports a given version."""

    def __init__(self, configuration: Path, log: Path) -> None:
        """Prepare the process; ``start`` starts it."""
        self._configuration = configuration
        self._log = log
        self._clock = SystemClock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, version: str) -> str:
        """Start the process as ``version``, and wait until it serves.

        Returns:
            The URL of the page.

        Raises:
            RuntimeError: the process exited, or was not ready after 60 s; the message has the end of its log.
        """
        with self._log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "remote", "serve", "--config", str(self._configuration)],
                env=os.environ | {"DUNEBUGGER_REMOTE_VERSION": version},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only the demo, which stops it
            )
        end = self._clock.monotonic() + _READY_DEADLINE_S
        while not (found := _READY.search(self._log.read_bytes()[begin:])):
            if self._process.poll() is not None or self._clock.monotonic() > end:
                raise RuntimeError(f"cannot serve the page; the log:\n{self._log.read_text(errors='replace')[-2000:]}")
            self._clock.sleep(_POLL_INTERVAL_S)
        return found[1].decode()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def _write_configuration(root: Path, api: str, port: int) -> Path:
    sections: dict[str, dict[str, object]] = {
        "paths": {"requests": str(root / "requests"), "status": str(root / "status"), "state": str(root / "remote")},
        "server": {"port": port},
        "releases": {"api": api, "account": ACCOUNT},
        "device": {"id": "demo", "location": "this computer"},
    }
    for name in COMPONENTS:
        version = {"installed": "version_file", "path": str(root / "components" / name / "installed" / "VERSION")}
        sections[f"components.{name}"] = {"repository": name} | (
            {"installed": "itself"} if name == "remote" else version
        )
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    path = root / "remote.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run(port: int, until: Callable[[], bool]) -> int:
    """Serve until ``until`` returns True.

    Returns:
        0 when the coordinator exited with 0, else 1.
    """
    clock = SystemClock()
    shutil.rmtree(ROOT, ignore_errors=True)
    configuration = prepare(ROOT)
    with ExitStack() as stack:
        releases = stack.enter_context(ReleaseServer(_RELEASES))
        coordinator = CoordinatorProcess(configuration, ROOT / "coordinator.log", clock)
        serve = ServeProcess(_write_configuration(ROOT, releases.url, port), ROOT / "remote.log")
        stack.callback(serve.stop)
        stack.callback(coordinator.stop)
        coordinator.start()
        installed = ROOT / "components" / "remote" / "installed" / "VERSION"
        version = FIRST_VERSION
        print(f"the page is at {serve.start(version)} (Ctrl-C stops it; logs are in {ROOT})", flush=True)
        while not until():
            present = installed.read_text(encoding="utf-8").strip()
            if present != version or not serve.is_alive():
                serve.stop()
                serve.start(version := present)
            clock.sleep(_POLL_INTERVAL_S)
        return 0 if coordinator.stop() else 1


def main() -> int:
    """Serve until Ctrl-C or SIGTERM."""
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda caught, _frame: stopped.append(caught))
    port = int(sys.argv[1]) if len(sys.argv) > 1 else _PORT
    with suppress(KeyboardInterrupt):
        return run(port, lambda: bool(stopped))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(str(error))
