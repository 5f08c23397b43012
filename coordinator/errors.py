"""Errors of the coordinator; each class has one exit code."""

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
    """Root of the errors that prevent the coordinator from running; the message names the remedy."""


class ConfigurationError(CoordinatorError):
    """The configuration cannot be used: exit code 2, the operator has to fix it."""


class AlreadyRunningError(ConfigurationError):
    """Another coordinator works on the same state folder."""


class UnavailableError(CoordinatorError):
    """The host lacks something that a later start may get: exit code 1, so that a supervisor restarts it."""


def from_os_error(message: str, cause: OSError) -> CoordinatorError:
    """The error to raise for ``cause``: only the operator can help, or a later start may succeed."""
    return ConfigurationError(message) if cause.errno in _OPERATOR_ERRORS else UnavailableError(message)
