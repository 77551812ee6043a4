"""The queue of texts: each request gets its own vectors, or an error of its own, and never waits for long."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nearsense as ns
from nearsense.errors import InputError, TextTooLong
from nearsense.server.errors import Refused
from nearsense.server.queue import EncodingQueue
from nearsense.server.settings import ServerSettings
from worded import POISON, Uncounted, Worded, vector_of

SETTINGS = ServerSettings(queue_tokens=2000, queue_seconds=5.0, batch_tokens=64, deadline=20.0)


@pytest.fixture
def opened():
    """Makes queues that are closed afterwards."""
    queues = []

    def open_queue(encoder, **changed):
        queues.append(EncodingQueue(encoder, replace(SETTINGS, **changed)))
        return queues[-1]

    yield open_queue
    for queue in queues:
        queue.close(10)


def told(fact):
    """An assertion about an error that is expected now and then."""
    assert fact


async def until(true, seconds=10.0):
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


async def held(queue, encoder):
    """A request that is being encoded, and keeps every thread busy until the gate opens."""
    encoder.gate.clear()
    tasks = []
    for number in range(queue.threads):
        tasks.append(asyncio.create_task(queue.encode(f"held {number}")))
        await until(lambda: encoder.entered.acquire(blocking=False))
    return tasks


def test_requests_that_wait_together_are_encoded_together_and_get_their_own_vectors(opened):
    encoder = Worded()
    queue = opened(encoder)

    async def run():
        first = await held(queue, encoder)
        tasks = [asyncio.create_task(queue.encode([f"text {n}", f"other {n}"])) for n in range(4)]
        await until(lambda: queue.state()["requests"] == 4)
        encoder.gate.set()
        return await asyncio.gather(*tasks, *first)

    found = asyncio.run(run())
    for n in range(4):
        assert np.array_equal(found[n].data, [vector_of(f"text {n}"), vector_of(f"other {n}")])
    assert encoder.calls[1] == [text for n in range(4) for text in (f"text {n}", f"other {n}")]


def test_texts_of_other_roles_and_policies_are_never_encoded_together(opened):
    encoder = Worded()
    queue = opened(encoder)
    options = [{"role": role, "long": long} for role in (None, "query", "passage") for long in (None, "chunk")]

    async def run():
        first = await held(queue, encoder)
        tasks = [asyncio.create_task(queue.encode(["same text"], **how)) for how in options * 2]
        await until(lambda: queue.state()["requests"] == 12)
        encoder.gate.set()
        await asyncio.gather(*first)
        return await asyncio.gather(*tasks)

    for found, how in zip(asyncio.run(run()), options * 2, strict=True):
        assert np.array_equal(found.data, [vector_of("same text", how["role"], how["long"] or "head")])
    assert encoder.calls[1:] == [["same text"] * 2] * 6


def test_a_thousand_texts_do_not_starve_a_single_query(opened):
    encoder = Worded(seconds=0.0002)
    queue = opened(encoder, queue_tokens=100_000)

    async def run():
        large = asyncio.create_task(queue.encode([f"large {n}" for n in range(1024)]))
        await until(lambda: queue.state()["running"])
        start = time.monotonic()
        await queue.encode("a single query")
        alone = time.monotonic() - start
        assert not large.done()
        assert len((await large).data) == 1024
        return alone

    assert asyncio.run(run()) < 0.2  # all of them take 0.8 s
    assert [len(call) for call in encoder.calls[1:3]] != [1024]


@pytest.mark.parametrize("threads", [2, 3])
def test_one_large_request_keeps_every_thread_busy(opened, threads):
    encoder = Worded(calls_at_once=threads)
    queue = opened(encoder, queue_tokens=100_000)
    encoder.gate.clear()

    async def run():
        large = asyncio.create_task(queue.encode([f"large {n}" for n in range(500)]))
        for _ in range(threads):
            await until(lambda: encoder.entered.acquire(blocking=False))
        encoder.gate.set()
        return await large

    assert len(asyncio.run(run()).data) == 500


@pytest.mark.parametrize("text", ["w", "a b c d e f g h", "incomprehensibilities " * 3, "ä ö ü ß"])
def test_how_many_tokens_texts_have_is_learnt_and_a_large_request_does_not_unlearn_it(opened, text):
    queue = opened(Worded(), queue_tokens=10**6)
    for count in (50, 3_000, 50):
        asyncio.run(queue.encode([f"{text} {n}" for n in range(count)]))
    job = queue._job(queue._model, [f"{text} 1"] * 100, None, None, None)
    assert job.tokens == pytest.approx(100 * (len(text.split()) + 3), rel=0.35)


def test_an_error_of_one_request_does_not_hurt_its_neighbours(opened):
    encoder = Worded()
    queue = opened(encoder)

    async def run():
        first = await held(queue, encoder)
        texts = ["good one", f"bad {POISON}", "good two", f"{POISON} too", "good three"]
        tasks = [asyncio.create_task(queue.encode(text)) for text in texts]
        await until(lambda: queue.state()["requests"] == 5)
        encoder.gate.set()
        await asyncio.gather(*first)
        return texts, await asyncio.gather(*tasks, return_exceptions=True)

    for text, found in zip(*asyncio.run(run()), strict=True):
        if POISON in text:
            assert isinstance(found, InputError)
        else:
            assert np.array_equal(found.data, [vector_of(text)])


def test_a_text_that_is_too_long_is_refused_alone_and_named_by_its_place(opened):
    encoder = Worded()
    queue = opened(encoder)
    long = "word " * 30

    async def run():
        first = await held(queue, encoder)
        asked = [
            (["fine"], "error"),
            (["fine", "also", long], "error"),
            (["fine", long], "warn"),
            ([long], "head"),
        ]
        tasks = [asyncio.create_task(queue.encode_and_count(texts, long=policy)) for texts, policy in asked]
        await until(lambda: queue.state()["requests"] == 4)
        encoder.gate.set()
        await asyncio.gather(*first)
        return await asyncio.gather(*tasks, return_exceptions=True)

    fine, refused, warned, head = asyncio.run(run())
    assert np.array_equal(fine[0].data, [vector_of("fine")])
    assert isinstance(refused, TextTooLong)
    assert refused.what == "text 2 has 32 tokens"
    assert warned[0].truncated.tolist() == [False, True]
    assert warned[1].tolist() == [3, 32]
    assert head[0].truncated.tolist() == [True]
    assert len(encoder.calls[1]) == 7


def test_what_does_not_fit_is_refused_at_once_and_what_was_accepted_is_answered(opened):
    encoder = Worded()
    queue = opened(encoder, queue_tokens=100)

    async def run():
        first = await held(queue, encoder)
        taken, refused = [], []
        for n in range(50):
            start = time.monotonic()
            task = asyncio.create_task(queue.encode(f"text {n}"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            (refused if task.done() else taken).append((n, task))
            assert time.monotonic() - start < 0.05
        assert len(taken) > 5
        assert len(refused) > 10
        assert queue.refusal() >= 0
        encoder.gate.set()
        await asyncio.gather(*first)
        return [(n, await task) for n, task in taken], [task.exception() for _, task in refused]

    taken, refused = asyncio.run(run())
    for n, found in taken:
        assert np.array_equal(found.data, [vector_of(f"text {n}")])
    for error in refused:
        assert isinstance(error, Refused)
        assert (error.status, error.code) == (429, "overloaded")
        assert int(error.headers["Retry-After"]) >= 1


def test_short_requests_are_refused_where_they_would_wait_too_long(opened):
    encoder = Worded(seconds=0.002)
    queue = opened(encoder, queue_seconds=0.2)

    async def run():
        for _ in range(3):
            await queue.encode(["a text of five words"] * 10)  # 500 tokens a second
        tasks = [asyncio.create_task(queue.encode("one two three")) for _ in range(100)]
        start = time.monotonic()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        return found, time.monotonic() - start

    found, seconds = asyncio.run(run())
    refused = [each for each in found if isinstance(each, Refused)]
    assert 20 < len(refused) < 95
    assert all(each.status == 429 for each in refused)
    assert seconds < 0.7


def test_a_crowd_finds_less_room_than_a_burst_and_after_it_there_is_more_again(opened):
    encoder = Worded(seconds=0.0005)
    queue = opened(encoder, queue_seconds=0.1, batch_tokens=16)

    async def taken_of(count):
        while encoder.entered.acquire(blocking=False):  # what was encoded before
            pass
        first, rate = await held(queue, encoder), queue.state()["rate"]
        tasks = [asyncio.create_task(queue.encode("one two three")) for _ in range(count)]
        await until(lambda: sum(task.done() for task in tasks) + queue.state()["requests"] == count)
        taken = [task for task in tasks if not task.done()]
        encoder.gate.set()
        await asyncio.gather(*first, *taken)
        for task in {*tasks} - {*taken}:
            assert task.exception().status == 429
        return len(taken) / rate

    async def learn():
        for _ in range(8):
            await queue.encode(["a text of five words"] * 10)  # what it gets done in a second is learnt

    async def run():
        await learn()
        burst = await taken_of(200)
        await taken_of(500)
        await learn()
        crowd = await taken_of(500)
        for _ in range(200):
            await queue.encode("one")
        await learn()
        return burst, crowd, await taken_of(200)

    burst, crowd, later = asyncio.run(run())
    assert 0 < crowd < 0.6 * burst
    assert later > 1.3 * crowd


def test_more_than_the_queue_ever_holds_is_too_much(opened):
    queue = opened(Worded(), queue_tokens=100)
    with pytest.raises(Refused) as error:
        asyncio.run(queue.encode(["some words that are many"] * 100))
    assert (error.value.status, error.value.code) == (413, "too_many_tokens")


def test_a_slow_hour_does_not_refuse_large_requests_for_good(opened):
    encoder = Worded(seconds=0.01)
    queue = opened(encoder, deadline=3.0)

    async def run():
        await queue.encode(["a text of five words"] * 20)  # a hundred of them would take seven seconds
        while encoder.entered.acquire(blocking=False):
            pass
        first = await held(queue, encoder)
        with pytest.raises(Refused) as error:
            await queue.encode(["a text of five words"] * 100)
        told(error.value.status == 413)
        encoder.gate.set()
        await asyncio.gather(*first)
        await until(lambda: not queue.state()["running"])
        encoder.seconds = 0.0
        return await queue.encode(["a text of five words"] * 100)

    assert len(asyncio.run(run()).data) == 100


def test_a_deadline_ends_the_wait_and_frees_the_room(opened):
    encoder = Worded()
    queue = opened(encoder)

    async def run():
        first = await held(queue, encoder)
        start = time.monotonic()
        with pytest.raises(Refused) as error:
            await queue.encode("late", deadline=0.1)
        assert error.value.status == 503
        assert time.monotonic() - start < 1
        assert queue.state()["tokens"] == 0
        encoder.gate.set()
        await asyncio.gather(*first)

    asyncio.run(run())
    assert ["late"] not in encoder.calls


@pytest.mark.parametrize("cancelled", [False, True])
def test_texts_of_a_client_that_left_or_is_cancelled_are_not_encoded(opened, cancelled):
    encoder = Worded()
    queue = opened(encoder)

    async def run():
        first = await held(queue, encoder)
        left = asyncio.Event()

        async def receive():
            await left.wait()
            return {"type": "http.disconnect"}

        task = asyncio.create_task(queue.encode("unwanted", receive=receive))
        await until(lambda: queue.state()["requests"] == 1)
        if cancelled:
            task.cancel()
        else:
            left.set()
        with pytest.raises(asyncio.CancelledError if cancelled else Refused) as error:
            await task
        assert cancelled or error.value.status == 499
        assert queue.state() | {"rate": 0, "running": 0} == {"requests": 0, "tokens": 0, "running": 0, "rate": 0}
        encoder.gate.set()
        await asyncio.gather(*first)

    asyncio.run(run())
    assert all("unwanted" not in call for call in encoder.calls)


def test_closing_finishes_what_was_accepted_and_takes_no_more(opened):
    encoder = Worded()
    queue = opened(encoder)

    async def run():
        first = await held(queue, encoder)
        accepted = asyncio.create_task(queue.encode(["accepted one", "accepted two"]))
        await until(lambda: queue.state()["requests"] == 1)
        closing = threading.Thread(target=queue.close)
        closing.start()
        await until(lambda: queue._closed)
        with pytest.raises(Refused) as error:
            await queue.encode("late")
        assert error.value.status == 503
        encoder.gate.set()
        found = await accepted
        await asyncio.gather(*first)
        await asyncio.to_thread(closing.join)
        return found

    assert np.array_equal(asyncio.run(run()).data, [vector_of("accepted one"), vector_of("accepted two")])


def test_no_texts_are_no_vectors(opened):
    queue = opened(Worded())
    vectors, tokens = asyncio.run(queue.encode_and_count([]))
    assert (vectors.shape, tokens.shape) == ((0, 8), (0,))


def test_what_is_no_text_or_no_role_is_refused_before_it_waits(opened):
    encoder = Worded()
    queue = opened(encoder)
    for texts, how in (([1], {}), (["fine"], {"role": "quary"}), (["fine"], {"long": "cut"}), (["\ud800"], {})):
        with pytest.raises(InputError):
            asyncio.run(queue.encode(texts, **how))
    assert not any(encoder.calls)


def test_an_encoder_that_cannot_count_is_asked_as_it_was_told(opened):
    queue = opened(Uncounted())
    vectors, tokens = asyncio.run(queue.encode_and_count(["a text"], long="error"))
    assert np.array_equal(vectors.data, [vector_of("a text", None, "error")])
    assert tokens.tolist() == [0]


def test_an_encoder_that_gives_too_few_vectors_is_an_error_and_no_answer(opened):
    class Short(Worded):
        def encode(self, texts, **options):
            return super().encode(texts[:-1], **options)

    queue = opened(Short())
    with pytest.raises(RuntimeError, match="gave 1 vectors for 2 texts"):
        asyncio.run(queue.encode(["one", "two"]))


TEXTS = st.lists(st.sampled_from(["a", "b c", "d e f", POISON, "word " * 30, ""]), max_size=20)
REQUEST = st.fixed_dictionaries(
    {
        "texts": TEXTS,
        "role": st.sampled_from([None, "query", "passage"]),
        "long": st.sampled_from([None, "head", "error", "chunk"]),
        "leaves": st.sampled_from([None, None, None, 0.0, 0.001, 0.003]),
        "comes": st.sampled_from([0.0, 0.0, 0.001, 0.004]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(REQUEST, min_size=1, max_size=25),
    threads=st.sampled_from([1, 2, 3]),
    room=st.sampled_from([60, 400, 5000]),
)
def test_each_request_gets_exactly_its_own_whatever_the_others_do(requests, threads, room):
    encoder = Worded(threads, seconds=0.00001)
    queue = EncodingQueue(encoder, replace(SETTINGS, queue_tokens=room))

    async def ask(n, asked):
        await asyncio.sleep(asked["comes"])
        texts = [f"{n} {text}" for text in asked["texts"]]
        task = asyncio.create_task(queue.encode(texts, asked["role"], long=asked["long"]))
        if asked["leaves"] is not None:
            await asyncio.sleep(asked["leaves"])
            task.cancel()
        try:
            found = await task
        except asyncio.CancelledError:
            assert asked["leaves"] is not None
        except TextTooLong as error:
            named = texts[int(error.what.split()[1])]
            told(asked["long"] == "error" and len(named.split()) + 2 > encoder.max_tokens)
        except InputError:
            assert any(POISON in text for text in texts)
        except Refused as error:
            told(error.status in (413, 429))
        else:
            how = asked["role"], "chunk" if asked["long"] == "chunk" else "head"
            assert np.array_equal(found.data, np.array([vector_of(text, *how) for text in texts]).reshape(-1, 8))
            assert not any(POISON in text for text in texts)
            long = [len(text.split()) + 2 > encoder.max_tokens for text in texts]
            assert asked["long"] != "error" or not any(long)
            assert found.truncated.tolist() == [each and asked["long"] != "chunk" for each in long]

    async def run():
        await asyncio.gather(*(ask(n, asked) for n, asked in enumerate(requests)))
        assert queue.state()["tokens"] == queue.state()["requests"] == 0
        await until(lambda: not queue.state()["running"])

    try:
        asyncio.run(run())
    finally:
        queue.close(10)


def test_vectors_are_the_librarys_to_a_millionth():
    encoder = ns.load(precision="f32")
    queue = EncodingQueue(encoder, ServerSettings())
    texts = [f"the {n}th parcel is {'very ' * (n % 40)}late" for n in range(60)]

    async def run():
        return await asyncio.gather(*(queue.encode(text) for text in texts), queue.encode(texts, "query"))

    *alone, together = asyncio.run(run())
    queue.close(10)
    assert np.abs(np.concatenate([each.data for each in alone]) - encoder.encode(texts).data).max() < 1e-6
    assert np.abs(together.data - encoder.encode(texts, role="query").data).max() < 1e-6
    assert together.fingerprint == encoder.fingerprint
