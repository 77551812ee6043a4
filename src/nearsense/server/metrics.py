"""What is counted of a server, as Prometheus reads it: the one file that knows prometheus_client.

No texts and no names of clients: routes, models and collections are what the operator named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nearsense._optional import require
from nearsense._version import __version__
from nearsense.errors import StoreError

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["Metrics"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 8192)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of one server. Counting takes microseconds; the rest is asked when it is read.

    Example:
        >>> metrics = Metrics()
        >>> metrics.request("/v1/search", "POST", 200, 0.012)
        >>> 'nearsense_http_requests_total{method="POST",route="/v1/search",status="200"} 1.0' in metrics.text()
        True
    """

    def __init__(self) -> None:
        library = require("prometheus_client", extra="server", purpose="counting what a server does")
        library.disable_created_metrics()  # a series more for each, which says when the counting began
        self._library, self.registry = library, library.CollectorRegistry()
        self._queues: list[tuple[str, Callable[[], dict[str, float]]]] = []
        self._known: dict[tuple[Any, ...], Any] = {}
        counter, histogram = self._maker("Counter"), self._maker("Histogram")
        self._requests = counter("http_requests", "Requests by route and status.", ("route", "method", "status"))
        self._latency = histogram("http_request_seconds", "From its head to its answer.", ("route",), SECONDS)
        self._refused = counter(
            "queue_refused", "Requests that the queue did not answer, by why.", ("model", "why")
        )
        self._waited = histogram("queue_wait_seconds", "From asking to encoding.", ("model",), SECONDS)
        self._texts = counter("encoded_texts", "Texts that were encoded.", ("model",))
        self._tokens = counter("encoded_tokens", "Tokens of these texts, before any were cut.", ("model",))
        self._batch_texts = histogram("batch_texts", "Texts that were encoded together.", ("model",), TEXTS)
        self._batch_tokens = histogram("batch_tokens", "Their tokens.", ("model",), TOKENS)
        self._batch_seconds = histogram("batch_seconds", "How long that took.", ("model",), SECONDS)
        self._answers = counter(
            "answers", "Searches and questions, by whether they had an answer.", ("kind", "name", "answered")
        )
        self._drift = self._maker("Gauge")("drift", "1 where the last check found a change.", ("name",))
        self._checked = self._maker("Gauge")("drift_checked_seconds", "When that was, since 1970.", ("name",))
        self._maker("Info")("build", "What runs.").info({"version": __version__})
        library.ProcessCollector(registry=self.registry)
        self.registry.register(self)
        self._models: Mapping[str, Encoder] = {}
        self._collections: Mapping[str, Sized] = {}

    def _maker(self, kind: str) -> Any:
        make = getattr(self._library, kind)

        def made(name: str, said: str, labels: Sequence[str] = (), buckets: Sequence[float] = ()) -> Any:
            more = {"buckets": buckets} if buckets else {}
            return make(name, said, labels, namespace="nearsense", registry=self.registry, **more)

        return made

    def _of(self, metric: Any, *labels: str) -> Any:
        """A metric with its labels: to look them up costs more than to count."""
        try:
            return self._known[metric, labels]
        except KeyError:
            return self._known.setdefault((metric, labels), metric.labels(*labels))

    # -- what happens

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its path as the server names it, with the names of parameters."""
        self._of(self._requests, route, method, str(status)).inc()
        self._of(self._latency, route).observe(seconds)

    def refused(self, model: str, why: str) -> None:
        """The queue did not answer a request: overloaded, too_much, deadline, client_left."""
        self._of(self._refused, model, why).inc()

    def batch(self, model: str, texts: int, tokens: int, seconds: float, waited: Iterable[float]) -> None:
        """Texts were encoded together; `waited` are the seconds that each of their requests did before."""
        self._of(self._texts, model).inc(texts)
        self._of(self._tokens, model).inc(tokens)
        self._of(self._batch_texts, model).observe(texts)
        self._of(self._batch_tokens, model).observe(tokens)
        self._of(self._batch_seconds, model).observe(seconds)
        observe = self._of(self._waited, model).observe
        for each in waited:
            observe(each)

    def answered(self, kind: str, name: str, answered: bool) -> None:
        """A search of a collection, or a question to a FAQ (`kind`), had an answer or not."""
        self._of(self._answers, kind, name, "yes" if answered else "no").inc()

    def drifted(self, name: str, *, changed: bool) -> None:
        """What is asked of a collection or a FAQ was compared with what was asked before."""
        self._of(self._drift, name).set(changed)
        self._of(self._checked, name).set(time.time())

    # -- what is asked when it is read

    def watch_queue(self, model: str, state: Callable[[], dict[str, float]]) -> None:
        """Tell of a model's queue how full it is."""
        self._queues.append((model, state))

    def watch(self, models: Mapping[str, Encoder], collections: Mapping[str, Sized]) -> None:
        """Tell of what is served: models, documents."""
        self._models, self._collections = models, collections

    def text(self) -> str:
        """All of it in Prometheus' text format."""
        return self.exposition("")[0].decode()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All of it, and its media type, as a scraper's Accept header wants it."""
        write, media = self._library.exposition.choose_encoder(accept)
        return write(self.registry), media

    def describe(self) -> list[Any]:
        """Nothing: to be registered it asks nobody."""
        return []

    def collect(self) -> Iterator[Any]:
        """What is known only when it is read."""
        from nearsense.cached import lookups

        families = require("prometheus_client.core", extra="server", purpose="counting what a server does")

        def gauge(
            name: str, said: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
        ) -> Any:
            family = families.GaugeMetricFamily(f"nearsense_{name}", said, labels=labels)
            for known, value in values:
                family.add_metric(known, value)
            return family

        states = [((model,), state()) for model, state in self._queues]
        for name, said in _QUEUE.items():
            yield gauge(f"queue_{name}", said, ("model",), [(model, state[name]) for model, state in states])
        asked, known = lookups()
        told = "nearsense_cache_lookups", "Texts looked up in the cache."
        family = families.CounterMetricFamily(*told, labels=["known"])
        family.add_metric(["yes"], known)
        family.add_metric(["no"], asked - known)
        yield family
        models = list(self._models.items())
        facts = [
            ((name, each.fingerprint[:12], each.precision, str(each.dimension)), 1.0) for name, each in models
        ]
        labels = ("model", "fingerprint", "precision", "dimension")
        yield gauge("model", "The models that are served.", labels, facts)
        sizes = list[tuple[Sequence[str], float]]()
        for name, each in list(self._collections.items()):
            with suppress(StoreError):  # one that cannot be read has no size; the other figures are told still
                sizes.append(((name,), float(len(each))))
        yield gauge("documents", "Documents of a collection.", ("collection",), sizes)


_QUEUE = {
    "requests": "Requests that wait for texts to be encoded.",
    "tokens": "Tokens that wait.",
    "running": "Tokens that are being encoded.",
    "rate": "Tokens a second that are encoded when there is enough to do.",
}
