"""What several integrations do alike: lists of vectors, a collection by its path, filters on unknown fields."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from nearsense._optional import require
from nearsense.collection import Collection, open_collection
from nearsense.encoders import resolve_cross
from nearsense.errors import InputError, UnknownField
from nearsense.filters import parse
from nearsense.filters.where import Every, Filter, Not, Some
from nearsense.records import Document, Hit, Results
from nearsense.reranking import rerank
from nearsense.text import as_texts

if TYPE_CHECKING:
    from nearsense.encoders import CrossEncoder, Encoder

P = ParamSpec("P")
R = TypeVar("R")

NEVER: dict[str, Any] = {"or": []}
"""A filter that nothing passes."""


def missing(field: str) -> dict[str, Any]:
    """A filter that documents pass which say nothing of a field, or null."""
    return {"or": [{"not": {field: {"exists": True}}}, {field: {"=": None}}]}


def import_haystack() -> None:
    """Import haystack, which reports to its makers how it is used, unless it is told not to before."""
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    require("haystack", extra="haystack", purpose="nearsense.integrations.haystack")


def awaited(method: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """The same for who awaits it, in a thread."""

    @wraps(method)
    async def in_thread(*given: P.args, **named: P.kwargs) -> R:
        return await asyncio.to_thread(method, *given, **named)

    return in_thread


def list_of_texts(given: Iterable[str]) -> list[str]:
    """Texts as a list.

    Raises:
        InputError: One string was given, which would be taken for its letters, or something is no string.
    """
    if isinstance(given, str):
        raise InputError("one text is given where a list of texts is expected", fix='["a text"]')
    return as_texts(given)


def require_options(options: Iterable[str], verb: Callable[..., Any]) -> None:
    """Refuse options that a verb does not have.

    Example:
        >>> require_options(["top_k"], Collection.search)
        Traceback (most recent call last):
        ...
        nearsense.errors.InputError: top_k=... is not known here
          why: the options are query, k, where, min_score, mode, exact, rerank, candidates, calibration, prior,
          min_probability, all_passages, repeats
    """
    parameters = inspect.signature(verb).parameters.values()
    known = [each.name for each in parameters if each.name != "self" and each.kind != each.VAR_KEYWORD]
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            fix = f"did you mean {near[0]}=?" if near else ""
            raise InputError(f"{name}=... is not known here", why=f"the options are {', '.join(known)}", fix=fix)


def as_lists(encoder: Encoder, texts: Iterable[str], role: str | None) -> list[list[float]]:
    """The vectors of texts as lists of floats, one a text.

    Example:
        >>> import nearsense as ns
        >>> [len(vector) for vector in as_lists(ns.load(), ["a dog", "a cat"], "passage")]
        [384, 384]
    """
    given = list_of_texts(texts)
    found: list[list[float]] = encoder.encode(given, role=role).data.tolist() if given else []
    return found


def as_collection(
    given: Collection | str | os.PathLike[str], encoder: Encoder | str | None = None, *, create: bool = True
) -> Collection:
    """A collection, opened where its path is given, and made there where that is wanted.

    Raises:
        ModelMismatch: It is of another model than `encoder`.
        CollectionNotFound: There is none, and none is to be made.
    """
    return given if isinstance(given, Collection) else open_collection(given, encoder, create=create)


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


def by_probability(hits: Iterable[Hit]) -> list[tuple[Hit, float]]:
    """Hits with their probabilities, the most probable first: what differs may put a near one behind.

    Raises:
        InputError: One has none.
    """
    return sorted(((hit, probability_of(hit)) for hit in hits), key=lambda each: -each[1])


def search(collection: Collection, query: str, k: int, where: Any = None, **options: Any) -> Results[Hit]:
    """As `collection.search`; a field that no document has is no error: a condition on it never holds."""
    require_options(options, Collection.search)
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
