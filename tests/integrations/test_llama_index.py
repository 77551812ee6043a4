"""LlamaIndex's index, retriever and pipeline over a collection; filters beside its own simple store."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import nearsense as ns

pytest.importorskip("llama_index.core")

from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    FilterCondition,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from nearsense.errors import InputError, ModelMismatch, ModelNotFound, NearsenseError
from nearsense.integrations.llama_index import NearsenseEmbedding, NearsenseRerank, NearsenseVectorStore

TEXTS = {
    "a": ("We ship within two days.", {"lang": "en", "year": 2019, "tags": ["x", "y"]}),
    "b": ("Reset your password here.", {"lang": "en", "year": 2020, "tags": ["y"]}),
    "ü": ("Wir liefern täglich. 😀", {"lang": "de", "und": "ä"}),
}


def nodes():
    return [
        TextNode(
            id_=id_,
            text=text,
            metadata=metadata,
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="guide" if id_ in "ab" else "führer")},
        )
        for id_, (text, metadata) in TEXTS.items()
    ]


@pytest.fixture
def store():
    made = NearsenseVectorStore()
    made.add(nodes())
    yield made
    made.client.close()


def index_over(store, encoder):
    embedding = NearsenseEmbedding(encoder)
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex(nodes(), storage_context=context, embed_model=embedding)


def test_vectors_are_the_librarys(encoder):
    embedding = NearsenseEmbedding(encoder)
    texts = [text for text, _ in TEXTS.values()]
    expected = encoder.encode(texts, role="passage").data
    assert np.allclose(embedding.get_text_embedding_batch(texts), expected, atol=1e-3)
    assert np.allclose(asyncio.run(embedding.aget_text_embedding_batch(texts)), expected, atol=1e-3)
    query = encoder.encode("é", role="query").data[0]
    assert np.allclose(embedding.get_query_embedding("é"), query, atol=1e-3)
    assert np.allclose(asyncio.run(embedding.aget_query_embedding("é")), query, atol=1e-3)
    assert embedding.get_text_embedding_batch([]) == []


def test_an_index_finds_through_its_retriever_what_the_collection_finds(encoder):
    store = NearsenseVectorStore(ns.open(":memory:", encoder))
    found = index_over(store, encoder).as_retriever(similarity_top_k=2).retrieve("I forgot my login")
    hits = store.client.nearest(encoder.encode(["I forgot my login"], role="query"), 2)[0]
    assert [each.node.node_id for each in found] == [hit.id for hit in hits] == ["b", "a"]
    assert np.allclose([each.score for each in found], [hit.score for hit in hits], atol=1e-3)


def test_an_index_keeps_the_vectors_it_made_with_the_metadata_read(encoder):
    store = NearsenseVectorStore(ns.open(":memory:", encoder))
    index_over(store, encoder)
    documents, vectors = store.client.documents()
    read = [node.get_content(metadata_mode="embed") for node in nodes()]
    assert [document.id for document in documents] == [*TEXTS]
    assert np.allclose(vectors.data, encoder.encode(read, role="passage").data, atol=1e-3)


def test_nodes_come_back_as_they_were(store):
    assert store.get_nodes() == nodes()
    assert store.get_nodes(["ü", "none"]) == nodes()[2:]
    result = store.query(VectorStoreQuery(query_str="täglich liefern", similarity_top_k=1))
    assert result.nodes == nodes()[2:]


def test_vectors_of_another_model_are_refused(store):
    for size in (384, 8):
        [made] = MockEmbedding(embed_dim=size)(nodes()[:1])
        with pytest.raises(ModelMismatch, match="is not of all-MiniLM-L6-v2"):
            store.add([made])
    assert len(store.client) == 3


def test_similarities_can_be_probabilities():
    store = NearsenseVectorStore(probabilities=True)
    store.add(nodes())
    hits = store.client.search("I forgot my login", 3)
    result = store.query(VectorStoreQuery(query_str="I forgot my login", similarity_top_k=3))
    assert result.similarities == [hit.probability for hit in hits]


@pytest.mark.parametrize(
    "mode", ["default", "text_search", "sparse", pytest.param("hybrid", marks=pytest.mark.slow)]
)
def test_modes_are_those_of_the_collection(store, mode):
    asked = VectorStoreQuery(query_str="password", similarity_top_k=3, mode=VectorStoreQueryMode(mode))
    ours = {"default": "dense", "hybrid": "hybrid"}.get(mode, "lexical")
    expected = [(hit.id, hit.score) for hit in store.client.search("password", 3, mode=ours)]
    for found in (store.query(asked), asyncio.run(store.aquery(asked))):
        assert list(zip(found.ids, found.similarities, strict=True)) == expected


CONDITIONS = [
    ("lang", "en", "=="),
    ("lang", "en", "!="),
    ("year", 2020, ">="),
    ("year", 2020, "<"),
    ("lang", ["de", "fr"], "in"),
    ("lang", ["de", "fr"], "nin"),
    ("tags", ["x", "z"], "any"),
    ("tags", ["x", "y"], "all"),
    ("tags", "y", "contains"),
    ("year", None, "is_empty"),
    ("unknown", 1, "=="),
    ("unknown", 1, "!="),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: f"{condition[0]} {condition[2]}")
def test_filters_let_pass_what_llama_indexs_own_store_lets_pass(store, condition):
    key, value, operator = condition
    filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])
    simple = SimpleVectorStore()
    simple.add([node.model_copy(update={"embedding": [1.0, 0.0]}) for node in nodes()])
    asked = VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=9, filters=filters)
    expected = {*simple.query(asked).ids}
    result = store.query(VectorStoreQuery(query_str="delivery", similarity_top_k=9, filters=filters))
    assert {*result.ids} == expected
    assert {node.node_id for node in store.get_nodes(filters=filters)} == expected


def test_filters_join():
    store = NearsenseVectorStore()
    store.add(nodes())
    both = [MetadataFilter(key="lang", value="en"), MetadataFilter(key="year", value=2020)]

    def found(condition):
        filters = MetadataFilters(filters=[MetadataFilters(filters=both, condition=condition)])
        return {*store.query(VectorStoreQuery(query_str="a", similarity_top_k=9, filters=filters)).ids}

    assert found(FilterCondition.AND) == {"b"}
    assert found(FilterCondition.OR) == {"a", "b"}
    assert found(FilterCondition.NOT) == {"ü"}


def test_a_search_stays_within_documents_and_nodes(store):
    assert store.query(VectorStoreQuery(query_str="a", similarity_top_k=9, doc_ids=["führer"])).ids == ["ü"]
    asked = VectorStoreQuery(query_str="password", similarity_top_k=1, node_ids=["a", "ü"])
    assert store.query(asked).ids[0] in ("a", "ü")


def test_nodes_go_by_document_by_id_and_by_filter(store):
    store.delete("führer")
    assert [node.node_id for node in store.get_nodes()] == ["a", "b"]
    store.delete("none")
    store.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="year", value=2020)]))
    assert [node.node_id for node in store.get_nodes()] == ["a"]
    store.delete_nodes(["a", "none"])
    assert store.get_nodes() == []
    store.add(nodes())
    store.clear()
    assert len(store.client) == 0


def test_nothing_in_nothing_out():
    store = NearsenseVectorStore()
    assert store.add([]) == []
    store.delete("none")
    assert store.query(VectorStoreQuery(query_str="a", similarity_top_k=2)).ids == []


def test_an_index_comes_back_from_the_disk(tmp_path, encoder):
    store = NearsenseVectorStore(tmp_path / "guide.nearsense", encoder)
    index_over(store, encoder)
    store.client.close()
    again = NearsenseVectorStore(tmp_path / "guide.nearsense")
    index = VectorStoreIndex.from_vector_store(again, embed_model=NearsenseEmbedding(again.client.encoder))
    assert index.as_retriever(similarity_top_k=1).retrieve("I forgot my login")[0].node.node_id == "b"
    again.client.close()


class Longest(ns.CrossEncoder):
    name, fingerprint, max_tokens = "longest", "1" * 64, 512

    def score(self, pairs, **_options):
        return [len(text) for _, text in pairs]


def test_a_cross_encoder_puts_nodes_in_order():
    found = [NodeWithScore(node=TextNode(id_=text, text=text), score=0.5) for text in ("bb", "cccc", "a")]
    ranked = NearsenseRerank(Longest(), top_n=2).postprocess_nodes(found, QueryBundle("q"))
    assert [(each.node.node_id, each.score) for each in ranked] == [("cccc", 4.0), ("bb", 2.0)]
    assert NearsenseRerank(Longest()).postprocess_nodes([], query_str="q") == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda store: store.query(VectorStoreQuery(query_str="a", mode="svm")), "'svm' is not"),
        (lambda store: store.query(VectorStoreQuery()), "no query"),
        (lambda store: store.delete_nodes(), "ids or filters"),
        (lambda store: store.add([TextNode(text="")]), "is empty"),
        (lambda store: store.add(["a"]), "nodes are expected, not a value of type str"),
        (lambda store: NearsenseRerank(Longest()).postprocess_nodes([]), "no query to rank by"),
        (
            lambda store: store.get_nodes(
                filters=MetadataFilters(filters=[MetadataFilter(key="a", value="b", operator="text_match")])
            ),
            "text_match",
        ),
    ],
)
def test_what_cannot_be_done_is_said(store, call, said):
    with pytest.raises(InputError, match=said) as caught:
        call(store)
    assert isinstance(caught.value, NearsenseError)
    assert caught.value.fix


def test_a_document_is_changed_and_deleted_by_its_id(store, encoder):
    context, model = StorageContext.from_defaults(vector_store=store), NearsenseEmbedding(encoder)
    store.clear()
    given = [Document(id_="a", text="Reset your password."), Document(id_="b", text="We ship today.")]
    index = VectorStoreIndex.from_documents(given, storage_context=context, embed_model=model)
    index.refresh_ref_docs([Document(id_="a", text="Reset your passphrase.")])
    index.delete_ref_doc("b")
    assert [node.text for node in store.get_nodes()] == ["Reset your passphrase."]


def test_an_embedding_comes_back_as_the_model_that_it_was(encoder, tmp_path):
    made = NearsenseEmbedding(encoder)
    assert NearsenseEmbedding.from_dict(made.to_dict()).encoder.fingerprint == encoder.fingerprint
    assert NearsenseEmbedding(model_name=encoder.name).encoder.fingerprint == encoder.fingerprint
    with pytest.raises(ModelNotFound):  # and no other model by that name
        NearsenseEmbedding.from_dict({**made.to_dict(), "model_name": str(tmp_path / "another")})


@pytest.mark.parametrize(
    "made", [NearsenseEmbedding, NearsenseVectorStore, lambda **o: NearsenseRerank(Longest(), **o)]
)
def test_an_option_that_there_is_not_is_said(made):
    with pytest.raises(ValueError, match="top_m"):
        made(top_m=2)


def test_probabilities_fall_though_what_differs_puts_a_near_one_behind():
    store = NearsenseVectorStore(probabilities=True)
    store.add(
        [TextNode(text=each) for each in ("Turn off the alarm?", "Enable the alarm?", "alarm settings page")]
    )
    found = store.query(VectorStoreQuery(query_str="Disable the alarm?", similarity_top_k=3)).similarities
    assert found == sorted(found, reverse=True)
    assert found != [hit.probability for hit in store.client.search("Disable the alarm?", 3)]


@pytest.mark.anyio
async def test_all_that_is_awaited_does_what_it_does_at_once(store):
    assert await store.async_add([TextNode(id_="z", text="Ask us.")]) == ["z"]
    assert [node.node_id for node in await store.aget_nodes(["z"])] == ["z"]
    await store.adelete_nodes(["z"])
    await store.adelete("guide")
    assert [node.node_id for node in store.get_nodes()] == ["ü"]
    await store.aclear()
    assert store.get_nodes() == []
