"""Clients of others, as they are installed, against a running server: nothing in them knows nearsense.

Each gets the library's own vectors and scores, or a refusal that says what to do. None of them calls anybody else.
"""

from __future__ import annotations

import asyncio
import doctest
import gc
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported

MINI = "all-MiniLM-L6-v2"
TEXTS = ["I forgot my login.", "Reset your password here.", "Die Lieferung kam zu spät.", "😀 smile", "a" * 300]
DOCUMENTS = ["We ship within two days.", "reset your password", "a password"]

CALLED: list[str] = []


@pytest.fixture(scope="module")
def server(spoken_server):
    return spoken_server


@pytest.fixture(scope="module", autouse=True)
def _watched():
    """Every call to another machine, or look-up of one, is noted: by clients as well as by the server."""
    on = True

    def note(event, told):
        if on and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
            named = str(told[0] if event == "socket.getaddrinfo" else told[-1])
            if "127.0.0.1" not in named and "localhost" not in named and "::1" not in named:
                CALLED.append(f"{event} {named}")

    sys.addaudithook(note)
    sys.audit("socket.getaddrinfo", "elsewhere.example", 443, 0, 0, 0)
    assert CALLED == ["socket.getaddrinfo elsewhere.example"], "it would be noted"
    CALLED.clear()
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # some of these clients leave connections open
        gc.collect()
    on = False
    assert CALLED == []


@pytest.fixture(scope="module")
def expected(server):
    """What the library gives, by model."""
    return {name: encoder.encode(TEXTS, long="head").data for name, encoder in server.service.models.items()}


def near(found, vectors):
    found = np.array(found, np.float64)
    assert found.shape == vectors.shape
    np.testing.assert_allclose(found, vectors, atol=1e-6)


# -- openai


@pytest.fixture(scope="module")
def openai(server):
    pytest.importorskip("openai")
    from openai import OpenAI

    with OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0) as client:
        yield client


def test_openai_as_it_comes_gets_the_librarys_vectors(openai, expected):
    """By default it asks for base64, and turns that into numbers itself."""
    answer = openai.embeddings.create(model=MINI, input=TEXTS)
    near([each.embedding for each in answer.data], expected[MINI])
    assert [each.index for each in answer.data] == list(range(len(TEXTS)))
    assert answer.model == MINI


def test_openai_with_floats_gets_the_same(openai, expected):
    answer = openai.embeddings.create(model=MINI, input=TEXTS, encoding_format="float")
    near([each.embedding for each in answer.data], expected[MINI])


def test_openai_with_one_text_gets_one_vector(openai, expected):
    answer = openai.embeddings.create(model=MINI, input=TEXTS[0])
    near([answer.data[0].embedding], expected[MINI][:1])


def test_openai_is_told_the_true_number_of_tokens(openai, server):
    usage = openai.embeddings.create(model="tiny", input=["w1 w2 w3", "w1"]).usage
    assert usage.prompt_tokens == usage.total_tokens == 5 + 3
    encoder = server.service.models[MINI]
    usage = openai.embeddings.create(model=MINI, input=TEXTS).usage
    assert usage.prompt_tokens == encoder.count_tokens(TEXTS).sum()


def test_openai_gets_fewer_dimensions_of_a_model_that_was_trained_for_them(openai, server):
    answer = openai.embeddings.create(model="nested", input=TEXTS, dimensions=32)
    near(
        [each.embedding for each in answer.data],
        server.service.models["nested"].with_dimensions(32).encode(TEXTS, long="head").data,
    )


def test_openai_is_refused_fewer_dimensions_of_another(openai):
    from openai import BadRequestError

    with pytest.raises(BadRequestError, match="has vectors of 384 numbers, not of 100") as refused:
        openai.embeddings.create(model=MINI, input="a", dimensions=100)
    assert refused.value.param == "dimensions"


def test_openai_can_say_what_a_text_is(openai, server):
    texts, model = ["w1 w2", "w3"], server.service.models["prompted"]
    for said, role in (("search_query", "query"), ("document", "passage"), ("clustering", None)):
        answer = openai.embeddings.create(model="prompted", input=texts, extra_body={"input_type": said})
        near([each.embedding for each in answer.data], model.encode(texts, role=role).data)


def test_openai_asked_without_waiting_gets_each_request_its_own_vectors(server, expected):
    from openai import AsyncOpenAI

    async def ask():
        async with AsyncOpenAI(api_key="none", base_url=f"{server.url}/v1") as client:
            asked = (client.embeddings.create(model=MINI, input=text) for text in TEXTS * 4)
            return await asyncio.gather(*asked)

    near([answer.data[0].embedding for answer in asyncio.run(ask())], np.tile(expected[MINI], (4, 1)))


def test_openai_lists_the_models(openai):
    assert [model.id for model in openai.models.list()] == [MINI, "tiny", "nested", "prompted"]
    assert openai.models.retrieve("tiny").owned_by == "nearsense"


def test_openai_raises_its_own_errors(openai):
    from openai import BadRequestError, NotFoundError

    with pytest.raises(
        NotFoundError, match="this server has: all-MiniLM-L6-v2, tiny, nested, prompted"
    ) as missing:
        openai.embeddings.create(model="text-embedding-3-small", input="a")
    assert missing.value.code == "model_not_found"
    with pytest.raises(BadRequestError, match="input 1 is empty") as empty:
        openai.embeddings.create(model="tiny", input=["a", ""])
    assert empty.value.param == "input"
    with pytest.raises(BadRequestError, match="has 50 tokens") as long:
        openai.embeddings.create(model="tiny", input="w1 " * 48, extra_body={"truncate": False})
    assert long.value.code == "context_length_exceeded"


def test_openai_sees_which_texts_were_cut(openai):
    answer = openai.embeddings.create(model="tiny", input=["w1", "w2 " * 60, "w3"])
    assert answer.to_dict()["truncated"] == [1]
    assert "truncated" not in openai.embeddings.create(model="tiny", input=["w1"]).to_dict()


# -- cohere


def ranked(server, query=DOCUMENTS[1]):
    """What the library's verb says, by a cross-encoder whose scores lie between 0 and 1, or are taken for any."""
    return ns.rerank(query, DOCUMENTS, encoder=server.service.crosses["words"])


def test_cohere_reranks_by_the_cross_encoder(server):
    cohere = pytest.importorskip("cohere")
    with cohere.Client("none", base_url=server.url) as client:
        answer = client.rerank(query=DOCUMENTS[1], documents=DOCUMENTS, model="words", top_n=2)
    hits = ranked(server)[:2]
    assert [result.index for result in answer.results] == [int(hit.id) for hit in hits] == [1, 2]
    scores = [1 / (1 + np.exp(-hit.score)) for hit in hits]
    np.testing.assert_allclose([result.relevance_score for result in answer.results], scores, atol=1e-6)
    assert answer.results[0].document.text == DOCUMENTS[1]


def test_cohere_in_its_second_version_reranks_too(server):
    cohere = pytest.importorskip("cohere")
    with cohere.ClientV2("none", base_url=server.url) as client:
        answer = client.rerank(query=DOCUMENTS[1], documents=DOCUMENTS, model="words")
    assert [result.index for result in answer.results] == [int(hit.id) for hit in ranked(server)]
    assert all(0 <= result.relevance_score <= 1 for result in answer.results)


@pytest.mark.slow
def test_cohere_gets_a_transformers_own_order_and_scores(server, tmp_path):
    """A cross-encoder as it is published, weights and all, though small ones."""
    cohere = pytest.importorskip("cohere")
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    judge = ns.encoders.load_cross(str(hubs.transformer(tmp_path / "judge", "bert", head=True)), precision="f32")
    documents = ["the cat sat", "a dog runs home", "the dog", "rain", "cats and dogs", "the cat sat on the mat"]
    hits = ns.rerank("the cat", documents, cross=judge)
    assert len({round(hit.score, 4) for hit in hits}) == len(hits), "the order is no accident"
    server.service.crosses["judge"] = judge
    try:
        with cohere.ClientV2("none", base_url=server.url) as client:
            answer = client.rerank(query="the cat", documents=documents, model="judge")
    finally:
        del server.service.crosses["judge"]
    assert [result.index for result in answer.results] == [int(hit.id) for hit in hits]
    scores = [hit.score for hit in hits]
    np.testing.assert_allclose([result.relevance_score for result in answer.results], scores, atol=1e-6)


def test_cohere_may_name_a_model_of_vectors(server):
    cohere = pytest.importorskip("cohere")
    with cohere.ClientV2("none", base_url=server.url) as client:
        answer = client.rerank(query="I forgot my login", documents=DOCUMENTS, model=MINI)
    hits = ns.search("I forgot my login", DOCUMENTS, encoder=server.service.models[MINI])
    assert [result.index for result in answer.results] == [int(hit.id) for hit in hits]
    found = [result.relevance_score for result in answer.results]
    np.testing.assert_allclose(found, [max(0.0, hit.score) for hit in hits], atol=1e-6)


def test_cohere_raises_its_own_error(server):
    cohere = pytest.importorskip("cohere")
    with cohere.ClientV2("none", base_url=server.url) as client, pytest.raises(cohere.NotFoundError) as missing:
        client.rerank(query="a", documents=["b"], model="rerank-v3.5")
    assert "there is no model 'rerank-v3.5'" in missing.value.body["error"]["message"]


# -- langchain


@pytest.fixture(scope="module")
def langchain():
    return pytest.importorskip("langchain_openai")


def test_langchain_is_told_which_switch_it_needs(server, langchain, monkeypatch):
    """As it comes it sends token ids; its own tokenizer would be fetched, so here is one of single bytes."""
    import openai
    import tiktoken

    ranks = {bytes([value]): value for value in range(256)}
    local = tiktoken.Encoding("bytes", pat_str=r"(?s:.)", mergeable_ranks=ranks, special_tokens={})
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: local)
    embeddings = langchain.OpenAIEmbeddings(model="tiny", base_url=f"{server.url}/v1", api_key="none")
    with pytest.raises(openai.BadRequestError, match=r"check_embedding_ctx_length=False") as refused:
        embeddings.embed_query("hello")
    assert refused.value.code == "token_ids"


def test_langchain_with_that_switch_gets_the_librarys_vectors(server, langchain, expected):
    embeddings = langchain.OpenAIEmbeddings(
        model=MINI, base_url=f"{server.url}/v1", api_key="none", check_embedding_ctx_length=False
    )
    near(embeddings.embed_documents(TEXTS), expected[MINI])

    async def ask():
        async with embeddings.async_client._client:  # else it is left to whoever collects garbage
            return await embeddings.aembed_query(TEXTS[0])

    near([asyncio.run(ask())], expected[MINI][:1])


# -- haystack


@pytest.mark.slow
def test_haystack_embeds_documents_and_queries(server, expected):
    pytest.importorskip("haystack")
    from haystack import Document
    from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
    from haystack.utils import Secret

    how = {"api_key": Secret.from_token("none"), "api_base_url": f"{server.url}/v1", "model": MINI}
    found = OpenAIDocumentEmbedder(**how, progress_bar=False).run([Document(content=text) for text in TEXTS])
    near([document.embedding for document in found["documents"]], expected[MINI])
    query = OpenAITextEmbedder(**how).run(TEXTS[0])
    near([query["embedding"]], expected[MINI][:1])
    assert query["meta"]["usage"]["prompt_tokens"] == server.service.models[MINI].count_tokens(TEXTS[0])[0]


# -- nearsense


def test_nearsense_itself_is_such_a_client(server, expected, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "no-secret-at-all")
    remote = ns.load(f"openai:{MINI}")
    near(remote.encode(TEXTS).data, expected[MINI])
    near(remote.encode(TEXTS * 300).data, np.tile(expected[MINI], (300, 1)))  # several requests


@pytest.mark.slow
def test_the_page_on_clients_prints_what_it_says(server):
    """Its examples, against this server."""
    for client in ("openai", "cohere", "langchain_openai", "haystack"):
        pytest.importorskip(client)
    page = (Path(__file__).parents[2] / "docs/server-clients.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.S)).replace("http://127.0.0.1:8765", server.url)
    assert code.count("import") >= 5
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTestParser().get_doctest(code, {}, "server-clients.md", None, 0))
    assert runner.summarize(verbose=False).failed == 0
