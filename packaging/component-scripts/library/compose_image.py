"""Get or set the image of one service in a compose file; every other byte of the file is unchanged.

usage: compose_image.py get FILE SERVICE
       compose_image.py set FILE SERVICE IMAGE

The parser's marks locate the text of exactly one scalar, ``services.SERVICE.image``, which is replaced. A file in which
the edit could change anything else is rejected with a remedy.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from copy import deepcopy
from pathlib import Path

from compose_tree import VERSIONS, ComposeFileError, Tree, parse, reader, value_of
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from protocol.fs import write_atomic

FILE_BYTES = 1 << 20
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")
STRING_TAG = "tag:yaml.org,2002:str"
PLAINLY = "write it plainly as `image: name:tag`"


class ComposeImage:
    """The image of one service in the text of a compose file."""

    def __init__(self, text: str, service: str) -> None:
        self._text = text
        self._service = service
        self._tree, root = parse(text)
        services = self._own_value(root, "services", "the file")
        entry = self._own_value(services, service, "`services`")
        self._node = self._image_node(entry)

    @property
    def name(self) -> str:
        """The image reference in the file, without quotes."""
        return str(self._node.value)

    def replaced(self, image: str) -> str:
        """The whole text, with the present reference replaced by ``image``.

        Raises:
            ComposeFileError: the change would also change another place of the file.
        """
        quote = self._node.style or ("" if _is_plain_string(image) else '"')
        start, end = self._node.start_mark.index, self._node.end_mark.index
        text = f"{self._text[:start]}{quote}{image}{quote}{self._text[end:]}"
        expected: Tree = deepcopy(self._tree)
        expected["services"][self._service]["image"] = (STRING_TAG, image)
        if parse(text)[0] != expected:
            raise ComposeFileError(
                f"the image of `{self._service}` is also used elsewhere in the file (an anchor, alias or merge key); "
                f"give each service an image of its own"
            )
        return text

    def _own_value(self, mapping: Node, key: str, where: str) -> Node:
        """The value written at ``key`` itself, not one from an alias.

        Raises:
            ComposeFileError: there is none.
        """
        if not isinstance(mapping, MappingNode):
            raise ComposeFileError(f"{where} is not a mapping; see the documentation of compose files")
        found = value_of(mapping, key)
        if found is None:
            raise ComposeFileError(f"{where} has no `{key}`{_known(mapping, key)}")
        key_node, value = found
        if value.start_mark.index < key_node.end_mark.index:
            raise ComposeFileError(f"`{key}` is an alias; write its value out in full")
        return value

    def _image_node(self, entry: Node) -> ScalarNode:
        try:
            node = self._own_value(entry, "image", f"service `{self._service}`")
        except ComposeFileError as error:
            raise ComposeFileError(f"{error}; {PLAINLY} in the service itself") from None
        if not isinstance(node, ScalarNode) or node.tag != STRING_TAG:
            raise ComposeFileError(f"the image of `{self._service}` is not a name; {PLAINLY}")
        raw = self._text[node.start_mark.index : node.end_mark.index]
        if "$" in node.value:
            raise ComposeFileError(f"the image of `{self._service}` holds a variable: {raw}; {PLAINLY}")
        if raw[0] in "&!*|>" or "\n" in raw or "\r" in raw:
            raise ComposeFileError(f"the image of `{self._service}` has an anchor, a tag or several lines; {PLAINLY}")
        if not IMAGE.fullmatch(node.value):
            raise ComposeFileError(f"the image of `{self._service}` is not an image reference: {raw}; {PLAINLY}")
        return node


def read(file: Path) -> str:
    """The text of a compose file, including line ends and byte order mark."""
    data = file.read_bytes()
    if len(data) > FILE_BYTES:
        raise ComposeFileError(f"it is larger than {FILE_BYTES} bytes; name the correct file in component.env")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ComposeFileError(f"byte {error.start} is not UTF-8; store the file as UTF-8") from None


def set_image(file: Path, service: str, image: str) -> None:
    """Set the image of ``service``; replaces the file atomically, and follows a link to it."""
    if not IMAGE.fullmatch(image):
        raise ComposeFileError(f"{image!r} is not an image reference")
    target = file.resolve(strict=True)
    text = read(target)
    changed = ComposeImage(text, service).replaced(image)
    if changed == text:
        return
    before = target.stat()
    owner = (before.st_uid, before.st_gid)
    write_atomic(target, changed.encode("utf-8"), mode=stat.S_IMODE(before.st_mode), owner=owner)


def _known(mapping: MappingNode, key: str) -> str:
    names = ", ".join(str(name.value) for name, _ in mapping.value if isinstance(name, ScalarNode))
    return "" if key == "image" else f"; it has: {names or 'nothing'}"


def _is_plain_string(image: str) -> bool:
    """Whether unquoted ``image`` is a string in each YAML version; 12:30 is a number in YAML 1.1."""
    return all(reader(version).load(image) == image for version in VERSIONS)


def main(arguments: list[str]) -> int:
    """Run the command; prints errors to standard error. 0 success, 1 failure, 2 wrong usage."""
    match arguments:
        case ["get", file, service]:
            image = None
        case ["set", file, service, image]:
            pass
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    try:
        if image is None:
            sys.stdout.write(f"{ComposeImage(read(Path(file)), service).name}\n")
        else:
            set_image(Path(file), service, image)
    except ComposeFileError as error:
        sys.stderr.write(f"cannot {arguments[0]} the image in {file}: {error}\n")
    except OSError as error:
        sys.stderr.write(
            f"cannot {arguments[0]} the image in {error.filename or file}: {os.strerror(error.errno or 0)}\n"
        )
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
