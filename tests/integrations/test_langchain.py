"""LangChain's own test suites, as they are published, and what goes beyond them."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns

pytest.importorskip("langchain_core")
pytest.importorskip("langchain_tests")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

from nearsense.errors import CollectionNotFound, InputError, ModelMismatch, UnknownField
from nearsense.integrations.langchain import (
    NearsenseEmbeddings,
    NearsenseReranker,
    NearsenseRetriever,
    NearsenseVectorStore,
)

pytestmark = pytest.mark.anyio

TEXTS = ["We ship within two days.", "Reset your password here.", "Refunds take a week.", "Wir liefern. 😀"]
FIELDS = [{"lang": "en", "year": 2019 + n, "tags": ["ä", None, {"deep": 1.5}]} for n in range(4)]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def store():
    made = NearsenseVectorStore(":memory:")
    made.add_texts(TEXTS, FIELDS, ids=[*"abcü"])
    yield made
    made.collection.close()


class TestStoreOfLangChainsEmbeddings(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self):
        made = NearsenseVectorStore(":memory:", self.get_embeddings())
        yield made
        made.collection.close()


class TestStoreOnTheDisk(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path):
        made = NearsenseVectorStore(tmp_path / "shop.nearsense")
        yield made
        made.collection.close()


class TestEmbeddings(EmbeddingsIntegrationTests):
    embeddings_class = NearsenseEmbeddings


class TestEmbeddingsAlone(EmbeddingsUnitTests):
    embeddings_class = NearsenseEmbeddings
    embedding_model_params = {"model": "all-MiniLM-L6-v2"}  # noqa: RUF012


class TestRetriever(RetrieversIntegrationTests):
    retriever_constructor = NearsenseRetriever
    retriever_query_example = "I forgot my login"

    @property
    def retriever_constructor_params(self):
        shop = ns.open(":memory:")
        shop.add(TEXTS)
        return {"collection": shop}


class Longest(ns.CrossEncoder):
    name, fingerprint, max_tokens = "longest", "1" * 64, 512

    def score(self, pairs, **_options):
        return [len(text) for _, text in pairs]


def test_vectors_are_the_librarys(encoder):
    embeddings = NearsenseEmbeddings(encoder)
    assert np.allclose(embeddings.embed_documents(TEXTS), encoder.encode(TEXTS, role="passage").data, atol=1e-3)
    assert np.allclose(embeddings.embed_query("é"), encoder.encode("é", role="query").data[0], atol=1e-3)
    assert embeddings.embed_documents([]) == []


def test_relevance_is_the_probability_that_the_collection_gives(store):
    hits = store.collection.search("I forgot my login", 4)
    found = store.similarity_search_with_relevance_scores("I forgot my login", k=4)
    assert [(each.id, relevance) for each, relevance in found] == [(hit.id, hit.probability) for hit in hits]
    some = store.similarity_search_with_relevance_scores("I forgot my login", k=4, score_threshold=found[1][1])
    assert [document.id for document, _ in some] == [document.id for document, _ in found[:2]]


async def test_relevance_is_awaited_too(store):
    found = await store.asimilarity_search_with_relevance_scores("I forgot my login", k=2)
    assert found == store.similarity_search_with_relevance_scores("I forgot my login", k=2)
    sure = await store.asearch("I forgot my login", "similarity_score_threshold", k=2, score_threshold=found[1][1])
    assert sure == [document for document, _ in found]
    assert await store.amax_marginal_relevance_search("I forgot my login", k=1) == [found[0][0]]


def test_relevance_without_a_calibration_is_the_cosine_from_zero():
    made = NearsenseVectorStore(":memory:", DeterministicFakeEmbedding(size=6))
    made.add_texts(["one", "two", "three", "four"])
    relevances = {
        each.page_content: relevance
        for each, relevance in made.similarity_search_with_relevance_scores("one", k=4)
    }
    scores = {each.page_content: score for each, score in made.similarity_search_with_score("one", k=4)}
    assert relevances == {text: max(score, 0.0) for text, score in scores.items()}
    assert relevances["one"] == pytest.approx(1)
    assert min(scores.values()) < 0, "so that there is something to raise"


def test_relevance_of_words_is_refused_where_nobody_knows_it(store):
    with pytest.raises(InputError, match="relevance"):
        store.similarity_search_with_relevance_scores("password", k=2, mode="lexical")
    assert store.similarity_search("password", k=1, mode="lexical")[0].id == "b"


def test_metadata_and_ids_of_any_script_come_back_as_they_were(store):
    assert store.get_by_ids(["ü", "none"]) == [Document(id="ü", page_content=TEXTS[3], metadata=FIELDS[3])]


def test_filters_are_those_of_the_library(store):
    found = store.similarity_search("delivery", k=4, filter={"year": {">=": 2021}})
    assert {document.id for document in found} == {"c", "ü"}
    assert store.delete(filter={"year": {"<": 2021}})
    assert len(store.collection) == 2
    with pytest.raises(UnknownField):
        store.similarity_search("delivery", filter={"no": 1})


def test_marginal_relevance_leaves_out_what_says_the_same(store):
    store.add_texts(["Please reset your password here.", "You can reset your password here."], ids=["d", "e"])
    near = [document.id for document in store.similarity_search("reset my password", k=3)]
    differing = store.max_marginal_relevance_search("reset my password", k=2, lambda_mult=0.1)
    found = [document.id for document in differing]
    assert {*near} == {"b", "d", "e"}
    assert found[0] == near[0]
    assert found[1] not in near
    assert NearsenseVectorStore(":memory:").max_marginal_relevance_search("a", k=2) == []


def test_as_retriever_takes_a_probability_as_threshold(store):
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.99, "k": 2}
    )
    assert [document.id for document in retriever.invoke(TEXTS[0])] == ["a"]


def test_nothing_in_nothing_out():
    made = NearsenseVectorStore.from_texts([])
    assert made.add_documents([]) == []
    assert made.get_by_ids([]) == []
    assert made.similarity_search("a", k=3) == []


def test_a_store_stays_where_its_folder_is(tmp_path):
    fields = [{"n": n} for n in range(4)]
    made = NearsenseVectorStore.from_texts(TEXTS, metadatas=fields, collection=tmp_path / "s")
    made.collection.close()
    again = NearsenseVectorStore(tmp_path / "s", NearsenseEmbeddings())
    assert again.similarity_search(TEXTS[2], k=1)[0].metadata == {"n": 2}
    again.collection.close()
    with pytest.raises(ModelMismatch, match="belongs to all-MiniLM-L6-v2"):
        NearsenseVectorStore(tmp_path / "s", DeterministicFakeEmbedding(size=6))


class Shifted(DeterministicFakeEmbedding):
    """Another model of the same class and the same size, which no name tells apart."""

    by: int = 0

    def embed_query(self, text):
        return [*np.roll(super().embed_query(text), self.by)]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


def test_embeddings_that_no_name_tells_apart_do_not_mix(tmp_path):
    made = NearsenseVectorStore.from_texts(["a"], Shifted(size=32), collection=tmp_path / "s")
    made.collection.close()
    again = NearsenseVectorStore(tmp_path / "s", Shifted(size=32))
    assert again.similarity_search("a", k=1)[0].page_content == "a"
    again.collection.close()
    with pytest.raises(ModelMismatch):
        NearsenseVectorStore(tmp_path / "s", Shifted(size=32, by=1))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda store: store.add_texts(["a", "b"], ids=["1"]), "2 texts, 1 ids"),
        (lambda store: store.add_texts(["a"], [{}, {}]), "1 texts, 2 metadata"),
        (lambda store: store.add_texts(["a"], [{"when": {1, 2}}]), "is a set"),
        (lambda store: store.add_texts(["a"], namespace="x"), "namespace=... is not known"),
        (lambda store: store.delete(), "ids or a filter"),
        (lambda store: store.similarity_search("", k=1), "query"),
        (lambda store: NearsenseVectorStore(store.collection, NearsenseEmbeddings()), "beside an open collection"),
        (lambda store: NearsenseVectorStore(":memory:", "all-MiniLM-L6-v2"), "embedding is of type str"),
    ],
)
def test_what_cannot_be_done_is_said(store, call, said):
    with pytest.raises(InputError, match=said):
        call(store)


def test_a_retriever_says_how_sure_it_is(store):
    retriever = NearsenseRetriever(collection=store.collection, k=2, options={"min_probability": 0.0})
    [first, _] = retriever.invoke("I forgot my login")
    hit = store.collection.search("I forgot my login", 1)[0]
    told = first.metadata.pop("nearsense")
    assert told == {"score": hit.score, "probability": hit.probability, "differs": list(hit.differs or ())}
    assert first.metadata == hit.metadata
    assert {each.id for each in retriever.invoke("delivery", filter={"year": {">=": 2021}})} == {"c", "ü"}


def test_a_cross_encoder_puts_documents_in_order():
    documents = [Document(id=text, page_content=text, metadata={"n": 1}) for text in ("bb", "cccc", "a")]
    found = NearsenseReranker(model=Longest(), top_n=2).compress_documents(documents, "q")
    assert [(each.id, each.metadata["n"], each.metadata["relevance_score"]) for each in found] == [
        ("cccc", 1, 4.0),
        ("bb", 1, 2.0),
    ]
    assert documents[0].metadata == {"n": 1}, "what came in is as it was"
    assert NearsenseReranker(model=Longest()).compress_documents([], "q") == []


def test_relevance_falls_though_what_differs_puts_a_near_one_behind():
    texts = ["How do I turn off the alarm?", "How do I enable the alarm?", "alarm settings page"]
    store = NearsenseVectorStore.from_texts(texts)
    near = [found.page_content for found in store.similarity_search("How do I disable the alarm?", k=3)]
    sure = store.similarity_search_with_relevance_scores("How do I disable the alarm?", k=3)
    assert near == texts
    assert [found.page_content for found, _ in sure] == [texts[0], texts[2], texts[1]]
    assert sure == sorted(sure, key=lambda each: -each[1])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda store: store.add_texts("hello"), "one text is given"),
        (lambda store: store.embeddings.embed_documents("hello"), "one text is given"),
        (lambda store: store.similarity_search("a", top_k=2), "top_k=... is not known"),
        (lambda store: store.similarity_search_by_vector([0.0] * 384, mode="hybrid"), "mode=... is not known"),
        (lambda store: NearsenseRetriever(collection=store.collection).invoke("a", kk=2), r"kk=... is not known"),
        (lambda store: NearsenseRetriever(collection=store.collection, options={"mod": 1}), "did you mean mode=?"),
        (lambda store: NearsenseRetriever(collection=store.collection, top_k=2), "top_k"),
        (lambda store: NearsenseReranker(model=Longest(), topn=2), "topn"),
        (lambda store: NearsenseReranker(model=3), "3 is no"),
    ],
)
def test_what_is_misspelt_is_said_and_not_left_out(call, said):
    with pytest.raises(ValueError, match=said):
        call(NearsenseVectorStore())


def test_a_retriever_makes_no_collection(tmp_path):
    with pytest.raises(CollectionNotFound):
        NearsenseRetriever(collection=tmp_path / "shop.nearsense")
    assert not [*tmp_path.iterdir()]


def test_a_store_says_which_collection_it_is():
    assert repr(NearsenseVectorStore()) == "NearsenseVectorStore(Collection(':memory:'))"
