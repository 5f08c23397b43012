"""A host folder with two components, their packaged scripts, and their common compose file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from compose import Compose

SCRIPTS = Path(__file__).parents[3] / "packaging" / "component-scripts"
COMPOSE = """\
# a comment of the operator
version: "2.4"
services:
  remote:   # the web page
    image: '{registry}/remote:1.0.0'   # set by updates
    network_mode: none
    restart: unless-stopped
    stop_grace_period: 2s
    labels: {{ note: "a: b # c" }}
  scheduler:
    image: {registry}/scheduler:1.0.0
    network_mode: none
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ContainerHost:
    """Runs the scripts like the coordinator, and inspects the result."""

    def __init__(self, folder: Path, engine, registry, compose: Compose) -> None:
        self.folder = folder
        self.engine = engine
        self.registry = registry
        self._compose = compose
        self.compose_file = folder / "docker-compose.yml"
        self.compose_file.write_text(COMPOSE.format(registry=registry.name))
        for name in ("remote", "scheduler"):
            shutil.copytree(SCRIPTS / name, folder / name)
            self.settings(name)
        self.extra = {}
        self._number = 0

    def settings(self, name, **more):
        """Write a component.env."""
        keys = {
            "LIBRARY": SCRIPTS / "library", "PYTHON": sys.executable, "COMPOSE_YAML": self.compose_file,
            "SERVICE": name, "IMAGE": f"{self.registry.name}/{name}", "TAG": "{version}", "STABLE_S": 4,
            "HEALTH_TIMEOUT_S": 20, "BACKUPS": 3, "DOCKER_WAIT_S": 2, "LOCK_WAIT_S": 30,
        } | more  # fmt: skip
        text = "".join(f"{key}='{value}'\n" for key, value in keys.items())
        (self.folder / name / "component.env").write_text(text)

    def compose(self, *arguments):
        """Run ``docker compose ARGUMENT...`` like the operator."""
        done = subprocess.run(
            [*self._compose.command, "-f", str(self.compose_file), *arguments],
            env=self._environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self, more):
        """The environment that the coordinator gives a script, with the address of the test engine."""
        return self._environment() | more | self.extra

    def _environment(self):
        host = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "DOCKER_HOST": self.engine.host}
        return host | self._compose.environment

    def update(self, version, *, request="", component="remote"):
        """Run update.sh; the result has the request id as ``request``."""
        return self._run(component, "update.sh", [version], request or self.next_id(), version=version)

    def rollback(self, of, *, component="remote"):
        """Run rollback.sh of a request."""
        return self._run(component, "rollback.sh", [], self.next_id(), of=of)

    def health(self, component="remote"):
        """Run health-check.sh."""
        return self._run(component, "health-check.sh", [], self.next_id())

    def next_id(self):
        """A new request id."""
        self._number += 1
        return f"request-{self._number}"

    def kill_in_phase(self, script, arguments, more, *, phase, after_s):
        """Run a script and kill its process group ``after_s`` seconds after it reports ``phase``."""
        with subprocess.Popen(
            [str(self.folder / "remote" / script), *arguments], cwd=self.folder / "remote",
            env=self.environment(more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        ) as running:  # fmt: skip
            lines = []
            for line in running.stdout:
                lines.append(line)
                if line == f"PHASE:{phase}\n":
                    time.sleep(after_s)
                    os.killpg(running.pid, signal.SIGKILL)
                    break
            else:
                raise AssertionError(f"no phase {phase}: {''.join(lines)}")
        return "".join(lines)

    def _run(self, component, script, arguments, request, *, version="", of=""):
        folder = self.folder / component
        action = {"update.sh": "update", "rollback.sh": "rollback"}.get(script, "health")
        more = {
            "UPDATE_REQUEST_ID": request, "UPDATE_COMPONENT": component, "UPDATE_ACTION": action,
            "UPDATE_VERSION": version, "UPDATE_ROLLBACK_OF": of or (request if action == "update" else ""),
        }  # fmt: skip
        done = subprocess.run(
            [str(folder / script), *arguments], cwd=folder, env=self.environment(more), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        done.request = request
        return done

    def containers(self, service="remote"):
        """Name, image name, image id and state of each container of a service."""
        ids = self._ids(service)
        found = json.loads(self.engine.out("inspect", *ids)) if ids else []
        return [(one["Name"], one["Config"]["Image"], one["Image"], one["State"]["Status"]) for one in found]

    def started_at(self, service="remote"):
        """Id and start time of the service's only container; they change if it is replaced or restarted."""
        return self.engine.out("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *self._ids(service))

    def health_of(self, service="remote"):
        """Health state of the service's only container."""
        return self.engine.out("inspect", "--format", "{{.State.Health.Status}}", *self._ids(service))

    def _ids(self, service):
        labels = {"service": service, "project": self.folder.name}
        filters = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        return self.engine.out("ps", "-aq", "--no-trunc", *filters).split()

    def image_id(self, image):
        """Id of the image that a name refers to; empty if there is none."""
        done = self.engine.run("image", "inspect", "--format", "{{.Id}}", image, check=False)
        return done.stdout.decode().strip()

    def snapshot(self):
        """The compose file, the containers and the image id, which a rolled back update must restore."""
        before = self.compose_file.read_bytes()
        return before, self.containers(), self.containers("scheduler"), self.image_id(self.file_image())

    def file_image(self, service="remote"):
        """The image that the compose file names, found without a YAML parser."""
        line = next(one for one in self.compose_file.read_text().splitlines() if f"/{service}:" in one)
        return line.split("image:")[1].split("#")[0].strip().strip("'\"")
