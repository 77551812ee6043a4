"""What routes answer, for the OpenAPI document: an example each, and its shape. A test asks whether they hold."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["answered", "examples", "shape_of"]


@cache
def examples() -> dict[str, Any]:
    """An answer of each route, by the route's name."""
    return json.loads((files("nearsense.server") / "examples.json").read_text("utf-8"))  # type: ignore[no-any-return]


def answered(name: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What a route answers, as FastAPI takes it."""
    example = examples()[name]
    content = {"schema": shape_of(example), "example": example}
    return {status: {"description": "The result.", "content": {"application/json": content}}}


def shape_of(example: Any) -> dict[str, Any]:
    """The schema of what looks like an example: the names that are always there, and what kind of thing each is.

    What is a number or a text in one answer may be null in another.

    Example:
        >>> shape_of({"score": 0.5, "hits": []})["required"]
        ['score', 'hits']
    """
    if isinstance(example, dict) and example:
        return {
            "type": "object",
            "required": list(example),
            "properties": {name: _or_null(shape_of(each)) for name, each in example.items()},
        }
    if isinstance(example, list):
        return {"type": "array", **({"items": shape_of(example[0])} if example else {})}
    return {"type": "object"} if example == {} else {}


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    return shape if "type" not in shape else shape | {"type": [shape["type"], "null"]}
