"""A body in, an answer out, or an error as OpenAI words it: what all these routes share. Not what they say.

Routes are raw ASGI applications: of a text alone, what stands around its encoding would else cost as much as that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.requests import Request
from starlette.routing import Route

from nearsense import kinds
from nearsense.errors import NearsenseError, TextTooLong
from nearsense.server.described import FAILED, examples, failed, security
from nearsense.server.errors import Refused, as_refused
from nearsense.server.spoken.messages import Malformed, Refusal, reader, schemas, write

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")

__all__ = ["Said", "Wrong", "described", "get", "post"]

GONE = 499
"""The status of a request whose client has left: nobody reads an answer."""


class Wrong(Refused):
    """A field that cannot be used.

    Args:
        param: The field, as the request names it.
        what: As of all errors; so are `why` and `fix`.
        code: As of Refused.
    """

    def __init__(
        self, param: str, what: str, *, why: str = "", fix: str = "", code: str = "invalid_value"
    ) -> None:
        super().__init__(400, code, what, why=why, fix=fix)
        self.param = param


@dataclass(frozen=True, slots=True)
class Said:
    """What the OpenAPI document says of a route beside its messages.

    Args:
        name: The route, as programs call it.
        does: A line of what it does.
        told: The type of its answers.
    """

    name: str
    does: str
    told: Any


def post(path: str, said: Said, kind: type[T], answer: Callable[[T, Request], Awaitable[object]]) -> Route:
    """A route to which a message of a kind is posted; what `answer` makes of it goes back as JSON."""
    return Route(path, _Post(path, said, kind, answer), methods=["POST"])


def get(path: str, said: Said, answer: Callable[[dict[str, Any]], object]) -> Route:
    """A route that tells what `answer` makes of the parameters of its path."""
    return Route(path, _Get(path, said, answer), methods=["GET"])


def described(routes: Sequence[Route], dimensions: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths of routes and the schemas that these name, as parts of an OpenAPI document.

    Args:
        routes: What `post` and `get` made.
        dimensions: `minimum` and `maximum` of how many numbers of a vector may be kept: only a server knows.
    """
    paths: dict[str, Any] = {}
    ends: list[_Post[Any] | _Get] = [route.endpoint for route in routes]  # type: ignore[misc]
    shapes, named = schemas([end.kind or Any for end in ends] + [end.said.told for end in ends] + [Refusal])
    below = {status: FAILED[status] for status in (408, 414, 431)}  # told before anybody knows the path
    told_so = failed(Refusal.__name__) | below
    refusals = {str(status): each for status, each in told_so.items() if status != 422}
    refusals["400"] |= {"description": "The request is not what its type says; the message names the field."}
    for route, end, asked, told in zip(routes, ends, shapes, shapes[len(ends) :], strict=False):
        answer = _as_json({"schema": told, "example": examples()[end.said.name]})
        operation: dict[str, Any] = {"operationId": end.said.name, "summary": end.said.does, "tags": ["others"]}
        operation |= security(kinds.Scope.READ)
        operation["responses"] = {"200": {"description": "The result."} | answer} | refusals
        if end.kind is not None:
            operation["requestBody"] = {"required": True} | _as_json({"schema": asked})
        for name in route.param_convertors:
            known = {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            operation.setdefault("parameters", []).append(known)
        paths.setdefault(route.path_format, {})["get" if end.kind is None else "post"] = operation
    for each in named.values():
        for field in each.get("properties", {}).get("dimensions", {}).get("anyOf", ()):
            field |= dimensions if field["type"] == "integer" else {}
    return paths, named


def _as_json(media: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": media}}


class _Post(Generic[T]):
    openapi_extra = security(kinds.Scope.READ)

    def __init__(
        self, path: str, said: Said, kind: type[T], answer: Callable[[T, Request], Awaitable[object]]
    ) -> None:
        self.path, self.said, self.kind, self._read, self._answer = path, said, kind, reader(kind), answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # for the log: it has a path
        status, headers = 200, dict[str, str]()
        try:
            message = self._read(await _body(receive))
            told: object = await self._answer(message, Request(scope, receive))
        except (NearsenseError, Malformed, MemoryError) as error:
            status, told, headers = _refusal(error)
        if status != GONE:
            await _send(send, status, write(told), headers)


class _Get:
    kind = None

    def __init__(self, path: str, said: Said, answer: Callable[[dict[str, Any]], object]) -> None:
        self.path, self.said, self._answer = path, said, answer

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        scope["route"] = self
        status, headers = 200, dict[str, str]()
        try:
            told = self._answer(scope["path_params"])
        except NearsenseError as error:
            status, told, headers = _refusal(error)
        await _send(send, status, write(told), headers)


async def _body(receive: Receive) -> bytes:
    """All of a request's body: who counts it stands before this."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise Refused(GONE, "client_left", "the client has gone")


def _refusal(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of an error: what OpenAI calls a bad request is 400, whatever is bad of it."""
    told = Wrong(error.param, error.message) if isinstance(error, Malformed) else as_refused(error)
    body = told.to_openai()
    body["error"]["param"] = getattr(told, "param", "") or None
    if isinstance(error, TextTooLong):
        body["error"]["code"] = "context_length_exceeded"
    return 400 if told.status == 422 else told.status, body, told.headers


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    named = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    plain = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": plain + named})
    await send({"type": "http.response.body", "body": body})
