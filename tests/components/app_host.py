"""A folder with the packaged scripts of a Python application, and the application's service."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from artifact_server import ArtifactServer
from library_commands import SCRIPTS

from tests.support.free_port import free_port


class AppHost:
    """Run the scripts as the coordinator does, and inspect the result."""

    def __init__(self, folder: Path) -> None:
        self.server = ArtifactServer()
        self.port = free_port()
        self.folder = folder / "core"
        shutil.copytree(SCRIPTS / "core", self.folder)
        self._bin = folder / "bin"
        self._bin.mkdir()
        shutil.copy(Path(__file__).parent / "fake_systemctl.py", self._bin / "systemctl")
        (self._bin / "systemctl").chmod(0o755)
        self._state = folder / "service.json"
        self._number = 0
        self.settings()

    def settings(self, **more):
        """Write component.env."""
        keys = {
            "LIBRARY": SCRIPTS / "library", "PYTHON": sys.executable, "ROOT": self.folder, "SERVICE": "app.service",
            "APP_PYTHON": sys.executable, "API": self.server.api, "REPOSITORY": "owner/app", "TAG": "v{version}",
            "ASSET": "app-{version}.tar.gz", "STABLE_S": 1, "HEALTH_TIMEOUT_S": 3, "BACKUPS": 2,
            "HEALTH_URL": f"http://127.0.0.1:{self.port}/", "LOCK_WAIT_S": 30,
        } | more  # fmt: skip
        (self.folder / "component.env").write_text("".join(f"{key}='{value}'\n" for key, value in keys.items()))

    def publish(self, version, **how):
        """Publish a release."""
        self.server.publish(version, self.port, **how)

    def environment(self, request, of=""):
        """The environment that the coordinator gives a script."""
        return {
            "PATH": f"{self._bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
            "LANG": "C.UTF-8", "FAKE_SYSTEMCTL_STATE": str(self._state), "FAKE_SYSTEMCTL_ROOT": str(self.folder),
            "UPDATE_REQUEST_ID": request, "UPDATE_COMPONENT": "core", "UPDATE_ROLLBACK_OF": of,
        }  # fmt: skip

    def run(self, script, *arguments, request="", of=""):
        """Run a script; the request's id is in the result."""
        self._number += 1
        request = request or f"request-{self._number}"
        done = subprocess.run(
            [str(self.folder / script), *arguments], cwd=self.folder, env=self.environment(request, of),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        done.request = request
        return done

    def update(self, version, **which):
        """Run update.sh."""
        return self.run("update.sh", version, **which)

    def rollback(self, of):
        """Run rollback.sh of a request."""
        return self.run("rollback.sh", of=of)

    def kill_in_phase(self, script, *arguments, request, of="", phase, after_s=0.0, number=signal.SIGKILL):
        """Run a script and signal its process group ``after_s`` seconds after it reports ``phase``.

        Returns the exit code and the output after that.
        """
        with subprocess.Popen(
            [str(self.folder / script), *arguments], cwd=self.folder, env=self.environment(request, of),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        ) as running:  # fmt: skip
            seen = []
            for line in running.stdout:
                seen.append(line)
                if line == f"PHASE:{phase}\n":
                    time.sleep(after_s)
                    os.killpg(running.pid, number)
                    rest = running.stdout.read()
                    return running.wait(), rest
            raise AssertionError(f"no phase {phase}: {''.join(seen)}")

    def response(self):
        """The response of the application, None when there is none."""
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).read().decode()
        except (OSError, urllib.error.HTTPError):
            return None

    def pid(self):
        """The service's process id; unchanged unless it was restarted."""
        return json.loads(self._state.read_text())["pid"] if self._state.exists() else 0

    def systemctl(self, *words):
        """Run the fake ``systemctl``."""
        subprocess.run([str(self._bin / "systemctl"), *words], env=self.environment(""), check=True)

    def current(self):
        """The target of the link ``current``."""
        link = self.folder / "current"
        return str(link.readlink()) if link.is_symlink() else None

    def releases(self):
        """The release folders."""
        folder = self.folder / "releases"
        return sorted(one.name for one in folder.iterdir() if one.name[0] != ".") if folder.exists() else []

    def other_files(self):
        """All names in the component's folder outside of releases and backups; no update may change them."""
        own = ("releases", "current", "backups")
        return sorted(one.name for one in self.folder.iterdir() if one.name not in own)

    def snapshot(self):
        """Everything that an undone update must leave unchanged."""
        return self.current(), self.releases(), self.response(), self.other_files()

    def close(self):
        """Stop the service and the server."""
        self.systemctl("stop", "app.service")
        self.server.close()
