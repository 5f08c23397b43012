"""Version source ``compose_file``: the tag of the image that a Docker Compose file gives a service.

Only the YAML node tree is examined, no values are constructed: aliases and merge keys are followed on the way to the
image only, so that a file of nested aliases ("billion laughs") costs nothing, and Compose's own tags do not matter.

The directory must be mounted, not the file: tools replace the file, and a mount of the file would keep the old inode.
"""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from protocol.names import printable
from remote.installed.version_source import SourceSettings, VersionSource, VersionUnknownError, parse_version, read_text

FILE_BYTES = 1 << 20
DEPTH = 100
_MERGE_TAG = "tag:yaml.org,2002:merge"
_REMEDY = "write it like name:1.2.3"


def read(component: SourceSettings) -> str:
    """Return the tag of the service's image in the compose file at ``path``; a digest after the tag is ignored.

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
        raise VersionUnknownError(component, f"{component.path}: the image is not a string; {_REMEDY}")
    image = str(node.value)
    if "$" in image:
        raise VersionUnknownError(
            component, f"{component.path}: the image {printable(image)} contains a variable; {_REMEDY}"
        )
    _, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if not colon:
        raise VersionUnknownError(component, f"{component.path}: the image {printable(image)} has no tag; {_REMEDY}")
    return parse_version(component, tag, f"the tag of the image in {component.path}", _REMEDY)


def _root(component: SourceSettings, text: str) -> Node | None:
    reader = YAML(typ="safe", pure=True)
    reader.max_depth = DEPTH
    reader.composer.warn_double_anchors = False  # YAML 1.2 allows them: the last one counts
    try:
        root: Node | None = reader.compose(text)
    except (YAMLError, ValueError) as error:  # ValueError: an escape such as "\U00110000" that is not a code point
        raise VersionUnknownError(component, f"{component.path} is not YAML: {_describe(error)}; correct it") from None
    return root


def _value(node: Node | None, key: str) -> Node | None:
    """Return the value of ``key`` in a mapping: its own, else that of the first merged mapping that has the key.

    Visits each mapping once, so that cyclic or multiplied merges end.
    """
    pending, seen = [node], set()
    while pending:
        mapping = pending.pop(0)
        if not isinstance(mapping, MappingNode) or id(mapping) in seen:
            continue
        seen.add(id(mapping))
        merged: list[Node | None] = []
        for name, value in mapping.value:
            if name.tag == _MERGE_TAG:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif name.value == key:
                return value  # type: ignore[no-any-return]
        pending = [*merged, *pending]
    return None


def _describe(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


SOURCE = VersionSource(needs={"path": "the file to read", "service": "its name in that file"}, read=read)
