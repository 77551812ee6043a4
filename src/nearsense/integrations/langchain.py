"""Encoders, collections and cross-encoders as LangChain has them. Nothing is computed otherwise.

    NearsenseEmbeddings    an encoder               NearsenseRetriever   what a collection finds
    NearsenseVectorStore   a collection             NearsenseReranker    a cross-encoder

Filters are nearsense's own: `filter={"lang": "en", "year": {">=": 2020}}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._optional import require

require("langchain_core", extra="langchain", purpose="nearsense.integrations.langchain")

from langchain_core.callbacks import Callbacks  # noqa: E402
from langchain_core.documents import BaseDocumentCompressor  # noqa: E402
from langchain_core.documents import Document as LangChainDocument  # noqa: E402
from langchain_core.embeddings import Embeddings  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langchain_core.vectorstores import VectorStore  # noqa: E402
from langchain_core.vectorstores.utils import maximal_marginal_relevance  # noqa: E402
from pydantic import ConfigDict, Field  # noqa: E402

from nearsense.collection import Collection  # noqa: E402
from nearsense.encoders import Encoder, resolve, resolve_cross  # noqa: E402
from nearsense.errors import InputError  # noqa: E402
from nearsense.integrations._shared import (  # noqa: E402
    about,
    as_collection,
    as_lists,
    awaited,
    list_of_texts,
    require_options,
    reranked,
)
from nearsense.records import Document, Hit, Metric, Vectors  # noqa: E402
from nearsense.vectors.rows import normalize as unit_length  # noqa: E402

if TYPE_CHECKING:
    from typing import Self

    from nearsense.records import Results

__all__ = ["NearsenseEmbeddings", "NearsenseReranker", "NearsenseRetriever", "NearsenseVectorStore"]


class NearsenseEmbeddings(Embeddings):  # type: ignore[misc]
    """An encoder for whatever in LangChain wants embeddings.

    Args:
        model: A model's name or folder, what `nearsense.load` gave, or None for the default model.

    Example:
        >>> embeddings = NearsenseEmbeddings("all-MiniLM-L6-v2")
        >>> len(embeddings.embed_query("I forgot my login"))
        384
    """

    def __init__(self, model: Encoder | str | None = None) -> None:
        self.encoder = resolve(model)

    def __repr__(self) -> str:
        return f"NearsenseEmbeddings({self.encoder.name!r})"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of passages, a list of floats each.

        Args:
            texts: The passages.
        """
        return as_lists(self.encoder, texts, "passage")

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query.

        Args:
            text: The query.
        """
        return as_lists(self.encoder, [text], "query")[0]


class NearsenseVectorStore(VectorStore):  # type: ignore[misc]
    """A collection as LangChain's vector store. Documents whose ids are there take the place of the old ones.

    Args:
        collection: A Collection, the path of its folder, or ":memory:".
        embedding: What makes its vectors, where it is opened by its path: `NearsenseEmbeddings`, or any other of
            LangChain's. Without it the collection's own model, or the default one.

    Example:
        >>> store = NearsenseVectorStore(":memory:")
        >>> store.add_texts(["Reset your password here.", "We ship within two days."], ids=["1", "2"])
        ['1', '2']
        >>> [(document, relevance)] = store.similarity_search_with_relevance_scores("I forgot my login", k=1)
        >>> document.id, 0 <= relevance <= 1
        ('1', True)
    """

    def __init__(
        self, collection: Collection | str | os.PathLike[str] = ":memory:", embedding: Embeddings | None = None
    ) -> None:
        if isinstance(collection, Collection) and embedding is not None:
            why = "a collection that is open has its own model"
            raise InputError("an embedding beside an open collection", why=why, fix="leave one of them out")
        self.collection = as_collection(collection, None if embedding is None else _encoder_of(embedding))

    def __repr__(self) -> str:
        return f"NearsenseVectorStore({self.collection!r})"

    @property
    def embeddings(self) -> Embeddings:
        """The collection's encoder."""
        return NearsenseEmbeddings(self.collection.encoder)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """Add texts, or replace those whose ids are there.

        Args:
            texts: The texts.
            metadatas: A dictionary of JSON values for each.
            ids: An id for each; where there is none, a random one.
            options: None are known.

        Returns:
            The ids.

        Raises:
            InputError: There are not as many ids or metadata as texts, or a document cannot be kept. It is named.
        """
        require_options(options, NearsenseVectorStore.add_texts)
        given = list_of_texts(texts)
        fields, names = metadatas or [{}] * len(given), ids or [None] * len(given)
        for what, values in (("metadata", fields), ("ids", names)):
            if len(values) != len(given):
                raise InputError(f"{len(given):,} texts, {len(values):,} {what}", fix="give one for each text")
        known = [str(uuid.uuid4()) if name is None else name for name in names]
        self.collection.upsert([Document(*each) for each in zip(known, given, fields, strict=True)])
        return known

    def delete(self, ids: list[str] | None = None, **options: Any) -> bool:
        """Delete documents by their ids, or all that a filter lets pass. Unknown ids are no error.

        Args:
            ids: Ids.
            options: `filter`, instead of ids.

        Raises:
            InputError: Neither is given: nothing deletes all documents by mistake.
        """
        where = options.pop("filter", None)
        require_options(options, NearsenseVectorStore.delete)
        self.collection.delete(ids, where=where)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[LangChainDocument]:
        """The documents with some ids; what is not there is left out."""
        return [_document(each.id, each.text, each.metadata) for each in self.collection.get(ids) if each]

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangChain's word
        **options: Any,
    ) -> list[LangChainDocument]:
        """The k nearest documents.

        Args:
            query: What is looked for.
            k: How many at most.
            filter: Only documents whose metadata fit.
            options: Others of `Collection.search`: `mode`, `rerank`, `min_probability` and so on.
        """
        return [document for document, _ in self.similarity_search_with_score(query, k, filter, **options)]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangChain's word
        **options: Any,
    ) -> list[tuple[LangChainDocument, float]]:
        """The k nearest documents with their scores, the cosine similarity as a rule: higher is nearer.

        Args:
            query: As for `similarity_search`.
            k: As for `similarity_search`.
            filter: As for `similarity_search`.
            options: As for `similarity_search`.
        """
        return [(_found(hit), hit.score) for hit in self._search(query, k, filter, **options)]

    def _search(self, query: str, k: int, where: Any, **options: Any) -> Results[Hit]:
        require_options(options, Collection.search)
        return self.collection.search(query, k, where=where, **options)

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **options: Any
    ) -> list[tuple[LangChainDocument, float]]:
        """The probability that each answers; where one has none, the cosine similarity of all, from 0."""
        hits = self._search(query, k, options.pop("filter", None), **options)
        found = [(_found(hit), relevance) for hit, relevance in zip(hits, _relevance(hits), strict=True)]
        return sorted(found, key=lambda each: -each[1])  # what differs may put a near one behind

    _asimilarity_search_with_relevance_scores = awaited(_similarity_search_with_relevance_scores)

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangChain's word
        **options: Any,
    ) -> list[LangChainDocument]:
        """The k documents nearest to a vector, which the collection's model has to have made.

        Args:
            embedding: The vector.
            k: How many at most.
            filter: Only documents whose metadata fit.
            options: Others of `Collection.nearest`.
        """
        return [_found(hit) for hit in self._nearest(embedding, k, filter, **options)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[LangChainDocument]:
        """Of the nearest documents some that differ from each other.

        Args:
            query: What is looked for.
            k: How many at most.
            fetch_k: Of how many of the nearest.
            lambda_mult: 1 for the nearest, 0 for those that differ most.
            options: `filter`, and others of `Collection.nearest`.
        """
        vector = self.embeddings.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **options)

    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[LangChainDocument]:
        """As `max_marginal_relevance_search`, of a vector.

        Args:
            embedding: The vector.
            k: As there.
            fetch_k: As there.
            lambda_mult: As there.
            options: As there.
        """
        hits = self._nearest(embedding, fetch_k, options.pop("filter", None), **options)
        vectors = self.embeddings.embed_documents([hit.text or "" for hit in hits])
        chosen = maximal_marginal_relevance(np.array(embedding), vectors, lambda_mult, k) if hits else []
        return [_found(hits[place]) for place in chosen]

    def _nearest(self, vector: list[float], k: int, where: Any, **options: Any) -> Results[Hit]:
        require_options(options, Collection.nearest)
        rows = np.array([vector], np.float32)
        return self.collection.nearest(rows, k, where=where, **options)[0]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        collection: Collection | str | os.PathLike[str] = ":memory:",
        **options: Any,
    ) -> Self:
        """A store with some texts in it.

        Args:
            texts: The texts.
            embedding: As for the store.
            metadatas: As for `add_texts`.
            ids: As for `add_texts`.
            collection: As for the store.
            options: None are known.
        """
        store = cls(collection, embedding)
        store.add_texts(texts, metadatas, ids=ids, **options)
        return store


class NearsenseRetriever(BaseRetriever):  # type: ignore[misc]
    """What a collection finds; the metadata of each document say how sure that is, in the field `nearsense`.

    Args:
        collection: A Collection, or the path of its folder.
        k: How many documents at most.
        filter: Only documents whose metadata fit.
        options: Others of `Collection.search`: `{"min_probability": 0.5, "mode": "hybrid"}`.

    Example:
        >>> import nearsense as ns
        >>> shop = ns.open(":memory:")
        >>> shop.add(["We ship within two days.", "Reset your password here."])
        2
        >>> [found] = NearsenseRetriever(collection=shop, k=1).invoke("I forgot my login")
        >>> found.page_content, sorted(found.metadata["nearsense"])
        ('Reset your password here.', ['differs', 'probability', 'score'])
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    collection: Any
    k: int = 4
    filter: dict[str, Any] | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Open the collection, which has to be there."""
        self.collection = as_collection(self.collection, create=False)
        require_options(self.options, Collection.search)

    def _get_relevant_documents(self, query: str, *, run_manager: Any, **more: Any) -> list[LangChainDocument]:
        asked = {"k": self.k, "where": self.filter, **self.options}
        if "filter" in more:
            more["where"] = more.pop("filter")
        require_options(more, Collection.search)
        hits = self.collection.search(query, **asked | more)
        return [_document(hit.id, hit.text or "", {**hit.metadata, "nearsense": about(hit)}) for hit in hits]


class NearsenseReranker(BaseDocumentCompressor):  # type: ignore[misc]
    """Documents in the order that a cross-encoder gives them; their metadata get its score as `relevance_score`.

    Args:
        model: A CrossEncoder, or a model's name or folder.
        top_n: How many to return; None for all.
        min_probability: Leave out documents that are less probable to answer, in [0, 1].
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: Any
    top_n: int | None = None
    min_probability: float | None = None

    def model_post_init(self, context: Any, /) -> None:
        """Load the model."""
        self.model = resolve_cross(self.model)

    def compress_documents(
        self, documents: Sequence[LangChainDocument], query: str, callbacks: Callbacks | None = None
    ) -> list[LangChainDocument]:
        """The documents in their new order.

        Args:
            documents: What a search found.
            query: What was looked for.
            callbacks: Not needed.
        """
        texts = [document.page_content for document in documents]
        order = reranked(query, texts, self.model, self.top_n, min_probability=self.min_probability)
        told = [(documents[place], hit) for place, hit in order]
        return [_document(each.id, each.page_content, each.metadata | _ranked(hit)) for each, hit in told]


class _ForeignEncoder(Encoder):
    """Embeddings of another maker as an encoder.

    It is told from others by its class, the name of its model, and where the vector of a word is largest.
    """

    max_tokens, cuts = 0, False

    def __init__(self, embedding: Embeddings) -> None:
        kind = f"{type(embedding).__module__}.{type(embedding).__qualname__}"
        options = {name: getattr(embedding, name, None) for name in ("model", "model_name", "dimensions")}
        told = {name: str(value) for name, value in options.items() if value is not None}
        self._embedding, self.name = embedding, told.get("model", told.get("model_name", kind))
        vector = np.abs(embedding.embed_query("a word"))
        self.dimension, halves = len(vector), np.array_split(vector, 2)
        written = json.dumps(
            [kind, self.dimension, told, *(int(half.argmax()) for half in halves)], sort_keys=True
        )
        self._fingerprint = hashlib.sha256(written.encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the class, the name of the model and something of a vector."""
        return self._fingerprint

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        role: str | None = None,
        normalize: bool | None = None,
        **_options: Any,
    ) -> Vectors:
        """The vectors that the embeddings make."""
        given, embedding = [texts] if isinstance(texts, str) else list(texts), self._embedding
        made = map(embedding.embed_query, given) if role == "query" else embedding.embed_documents(given)
        data = np.array(list(made), np.float32).reshape(len(given), self.dimension)
        data = data if normalize is False else unit_length(data, zero="keep")
        return Vectors(data, self.fingerprint, np.zeros(len(data), bool), self.name)


def _encoder_of(embedding: Embeddings) -> Encoder:
    if isinstance(embedding, NearsenseEmbeddings):
        return embedding.encoder
    if not isinstance(embedding, Embeddings):
        fix = "NearsenseEmbeddings(), or others of LangChain"
        raise InputError(f"embedding is of type {type(embedding).__name__}", fix=fix)
    return _ForeignEncoder(embedding)


def _relevance(hits: Results[Hit]) -> list[float]:
    """From 0 to 1: probabilities; where one has none, cosine similarities, and 0 for those below."""
    told = [hit.probability for hit in hits]
    known = [probability for probability in told if probability is not None]
    if len(known) == len(hits):
        return known
    if hits.origin.metric is not Metric.COSINE:
        raise InputError(
            f"hits by {hits.origin.metric} have no relevance from 0 to 1",
            why="no calibration tells what their scores mean",
            fix='leave mode out, or ask for the scores: similarity_search_with_score(..., mode="hybrid")',
        )
    return [min(max(hit.score, 0.0), 1.0) for hit in hits]


def _ranked(hit: Hit) -> dict[str, Any]:
    return {"relevance_score": hit.score, "nearsense": about(hit)}


def _found(hit: Hit) -> LangChainDocument:
    return _document(hit.id, hit.text or "", hit.metadata)


def _document(id_: str | None, text: str, metadata: Any) -> LangChainDocument:
    return LangChainDocument(id=id_, page_content=text, metadata=dict(metadata))
