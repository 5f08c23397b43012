"""Who may come in: the token, the page's origin, and the name by which we were reached. Judges only; no I/O."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from remote.settings import Server

SUBPROTOCOL = "dunebugger"
_BEARER = "bearer."


@dataclass(frozen=True)
class Refusal:
    """Why somebody stays outside: an HTTP status, and a sentence with the remedy."""

    status: int
    message: str


class Door:
    """Judges those who knock.

    Args:
        settings: names and origins that the operator allows.
        token: what must be shown; None where nobody but this machine can connect.
    """

    def __init__(self, settings: Server, token: str | None) -> None:
        self._token = token
        self._origins = frozenset(settings.origins)
        host = socket.gethostname().lower()
        self._names = {"localhost", host, f"{host}.local", *(name.lower() for name in settings.names)}

    @property
    def needs_token(self) -> bool:
        """Whether a token must be shown."""
        return self._token is not None

    def judge(self, headers: Mapping[str, str], subprotocols: Sequence[str] = ()) -> Refusal | None:
        """Why they must stay outside; None when they may come in.

        Args:
            headers: of the request, by lower-case name.
            subprotocols: what a browser offers: it cannot send a header of its own with a WebSocket.
        """
        return self._judge_origin(headers) or (
            self._judge_token(headers, subprotocols) if self.needs_token else self._judge_host(headers)
        )

    def _judge_origin(self, headers: Mapping[str, str]) -> Refusal | None:
        """A page from elsewhere that runs in a browser in here must not speak for its user (RFC 6455, section 10.2)."""
        origin = headers.get("origin", "").lower()
        if not origin or origin in self._origins:
            return None
        host = headers.get("host", "").lower()
        if host and origin in (f"http://{host}", f"https://{host}"):
            return None
        return Refusal(403, "cannot let this page in: it comes from elsewhere; add its origin to server.origins")

    def _judge_host(self, headers: Mapping[str, str]) -> Refusal | None:
        """Without a token, a foreign name that leads here would make a foreign page one of ours (DNS rebinding)."""
        name = _host_name(headers.get("host", ""))
        if name in self._names or _is_address(name):
            return None
        return Refusal(403, "cannot let you in by this name: add it to server.names, or set server.token_file")

    def _judge_token(self, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Refusal | None:
        shown = _shown(headers.get("authorization", ""), subprotocols)
        if hmac.compare_digest(shown.encode(), (self._token or "").encode()):
            return None
        return Refusal(401, "cannot let you in: show the access token that server.token_file holds")


def _shown(authorization: str, subprotocols: Sequence[str]) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    for offered in subprotocols:
        if offered.startswith(_BEARER):
            encoded = offered.removeprefix(_BEARER)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            except (binascii.Error, ValueError):
                return ""
    return ""


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
