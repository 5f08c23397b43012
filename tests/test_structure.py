"""The structure of the product: what no linter checks."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PACKAGES = ("protocol", "policy", "fsm", "executors", "coordinator", "remote")
MOST_DEPENDENCIES = 7
CLASSES = [
    (path.relative_to(ROOT), node)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
]


def _dependencies(node: ast.ClassDef) -> int:
    constructors = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return max((len(each.args.args) - 1 + len(each.args.kwonlyargs) for each in constructors), default=0)


def test_no_constructor_takes_more_than_seven_dependencies():
    """What belongs together is grouped."""
    assert len(CLASSES) > 100
    assert [f"{path}: {node.name}" for path, node in CLASSES if _dependencies(node) > MOST_DEPENDENCIES] == []


def test_no_two_public_classes_share_a_name():
    """A name that is found by a search means one thing."""
    names = Counter(node.name for _, node in CLASSES if not node.name.startswith("_"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_imports_itself_through_others():
    """There is no cycle, also none under TYPE_CHECKING or inside a function."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    order = tuple(TopologicalSorter(imports).static_order())  # raises CycleError
    assert {name.partition(".")[0] for name in order} == set(PACKAGES)
