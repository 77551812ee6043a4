"""What a collection must hold after each batch of a workload: computed, never read. Not how it is written there.

Batch number n of a seed is always the same, so that a process that died and the one that looks afterwards agree on
what it did without a word between them.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field

import numpy as np

from nearsense.records import Document

DIMENSIONS = 16
MAPPED = 99
_CHANCE = np.random.default_rng(9)
WEIGHT = (np.eye(DIMENSIONS) + _CHANCE.normal(0, 0.3, (DIMENSIONS, DIMENSIONS))).astype(np.float32)
"""A model that is an adapter of the first one, and its map."""
LONG = 40_000
"""Characters of some texts: several pages of the database."""


def vectors_of(texts: list[str], model: int = 0) -> np.ndarray:
    """What a model says of texts: random, and always the same; of the one that is `MAPPED`, the first's mapped."""
    if model == MAPPED:
        mapped = vectors_of(texts) @ WEIGHT.T
        return mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-9)
    rows = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        seed = int.from_bytes(hashlib.sha256(f"{model} {text}".encode()).digest()[:8], "little")
        rows[row] = np.random.default_rng(seed).standard_normal(DIMENSIONS)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@dataclass
class Batch:
    """One change: ids that go, documents that come (some instead of one that was there), and their vectors."""

    removed: list[str]
    documents: list[Document]
    vectors: np.ndarray


@dataclass
class Truth:
    """Everything that is there: id -> (text, metadata, vector as bytes)."""

    rows: dict[str, tuple[str, dict, bytes]] = field(default_factory=dict)

    def after(self, batch: Batch) -> Truth:
        rows = {id_: row for id_, row in self.rows.items() if id_ not in set(batch.removed)}
        for document, vector in zip(batch.documents, batch.vectors, strict=True):
            rows[document.id] = (document.text, dict(document.metadata), vector.tobytes())
        return Truth(rows)

    def best(self, query: np.ndarray, k: int) -> list[str]:
        """The ids that are nearest to a query, by brute force in float64."""
        ids = sorted(self.rows)
        if not ids:
            return []
        vectors = np.stack([np.frombuffer(self.rows[id_][2], np.float32) for id_ in ids]).astype(np.float64)
        scores = vectors @ query.astype(np.float64)
        return [ids[row] for row in np.argsort(-scores, kind="stable")[:k]]


class Script:
    """The batches of a seed, and the truth after each; asked in any order.

    Args:
        seed: Which script.
        size: Documents a batch, about.
        kind: "mixed": a batch removes, replaces and adds. "single": a batch does one of the three.
    """

    def __init__(self, seed: int, *, size: int = 6, kind: str = "mixed") -> None:
        self.seed, self.size, self.kind = seed, size, kind
        self._batches: list[Batch] = []
        self._truths = [Truth()]

    def batch(self, number: int) -> Batch:
        """The batch with a number, from 1."""
        self._up_to(number)
        return self._batches[number - 1]

    def truth(self, number: int) -> Truth:
        """What is there after it."""
        self._up_to(number)
        return self._truths[number]

    def _up_to(self, number: int) -> None:
        while len(self._batches) < number:
            self._batches.append(self._drawn(len(self._batches) + 1))
            self._truths.append(self._truths[-1].after(self._batches[-1]))

    def _drawn(self, number: int) -> Batch:
        chance = random.Random(f"{self.seed}:{number}")
        there = sorted(self._truths[-1].rows)
        sort = chance.choice(("add", "add", "replace", "remove")) if self.kind == "single" else "all"
        if not there:
            sort = "add"
        few = min(len(there), chance.randint(1, max(1, self.size // 2)))
        some = chance.sample(there, few)
        removed = some[: few // 2] if sort == "all" else some if sort == "remove" else []
        replaced = some[few // 2 :] if sort == "all" else some if sort == "replace" else []
        added = chance.randint(1, self.size) if sort in ("all", "add") else 0
        ids = replaced + [f"{number}-{each}" for each in range(added)]
        documents = [Document(id_, self._text(chance, number), {"batch": number}) for id_ in ids]
        return Batch(removed, documents, vectors_of([document.text for document in documents]))

    def _text(self, chance: random.Random, number: int) -> str:
        length = LONG if chance.random() < 0.03 else chance.randint(1, 300)
        return f"batch {number} " + "".join(chance.choices("abcdefgh äß😀\0", k=length)) + "."
