"""The error root of the container side."""

from __future__ import annotations


class RemoteError(Exception):
    """Anything that keeps the container side from its work; the message names the remedy."""


class ConfigurationError(RemoteError):
    """The configuration cannot be used: exit code 2, the operator's to mend."""
