"""Made samples for the tests of drift: directions around centres, as texts about a few things are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nearsense.records import Vectors

MODEL = "f" * 64


def around(centres, sizes, *, seed=0, width=32, spread=0.15):
    """Unit vectors around centres: so many of each, the centres the same for every seed."""
    middle = np.random.default_rng(7).standard_normal((centres, width))
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    random = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            centre + spread * random.standard_normal((size, width))
            for centre, size in zip(middle, sizes, strict=True)
        ]
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def vectors(rows, *, model=MODEL):
    rows = np.ascontiguousarray(rows, np.float32)
    return Vectors(rows, model, np.zeros(len(rows), np.bool_), "made")


@dataclass(frozen=True)
class Asked:
    """A logged query, as far as drift looks at it."""

    query: str | None
    digest: str = "d"
    mode: str = "dense"
    ids: tuple[str, ...] = ("a", "b")
    scores: tuple[float, ...] = (0.8, 0.5)
    probabilities: tuple[float | None, ...] = (0.9, 0.1)
    answered: bool = True
    chosen: str | None = None
    model: str = MODEL


VERBS = ("find", "change", "cancel", "pay", "return", "print", "share", "lose")
THINGS = ("order", "ticket", "bill", "login", "refund", "voucher", "parcel", "address")
WAYS = (
    "today",
    "by phone",
    "without a receipt",
    "for my mother",
    "in the app",
    "before May",
    "twice",
    "abroad",
)
NIGHT = [
    f"does the {animal} {verb} at night"
    for verb in ("hunt", "sleep", "sing", "feed", "hide")
    for animal in ("owl", "bat", "fox", "cat", "hedgehog")
]


def requests(n, seed=0):
    """So many questions to a shop, drawn from 512."""
    random = np.random.default_rng(seed)
    return [f"how do I {random.choice(VERBS)} my {random.choice(THINGS)} {random.choice(WAYS)}" for _ in range(n)]
