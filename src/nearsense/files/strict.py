"""JSON of which nothing is lost: a name that occurs twice and depths that nothing else reads are refused."""

from __future__ import annotations

import json
from typing import Any

from nearsense.errors import FileError
from nearsense.files.table import repeated
from nearsense.types import shown

__all__ = ["Repeated", "loads", "require_shallow"]

DEEPEST = 100
"""How deep a row may be nested; a collection keeps no more, and many programs cannot read it."""


class Repeated(ValueError):
    """An object says one name twice."""

    def at(self, place: str) -> FileError:
        """The error for users."""
        return FileError(
            f"{place}: the name {shown(self.args[0])} occurs twice in one object",
            why="only the last of its values would be kept",
            fix="rename one, or make a list of the values",
        )


def loads(text: str) -> Any:
    """A JSON value.

    Raises:
        Repeated: A name occurs twice in one object.
        ValueError: It is no JSON, or Python cannot read it; RecursionError as well.

    Example:
        >>> loads('{"a": [1, 2]}')
        {'a': [1, 2]}
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Repeated(repeated(name for name, _ in pairs))
    return made


def require_shallow(value: Any) -> None:
    """Refuse a JSON value that is nested too deep.

    Raises:
        ValueError: It is.
    """
    layer, depth = [value] if isinstance(value, (dict, list)) else [], 0
    while layer:
        if (depth := depth + 1) > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        parts = (each.values() if isinstance(each, dict) else each for each in layer)
        layer = [item for part in parts for item in part if isinstance(item, (dict, list))]
