"""What clients of others say already: OpenAI's embeddings, Cohere's and Jina's rerank, Hugging Face's TEI.

embedding.py  /v1/embeddings, /v1/models; /embed, /similarity, /info     messages.py  the bodies
rerank.py     /rerank, /v1/rerank, /v2/rerank     endpoint.py  a body in, an answer or OpenAI's error out
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense.server.spoken import embedding, endpoint, rerank

if TYPE_CHECKING:
    from starlette.routing import Route
    from starlette.types import ASGIApp

    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

__all__ = ["described", "endpoints", "routes"]


def routes(service: Service, settings: ServerSettings) -> list[Route]:
    """All of these routes."""
    each = (embedding.openai, rerank.routes, embedding.tei)
    return [route for made in each for route in made(service, settings)]


def described(service: Service, settings: ServerSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths of these routes and the schemas of their messages, as parts of an OpenAPI document."""
    sizes = [(min(each.matryoshka or (each.dimension,)), each.dimension) for each in service.models.values()]
    bounds = {"minimum": min(sizes)[0], "maximum": max(size for _, size in sizes)} if sizes else {}
    return endpoint.described(routes(service, settings), bounds)


def endpoints(service: Service, settings: ServerSettings) -> dict[str, ASGIApp]:
    """What answers a POST, by its path."""
    return {each.path: each.endpoint for each in routes(service, settings) if each.methods == {"POST"}}
