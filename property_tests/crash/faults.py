"""Which call may be told of which error: a disk is full, sick or read-only, or memory or descriptors are short."""

from __future__ import annotations

from property_tests.crash.syscalls import Call

_NO_DISK = ("ENOSPC", "EIO", "EROFS")
_NO_MEMORY = ("ENOMEM", "EAGAIN")

# Call group → errors; an open for reading has a row of its own, for no disk is too full for that.
_ERRORS: dict[str, tuple[str, ...]] = {
    "open": (*_NO_DISK, "EMFILE"),
    "open for reading": ("EIO", "EMFILE"),
    "write": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "rename": _NO_DISK,
    "unlink": ("EIO", "EROFS"),
    "mkdir": _NO_DISK,
    "link": _NO_DISK,
    "clone": _NO_MEMORY,
    "execve": ("EIO", "ENOMEM", "EMFILE"),
    "truncate": ("ENOSPC", "EIO"),
    "attributes": ("EIO", "EROFS"),
    "read": ("EIO",),
    "list": ("EIO",),
    "stat": ("EIO",),
    "descriptor": ("EMFILE",),
    "watch": ("ENOSPC",),  # fs.inotify.max_user_watches
    "pidfd": ("EMFILE",),
}
_ON_NAMELESS = {"read", "write", "stat"}  # a pipe is on no disk: nothing of it is ever full or sick


def errors_of(call: Call, *, injected: bool = False) -> tuple[str, ...]:
    """Every error that ``call`` might return, in the kernel's names; none where it fails anyway or cannot.

    Args:
        call: as strace tells it.
        injected: whether it has failed already, because it was made to.
    """
    if (call.failed and not injected) or (call.is_nameless and call.group in _ON_NAMELESS):
        return ()
    if call.is_beginning:
        return ()
    if call.name == "fcntl" and "F_DUPFD" not in call.text:  # of its many jobs the one that makes a descriptor
        return ()
    is_reader = call.group == "open" and not call.writes
    return _ERRORS.get("open for reading" if is_reader else call.group, ())
