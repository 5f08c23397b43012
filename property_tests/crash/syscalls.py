"""The system calls at which the coordinator is killed, loses power, or is told of an error: read from strace's lines.

Names that the kernel of the machine at hand does not have are passed over by strace (``?name``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a person calls it → the system calls that do it: those that change a disk, a process or a signal.
CHANGING: dict[str, tuple[str, ...]] = {
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
    "attributes": ("chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "utimensat"),
}
# Those that only look, or make what lives no longer than its process; they fail all the same. Not so close: only file
# systems of a network tell by it of an error, and strace would leave open what the kernel closes even then.
LOOKING: dict[str, tuple[str, ...]] = {
    "read": ("read", "readv", "pread64", "preadv"),
    "list": ("getdents64", "getdents"),
    "stat": (
        *("stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink"),
        *("readlinkat", "chdir", "fchdir"),
    ),
    # without dup2 and dup3: for a number within the limit they need no room
    "descriptor": (
        *("pipe", "pipe2", "eventfd2", "epoll_create", "epoll_create1", "inotify_init", "inotify_init1", "socket"),
        *("dup", "fcntl"),
    ),
    "watch": ("inotify_add_watch",),
    "pidfd": ("pidfd_open",),
}
GROUPS = CHANGING | LOOKING
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
CHANGES = tuple(name for names in CHANGING.values() for name in names)
EVERYTHING = tuple(GROUP_OF)

_LINE = re.compile(r"^(?:\d+ +)?(?P<name>[a-z_0-9]+)\((?P<arguments>.*)")
_FOR_WRITING = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC)\b")
_INTERPRETER = re.compile(
    r"\.pyc?\b|\.so\b|__pycache__|pyvenv\.cfg|\.pth\b|site-packages|/lib/|/etc/ld|\._?zip\b"
    r"|/(?:protocol|policy|fsm|executors|coordinator|kinds|commands|judges)[\">/]"
)
_CHANCE = re.compile(r".*/experiment-\d+|0x[0-9a-f]+|\d+")
_NAMELESS = re.compile(r"^\d+<(?:pipe|anon_inode|socket):")  # as the first argument, with strace -y


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
    def writes(self) -> bool:
        """Of an open: whether it is for writing."""
        return bool(_FOR_WRITING.search(self.text))

    @property
    def changes(self) -> bool:
        """Whether it changes anything: an open does so only when it is for writing."""
        return self.group in CHANGING and (self.group != "open" or self.writes)

    @property
    def is_beginning(self) -> bool:
        """Whether it is the execve with which strace starts what it looks at: nothing has happened yet."""
        return (self.name, self.nth) == ("execve", 1)

    @property
    def injected(self) -> bool:
        """Whether strace had it return an error instead of happening."""
        return "(INJECTED)" in self.text

    @property
    def failed(self) -> bool:
        """Whether it returned an error by itself."""
        return " = -1 " in self.text and not self.injected

    @property
    def is_start_up(self) -> bool:
        """Whether it is the interpreter's, looking for itself and its modules."""
        return bool(_INTERPRETER.search(self.text))

    @property
    def place(self) -> str:
        """What it is about, without what differs from one time to the next: calls alike share it."""
        about = self.text.partition(", " if self.text[:1].isdigit() else " = ")[0]
        return f"{self.name} {_CHANCE.sub('', about)}"

    @property
    def is_nameless(self) -> bool:
        """Whether it is about a pipe, a socket or the like, which lies on no disk."""
        return bool(_NAMELESS.match(self.text))

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
