"""The system calls that change a disk, a process or a signal: where the coordinator is killed, and what may fail there.

Names that the kernel of the machine at hand does not have are passed over by strace (``?name``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a person calls it → the system calls that do it.
GROUPS: dict[str, tuple[str, ...]] = {
    "open": ("openat", "open", "creat"),
    "write": ("write", "writev", "pwrite64", "pwritev"),
    "fsync": ("fsync", "fdatasync", "sync_file_range"),
    "rename": ("rename", "renameat", "renameat2"),
    "unlink": ("unlink", "unlinkat", "rmdir"),
    "mkdir": ("mkdir", "mkdirat"),
    "link": ("link", "linkat", "symlink", "symlinkat"),
    "clone": ("clone", "clone3", "fork", "vfork"),
    "execve": ("execve", "execveat"),
    "kill": ("kill", "tgkill", "pidfd_send_signal"),
    "truncate": ("ftruncate", "truncate", "fallocate"),
    "attributes": ("chmod", "fchmod", "fchmodat", "utimensat"),
}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
FILTER = ",".join(f"?{name}" for name in GROUP_OF)

_LINE = re.compile(r"^(?:\d+ +)?(?P<name>[a-z_0-9]+)\((?P<arguments>.*)")
_FOR_WRITING = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC)\b")


@dataclass(frozen=True)
class Call:
    """One system call of one thread.

    Args:
        name: of the system call.
        nth: its number among the thread's calls of that name, from 1: what strace's ``when=`` counts.
        text: strace's line, without the name.
    """

    name: str
    nth: int
    text: str

    @property
    def group(self) -> str:
        """The row in ``GROUPS`` it belongs to."""
        return GROUP_OF[self.name]

    @property
    def changes(self) -> bool:
        """Whether it changes anything: an open does so only when it is for writing."""
        return self.group != "open" or bool(_FOR_WRITING.search(self.text))

    def __str__(self) -> str:
        return f"{self.name}#{self.nth}({self.text}"


def parse(lines: list[str]) -> list[Call]:
    """The calls in what strace wrote about one thread."""
    counts: dict[str, int] = {}
    calls = []
    for line in lines:
        found = _LINE.match(line)
        if found and found["name"] in GROUP_OF:
            name = found["name"]
            counts[name] = counts.get(name, 0) + 1
            calls.append(Call(name, counts[name], found["arguments"]))
    return calls
