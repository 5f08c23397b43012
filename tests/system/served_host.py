"""A provisioned host with the real image of the container side, which serves the page."""

from __future__ import annotations

from image_registry import ImageRegistry
from installed_host import REQUESTS
from machine import Machine
from provisioned_host import COMPOSE, ProvisionedHost
from remote_images import REAL_REMOTE

from tests.support.free_port import free_port
from tests.support.polling import wait_until

REPOSITORY = "owner/dunebugger-remote"
_CONFIGURATION = "/etc/dunebugger/remote.toml"
_TOML = """\
[server]
port = {port}
token_file = "/run/secrets/dunebugger-token"
[releases]
api = "{api}"
account = "owner"
"""
_OPTIONAL = f"# - {_CONFIGURATION}"
# The health check of the image with a shorter interval.
_TMPFS = '    tmpfs: ["/tmp:size=16m,mode=1777"]\n    # The page.'
_TMPFS_AND_INTERVAL = f"    healthcheck: {{interval: 1s}}\n{_TMPFS}"


class ServedHost(ProvisionedHost):
    """A provisioned host whose container of remote serves the page."""

    def __init__(self, machine: Machine, registry: ImageRegistry, core_port: int) -> None:
        """Use a provisioned machine that is off; its page gets a free port."""
        super().__init__(machine, registry, core_port)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def deploy_real_image(self, api: str) -> None:
        """Boot the machine, and replace the small image by the real one."""
        self.machine.boot()
        self.wait_for_service()
        self.machine.write(_CONFIGURATION, _TOML.format(port=self.port, api=api))
        self.write_compose_file(REAL_REMOTE, {_OPTIONAL: _OPTIONAL.removeprefix("# "), _TMPFS: _TMPFS_AND_INTERVAL})
        image = self.registry.name(REAL_REMOTE, "").rstrip(":")
        self.configure("remote", IMAGE=image, HEALTH_TIMEOUT_S="60")
        # Root owns a volume that was created for an image without the folder.
        self.sh(f"docker-compose -f {COMPOSE} down --volumes; docker-compose -f {COMPOSE} up -d")

    def reset(self) -> None:
        """Restore the initial state: the machine is running, and release 1.0.0 of remote serves."""
        if not self.machine.is_on():
            self.machine.boot()
        self.wait_for_service()
        if self.compose_file_version() != "1.0.0":
            final = self.submit_and_wait("remote", "update", "1.0.0")
            assert final["success"], final
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Wait until the container's health check succeeds."""
        health = ("inspect", "--format", "{{.State.Health.Status}}", "dunebugger-remote")
        wait_until(
            lambda: self.machine.docker(*health, check=False) == "healthy",
            lambda: self.machine.run("docker", "logs", "dunebugger-remote", check=False).stderr[-4000:],
        )

    def pending_update_id(self) -> str:
        """The id of the pending update in the requests folder."""
        folder = self.disk / REQUESTS.lstrip("/")

        def found() -> str:
            return next((path.stem for path in folder.glob("*.json") if '"update"' in path.read_text()), "")

        return wait_until(found, "a request for an update")
