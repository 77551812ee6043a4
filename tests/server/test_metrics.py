"""What is counted of a server, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import re

import pytest

from nearsense.server.errors import Refused
from nearsense.server.metrics import Metrics
from nearsense.server.queue import EncodingQueue
from nearsense.server.settings import ServerSettings
from worded import Worded

SETTINGS = ServerSettings(queue_tokens=40, queue_seconds=5.0, batch_tokens=64)


def value(metrics, metric, /, **labels):
    """One figure of all that is told; None where it is not."""
    told = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    for line in metrics.text().splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == metric and sorted((found[2] or "").split(",")) == sorted(told.split(",")):
            return float(found[3])
    return None


def test_requests_are_counted_by_route_and_status():
    metrics = Metrics()
    for status, seconds in ((200, 0.004), (200, 0.3), (429, 0.001)):
        metrics.request("/v1/search", "POST", status, seconds)
    assert value(metrics, "nearsense_http_requests_total", route="/v1/search", method="POST", status="200") == 2
    assert value(metrics, "nearsense_http_requests_total", route="/v1/search", method="POST", status="429") == 1
    assert value(metrics, "nearsense_http_request_seconds_bucket", route="/v1/search", le="0.005") == 2
    assert value(metrics, "nearsense_http_request_seconds_sum", route="/v1/search") == pytest.approx(0.305)


def test_the_queue_tells_texts_tokens_batches_and_refusals():
    metrics, encoder = Metrics(), Worded()
    queue = EncodingQueue(encoder, SETTINGS, metrics)

    async def run():
        await queue.encode(["one two", "three"])
        with pytest.raises(Refused):
            await queue.encode(["some words"] * 40)
        encoder.gate.clear()
        with pytest.raises(Refused):
            await queue.encode("held", deadline=0.1)
        encoder.gate.set()

    asyncio.run(run())
    queue.close(10)
    assert value(metrics, "nearsense_encoded_texts_total", model="worded") == 3
    assert value(metrics, "nearsense_encoded_tokens_total", model="worded") == 4 + 3 + 3
    assert value(metrics, "nearsense_batch_texts_count", model="worded") == 2
    assert value(metrics, "nearsense_queue_wait_seconds_count", model="worded") == 2
    assert value(metrics, "nearsense_queue_refused_total", model="worded", why="too_much") == 1
    assert value(metrics, "nearsense_queue_refused_total", model="worded", why="deadline") == 1
    assert value(metrics, "nearsense_queue_tokens", model="worded") == 0
    assert value(metrics, "nearsense_queue_rate", model="worded") > 0


def test_answers_and_drift_are_told_by_the_names_that_the_operator_gave():
    metrics = Metrics()
    metrics.answered("faq", "shop", True)
    metrics.answered("faq", "shop", False)
    metrics.drifted("tickets", changed=True)
    assert value(metrics, "nearsense_answers_total", kind="faq", name="shop", answered="no") == 1
    assert value(metrics, "nearsense_drift", name="tickets") == 1
    assert value(metrics, "nearsense_drift_checked_seconds", name="tickets") > 1.7e9


def test_the_cache_of_vectors_tells_how_often_it_knew_a_text(tmp_path, monkeypatch):
    import nearsense as ns
    from nearsense.cached import cached

    monkeypatch.setenv("NEARSENSE_CACHE_DIR", str(tmp_path))
    metrics = Metrics()
    before = [value(metrics, "nearsense_cache_lookups_total", known=known) for known in ("yes", "no")]
    encoder = cached(ns.load())
    encoder.encode(["a text that no other test has", "another of that sort"])
    encoder.encode(["a text that no other test has"])
    after = [value(metrics, "nearsense_cache_lookups_total", known=known) for known in ("yes", "no")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 2]


def test_it_can_be_read_in_the_form_that_a_scraper_asks_for():
    metrics = Metrics()
    body, media = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert media.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert metrics.exposition("")[1].startswith("text/plain")


@pytest.mark.slow
def test_searches_and_questions_are_counted_by_whether_they_had_an_answer(tmp_path):
    from starlette.testclient import TestClient

    import nearsense as ns
    from nearsense.server.app import create_app
    from nearsense.server.service import Service

    with ns.open(tmp_path / "tickets.nearsense") as collection:
        collection.add([ns.Document(id="1", text="the screen is black")])
    service = Service.of(ServerSettings(), collections=[tmp_path / "tickets.nearsense"])
    try:
        with TestClient(create_app(service, ServerSettings()), base_url="http://127.0.0.1:8765") as client:
            for least in (None, 1.0):
                client.post(
                    "/v1/search", json={"query": "my screen went dark", "min_score": least}
                ).raise_for_status()
            told = client.get("/metrics")
    finally:
        service.close()
    assert told.headers["content-type"].startswith("text/plain")
    for line in (
        'nearsense_answers_total{answered="yes",kind="collection",name="tickets"} 1.0',
        'nearsense_answers_total{answered="no",kind="collection",name="tickets"} 1.0',
        'nearsense_http_requests_total{method="POST",route="/v1/search",status="200"} 2.0',
        'nearsense_documents{collection="tickets"} 1.0',
    ):
        assert line in told.text
