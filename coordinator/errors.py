"""The error root of the coordinator."""

from __future__ import annotations

import errno

_OPERATORS = {
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
    """Anything that keeps the coordinator from doing its work; the message names the remedy."""


class ConfigurationError(CoordinatorError):
    """The configuration cannot be used: exit code 2, the operator's to mend."""


class AlreadyRunningError(ConfigurationError):
    """Another coordinator works on the same state folder."""


class UnavailableError(CoordinatorError):
    """The host could not give what is needed just now: exit code 1, for a supervisor to try again."""


def from_os_error(message: str, cause: OSError) -> CoordinatorError:
    """What to raise when the host refuses: whether only the operator can help, or time may, too."""
    return ConfigurationError(message) if cause.errno in _OPERATORS else UnavailableError(message)
