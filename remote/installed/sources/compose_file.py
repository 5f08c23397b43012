"""A container's version: the tag of the image that the compose file gives its service.

The file's nodes are looked at, not the values that they make: an alias or merge key is followed where it leads to what
is sought, and else costs nothing, however many others it multiplies; and compose has tags of its own.

Mount the folder, not the file: who updates the file puts a new one in its place, and a mounted file stays the old one.
"""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from protocol.names import printable
from remote.installed.errors import VersionUnknownError
from remote.installed.version_source import read_text
from remote.installed.well_formed import version_in
from remote.settings import Component

NEEDS = ("path", "service")
FILE_BYTES = 1 << 20
DEPTH = 100
_MERGE_TAG = "tag:yaml.org,2002:merge"
_REMEDY = "write it like name:1.2.3"


def read(component: Component) -> str:
    """The tag of the service's image in the compose file at ``path``; a digest behind it does not matter.

    Raises:
        VersionUnknownError: there is no such file, service or tag, or the tag is not a version.
    """
    node: Node | None = _root(component, read_text(component, FILE_BYTES))
    seen = "the file"
    for key in ("services", component.service or "", "image"):
        if (node := _value(node, key)) is None:
            raise VersionUnknownError(component, f"{component.path}: {seen} has no {key!r}; compare path and service")
        seen = repr(key)
    if not isinstance(node, ScalarNode):
        raise VersionUnknownError(component, f"{component.path}: the image is not a name; {_REMEDY}")
    image = str(node.value)
    if "$" in image:
        raise VersionUnknownError(
            component, f"{component.path}: the image {printable(image)} holds a variable; {_REMEDY}"
        )
    _, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if not colon:
        raise VersionUnknownError(component, f"{component.path}: the image {printable(image)} has no tag; {_REMEDY}")
    return version_in(component, tag, f"the tag of the image in {component.path}", _REMEDY)


def _root(component: Component, text: str) -> Node | None:
    reader = YAML(typ="safe", pure=True)
    reader.max_depth = DEPTH
    reader.composer.warn_double_anchors = False  # they are allowed: the last one counts
    try:
        root: Node | None = reader.compose(text)
    except (YAMLError, ValueError) as error:  # the second: of a character's number that no character has
        raise VersionUnknownError(component, f"{component.path} is not YAML: {_words(error)}; mend it") from None
    return root


def _value(node: Node | None, key: str) -> Node | None:
    """The value of ``key`` in a mapping: its own, or else that of the first mapping merged into it that has one."""
    waiting, seen = [node], set()
    while waiting:
        mapping = waiting.pop(0)
        if not isinstance(mapping, MappingNode) or id(mapping) in seen:
            continue
        seen.add(id(mapping))
        merged: list[Node | None] = []
        for name, value in mapping.value:
            if name.tag == _MERGE_TAG:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif name.value == key:
                return value  # type: ignore[no-any-return]
        waiting = [*merged, *waiting]
    return None


def _words(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())
