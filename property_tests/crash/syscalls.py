"""System calls at which the coordinator is killed, loses power or receives an error, parsed from strace output.

strace skips names that the running kernel does not have (``?name``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Group → the system calls that change a disk, a process or a signal.
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
# Calls that only read, or create objects bound to the process; they can fail too. close is left out: only network file
# systems report errors by it, and strace would keep the descriptor open that the kernel closes even then.
READING: dict[str, tuple[str, ...]] = {
    "read": ("read", "readv", "pread64", "preadv"),
    "list": ("getdents64", "getdents"),
    "stat": (
        *("stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink"),
        *("readlinkat", "chdir", "fchdir"),
    ),
    # without dup2 and dup3: within the descriptor limit they allocate nothing
    "descriptor": (
        *("pipe", "pipe2", "eventfd2", "epoll_create", "epoll_create1", "inotify_init", "inotify_init1", "socket"),
        *("dup", "fcntl"),
    ),
    "watch": ("inotify_add_watch",),
    "pidfd": ("pidfd_open",),
}
GROUPS = CHANGING | READING
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
CHANGES = tuple(name for names in CHANGING.values() for name in names)
EVERYTHING = tuple(GROUP_OF)

_LINE = re.compile(r"^(?:\d+ +)?(?P<name>[a-z_0-9]+)\((?P<arguments>.*)")
_FOR_WRITING = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC)\b")
_INTERPRETER = re.compile(
    r"\.pyc?\b|\.so\b|__pycache__|pyvenv\.cfg|\.pth\b|site-packages|/lib/|/etc/ld|\._?zip\b"
    r"|/(?:protocol|policy|fsm|executors|coordinator|backends|rules|commands|checks)[\">/]"
)
_VARYING = re.compile(r".*/experiment-\d+|0x[0-9a-f]+|\d+")
_NAMELESS = re.compile(r"^\d+<(?:pipe|anon_inode|socket):")  # the first argument, with strace -y


@dataclass(frozen=True)
class Syscall:
    """One system call of one thread.

    Args:
        name: of the system call.
        nth: its number among the thread's calls of that name, from 1, as strace's ``when=`` counts.
        text: strace's line, without the name.
    """

    name: str
    nth: int
    text: str

    @property
    def group(self) -> str:
        """Its row in ``GROUPS``."""
        return GROUP_OF[self.name]

    @property
    def writes(self) -> bool:
        """For an open: whether it opens for writing."""
        return bool(_FOR_WRITING.search(self.text))

    @property
    def changes(self) -> bool:
        """Whether it changes anything; an open does only when it opens for writing."""
        return self.group in CHANGING and (self.group != "open" or self.writes)

    @property
    def is_beginning(self) -> bool:
        """Whether it is the execve with which strace starts the traced program: no effect precedes it."""
        return (self.name, self.nth) == ("execve", 1)

    @property
    def injected(self) -> bool:
        """Whether strace injected an error instead of executing it."""
        return "(INJECTED)" in self.text

    @property
    def failed(self) -> bool:
        """Whether it failed without an injection."""
        return " = -1 " in self.text and not self.injected

    @property
    def is_start_up(self) -> bool:
        """Whether the interpreter makes it to locate itself and its modules."""
        return bool(_INTERPRETER.search(self.text))

    @property
    def place(self) -> str:
        """Its subject without the parts that vary between runs; equivalent calls share it."""
        about = self.text.partition(", " if self.text[:1].isdigit() else " = ")[0]
        return f"{self.name} {_VARYING.sub('', about)}"

    @property
    def is_nameless(self) -> bool:
        """Whether it concerns an object without a file on disk, such as a pipe or a socket."""
        return bool(_NAMELESS.match(self.text))

    def __str__(self) -> str:
        return f"{self.name}#{self.nth}({self.text}"


def parse(lines: list[str]) -> list[Syscall]:
    """The calls in strace's output for one thread."""
    counts: dict[str, int] = {}
    calls = []
    for line in lines:
        found = _LINE.match(line)
        if found and found["name"] in GROUP_OF:
            name = found["name"]
            counts[name] = counts.get(name, 0) + 1
            calls.append(Syscall(name, counts[name], found["arguments"]))
    return calls
