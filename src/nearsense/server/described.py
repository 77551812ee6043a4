"""What the OpenAPI document says of routes: their names, answers, keys. Tests ask whether it holds."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, Field

from nearsense.kinds import Scope

__all__ = [
    "FAILED",
    "FAULTS",
    "JOB",
    "changing",
    "examples",
    "failed",
    "key_of",
    "operation",
    "security",
    "shape_of",
    "told_as",
]

ERRORS = {
    400: "The body is no JSON.",
    401: "No key was given, or none that this server knows.",
    403: "The key does not allow this.",
    404: "There is nothing of that name.",
    405: "The path is there, the method is not.",
    408: "The request took too long to come.",
    409: "This server, as it stands, cannot do this.",
    413: "The body is too large.",
    414: "The URL is too long.",
    415: "The body is of another type than JSON, or is compressed.",
    421: "The server does not answer to the name that it was called by.",
    422: "The request is not what its type says; the message names the field.",
    429: "There is no room: Retry-After says when to try again.",
    431: "The headers are too large.",
    500: "The server failed.",
    503: "The deadline passed, or the server is shutting down.",
}


class Fault(BaseModel):
    """What went wrong, and what to do."""

    message: str = Field(examples=["there is no collection 'tickets'"])
    why: str = Field(examples=["this server has: support"])
    fix: str = Field(examples=["give one of these names"])
    type: str = Field(examples=["not_found_error"])
    code: str = Field(examples=["collection_not_found"])


class Error(BaseModel):
    """The body of a response that is no answer."""

    error: Fault


FAULTS = Error.model_json_schema(ref_template="#/components/schemas/{model}")
FAULTS = FAULTS.pop("$defs") | {Error.__name__: FAULTS}
"""The components of the document that all errors name."""


@cache
def examples() -> dict[str, Any]:
    """An answer of each route, by the route's name."""
    return json.loads((files("nearsense.server") / "examples.json").read_text("utf-8"))  # type: ignore[no-any-return]


def operation(
    name: str,
    does: str,
    responses: str | dict[int | str, dict[str, Any]] | None = None,
    *,
    key: Scope | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the document says of a route, as FastAPI takes it.

    Args:
        name: The route, as programs call it.
        does: A line of what it does.
        responses: What it answers, the usual first, or in words; None for the example of its name.
        key: What a key has to be good for; a GET takes any.
        body: What is said of a body that has no type.
    """
    found = told_as(responses) if isinstance(responses, str) else responses or _answered(name)
    responses = found | FAILED
    extra = (body or {}) | ({} if key is None else security(key))
    said = {"operation_id": name, "summary": does, "responses": responses, "openapi_extra": extra}
    return {"status_code": next(iter(responses)), **said}


def security(key: Scope) -> dict[str, Any]:
    """That an operation takes a key which is good for something."""
    return {"security": [{"key": [key.value]}]}


def told_as(said: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """That a route answers with a JSON object."""
    return {status: {"description": said, "content": {"application/json": {"schema": {"type": "object"}}}}}


def failed(schema: str) -> dict[int | str, dict[str, Any]]:
    """Every error of a route, with a body that the document knows by name."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {status: {"description": said, "content": content} for status, said in ERRORS.items()}


def key_of(route: Any) -> Scope:
    """What a key has to be good for, as a route declares it.

    Raises:
        ValueError: It may change something, and does not say.
    """
    if route.methods <= {"GET", "HEAD"}:
        return Scope.READ
    declared = getattr(route, "openapi_extra", None) or getattr(route.endpoint, "openapi_extra", {})
    if "security" not in declared:
        raise ValueError(f"{route.methods} {route.path} does not say what a key has to be good for")
    return Scope(declared["security"][0]["key"][0])


FAILED = failed(Error.__name__)
JOB = told_as("It is a job: Location says where to ask for it.", 202)
FULL = told_as("The disk is full; nothing of this is kept.", 507)


def changing(
    name: str,
    does: str,
    done: str,
    status: int = 200,
    *,
    job: bool = True,
    key: Scope = Scope.WRITE,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """As `operation`, of a route that changes something; `job`: it may become one."""
    responses = told_as(done, status) | (JOB if job else {}) | FULL
    return operation(name, does, responses, key=key, body=body)


def _answered(name: str) -> dict[int | str, dict[str, Any]]:
    """What a route answers: the example of its name."""
    example = examples()[name]
    content = {"schema": shape_of(example), "example": example}
    return {200: {"description": "The result.", "content": {"application/json": content}}}


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
