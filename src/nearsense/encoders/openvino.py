"""Compile and run a graph on this processor: precision, threads, cache. Not what the graph computes.

OpenVINO takes what it finds in its cache as it is: a flipped bit there would be a wrong vector, and what somebody
else has put there could be any program. So compiled graphs have checksums, and others' are never read.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._folder import Folder, make_folders
from nearsense._forks import computing, lock
from nearsense._openvino import core, openvino
from nearsense.encoders.packing import Engine, Request, every_token, graph_inputs
from nearsense.errors import BrokenModel
from nearsense.records import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders.packing import Feed, Reduce


FEW_REQUESTS = 24
"""Up to so many requests in all run one after the other on all cores; more run side by side, a core each.

Side by side is twice as fast, but its graph has to be compiled first: for a few requests that does not pay.
"""

LATENCY, THROUGHPUT = "LATENCY", "THROUGHPUT"


class Runner(Engine):
    """Runs the requests of one model. Safe to use from several threads.

    `reduce` makes a text's vector of its tokens', `feed` a graph's inputs of a request; 0 threads are all cores,
    and a cache folder that cannot be written is no obstacle.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        *,
        reduce: Reduce,
        precision: Precision,
        threads: int,
        cache_dir: Path,
        feed: Feed = graph_inputs,
    ) -> None:
        with computing():
            native = "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._version = openvino().__version__.partition("-")[0]
        self._build, self._reduce, self._feed = build, reduce, feed
        self._threads, self._cache_dir = threads, cache_dir
        self.alone = feed is not graph_inputs
        if precision is Precision.AUTO:
            precision = Precision.BF16 if native else Precision.F32
        self.precision = precision.value
        self._graph: Any = None
        self._names: list[str] = []
        self._seen = 0
        self._compiled: dict[str, Any] = {}
        self._idle: dict[str, deque[Any]] = {LATENCY: deque(), THROUGHPUT: deque()}
        self._lock = lock()
        self._process = os.getpid()

    def unpooled(self) -> Runner:
        """The same compiled graphs; a request's answer is the vectors of all its tokens, end to end."""
        other = copy(self)
        other._reduce = every_token
        return other

    def side_by_side(self) -> Runner:
        """The same graph, of which each run stays on one stream: from several threads that is twice as fast."""
        other = copy(self)
        other.calls_at_once = other._streams()
        return other

    def run(self, requests: Iterable[Request]) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        """Each request, in order, with its items' vectors, float32, shape (m, h).

        Requests are taken as they are needed: making the next overlaps with running the last.
        """
        if self.calls_at_once > 1:
            for request in requests:
                yield request, self._infer(THROUGHPUT, request)
            return
        requests = iter(requests)
        first = list(islice(requests, FEW_REQUESTS + 1))
        self._seen += len(first)
        few = len(first) <= 2 or (self._seen <= FEW_REQUESTS and THROUGHPUT not in self._compiled)
        forked = os.getpid() != self._process  # OpenVINO's threads do not come along, and side by side would hang
        if few or forked:
            for request in chain(first, requests):
                yield request, self._infer(LATENCY, request)
            return
        yield from self._side_by_side(chain(first, requests))

    def _side_by_side(
        self, requests: Iterator[Request]
    ) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        size = self._streams() + 1
        running: deque[tuple[Request, Future[NDArray[np.float32]]]] = deque()
        workers = ThreadPoolExecutor(size, thread_name_prefix="nearsense")
        try:
            for request in requests:
                running.append((request, workers.submit(self._infer, THROUGHPUT, request)))
                if len(running) > 2 * size:
                    request, future = running.popleft()
                    yield request, future.result()
            for request, future in running:
                yield request, future.result()
        finally:
            workers.shutdown(cancel_futures=True)

    def _streams(self) -> int:
        """How many requests run at a time, where they run side by side."""
        return int(self._model(THROUGHPUT).get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def _infer(self, hint: str, request: Request) -> NDArray[np.float32]:
        idle = self._idle[hint]
        try:
            slot = idle.pop()
        except IndexError:
            with computing():
                slot = self._model(hint).create_infer_request()
        try:
            arrays, begins = self._feed(self._names, request)
            with computing():
                slot.infer(arrays, share_inputs=True)
            found = slot.get_output_tensor(0).data
            if found.ndim == 2:  # a graph that pools by itself
                return np.array(found, np.float32)
            return self._reduce(found.reshape(-1, found.shape[-1]), begins, request.lengths)
        except RuntimeError as error:
            raise _graph_error("run", error) from None
        finally:
            idle.append(slot)

    def _model(self, hint: str) -> Any:
        """The compiled graph for few requests (LATENCY) or many (THROUGHPUT)."""
        with computing(), self._lock:
            if hint not in self._compiled:
                if self._graph is None:
                    self._graph = self._build()
                    self._names[:] = [port.any_name for port in self._graph.inputs]
                options: dict[str, Any] = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": self.precision}
                if self._threads:  # not bound to cores: two processes of a thread each would share the first one
                    options |= {"INFERENCE_NUM_THREADS": self._threads, "ENABLE_CPU_PINNING": False}
                # One graph a folder: what another version left behind is not checked at every start.
                name = f"{self.precision}-{hint.lower()}-{self._threads}-{self._version}"
                with verified_cache(self._cache_dir / name) as cache:
                    self._compiled[hint] = self._compile(options, cache)
            return self._compiled[hint]

    def _compile(self, options: dict[str, Any], cache: Path | None) -> Any:
        """Compile, from the cache where that can be: another process may be writing there, or deleting."""
        if cache is not None:
            with suppress(RuntimeError):
                return core().compile_model(self._graph, "CPU", {**options, "CACHE_DIR": str(cache)})
        try:
            return core().compile_model(self._graph, "CPU", options)
        except RuntimeError as error:
            raise _graph_error("compiled", error) from None


def _graph_error(what: str, error: RuntimeError) -> BrokenModel:
    """OpenVINO's plain error, as one of the model."""
    fix = "get the model's folder anew, or use another model (nearsense models)"
    return BrokenModel(f"the model's graph cannot be {what}", why=str(error).strip().splitlines()[-1], fix=fix)


SEALS, GRAPH = "seals.json", ".blob"
LEVELS = 3  # folders of the cache's own, the last one included: all compiled ones, a model's, those of a precision


@contextmanager
def verified_cache(path: Path) -> Iterator[Path | None]:
    """A cache folder while a graph is compiled: what it holds has its checksum, what is new gets one.

    None where it is somebody else's or cannot be written, or where it or one of the two above it is a link.
    """
    with ExitStack() as opened:
        try:
            *_, base = path.parents[:LEVELS]
            make_folders(base)
            cache = opened.enter_context(Folder(Path(os.path.realpath(base)), private=True))
            folder = opened.enter_context(cache.reached(*path.parts[-LEVELS:]))
            usable = os.access(path, os.W_OK) and folder.keep_to_owner()
            intact = _intact_graphs(folder) if usable else {}
        except OSError:
            usable = False
        if not usable:
            yield None
            return
        yield folder.place()
        with suppress(OSError):
            _note_checksums(folder, intact)


def _intact_graphs(folder: Folder) -> dict[str, str]:
    """The checksums of the graphs that are in order; the others are deleted."""
    try:
        noted = json.loads(folder.read(SEALS)) if folder.is_mine(SEALS) else {}
    except (OSError, ValueError, RecursionError):
        noted = {}
    intact = {}
    for name in _graphs(folder):
        known = noted.get(name) if isinstance(noted, dict) else None
        if known is not None and folder.is_mine(name) and folder.sha256(name) == known:
            intact[name] = known
        else:
            folder.unlink(name)
    return intact


def _note_checksums(folder: Folder, known: dict[str, str]) -> None:
    """Note the checksums of the graphs that are new, and keep these to their owner."""
    new = [name for name in _graphs(folder) if name not in known]
    for name in new:
        folder.keep_to_owner(name)
    if new:
        folder.replace(SEALS, json.dumps({**known, **{name: folder.sha256(name) for name in new}}).encode())


def _graphs(folder: Folder) -> list[str]:
    return [name for name in folder.names() if name.endswith(GRAPH)]
