"""Encoders, collections and cross-encoders as Haystack has them. Nothing is computed otherwise.

    NearsenseTextEmbedder       a query -> its vector            NearsenseRetriever   a query -> documents
    NearsenseDocumentEmbedder   documents -> their vectors       NearsenseRanker      documents -> in another order
    NearsenseDocumentStore      a collection

Haystack reports how it is used to its makers unless it is told not to. Imported by this file first, it does not,
unless the environment says `HAYSTACK_TELEMETRY_ENABLED=True`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nearsense.integrations._shared import import_haystack

import_haystack()

from haystack import component, default_from_dict, default_to_dict  # noqa: E402
from haystack.dataclasses import Document as HaystackDocument  # noqa: E402
from haystack.document_stores.errors import DuplicateDocumentError  # noqa: E402
from haystack.document_stores.types import DuplicatePolicy  # noqa: E402

from nearsense.collection import Collection  # noqa: E402
from nearsense.encoders import CrossEncoder, Encoder, resolve, resolve_cross  # noqa: E402
from nearsense.errors import InputError  # noqa: E402
from nearsense.filters import matches  # noqa: E402
from nearsense.integrations._haystack_filters import as_where  # noqa: E402
from nearsense.integrations._shared import (  # noqa: E402
    as_collection,
    as_lists,
    awaited,
    by_probability,
    require_options,
    reranked,
    search,
)
from nearsense.kinds import parse  # noqa: E402
from nearsense.records import Document  # noqa: E402

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "NearsenseDocumentEmbedder",
    "NearsenseDocumentStore",
    "NearsenseRanker",
    "NearsenseRetriever",
    "NearsenseTextEmbedder",
]


class DuplicateError(InputError, DuplicateDocumentError):  # type: ignore[misc]
    """A document's id is in the store already: an error of both libraries."""


class _Written:
    """What a pipeline's file holds: the arguments, which are attributes of the same names."""

    def to_dict(self) -> dict[str, Any]:
        """As a pipeline's file has it."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        found: dict[str, Any] = default_to_dict(self, **{name: getattr(self, name) for name in names})
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote.

        Args:
            data: That.
        """
        made: Self = default_from_dict(cls, data)
        return made


class _Encoding(_Written):
    """What needs an encoder: `model` names it."""

    model: str | None

    def warm_up(self) -> None:
        """Load the model."""
        _ = self.encoder

    @cached_property
    def encoder(self) -> Encoder:
        """The model, loaded when it is first asked for."""
        return resolve(self.model)


@component
class NearsenseTextEmbedder(_Encoding):
    """The vector of a text, of a query as a rule.

    Args:
        model: A model's name or folder; None for the default model.
        role: What the text is to the model: "query" or "passage".

    Example:
        >>> len(NearsenseTextEmbedder().run("I forgot my login")["embedding"])
        384
    """

    def __init__(self, model: str | None = None, role: str = "query") -> None:
        self.model, self.role = model, role

    @component.output_types(embedding=list[float], meta=dict[str, Any])  # type: ignore[untyped-decorator]
    def run(self, text: str) -> dict[str, Any]:
        """Encode one text.

        Args:
            text: The text.

        Raises:
            InputError: It is no text.
        """
        if not isinstance(text, str):
            raise InputError(
                f"a text is expected, not a value of type {type(text).__name__}",
                fix="documents are for NearsenseDocumentEmbedder",
            )
        return {"embedding": as_lists(self.encoder, [text], self.role)[0], "meta": _made_by(self.encoder)}


@component
class NearsenseDocumentEmbedder(_Encoding):
    """Documents with their vectors, for stores of others: `NearsenseDocumentStore` makes its own.

    Args:
        model: A model's name or folder; None for the default model.
        meta_fields_to_embed: Fields of the metadata that are read before the text.
        embedding_separator: What stands between them.

    Example:
        >>> [found] = NearsenseDocumentEmbedder().run([HaystackDocument(content="We ship today.")])["documents"]
        >>> found.content, len(found.embedding)
        ('We ship today.', 384)
    """

    def __init__(
        self,
        model: str | None = None,
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        self.model, self.meta_fields_to_embed = model, meta_fields_to_embed
        self.embedding_separator = embedding_separator

    @component.output_types(documents=list[HaystackDocument], meta=dict[str, Any])  # type: ignore[untyped-decorator]
    def run(self, documents: list[HaystackDocument]) -> dict[str, Any]:
        """Encode documents; what came in stays as it is.

        Args:
            documents: The documents.

        Raises:
            InputError: Something is no document, or has no text.
        """
        given = [_with_text(document) for document in _documents(documents)]
        names = self.meta_fields_to_embed or []
        read = [[str(each.meta[name]) for name in names if each.meta.get(name) is not None] for each in given]
        texts = [
            self.embedding_separator.join([*parts, each.content]) for parts, each in zip(read, given, strict=True)
        ]
        vectors = as_lists(self.encoder, texts, "passage")
        made = [replace(each, embedding=vector) for each, vector in zip(given, vectors, strict=True)]
        return {"documents": made, "meta": _made_by(self.encoder)}


class NearsenseDocumentStore(_Written):
    """A collection as Haystack's document store. Its model makes the vectors: documents may come without any.

    Vectors that documents bring are not kept, since nothing tells which model made them; documents come back
    without. Filters follow Haystack's rules: `!=` and `not in` hold for documents without the field, and == None
    does too.

    Args:
        path: The collection's folder, made where it is missing; ":memory:" for one that is gone with the process.
        model: A model's name or folder; the collection's own without it, or the default model.

    Example:
        >>> store = NearsenseDocumentStore()
        >>> store.write_documents([HaystackDocument(content="We ship today.", meta={"lang": "en"})])
        1
        >>> store.filter_documents({"field": "meta.lang", "operator": "==", "value": "en"})[0].content
        'We ship today.'
    """

    def __init__(self, path: str = ":memory:", model: str | None = None) -> None:
        self.path, self.model = str(path), model

    def __repr__(self) -> str:
        return f"NearsenseDocumentStore({self.path!r})"

    @cached_property
    def collection(self) -> Collection:
        """The collection, opened when it is first asked for."""
        return as_collection(self.path, self.model)

    def count_documents(self) -> int:
        """How many documents there are."""
        return len(self.collection)

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[HaystackDocument]:
        """All documents that a filter lets pass, in the order in which they came in.

        Args:
            filters: In Haystack's form; None or {} for all.

        Raises:
            NotAFilter: It is not well formed.
        """
        where = as_where(filters)
        every = self.collection.browse(0, len(self.collection))
        return [_told(each.id, each.text, each.metadata) for each in every if matches(where, each.metadata)]

    def write_documents(
        self, documents: list[HaystackDocument], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Keep documents.

        Args:
            documents: The documents; each has a text, and metadata that are JSON.
            policy: What happens to documents whose ids are there: they are refused (FAIL, and NONE), left as they
                are (SKIP) or replaced (OVERWRITE).

        Returns:
            How many were written.

        Raises:
            DuplicateError: Some are there; nothing was written then.
            InputError: A document cannot be kept. It is named.
        """
        policy = parse(DuplicatePolicy, policy, name="policy")
        given = [_with_text(each) for each in _documents(documents)]
        known = {each.id for each in self.collection.get([each.id for each in given]) if each is not None}
        new: dict[str, Document] = {}
        for each in given:
            if (each.id in known or each.id in new) and policy is not DuplicatePolicy.OVERWRITE:
                if policy is DuplicatePolicy.SKIP:
                    continue
                raise DuplicateError(
                    f"the document {each.id!r} is in {self.path} already, or comes twice",
                    why="two documents of one id are told apart by nothing",
                    fix="policy=DuplicatePolicy.OVERWRITE to replace it, or SKIP to leave it as it is",
                )
            new[each.id] = Document(each.id, str(each.content), each.meta)
        self.collection.upsert([*new.values()])
        return len(given) if policy is DuplicatePolicy.OVERWRITE else len(new)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents by their ids; unknown ones are no error.

        Args:
            document_ids: The ids.
        """
        self.collection.delete(document_ids)

    def delete_all_documents(self) -> None:
        """Delete all documents."""
        self.collection.delete([each.id for each in self.filter_documents()])

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Delete what a filter lets pass, and say how many that were.

        Args:
            filters: As for `filter_documents`.
        """
        return self.collection.delete([each.id for each in self.filter_documents(filters)])

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set fields of the metadata of what a filter lets pass, and say how many that were.

        Args:
            filters: As for `filter_documents`.
            meta: The fields with their values.
        """
        found = self.filter_documents(filters)
        return self.collection.upsert([Document(each.id, each.content, {**each.meta, **meta}) for each in found])

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """How many documents a filter lets pass.

        Args:
            filters: As for `filter_documents`.
        """
        return len(self.filter_documents(filters))

    def search(
        self, query: str, k: int = 10, filters: dict[str, Any] | None = None, **options: Any
    ) -> list[HaystackDocument]:
        """The k documents that answer a query best; their `score` is the collection's.

        Args:
            query: What is looked for.
            k: How many at most.
            filters: As for `filter_documents`.
            options: Others of `Collection.search`; and `probabilities`: have the probability as `score`.
        """
        sure = options.pop("probabilities", False)
        hits = search(self.collection, query, k, as_where(filters), **options)
        told = by_probability(hits) if sure else [(hit, hit.score) for hit in hits]
        return [replace(_told(hit.id, hit.text or "", hit.metadata), score=score) for hit, score in told]

    def count_unique_metadata_by_filter(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """How many different values some fields have, of what a filter lets pass.

        Args:
            filters: As for `filter_documents`.
            metadata_fields: The fields.
        """
        found = self.filter_documents(filters)
        return {name: len(_different(found, name)) for name in metadata_fields}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """The fields of the metadata with the type of their values: keyword, int, float or boolean."""
        kinds = {bool: "boolean", int: "int", float: "float"}
        said = (field for each in self.filter_documents() for field in each.meta.items())
        return {name: {"type": kinds.get(type(value), "keyword")} for name, value in said if value is not None}

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """The least and the greatest value of a field; None where no document has one, or they have no order.

        Args:
            metadata_field: The field.
        """
        values = _different(self.filter_documents(), metadata_field)
        found = [value for value in values if isinstance(value, (int, float, str))]
        if len({isinstance(value, str) for value in found}) != 1:
            return {"min": None, "max": None}
        return {"min": min(found), "max": max(found)}

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """Some of the different values of a field, in the order of their texts, and how many there are.

        Args:
            metadata_field: The field.
            search_term: Only values whose text has this within it, whatever its case.
            from_: How many are left out before.
            size: How many at most.
            filters: As for `filter_documents`.
        """
        term, values = (search_term or "").lower(), _different(self.filter_documents(filters), metadata_field)
        found = [each for each in values if term in str(each).lower()]
        found.sort(key=lambda value: (str(value), type(value).__name__))
        return found[from_ : from_ + size], len(found)

    count_documents_async = awaited(count_documents)
    filter_documents_async = awaited(filter_documents)
    write_documents_async = awaited(write_documents)
    delete_documents_async = awaited(delete_documents)
    delete_all_documents_async = awaited(delete_all_documents)
    delete_by_filter_async = awaited(delete_by_filter)
    update_by_filter_async = awaited(update_by_filter)
    count_documents_by_filter_async = awaited(count_documents_by_filter)
    count_unique_metadata_by_filter_async = awaited(count_unique_metadata_by_filter)
    get_metadata_fields_info_async = awaited(get_metadata_fields_info)
    get_metadata_field_min_max_async = awaited(get_metadata_field_min_max)
    get_metadata_field_unique_values_async = awaited(get_metadata_field_unique_values)


@component
class NearsenseRetriever(_Written):
    """What a collection finds for a query; no embedder is needed before it.

    Args:
        document_store: A NearsenseDocumentStore.
        top_k: How many documents at most.
        filters: Only documents whose metadata fit.
        probabilities: Have the probability that a document answers as its `score`, instead of the similarity.
        options: Others of `Collection.search`: `{"min_probability": 0.5, "mode": "hybrid"}`.

    Example:
        >>> store = NearsenseDocumentStore()
        >>> texts = "We ship within two days.", "Reset your password here."
        >>> store.write_documents([HaystackDocument(content=text) for text in texts])
        2
        >>> NearsenseRetriever(store, top_k=1).run("I forgot my login")["documents"][0].content
        'Reset your password here.'
    """

    def __init__(
        self,
        document_store: NearsenseDocumentStore,
        top_k: int = 10,
        filters: dict[str, Any] | None = None,
        probabilities: bool = False,
        options: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(document_store, NearsenseDocumentStore):
            raise InputError(
                f"document_store is of type {type(document_store).__name__}",
                fix='NearsenseDocumentStore("shop.nearsense")',
            )
        require_options(options or (), Collection.search)
        self.document_store, self.top_k, self.filters = document_store, top_k, filters
        self.probabilities, self.options = probabilities, options

    def warm_up(self) -> None:
        """Open the collection and load its model."""
        _ = self.document_store.collection.encoder

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote, its store too.

        Args:
            data: That.
        """
        given = dict(data["init_parameters"])
        if isinstance(store := given.get("document_store"), Mapping):
            given["document_store"] = NearsenseDocumentStore.from_dict(dict(store))
        made: Self = default_from_dict(cls, {**data, "init_parameters": given})
        return made

    @component.output_types(documents=list[HaystackDocument])  # type: ignore[untyped-decorator]
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[HaystackDocument]]:
        """Search.

        Args:
            query: What is looked for.
            filters: Instead of the component's own.
            top_k: Instead of the component's own.
        """
        k, chosen = self.top_k if top_k is None else top_k, self.filters if filters is None else filters
        options = {**(self.options or {}), "probabilities": self.probabilities}
        return {"documents": self.document_store.search(query, k, chosen, **options)}


@component
class NearsenseRanker(_Written):
    """Documents in the order that a cross-encoder gives them; its score is their `score`.

    Args:
        model: The cross-encoder's name or folder.
        top_k: How many to return; None for all.
    """

    def __init__(self, model: str, top_k: int | None = None) -> None:
        self.model, self.top_k = model, top_k

    def warm_up(self) -> None:
        """Load the model."""
        _ = self.encoder

    @cached_property
    def encoder(self) -> CrossEncoder:
        """The model, loaded when it is first asked for."""
        return resolve_cross(self.model)

    @component.output_types(documents=list[HaystackDocument])  # type: ignore[untyped-decorator]
    def run(
        self, query: str, documents: list[HaystackDocument], top_k: int | None = None
    ) -> dict[str, list[HaystackDocument]]:
        """Put documents in order.

        Args:
            query: What was looked for.
            documents: What was found.
            top_k: Instead of the component's own.
        """
        given = [_with_text(document) for document in _documents(documents)]
        texts = [str(document.content) for document in given]
        order = reranked(query, texts, self.encoder, self.top_k if top_k is None else top_k)
        return {"documents": [replace(given[place], score=hit.score) for place, hit in order]}


def _documents(given: Any) -> Sequence[HaystackDocument]:
    many = isinstance(given, Iterable) and not isinstance(given, (str, Mapping))
    found = list(given) if many else [given]
    for each in found if many else [None]:
        if not isinstance(each, HaystackDocument):
            kind = type(each if many else given).__name__
            raise InputError(f"documents are expected, not a value of type {kind}", fix="[Document(content=...)]")
    return found


def _with_text(document: HaystackDocument) -> HaystackDocument:
    if document.content is None or document.blob is not None or document.sparse_embedding is not None:
        lost = "no text" if document.content is None else "a blob or a sparse vector beside its text"
        why, fix = "texts with metadata are kept here, and nothing else", "Document(content=..., meta={...})"
        raise InputError(f"the document {document.id!r} has {lost}", why=why, fix=fix)
    return document


def _different(documents: Iterable[HaystackDocument], field: str) -> list[Any]:
    """The values of a field that differ, as JSON tells them apart: 1, 1.0, true and "1" are four."""
    values = (each.meta.get(field.removeprefix("meta.")) for each in documents)
    return [*{json.dumps(value, sort_keys=True): value for value in values if value is not None}.values()]


def _told(id_: str, text: str, metadata: Mapping[str, Any]) -> HaystackDocument:
    return HaystackDocument(id=id_, content=text, meta=dict(metadata))


def _made_by(encoder: Encoder) -> dict[str, str]:
    return {"model": encoder.name, "fingerprint": encoder.fingerprint}
