"""The error root of this package."""

from __future__ import annotations


class ProtocolError(Exception):
    """Anything the exchange of files between container and host can go wrong with."""
