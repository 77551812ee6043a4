"""Texts to vectors, through the queue that all routes share, and how many tokens they are. Not how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.encoders import symmetric_role
from nearsense.encoders.base import require_nested
from nearsense.encoders.catalog import card_of
from nearsense.errors import InputError
from nearsense.kinds import Metric
from nearsense.server.errors import not_found
from nearsense.server.spoken.endpoint import Wrong
from nearsense.server.spoken.messages import NEITHER, PASSAGE, QUERY
from nearsense.text import require_texts
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from starlette.requests import Request

    from nearsense.encoders import Encoder
    from nearsense.server.service import Service

__all__ = ["Embedded", "checked_texts", "embed", "model_called", "role_of"]

IDS = "token ids cannot be read here"
WHOSE = "they are numbers of another model's vocabulary, and this one has its own"
AS_TEXTS = "send texts: OpenAIEmbeddings(check_embedding_ctx_length=False) does"


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
