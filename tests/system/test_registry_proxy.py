"""The line to the registry breaks in the way that a test asks for."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def line(registry):
    """The line, as others expect to find it."""
    yield registry.proxy
    registry.proxy.open()


def ask(line, patience_s=60):
    """All that comes back on one connection, to its end."""
    with socket.create_connection(("127.0.0.1", line.port), timeout=patience_s) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n")
        got = b""
        while more := connection.recv(1 << 16):
            got += more
    return got


def test_open_proxy_forwards_everything(line):
    """As if it were not there."""
    assert ask(line).startswith(b"HTTP/1.1 200 OK\r\n")
    assert ask(line).endswith(b"\r\n\r\n{}")


def test_shut_proxy_refuses_connections(line):
    """As a server does that is down."""
    line.shut()
    with pytest.raises(ConnectionRefusedError):
        ask(line)


def test_proxy_cuts_after_the_given_bytes(line):
    """The bytes of all connections count; then each ends."""
    line.cut_after(20)
    assert ask(line) == b"HTTP/1.1 200 OK\r\nCon"
    assert line.is_exhausted()
    assert ask(line) == b""


def test_proxy_hangs_after_the_given_bytes(line):
    """The connection stays, and nothing comes."""
    line.hang_after(20)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            ask(line, patience_s=0.5)
    assert line.is_exhausted()


def test_opening_the_proxy_ends_hanging_connections(line):
    """And new connections work."""
    line.hang_after(0)
    with socket.create_connection(("127.0.0.1", line.port), timeout=60) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(60)
        line.open()
        assert connection.recv(1) == b""
    assert ask(line).startswith(b"HTTP/1.1 200 OK")
