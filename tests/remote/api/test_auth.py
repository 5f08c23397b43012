"""Who may come in."""

from __future__ import annotations

import base64
import socket

import pytest

from remote.api.auth import Door
from remote.settings import Server

TOKEN = "correct-horse-battery"  # noqa: S105  of nobody


def browser(token):
    """What a page offers in place of a header."""
    return ["dunebugger", "bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")]


@pytest.mark.parametrize(
    ("headers", "offered", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, [], None),
        ({"authorization": f"bearer  {TOKEN}"}, [], None),
        ({}, browser(TOKEN), None),
        ({}, [], 401),
        ({"authorization": f"Bearer {TOKEN}x"}, [], 401),
        ({"authorization": f"Basic {TOKEN}"}, [], 401),
        ({"authorization": "Bearer"}, [], 401),
        ({"authorization": "Bearer \u00e4"}, [], 401),
        ({}, browser("another-token-altogether"), 401),
        ({}, ["bearer.!!!"], 401),
        ({}, ["bearer."], 401),
        ({}, ["bearer.gICA"], 401),
    ],
)
def test_the_token_opens_the_door_and_nothing_else_does(headers, offered, status):
    """As a header or as a subprotocol; in any other form it is refused with 401."""
    refusal = Door(Server(), TOKEN).judge({"host": "dune.local:8080"} | headers, offered)
    assert (refusal and refusal.status) == status


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
def test_a_page_from_elsewhere_stays_outside_even_with_the_token(origin, host, status):
    """Only our own page, and origins that the operator allows, speak for their user (RFC 6455, section 10.2)."""
    headers = {"host": host, "authorization": f"Bearer {TOKEN}"} | ({} if origin is None else {"origin": origin})
    refusal = Door(Server(origins=("https://proxy.example.org",)), TOKEN).judge(headers)
    assert (refusal and refusal.status) == status


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
def test_without_a_token_a_foreign_name_that_leads_here_is_refused(host, status):
    """A page whose name its owner turned to our address would count as ours (DNS rebinding)."""
    door = Door(Server(names=("dunes.example.org",)), None)
    refusal = door.judge({"host": host, "origin": f"http://{host}"})
    assert (refusal and refusal.status) == status
