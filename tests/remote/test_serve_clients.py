"""Serve: isolation of clients from each other, and access control."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from remote_server import WebSocketClient
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.polling import wait_until
from tests.support.real_host import DEADLINE_S


def is_answered(client: WebSocketClient) -> bool:
    """Return whether a client is still answered."""
    client.send("updater.outstanding")
    return client.expect("outstanding") == {"requests": []}


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("no json", "not JSON"),
        ("[]", "not a JSON object"),
        ('"updater.update"', "not a JSON object"),
        ("{}", "subject is required"),
        ('{"subject": 7}', "subject is required"),
        (b'{"subject": "updater.history"}', "binary"),
        ('{"subject": "updater.reboot"}', "known are"),
        ('{"subject": "x\\u001b[2J"}', "known are"),
        ('{"subject": "updater.perform_update"}', "must name the component"),
        ('{"subject": "updater.perform_update", "body": "core"}', "must be a JSON object"),
        ('{"subject": "updater.perform_update", "body": {"component": "core", "dry_run": "yes"}}', "true or false"),
        ('{"subject": "updater.history", "body": {"component": "kore"}}', "no such component"),
        ('{"subject": "updater.perform_update", "body": {"component": 7}}', "must name the component"),
        ("[" * 60000, "not JSON"),
        (json.dumps({"subject": "x" * 60000}), "known are"),
    ],
)
def test_serve_answers_an_invalid_message_with_an_error(shared_server, sent, text):
    """The sender receives one error and stays connected; the other clients receive nothing."""
    other, client = shared_server.connect(), shared_server.connect()
    client.socket.send(sent)
    error = client.expect("error")
    assert text in error["message"]
    assert "\x1b" not in error["message"]
    assert len(error["subject"] or "") <= 100
    assert is_answered(client)
    assert is_answered(other)
    assert [message for message in other.received if message["subject"] == "error"] == []
    assert list(shared_server.host.requests.iterdir()) == []


def test_serve_disconnects_only_the_sender_of_an_oversized_message(shared_server):
    """The limit is 64 KiB (RFC 6455: 1009, message too big)."""
    other, client = shared_server.connect(), shared_server.connect()
    client.socket.send("x" * 70000)
    assert _closing_code(client) == 1009
    assert is_answered(other)


def test_serve_ignores_echoes_of_its_own_messages(shared_server):
    """A message whose source is the server itself gets no answer."""
    client = shared_server.connect()
    client.send("updater.perform_update", {"component": "core"}, source="controller")
    client.send("no.such.subject", source="controller")
    assert is_answered(client)
    assert [message for message in client.received if message["subject"] in ("error", "update_result")] == []


def test_serve_disconnects_only_the_sender_of_a_flood(shared_server):
    """After 10,000 messages at once the sender is disconnected; the other clients are answered meanwhile."""
    other, client = shared_server.connect(), shared_server.connect()
    flood = json.dumps({"subject": "updater.outstanding", "source": "test"})

    def send_flood():
        with suppress(ConnectionClosed):
            for _ in range(10_000):
                client.socket.send(flood)

    sender = threading.Thread(target=send_flood)
    sender.start()
    for _ in range(20):
        assert is_answered(other)
    sender.join(DEADLINE_S)
    assert not sender.is_alive()
    assert _closing_code(client) == 1008
    assert is_answered(other)


def test_serve_drops_a_client_that_never_reads(serving):
    """The queue of a client is bounded (I12): its connection is aborted, and the other clients are served."""
    serving.sections["server"]["messages_per_s"] = 1000
    for name in ("core", "scheduler"):
        serving.github.publish(f"owner/{name}", "1.1.0", notes="n" * 15000)
    serving.start()
    other, client = serving.connect(since=0), serving.connect(since=0)
    with _connect_without_reading(serving) as unread:
        before = _rss_kib(serving)

        def is_dropped():
            for _ in range(3):
                client.send("updater.check_updates", {"force": True})
                client.expect("update_check_result")
            assert is_answered(other)
            return "reads its messages too slowly" in serving.log()

        wait_until(is_dropped, "the client that does not read to be dropped")
        assert _rss_kib(serving) - before < 40_000
        wait_until(lambda: _is_closed(unread), "its connection to be closed")


def _connect_without_reading(serving) -> socket.socket:
    """Connect a client that completes the handshake and then reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", serving.port))
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{serving.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return raw


def _is_closed(raw: socket.socket) -> bool:
    """Return whether the server has closed this connection."""
    end = f":{raw.getsockname()[1]:04X}"
    connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return not any(remote.endswith(end) and state == "01" for _, _, remote, state, *_ in connections)


def _rss_kib(serving) -> int:
    status = Path(f"/proc/{serving.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def _closing_code(client: WebSocketClient) -> int:
    """Wait until the server closes the connection, and return the close code."""
    with suppress(ConnectionClosed):
        while True:
            client.socket.recv(DEADLINE_S)
    return client.socket.protocol.close_rcvd.code


def test_serve_rejects_clients_over_the_limit(serving):
    """The server answers with 503 until a client disconnects."""
    serving.sections["server"]["clients"] = 2
    serving.start()
    first, _second = serving.connect(), serving.connect()
    with pytest.raises(InvalidStatus) as rejected:
        serving.connect()
    assert rejected.value.response.status_code == 503
    first.close()

    def connect_again():
        try:
            return serving.connect()
        except InvalidStatus:
            return None

    assert is_answered(wait_until(connect_again, "a free connection"))


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"additional_headers": {}}, 401),
        ({"additional_headers": {"Authorization": "Bearer wrong-wrong-wrong-wrong"}}, 401),
        ({"origin": "http://evil.example.org"}, 403),
        ({"additional_headers": {}, "subprotocols": ["dunebugger", "bearer.d3Jvbmc"]}, 401),
    ],
)
def test_serve_rejects_clients_without_token_or_from_a_foreign_origin(serving, options, status):
    """The rejection is an HTTP status before the WebSocket opens; connected clients are not affected."""
    serving.require_token()
    serving.start()
    connected = serving.connect()
    with pytest.raises(InvalidStatus) as rejected:
        serving.connect(**options)
    assert rejected.value.response.status_code == status
    assert rejected.value.response.body.startswith(b"cannot accept ")
    assert is_answered(connected)


def test_serve_accepts_the_token_as_a_subprotocol(serving):
    """Browsers cannot set headers on a WebSocket; the server selects the protocol, never the token."""
    serving.require_token()
    serving.start()
    token = base64.urlsafe_b64encode(serving.token.encode()).decode().rstrip("=")
    client = serving.connect(
        additional_headers={}, subprotocols=["dunebugger", f"bearer.{token}"], origin=f"http://127.0.0.1:{serving.port}"
    )
    assert client.socket.subprotocol == "dunebugger"
    assert is_answered(client)


@pytest.mark.parametrize(
    ("server", "text"),
    [
        ({"host": "0.0.0.0"}, "cannot listen on 0.0.0.0 without an access token"),
        ({"token_file": "/nowhere/token"}, "cannot read the access token from /nowhere/token"),
        ({"prot": 1}, "did you mean port?"),
    ],
)
def test_serve_does_not_start_with_an_unsafe_configuration(serving, server, text):
    """The exit code is 2, and the error names the remedy."""
    serving.sections["server"] |= server
    done = serving.cli("serve")
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_rejects_a_short_token(serving):
    """A token must have at least 16 characters."""
    serving.require_token()
    (serving.root / "token").write_text("short\n")
    done = serving.cli("serve")
    assert done.returncode == 2
    assert "shorter than 16" in done.stderr


def test_serve_sends_security_headers(shared_server):
    """The page, its files and error responses have a strict content security policy."""
    for path in ("/", "/healthz", "/static/none", "/nowhere"):
        headers = _get(shared_server, path)[1]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_serve_requires_the_token_for_session_but_not_for_healthz(serving):
    """The container's health check has no token; the page sends it."""
    serving.require_token()
    serving.start()
    status, _, body = _get(serving, "/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    status, headers, body = _get(serving, "/session")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert "send the access token" in json.loads(body)["message"]
    status, _, body = _get(serving, "/session", Authorization=f"Bearer {serving.token}")
    assert (status, json.loads(body)) == (200, {"token_required": True})


@pytest.mark.parametrize("since", ["", "x", "-1", "1.5", "%C2%B2", "9" * 17, "9" * 5000])
def test_serve_ignores_an_invalid_since(shared_server, since):
    """A client with an invalid number counts as new and has missed no event."""
    assert shared_server.connect(since=since).connected["complete"]


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/..%2fsettings.py"])
def test_serve_rejects_paths_outside_the_page(shared_server, path):
    """Path traversal is answered with 404."""
    assert _get(shared_server, path)[0] == 404


def _get(serving, path: str, **headers: str):
    request = urllib.request.Request(f"{serving.url}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()
