"""The docstrings of Python's standard library: real text that every machine has. For the demo only."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from nearsense._progress import Progress, tracked
from nearsense.records import Document

__all__ = ["docstrings"]

SKIPPED = {"site-packages", "test", "tests", "idlelib", "turtledemo", "lib2to3", "__pycache__", "ensurepip"}

Named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

SHORTEST = 4
"""Words that a docstring must have to say something."""


def docstrings(*, progress: Progress = False) -> list[Document]:
    """The first paragraph of each public docstring of the standard library.

    Args:
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        Documents with the qualified name as id (`"csv.DictReader"`); each text once.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [file for file in sorted(root.rglob("*.py")) if _is_public(file.relative_to(root))]
    found: dict[str, Document] = {}
    names: set[str] = set()
    with tracked(len(files), "files", progress) as update:
        for number, file in enumerate(files, 1):
            for name, text in _of_file(file, ".".join(file.relative_to(root).with_suffix("").parts)):
                if name not in names and len(text.split()) >= SHORTEST and text not in found:
                    names.add(name)
                    found[text] = Document(id=name, text=text)
            update(number)
    return list(found.values())


def _is_public(file: Path) -> bool:
    parts = file.with_suffix("").parts
    return not any(part in SKIPPED or (part.startswith("_") and part != "__init__") for part in parts)


def _of_file(file: Path, module: str) -> Iterator[tuple[str, str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own invalid escapes are not ours to report
            tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError, OSError):
        return
    yield from _of_node(tree, module.removesuffix(".__init__"))


def _of_node(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, (ast.Module, *Named)) and (text := ast.get_docstring(node)):
        yield name, " ".join(text.split("\n\n")[0].split())
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.If, ast.Try)):
            yield from _of_node(child, name)
        elif isinstance(child, Named) and not child.name.startswith("_"):
            yield from _of_node(child, f"{name}.{child.name}")
