"""Errors of the coordinator, each with its exit code in mind."""

from __future__ import annotations

import errno

_OPERATOR_ERRORS = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
}


class CoordinatorError(Exception):
    """Root of what keeps the coordinator from its work; the message names the remedy."""


class ConfigurationError(CoordinatorError):
    """The configuration cannot be used: exit code 2, the operator has to fix it."""


class AlreadyRunningError(ConfigurationError):
    """Another coordinator works on the same state folder."""


class UnavailableError(CoordinatorError):
    """The host refused something that a later start may get: exit code 1, for a supervisor to start again."""


def from_os_error(message: str, cause: OSError) -> CoordinatorError:
    """The error to raise for ``cause``: only the operator can help, or a later start may succeed."""
    return ConfigurationError(message) if cause.errno in _OPERATOR_ERRORS else UnavailableError(message)
