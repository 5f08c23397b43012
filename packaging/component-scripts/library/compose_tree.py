"""Parse a compose file to a tree, to compare it before and after an edit.

The tree is built from YAML nodes, not from Python values: compose has its own tags (``!reset``, ``!override``), and
the comparison must keep the notation of numbers.
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
    """The compose file cannot be parsed or edited safely; the operator must fix it."""


def parse(text: str) -> tuple[Tree, MappingNode]:
    """The tree of ``text`` with aliases and merge keys resolved, and its root node with position marks.

    Raises:
        ComposeFileError: it is not one YAML document that is a mapping without duplicate keys.
    """
    try:
        documents = list(reader(VERSIONS[0]).compose_all(text))
    except YAMLError as error:
        raise ComposeFileError(f"it is not valid YAML: {_format_error(error)}; fix that line") from None
    except RecursionError:
        raise ComposeFileError(f"it is nested more than {DEPTH} deep; name the correct file in component.env") from None
    if len(documents) != 1:
        raise ComposeFileError(f"it contains {len(documents)} documents; keep one, without `---` separators")
    root = documents[0]
    if not isinstance(root, MappingNode):
        raise ComposeFileError("it is not a mapping; name the correct file in component.env")
    tree: Tree = _resolve(root, ())
    return tree, root


def reader(version: str) -> YAML:
    """A safe YAML parser for one version of YAML."""
    made = YAML(typ="safe", pure=True)
    made.version = version
    return made


def value_of(mapping: MappingNode, key: str) -> tuple[Node, Node] | None:
    """Key and value node of an entry of the mapping itself, without merge keys; None when there is none."""
    for key_node, value in mapping.value:
        if isinstance(key_node, ScalarNode) and key_node.value == key and key_node.tag != MERGE_TAG:
            return key_node, value
    return None


def _resolve(node: Node, above: tuple[Node, ...]) -> Any:
    if node in above or len(above) > DEPTH:
        raise ComposeFileError(f"line {node.start_mark.line + 1} contains itself, or is nested more than {DEPTH} deep")
    within = (*above, node)
    if isinstance(node, MappingNode):
        return _resolve_mapping(node, within)
    if isinstance(node, SequenceNode):
        return [node.tag, *(_resolve(item, within) for item in node.value)]
    return (node.tag, node.value)


def _resolve_mapping(node: MappingNode, within: tuple[Node, ...]) -> Tree:
    merged: Tree = {}
    own: Tree = {TAG_KEY: node.tag}
    for key_node, value in node.value:
        if key_node.tag == MERGE_TAG:
            sources = value.value if isinstance(value, SequenceNode) else [value]
            for source in reversed(sources):
                merged |= _mapping_to_merge(source, within)
            continue
        key = key_node.value if isinstance(key_node, ScalarNode) else repr(_resolve(key_node, within))
        if key in own:
            line = key_node.start_mark.line + 1
            raise ComposeFileError(f"line {line} gives `{key}` a second time; remove one of the two")
        own[key] = _resolve(value, within)
    return merged | own


def _mapping_to_merge(source: Node, within: tuple[Node, ...]) -> Tree:
    if not isinstance(source, MappingNode):
        raise ComposeFileError(f"line {source.start_mark.line + 1} merges a value that is not a mapping; fix that line")
    tree: Tree = _resolve(source, within)
    return tree


def _format_error(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())
