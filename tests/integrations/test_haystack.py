"""Haystack's own tests of document stores, as they are published, and pipelines as it runs and writes them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import nearsense as ns

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported
pytest.importorskip("haystack")

from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError
from haystack.testing import document_store as kit
from haystack.testing import document_store_async as awaited_kit

from nearsense.errors import InputError, ModelNotFound, NearsenseError
from nearsense.integrations.haystack import (
    NearsenseDocumentEmbedder,
    NearsenseDocumentStore,
    NearsenseRanker,
    NearsenseRetriever,
    NearsenseTextEmbedder,
)

pytestmark = pytest.mark.anyio

DOCUMENTS = [
    Document(id="a", content="We ship within two days.", meta={"lang": "en", "year": 2019}),
    Document(id="b", content="Reset your password here.", meta={"lang": "en", "year": 2020, "tags": ["ä", None]}),
    Document(id="ü", content="Wir liefern täglich. 😀", meta={"lang": "de", "deep": {"er": 1.5}}),
]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def document_store():
    made = NearsenseDocumentStore()
    yield made
    made.collection.close()


@pytest.fixture
def filled(document_store):
    document_store.write_documents(DOCUMENTS)
    return document_store


class TestStore(
    kit.DocumentStoreBaseExtendedTests,
    kit.CountDocumentsByFilterTest,
    kit.CountUniqueMetadataByFilterTest,
    kit.GetMetadataFieldsInfoTest,
    kit.GetMetadataFieldMinMaxTest,
    kit.GetMetadataFieldUniqueValuesTest,
):
    @pytest.fixture
    def document_store(self):
        made = NearsenseDocumentStore()
        yield made
        made.collection.close()

    @staticmethod
    def assert_documents_are_equal(received, expected):
        """The store makes its own vectors, and gives none back."""
        assert received == [replace(document, embedding=None) for document in expected]

    def test_write_documents(self, document_store):
        """Without a policy what is there already is refused."""
        assert document_store.write_documents([DOCUMENTS[0]]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([DOCUMENTS[0]])


class TestStoreAwaited(
    awaited_kit.CountDocumentsAsyncTest,
    awaited_kit.WriteDocumentsAsyncTest,
    awaited_kit.DeleteDocumentsAsyncTest,
    awaited_kit.FilterDocumentsAsyncTest,
    awaited_kit.DeleteAllAsyncTest,
    awaited_kit.DeleteByFilterAsyncTest,
    awaited_kit.UpdateByFilterAsyncTest,
    awaited_kit.CountDocumentsByFilterAsyncTest,
    awaited_kit.CountUniqueMetadataByFilterAsyncTest,
    awaited_kit.GetMetadataFieldsInfoAsyncTest,
    awaited_kit.GetMetadataFieldMinMaxAsyncTest,
    awaited_kit.GetMetadataFieldUniqueValuesAsyncTest,
):
    assert_documents_are_equal = staticmethod(TestStore.assert_documents_are_equal)

    async def test_write_documents_async(self, document_store):
        assert await document_store.write_documents_async([DOCUMENTS[0]]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([DOCUMENTS[0]])


def test_metadata_and_ids_of_any_script_come_back_as_they_were(filled):
    assert filled.filter_documents() == DOCUMENTS
    assert [each.id for each in NearsenseRetriever(filled, top_k=1).run("täglich liefern")["documents"]] == ["ü"]


def test_vectors_are_the_librarys(encoder):
    made = NearsenseTextEmbedder().run("I forgot my login")
    assert np.allclose(made["embedding"], encoder.encode("I forgot my login", role="query").data[0], atol=1e-3)
    assert made["meta"]["fingerprint"] == encoder.fingerprint
    found = NearsenseDocumentEmbedder().run(DOCUMENTS)["documents"]
    expected = encoder.encode([each.content for each in DOCUMENTS], role="passage").data
    assert np.allclose([each.embedding for each in found], expected, atol=1e-3)
    assert [replace(each, embedding=None) for each in found] == DOCUMENTS
    assert NearsenseDocumentEmbedder().run([])["documents"] == []


def test_fields_of_the_metadata_are_read_before_the_text(encoder):
    [found] = NearsenseDocumentEmbedder(meta_fields_to_embed=["lang", "no"]).run(DOCUMENTS[:1])["documents"]
    assert np.allclose(found.embedding, encoder.encode("en\nWe ship within two days.").data[0], atol=1e-3)


def test_scores_are_the_collections_or_its_probabilities(filled):
    hits = filled.collection.search("I forgot my login", 3)
    found = NearsenseRetriever(filled, top_k=3).run("I forgot my login")["documents"]
    assert [(each.id, each.score) for each in found] == [(hit.id, hit.score) for hit in hits]
    sure = NearsenseRetriever(filled, top_k=3, probabilities=True).run("I forgot my login")["documents"]
    assert [each.score for each in sure] == [hit.probability for hit in hits]
    with pytest.raises(InputError, match="has no probability"):
        filled.search("password", probabilities=True, mode="lexical")


def test_filters_reach_the_search_and_unknown_fields_hold_for_nothing(filled):
    def found(operator, value, field="meta.year"):
        told = {"field": field, "operator": operator, "value": value}
        return {each.id for each in NearsenseRetriever(filled).run("delivery", filters=told)["documents"]}

    assert found(">=", 2020) == {"b"}
    assert found("!=", 2020) == {"a", "ü"}
    assert found("==", None) == {"ü"}
    assert found("in", ["de", "fr"], "meta.lang") == {"ü"}
    assert found("==", 1.5, "meta.deep.er") == {"ü"}
    assert found("==", "x", "meta.unknown") == set()
    assert found("!=", "x", "meta.unknown") == {"a", "b", "ü"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pipeline_runs_and_comes_back_from_its_file(tmp_path):
    store = NearsenseDocumentStore(str(tmp_path / "shop.nearsense"), "all-MiniLM-L6-v2")
    store.write_documents(DOCUMENTS)
    store.collection.close()
    pipeline = Pipeline()
    pipeline.add_component("found", NearsenseRetriever(store, 2, options={"min_score": -1.0}))
    pipeline.add_component("text", NearsenseTextEmbedder(role="passage"))
    pipeline.add_component("documents", NearsenseDocumentEmbedder(meta_fields_to_embed=["lang"]))
    pipeline.add_component("ranker", NearsenseRanker("no-such-model", 3))
    written = pipeline.dumps()
    again = Pipeline.loads(written, allowed_modules=["nearsense.integrations.haystack"])
    assert again.dumps() == written
    again.remove_component("ranker")
    given = {"found": {"query": "I forgot my login"}, "text": {"text": "a"}, "documents": {"documents": DOCUMENTS}}
    told = again.run(given)
    assert told["found"]["documents"][0].id == "b"
    assert len(told["text"]["embedding"]) == 384
    again.get_component("found").document_store.collection.close()


def test_embedders_connect_to_stores_of_others():
    store = InMemoryDocumentStore()
    fill, ask = Pipeline(), Pipeline()
    fill.add_component("vectors", NearsenseDocumentEmbedder())
    fill.add_component("writer", DocumentWriter(store))
    fill.connect("vectors.documents", "writer.documents")
    assert fill.run({"vectors": {"documents": DOCUMENTS}})["writer"] == {"documents_written": 3}
    ask.add_component("vector", NearsenseTextEmbedder())
    ask.add_component("found", InMemoryEmbeddingRetriever(store, top_k=1))
    ask.connect("vector.embedding", "found.query_embedding")
    assert ask.run({"vector": {"text": "I forgot my login"}})["found"]["documents"][0].id == "b"


@pytest.mark.slow
def test_a_cross_encoder_puts_documents_in_order(tmp_path):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    folder = str(hubs.transformer(tmp_path / "judge", "bert", head=True))
    hits = ns.rerank("delivery", [each.content for each in DOCUMENTS], encoder=folder)
    found = NearsenseRanker(folder, top_k=2).run("delivery", DOCUMENTS)["documents"]
    assert found == [replace(DOCUMENTS[int(hit.id)], score=hit.score) for hit in hits[:2]]
    assert len(NearsenseRanker(folder).run("delivery", DOCUMENTS, top_k=1)["documents"]) == 1
    assert NearsenseRanker(folder).run("delivery", [])["documents"] == []


def test_a_cross_encoder_that_is_not_here_is_not_fetched():
    with pytest.raises(ModelNotFound):
        NearsenseRanker("no-such-model").warm_up()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda store: store.write_documents([Document(content=None)]), "no text"),
        (lambda store: store.write_documents([Document(content="a", meta={"when": {1}})]), "is a set"),
        (lambda store: NearsenseTextEmbedder().run(["a"]), "a text is expected"),
        (lambda store: NearsenseDocumentEmbedder().run("a"), "documents are expected"),
        (lambda store: NearsenseRetriever("shop"), "document_store is of type str"),
        (lambda store: NearsenseRetriever(store).run(""), "query"),
        (lambda store: store.filter_documents({"field": "meta.a", "operator": "~", "value": 1}), "known operator"),
    ],
)
def test_what_cannot_be_done_is_said(document_store, call, said):
    with pytest.raises(NearsenseError, match=said) as caught:
        call(document_store)
    assert caught.value.fix


def test_an_id_that_comes_twice_is_a_duplicate_as_one_that_is_there(document_store):
    twice = [Document(id="1", content="first"), Document(id="1", content="second")]
    with pytest.raises(DuplicateDocumentError):
        document_store.write_documents(twice)
    assert document_store.count_documents() == 0
    assert document_store.write_documents(twice, DuplicatePolicy.SKIP) == 1
    assert document_store.filter_documents() == twice[:1]
    assert document_store.write_documents(twice, DuplicatePolicy.OVERWRITE) == 2
    assert document_store.filter_documents() == twice[1:]


def test_a_field_may_be_called_as_filters_write_things(document_store):
    document_store.write_documents([Document(id=name, content="a", meta={name: 1}) for name in ("or", "\\x", "x")])
    for name in ("or", "\\x", "x"):
        asked = {"field": f"meta.{name}", "operator": "==", "value": 1}
        assert [each.id for each in document_store.filter_documents(asked)] == [name]


def test_every_mixin_of_the_kit_is_tried():
    for suite, module in ((TestStore, kit), (TestStoreAwaited, awaited_kit)):
        mixins = [each for name, each in vars(module).items() if name.endswith(("Test", "Tests"))]
        assert len(mixins) > 9
        assert [each for each in mixins if not issubclass(suite, each)] == []


def test_errors_are_those_of_both_libraries(filled):
    with pytest.raises(DuplicateDocumentError) as caught:
        filled.write_documents(DOCUMENTS, DuplicatePolicy.FAIL)
    assert isinstance(caught.value, InputError)
    with pytest.raises(FilterError) as caught:
        filled.filter_documents({"operator": "XOR", "conditions": []})
    assert isinstance(caught.value, InputError)
    assert filled.filter_documents() == DOCUMENTS, "nothing was written"


def test_nobody_is_told_of_a_use_unless_somebody_said_so(tmp_path):
    code = """
import sys
sys.modules["torch"] = None  # as where it is not installed: Haystack would import it, which takes seconds
import nearsense.integrations.haystack, haystack.telemetry._telemetry as told
print(told.telemetry is None)
"""
    environment = {name: value for name, value in os.environ.items() if name != "HAYSTACK_TELEMETRY_ENABLED"}
    environment["HOME"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "True", done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "made",
    [
        lambda: NearsenseTextEmbedder("small", role="passage"),
        lambda: NearsenseDocumentEmbedder("small", ["title"], " "),
        lambda: NearsenseDocumentStore("shop.nearsense", "small"),
        lambda: NearsenseRetriever(NearsenseDocumentStore(), 3, {"field": "meta.a"}, True, {"mode": "hybrid"}),
        lambda: NearsenseRanker("small", 2),
    ],
)
def test_what_is_written_comes_back_with_all_its_arguments(made):
    written = made().to_dict()
    assert all(value is not None for value in written["init_parameters"].values())
    assert type(made()).from_dict(written).to_dict() == written


def test_probabilities_fall_though_what_differs_puts_a_near_one_behind(document_store):
    texts = "How do I turn off the alarm?", "How do I enable the alarm?", "alarm settings page"
    document_store.write_documents([Document(content=text) for text in texts])
    found = document_store.search("How do I disable the alarm?", probabilities=True)
    assert [each.content for each in found] == [texts[0], texts[2], texts[1]]
    assert found == sorted(found, key=lambda each: -each.score)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda store: store.filter_documents({"field": "id", "operator": "==", "value": "a"}), "meta.id"),
        (lambda store: store.write_documents([], policy="replace"), "policy='replace' is not known"),
        (lambda store: NearsenseRetriever(store, options={"mod": "hybrid"}), "mod=... is not known"),
        (lambda store: store.search("a", top_k=3), "top_k=... is not known"),
    ],
)
def test_what_would_find_nothing_or_do_nothing_is_said(document_store, call, said):
    with pytest.raises(InputError, match=said):
        call(document_store)


def test_a_policy_may_be_said_in_words(filled):
    assert filled.write_documents([DOCUMENTS[0]], policy="skip") == 0
