"""``dunebugger-remote serve`` as a separate process, with a real coordinator and a fake release server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from github_server import GitHubServer
from websockets.sync.client import ClientConnection, connect

from tests.support.polling import wait_until
from tests.support.real_host import Host
from tests.support.server_process import DEADLINE_S, REPOSITORY, Sections, ServerProcess, write_toml

# Saves the previous version for rollback.sh; waits in phase ``download`` while the file ``pause`` exists.
UPDATE = """\
cp VERSION "before-$UPDATE_REQUEST_ID"
echo PHASE:download; echo PROGRESS:20; echo "fetching $1"; echo "a warning of $1" >&2
while [ -e pause ]; do sleep 0.1; done
echo PHASE:install; echo PROGRESS:80
echo "$1" > VERSION
"""
ROLLBACK = """\
test -e "before-$UPDATE_ROLLBACK_OF" || exit 0
cp "before-$UPDATE_ROLLBACK_OF" VERSION
"""
HEALTH = """\
grep -q broken VERSION && { echo "$(cat VERSION) does not answer" >&2; exit 1; }
echo "healthy: $(cat VERSION)"
"""
SCRIPTS = {"update.sh": UPDATE, "rollback.sh": ROLLBACK, "health-check.sh": HEALTH}


class RemoteServer(ServerProcess):
    """A ``serve`` process with its configuration, host and clients; ``close`` ends the process and its clients."""

    def __init__(self, root: Path, host: Host, github: Any) -> None:
        super().__init__(root / "log")
        self.root = root
        self.host = host
        self.github = github
        self.config = root / "remote.toml"
        self.state = root / "state"
        self.token: str | None = None
        self.environment = dict(os.environ)
        self.port = 0
        self.wrapper: tuple[str, ...] = ()  # a command that starts the server, such as setpriv
        self._clients: list[WebSocketClient] = []
        root.mkdir()
        self.sections: Sections = {
            "paths": {"requests": str(host.requests), "status": str(host.status), "state": str(self.state)},
            "server": {"port": 0},
            "releases": {"api": github.url, "account": "owner"},
            "gateway": {"pickup_s": 20, "timeout_s": 120},
        }
        for name in ("core", "scheduler"):
            self.component(name)

    # -- configuration  ---------------------------------------------------------------------------------------

    def component(self, name: str, version: str = "1.0.0", **settings: Any) -> None:
        """Add a component to the host and the container side, with ``version`` installed."""
        directory = self.host.component(name, SCRIPTS, **settings)
        directory.joinpath("VERSION").write_text(f"{version}\n")
        self.sections[f"components.{name}"] = {
            "repository": name,
            "installed": "version_file",
            "path": str(directory / "VERSION"),
        }

    def add_remote_component(self, version: str) -> None:
        """Configure the server itself as the component ``remote``, installed with ``version``."""
        self.host.component("remote", SCRIPTS).joinpath("VERSION").write_text(f"{version}\n")
        self.sections["components.remote"] = {"repository": "remote", "installed": "itself"}
        self.environment["DUNEBUGGER_REMOTE_VERSION"] = version

    def directory(self, component: str = "core") -> Path:
        """The folder of a component's scripts and its VERSION."""
        return self.host.root / "components" / component

    def installed(self, component: str = "core") -> str:
        """The version that the scripts installed."""
        return (self.directory(component) / "VERSION").read_text().strip()

    def pause(self, component: str = "core") -> None:
        """Make the next update wait in phase ``download``."""
        (self.directory(component) / "pause").touch()

    def resume(self, component: str = "core") -> None:
        """Let the paused update continue."""
        (self.directory(component) / "pause").unlink()

    def require_token(self) -> None:
        """Require a token from every client."""
        self.token = "correct-horse-battery-staple"  # noqa: S105  used in tests only
        path = self.root / "token"
        path.write_text(f"{self.token}\n")
        self.sections["server"]["token_file"] = str(path)

    def write_config(self) -> Path:
        """Write the TOML file."""
        return write_toml(self.config, self.sections)

    # -- process ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.write_config()
        self.launch(
            [*self.wrapper, sys.executable, "-m", "remote", "serve", "--config", str(self.config)], self.environment
        )

        def ready() -> re.Match[str] | None:
            assert self.process is not None
            assert self.process.poll() is None, f"serve exited\n{self.log()}"
            return re.search(r"ready on http://\S+:(\d+)", self.log_since_start())

        self.port = int(wait_until(ready, "serve to be ready")[1])
        self.sections["server"]["port"] = self.port  # a restart uses the same port, so that clients can reconnect

    def disconnect_clients(self) -> None:
        """Disconnect all clients."""
        while self._clients:
            self._clients.pop().close()

    def close(self) -> None:
        """Disconnect all clients, and kill the process."""
        self.disconnect_clients()
        self.kill()

    # -- clients ------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"http://127.0.0.1:{self.port}"

    address = url  # the name that the page object uses

    def connect(self, since: int | None = None, **options: Any) -> WebSocketClient:
        """Open a WebSocket like a program, and read the first message.

        Args:
            since: the number of the last received event; the server replays later ones. 0 replays all events.
            options: options of ``websockets.sync.client.connect``.
        """
        query = "" if since is None else f"?since={since}"
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        options = {"additional_headers": headers, "proxy": None, "max_size": 2**24, "open_timeout": 30} | options
        client = WebSocketClient(f"ws://127.0.0.1:{self.port}/ws{query}", options)
        self._clients.append(client)
        client.connected = client.expect("connected")
        return client

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command, and wait for its end."""
        return subprocess.run(
            [sys.executable, "-m", "remote", arguments[0], "--config", str(self.write_config()), *arguments[1:]],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )


@contextmanager
def installation(root: Path) -> Iterator[RemoteServer]:
    """Host, release server and container side in ``root``, configured but not started; all are closed at the exit."""
    host = Host(root)
    with GitHubServer() as github:
        server = RemoteServer(root / "remote", host, github)
        try:
            yield server
        finally:
            server.close()
            host.close()


class WebSocketClient:
    """A WebSocket client that keeps everything it receives."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._stack = ExitStack()
        self.socket: ClientConnection = self._stack.enter_context(connect(url, **options))
        self.received: list[dict[str, Any]] = []
        self.connected: Any = None
        self._read = 0

    def send(self, subject: str, body: Any = None, **more: Any) -> None:
        """Send one message."""
        self.socket.send(json.dumps({"subject": subject, "body": body, "source": "test", **more}))

    def expect(self, subject: str, condition: Any = lambda _body: True) -> Any:
        """Wait for a message with this subject whose body meets a condition, and return the body."""
        end = time.monotonic() + DEADLINE_S
        while True:
            while self._read < len(self.received):
                message = self.received[self._read]
                self._read += 1
                if message["subject"] == subject and condition(message["body"]):
                    return message["body"]
            try:
                self.received.append(json.loads(self.socket.recv(max(0.0, end - time.monotonic()))))
            except TimeoutError:
                raise AssertionError(f"no {subject} arrived; received:\n{self._summary()}") from None

    def _summary(self) -> str:
        """The last messages, for assertion messages."""
        return "\n".join(json.dumps(message)[:300] for message in self.received[-30:])

    @property
    def last(self) -> int:
        """The number of the last received event."""
        return max((message.get("seq", 0) for message in self.received), default=0)

    def close(self) -> None:
        """Disconnect."""
        self._stack.close()
