"""OpenAI's embeddings: /v1/embeddings and /v1/models, as its clients and all that are built on them say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense.server.spoken.embedding import checked_texts, embed, model_called, role_of
from nearsense.server.spoken.endpoint import Said, get, post
from nearsense.server.spoken.messages import (
    UNSET,
    About,
    Embedding,
    EmbeddingsAnswer,
    EmbeddingsRequest,
    Models,
    Usage,
)

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

    def models(_: dict[str, Any]) -> Models:
        return Models([_about(name, model) for name, model in service.models.items()])

    def model(path: dict[str, Any]) -> About:
        return _about(*model_called(service, path["name"]))

    return [
        post("/v1/embeddings", EMBEDDINGS, EmbeddingsRequest, embeddings),
        get("/v1/models", Said("models", "The models of this server, as OpenAI lists them.", Models), models),
        get("/v1/models/{name:path}", Said("model", "A model, as OpenAI tells of it.", About), model),
    ]


EMBEDDINGS = Said("embeddings", "The vectors of texts, as OpenAI says it.", EmbeddingsAnswer)


def _about(name: str, encoder: Encoder) -> About:
    return About(name, 0, "nearsense", encoder.dimension, encoder.max_tokens, encoder.fingerprint)
