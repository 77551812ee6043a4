"""Texts to vectors, through the queue that all routes share: OpenAI's routes, and those of Hugging Face's TEI.

`openai` and `tei` are the routes as the clients of these say them; below stands what they have in common. TEI's
/rerank: see rerank.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._version import __version__
from nearsense.encoders import symmetric_role
from nearsense.encoders.base import require_nested
from nearsense.encoders.catalog import card_of
from nearsense.errors import InputError
from nearsense.kinds import Long, Metric
from nearsense.server.errors import not_found
from nearsense.server.spoken import messages
from nearsense.server.spoken.endpoint import Said, Wrong, get, post
from nearsense.server.spoken.messages import NEITHER, PASSAGE, QUERY
from nearsense.text import require_texts
from nearsense.vectors.rows import normalize
from nearsense.vectors.similarity import cosine

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from starlette.requests import Request
    from starlette.routing import Route

    from nearsense.encoders import Encoder
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

__all__ = ["Embedded", "checked_texts", "model_called", "openai", "tei"]

IDS = "token ids cannot be read here"
WHOSE = "they are numbers of another model's vocabulary, and this one has its own"
AS_TEXTS = "send texts: OpenAIEmbeddings(check_embedding_ctx_length=False) does"


def openai(service: Service, settings: ServerSettings) -> list[Route]:
    """The routes of OpenAI's embeddings API."""

    async def embeddings(asked: messages.EmbeddingsRequest, request: Request) -> messages.EmbeddingsAnswer:
        name, encoder = model_called(service, asked.model)
        texts = checked_texts(asked.input, settings.max_texts, "input")
        said = asked.role if asked.input_type is None else asked.input_type
        role = role_of(encoder, said, "role" if asked.input_type is None else "input_type")
        whole = asked.truncate in (False, "NONE")
        found = await embed(service, name, texts, request, role=role, dimensions=asked.dimensions, whole=whole)
        rows: Any = found.data.tolist()
        if asked.encoding_format == "base64":
            rows = [row.tobytes() for row in found.data.astype("<f4", copy=False)]
        return messages.EmbeddingsAnswer(
            [messages.Embedding(index, row) for index, row in enumerate(rows)],
            name,
            messages.Usage(found.tokens, found.tokens),
            found.cut or messages.UNSET,
        )

    def models(_: dict[str, Any]) -> messages.Models:
        return messages.Models([_about(name, model) for name, model in service.models.items()])

    def model(path: dict[str, Any]) -> messages.About:
        return _about(*model_called(service, path["name"]))

    said = Said("embeddings", "The vectors of texts, as OpenAI says it.", messages.EmbeddingsAnswer)
    return [
        post("/v1/embeddings", said, messages.EmbeddingsRequest, embeddings),
        get(
            "/v1/models",
            Said("models", "The models of this server, as OpenAI lists them.", messages.Models),
            models,
        ),
        get("/v1/models/{name:path}", Said("model", "A model, as OpenAI tells of it.", messages.About), model),
    ]


def _about(name: str, encoder: Encoder) -> messages.About:
    return messages.About(name, 0, "nearsense", encoder.dimension, encoder.max_tokens, encoder.fingerprint)


def tei(service: Service, settings: ServerSettings) -> list[Route]:
    """The routes of TEI, which serves one model: here the first."""

    async def embeddings(asked: messages.EmbedRequest, request: Request) -> list[list[float]]:
        name, encoder = model_called(service, None)
        texts = checked_texts(asked.inputs, settings.max_texts, "inputs")
        role = role_of(encoder, asked.prompt_name, "prompt_name")
        how: dict[str, Any] = {"whole": asked.truncate is False, "unit": asked.normalize}
        found = await embed(service, name, texts, request, role=role, dimensions=asked.dimensions, **how)
        rows: list[list[float]] = found.data.tolist()
        return rows

    async def similarity(asked: messages.SimilarityRequest, request: Request) -> list[float]:
        name, encoder = model_called(service, None)
        how = asked.parameters or messages.SimilarityParameters()
        texts = [asked.inputs.source_sentence, *asked.inputs.sentences]
        checked_texts(texts, settings.max_texts, "inputs")
        role = role_of(encoder, how.prompt_name, "prompt_name")
        found = await embed(service, name, texts, request, role=role, whole=how.truncate is False)
        scores: list[float] = cosine(found.data[:1], found.data[1:])[0].tolist()
        return scores

    def info(_: dict[str, Any]) -> messages.Info:
        name, encoder = model_called(service, None)
        return messages.Info(
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
        post("/embed", embed_said, messages.EmbedRequest, embeddings),
        post("/similarity", likeness, messages.SimilarityRequest, similarity),
        get("/info", Said("info", "What TEI says of the model that it runs.", messages.Info), info),
    ]


@dataclass(frozen=True, slots=True)
class Embedded:
    """n texts as vectors.

    Args:
        data: float32, shape (n, d); of unit length unless the model is meant for dot products.
        tokens: How many tokens the texts have, special ones and prompts included, before anything is cut.
        cut: Which texts were cut at the model's limit.
    """

    data: NDArray[np.float32]
    tokens: int
    cut: list[int]


def role_of(encoder: Encoder, said: str | None, param: str) -> str | None:
    """The role that somebody else's word for it means; what is compared with its like where nothing is said."""
    word = None if said is None else said.lower() if said.isupper() else said
    if word is None or word in NEITHER:
        return symmetric_role(encoder)
    for role, words in (("query", QUERY), ("passage", PASSAGE)):
        if word in words:
            return role
    known = ", ".join((*QUERY, *PASSAGE, *NEITHER))
    raise Wrong(param, f"{param}={said!r} is not known", fix=f"give one of: {known}, or leave it out")


def checked_texts(given: str | Sequence[object], most: int, param: str) -> list[str]:
    """One text, or several, that can be encoded: no token ids, none empty, not too many."""
    texts = [given] if isinstance(given, str) else list(given)
    if any(not isinstance(each, str) for each in texts):
        raise Wrong(param, IDS, why=WHOSE, fix=AS_TEXTS, code="token_ids")
    if len(texts) > most:
        what = f"{param} has {len(texts)} texts: array too long, at most {most} items in a request"
        raise Wrong(param, what, fix="send them in several requests", code="too_many_texts")
    if not texts:
        raise Wrong(param, f"{param} is empty", fix="give a text, or a list of texts")
    try:
        require_texts(texts, what=param)
    except InputError as error:
        raise Wrong(param, error.what, why=error.why, fix=error.fix) from None
    return [str(each) for each in texts]


def model_called(service: Service, name: str | None) -> tuple[str, Encoder]:
    """A model by the operator's name for it, or by another name of its own; without one the first."""
    known = service.models
    if name is None:
        for first in known.items():
            return first
    elif name in known:
        return name, known[name]
    elif (card := card_of(name)) is not None and card.name in known:
        return card.name, known[card.name]
    raise not_found("model", name or "", known)


async def embed(
    service: Service,
    name: str,
    texts: list[str],
    request: Request,
    *,
    role: str | None,
    dimensions: int | None = None,
    whole: bool = False,
    unit: bool = True,
) -> Embedded:
    """The vectors of the texts of a request.

    Args:
        service: What is served.
        name: The model, as the operator called it.
        texts: The texts, checked.
        request: The request: where its client leaves, nothing is encoded for it.
        role: What they are to the model.
        dimensions: How many numbers of each vector are kept; None for all.
        whole: Refuse texts that the model would cut.
        unit: Give unit length to the vectors of a model that is meant for that.
    """
    encoder = service.models[name]
    kept = encoder.dimension if dimensions is None else dimensions
    if kept != encoder.dimension:
        try:
            require_nested(encoder, kept)
        except InputError as error:
            raise Wrong("dimensions", error.what, why=error.why, fix=error.fix) from None
    how: dict[str, Any] = {"long": "error" if whole else None, "normalize": None if unit else False}
    vectors, tokens = await service.queue(encoder).encode_and_count(texts, role, receive=request.receive, **how)
    data = vectors.data
    if kept != encoder.dimension:
        data = data[:, :kept]
        data = normalize(data, zero="keep") if unit and encoder.similarity is Metric.COSINE else data
    cut = np.flatnonzero(vectors.truncated).tolist() if vectors.truncated.any() else []
    return Embedded(data, int(tokens.sum()), cut)
