"""The application: every room's routes, errors in one form, one OpenAPI document. Not what any route does.

A room is a module with `routes(service, settings)`, which gives a list of routes.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearsense import kinds
from nearsense._version import __version__
from nearsense.errors import NearsenseError
from nearsense.server import collections, mcp, pages, spoken, state, verbs
from nearsense.server.described import FAULTS, key_of, security
from nearsense.server.errors import JSON, Refused, error_response, in_openai_form
from nearsense.server.logs import Lines, Logged
from nearsense.server.reference import reference, resolved
from nearsense.server.requests import FILTER, with_filters
from nearsense.server.safety import OPEN_PATHS, SafetyMiddleware, path_pattern
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from nearsense.server.work import collected_warnings

__all__ = ["create_app", "create_mcp_app"]

ROOMS = (state, verbs, collections, spoken, pages, mcp)

log = logging.getLogger("nearsense")

ABOUT = """Finds texts that are near in sense, and says how sure it is.

Every answer of a verb has what its result has in Python and on the command line, and `warnings`: what was noticed
on the way, such as texts that were cut. An error has a `message`, and mostly a `why` and a `fix`."""


def create_app(service: Service, settings: ServerSettings) -> ASGIApp:
    """The application that serves a service.

    Args:
        service: What is served. It stays open when the application ends: whoever opened it closes it.
        settings: How.

    Returns:
        An ASGI application.
    """
    app = FastAPI(
        title="nearsense",
        version=__version__,
        description=ABOUT,
        openapi_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    for room in ROOMS:
        app.router.routes.extend(room.routes(service, settings))
    app.add_exception_handler(NearsenseError, _told)
    app.add_exception_handler(RequestValidationError, _not_its_type)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(_Faults)
    routes: list[Any] = [*app.router.routes]
    reading = [each for each in routes if key_of(each) is kinds.Scope.READ]
    asking = [each.path_format for each in reading if "POST" in each.methods]
    app.state.methods = [(re.compile(path_pattern(each.path_format)), each.methods) for each in routes]
    document = cache(lambda: _document(app, service, settings))  # when it is asked for: it takes half a second
    described, page = cache(lambda: JSON(document()).body), cache(lambda: reference(document()))
    app.add_route("/openapi.json", lambda _: Response(described(), media_type=JSON.media_type))
    app.add_route("/docs", lambda _: HTMLResponse(page()[0], headers=page()[1]))
    direct = spoken.endpoints(service, settings) | verbs.endpoints(service, settings, app)
    return _wrapped(_Direct(app, direct), service, settings, *asking)


def create_mcp_app(service: Service, settings: ServerSettings) -> ASGIApp:
    """An application that has the route of assistants alone, as guarded as the server is."""
    return _wrapped(Starlette(routes=mcp.routes(service, settings)), service, settings, mcp.PATH)


def _wrapped(app: ASGIApp, service: Service, settings: ServerSettings, *asking: str) -> ASGIApp:
    """What stands before every route: who may ask, and what is noted of it."""
    guarded = SafetyMiddleware(app, settings, asking)
    return Logged(guarded, service.metrics, Lines(), texts=settings.log_texts)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    with collected_warnings():
        yield


def _document(app: FastAPI, service: Service, settings: ServerSettings) -> dict[str, Any]:
    """One OpenAPI document of all rooms."""
    document: dict[str, Any] = with_filters(app.openapi())
    paths, schemas = spoken.described(service, settings)
    document["paths"] |= paths
    document["components"]["schemas"] |= schemas | FAULTS | {"Filter": FILTER}
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, method, operation in (
        (path, *each) for path, item in document["paths"].items() for each in item.items()
    ):
        if method == "get":
            operation.update({"security": []} if path in OPEN_PATHS else security(kinds.Scope.READ))
        for media in operation.get("requestBody", {}).get("content", {}).values():
            fields = resolved(document, media.get("schema", {})).get("properties", {})
            example = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
            if example:
                media.setdefault("example", example)
        if settings.key_file is None:
            del operation["security"]
    if settings.key_file is None:
        del document["components"]["securitySchemes"]
    return document


async def _told(request: Request, error: Exception) -> Response:
    return error_response(error, openai=in_openai_form(request.url.path))


async def _not_its_type(request: Request, error: Exception) -> Response:
    """A request that is not what its type says: the first of its faults, by the name of the field."""
    assert isinstance(error, RequestValidationError)
    first, place, more = _worst(error)
    if first["type"] == "json_invalid":
        refused = Refused(400, "no_json", "the body is no JSON", why=f"{first['ctx']['error']}, character {place}")
    elif first["type"] in ("model_attributes_type", "dict_type") and len(first["loc"]) == 1:
        declared = request.headers.get("content-type", "nothing")
        if "json" in declared:
            refused = Refused(422, "invalid_input", "the body is no JSON object", fix='send {"query": "..."}')
        else:
            what = "the body is not declared to be JSON"
            refused = Refused(415, "no_json_type", what, why=f"Content-Type says {declared}", fix=JSON_HEADER)
    else:
        why = f"{first['msg'][:1].lower()}{first['msg'][1:]}{f'; {more} more' if more else ''}"
        refused = Refused(422, "invalid_input", f"{place} is not what it has to be", why=why, fix="see /docs")
    return error_response(refused, openai=in_openai_form(request.url.path))


def _worst(error: RequestValidationError) -> tuple[Any, str, int]:
    """The first fault, where it is, and how many others there are.

    What may be of several types has a fault for each of them: the one counts that went deepest into what was sent.
    """
    faults = [(_place(each, error.body), each) for each in error.errors()]
    first = faults[0][0]
    place, worst = max((each for each in faults if each[0][: len(first)] == first), key=lambda each: len(each[0]))
    more = {each for each, _ in faults if each != place[: len(each)]}
    return worst, ".".join(place) or str(worst["loc"][0]), len(more)


def _place(fault: Any, body: Any) -> tuple[str, ...]:
    """Where a fault is in a request, without the names of types that pydantic tells as well."""
    kind, *steps = fault["loc"]
    if kind != "body" or fault["type"] == "json_invalid":
        return tuple(map(str, steps))
    found, here = list[str](), body
    for number, step in enumerate(steps, 1):
        with suppress(LookupError, TypeError):
            here = here[step]
            found.append(str(step))
            continue
        if number == len(steps) and fault["type"] == "missing":
            found.append(str(step))
    return tuple(found)


JSON_HEADER = "send the header Content-Type: application/json"

HTTP_CODES = {400: "no_json", 404: "not_found", 405: "method_not_allowed"}


async def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses: unknown paths and methods, bodies that nothing can be made of."""
    assert isinstance(error, HTTPException)
    what = {404: "there is nothing at this path", 405: f"{request.method} is not for this path"}
    code = HTTP_CODES.get(error.status_code, "refused")
    told = what.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:  # the framework names those of one route, and a path may have several
        known = request.app.state.methods
        allowed = {name for path, names in known if path.fullmatch(request.url.path) for name in names}
        headers |= {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    why, fix = "", "see /docs"
    if error.status_code == 400 and isinstance(error.__cause__, ValueError):  # of the body
        told, fix = "the body is no JSON", "send it in UTF-8"
        why = "it is not in UTF-8"
        if not isinstance(error.__cause__, UnicodeError):
            why, fix = "it has a number that is too long to be read", "send such a number as text"
    refused = Refused(error.status_code, code, told, why=why, fix=fix, headers=headers)
    return error_response(refused, openai=in_openai_form(request.url.path))


class _Direct:
    """What is asked most goes to its route at once: to find one takes as long as some routes do."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, ASGIApp]) -> None:
        self._app, self._endpoints = app, {path: _Faults(each) for path, each in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["method"] == "POST"
        await (self._endpoints.get(scope["path"], self._app) if own else self._app)(scope, receive, send)


class _Faults:
    """What nobody expected becomes a response as well, and a line in the log without what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http":
                raise
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s at %s\n%s", type(error).__name__, scope["path"], where)
            if begun:
                raise
            await error_response(error, openai=in_openai_form(scope["path"]))(scope, receive, send)
        finally:
            _name_route(scope)


def _name_route(scope: Scope) -> None:
    """Leave the route for the log: a plain one has no parameters, its path is the request's."""
    if "route" not in scope and "endpoint" in scope:
        scope["route"] = SimpleNamespace(path=scope["path"])
