"""`make demo-web`: both sides, and a server that its own update replaces."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request

from remote_server import WebSocketClient

from tests.support.free_port import free_port
from tests.support.polling import wait_until
from tests.support.real_host import DEADLINE_S, REPOSITORY


def _version(url: str) -> str | None:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=DEADLINE_S) as answer:
            return json.loads(answer.read())["version"]
    except OSError:
        return None


def test_demo_web_serves_the_page_and_replaces_its_server(tmp_path):
    """The demo prints its URL; an update of remote ends the server, and the next server sends the result."""
    log = tmp_path / "log"
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "packaging/demo/web.py"), str(free_port())],
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )
    try:
        url = wait_until(
            lambda: demo.poll() is None and re.search(r"the page is at (http://\S+)", log.read_text()), log.read_text()
        )[1]
        assert _version(url) == "1.0.0"
        options = {"proxy": None, "max_size": 2**24}
        client = WebSocketClient(f"ws{url.removeprefix('http')}/ws", options)
        client.send("updater.perform_update", {"component": "remote"})
        client.expect("update_progress", lambda body: body["component"] == "remote")
        last = client.last
        wait_until(lambda: _version(url) == "1.1.0", "the next server")
        client.close()
        returning = WebSocketClient(f"ws{url.removeprefix('http')}/ws?since={last}", options)
        assert returning.expect("update_result", lambda body: body["component"] == "remote")["success"]
        returning.close()
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(DEADLINE_S) == 0
    finally:
        demo.kill()
        demo.wait()
