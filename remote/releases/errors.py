"""What can keep us from knowing the releases: each says what was found, and what to do about it."""

from __future__ import annotations

from remote.errors import RemoteError


class ReleasesUnavailableError(RemoteError):
    """The releases of a repository cannot be told now."""


class UnreachableError(ReleasesUnavailableError):
    """No complete answer: no network, a dropped connection, or nothing in time. It may mend itself."""


class ServerFailedError(ReleasesUnavailableError):
    """The server says that it is ill (5xx), try after try. It may mend itself."""


class TokenRefusedError(ReleasesUnavailableError):
    """401: the token is wrong or has expired, or none is given where one is needed. The operator's to mend."""


class AccessRefusedError(ReleasesUnavailableError):
    """403 without a sign of a rate limit: the token may not read this. The operator's to mend."""


class RepositoryNotFoundError(ReleasesUnavailableError):
    """404: misspelt, gone, or private and the token may not read it. The operator's to mend."""


class AnswerInvalidError(ReleasesUnavailableError):
    """An answer that is not GitHub's REST interface: too large, another shape, or one that leads to another host."""


class RateLimitedError(ReleasesUnavailableError):
    """The server wants to be left alone for a while, so it is.

    Args:
        message: what people read.
        again_in_s: seconds until it may be asked again.
    """

    def __init__(self, message: str, again_in_s: float) -> None:
        super().__init__(message)
        self.again_in_s = again_in_s
