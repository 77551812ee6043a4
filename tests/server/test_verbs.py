"""The routes of the verbs: the library's own answers, and refusals that say what to do."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx2
import pytest

import nearsense as ns
from asked import TICKETS, asked
from nearsense.encoders.languages import LanguageCheck
from nearsense.render.results import hits_page
from nearsense.server.errors import Refused
from nearsense.server.work import Work, collected_warnings, progress
from samples import tiny_bert


@pytest.fixture(scope="module")
def server(asked_server):
    return asked_server


@pytest.fixture
def support(server):
    return server.service.collection("support")


def answer(server, path, request):
    response = server.post(f"/v1/{path}", request)
    assert response.status_code == 200, response.text
    told = response.json()
    assert told.pop("warnings") == []
    return told


def refusal(response, status):
    assert response.status_code == status, response.text
    return response.json()["error"]


def near(found, expected):
    """Equal but for the last digits of numbers: texts that are encoded beside others differ in these."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(near(found[name], expected[name]) for name in expected)
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(near, found, expected))
    return found == pytest.approx(expected, abs=2e-3) if isinstance(expected, float) else found == expected


def test_compare_answers_as_the_library_does(server):
    found = answer(server, "compare", {"a": "It rains.", "b": "Rain is falling.", "prior": 0.3})
    assert near(found, ns.compare("It rains.", "Rain is falling.", prior=0.3).to_dict())


def test_pairs_are_compared_together(server):
    pairs = [["It rains.", "Rain is falling."], ["a cat", "a tax"]]
    found = answer(server, "compare_pairs", {"pairs": pairs})
    assert near(found["comparisons"], ns.compare_pairs([tuple(pair) for pair in pairs]).to_dicts())


def test_the_words_that_carry_a_score_are_told(server):
    found = answer(server, "explain", {"a": "The parcel is late.", "b": "My package has not come."})
    assert [word["text"] for word in found["words_a"]] == ["The", "parcel", "is", "late", "."]
    assert found["score"] == pytest.approx(
        ns.compare("The parcel is late.", "My package has not come.").score, abs=2e-3
    )


def test_texts_are_ranked_by_how_near_they_are(server):
    candidates = ["We ship within two days.", "Reset your password here."]
    found = answer(server, "rank", {"reference": "I forgot my login", "candidates": candidates, "k": 1})
    assert [hit["text"] for hit in found["hits"]] == ["Reset your password here."]
    expected = ns.rank("I forgot my login", candidates, 1)
    assert near(found, hits_page([expected], asked="reference").document)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_collection_is_searched_as_the_library_searches_it(server, support, mode):
    request = {"query": "my dashboard freezes", "k": 3, "where": {"year": {">=": 2024}}, "mode": mode}
    found = answer(server, "search", request | {"collection": "support"})
    expected = support.search("my dashboard freezes", 3, where={"year": {">=": 2024}}, mode=mode)
    assert near(found, hits_page([expected]).document)
    assert found["hits"][0]["id"] == "1"


def test_without_a_name_the_first_collection_is_searched(server):
    assert answer(server, "search", {"query": "money back", "k": 1})["hits"][0]["id"] == "3"


def test_several_queries_are_searched_together(server, support):
    queries = ["my dashboard freezes", "money back"]
    found = answer(server, "search_many", {"queries": queries, "k": 2})
    expected = [hits_page([each]).document for each in support.search_many(queries, 2)]
    assert near(found["results"], expected)


def test_passages_say_where_they_stand(server):
    found = answer(server, "search", {"query": "roses", "collection": "notes", "k": 1})
    assert found["hits"][0]["place"].startswith("plants.md:")


def test_what_is_like_a_document_is_found_by_its_id(server, support):
    found = answer(server, "similar", {"id": "1", "k": 2})
    assert near(found, {"id": "1", **hits_page([support.similar("1", 2)], asked="text").document})


def test_a_document_that_is_not_there_is_not_found(server):
    assert refusal(server.post("/v1/similar", {"id": "nobody"}), 404)["code"] == "document_not_found"


def test_context_is_a_text_with_its_sources(server):
    notes = server.service.collection("notes")
    found = answer(server, "context", {"query": "When do flowers get water?", "collection": "notes", "tokens": 60})
    assert near(found, ns.context("When do flowers get water?", notes, 60).to_dict())
    assert "Water them on Mondays." in found["text"]


@pytest.mark.parametrize(
    ("question", "outcome"),
    [("How long does shipping take?", "answer"), ("What is the capital of France?", "none")],
)
def test_a_faq_answers_or_says_that_it_does_not(server, question, outcome):
    found = answer(server, "faq", {"question": question, "faq": "shop"})
    assert found["outcome"] == outcome
    assert near(found, server.service.faq("shop").answer(question).to_dict())


def test_duplicates_of_texts_come_with_their_pairs(server):
    texts = ["How do I reset my password?", "how do I reset my password", "Where is my parcel?"]
    found = answer(server, "duplicates", {"texts": texts, "pairs": 1})
    pairs = found.pop("pair_list")
    assert near(found, ns.duplicates(texts).to_dict())
    assert [(pair["left"], pair["right"], pair["tier"]) for pair in pairs] == [("0", "1", "normalized")]


def test_duplicates_of_a_collection_need_no_texts(server):
    found = answer(server, "duplicates", {"collection": "support", "min_probability": 0.3})
    found.pop("pair_list")
    assert near(found, ns.duplicates(TICKETS, min_probability=0.3).to_dict())


def test_texts_are_clustered(server):
    texts = ["Where is my parcel?", "My parcel has not come.", "Which exchange rate do you use?"]
    found = answer(server, "cluster", {"texts": texts, "k": 2})
    assert near(found, ns.cluster(texts, 2).to_dict())


def test_a_collection_is_clustered(server):
    found = answer(server, "cluster", {"collection": "support", "k": 2})
    assert found["texts"] == len(TICKETS)
    assert sorted(member for each in found["clusters"] for member in each["members"]) == ["1", "2", "3", "4", "5"]


def test_more_clusters_than_texts_are_as_many_as_there_are_texts(server):
    assert len(answer(server, "cluster", {"texts": ["a cat", "a tax"], "k": 9})["clusters"]) == 2


def test_what_was_cut_is_told_in_the_answer_that_it_concerns(server):
    with collected_warnings():  # which a server has from its start to its end
        told = server.post("/v1/compare", {"a": "word " * 400, "b": "word"}).json()
        assert [line for line in told["warnings"] if "256 tokens" in line]
        assert server.post("/v1/compare", {"a": "word", "b": "word"}).json()["warnings"] == []


# -- what is refused


@pytest.mark.parametrize("name", ["tickets", "Support"])
def test_a_collection_that_was_not_named_is_not_there(server, name):
    error = refusal(server.post("/v1/search", {"query": "x", "collection": name}), 404)
    assert error["code"] == "collection_not_found"
    assert error["why"] == "this server has: support, notes"


@pytest.mark.parametrize("name", ["../support", "/etc", "support.nearsense", "", "a/b", "s\0", "x" * 101])
def test_no_name_is_a_path(server, name):
    error = refusal(server.post("/v1/search", {"query": "x", "collection": name}), 422)
    assert error["message"] == "collection is not what it has to be"


@pytest.mark.parametrize("path", ["../support", "..%2Fsupport", "%2e%2e", "support%00"])
def test_no_path_leads_out_of_the_collections(server, path):
    assert server.get(f"/v1/collections/{path}").status_code in (404, 422)


def test_a_model_that_was_not_named_is_never_fetched(server):
    request = {"a": "x", "b": "y", "model": "sentence-transformers/all-mpnet-base-v2"}
    assert refusal(server.post("/v1/compare", request), 404)["code"] == "model_not_found"
    request = {"query": "x", "rerank": "ms-marco-MiniLM-L6-v2"}
    assert refusal(server.post("/v1/search", request), 404)["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("path", "request_", "field"),
    [
        ("compare", {"a": "x"}, "b"),
        ("compare", {"a": "x", "b": 1}, "b"),
        ("compare", {"a": "x", "b": "y", "c": "z"}, "c"),
        ("compare", {"a": "x", "b": "  "}, "b"),
        ("compare", {"a": "x", "b": "y", "prior": 1}, "prior"),
        ("search", {"query": "x", "k": 0}, "k"),
        ("search", {"query": "x", "k": "5"}, "k"),
        ("search", {"query": "x", "mode": "magic"}, "mode"),
        ("rank", {"reference": "x", "candidates": ["y"] * 1025}, "candidates"),
    ],
)
def test_a_field_that_is_not_what_it_has_to_be_is_named(server, path, request_, field):
    error = refusal(server.post(f"/v1/{path}", request_), 422)
    assert error["message"].split(" ")[0] == field
    assert error["fix"] == "see /docs"


def test_a_filter_that_cannot_be_read_says_so(server):
    error = refusal(server.post("/v1/search", {"query": "x", "where": {"year": {"gte": 2020}}}), 422)
    assert error["fix"] == 'did you mean ">="?'


def test_what_is_no_json_is_told_from_what_is_not_declared_as_json(server):
    json = {"Content-Type": "application/json"}
    assert refusal(server("POST", "/v1/compare", content=b"{", headers=json), 400)["code"] == "no_json"
    assert refusal(server("POST", "/v1/compare", content=b"[1]", headers=json), 422)["code"] == "invalid_input"
    plain = {"Content-Type": "text/plain"}
    error = refusal(server("POST", "/v1/compare", content=b'{"a": "x", "b": "y"}', headers=plain), 415)
    assert error["fix"] == "send the header Content-Type: application/json"


def test_an_unknown_path_and_a_wrong_method_answer_in_the_same_form(server):
    assert refusal(server.get("/v1/nothing"), 404)["code"] == "not_found"
    response = server.get("/v1/compare")
    assert refusal(response, 405)["code"] == "method_not_allowed"
    assert response.headers["allow"] == "POST"


def test_a_fault_tells_nothing_of_what_was_asked(server, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("secret text")

    monkeypatch.setattr(ns.Collection, "search_many", broken)
    error = refusal(server.post("/v1/search", {"query": "secret"}), 500)
    assert "secret" not in str(error)
    assert "secret" not in caplog.text
    assert "RuntimeError" in caplog.text


# -- time and room


def slow_search(monkeypatch, begun, ended):
    """Searches that go on until they are told to end, or nobody waits any more."""

    def search(*_, **__):
        begun.release()
        while not ended.is_set():
            time.sleep(0.005)
            progress()
        return []

    monkeypatch.setattr(ns.Collection, "search_many", search)


def test_beyond_the_room_requests_are_refused_at_once(tmp_path, encoder, monkeypatch):
    with asked(tmp_path, threads=1, waiting=1) as server:
        begun, ended = threading.Semaphore(0), threading.Event()
        slow_search(monkeypatch, begun, ended)

        async def all_of():
            transport = httpx2.ASGITransport(app=server.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

                async def one():
                    return await client.post("/v1/search_many", json={"queries": ["x"]})

                first = [asyncio.ensure_future(one()) for _ in range(2)]
                await asyncio.to_thread(begun.acquire)
                since = time.monotonic()
                refused = await one()
                took = time.monotonic() - since
                ended.set()
                return refused, took, [(await each).status_code for each in first]

        refused, took, accepted = asyncio.run(all_of())
    assert refusal(refused, 429)["code"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert took < 1, "nobody waits to hear that there is no room"
    assert accepted == [200, 200]


def test_what_is_not_done_by_its_deadline_is_given_up(tmp_path, encoder, monkeypatch):
    with asked(tmp_path, deadline=0.2, threads=1) as server:
        slow_search(monkeypatch, threading.Semaphore(0), threading.Event())
        error = refusal(server.post("/v1/search_many", {"queries": ["x"]}), 503)
        assert error["code"] == "deadline"
        until = time.monotonic() + 10
        while server.service.pool.busy and time.monotonic() < until:
            time.sleep(0.01)
        assert server.service.pool.busy == 0, "the thread is free again"


def test_a_verb_ends_when_its_client_has_gone(tmp_path, encoder, monkeypatch):
    with asked(tmp_path, threads=1) as server:
        begun = threading.Semaphore(0)
        slow_search(monkeypatch, begun, threading.Event())

        async def leave():
            there = asyncio.Event()
            given = [{"type": "http.request", "body": b'{"queries": ["x"]}'}]

            async def receive():
                if given:
                    return given.pop()
                await there.wait()
                return {"type": "http.disconnect"}

            async def send(_):
                pass

            scope = {
                "type": "http", "method": "POST", "path": "/v1/search_many", "raw_path": b"/v1/search_many",
                "query_string": b"", "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 8765), "root_path": "", "asgi": {"version": "3.0"},
                "headers": [
                    (b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"18"),
                ],
            }  # fmt: skip
            task = asyncio.ensure_future(server.app(scope, receive, send))
            await asyncio.to_thread(begun.acquire)
            there.set()
            await asyncio.wait([task], timeout=10)
            return task.done()

        assert asyncio.run(leave())
        until = time.monotonic() + 10
        while server.service.pool.busy and time.monotonic() < until:
            time.sleep(0.01)
        assert server.service.pool.busy == 0


def test_work_that_nobody_waits_for_ends_itself():
    work = Work(60)
    assert 59 < work.remaining() <= 60
    work.leave()
    with pytest.raises(Refused, match="the client has gone"):
        work.remaining()


def test_a_collection_that_went_over_to_another_model_is_opened_anew(tmp_path, encoder):
    other = str(tiny_bert(tmp_path / "other"))
    with asked(tmp_path) as server:
        with ns.open(tmp_path / "support.nearsense") as beside:
            beside.reembed(other)
            [expected] = beside.search("money back", 1)
        found = answer(server, "search", {"query": "money back", "k": 1})
        assert found["hits"][0]["id"] == expected.id
        assert server.service.collection("support").info().dimension == 32


def posted_at_once(server, bodies):
    async def all_of():
        transport = httpx2.ASGITransport(app=server.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await asyncio.gather(*(client.post("/v1/search", json=body) for body in bodies))

    return asyncio.run(all_of())


@pytest.fixture(scope="module")
def roomy(tmp_path_factory, encoder):
    """Where many may wait."""
    with asked(tmp_path_factory.mktemp("roomy"), waiting=64) as running:
        yield running


QUERIES = ["where is my parcel", "refund", "my screen freezes", "w" * 300, "42 parcels", "Wo ist mein Paket?"]


def test_searches_that_come_together_are_answered_as_alone(roomy):
    bodies = [{"query": f"{query} {n}", "k": 3} for query in QUERIES for n in range(4)]
    together = [each.json() for each in posted_at_once(roomy, bodies)]
    assert near(together, [roomy.post("/v1/search", body).json() for body in bodies])


def test_an_error_of_one_search_is_not_told_to_those_that_came_together_with_it(roomy):
    bodies = [{"query": f"parcel {n}"} | ({"where": {"nowhere": n}} if n % 3 == 0 else {}) for n in range(24)]
    found = [each.status_code for each in posted_at_once(roomy, bodies)]
    assert found == [404 if n % 3 == 0 else 200 for n in range(24)]


def test_what_is_noticed_of_one_search_is_not_told_to_those_that_came_together_with_it(tmp_path, encoder):
    bodies = [{"query": "word " * 400 if n % 4 == 0 else f"my parcel {n}"} for n in range(16)]
    with asked(tmp_path, waiting=64) as server:
        found = [each.json()["warnings"] for each in posted_at_once(server, bodies)]
    assert [any("exceed" in each for each in warnings) for warnings in found] == [n % 4 == 0 for n in range(16)]


def test_the_language_of_searches_that_come_together_is_told_to_one_of_them(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(LanguageCheck, "_warned", set())
    bodies = [
        {"query": f"Wann kommt endlich mein Paket mit der Nummer {n} bei mir zu Hause an?"} for n in range(24)
    ]
    with asked(tmp_path, waiting=64) as server:
        found = [each.json()["warnings"] for each in posted_at_once(server, bodies)]
    assert sum("German" in warning for warnings in found for warning in warnings) == 1
