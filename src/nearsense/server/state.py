"""What a server says of itself: whether it lives and is ready, its version, what it serves. No verbs."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from nearsense._version import __version__
from nearsense.errors import StoreError
from nearsense.reports import Info
from nearsense.server.described import operation
from nearsense.server.errors import JSON, Refused, as_refused
from nearsense.server.requests import NAME
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from nearsense.server.work import Work

Name = Annotated[str, Path(pattern=f"^{NAME}$", description="What the operator's collection is called.")]


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """Health, readiness, version; the collections and FAQs that are served."""
    router, figures = (APIRouter(prefix="/v1", tags=["state"]), APIRouter(tags=["state"]))

    @figures.get(
        "/metrics",
        response_class=PlainTextResponse,
        **operation("metrics", "What is counted, as Prometheus reads it.", {200: {"description": "The figures."}}),
    )
    async def metrics(request: Request) -> Response:
        body, media = service.metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": media})

    @router.get("/health", **operation("health", "Whether the server lives."))
    async def health() -> Response:
        return JSON({"status": "ok"})

    @router.get("/ready", **operation("ready", "Whether it takes requests."))
    async def ready() -> Response:
        if not service.open:
            raise Refused(
                503, "closing", "the server is shutting down", fix="ask another, or try again in a moment"
            )
        return JSON({"status": "ready"})

    @router.get("/version", **operation("version", "What runs here."))
    async def version() -> Response:
        return JSON({"nearsense": __version__, "api": "v1"})

    @router.get("/collections", **operation("collections", "The collections that are served."))
    async def collections(request: Request) -> Response:
        def all_of() -> JSON:
            found = [{"name": name, **_told(each)} for name, each in service.infos().items()]
            return JSON({"collections": found, "can_create": settings.folder is not None})

        return await service.pool.run_for(request, Work(settings.deadline), all_of)

    @router.get("/collections/{name}", **operation("collection", "What a collection says of itself."))
    async def collection(name: Name, request: Request) -> Response:
        def one() -> JSON:
            return JSON({"name": name, **_told(service.ask(name, lambda collection: collection.info()))})

        return await service.pool.run_for(request, Work(settings.deadline), one)

    @router.get("/faqs", **operation("faqs", "The FAQs that are served."))
    async def faqs() -> Response:
        found = service.faqs.items()
        return JSON(
            {"faqs": [{"name": name, "entries": len(faq), "model": faq.encoder.name} for name, faq in found]}
        )

    return [*figures.routes, *router.routes]


def _told(found: Info | StoreError) -> dict[str, Any]:
    """What a collection says of itself but where it lies; of one that cannot be read nothing is known but why."""
    if isinstance(found, Info):
        known = found.to_dict()
    else:
        unknown = dict.fromkeys((each.name for each in fields(Info)), None)
        known = unknown | {"fields": [], "error": as_refused(found).to_dict()["error"]}
    del known["path"]
    return known
