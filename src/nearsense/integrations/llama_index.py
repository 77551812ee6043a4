"""Encoders, collections and cross-encoders as LlamaIndex has them. Nothing is computed otherwise.

`NearsenseEmbedding` is an encoder, `NearsenseVectorStore` a collection, `NearsenseRerank` a cross-encoder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from nearsense._optional import require

require("llama_index.core", extra="llama-index", purpose="nearsense.integrations.llama_index")

from llama_index.core.base.embeddings.base import BaseEmbedding  # noqa: E402
from llama_index.core.bridge.pydantic import ConfigDict, PrivateAttr  # noqa: E402
from llama_index.core.postprocessor.types import BaseNodePostprocessor  # noqa: E402
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle  # noqa: E402
from llama_index.core.vector_stores.types import (  # noqa: E402
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict  # noqa: E402

from nearsense.collection import Collection  # noqa: E402
from nearsense.encoders import CrossEncoder, Encoder, resolve, resolve_cross  # noqa: E402
from nearsense.errors import InputError, ModelMismatch  # noqa: E402
from nearsense.filters import escaped, matches  # noqa: E402
from nearsense.integrations._shared import (  # noqa: E402
    as_collection,
    as_lists,
    awaited,
    by_probability,
    missing,
    on_known_fields,
    reranked,
    search,
)
from nearsense.records import Document, Mode  # noqa: E402
from nearsense.vectors.rows import normalize  # noqa: E402

__all__ = ["NearsenseEmbedding", "NearsenseRerank", "NearsenseVectorStore"]

ALIKE = 0.98
"""Cosine similarity from which on two vectors of one text are of one model; bfloat16 stays above 0.999."""


class NearsenseEmbedding(BaseEmbedding):  # type: ignore[misc]
    """An encoder for whatever in LlamaIndex wants embeddings: `Settings.embed_model`, `embed_model=`.

    Args:
        model_name: A model's name or folder, what `nearsense.load` gave, or None for the default model.
        options: Others of LlamaIndex's embeddings.

    Example:
        >>> embedding = NearsenseEmbedding("all-MiniLM-L6-v2")
        >>> embedding.model_name, len(embedding.get_query_embedding("I forgot my login"))
        ('all-MiniLM-L6-v2', 384)
    """

    model_config = ConfigDict(extra="forbid")

    _encoder: Encoder = PrivateAttr()

    def __init__(self, model_name: Encoder | str | None = None, **options: Any) -> None:
        made = resolve(model_name)
        super().__init__(**{"model_name": made.name, "embed_batch_size": 2048, **options})
        self._encoder = made

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "NearsenseEmbedding"

    @property
    def encoder(self) -> Encoder:
        """The model."""
        return self._encoder

    def _get_query_embedding(self, query: str) -> list[float]:
        return as_lists(self._encoder, [query], "query")[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return as_lists(self._encoder, texts, "passage")

    _aget_query_embedding = awaited(_get_query_embedding)
    _aget_text_embedding = awaited(_get_text_embedding)
    _aget_text_embeddings = awaited(_get_text_embeddings)


class NearsenseVectorStore(BasePydanticVectorStore):  # type: ignore[misc]
    """A collection as LlamaIndex's vector store. Nodes whose ids are there take the place of the old ones.

    Vectors that nodes bring are kept, if the collection's model made them: of each call one is encoded again and
    compared. Nodes without a vector are encoded by the collection. Filters follow LlamaIndex: `!=` and `nin` hold
    for nodes without the field.

    Args:
        collection: A Collection, or the path of its folder; ":memory:" for one that is gone with the process.
        encoder: The model, where it is opened by its path: an Encoder or a name; `NearsenseEmbedding.encoder`.
        probabilities: Give as similarities the probabilities that nodes answer, for thresholds that hold.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> store = NearsenseVectorStore()
        >>> store.add([TextNode(id_="1", text="Reset your password."), TextNode(id_="2", text="We ship today.")])
        ['1', '2']
        >>> store.query(VectorStoreQuery(query_str="I forgot my login", similarity_top_k=1)).ids
        ['1']
    """

    model_config = ConfigDict(extra="forbid")

    stores_text: bool = True
    is_embedding_query: bool = True
    flat_metadata: bool = False
    probabilities: bool = False
    _collection: Collection = PrivateAttr()

    def __init__(
        self,
        collection: Collection | str | os.PathLike[str] = ":memory:",
        encoder: Encoder | str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._collection = as_collection(collection, encoder)

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "NearsenseVectorStore"

    @property
    def client(self) -> Collection:
        """The collection."""
        return self._collection

    def add(self, nodes: Sequence[BaseNode], **_options: Any) -> list[str]:
        """Keep nodes.

        Args:
            nodes: Nodes with texts, and metadata that are JSON.

        Returns:
            Their ids.

        Raises:
            ModelMismatch: Another model made their vectors.
            InputError: A node cannot be kept. It is named.
        """
        for node in nodes:
            if not isinstance(node, BaseNode):
                what = f"nodes are expected, not a value of type {type(node).__name__}"
                raise InputError(what, fix='[TextNode(text="...")]')
        made = [node for node in nodes if node.embedding is not None]
        bare = [node for node in nodes if node.embedding is None]
        if made:
            vectors = self._own([node.embedding for node in made], made[0])
            self._collection.upsert([_document(node) for node in made], vectors=vectors)
        self._collection.upsert([_document(node) for node in bare])
        return [node.node_id for node in nodes]

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Nodes by their ids, by a filter, or by both; all without either.

        Args:
            node_ids: Ids; unknown ones are left out.
            filters: In LlamaIndex's form.
        """
        where, collection = as_where(filters), self._collection
        known = collection.browse(0, len(collection)) if node_ids is None else collection.get(node_ids)
        return [_node(each) for each in known if each is not None and matches(where, each.metadata)]

    def delete(self, ref_doc_id: str, **_options: Any) -> None:
        """Delete the nodes of a document.

        Args:
            ref_doc_id: The document's id.
        """
        self._collection.delete(where=on_known_fields(self._collection, {"ref_doc_id": ref_doc_id}))

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_options: Any
    ) -> None:
        """Delete nodes by their ids, by a filter, or by both.

        Args:
            node_ids: Ids; unknown ones are no error.
            filters: In LlamaIndex's form.

        Raises:
            InputError: Neither is given: `clear` deletes all.
        """
        if node_ids is None and filters is None:
            raise InputError("delete_nodes needs ids or filters", fix="clear() deletes all nodes")
        self._collection.delete([node.node_id for node in self.get_nodes(node_ids, filters)])

    def clear(self) -> None:
        """Delete all nodes."""
        self._collection.delete([node.node_id for node in self.get_nodes()])

    def query(self, query: VectorStoreQuery, **_options: Any) -> VectorStoreQueryResult:
        """The nodes that answer best: by the vector that came, else by the text.

        Args:
            query: Its mode is "default" by meaning, "text_search" or "sparse" by words, or "hybrid" by both.

        Raises:
            InputError: The mode is another, a filter cannot be asked, or there is no query.
        """
        collection, k, where = self._collection, query.similarity_top_k, as_where(query.filters)
        if query.doc_ids:
            where = {"and": [where, {"ref_doc_id": {"in": list(query.doc_ids)}}]}
        if query.mode not in _MODES:
            fix = f"use one of: {', '.join(mode.value for mode in _MODES)}"
            raise InputError(f"mode={getattr(query.mode, 'value', query.mode)!r} is not done here", fix=fix)
        mode = _MODES[query.mode]
        if mode is not Mode.DENSE and query.hybrid_top_k is not None:
            k = query.hybrid_top_k
        ids = {*(query.node_ids or ())}  # an index says [] where it wants all
        depth = max(1, len(collection)) if ids else k
        if mode is Mode.DENSE and query.query_embedding is not None:
            vector = np.array([query.query_embedding], np.float32)
            hits = collection.nearest(vector, depth, where=on_known_fields(collection, where))[0]
        elif query.query_str is not None:
            hits = search(collection, query.query_str, depth, where, mode=mode)
        else:
            raise InputError("there is no query", fix="VectorStoreQuery(query_str=...)")
        wanted = [hit for hit in hits if not ids or hit.id in ids][:k]
        told = by_probability(wanted) if self.probabilities else [(hit, hit.score) for hit in wanted]
        return VectorStoreQueryResult(
            nodes=[_node(Document(hit.id, hit.text or "", hit.metadata)) for hit, _ in told],
            similarities=[similarity for _, similarity in told],
            ids=[hit.id for hit, _ in told],
        )

    async_add = awaited(add)
    adelete = awaited(delete)
    adelete_nodes = awaited(delete_nodes)
    aget_nodes = awaited(get_nodes)
    aclear = awaited(clear)
    aquery = awaited(query)

    def _own(self, given: list[Any], node: BaseNode) -> Any:
        """Vectors of nodes, shape (n, d); those of another model are refused: that of one node is made again."""
        encoder, text = self._collection.encoder, node.get_content(metadata_mode=MetadataMode.EMBED)
        own = encoder.encode([text], role=self._collection.info().role, long="head" if encoder.cuts else None).data
        if {len(vector) for vector in given} == {own.shape[1]}:
            vectors = np.array(given, np.float32)
            if float(np.vecdot(normalize(vectors[:1], zero="keep"), own)[0]) >= ALIKE:
                return vectors
        raise ModelMismatch(
            f"the vector of node {node.node_id!r} is not of {encoder.name}, the collection's model",
            why="vectors of two models do not compare; their scores would be noise",
            fix="embed_model=NearsenseEmbedding(store.client.encoder), for nodes as for queries",
        )


class NearsenseRerank(BaseNodePostprocessor):  # type: ignore[misc]
    """Nodes in the order that a cross-encoder gives them, with its scores.

    Args:
        model: A CrossEncoder, or a model's name or folder.
        top_n: How many to return; None for all.
        options: Others of LlamaIndex's postprocessors.
    """

    model_config = ConfigDict(extra="forbid")

    top_n: int | None = None
    _cross: CrossEncoder = PrivateAttr()

    def __init__(self, model: CrossEncoder | str, top_n: int | None = None, **options: Any) -> None:
        super().__init__(top_n=top_n, **options)
        self._cross = resolve_cross(model)

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "NearsenseRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise InputError("there is no query to rank by", fix="postprocess_nodes(nodes, query_str=...)")
        texts = [each.node.get_content(metadata_mode=MetadataMode.EMBED) for each in nodes]
        order = reranked(query_bundle.query_str, texts, self._cross, self.top_n)
        return [NodeWithScore(node=nodes[place].node, score=hit.score) for place, hit in order]


_MODES = {
    VectorStoreQueryMode.DEFAULT: Mode.DENSE,
    VectorStoreQueryMode.TEXT_SEARCH: Mode.LEXICAL,
    VectorStoreQueryMode.SPARSE: Mode.LEXICAL,
    VectorStoreQueryMode.HYBRID: Mode.HYBRID,
    VectorStoreQueryMode.SEMANTIC_HYBRID: Mode.HYBRID,
}


def as_where(filters: MetadataFilters | None) -> dict[str, Any]:
    """Filters of LlamaIndex as one of nearsense, which holds for the same nodes.

    Raises:
        InputError: A condition is on the text itself, which only a search by words can ask.

    Example:
        >>> from llama_index.core.vector_stores.types import MetadataFilter
        >>> as_where(MetadataFilters(filters=[MetadataFilter(key="year", value=2020, operator=">=")]))
        {'and': [{'year': {'>=': 2020}}]}
    """
    if filters is None:
        return {}
    parts = [as_where(each) if isinstance(each, MetadataFilters) else _condition(each) for each in filters.filters]
    condition = str(getattr(filters.condition, "value", filters.condition or "and"))
    return {"not": {"or": parts}} if condition == "not" else {condition: parts}


def _condition(asked: Any) -> dict[str, Any]:
    name, value = escaped(asked.key), asked.value
    several = value if isinstance(value, list) else [value]
    match asked.operator:
        case FilterOperator.EQ | FilterOperator.CONTAINS:
            return {name: {"=": value}}
        case FilterOperator.GT | FilterOperator.LT | FilterOperator.GTE | FilterOperator.LTE:
            return {name: {asked.operator.value: value}}
        case FilterOperator.NE:
            return {"not": {name: {"=": value}}}
        case FilterOperator.NIN:
            return {"not": {name: {"in": several}}}
        case FilterOperator.IN | FilterOperator.ANY:
            return {name: {"in": several}}
        case FilterOperator.ALL:
            return {"and": [{name: {"=": each}} for each in several]}
        case FilterOperator.IS_EMPTY:
            return missing(name)
    raise InputError(
        f"the operator {asked.operator.value!r} on {asked.key!r} is not known here",
        why="filters are on metadata, not on what stands within a text",
        fix='search by words: VectorStoreQuery(mode="text_search")',
    )


def _document(node: BaseNode) -> Document:
    metadata = node_to_metadata_dict(node, remove_text=True)
    return Document(node.node_id, node.get_content(metadata_mode=MetadataMode.NONE), metadata)


def _node(document: Document) -> BaseNode:
    return metadata_dict_to_node(dict(document.metadata), text=document.text)
