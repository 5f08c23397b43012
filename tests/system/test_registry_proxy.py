"""The proxy to the registry injects the requested fault."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def proxy(registry):
    """The open proxy of the registry; it is opened again after the test."""
    yield registry.proxy
    registry.proxy.open()


def get(proxy, timeout_s=60):
    """The complete response of one connection."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n")
        response = b""
        while data := connection.recv(1 << 16):
            response += data
    return response


def test_open_proxy_forwards_everything(proxy):
    """An open proxy returns the complete response of the registry."""
    assert get(proxy).startswith(b"HTTP/1.1 200 OK\r\n")
    assert get(proxy).endswith(b"\r\n\r\n{}")


def test_shut_proxy_refuses_connections(proxy):
    """Clients see a shut proxy as a stopped server."""
    proxy.shut()
    with pytest.raises(ConnectionRefusedError):
        get(proxy)


def test_proxy_cuts_after_the_given_bytes(proxy):
    """The response bytes of all connections are counted together; after the limit each connection is closed."""
    proxy.cut_after(20)
    assert get(proxy) == b"HTTP/1.1 200 OK\r\nCon"
    assert proxy.is_exhausted()
    assert get(proxy) == b""


def test_proxy_hangs_after_the_given_bytes(proxy):
    """After the limit connections stay open without data."""
    proxy.hang_after(20)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            get(proxy, timeout_s=0.5)
    assert proxy.is_exhausted()


def test_opening_the_proxy_ends_hanging_connections(proxy):
    """``open`` closes stalled connections, and new connections work."""
    proxy.hang_after(0)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(60)
        proxy.open()
        assert connection.recv(1) == b""
    assert get(proxy).startswith(b"HTTP/1.1 200 OK")
