"""The queue as an encoder: what verbs get, so that all routes share one queue."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import nearsense as ns
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.errors import InputError, TextTooLong, TruncationWarning
from nearsense.kinds import MapKind
from nearsense.server.errors import Refused
from nearsense.server.queue import EncodingQueue
from nearsense.server.settings import ServerSettings
from nearsense.server.work import CURRENT, Work
from worded import POISON, Worded, vector_of

SETTINGS = ServerSettings(queue_tokens=2000, queue_seconds=5.0, batch_tokens=64, deadline=20.0)


@pytest.fixture
def worded():
    encoder = Worded(2)
    queue = EncodingQueue(encoder, SETTINGS)
    yield encoder, queue
    encoder.gate.set()
    queue.close(10)


def in_request(seconds, verb, *args, work=None):
    """What a verb comes to in a thread that answers a request."""
    context = contextvars.copy_context()
    context.run(CURRENT.set, work or Work(seconds))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, verb, *args).result()


def test_verbs_share_the_queue_with_requests(worded):
    encoder, queue = worded
    encoder.gate.clear()
    verb = queue.encoder()

    async def run():
        asked = []
        for number in range(2):
            asked.append(asyncio.create_task(queue.encode(f"held {number}")))
            while not encoder.entered.acquire(blocking=False):
                await asyncio.sleep(0.01)
        asked += [asyncio.create_task(queue.encode("of a request"))]
        thread = asyncio.create_task(asyncio.to_thread(in_request, 10, verb.encode, ["of a verb"]))
        while queue.state()["requests"] < 2:
            await asyncio.sleep(0.01)
        encoder.gate.set()
        return (await asyncio.gather(*asked, thread))[2:]

    found, of_verb = asyncio.run(run())
    assert np.array_equal(found.data, [vector_of("of a request")])
    assert np.array_equal(of_verb.data, [vector_of("of a verb")])
    assert any({"of a request", "of a verb"} == set(call) for call in encoder.calls)


def test_long_work_outside_of_requests_goes_in_bit_by_bit(worded):
    _, queue = worded
    texts = [f"text {n % 3000}" for n in range(5000)]
    most, told = 0, []

    def watch(done, total):
        nonlocal most
        most = max(most, int(queue.state()["tokens"]))
        told.append((done, total))

    found = queue.encoder().encode(texts, progress=watch)
    assert np.array_equal(found.data, [vector_of(text) for text in texts])
    assert most <= SETTINGS.queue_tokens
    assert told[-1] == (5000, 5000)


def test_long_work_waits_where_requests_are_refused(worded):
    encoder, queue = worded
    encoder.gate.clear()
    done = threading.Event()
    texts = ["some words of a text"] * 3000

    def work():
        queue.encoder().encode(texts)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while queue.state()["tokens"] < 1000:
        time.sleep(0.01)
    with pytest.raises(Refused) as error:
        in_request(5, queue.encoder().encode, ["words"] * 400)
    assert error.value.status == 429
    assert not done.is_set()
    encoder.gate.set()
    thread.join(20)
    assert done.is_set()


def test_the_deadline_of_a_request_ends_its_verbs_wait(worded):
    encoder, queue = worded
    encoder.gate.clear()
    start = time.monotonic()
    with pytest.raises(Refused) as error:
        in_request(0.2, queue.encoder().encode, ["a text"])
    assert error.value.status == 503
    assert time.monotonic() - start < 2


def test_the_verb_of_a_client_that_left_ends(worded):
    encoder, queue = worded
    encoder.gate.clear()
    work = Work(20)
    threading.Timer(0.1, work.leave).start()
    with pytest.raises(Refused) as error:
        in_request(20, queue.encoder().encode, ["a text"], work=work)
    assert error.value.status == 499


def test_it_warns_and_refuses_as_the_encoder_does(worded):
    _, queue = worded
    encoder, long = queue.encoder(), "word " * 30
    with pytest.warns(TruncationWarning, match="1 of 2 texts exceeds 16 tokens .longest 32"):
        assert encoder.encode(["short", long]).truncated.tolist() == [False, True]
    with pytest.raises(TextTooLong, match="text 700 has 32 tokens"):
        encoder.encode(["short"] * 700 + [long], long="error")
    with pytest.raises(InputError, match="poisoned"):
        encoder.encode(["short", POISON])
    assert encoder.encode([]).shape == (0, 8)
    assert encoder.encode([long], long="head").truncated.tolist() == [True]


def test_verbs_say_the_same_with_it():
    encoder = ns.load(precision="f32")
    queue = EncodingQueue(encoder, ServerSettings())
    queued, corpus = queue.encoder(), ["my parcel is late", "I forgot the password", "the screen is black"]
    try:
        assert queued.fingerprint == encoder.fingerprint
        hits = [ns.search("where is my order", corpus, encoder=each, k=3) for each in (encoder, queued)]
        assert [hit.id for hit in hits[0]] == [hit.id for hit in hits[1]]
        assert np.allclose([hit.score for hit in hits[0]], [hit.score for hit in hits[1]], atol=1e-6)
        short = [each.with_dimensions(32).encode(corpus) for each in (encoder, queued)]
        assert short[0].fingerprint == short[1].fingerprint
        assert np.abs(short[0].data - short[1].data).max() < 1e-6
    finally:
        queue.close(10)


def test_an_adapter_stays_one_before_the_queue_of_its_parent():
    parent = ns.load(precision="f32")
    scale = np.linspace(0.5, 1.5, parent.dimension, dtype=np.float32)
    adapted = AdaptedEncoder(parent, VectorMap(MapKind.DIAGONAL, {"scale": scale}), name="mine")
    queue = EncodingQueue(adapted, ServerSettings())
    try:
        verb, texts = queue.encoder(), ["my parcel is late", "the screen is black"]
        assert isinstance(verb, AdaptedEncoder)
        expected = adapted.encode(texts)
        for found in (verb.encode(texts), asyncio.run(queue.encode(texts))):
            assert found.fingerprint == expected.fingerprint
            assert np.abs(found.data - expected.data).max() < 1e-6
    finally:
        queue.close(10)


@pytest.mark.filterwarnings("ignore::nearsense.errors.CalibrationWarning")
def test_collections_work_through_it(tmp_path):
    queue = EncodingQueue(ns.load(), replace(SETTINGS, queue_tokens=100_000))
    try:
        with ns.open(tmp_path / "c.nearsense", queue.encoder()) as collection:
            collection.add(
                [ns.Document(id=str(n), text=f"parcel number {n} is late, says {2 * n}") for n in range(300)]
            )
            assert len(collection) == 300
            assert collection.search("parcel number 7 is late, says 14", k=1)[0].id == "7"
    finally:
        queue.close(10)


def test_a_faq_is_as_sure_behind_the_queue_as_before_it():
    model = ns.load()
    asked = ["How do I return an item?", "Where is my order?", "Do you sell gift cards?", "How do I pay?"]
    rows = [{"question": each, "answer": f"See {number}."} for number, each in enumerate(asked)]
    queue = EncodingQueue(model, ServerSettings())
    try:
        own, served = (ns.FAQ(rows, encoder=encoder) for encoder in (model, queue.encoder()))
        assert served.threshold == own.threshold
        for question in ("can I send it back?", "gift vouchers", "what is the weather?"):
            mine, other = own.answer(question), served.answer(question)
            assert (mine.outcome, mine.reason) == (other.outcome, other.reason)
            assert other.probability == pytest.approx(mine.probability, abs=1e-6)
    finally:
        queue.close(10)
