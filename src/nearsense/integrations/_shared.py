"""What several integrations do alike: lists of vectors, a collection by its path, filters on unknown fields."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nearsense._optional import require
from nearsense.collection import Collection, open_collection
from nearsense.encoders import resolve_cross
from nearsense.errors import InputError, UnknownField
from nearsense.filters import parse
from nearsense.filters.where import Every, Filter, Not, Some
from nearsense.records import Document, Hit, Results
from nearsense.reranking import rerank

if TYPE_CHECKING:
    from nearsense.encoders import CrossEncoder, Encoder

NEVER: dict[str, Any] = {"or": []}
"""A filter that nothing passes."""


def import_haystack() -> None:
    """Import haystack, which reports to its makers how it is used, unless it is told not to before."""
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    require("haystack", extra="haystack", purpose="nearsense.integrations.haystack")


def as_lists(encoder: Encoder, texts: Iterable[str], role: str | None) -> list[list[float]]:
    """The vectors of texts as lists of floats, one a text.

    Example:
        >>> import nearsense as ns
        >>> [len(vector) for vector in as_lists(ns.load(), ["a dog", "a cat"], "passage")]
        [384, 384]
    """
    given = list(texts)
    found: list[list[float]] = encoder.encode(given, role=role).data.tolist() if given else []
    return found


def as_collection(given: Collection | str | os.PathLike[str], encoder: Encoder | str | None = None) -> Collection:
    """A collection, opened where its path is given.

    Raises:
        ModelMismatch: It is of another model than `encoder`.
    """
    return given if isinstance(given, Collection) else open_collection(given, encoder)


def about(hit: Hit) -> dict[str, Any]:
    """What is known of a hit beyond its document, as JSON values."""
    return {"score": hit.score, "probability": hit.probability, "differs": list(hit.differs or ())}


def probability_of(hit: Hit) -> float:
    """The probability of a hit, where it has one.

    Raises:
        InputError: It has none.
    """
    if hit.probability is None:
        raise InputError(
            f"the hit {hit.id!r} has no probability",
            why=hit.unsure or "no calibration of the model is known",
            fix="set one: collection.calibration = ns.calibrate(pairs); or ask for scores: probabilities=False",
        )
    return hit.probability


def search(collection: Collection, query: str, k: int, where: Any = None, **options: Any) -> Results[Hit]:
    """As `collection.search`; a field that no document has is no error: a condition on it never holds."""
    try:
        return collection.search(query, k, where=where, **options)
    except UnknownField:
        return collection.search(query, k, where=on_known_fields(collection, where), **options)


def on_known_fields(collection: Collection, where: Any) -> Filter:
    """A filter without the fields that no document has: conditions on them never hold."""
    fields = {*collection.info().fields}

    def known(node: Filter) -> Filter:
        match node:
            case Every():
                return Every(tuple(map(known, node.parts)))
            case Some():
                return Some(tuple(map(known, node.parts)))
            case Not():
                return Not(known(node.part))
            case _:
                return node if node.field in fields else Some(())

    return known(parse(where))


def reranked(
    query: str, texts: Iterable[str], cross: CrossEncoder | str, k: int | None, **options: Any
) -> list[tuple[int, Hit]]:
    """The places of texts in the order that a cross-encoder gives them, with what it says of each.

    Example:
        >>> class Length:
        ...     name, fingerprint, max_tokens = "length", "1", 512
        ...     def score(self, pairs, **options):
        ...         return [len(text) for query, text in pairs]
        >>> [place for place, hit in reranked("a", ["dog", "horse"], Length(), None)]
        [1, 0]
    """
    model = resolve_cross(cross)
    documents = [Document(str(place), text) for place, text in enumerate(texts)]
    if not documents:
        return []
    return [(int(hit.id), hit) for hit in rerank(query, documents, encoder=model, k=k, **options)]
