"""Vectors in fewer bytes: 8 bits a number, or one. Not shorter ones: that is `load(dimensions=...)`.

What is lost is measured, never assumed: `Quantized.recall`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import InputError
from nearsense.records import ReadAs, Vectors, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Quantization", "Quantized", "quantize"]

SAMPLE = 200
"""Vectors whose neighbours are compared when a recall is measured."""


class Quantization(StrEnum):
    """How many bits a number gets."""

    INT8 = "int8"
    """Eight, and a factor for each vector: a quarter of the bytes."""
    BINARY = "binary"
    """One, its sign: a thirty-second."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """Vectors in fewer bytes, and which model made them.

    Args:
        kind: How.
        data: int8, shape (n, d), or uint8, shape (n, d / 8 rounded up): eight signs a byte, the first one highest.
        scales: float32, shape (n,): what an int8 vector is multiplied by; for binary ones 1 over the root of d.
        dimension: d.
        truncated: bool, shape (n,): the rows whose text was cut at the model's limit.
        fingerprint: Of the model.
        model: Its name.
        read_as: How it read the texts; None where it is not known.
    """

    kind: Quantization
    data: NDArray[np.int8] | NDArray[np.uint8]
    scales: NDArray[np.float32]
    dimension: int
    truncated: NDArray[np.bool_]
    fingerprint: str
    model: str
    read_as: ReadAs | None = None

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return (
            f"Quantized({len(self):,} x {self.dimension}, {self.kind.value}, {self.model} {self.fingerprint[:8]})"
        )

    def restored(self) -> Vectors:
        """As float32 again, shape (n, d): near the vectors they were, and comparable with others of the model.

        Compare float32 queries with them: half of the loss is then saved.
        """
        numbers: NDArray[Any] = self.data
        if self.kind is Quantization.BINARY:
            bits = np.unpackbits(self.data.view(np.uint8), axis=1, count=self.dimension)
            numbers = bits.astype(np.float32) * 2 - 1
        data = numbers * self.scales[:, None]
        return Vectors(data, self.fingerprint, self.truncated, self.model, self.read_as)

    def recall(self, vectors: Vectors, k: int = 10) -> float:
        """Of the k nearest of a sample of vectors, the share that is still found among these; in [0, 1].

        Args:
            vectors: What these were made from.
            k: How many; at most one less than there are.

        Raises:
            ModelMismatch: They are of another model.
            InputError: They are not as many, or fewer than two.
        """
        from nearsense.checks import positive_int
        from nearsense.vectors.similarity import top_k

        vectors.require_made_by(self.model, self.fingerprint)
        if len(vectors) != len(self) or len(self) < 2:
            raise InputError(
                f"{len(vectors):,} vectors and {len(self):,} quantized ones", why="2 or more are needed"
            )
        k = min(positive_int(k, "k"), len(self) - 1)
        rows = np.unique(np.linspace(0, len(self) - 1, SAMPLE).astype(np.int64))
        asked = vectors.data[rows]
        before, after = (top_k(asked, each, k + 1).ids for each in (vectors.data, self.restored().data))
        return float(np.mean([_share(*each, k) for each in zip(rows.tolist(), before, after, strict=True)]))


def _share(row: int, before: NDArray[np.int64], after: NDArray[np.int64], k: int) -> float:
    """How many of a row's k nearest are still among them; itself is none of them."""
    was, now = ([each for each in ids.tolist() if each != row][:k] for ids in (before, after))
    return len({*was} & {*now}) / k


def quantize(vectors: Vectors, kind: str, *, anyway: bool = False) -> Quantized:
    """Keep vectors in fewer bytes.

    int8: each vector's numbers over its largest one, times 127, rounded. binary: the sign of each number.

    Args:
        vectors: n vectors.
        kind: "int8" or "binary".
        anyway: Do it too where the model's makers do not say that its vectors bear it: then measure `recall`.

    Raises:
        InputError: The kind is not known, or the makers do not say so.

    Example:
        >>> import nearsense as ns
        >>> vectors = ns.load().encode(["a dog", "a cat", "a car"])
        >>> small = quantize(vectors, "int8", anyway=True)
        >>> small.data.nbytes / vectors.data.nbytes, small.recall(vectors, k=1)
        (0.25, 1.0)
    """
    from nearsense.encoders.catalog import card_of

    chosen = parse(Quantization, kind, name="kind")
    card = card_of(vectors.model)
    if not anyway and chosen.value not in (card.quantization if card else ()):
        raise InputError(
            f"nobody says that vectors of {vectors.model} can be {chosen.value}",
            why="what is lost depends on how a model was trained",
            fix="anyway=True, and look at what .recall(vectors) gives",
        )
    data, d = vectors.data, vectors.dimension
    if chosen is Quantization.BINARY:
        scales = np.full(len(data), d**-0.5, np.float32)
        small: NDArray[Any] = np.packbits(data > 0, axis=1)
    else:
        scales = np.abs(data).max(axis=1, initial=0).astype(np.float32) / 127
        small = np.rint(data / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    made_by = (vectors.fingerprint, vectors.model, vectors.read_as)
    return Quantized(chosen, small, scales, d, vectors.truncated, *made_by)
