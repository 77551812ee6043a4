"""What Hugging Face's Text Embeddings Inference says: /embed, /similarity, /info. Its /rerank: see rerank.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense._version import __version__
from nearsense.kinds import Long
from nearsense.server.spoken.embedding import checked_texts, embed, model_called, role_of
from nearsense.server.spoken.endpoint import Said, get, post
from nearsense.server.spoken.messages import EmbedRequest, Info, SimilarityParameters, SimilarityRequest
from nearsense.vectors.similarity import cosine

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

__all__ = ["routes"]


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """The routes of TEI, which serves one model: here the first."""

    async def embeddings(asked: EmbedRequest, request: Request) -> list[list[float]]:
        name, encoder = model_called(service, None)
        texts = checked_texts(asked.inputs, settings.max_texts, "inputs")
        role = role_of(encoder, asked.prompt_name, "prompt_name")
        how: dict[str, Any] = {"whole": asked.truncate is False, "unit": asked.normalize}
        found = await embed(service, name, texts, request, role=role, dimensions=asked.dimensions, **how)
        rows: list[list[float]] = found.data.tolist()
        return rows

    async def similarity(asked: SimilarityRequest, request: Request) -> list[float]:
        name, encoder = model_called(service, None)
        how = asked.parameters or SimilarityParameters()
        texts = [asked.inputs.source_sentence, *asked.inputs.sentences]
        checked_texts(texts, settings.max_texts, "inputs")
        role = role_of(encoder, how.prompt_name, "prompt_name")
        found = await embed(service, name, texts, request, role=role, whole=how.truncate is False)
        scores: list[float] = cosine(found.data[:1], found.data[1:])[0].tolist()
        return scores

    def info(_: dict[str, Any]) -> Info:
        name, encoder = model_called(service, None)
        return Info(
            model_id=name,
            model_sha=encoder.fingerprint,
            model_dtype=encoder.precision,
            model_type={"embedding": {"pooling": getattr(encoder, "pooling", "")}},
            max_concurrent_requests=settings.waiting,
            max_input_length=encoder.max_tokens,
            max_batch_tokens=settings.batch_tokens,
            max_client_batch_size=settings.max_texts,
            auto_truncate=encoder.long is not Long.ERROR,
            dimension=encoder.dimension,
            version=__version__,
        )

    embed_said = Said("embed", "The vectors of texts, as TEI says it.", list[list[float]])
    likeness = Said("similarity", "How near sentences are to one, as TEI says it.", list[float])
    return [
        post("/embed", embed_said, EmbedRequest, embeddings),
        post("/similarity", likeness, SimilarityRequest, similarity),
        get("/info", Said("info", "What TEI says of the model that it runs.", Info), info),
    ]
