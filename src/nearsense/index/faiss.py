"""The kinds by faiss: it proposes candidates, the vectors decide. Not a check of files: their bytes are trusted.

Whatever faiss keeps, whole vectors or codes of a byte for 8 numbers, its scores never leave this file: the
candidates are scored again from the vectors, exactly as `ExactIndex` scores them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import log2, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nearsense._forks import on_fork
from nearsense.errors import FileError, InputError
from nearsense.index.exact import ExactIndex, best_among, check_search
from nearsense.records import Neighbours, Precision
from nearsense.vectors import gemm
from nearsense.vectors.rows import blocks, empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.index.exact import Rows

SAMPLE = 2**16
"""Rows that are learnt from; more where there are many lists to learn."""

BLOCK_ROWS = 2**15
"""Rows added at a time."""

SOONER = 2**27
"""Up to so many numbers in all rows a batch of queries is answered sooner by looking at all of them."""

ROOM = 2**22
"""Candidates held at a time, over all queries: 48 MiB."""

ROUNDS = 25
"""How often the centres of k-means are moved."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a kind is made and asked: the class that faiss makes of it, and faiss's own description from (n, d).

    With fewer rows than `least` there is too little to learn from, and flat-ip takes its place. `candidates` says
    how many are scored again for k; `options` is the class of faiss's search options, without which there is no
    filter either. `l2`: faiss compares by squared Euclidean distance; `whole`: it looks at every vector.
    """

    engine: str
    factory: Callable[[int, int], str]
    least: int
    candidates: Callable[[int], int]
    options: str | None
    l2: bool = False
    whole: bool = False


def _lists(n: int) -> int:
    """About sqrt(n) lists, a power of two."""
    return int(2 ** round(log2(sqrt(n))))


def _codes(d: int, *sizes: int) -> int:
    """How many pieces a vector is cut into for its code: of the first size that divides it."""
    return d // next(size for size in (*sizes, 1) if d % size == 0)


def _nearly(k: int) -> int:
    return k + 16


def _many(k: int) -> int:
    """Measured on a million vectors: recall@10 1.000 with 1,000, recall@100 0.993 with 2,000."""
    return max(1000, 20 * k)


PLANS: dict[str, Plan] = {
    "flat-ip": Plan("IndexFlat", lambda n, d: "Flat", 0, _nearly, "SearchParameters", whole=True),
    "flat-l2": Plan("IndexFlat", lambda n, d: "Flat", 0, _nearly, "SearchParameters", l2=True, whole=True),
    "ivf-flat": Plan("IndexIVFFlat", lambda n, d: f"IVF{_lists(n)},Flat", 2000, _nearly, "SearchParametersIVF"),
    "hnsw": Plan("IndexHNSWFlat", lambda n, d: "HNSW32,Flat", 1000, _nearly, "SearchParametersHNSW"),
    "ivf-pq": Plan(
        "IndexIVFPQ",
        lambda n, d: f"IVF{_lists(n)},PQ{_codes(d, 8, 6, 4, 3, 2)}x8np",
        10_000,
        _many,
        "SearchParametersIVF",
    ),
    "pq-fast": Plan("IndexPQFastScan", lambda n, d: f"PQ{_codes(d, 4, 3, 2)}x4fs", 2000, _many, None),
    "ivf-pq-fast": Plan(
        "IndexIVFPQFastScan",
        lambda n, d: f"IVF{_lists(n)},PQ{_codes(d, 4, 3, 2)}x4fs",
        2000,
        _many,
        "SearchParametersIVF",
    ),
}
"""One row a kind."""


def plan_for(kind: str, n: int) -> Plan:
    """How a kind holds n vectors: as flat-ip where they are too few to learn from."""
    return PLANS[kind] if n >= PLANS[kind].least else PLANS["flat-ip"]


class FaissIndex:
    """n vectors in one of faiss's indexes, and the rows they came from. Safe to use from several threads."""

    def __init__(self, kind: str, rows: Rows, engine: Any) -> None:
        self.kind = kind
        self._rows, self._engine = rows, engine
        self._plan = plan_for(kind, rows.shape[0])
        self.exact = ExactIndex(rows)

    def search(
        self, queries: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """See `VectorIndex.search`.

        Where so few rows may be found that looking at them all costs no more than ranking candidates, where many
        queries share what is read of rows that are not too many, and where faiss proposes too few, the answer is
        the exact one.
        """
        queries, k, allowed = check_search(self._rows, queries, k, allowed)
        n = self._rows.shape[0]
        if len(queries) >= gemm.FEW and n * self._rows.shape[1] <= SOONER and self.exact.rounds(k):
            return self.exact.search(queries, k, allowed=allowed)
        passing = n if allowed is None else int(np.count_nonzero(allowed))
        wanted = self._plan.candidates(k)
        if passing * passing <= wanted * n:
            return self.exact.search(queries, k, allowed=allowed)
        ids, scores = empty((len(queries), k), np.int64), empty((len(queries), k), np.float32)
        fetch = wanted if allowed is None or self._plan.options else wanted * n // passing
        open_ = np.arange(len(queries))
        while len(open_) and fetch <= max(wanted, n // 4):
            open_ = self._answer(queries, open_, k, fetch, wanted, allowed, ids, scores)
            fetch = fetch * 8 if allowed is not None and self._plan.options is None else n
        if len(open_):
            found = self.exact.search(queries[open_], k, allowed=allowed)
            ids[open_], scores[open_] = found.ids, found.scores
        return Neighbours(ids, scores, np.full(len(queries), k, np.int64))

    def save(self, path: Path) -> None:
        """Write faiss's index, without the vectors where it keeps codes."""
        import faiss

        try:
            faiss.write_index(self._engine, str(path))
        except RuntimeError as error:
            raise FileError(f"{path} cannot be written", why=_line(error)) from None

    def _answer(
        self,
        queries: NDArray[np.float32],
        which: NDArray[np.int64],
        k: int,
        fetch: int,
        wanted: int,
        allowed: NDArray[np.bool_] | None,
        ids: NDArray[np.int64],
        scores: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        """Fill in the best of `fetch` candidates for some queries; return those that had too few."""
        options = self._options(fetch, allowed)
        after = allowed is not None and options is None
        enough = max(k, wanted // 2) if after else k
        off = 4 * gemm.slack(self._rows.shape[1], Precision.F32)
        lacking = []
        for part in blocks(len(which), max(1, ROOM // fetch)):
            rough, found = self._engine.search(queries[which[part]], fetch, params=options)
            for query, proposed, last in zip(which[part], found, rough[:, -1], strict=True):
                own = proposed[proposed >= 0]
                own = np.sort(own[allowed[own]] if after and allowed is not None else own)
                if len(own) < enough:
                    lacking.append(query)
                    continue
                ids[query], scores[query] = best_among(self._rows, queries[query], own, k)
                bound = (1 - last / 2 if self._plan.l2 else last) + off
                if self._plan.whole and scores[query, -1] <= bound:
                    lacking.append(query)  # what ranks after the last may, unrounded, be as near as the k-th
        return np.array(lacking, np.int64)

    def _options(self, fetch: int, allowed: NDArray[np.bool_] | None) -> Any:
        """How to search once: nothing is set on the index itself, which threads share."""
        import faiss

        if self._plan.options is None:
            return None
        chosen: dict[str, Any] = {}
        if allowed is not None:
            selector: Any = faiss.IDSelectorBitmap  # its Python form takes an array, which its types do not know
            chosen["sel"] = selector(np.packbits(allowed, bitorder="little"))
        if self._plan.options == "SearchParametersIVF":
            # What a filter lets pass may lie in lists that are far from the query.
            lists = self._engine.nlist
            chosen["nprobe"] = max(8, lists // 2) if allowed is None else lists
        if self._plan.options == "SearchParametersHNSW":
            share = 1.0 if allowed is None else float(allowed.mean())
            chosen["efSearch"] = int(max(128, 4 * fetch) / max(share, 1 / 16))
        return getattr(faiss, self._plan.options)(**chosen)


def build(kind: str, rows: Rows, *, seed: int = 0) -> FaissIndex:
    """Make an index of all rows, read a block at a time; what is learnt depends on `seed`."""
    import faiss

    n, d = rows.shape
    plan = plan_for(kind, n)
    metric = faiss.METRIC_L2 if plan.l2 else faiss.METRIC_INNER_PRODUCT
    engine = faiss.index_factory(d, plan.factory(n, d), metric)
    if not engine.is_trained:
        size = min(n, max(SAMPLE, 64 * getattr(engine, "nlist", 0)))
        chosen = np.random.default_rng(seed).choice(n, size, replace=False, shuffle=False)
        _learn(engine, np.ascontiguousarray(rows.take(np.sort(chosen).astype(np.int64))), seed)
    for part in blocks(n, BLOCK_ROWS):
        engine.add(np.ascontiguousarray(rows.block(part.start, part.stop)))
    return FaissIndex(kind, rows, engine)


def write_flat(stream: BinaryIO, parts: Iterable[NDArray[np.float32]]) -> None:
    """Write a flat index by inner product of vectors that come in parts, at least one, each of shape (n, d)."""
    import faiss

    engine: Any = None
    for part in parts:
        engine = faiss.IndexFlatIP(part.shape[1]) if engine is None else engine
        engine.add(np.ascontiguousarray(part))
    faiss.write_index(engine, faiss.PyCallbackIOWriter(stream.write))  # type: ignore[attr-defined]


def read(kind: str, path: Path, rows: Rows) -> FaissIndex:
    """An index that `FaissIndex.save` wrote. The caller has checked that the file is what was written."""
    import faiss

    try:
        engine = faiss.read_index(str(path))
    except RuntimeError as error:
        raise FileError(f"{path} cannot be read as an index", why=_line(error), fix="build it again") from None
    n, d = rows.shape
    plan = plan_for(kind, n)
    is_one = isinstance(engine, getattr(faiss, plan.engine))  # a flat index has several names
    for field, here, expected in (
        ("kind", plan.engine if is_one else type(engine).__name__, plan.engine),
        ("metric", engine.metric_type, faiss.METRIC_L2 if plan.l2 else faiss.METRIC_INNER_PRODUCT),
        ("number of vectors", engine.ntotal, n),
        ("dimension", engine.d, d),
    ):
        if here != expected:
            what = f"{path} is not the index of these vectors"
            raise InputError(what, why=f"{field}: {here}, expected {expected}", fix="build it again")
    return FaissIndex(kind, rows, engine)


def kmeans(vectors: NDArray[np.float32], k: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Spherical k-means of vectors of unit length: the group of each, by its direction, int64, shape (n,).

    The centres begin at vectors that lie far from each other (greedy k-means++, Arthur and Vassilvitskii 2007).
    """
    import faiss

    n, d = vectors.shape
    if not 1 <= k <= n:
        raise InputError(f"{k:,} groups of {n:,} vectors", why="a group has one vector or more", fix="lower k")
    engine = faiss.Kmeans(
        d, k, niter=ROUNDS, seed=seed + 1, spherical=True, min_points_per_centroid=1, max_points_per_centroid=n
    )
    rows = np.ascontiguousarray(vectors, np.float32)
    engine.train(rows, init_centroids=_far_apart(rows, k, seed))
    nearest: NDArray[np.int64] = engine.index.search(rows, 1)[1][:, 0]
    return nearest


def _far_apart(rows: NDArray[np.float32], k: int, seed: int) -> NDArray[np.float32]:
    """Some of the rows: each is the best of a few draws, which fall the likelier the farther from those before."""
    random = np.random.default_rng(seed)
    chosen = [int(random.integers(len(rows)))]
    far = np.maximum(1.0 - rows @ rows[chosen[0]], 0.0)
    for _ in range(k - 1):
        sums = np.cumsum(far, dtype=np.float64)
        drawn = np.searchsorted(sums, random.random(2 + int(np.log(k))) * sums[-1])
        drawn = np.minimum(drawn, len(rows) - 1)
        left = np.minimum(np.maximum(1.0 - rows @ rows[drawn].T, 0.0), far[:, None])
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        far = left[:, best]
    return rows[chosen]


def _learn(engine: Any, sample: NDArray[np.float32], seed: int) -> None:
    """Learn the lists with all cores, and with one the codes, whose tiny steps would wait for all cores."""
    import faiss

    for owner in (engine, getattr(engine, "pq", None)):
        learning = getattr(owner, "cp", None)
        if learning is not None:
            learning.seed, learning.min_points_per_centroid = seed + 1, 1  # no word of small samples
    if hasattr(engine, "nlist"):
        engine.train_q1(len(sample), faiss.swig_ptr(sample), False, engine.metric_type)
    cores = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # for this thread alone
    try:
        engine.train(sample)
    finally:
        faiss.omp_set_num_threads(cores)


def _alone() -> None:
    """In a forked child faiss computes with one thread: its pool did not come along, and would be waited for."""
    if (faiss := sys.modules.get("faiss")) is not None:
        faiss.omp_set_num_threads(1)


on_fork(in_child=_alone)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][-200:]
