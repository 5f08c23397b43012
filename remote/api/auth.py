"""Authentication of clients: access token, origin of the page, and host name. Pure, no I/O."""

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
class AccessDenial:
    """Why a client is rejected: an HTTP status, and a sentence with the remedy."""

    status: int
    message: str


class Authenticator:
    """Decides which clients may connect.

    Args:
        settings: names and origins that the operator allows.
        token: required from every client; None if only this machine can connect.
    """

    def __init__(self, settings: Server, token: str | None) -> None:
        self._token = token
        self._origins = frozenset(settings.origins)
        host = socket.gethostname().lower()
        self._names = {"localhost", host, f"{host}.local", *(name.lower() for name in settings.names)}

    @property
    def needs_token(self) -> bool:
        """Whether clients must present a token."""
        return self._token is not None

    def authenticate(self, headers: Mapping[str, str], subprotocols: Sequence[str] = ()) -> AccessDenial | None:
        """Why the client is rejected; None when it may connect.

        Args:
            headers: of the request, by lower-case name.
            subprotocols: offered by a browser, which cannot set a header on a WebSocket.
        """
        return self._check_origin(headers) or (
            self._check_token(headers, subprotocols) if self.needs_token else self._check_host(headers)
        )

    def _check_origin(self, headers: Mapping[str, str]) -> AccessDenial | None:
        """A foreign page in a local browser must not act for its user (RFC 6455, section 10.2)."""
        origin = headers.get("origin", "").lower()
        if not origin or origin in self._origins:
            return None
        host = headers.get("host", "").lower()
        if host and origin in (f"http://{host}", f"https://{host}"):
            return None
        return AccessDenial(403, "cannot accept this page: its origin is another site; add it to server.origins")

    def _check_host(self, headers: Mapping[str, str]) -> AccessDenial | None:
        """Without a token, a foreign host name that resolves to this machine must not be accepted (DNS rebinding)."""
        name = _host_name(headers.get("host", ""))
        if name in self._names or _is_address(name):
            return None
        return AccessDenial(403, "cannot accept this host name: add it to server.names, or set server.token_file")

    def _check_token(self, headers: Mapping[str, str], subprotocols: Sequence[str]) -> AccessDenial | None:
        presented = _presented_token(headers.get("authorization", ""), subprotocols)
        if hmac.compare_digest(presented.encode(), (self._token or "").encode()):
            return None
        return AccessDenial(401, "cannot accept this client: send the access token that server.token_file holds")


def _presented_token(authorization: str, subprotocols: Sequence[str]) -> str:
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
