"""``dunebugger-remote update``: has the running ``serve`` update a component, and waits for the answer.

Only one process may remove answers from the shared folder, so this one is a WebSocket client like the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import click
from websockets.exceptions import ConnectionClosedOK, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from protocol.clock import Clock, SystemClock
from protocol.names import printable
from remote.errors import RemoteError
from remote.settings import NAME_CHARACTERS, RemoteSettings, read_secret

_OPEN_S = 10
_MESSAGE_BYTES = 8 * 1024 * 1024
_CHECK_TIMEOUTS = 30  # times releases.timeout_s: longer than the check for releases that may come first
_TEXT_CHARACTERS = 2000


class NotServedError(RemoteError):
    """No server answers here, or it rejects this client. The operator fixes it."""


def execute(settings: RemoteSettings, component: str, *, dry_run: bool, as_json: bool) -> int:
    """Update, and wait for the answer; 1 when the update failed or no answer came."""
    with ExitStack() as stack:
        connection = _open(settings, stack)
        body = {"component": component, "dry_run": dry_run}
        connection.send(json.dumps({"subject": "updater.perform_update", "body": body, "source": "command line"}))
        try:
            result = _follow(connection, component, settings, as_json=as_json)
        except (WebSocketException, OSError) as error:
            raise NotServedError(
                f"cannot determine how it ended: {_printable(error)}; see the page's history"
            ) from None
    text = json.dumps(result, indent=2) if as_json else _printable(result["message"])
    click.echo(text, err=not (as_json or result["success"]))
    return 0 if result["success"] else 1


def _open(settings: RemoteSettings, stack: ExitStack) -> ClientConnection:
    token = read_secret(settings.server.token_file, "the access token")
    url = f"ws://{settings.server.authority}/ws"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        return stack.enter_context(
            connect(
                url,
                additional_headers=headers,
                open_timeout=_OPEN_S,
                max_size=_MESSAGE_BYTES,
                proxy=None,
                compression=None,
            )
        )
    except InvalidStatus as error:
        raise NotServedError(f"cannot connect to {url}: it answers HTTP {error.response.status_code}") from None
    except (WebSocketException, OSError, TimeoutError) as error:
        raise NotServedError(
            f"cannot connect to {url}: {_printable(error)}; is dunebugger-remote serve running here?"
        ) from None


def _follow(
    connection: ClientConnection,
    component: str,
    settings: RemoteSettings,
    *,
    as_json: bool,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Print the progress of the request until its result comes.

    The server reports a result after at most ``gateway.pickup_s`` or ``gateway.timeout_s``; this side waits for both,
    and for the server's check for releases, so that it also ends when the server does not respond (I16).
    """
    gateway, releases = settings.gateway, settings.releases
    limit_s = gateway.pickup_s + gateway.timeout_s + _CHECK_TIMEOUTS * releases.timeout_s
    name, shown = (settings.find_component(component) or component[:NAME_CHARACTERS]), ""
    for text in _messages(connection, limit_s, clock or SystemClock()):
        message = json.loads(text)
        body = message["body"]
        if message["subject"] == "error":
            raise NotServedError(_printable(body["message"]))
        if not isinstance(body, dict) or body.get("component") != name or body.get("action") != "update":
            continue
        if message["subject"] == "update_result":
            return body
        line = _line(body) if message["subject"] == "update_progress" else shown
        if line != shown and not as_json:
            click.echo(line)
        shown = line
    raise NotServedError("cannot determine how it ended: the server closed the connection; see the page's history")


def _messages(connection: ClientConnection, limit_s: float, clock: Clock) -> Iterator[str | bytes]:
    """The messages until the server closes the connection; an error after ``limit_s`` in any case."""
    deadline = clock.monotonic() + limit_s
    while (remaining_s := deadline - clock.monotonic()) > 0:
        try:
            yield connection.recv(remaining_s)
        except ConnectionClosedOK:
            return
        except TimeoutError:
            break
    raise NotServedError(
        f"cannot determine how it ended: no answer within {limit_s:g} s; it may still be under way; see the page's "
        "history, or run on the host: sudo update-coordinator history"
    )


def _line(progress: dict[str, Any]) -> str:
    percent = "" if progress["percent"] is None else f"{progress['percent']} %"
    return _printable(" ".join(filter(None, [progress["state"], progress["phase"], percent])))


def _printable(text: object) -> str:
    """Text of the server without control characters, and without the quotes of a literal: it is a line of its own."""
    return printable(str(text), _TEXT_CHARACTERS)[1:-1]
