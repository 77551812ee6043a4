"""Checksums of rows: of a document, and of many vectors at once. Not of files: those have SHA-256.

A vector's sum is the multilinear hash of its 64-bit words with odd weights, modulo 2**64 (Carter and Wegman 1979;
Lemire and Kaser 2014), its position among them: every change within one word changes it, and a row in another
row's place does not pass. It is one integer product, at the speed of memory, so that vectors are checked whenever
they are read.
"""

from __future__ import annotations

import functools
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["document_sum", "vector_sums"]


def document_sum(position: int, id_: str, text: str, metadata: str) -> int:
    """CRC-32 of all that a document's row says.

    Example:
        >>> document_sum(0, "1", "hello", "{}") != document_sum(1, "1", "hello", "{}")
        True
    """
    return zlib.crc32(f"{position}\0{id_}\0{text}\0{metadata}".encode())


def vector_sums(vectors: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """One sum a row.

    Args:
        vectors: float32, shape (n, d).
        positions: int64, shape (n,): where each row belongs.

    Returns:
        int64, shape (n,).

    Example:
        >>> a = np.ones((1, 4), np.float32)
        >>> bool(vector_sums(a, np.array([7])) == vector_sums(a, np.array([8])))
        False
    """
    if vectors.shape[1] % 2:
        vectors = np.pad(vectors, ((0, 0), (0, 1)))
    words = np.ascontiguousarray(vectors).view(np.uint64)
    weights = _weights(words.shape[1] + 1)
    sums = words @ weights[1:]
    sums += positions.astype(np.uint64) * weights[0]
    return sums.view(np.int64)


@functools.lru_cache
def _weights(count: int) -> NDArray[np.uint64]:
    """Odd 64-bit numbers, the same for ever: splitmix64 (Steele, Lea and Flood 2014) of 1, 2, 3, ..."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (z ^ (z >> np.uint64(31))) | np.uint64(1)
