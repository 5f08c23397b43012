"""Disk model for power cuts: durable data, and changes in flight.

A file's content is durable up to its last fsync; a name, up to the last fsync of its directory. Each later change may
or may not be written, independently: ext4 keeps the order of names among each other and delays contents, other file
systems promise less. So the states here include all that ext4 allows, and more. The model assumes what every file
system promises: a rename is atomic, and of two changes of one name the later one wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from property_tests.power.operations import Operation, OperationKind

DiskImage = dict[str, bytes | None]  # path → content; None for a directory


class FileNode:
    """A file: durable content, current content, and the changes in between."""

    def __init__(self, content: bytes = b"") -> None:
        self.durable = content
        self.current = content
        self.versions: list[bytes] = []  # content after each change in flight

    def write(self, offset: int | None, data: bytes) -> None:
        """Write ``data`` at ``offset``, or at the end."""
        at = len(self.current) if offset is None else offset
        self._change(self.current[:at].ljust(at, b"\0") + data + self.current[at + len(data) :])

    def truncate(self, size: int) -> None:
        """Truncate, or extend with zeros."""
        if size != len(self.current):
            self._change(self.current[:size].ljust(size, b"\0"))

    def _change(self, content: bytes) -> None:
        self.current = content
        self.versions.append(content)

    def sync(self) -> None:
        """Make the current content durable."""
        self.durable = self.current
        self.versions = []


@dataclass(eq=False)
class DirectoryNode:
    """A directory: durable and current names."""

    durable: dict[str, Node] = field(default_factory=dict)
    current: dict[str, Node] = field(default_factory=dict)


Node = FileNode | DirectoryNode


@dataclass(frozen=True, eq=False)
class NameChange:
    """Names that change atomically, in one directory or two: (directory, name, new node)."""

    names: tuple[tuple[DirectoryNode, str, Node | None], ...]

    def touches(self, other: NameChange) -> bool:
        """Whether both concern the same name in the same directory."""
        return any(a is b and name == same for a, name, _ in self.names for b, same, _ in other.names)


class DiskModel:
    """All files and directories below one directory.

    Args:
        root: its path; operations elsewhere are ignored.
        image: its durable content, with paths relative to ``root``.
    """

    def __init__(self, root: str, image: DiskImage) -> None:
        self._root = root
        self._top = DirectoryNode()
        self.changes: list[NameChange] = []  # name changes in flight, in order
        for path, content in sorted(image.items()):
            folder, name = self._place(path)
            folder.durable[name] = folder.current[name] = DirectoryNode() if content is None else FileNode(content)

    def apply(self, operation: Operation) -> bool:
        """Apply an operation; returns whether it concerned this disk."""
        path = self._inside(operation.path)
        if path is None:
            return False
        if operation.kind is OperationKind.RENAME:
            self._rename(path, self._inside(operation.target))
        elif operation.kind in (OperationKind.CREATE, OperationKind.MKDIR):
            if self._find(path) is None:
                self._change((path, FileNode() if operation.kind is OperationKind.CREATE else DirectoryNode()))
        elif operation.kind is OperationKind.REMOVE:
            self._change((path, None))
        elif operation.kind is OperationKind.SYNC:
            self._sync(self._find(path))
        else:
            self._write(path, operation)
        return True

    def _write(self, path: str, operation: Operation) -> None:
        file = self._find(path)
        assert isinstance(file, FileNode), f"cannot {operation.kind} {path}: it is no file"
        if operation.kind is OperationKind.WRITE:
            file.write(operation.offset, operation.data)
        else:
            file.truncate(operation.size)

    def _rename(self, path: str, target: str | None) -> None:
        node = self._find(path)
        assert node is not None, f"cannot rename {path}: it does not exist"
        assert target is not None, f"cannot rename {path}: the target is outside the modelled directory"
        self._change((path, None), (target, node))

    def _change(self, *names: tuple[str, Node | None]) -> None:
        change = NameChange(tuple((*self._place(path), node) for path, node in names))
        _apply_names(change, {}, current=True)
        self.changes.append(change)

    def _sync(self, node: Node | None) -> None:
        """Make a file's content durable, or the names in a directory with all changes they depend on."""
        if isinstance(node, FileNode):
            node.sync()
        elif node is not None:
            written: list[NameChange] = []
            for change in reversed(self.changes):
                if any(folder is node for folder, _, _ in change.names) or any(map(change.touches, written)):
                    written.append(change)
            for change in reversed(written):
                self.changes.remove(change)
                for folder, name, to in change.names:
                    _bind(folder.durable, name, to)

    def files(self) -> list[FileNode]:
        """The files that may exist after a cut and have content in flight."""
        found: dict[int, FileNode] = {}
        pending: list[Node] = [self._top, *(to for change in self.changes for _, _, to in change.names if to)]
        while pending:
            node = pending.pop()
            if isinstance(node, DirectoryNode):
                pending += [*node.durable.values(), *node.current.values()]
            elif node.versions:
                found[id(node)] = node
        return list(found.values())

    def image(self, written: Collection[NameChange], contents: dict[int, bytes]) -> DiskImage:
        """The image after a cut.

        Args:
            written: the name changes that were written.
            contents: content by the id of a file; the others have their durable content.
        """
        names: dict[int, dict[str, Node]] = {}
        for change in self.changes:
            if change in written:
                _apply_names(change, names, current=False)
        return dict(_walk(self._top, "", names, contents))

    def current(self) -> DiskImage:
        """The image without a power cut."""
        return self.image(self.changes, {id(file): file.current for file in self.files()})

    def content(self, path: str) -> bytes:
        """The current content of a file."""
        file = self._find(path)
        assert isinstance(file, FileNode), f"{path} is no file"
        return file.current

    # -- paths -------------------------------------------------------------------------------------------------

    def _inside(self, path: str) -> str | None:
        return path[len(self._root) + 1 :] if f"{path}/".startswith(f"{self._root}/") else None

    def _place(self, path: str) -> tuple[DirectoryNode, str]:
        parent, _, name = path.rpartition("/")
        folder = self._find(parent) if parent else self._top
        assert isinstance(folder, DirectoryNode), f"{parent} is no directory"
        return folder, name

    def _find(self, path: str) -> Node | None:
        node: Node | None = self._top
        for name in path.split("/") if path else ():
            node = node.current.get(name) if isinstance(node, DirectoryNode) else None
        return node


def _bind(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _apply_names(change: NameChange, found: dict[int, dict[str, Node]], *, current: bool) -> None:
    for folder, name, node in change.names:
        names = folder.current if current else found.setdefault(id(folder), dict(folder.durable))
        _bind(names, name, node)


def _walk(
    folder: DirectoryNode, path: str, names: dict[int, dict[str, Node]], contents: dict[int, bytes]
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in names.get(id(folder), folder.durable).items():
        if isinstance(node, FileNode):
            yield f"{path}{name}", contents.get(id(node), node.durable)
        else:
            yield f"{path}{name}", None
            yield from _walk(node, f"{path}{name}/", names, contents)
