"""A disk as a power cut sees it: what is certain to be there, and what is only on its way.

A file's content is certain up to its last fsync; a name, up to the last fsync of its folder. Everything since may have
lasted or not, each by itself: ext4 keeps the order of names among each other and lets contents come late, other file
systems promise less. So whatever ext4 allows is among the states here, and more than that. Taken for granted is what
every file system promises: a rename happens whole or not at all, and of two changes of one name the later one wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from property_tests.power.operations import Kind, Operation

Image = dict[str, bytes | None]  # path → content; None for a folder


class File:
    """Its content, certain and present, and the changes between the two."""

    def __init__(self, content: bytes = b"") -> None:
        self.certain = content
        self.present = content
        self.versions: list[bytes] = []  # after each change that is not certain to last

    def write(self, offset: int | None, data: bytes) -> None:
        """Change ``data`` at ``offset``, or at the end."""
        at = len(self.present) if offset is None else offset
        self._change(self.present[:at].ljust(at, b"\0") + data + self.present[at + len(data) :])

    def truncate(self, size: int) -> None:
        """Cut off, or fill up with zeros."""
        if size != len(self.present):
            self._change(self.present[:size].ljust(size, b"\0"))

    def _change(self, content: bytes) -> None:
        self.present = content
        self.versions.append(content)

    def sync(self) -> None:
        """What is there lasts."""
        self.certain = self.present
        self.versions = []


@dataclass(eq=False)
class Folder:
    """The names in it, certain and present."""

    certain: dict[str, Node] = field(default_factory=dict)
    present: dict[str, Node] = field(default_factory=dict)


Node = File | Folder


@dataclass(frozen=True, eq=False)
class Change:
    """Names that change together, in one folder or two: (folder, name, what it stands for from then on)."""

    names: tuple[tuple[Folder, str, Node | None], ...]

    def touches(self, other: Change) -> bool:
        """Whether both concern the same name in the same folder."""
        return any(a is b and name == same for a, name, _ in self.names for b, same, _ in other.names)


class Disk:
    """Everything below one folder.

    Args:
        root: its path; what happens elsewhere is passed over.
        image: what is on it for certain, paths relative to ``root``.
    """

    def __init__(self, root: str, image: Image) -> None:
        self._root = root
        self._top = Folder()
        self.changes: list[Change] = []  # of names, not certain to last, in order
        for path, content in sorted(image.items()):
            folder, name = self._place(path)
            folder.certain[name] = folder.present[name] = Folder() if content is None else File(content)

    def apply(self, operation: Operation) -> bool:
        """Let it happen; tell whether it concerned this disk at all."""
        path = self._inside(operation.path)
        if path is None:
            return False
        if operation.kind is Kind.RENAME:
            self._rename(path, self._inside(operation.target))
        elif operation.kind in (Kind.CREATE, Kind.MKDIR):
            if self._find(path) is None:
                self._change((path, File() if operation.kind is Kind.CREATE else Folder()))
        elif operation.kind is Kind.REMOVE:
            self._change((path, None))
        elif operation.kind is Kind.SYNC:
            self._sync(self._find(path))
        else:
            self._write(path, operation)
        return True

    def _write(self, path: str, operation: Operation) -> None:
        file = self._find(path)
        assert isinstance(file, File), f"there is no file {path} to {operation.kind}"
        if operation.kind is Kind.WRITE:
            file.write(operation.offset, operation.data)
        else:
            file.truncate(operation.size)

    def _rename(self, path: str, target: str | None) -> None:
        node = self._find(path)
        assert node is not None, f"there is no {path} to rename"
        assert target is not None, f"{path} leaves the disk"
        self._change((path, None), (target, node))

    def _change(self, *names: tuple[str, Node | None]) -> None:
        change = Change(tuple((*self._place(path), node) for path, node in names))
        _carry_out(change, {}, present=True)
        self.changes.append(change)

    def _sync(self, node: Node | None) -> None:
        """A file's content lasts; or the names in a folder, and whatever must have come before them."""
        if isinstance(node, File):
            node.sync()
        elif node is not None:
            lasting: list[Change] = []
            for change in reversed(self.changes):
                if any(folder is node for folder, _, _ in change.names) or any(map(change.touches, lasting)):
                    lasting.append(change)
            for change in reversed(lasting):
                self.changes.remove(change)
                for folder, name, to in change.names:
                    _bind(folder.certain, name, to)

    def files(self) -> list[File]:
        """Those that may be found under some name after a cut, and whose content is not certain."""
        found: dict[int, File] = {}
        pending: list[Node] = [self._top, *(to for change in self.changes for _, _, to in change.names if to)]
        while pending:
            node = pending.pop()
            if isinstance(node, Folder):
                pending += [*node.certain.values(), *node.present.values()]
            elif node.versions:
                found[id(node)] = node
        return list(found.values())

    def image(self, lasting: Collection[Change], contents: dict[int, bytes]) -> Image:
        """What is found after a cut.

        Args:
            lasting: the changes of names that made it.
            contents: by the id of a file, what is in it; the others hold what is certain.
        """
        names: dict[int, dict[str, Node]] = {}
        for change in self.changes:
            if change in lasting:
                _carry_out(change, names, present=False)
        return dict(_walk(self._top, "", names, contents))

    def present(self) -> Image:
        """What is found as long as the power lasts."""
        return self.image(self.changes, {id(file): file.present for file in self.files()})

    def content(self, path: str) -> bytes:
        """What a reader finds in a file now."""
        file = self._find(path)
        assert isinstance(file, File), f"there is no file {path}"
        return file.present

    # -- paths -------------------------------------------------------------------------------------------------

    def _inside(self, path: str) -> str | None:
        return path[len(self._root) + 1 :] if f"{path}/".startswith(f"{self._root}/") else None

    def _place(self, path: str) -> tuple[Folder, str]:
        above, _, name = path.rpartition("/")
        folder = self._find(above) if above else self._top
        assert isinstance(folder, Folder), f"there is no folder {above}"
        return folder, name

    def _find(self, path: str) -> Node | None:
        node: Node | None = self._top
        for name in path.split("/") if path else ():
            node = node.present.get(name) if isinstance(node, Folder) else None
        return node


def _bind(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _carry_out(change: Change, found: dict[int, dict[str, Node]], *, present: bool) -> None:
    for folder, name, node in change.names:
        names = folder.present if present else found.setdefault(id(folder), dict(folder.certain))
        _bind(names, name, node)


def _walk(
    folder: Folder, path: str, names: dict[int, dict[str, Node]], contents: dict[int, bytes]
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in names.get(id(folder), folder.certain).items():
        if isinstance(node, File):
            yield f"{path}{name}", contents.get(id(node), node.certain)
        else:
            yield f"{path}{name}", None
            yield from _walk(node, f"{path}{name}/", names, contents)
