"""What can go wrong with an answer of ``GitHubServer``: each makes a fault for its ``misbehave``."""

from __future__ import annotations

import json


def primary_limit(*, reset_in_s=600, status=403):
    """The hour's questions are used up."""

    def fault(answer):
        reset = int(answer.github.now() + reset_in_s)
        told = "API rate limit exceeded for 203.0.113.7."
        answer.refuse(status, told, **{"X-RateLimit-Remaining": 0, "X-RateLimit-Reset": reset})

    return fault


def secondary_limit(*, retry_after=None, status=403):
    """Too much at once; ``retry_after``: seconds, a date, or nothing."""
    told = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda answer: answer.refuse(status, told, **headers)


def refusal(status, message="Not Found"):
    """A refusal such as 404, 401 or 403, or an illness such as 502."""
    return lambda answer: answer.refuse(status, message)


def body(data):
    """An answer that holds ``data``: bytes as they are, else as JSON."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return lambda answer: answer.reply(200, data)


def huge(size):
    """An answer of ``size`` bytes."""
    return body(b"[" + b" " * (size - 2) + b"]")


def headers(**more):
    """A good answer with ``more`` headers."""
    return lambda answer: answer.list_releases(**more)


def slow(pause_s):
    """An answer that begins only after ``pause_s``, or when the server closes."""

    def fault(answer):
        answer.github.closing.wait(pause_s)
        answer.list_releases()

    return fault


def trickling(pause_s):
    """An answer of which a byte comes every ``pause_s``, without end."""

    def fault(answer):
        answer.reply(200, b"[", length=1 << 20)
        while not answer.github.closing.wait(pause_s):
            answer.wfile.write(b" ")

    return fault


def dropped():
    """No answer: the connection is closed."""

    def fault(answer):
        answer.close_connection = True

    return fault


def dropped_midway():
    """Half an answer, then the connection is closed."""

    def fault(answer):
        answer.reply(200, b'[{"tag_name": "v9', length=4096)
        answer.close_connection = True

    return fault


def redirect(to, *, status=301):
    """Another address."""
    return lambda answer: answer.refuse(status, "Moved Permanently", Location=to)
