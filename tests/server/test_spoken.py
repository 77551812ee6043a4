"""What clients of others say, word by word: bodies in, bodies out, and errors as OpenAI writes them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import nearsense as ns
from asked import Asked
from nearsense.server.settings import ServerSettings
from nearsense.server.spoken.messages import NEITHER, PASSAGE, QUERY


@pytest.fixture(scope="module")
def server(spoken_server):
    return Asked(spoken_server.service, ServerSettings())


@pytest.fixture(scope="module")
def tiny(server):
    return server.service.models["tiny"]


def answer(response):
    assert response.status_code == 200, response.text
    return response.json()


def refusal(response, status=400):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


# -- /v1/embeddings


def test_an_answer_has_what_openais_has_and_nothing_else(server, tiny):
    found = answer(server.post("/v1/embeddings", {"model": "tiny", "input": "w1"}))
    vector = pytest.approx(tiny.encode("w1").data[0].tolist(), abs=1e-6)
    assert found == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "model": "tiny",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def test_base64_is_of_little_endian_float32(server, tiny):
    asked = {"model": "tiny", "input": ["w1", "w2"], "encoding_format": "base64"}
    found = [each["embedding"] for each in answer(server.post("/v1/embeddings", asked))["data"]]
    vectors = [np.frombuffer(base64.b64decode(each), "<f4") for each in found]
    np.testing.assert_allclose(vectors, tiny.encode(["w1", "w2"]).data, atol=1e-6)


def test_vectors_that_are_cut_have_unit_length_again(server):
    asked = {"model": "nested", "input": "w1 w2", "dimensions": 32}
    vector = answer(server.post("/v1/embeddings", asked))["data"][0]["embedding"]
    assert len(vector) == 32
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_without_a_model_the_first_answers(server):
    assert answer(server.post("/v1/embeddings", {"input": "a"}))["model"] == "all-MiniLM-L6-v2"


def test_a_model_answers_to_the_name_that_its_maker_gave_it(server):
    asked = {"input": "a", "model": "sentence-transformers/all-MiniLM-L6-v2"}
    assert answer(server.post("/v1/embeddings", asked))["model"] == "all-MiniLM-L6-v2"
    assert answer(server.get("/v1/models/sentence-transformers/all-MiniLM-L6-v2"))["id"] == "all-MiniLM-L6-v2"


def test_what_is_not_known_of_a_request_is_passed_over(server):
    answer(server.post("/v1/embeddings", {"input": "a", "user": "u", "safety_identifier": {"a": [1]}}))


@pytest.mark.parametrize(("words", "role"), [(QUERY, "query"), (PASSAGE, "passage"), (NEITHER, None)])
def test_each_word_for_a_role_is_understood(server, words, role):
    prompted = server.service.models["prompted"]
    expected = prompted.encode("w1 w2", role=role).data[0]
    assert not np.allclose(expected, prompted.encode("w1 w2").data[0], atol=1e-3) or role is None
    for word in [*words, *map(str.upper, words)]:
        for field in ("input_type", "role"):
            found = answer(server.post("/v1/embeddings", {"model": "prompted", "input": "w1 w2", field: word}))
            np.testing.assert_allclose(found["data"][0]["embedding"], expected, atol=1e-6)


def test_a_prompt_counts_as_tokens(server):
    asked = {"model": "prompted", "input": "w1 w2", "input_type": "query"}
    assert answer(server.post("/v1/embeddings", asked))["usage"]["total_tokens"] == 2 + 1 + 2


IDS = "token ids cannot be read here"
WRONG = {
    "no JSON": (b"{", "", "the body is no JSON"),
    "nothing": (b"", "", "the body is empty"),
    "no UTF-8": (b'{"input": "\xff"}', "", "the body is no JSON"),
    "a list": (b"[]", "", "expected 'object'"),
    "no input": ({"model": "tiny"}, "input", "missing required field 'input'"),
    "a number": ({"input": 3}, "input", "input: expected 'str | list', got 'int'"),
    "null": ({"input": None}, "input", "input: expected"),
    "a list with null": ({"input": ["a", None]}, "input[1]", "got 'null'"),
    "token ids": ({"input": [1, 2]}, "input", IDS),
    "lists of them": ({"input": [[1, 2], [3]]}, "input", IDS),
    "some of them": ({"input": ["a", 3]}, "input", IDS),
    "an empty list": ({"input": []}, "input", "input is empty"),
    "an empty text": ({"input": ["a", " "]}, "input", "input 1 is empty"),
    "half a character": (b'{"input": "\\ud800 a"}', "", "the body is no JSON"),
    "too many texts": ({"input": ["a"] * 1025}, "input", "array too long, at most 1024 items"),
    "another format": ({"input": "a", "encoding_format": "int8"}, "encoding_format", "invalid enum value 'int8'"),
    "no dimensions": ({"input": "a", "dimensions": 0}, "dimensions", "not of 0"),
    "negative ones": ({"input": "a", "dimensions": -384}, "dimensions", "not of -384"),
    "true dimensions": ({"input": "a", "dimensions": True}, "dimensions", "expected 'int | null', got 'bool'"),
    "too many dimensions": ({"input": "a", "dimensions": 10**30}, "dimensions", ""),
    "no such role": ({"input": "a", "input_type": "image"}, "input_type", "input_type='image' is not known"),
    "a name of another type": ({"input": "a", "model": 3}, "model", "expected 'str | null'"),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_cannot_be_embedded_is_refused_by_the_name_of_its_field(server, body):
    sent, param, says = body
    how = {"content": sent} if isinstance(sent, bytes) else {"json": sent}
    error = refusal(server("POST", "/v1/embeddings", headers={"content-type": "application/json"}, **how))
    assert says in error["message"]
    assert (error["param"] or "") == param
    assert error["type"] == "invalid_request_error"


def test_token_ids_are_refused_with_the_switch_that_sends_texts(server):
    error = refusal(server.post("/v1/embeddings", {"input": [[15339, 1917]], "model": "tiny"}))
    assert "OpenAIEmbeddings(check_embedding_ctx_length=False)" in error["message"]
    assert error["code"] == "token_ids"


def test_a_model_that_is_not_served_is_not_looked_for(server):
    for name in ("text-embedding-3-small", "../../etc", "openai:gpt", "", "bge-small-en-v1.5"):
        error = refusal(server.post("/v1/embeddings", {"input": "a", "model": name}), 404)
        assert error["code"] == "model_not_found"
    assert refusal(server.get("/v1/models/nobody"), 404)["code"] == "model_not_found"


def test_a_text_that_is_too_long_is_cut_and_named_or_refused_if_that_is_asked_for(server, tiny):
    long = "w1 " * 60
    found = answer(server.post("/v1/embeddings", {"model": "tiny", "input": ["w1", long]}))
    assert found["truncated"] == [1]
    np.testing.assert_allclose(found["data"][1]["embedding"], tiny.encode(long, long="head").data[0], atol=1e-6)
    for said in (False, "NONE"):
        asked = {"model": "tiny", "input": ["w1", long], "truncate": said}
        error = refusal(server.post("/v1/embeddings", asked))
        assert error["code"] == "context_length_exceeded"
        assert "text 1 has 62 tokens" in error["message"]


def test_the_path_is_there_for_posts_only(server):
    assert server.get("/v1/embeddings").status_code == 405


# -- rerank

QUERY_TEXT = "reset your password"
DOCUMENTS = ["We ship within two days.", "reset your password", "a password"]


def test_a_rerank_says_by_what_it_was_scored_and_how_sure_it_is(server):
    asked = {"query": QUERY_TEXT, "documents": DOCUMENTS, "model": "all-MiniLM-L6-v2"}
    found = answer(server.post("/v1/rerank", asked))
    hits = ns.search(QUERY_TEXT, DOCUMENTS, encoder=server.service.models["all-MiniLM-L6-v2"])
    assert found["scored_by"] == "cosine similarity, 0 where it is negative"
    assert found["model"] == "all-MiniLM-L6-v2"
    assert found["object"] == "list"
    assert found["meta"]["billed_units"] == {"search_units": 1}
    assert [each["index"] for each in found["results"]] == [int(hit.id) for hit in hits]
    for each, hit in zip(found["results"], hits, strict=True):
        assert each["relevance_score"] == pytest.approx(max(0.0, hit.score), abs=1e-6)
        assert each["probability"] == pytest.approx(hit.probability, abs=1e-4)
        assert tuple(each["differs"]) == hit.differs
        assert each["document"] == {"text": DOCUMENTS[each["index"]]}


def test_without_a_name_the_cross_encoder_reranks(server):
    found = answer(server.post("/v1/rerank", {"query": QUERY_TEXT, "documents": DOCUMENTS}))
    assert found["model"] == "words"
    assert found["scored_by"] == "the logistic function of the cross-encoder's score"
    assert [each["index"] for each in found["results"]] == [1, 2, 0]


class Sure:
    """A cross-encoder whose scores are logistic functions of its numbers."""

    name, max_tokens, fingerprint, languages = "sure", 512, "2" * 64, ()

    def score(self, pairs, *, logits=False, **options):
        numbers = np.array([len(text) - 10.0 for _, text in pairs])
        return numbers if logits else 1 / (1 + np.exp(-numbers))


def test_scores_that_lie_between_0_and_1_stay_as_they_are(server):
    server.service.crosses["sure"] = ns.encoders.base.as_cross_encoder(Sure())
    found = answer(server.post("/rerank", {"query": "a", "documents": ["a" * 9, "b" * 12], "model": "sure"}))
    assert found["scored_by"] == "the cross-encoder's score"
    scores = [each["relevance_score"] for each in found["results"]]
    assert scores == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1))])


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_documents_come_back_as_they_were_given_where_they_are_wanted(server, path):
    given = [{"text": "a password", "id": 7}, "b"]
    asked = {"query": "password", "documents": given}
    usual = answer(server.post(path, asked))["results"]
    assert all(("document" in each) is (path != "/v2/rerank") for each in usual)
    wanted = answer(server.post(path, asked | {"return_documents": True}))["results"]
    assert {each["index"]: each["document"] for each in wanted} == {0: given[0], 1: {"text": "b"}}
    unwanted = answer(server.post(path, asked | {"return_documents": False}))["results"]
    assert all("document" not in each for each in unwanted)


def test_the_fields_of_a_document_that_are_to_be_read_can_be_named(server):
    given = [{"title": "password", "body": "x"}, {"title": "x", "body": "password password"}]
    asked = {"query": "password", "documents": given, "rank_fields": ["body"], "top_n": 1}
    assert [each["index"] for each in answer(server.post("/v1/rerank", asked))["results"]] == [1]


def test_an_object_without_the_fields_that_are_named_counts_by_its_text(server):
    given = [{"title": "x", "text": "password password"}, {"text": "password"}]
    asked = {"query": "password", "documents": given, "rank_fields": ["title"], "top_n": 1.0}
    assert [each["index"] for each in answer(server.post("/v1/rerank", asked))["results"]] == [1]


def test_tei_reranks_texts_its_own_way(server):
    asked = {"query": QUERY_TEXT, "texts": DOCUMENTS, "return_text": True}
    found = answer(server.post("/rerank", asked))
    assert [(each["index"], each["text"]) for each in found] == [(place, DOCUMENTS[place]) for place in (1, 2, 0)]
    raw = answer(server.post("/rerank", asked | {"raw_scores": True, "return_text": False}))
    assert raw[0] == {"index": 1, "score": 1.0}
    assert found[0]["score"] == pytest.approx(1 / (1 + np.exp(-1)))


WRONG_RERANKS = {
    "no query": ({"documents": ["a"]}, "query"),
    "an empty query": ({"query": " ", "documents": ["a"]}, "query"),
    "no documents": ({"query": "a"}, "documents"),
    "none of them": ({"query": "a", "documents": []}, "documents"),
    "an empty document": ({"query": "a", "documents": ["a", ""]}, "documents"),
    "a document without a text": ({"query": "a", "documents": [{"title": "b"}]}, "documents[0]"),
    "a number": ({"query": "a", "documents": [3]}, "documents[0]"),
    "two lists of them": ({"query": "a", "documents": ["a"], "texts": ["a"]}, "texts"),
    "half a document": ({"query": "a", "documents": ["a"], "top_n": 0.5}, "top_n"),
    "none wanted": ({"query": "a", "documents": ["a"], "top_n": 0}, "top_n"),
    "too many": ({"query": "a", "documents": ["a"] * 1025}, "documents"),
}


@pytest.mark.parametrize(("body", "param"), WRONG_RERANKS.values(), ids=WRONG_RERANKS)
def test_what_cannot_be_reranked_is_refused_by_the_name_of_its_field(server, body, param):
    assert refusal(server.post("/v2/rerank", body))["param"] == param


# -- TEI


def test_tei_embeds_with_the_first_model(server):
    first = server.service.models["all-MiniLM-L6-v2"]
    for inputs in ("hello", ["hello", "good morning"]):
        found = answer(server.post("/embed", {"inputs": inputs}))
        np.testing.assert_allclose(found, first.encode(inputs).data, atol=1e-6)


def test_tei_gives_vectors_of_their_own_length_if_they_shall_not_be_normalized(server):
    first = server.service.models["all-MiniLM-L6-v2"]
    found = answer(server.post("/embed", {"inputs": "hello", "normalize": False}))
    np.testing.assert_allclose(found, first.encode("hello", normalize=False).data, atol=1e-5)
    assert np.linalg.norm(found) != pytest.approx(1, abs=1e-3)


def test_tei_refuses_to_cut_where_that_is_asked_for(server):
    asked = {"inputs": "word " * 300, "truncate": False}
    assert refusal(server.post("/embed", asked))["code"] == "context_length_exceeded"
    answer(server.post("/embed", asked | {"truncate": True}))


def test_tei_compares_one_sentence_with_others(server):
    sentences = ["Rain is falling.", "I like cheese."]
    asked = {"inputs": {"source_sentence": "It is raining.", "sentences": sentences}}
    found = answer(server.post("/similarity", asked))
    first = server.service.models["all-MiniLM-L6-v2"]
    expected = [ns.compare("It is raining.", each, encoder=first).score for each in sentences]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_tei_tells_what_it_runs(server):
    found = answer(server.get("/info"))
    assert found["model_id"] == "all-MiniLM-L6-v2"
    assert found["max_input_length"] == 256
    assert found["model_type"] == {"embedding": {"pooling": "mean"}}
    assert found["max_client_batch_size"] == 1024
