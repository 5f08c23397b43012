"""A complete host: the coordinator, two containers of one compose file, and a Python application."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_registry import ImageRegistry
from images import REMOTE
from installed_host import COMMAND, REQUESTS, STATUS, UNIT, InstalledHost
from machine import Machine

from tests.support.polling import wait_until

COMPOSE = "/opt/dunebugger/docker-compose.yml"
TOKEN_FILE = "/etc/dunebugger/token"  # noqa: S105  a path
TOKEN = "token-of-the-system-tests"  # noqa: S105  used in tests only
SCHEDULER = "dunebugger/scheduler"
CORE_UNIT = "dunebugger-core.service"
ANSWER_DEADLINE_S = 180.0
_CORE_UNIT_TEXT = """\
[Unit]
Description=DuneBugger core
[Service]
ExecStart=/opt/dunebugger/core/current/venv/bin/python /opt/dunebugger/core/current/app.py
Restart=on-failure
RestartSec=1
[Install]
WantedBy=multi-user.target
"""
_SHORT_WAITS = {"STABLE_S": "2", "HEALTH_TIMEOUT_S": "20"}


class ProvisionedHost(InstalledHost):
    """Actions of the operator and the containers, and inspection of their results."""

    def __init__(self, machine: Machine, registry: ImageRegistry, core_port: int) -> None:
        """Use a machine, running or off, whose core serves on ``core_port``."""
        super().__init__(machine)
        self.registry = registry
        self.core_url = f"http://127.0.0.1:{core_port}/"
        self.disk = machine.disk.root

    # -- provisioning, once per session; the tests use copies of the disk ----------------------------------------

    def provision(self, api: str) -> None:
        """Install the coordinator with the packaged scripts, and release 1.0.0 of every component."""
        self.install(checkout="/mnt/checkout")
        self.write_compose_file()
        for component, repository in (("remote", REMOTE), ("scheduler", SCHEDULER)):
            self.configure(component, IMAGE=self.registry.name(repository, "").rstrip(":"), **_SHORT_WAITS)
        self.configure(
            "core",
            API=api,
            REPOSITORY="owner/app",
            ASSET='"app-{version}.tar.gz"',
            HEALTH_URL=self.core_url,
            **_SHORT_WAITS,
        )
        self.machine.write(f"/etc/systemd/system/{CORE_UNIT}", _CORE_UNIT_TEXT)
        self.sh(f"systemctl daemon-reload; systemctl enable {CORE_UNIT}; docker-compose -f {COMPOSE} up -d")
        final = self.submit_and_wait("core", "update", "1.0.0")
        assert final["success"], final

    def write_compose_file(self, remote: str = REMOTE, more: Mapping[str, str] | None = None) -> None:
        """Write the packaged compose file with this registry's images and this host's group, and its token file.

        Docker has no bridge on these machines: the containers use the machine's network and publish no port.

        Args:
            remote: the repository of the image of remote.
            more: additional replacements, old text to new text.
        """
        group = self.sh("getent group dunebugger | cut -d: -f3").strip()
        edits = {
            "ghcr.io/marco-svitol/dunebugger-remote:1.0.0": self.registry.name(remote, "1.0.0"),
            "ghcr.io/marco-svitol/dunebugger-scheduler:1.0.0": self.registry.name(SCHEDULER, "1.0.0"),
            '- "995"': f'- "{group}"',
            "    restart: unless-stopped\n": "    restart: unless-stopped\n    network_mode: host\n",
            '    ports: ["8080:8080"]\n': "",
        }
        text = self.machine.read("/mnt/checkout/packaging/docker-compose.yml")
        for old, new in {**edits, **(more or {})}.items():
            assert old in text, f"the example does not contain {old!r}"
            text = text.replace(old, new)
        self.machine.write(COMPOSE, text)
        self.machine.write(TOKEN_FILE, f"{TOKEN}\n", 0o640)
        self.sh(f"chown root:10001 {TOKEN_FILE}")

    def configure(self, component: str, **keys: str) -> None:
        """Append keys to a component.env, where the last value of a key takes precedence."""
        path = f"/opt/dunebugger/{component}/component.env"
        lines = "".join(f"{key}={value}\n" for key, value in keys.items())
        self.machine.write(path, self.machine.read(path) + lines)

    # -- requests ------------------------------------------------------------------------------------------------

    def submit(self, component: str, action: str, version: str = "", request_id: str = "") -> str:
        """Write a request file, and return the request id."""
        request_id = request_id or f"{component}-{action}-{uuid.uuid4().hex[:8]}"
        fields = {
            "component": component,
            "action": action,
            "request_id": request_id,
            "timestamp": "2026-01-16T10:30:00Z",
        }
        text = json.dumps(fields | ({"version": version} if version else {}))
        script = f'cat > {REQUESTS}/.new; mv {REQUESTS}/.new "{REQUESTS}/$1.json"'
        self.machine.run("sh", "-euc", script, "sh", request_id, input=text)
        return request_id

    def wait_for_answer(self, request_id: str) -> dict[str, Any]:
        """Wait for the answer, and return it without removing it."""
        path = self.disk / STATUS.lstrip("/") / f"{request_id}.json"
        wait_until(path.exists, lambda: f"the answer to {request_id}\n{self.explain(request_id)}", ANSWER_DEADLINE_S)
        return json.loads(path.read_text())

    def submit_and_wait(self, component: str, action: str, version: str = "") -> dict[str, Any]:
        """Submit a request and return its answer."""
        return self.wait_for_answer(self.submit(component, action, version))

    def wait_for_phase(self, request_id: str, phase: str, attempt: int = 1) -> None:
        """Wait until a script reports ``phase``, by its output file, which is faster than the progress file."""
        path = self.run_folder(request_id, attempt) / "stdout"
        line = f"PHASE:{phase}\n"
        end = time.monotonic() + ANSWER_DEADLINE_S
        while not (path.exists() and line in path.read_text(errors="replace")):
            assert time.monotonic() < end, f"no phase {phase} of {request_id}\n{self.explain(request_id)}"
            time.sleep(0.001)

    def run_folder(self, request_id: str, attempt: int = 1) -> Path:
        """The run directory of an attempt."""
        return self.disk / "var/lib/dunebugger/update-coordinator/runs" / request_id / str(attempt)

    def explain(self, request_id: str) -> str:
        """Output of ``update-coordinator explain``, for failure messages."""
        if not self.machine.is_on():
            return "(the machine is off)"
        return self.machine.run(COMMAND, "explain", request_id, check=False).stdout

    # -- inspection ----------------------------------------------------------------------------------------------

    def running_version(self, service: str = "remote") -> tuple[str, str]:
        """Version of the image of the service's container, and the container's state."""
        format_ = "{{.Config.Image}} {{.State.Status}}"
        image, state = self.machine.docker("inspect", "--format", format_, f"dunebugger-{service}").split()
        return image.rpartition(":")[2], state

    def container(self, service: str = "remote") -> str:
        """Id and start time of the container; they change if it is replaced or restarted."""
        return self.machine.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", f"dunebugger-{service}")

    def compose_file_version(self, service: str = "remote") -> str:
        """The version that the compose file names."""
        lines = self.machine.read(COMPOSE).splitlines()
        return next(line for line in lines if f"/{service}:" in line and "image:" in line).rpartition(":")[2]

    def core_version(self) -> str:
        """The version that the application reports."""
        return self.sh(f"curl --fail --silent {self.core_url}").split()[0]

    def core_release(self) -> str:
        """The release that the link ``current`` points to."""
        return self.sh("basename $(readlink /opt/dunebugger/core/current)").strip()

    def wait_for_restart(self, before: str) -> None:
        """Wait until a coordinator process other than ``before`` is active."""
        wait_until(lambda: self.main_pid() not in ("0", before), "a new coordinator process")
        self.wait_for_service()

    def wait_for_service(self) -> None:
        """Wait until the coordinator is active."""
        wait_until(self.is_active, lambda: f"{UNIT} to be active\n{self.machine.journal(UNIT)[-4000:]}")
