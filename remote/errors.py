"""The error root of the container side."""

from __future__ import annotations


class RemoteError(Exception):
    """Root of the errors of the container side; the message names the remedy."""


class RemoteConfigurationError(RemoteError):
    """The configuration cannot be used: exit code 2. The operator fixes it."""
