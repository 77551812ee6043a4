"""A remote model is an encoder like any other, on a network that is not: against a real server on 127.0.0.1."""

from __future__ import annotations

import contextlib
import copy
import email.utils
import io
import json
import logging
import pickle
import threading
import time
import traceback
from functools import partial

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from loopback_embeddings import EmbeddingsServer, dead, edited, raw, refused, silent, slow
from nearsense.encoders.cache import CachedEncoder
from nearsense.encoders.remote import load_remote
from nearsense.encoders.server import Limits, Transport, Usage
from nearsense.errors import InputError, ModelError, ModelNotFound, TextTooLong
from nearsense.store.embeddings import EmbeddingCache
from turns import in_turn

KEY = "sk-verysecretkey0123456789"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def made(server, clock=None, **options):
    options.setdefault("dimensions", 16)
    if clock:
        options["transport"] = partial(Transport, clock=clock, sleep=clock.sleep, chance=lambda: 0.0)
    return load_remote("openai:hash", base_url=server.url, **options)


def words(count):
    return [f"word{number} of {number % 7}" for number in range(count)]


def failure(encoder, texts=("one", "two"), kind=ModelError):
    with pytest.raises(kind) as caught:
        encoder.encode(list(texts))
    return caught.value


# What comes back


def test_the_vectors_are_those_that_the_server_has():
    texts = [*words(40), "word3 of 3", "ünïcode \N{SNOWMAN} 雪"]
    with EmbeddingsServer() as server:
        found = made(server).encode(texts)
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(texts).data, atol=1e-6)
    assert not found.truncated.any()


def test_verbs_give_what_they_give_with_the_same_model_at_home():
    corpus = words(30)
    with EmbeddingsServer() as server:
        remote, local = made(server), HashEncoder(16)
        assert ns.compare("a b", "b c", encoder=remote).score == pytest.approx(
            ns.compare("a b", "b c", encoder=local).score, abs=1e-6
        )
        found, expected = (ns.search("word3 of 5", corpus, k=5, encoder=each) for each in (remote, local))
    assert [hit.id for hit in found] == [hit.id for hit in expected]
    np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], atol=1e-6)


def test_texts_go_in_batches_and_come_back_in_order():
    texts = words(103)
    with EmbeddingsServer(script=[slow(0.1), slow(0.05)]) as server:
        found = made(server, limits=Limits(texts=10)).encode(texts)
        assert sorted(len(question["input"]) for question in server.questions) == [3, *[10] * 10]
        assert sorted(server.texts) == sorted(texts)
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(texts).data, atol=1e-6)


def test_a_request_keeps_to_the_tokens_it_may_have():
    texts = ["x" * 300 + str(number) for number in range(10)]  # about 100 tokens by the estimate
    with EmbeddingsServer() as server:
        made(server, limits=Limits(tokens=350)).encode(texts)
        assert max(len(question["input"]) for question in server.questions) == 3
        assert len(made(server, limits=Limits(tokens=1)).encode(texts)) == 10


def test_equal_texts_are_sent_once():
    with EmbeddingsServer() as server:
        found = made(server).encode(["b", "a", "b", "b"])
        assert server.texts == ["b", "a"]
    assert (found.data[0] == found.data[2]).all()


def test_no_texts_ask_nothing():
    with EmbeddingsServer() as server:
        assert made(server).encode([]).data.shape == (0, 16)
        assert server.questions == []


def test_several_requests_are_on_their_way_at_the_same_time():
    together = threading.Barrier(4)

    def meet(handler, question):
        together.wait(10)

    with EmbeddingsServer(always=meet) as server:
        made(server, limits=Limits(texts=5)).encode(words(40))
        assert server.most_under_way == 4


def test_one_encoder_serves_several_threads():
    with EmbeddingsServer() as server:
        encoder, found = made(server, limits=Limits(texts=3)), {}

        def work(number):
            found[number] = encoder.encode(words(20)[number:]).data

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert encoder.usage.texts == sum(20 - number for number in range(6))
    truth = HashEncoder(16).encode(words(20)).data
    for number in range(6):
        np.testing.assert_allclose(found[number], truth[number:], atol=1e-6)


def test_progress_counts_the_texts():
    seen = []
    with EmbeddingsServer() as server:
        made(server, limits=Limits(texts=4, flights=1)).encode(
            words(10), progress=lambda done, total: seen.append((done, total))
        )
    assert seen == [(4, 10), (8, 10), (10, 10)]


def test_unit_length_is_given_or_left():
    with EmbeddingsServer() as server:
        double = edited(server, lambda answer: [item.update(embedding=[2.0] * 16) for item in answer["data"]])
        zero = edited(server, lambda answer: [item.update(embedding=[0.0] * 16) for item in answer["data"]])
        server.script = [double, double, zero]
        encoder = made(server)
        assert np.linalg.norm(encoder.encode("a").data) == pytest.approx(1)
        plain = encoder.encode("a", normalize=False)
        assert plain.data.max() == 2
        assert plain.fingerprint != encoder.fingerprint
        assert not encoder.encode("a").data.any()


def test_numbers_come_as_base64_or_as_a_list():
    with EmbeddingsServer() as server:
        encoder = made(server)
        assert server.questions == []
        first = encoder.encode(words(5)).data
        assert server.questions[0]["encoding_format"] == "base64"
        server.script = [refused(400, "encoding_format 'base64' is not supported")]
        second = encoder.encode(words(5)).data
        assert server.questions[-1]["encoding_format"] == "float"
    np.testing.assert_allclose(first, second, atol=1e-7)


def test_shuffled_answers_are_put_in_order():
    texts = words(9)
    with EmbeddingsServer() as server:
        server.script = [edited(server, lambda answer: answer["data"].reverse())]
        found = made(server).encode(texts)
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(texts).data, atol=1e-6)


# The length of a vector


def test_a_dimension_that_nobody_knows_is_learnt_with_one_word():
    with EmbeddingsServer(dimension=24) as server:
        encoder = made(server, dimensions=None)
        assert encoder.dimension == 24
        assert server.texts == ["word"]
        assert "dimensions" not in server.questions[0]


def test_a_shorter_vector_is_asked_for():
    with EmbeddingsServer() as server:
        assert made(server, dimensions=8).encode("a").dimension == 8
        assert server.questions[0]["dimensions"] == 8


# Answers that are none

WRONG = {
    "dimension": (lambda a: [i.update(embedding=[1.0] * 5) for i in a["data"]], "5 numbers for text 0"),
    "count": (lambda a: a["data"].pop(), "1 vectors for 2 texts"),
    "no index": (lambda a: a["data"][1].pop("index"), "number its 2 vectors"),
    "index twice": (lambda a: a["data"][1].update(index=0), "number its 2 vectors"),
    "index beyond": (lambda a: a["data"][1].update(index=2), "number its 2 vectors"),
    "index true": (lambda a: a["data"][1].update(index=True), "number its 2 vectors"),
    "nan": (lambda a: a["data"][1].update(embedding=[float("nan")] * 16), "no finite vector for text 1"),
    "beyond float32": (lambda a: a["data"][1].update(embedding=[1e300] * 16), "no finite vector for text 1"),
    "strings": (lambda a: a["data"][1].update(embedding=["1.0"] * 16), "no vector for text 1"),
    "no base64": (lambda a: a["data"][1].update(embedding="!!!"), "no vector for text 1"),
    "odd base64": (lambda a: a["data"][1].update(embedding="AAA="), "no vector for text 1"),
    "ragged": (lambda a: a["data"][1].update(embedding=[[1], [2, 3]]), "no vector for text 1"),
    "nothing": (lambda a: a["data"][1].update(embedding=None), "no vector for text 1"),
    "no data": (lambda a: a.pop("data"), "not with vectors"),
    "rows no objects": (lambda a: a.update(data=[1, 2]), "number its 2 vectors"),
}


@in_turn("wrong", WRONG)
def test_a_wrong_answer_is_one_clear_error(wrong):
    edit, said = WRONG[wrong]
    with EmbeddingsServer() as server:
        server.script = [edited(server, edit)]
        error = failure(made(server))
        assert said in error.what
        assert f"openai:hash at {server.host}" in error.what
        assert "0 of 2 texts were done" in error.what
        assert len(server.questions) == 1


@in_turn(
    ("body", "said"),
    [
        (b"{not json", "no JSON"),
        (b"<html><h1>Welcome</h1></html>", "begins with <html>"),
        (b"", "empty"),
        (b"[" * 100_000, "no JSON"),
        (b"\x1b[31mred", "begins with [31mred"),
        (b'{"error": {"message": "model is loading"}}', "model is loading"),
    ],
)
def test_what_is_no_json_is_shown_as_it_begins(body, said):
    with EmbeddingsServer(script=[raw(body)]) as server:
        error = failure(made(server))
    assert "answers, but not with vectors" in error.what
    assert said in error.why
    assert len(str(error)) < 1000
    assert "\x1b" not in str(error)


def test_an_answer_without_end_is_left():
    with EmbeddingsServer(script=[raw(b" " * 5_000_000)]) as server:
        assert "sends more than" in failure(made(server)).what


def test_a_redirect_is_not_followed(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with EmbeddingsServer() as other, EmbeddingsServer() as server:
        for status in (301, 302, 307, 308):
            server.script = [raw(b"", status, location=f"{other.url}/embeddings?token=x")]
            error = failure(made(server))
            assert f"{other.host}/v1/embeddings" in error.what
            assert "token" not in str(error)
        assert other.questions == []


# Patience


@in_turn("status", [500, 502, 503, 504])
def test_a_server_that_recovers_is_asked_again(status):
    clock = Clock()
    with EmbeddingsServer(script=[refused(status, "overloaded")] * 3) as server:
        found = made(server, clock).encode(words(4))
        assert len(server.questions) == 4
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(words(4)).data, atol=1e-6)
    assert clock.slept == [0.5, 1.0, 2.0]


def test_retry_after_is_kept_to():
    clock = Clock()
    with EmbeddingsServer(script=[refused(429, "slow down", retry_after="7")]) as server:
        made(server, clock).encode("a")
    assert clock.slept == [7.0]


def test_retry_after_may_be_a_date():
    clock, later = Clock(), email.utils.formatdate(time.time() + 40, usegmt=True)
    with EmbeddingsServer(script=[refused(503, "resting", retry_after=later)]) as server:
        made(server, clock).encode("a")
    assert len(clock.slept) == 1
    assert 37 <= clock.slept[0] <= 41


def test_a_server_that_says_at_once_is_not_stormed():
    clock = Clock()
    with EmbeddingsServer(script=[refused(429, "now", retry_after="0")] * 3) as server:
        made(server, clock).encode("a")
    assert clock.slept == [0.5] * 3


def test_a_wait_beyond_the_deadline_is_not_begun():
    clock = Clock()
    with EmbeddingsServer(script=[refused(429, "come tomorrow", retry_after="86400")]) as server:
        error = failure(made(server, clock))
        made(server, clock).encode("a")
    assert clock.slept == []
    assert "status 429, come tomorrow, and it asks to wait 86,400 s" in error.why


@in_turn(
    ("headers", "pause"),
    [
        ({"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "1m30ms"}, 60.0),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "1.5s"}, 1.5),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "12"}, 12.0),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "soon"}, 0),
        ({"x_ratelimit_remaining_tokens": "5", "x_ratelimit_reset_tokens": "12s"}, 0),
    ],
)
def test_no_request_is_sent_while_none_is_left(headers, pause):
    clock = Clock()
    with EmbeddingsServer() as server:
        body = json.dumps(server.vectors({"input": ["a"], "model": "hash"})).encode()
        server.script = [raw(body, **headers)]
        encoder = made(server, clock)
        encoder.encode("a")
        assert clock.slept == []
        encoder.encode("b")
    assert sum(clock.slept) == pytest.approx(pause)


def test_a_connection_that_dies_within_an_answer_loses_and_doubles_nothing():
    clock, texts = Clock(), words(30)
    with EmbeddingsServer(script=[None, dead, dead, None, dead]) as server:
        encoder = made(server, clock, limits=Limits(texts=7))
        found = encoder.encode(texts)
        assert len(server.questions) == 5 + 3
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(texts).data, atol=1e-6)
    assert encoder.usage.texts == 30


def test_a_server_that_never_answers_is_left_at_the_deadline():
    with EmbeddingsServer() as server:
        server.always = silent(server)
        encoder = made(server, limits=Limits(timeout=0.2, deadline=1.2))
        start = time.monotonic()
        error = failure(encoder)
        assert time.monotonic() - start < 5
    assert "no answer in 0.2 s" in error.why


def test_a_server_that_drips_is_left_at_the_deadline():
    def drip(handler, question):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                handler.wfile.write(b" ")
                time.sleep(0.05)
        handler.close_connection = True
        return True

    with EmbeddingsServer(always=drip) as server:
        error = failure(made(server, limits=Limits(timeout=0.3, deadline=0.6)))
    assert "deadline" in error.why


def test_giving_up_says_how_far_it_came_and_what_was_said_last():
    clock = Clock()
    with EmbeddingsServer(script=[None, None]) as server:
        server.always = lambda handler, question: (
            len(server.questions) > 2 and refused(503, "model is\nloading")(handler, question)
        )
        error = failure(made(server, clock, limits=Limits(texts=10, flights=1)), words(45))
    assert "20 of 45 texts were done" in error.what
    assert error.why == "the last: status 503, model is loading"
    assert 500 < clock.now <= 600


def test_nobody_at_the_address_is_found_out_soon():
    with EmbeddingsServer() as server:
        pass
    clock = Clock()
    error = failure(made(server, clock))
    assert clock.now < 10
    assert "no connection" in error.why
    assert "check the address" in error.fix


def test_an_error_does_not_wait_for_the_others_under_way():
    with EmbeddingsServer() as server:
        server.script = [slow(0.2), silent(server), silent(server)]
        server.always = refused(403, "no")
        encoder, start = made(server, limits=Limits(texts=1)), time.monotonic()
        assert "may not be used with this key" in failure(encoder, words(8)).what
        assert time.monotonic() - start < 5


# Refusals


@in_turn(
    ("status", "kind", "said"),
    [
        (400, ModelError, "refused (status 400)"),
        (401, ModelError, "the key in OPENAI_API_KEY was refused"),
        (403, ModelError, "may not be used with this key"),
        (404, ModelNotFound, "is not there"),
    ],
)
def test_what_is_refused_for_good_is_not_asked_again(monkeypatch, status, kind, said):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with EmbeddingsServer(always=refused(status, "no")) as server:
        error = failure(made(server), kind=kind)
        assert len(server.questions) == 1
    assert type(error) is kind
    assert said in error.what


def test_an_empty_account_is_not_asked_again():
    answer = refused(429, "You exceeded your current quota", code="insufficient_quota", retry_after="1")
    with EmbeddingsServer(always=answer) as server:
        assert "no credit" in failure(made(server)).what
        assert len(server.questions) == 1


def test_a_server_that_wants_a_key_says_so():
    with EmbeddingsServer(key=KEY) as server:
        error = failure(made(server))
    assert "asks for a key" in error.what
    assert "OPENAI_API_KEY is not set" in error.why


@in_turn("key", ["k", "no", "EMPTY", "none"])
def test_a_word_in_place_of_a_key_does_not_spoil_vectors(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with EmbeddingsServer(key=key) as server:
        vectors = made(server).encode(words(40))
    assert np.isfinite(vectors.data).all()


def test_a_server_elsewhere_is_not_asked_where_the_network_is_forbidden(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ModelNotFound, match="is not asked"):
        ns.load("openai:text-embedding-3-small", offline=True)


def test_a_server_on_this_machine_is_asked_all_the_same(monkeypatch):
    with EmbeddingsServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert ns.load("openai:local-one", offline=True).encode("hello").data.shape[0] == 1


def limited(most, worded):
    """A server that reads so many words of a text, and says in its own way when there are more."""

    def act(handler, question):
        for place, text in enumerate(question["input"]):
            if (tokens := len(text.split())) > most:
                return refused(400, worded(place, tokens, most))(handler, question)
        return False

    return act


WORDINGS = [
    lambda place, tokens, most: f"Invalid 'input[{place}]': maximum context length is {most} tokens.",
    lambda place, tokens, most: (
        f"This model's maximum context length is {most} tokens, however you requested {tokens} tokens"
    ),
    lambda place, tokens, most: f"`inputs` must have less than {most} tokens. Given: {tokens}",
]


@pytest.mark.parametrize("worded", WORDINGS)
def test_a_text_that_is_too_long_is_named(worded):
    texts = ["a b", "a b", "c " * 11, "dddddddddddddddd " * 2, "e"]
    with EmbeddingsServer(always=limited(8, worded)) as server:
        error = failure(made(server), texts, TextTooLong)
    assert error.what.startswith("text 2 ")
    assert "8 tokens at most" in error.why
    assert "split it" in error.fix


def test_a_text_that_is_too_long_is_named_before_a_cache_too(tmp_path, monkeypatch):
    monkeypatch.setattr("nearsense.encoders.cache.BLOCK", 10)
    with EmbeddingsServer(always=limited(8, WORDINGS[0])) as server:
        cached = CachedEncoder(made(server), EmbeddingCache(tmp_path / "e.db", 10**8))
        error = failure(cached, ["a", *words(24), "c " * 11, "e"], TextTooLong)
    assert error.what.startswith("text 25 ")


def test_a_size_that_is_called_the_servers_own_fault_is_not_asked_again():
    with EmbeddingsServer(always=refused(500, "input is too large to process")) as server:
        error = failure(made(server), ["long " * 50], TextTooLong)
        assert len(server.questions) == 1
    assert error.what.startswith("text 0 is too long")


def test_a_failure_that_took_too_long_is_not_the_texts_fault():
    with EmbeddingsServer(script=[refused(500, "The backend took too long to respond")]) as server:
        assert len(made(server, Clock()).encode("a")) == 1


def test_a_text_that_is_refused_for_another_reason_is_named():
    with EmbeddingsServer(always=refused(400, "Invalid 'input[1]': input cannot be an empty string.")) as server:
        error = failure(made(server), ["a", "a", ""], InputError)
    assert error.what.startswith("text 2 is refused")


def test_a_server_that_takes_fewer_texts_gets_fewer():
    def at_most_four(handler, question):
        count = len(question["input"])
        return count > 4 and refused(422, f"batch size {count} > maximum allowed batch size 4")(handler, question)

    texts = words(50)
    with EmbeddingsServer(always=at_most_four) as server:
        encoder = made(server)
        found = encoder.encode(texts)
        before = len(server.questions)
        encoder.encode(texts)
        assert len(server.questions) - before <= 17  # it has learnt
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(texts).data, atol=1e-6)
    assert encoder.usage.texts == 100


def test_a_server_that_takes_fewer_tokens_gets_fewer():
    def at_most_ten(handler, question):
        tokens = sum(len(text.split()) for text in question["input"])
        message = f"Requested {tokens} tokens, max 10 tokens per request"
        return tokens > 10 and refused(400, message, "max_tokens_per_request")(handler, question)

    with EmbeddingsServer(always=at_most_ten) as server:
        found = made(server).encode(words(50))
        error = failure(made(server), ["a " * 12], TextTooLong)
    np.testing.assert_allclose(found.data, HashEncoder(16).encode(words(50)).data, atol=1e-6)
    assert "text 0 has 12 tokens" in error.what


@pytest.mark.parametrize("long", ["head", "chunk"])
def test_nothing_is_cut_so_nobody_may_ask_for_it(long):
    with EmbeddingsServer() as server:
        with pytest.raises(InputError, match="cannot be done with a remote model"):
            made(server).encode("a", long=long)
        assert server.questions == []
        for allowed in (None, "warn", "error"):
            made(server).encode("a", long=allowed)


@pytest.mark.parametrize("options", [{"role": "title"}, {"long": "none"}, {"batch_tokens": 0}])
def test_unknown_options_are_refused(options):
    with EmbeddingsServer() as server, pytest.raises(InputError):
        made(server).encode("a", **options)


# The name, the address, the key


@in_turn("name", ["hash", "openai:", "openai: ", "cohere:x"])
def test_a_name_without_a_model_is_refused(name):
    with pytest.raises(InputError, match="names no model"):
        load_remote(name, dimensions=4)


@in_turn(
    "address",
    [
        "ftp://host/v1",
        "localhost:8000",
        "http://",
        "http://host:99999/v1",
        "http://h ost/v1",
        f"http://u:{KEY}@host/v1",
        f"http://host/v1?key={KEY}",
        f"http://host/v1#{KEY}",
        "http://[::1/v1",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(address):
    with pytest.raises(InputError) as caught:
        load_remote("openai:m", dimensions=4, base_url=address)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("host", ["a" * 70, "xn--\N{SNOWMAN}", "a..b"])
def test_a_host_that_cannot_be_is_one_clear_error(host):
    clock = Clock()
    encoder = load_remote(
        "openai:m",
        dimensions=4,
        base_url=f"http://{host}/v1",
        transport=partial(Transport, clock=clock, sleep=clock.sleep),
    )
    assert "openai:m at" in failure(encoder).what


def test_the_makers_own_server_is_not_asked_without_a_key():
    with pytest.raises(ModelNotFound, match="OPENAI_API_KEY is not set"):
        load_remote("openai:text-embedding-3-small")


def test_the_address_comes_from_the_environment(monkeypatch):
    with EmbeddingsServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/")
        assert load_remote("openai:hash").dimension == 16


def test_no_key_is_sent_where_there_is_none_and_the_right_one_where_there_is(monkeypatch):
    with EmbeddingsServer() as server:
        made(server).encode("a")
        assert "authorization" not in server.headers[0]
        monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
        made(server).encode("a")
        assert server.headers[1]["authorization"] == f"Bearer {KEY}"


def test_a_key_that_cannot_be_sent_is_refused_unseen(monkeypatch):
    for bad in (f"{KEY}\r\nX-Evil: 1", f"{KEY} {KEY}", f"“{KEY}”"):
        monkeypatch.setenv("OPENAI_API_KEY", bad)
        with pytest.raises(ModelError) as caught:
            load_remote("openai:m", dimensions=4)
        assert KEY not in str(caught.value)


class Nothing(logging.Filter):
    def filter(self, record):
        return False


def test_the_key_is_nowhere_to_be_seen(monkeypatch, caplog):
    """Neither in what is printed, logged, raised or pickled, though the server repeats it in all that it says."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    seen, echo = [], f"your key is {KEY}"
    bad = [refused(status, echo) for status in (400, 401, 403, 404, 422)]
    bad += [raw(echo.encode()), refused(503, "x" * 290 + KEY)]
    bad += [refused(429, echo, retry_after="9999"), refused(400, f"maximum context length {KEY}")]
    with EmbeddingsServer(key=KEY) as server, contextlib.redirect_stderr(io.StringIO()) as stderr:
        clock = Clock()
        encoder = made(server, clock, limits=Limits(deadline=3))
        found = encoder.encode(["a", "b"])
        for act in [*bad, dead]:
            server.always = act
            with pytest.raises((ModelError, InputError)) as caught:
                encoder.encode(["a", "b"])
            error = caught.value
            while error is not None:
                seen += [
                    str(error),
                    repr(error),
                    *traceback.format_exception(error),
                    pickle.dumps(error).decode("latin-1"),
                ]
                error = error.__context__
        server.always = raw(b"", 302, location=f"http://elsewhere/{KEY}")
        with caplog.filtering(Nothing()):  # the library logs a server's headers as they come
            seen.append(str(failure(encoder)))
        server.always = None
        again = pickle.loads(pickled := pickle.dumps(encoder))
        np.testing.assert_array_equal(again.encode(["a", "b"]).data, found.data)
        seen += [repr(encoder), str(encoder), repr(vars(encoder)), repr(vars(encoder._transport)), repr(found)]
        seen += [pickled.decode("latin-1"), repr(copy.deepcopy(encoder)), repr(encoder.usage), encoder.fingerprint]
        seen += [repr(pickle.dumps(encoder._transport.key))]
        seen += [repr(server.questions), stderr.getvalue(), caplog.text]
        seen += [repr(record.__dict__) for record in caplog.records]
    assert len(caplog.records) > 20  # the client library does log
    assert [text for text in seen if KEY in text or KEY[:12] in text] == []


def test_an_encoder_that_was_sent_elsewhere_reads_the_key_there(monkeypatch):
    with EmbeddingsServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        pickled = pickle.dumps(made(server))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
        again = pickle.loads(pickled)
        again.encode("a")
        assert server.headers[0]["authorization"] == "Bearer sk-another"
        assert again.fingerprint == made(server).fingerprint


# Fingerprint, use, cache


def test_the_fingerprint_tells_models_apart_and_asks_nobody(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    places = [
        "http://127.0.0.1:9/v1",
        "http://127.0.0.1:9/v2",
        "http://localhost:9/v1",
        "https://api.openai.com/v1",
    ]
    prints = [
        load_remote(f"openai:{model}", dimensions=dimensions, base_url=place).fingerprint
        for model in ("a", "b")
        for dimensions in (8, 9)
        for place in places
    ]
    assert len(set(prints)) == len(prints) == 16
    assert {len(each) for each in prints} == {64}
    assert load_remote("openai:a", dimensions=8, base_url=places[0] + "/").fingerprint == prints[0]


def test_what_was_taken_is_counted_and_priced():
    with EmbeddingsServer() as server:
        encoder = made(server, price=0.02, limits=Limits(texts=3))
        encoder.encode(["one two three", "one", "two two", "four"])
        assert encoder.usage == Usage(2, 4, 7, 7 * 0.02 / 1e6)
        assert made(server).usage.cost is None


def test_no_cost_is_told_where_a_count_is_missing():
    with EmbeddingsServer() as server:
        server.script = [edited(server, lambda answer: answer.pop("usage"))]
        encoder = made(server, price=0.02)
        encoder.encode("a")
    assert encoder.usage == Usage(1, 1, 0, None)


def test_use_reads_well():
    assert str(Usage(12, 3400, 81_230, 0.0016246)) == "12 requests, 3,400 texts, 81,230 tokens, about $0.0016"
    assert str(Usage(1, 1, 1, 2e-8)) == "1 request, 1 text, 1 token, less than $0.0001"
    assert str(Usage()) == "0 requests, 0 texts, 0 tokens"


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("NEARSENSE_REMOTE_TEXTS", "2")
    with EmbeddingsServer() as server:
        made(server).encode(words(6))
        assert len(server.questions) == 3
    for word in ("0", "-1", "many", "1e3"):
        with pytest.raises(InputError, match="NEARSENSE_REMOTE_DEADLINE"):
            Limits.read({"NEARSENSE_REMOTE_DEADLINE": word})


def test_money_is_not_spent_twice(tmp_path):
    texts = words(30)
    with EmbeddingsServer() as server:
        encoder, cache = made(server), EmbeddingCache(tmp_path / "e.db", 10**8)
        first = CachedEncoder(encoder, cache).encode(texts)
        for long in (None, "warn", "error"):
            again = CachedEncoder(made(server), cache).encode([*texts, texts[0]], long=long)
            np.testing.assert_array_equal(again.data[:30], first.data)
        assert server.texts == texts
        assert CachedEncoder(encoder, cache).usage.texts == 30
        assert again.fingerprint == first.fingerprint == encoder.fingerprint


def test_the_cache_of_the_settings_stands_before_it():
    from nearsense.cached import cached

    with EmbeddingsServer() as server:
        for _ in range(2):
            cached(made(server)).encode(["only once", "and only one"])
        assert len(server.questions) == 1


def test_a_collection_takes_it(tmp_path):
    with EmbeddingsServer() as server, ns.open(tmp_path / "c", made(server)) as collection:
        collection.add(words(20))
        assert collection.search("word3 of 3", k=1)[0].text == "word3 of 3"
