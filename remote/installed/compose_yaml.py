"""Finds one string in the YAML of a Docker Compose file.

Only the YAML node tree is examined, no values are constructed: aliases and merge keys are followed on the way to the
string only, so that a file of nested aliases ("billion laughs") costs nothing, and Compose's own tags do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

DEPTH = 100
_MERGE_TAG = "tag:yaml.org,2002:merge"


def find_string(text: str, keys: Iterable[str]) -> str:
    """Return the string under ``keys``, one mapping inside the other, in the YAML document ``text``.

    Raises:
        ValueError: the text is not YAML, or has no string there; the message says which, without the file's name.
    """
    node = _root(text)
    seen = "the file"
    for key in keys:
        if (node := _value(node, key)) is None:
            raise ValueError(f"{seen} has no {key!r}; compare path and service")
        seen = repr(key)
    if not isinstance(node, ScalarNode):
        raise ValueError(f"the {key} is not a string; write it like name:1.2.3")  # noqa: TRY004  a value, not a type
    return str(node.value)


def _root(text: str) -> Node | None:
    reader = YAML(typ="safe", pure=True)
    reader.max_depth = DEPTH
    reader.composer.warn_double_anchors = False  # YAML 1.2 allows them: the last one counts
    try:
        root: Node | None = reader.compose(text)
    except (YAMLError, ValueError) as error:  # ValueError: an escape such as "\U00110000" that is not a code point
        raise ValueError(f"it is not YAML: {_describe(error)}; correct it") from None
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
