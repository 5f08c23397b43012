"""Authentication of clients."""

from __future__ import annotations

import base64
import socket

import pytest

from remote.api.auth import Authenticator
from remote.settings import Server

TOKEN = "correct-horse-battery"  # noqa: S105  used in tests only


def subprotocols(token):
    """The subprotocols that the page offers instead of a header."""
    return ["dunebugger", "bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")]


@pytest.mark.parametrize(
    ("headers", "offered", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, [], None),
        ({"authorization": f"bearer  {TOKEN}"}, [], None),
        ({}, subprotocols(TOKEN), None),
        ({}, [], 401),
        ({"authorization": f"Bearer {TOKEN}x"}, [], 401),
        ({"authorization": f"Basic {TOKEN}"}, [], 401),
        ({"authorization": "Bearer"}, [], 401),
        ({"authorization": "Bearer \u00e4"}, [], 401),
        ({}, subprotocols("another-token-altogether"), 401),
        ({}, ["bearer.!!!"], 401),
        ({}, ["bearer."], 401),
        ({}, ["bearer.gICA"], 401),
    ],
)
def test_authenticator_accepts_only_the_token(headers, offered, status):
    """The token is accepted in a header or a subprotocol; other requests are rejected with 401."""
    denial = Authenticator(Server(), TOKEN).authenticate({"host": "dune.local:8080"} | headers, offered)
    assert (denial and denial.status) == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (None, "dune.local:8080", None),
        ("http://dune.local:8080", "dune.local:8080", None),
        ("HTTP://DUNE.local:8080", "dune.local:8080", None),
        ("https://proxy.example.org", "dune.local:8080", None),
        ("http://evil.example.org", "dune.local:8080", 403),
        ("http://dune.local:9090", "dune.local:8080", 403),
        ("null", "dune.local:8080", 403),
        ("http://", "", 403),
    ],
)
def test_authenticator_rejects_a_foreign_origin_even_with_the_token(origin, host, status):
    """Only this server's page and configured origins may act for a user (RFC 6455, section 10.2)."""
    headers = {"host": host, "authorization": f"Bearer {TOKEN}"} | ({} if origin is None else {"origin": origin})
    denial = Authenticator(Server(origins=("https://proxy.example.org",)), TOKEN).authenticate(headers)
    assert (denial and denial.status) == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", None),
        ("127.0.0.1:8080", None),
        ("[::1]:8080", None),
        ("192.0.2.7", None),
        (f"{socket.gethostname()}:8080", None),
        (f"{socket.gethostname()}.local", None),
        ("dunes.example.org:8080", None),
        ("evil.example.org:8080", 403),
        ("127.0.0.1.evil.example.org", 403),
        ("", 403),
        ("[::1", 403),
    ],
)
def test_authenticator_rejects_a_foreign_host_name_without_a_token(host, status):
    """A foreign page whose host name resolves to this address would have the same origin (DNS rebinding)."""
    authenticator = Authenticator(Server(names=("dunes.example.org",)), None)
    denial = authenticator.authenticate({"host": host, "origin": f"http://{host}"})
    assert (denial and denial.status) == status
