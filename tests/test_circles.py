"""No module of the package leads back to itself by its imports, those inside functions and for types counted."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src"
MODULES = {
    ".".join(file.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(SOURCES.rglob("*.py"))
}


def imports(source: str) -> set[str]:
    """What a module imports anywhere: a module where one is named, else what holds the name."""
    tree = ast.parse(source)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in MODULES else node.module for full in within.values()}
    return found & MODULES.keys()


def require_no_circle(graph: dict[str, set[str]]) -> None:
    TopologicalSorter(graph).prepare()


def test_no_import_leads_back_also_not_from_inside_a_function():
    require_no_circle({name: imports(file.read_text()) - {name} for name, file in MODULES.items()})


def test_an_import_inside_a_function_is_seen_and_so_is_one_for_types():
    deferred = "def f():\n    from nearsense.files import table, atomic_write"
    source = f"if TYPE_CHECKING:\n    import nearsense.text\n{deferred}"
    assert imports(source) == {"nearsense.text", "nearsense.files.table", "nearsense.files"}
    with pytest.raises(CycleError):
        require_no_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
