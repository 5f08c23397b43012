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

from tests.support.real_host import DEADLINE_S, until


def answers(client: WebSocketClient) -> bool:
    """Whether a client still gets its answers."""
    client.send("updater.outstanding")
    return client.expect("outstanding") == {"requests": []}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("no json", "not JSON"),
        ("[]", "not a JSON object"),
        ('"updater.update"', "not a JSON object"),
        ("{}", "subject is needed"),
        ('{"subject": 7}', "subject is needed"),
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
def test_serve_answers_an_invalid_message_with_an_error(alone, sent, told):
    """One clear error to the sender, which may go on; the other clients receive nothing."""
    other, client = alone.connect(), alone.connect()
    client.socket.send(sent)
    error = client.expect("error")
    assert told in error["message"]
    assert "\x1b" not in error["message"]
    assert len(error["subject"] or "") <= 100
    assert answers(client)
    assert answers(other)
    assert [message for message in other.received if message["subject"] == "error"] == []
    assert list(alone.host.requests.iterdir()) == []


def test_serve_disconnects_only_the_sender_of_a_huge_message(alone):
    """The limit is 64 KiB (RFC 6455: 1009, message too big)."""
    other, client = alone.connect(), alone.connect()
    client.socket.send("x" * 70000)
    assert _closing_code(client) == 1009
    assert answers(other)


def test_serve_ignores_echoes_of_its_own_messages(alone):
    """A message whose source is the server itself gets no answer."""
    client = alone.connect()
    client.send("updater.perform_update", {"component": "core"}, source="controller")
    client.send("no.such.subject", source="controller")
    assert answers(client)
    assert [message for message in client.received if message["subject"] in ("error", "update_result")] == []


def test_serve_disconnects_only_the_sender_of_a_flood(alone):
    """10,000 messages at once: the sender is disconnected, the others are answered meanwhile."""
    other, client = alone.connect(), alone.connect()
    flood = json.dumps({"subject": "updater.outstanding", "source": "test"})

    def pour():
        with suppress(ConnectionClosed):
            for _ in range(10_000):
                client.socket.send(flood)

    pouring = threading.Thread(target=pour)
    pouring.start()
    for _ in range(20):
        assert answers(other)
    pouring.join(DEADLINE_S)
    assert not pouring.is_alive()
    assert _closing_code(client) == 1008
    assert answers(other)


def test_serve_drops_a_client_that_never_reads(serving):
    """Its queue is bounded (I12): the connection is aborted, and the others go on."""
    serving.sections["server"]["messages_per_s"] = 1000
    for name in ("core", "scheduler"):
        serving.github.publish(f"owner/{name}", "1.1.0", notes="n" * 15000)
    serving.start()
    other, client = serving.connect(since=0), serving.connect(since=0)
    with _connect_without_reading(serving) as unread:
        before = _rss_kib(serving)

        def is_cut():
            for _ in range(3):
                client.send("updater.check_updates", {"force": True})
                client.expect("update_check_result")
            assert answers(other)
            return "reads its messages too slowly" in serving.log()

        until(is_cut, "the client that does not read to be dropped")
        assert _rss_kib(serving) - before < 40_000
        until(lambda: _is_gone(unread), "its connection to be cut")


def _connect_without_reading(alone) -> socket.socket:
    """A client that completes the handshake and reads nothing more."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", alone.port))
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{alone.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return raw


def _is_gone(raw: socket.socket) -> bool:
    """Whether the server has no such connection any more."""
    end = f":{raw.getsockname()[1]:04X}"
    connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return not any(remote.endswith(end) and state == "01" for _, _, remote, state, *_ in connections)


def _rss_kib(alone) -> int:
    status = Path(f"/proc/{alone.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def _closing_code(client: WebSocketClient) -> int:
    """With which code the server closed the connection, once it has."""
    with suppress(ConnectionClosed):
        while True:
            client.socket.recv(DEADLINE_S)
    return client.socket.protocol.close_rcvd.code


def test_serve_refuses_more_clients_than_allowed(serving):
    """With 503; a client that leaves makes room."""
    serving.sections["server"]["clients"] = 2
    serving.start()
    first, _second = serving.connect(), serving.connect()
    with pytest.raises(InvalidStatus) as refused:
        serving.connect()
    assert refused.value.response.status_code == 503
    first.close()

    def is_in():
        try:
            return serving.connect()
        except InvalidStatus:
            return None

    assert answers(until(is_in, "room"))


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"additional_headers": {}}, 401),
        ({"additional_headers": {"Authorization": "Bearer wrong-wrong-wrong-wrong"}}, 401),
        ({"origin": "http://evil.example.org"}, 403),
        ({"additional_headers": {}, "subprotocols": ["dunebugger", "bearer.d3Jvbmc"]}, 401),
    ],
)
def test_serve_refuses_clients_without_token_or_from_a_foreign_origin(serving, options, status):
    """With an HTTP status before any WebSocket; connected clients are not affected."""
    serving.need_token()
    serving.start()
    inside = serving.connect()
    with pytest.raises(InvalidStatus) as refused:
        serving.connect(**options)
    assert refused.value.response.status_code == status
    assert refused.value.response.body.startswith(b"cannot accept ")
    assert answers(inside)


def test_serve_accepts_the_token_as_a_subprotocol(serving):
    """Browsers cannot set a header on a WebSocket; the server selects the protocol, never the token."""
    serving.need_token()
    serving.start()
    token = base64.urlsafe_b64encode(serving.token.encode()).decode().rstrip("=")
    client = serving.connect(
        additional_headers={}, subprotocols=["dunebugger", f"bearer.{token}"], origin=f"http://127.0.0.1:{serving.port}"
    )
    assert client.socket.subprotocol == "dunebugger"
    assert answers(client)


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ({"host": "0.0.0.0"}, "cannot listen on 0.0.0.0 without an access token"),
        ({"token_file": "/nowhere/token"}, "cannot read the access token from /nowhere/token"),
        ({"prot": 1}, "did you mean port?"),
    ],
)
def test_serve_refuses_to_start_with_an_unsafe_configuration(serving, server, told):
    """Exit code 2, and a sentence with the remedy."""
    serving.sections["server"] |= server
    done = serving.cli("serve")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_refuses_a_short_token(serving):
    """Sixteen characters at least."""
    serving.need_token()
    (serving.root / "token").write_text("short\n")
    done = serving.cli("serve")
    assert done.returncode == 2
    assert "shorter than 16" in done.stderr


def test_serve_sends_security_headers(alone):
    """A strict policy on the page, its files and even on errors."""
    for path in ("/", "/healthz", "/static/none", "/nowhere"):
        headers = _get(alone, path)[1]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_serve_answers_healthz_without_and_session_with_the_token(serving):
    """As the container's health check and the page use them."""
    serving.need_token()
    serving.start()
    status, _, body = _get(serving, "/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    status, headers, body = _get(serving, "/session")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert "show the access token" in json.loads(body)["message"]
    status, _, body = _get(serving, "/session", Authorization=f"Bearer {serving.token}")
    assert (status, json.loads(body)) == (200, {"token_required": True})


@pytest.mark.parametrize("since", ["", "x", "-1", "1.5", "%C2%B2", "9" * 17, "9" * 5000])
def test_serve_ignores_an_invalid_since(alone, since):
    """A client with an invalid number counts as new, and has missed nothing."""
    assert alone.connect(since=since).welcome["complete"]


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/..%2fsettings.py"])
def test_serve_serves_no_files_outside_the_page(alone, path):
    """No way out of the folder."""
    assert _get(alone, path)[0] == 404


def _get(serving, path: str, **headers: str):
    request = urllib.request.Request(f"{serving.url}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()
