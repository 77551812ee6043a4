"""How each kind of index is made and asked, one row a kind. Not the making and asking: see faiss.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log2, sqrt

__all__ = ["PLANS", "Plan", "plan_for", "probes"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a kind is made and asked.

    Args:
        engine: The class that faiss makes of it.
        factory: faiss's own description, from (n, d).
        least: With fewer rows there is too little to learn from; flat-ip takes its place.
        candidates: How many are scored again for k, from k.
        options: The class of faiss's search options; None where there are none, and so no filter either.
        l2: Whether faiss compares by squared Euclidean distance.
        whole: Whether it looks at every vector, so that nothing can be missed.
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
    """How a kind holds n vectors: as flat-ip where they are too few to learn from.

    Args:
        kind: A name in PLANS.
        n: How many vectors.

    Example:
        >>> plan_for("pq-fast", 10).factory(10, 384), plan_for("pq-fast", 100_000).factory(100_000, 384)
        ('Flat', 'PQ96x4fs')
    """
    return PLANS[kind] if n >= PLANS[kind].least else PLANS["flat-ip"]


def probes(lists: int) -> int:
    """How many of so many lists are looked into.

    Example:
        >>> probes(1024)
        512
    """
    return max(8, lists // 2)
