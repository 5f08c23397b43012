"""The error root of the coordinator."""

from __future__ import annotations


class CoordinatorError(Exception):
    """Anything that keeps the coordinator from doing its work; the message names the remedy."""


class ConfigurationError(CoordinatorError):
    """The configuration cannot be used: exit code 2, the operator's to mend."""


class AlreadyRunningError(CoordinatorError):
    """Another coordinator works on the same state folder."""
