"""What a compose file means, for comparing it before and after an edit.

The tree is built from YAML nodes, not from Python values: compose has tags of its own (``!reset``, ``!override``), and
how a number is written must not be lost in the comparison.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Tree = dict[str, Any]
MERGE_TAG = "tag:yaml.org,2002:merge"
TAG_KEY = "\0"  # no key in a file can be this
DEPTH = 100
VERSIONS = ("1.1", "1.2")  # of YAML: what docker-compose 1 reads, and what docker compose reads


class ComposeFileError(Exception):
    """The file cannot be read or changed for certain; the operator mends it."""


def parse(text: str) -> tuple[Tree, MappingNode]:
    """The meaning of ``text``, aliases and merge keys resolved, and its root node with the marks of each place.

    Raises:
        ComposeFileError: it is not one YAML document that is a mapping without duplicate keys.
    """
    try:
        documents = list(reader(VERSIONS[0]).compose_all(text))
    except YAMLError as error:
        raise ComposeFileError(f"it is not valid YAML: {_words(error)}; mend that line") from None
    except RecursionError:
        raise ComposeFileError(f"it is nested more than {DEPTH} deep; name the right file in component.env") from None
    if len(documents) != 1:
        raise ComposeFileError(f"it holds {len(documents)} documents; keep one, without `---` between parts")
    root = documents[0]
    if not isinstance(root, MappingNode):
        raise ComposeFileError("it is not a mapping; name the right file in component.env")
    tree: Tree = _meaning(root, ())
    return tree, root


def reader(version: str) -> YAML:
    """A reader of YAML by the rules of one version; it makes nothing but plain values."""
    made = YAML(typ="safe", pure=True)
    made.version = version
    return made


def value_of(mapping: MappingNode, key: str) -> tuple[Node, Node] | None:
    """The key node and the value node of an entry that stands in the mapping itself."""
    for key_node, value in mapping.value:
        if isinstance(key_node, ScalarNode) and key_node.value == key and key_node.tag != MERGE_TAG:
            return key_node, value
    return None


def _meaning(node: Node, above: tuple[Node, ...]) -> Any:
    if node in above or len(above) > DEPTH:
        raise ComposeFileError(f"line {node.start_mark.line + 1} contains itself, or is nested more than {DEPTH} deep")
    within = (*above, node)
    if isinstance(node, MappingNode):
        return _mapping(node, within)
    if isinstance(node, SequenceNode):
        return [node.tag, *(_meaning(item, within) for item in node.value)]
    return (node.tag, node.value)


def _mapping(node: MappingNode, within: tuple[Node, ...]) -> Tree:
    merged: Tree = {}
    own: Tree = {TAG_KEY: node.tag}
    for key_node, value in node.value:
        if key_node.tag == MERGE_TAG:
            sources = value.value if isinstance(value, SequenceNode) else [value]
            for source in reversed(sources):
                merged |= _mapping_to_merge(source, within)
            continue
        key = key_node.value if isinstance(key_node, ScalarNode) else repr(_meaning(key_node, within))
        if key in own:
            line = key_node.start_mark.line + 1
            raise ComposeFileError(f"line {line} gives `{key}` a second time; remove one of the two")
        own[key] = _meaning(value, within)
    return merged | own


def _mapping_to_merge(source: Node, within: tuple[Node, ...]) -> Tree:
    if not isinstance(source, MappingNode):
        raise ComposeFileError(f"line {source.start_mark.line + 1} merges what is not a mapping; mend that line")
    meaning: Tree = _meaning(source, within)
    return meaning


def _words(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())
