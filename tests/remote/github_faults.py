"""Faulty responses of ``GitHubServer``: each function returns a fault for its ``inject``."""

from __future__ import annotations

import json


def primary_limit(*, reset_in_s=600, status=403):
    """The request quota of the hour is exhausted."""

    def fault(response):
        reset = int(response.github.now() + reset_in_s)
        message = "API rate limit exceeded for 203.0.113.7."
        response.reject(status, message, **{"X-RateLimit-Remaining": 0, "X-RateLimit-Reset": reset})

    return fault


def secondary_limit(*, retry_after=None, status=403):
    """Too many requests in a short time; ``retry_after`` is seconds, a date, or None."""
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda response: response.reject(status, message, **headers)


def http_error(status, message="Not Found"):
    """An error status, such as 401, 404 or 502."""
    return lambda response: response.reject(status, message)


def body(data):
    """A response with this body: bytes unchanged, other values as JSON."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return lambda response: response.reply(200, data)


def huge(size):
    """A response of ``size`` bytes."""
    return body(b"[" + b" " * (size - 2) + b"]")


def headers(**more):
    """A correct response with ``more`` headers."""
    return lambda response: response.list_releases(**more)


def slow(pause_s):
    """A response that begins after ``pause_s``, or when the server closes."""

    def fault(response):
        response.github.closing.wait(pause_s)
        response.list_releases()

    return fault


def held(repository, is_released):
    """Correct responses, for ``repository`` only after the event ``is_released`` is set."""

    def fault(response):
        if f"/{repository}/" in response.path:
            is_released.wait(60)
        response.list_releases()

    return fault


def trickling(pause_s):
    """A response that sends a byte every ``pause_s`` and never completes."""

    def fault(response):
        response.reply(200, b"[", length=1 << 20)
        while not response.github.closing.wait(pause_s):
            response.wfile.write(b" ")

    return fault


def dropped():
    """No response: the connection is closed."""

    def fault(response):
        response.close_connection = True

    return fault


def dropped_midway():
    """Part of a response, then the connection is closed."""

    def fault(response):
        response.reply(200, b'[{"tag_name": "v9', length=4096)
        response.close_connection = True

    return fault


def redirect(to, *, status=301):
    """A redirect to another URL."""
    return lambda response: response.reject(status, "Moved Permanently", Location=to)
