"""Table of injectable errors per system call: full, failing or read-only disk; no memory or descriptors."""

from __future__ import annotations

from property_tests.crash.syscalls import Syscall

_NO_DISK = ("ENOSPC", "EIO", "EROFS")
_NO_MEMORY = ("ENOMEM", "EAGAIN")

# Syscall group → errors. An open for reading has its own row: it cannot fail with ENOSPC.
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
_ON_NAMELESS = {"read", "write", "stat"}  # pipes are not on a disk, so disk errors do not apply


def errors_of(call: Syscall, *, injected: bool = False) -> tuple[str, ...]:
    """Every error ``call`` might return, by errno name; empty if it fails without injection or cannot fail.

    Args:
        call: as parsed from strace.
        injected: whether its present failure was injected.
    """
    if (call.failed and not injected) or (call.is_nameless and call.group in _ON_NAMELESS):
        return ()
    if call.is_beginning:
        return ()
    if call.name == "fcntl" and "F_DUPFD" not in call.text:  # the only command of fcntl that allocates a descriptor
        return ()
    is_reader = call.group == "open" and not call.writes
    return _ERRORS.get("open for reading" if is_reader else call.group, ())
