"""OpenAI's embeddings: /v1/embeddings and /v1/models, as its clients and all that are built on them say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense.server.spoken.embedding import checked_texts, embed, model_called, role_of
from nearsense.server.spoken.endpoint import get, post
from nearsense.server.spoken.messages import UNSET, Embedding, EmbeddingsAnswer, EmbeddingsRequest, Usage

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from nearsense.encoders import Encoder
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

__all__ = ["routes"]


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """The routes of OpenAI's embeddings API."""

    async def embeddings(asked: EmbeddingsRequest, request: Request) -> EmbeddingsAnswer:
        name, encoder = model_called(service, asked.model)
        texts = checked_texts(asked.input, settings.max_texts, "input")
        said = asked.role if asked.input_type is None else asked.input_type
        role = role_of(encoder, said, "role" if asked.input_type is None else "input_type")
        whole = asked.truncate in (False, "NONE")
        found = await embed(service, name, texts, request, role=role, dimensions=asked.dimensions, whole=whole)
        rows: Any = found.data.tolist()
        if asked.encoding_format == "base64":
            rows = [row.tobytes() for row in found.data.astype("<f4", copy=False)]
        return EmbeddingsAnswer(
            [Embedding(index, row) for index, row in enumerate(rows)],
            name,
            Usage(found.tokens, found.tokens),
            found.cut or UNSET,
        )

    def models(_: dict[str, Any]) -> dict[str, Any]:
        return {"object": "list", "data": [_about(name, model) for name, model in service.models.items()]}

    def model(path: dict[str, Any]) -> dict[str, Any]:
        return _about(*model_called(service, path["name"]))

    return [
        post("/v1/embeddings", EmbeddingsRequest, embeddings),
        get("/v1/models", models),
        get("/v1/models/{name:path}", model),
    ]


def _about(name: str, encoder: Encoder) -> dict[str, Any]:
    """A model as OpenAI lists it, and what else a client may want to know of it."""
    known = {"dimension": encoder.dimension, "max_tokens": encoder.max_tokens, "fingerprint": encoder.fingerprint}
    return {"id": name, "object": "model", "created": 0, "owned_by": "nearsense"} | known
