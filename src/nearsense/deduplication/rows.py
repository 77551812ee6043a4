"""Rows to distinct texts, each once, in an order that the rows' own has no say in. Not what the texts mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import InputError
from nearsense.text import content_hash
from nearsense.types import Document, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows and their m distinct texts.

    Args:
        documents: The rows.
        node: int64, shape (n,): which distinct text each row has.
        first: int64, shape (m,): the first row of each.
        data: float32, shape (m, d): their vectors; None until they are encoded.
        written: Whether texts are known.
    """

    documents: Sequence[Document]
    node: NDArray[np.int64]
    first: NDArray[np.int64]
    data: NDArray[np.float32] | None
    written: bool

    @classmethod
    def of(cls, documents: Sequence[Document], vectors: Vectors | None, *, written: bool) -> Rows:
        """Put equal texts together; without texts, equal vectors.

        Raises:
            InputError: There are not as many documents as vectors.
        """
        if vectors is not None and len(vectors) != len(documents):
            raise InputError(
                f"{len(documents):,} texts, {len(vectors):,} vectors", fix="give one vector for each text"
            )
        if written:
            keys: list[str] | list[bytes] = [document.text for document in documents]
        else:
            assert vectors is not None
            keys = [row.tobytes() for row in np.ascontiguousarray(vectors.data) + np.float32(0)]  # -0.0 is 0.0
        place: dict[str | bytes, int] = {}
        for row in range(len(keys) - 1, -1, -1):
            place[keys[row]] = row
        ordered = sorted(place)
        first = np.array([place[key] for key in ordered], np.int64)
        numbers = {key: number for number, key in enumerate(ordered)}
        node = np.array([numbers[key] for key in keys], np.int64)
        data = None if vectors is None else _one_each(vectors.data, node, first)
        return cls(documents, node, first, data, written)

    def __len__(self) -> int:
        return len(self.first)

    @property
    def texts(self) -> list[str]:
        """The distinct texts, in their own order."""
        return [self.documents[row].text for row in self.first.tolist()]

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """How many rows have each text."""
        return np.bincount(self.node, minlength=len(self))

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """All rows, those of one text together, in their order."""
        return np.argsort(self.node, kind="stable")

    @cached_property
    def begin(self) -> NDArray[np.int64]:
        """Where in `order` the rows of each text begin: shape (m + 1,)."""
        return np.concatenate([[0], np.cumsum(self.copies)])

    def rows_of(self, node: int) -> list[int]:
        """The rows of one text, in their order."""
        return self.order[self.begin[node] : self.begin[node + 1]].tolist()  # type: ignore[no-any-return]

    def digests(self, nodes: NDArray[np.int64]) -> NDArray[np.uint64]:
        """A number for each of some texts that only their content decides."""
        found = np.empty(len(nodes), np.uint64)
        for at, node in enumerate(nodes.tolist()):
            if self.written:
                digest = content_hash(self.documents[int(self.first[node])].text)
            else:
                assert self.data is not None
                digest = content_hash(self.data[node].tobytes().hex())
            found[at] = int.from_bytes(digest[:8], "little")
        return found


def _one_each(data: NDArray[np.float32], node: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.float32]:
    """A vector for each text: where its rows have several, the one whose bytes come first."""
    if len(first) == len(data) and (first == np.arange(len(data))).all():
        return data
    chosen = data[first]
    for begin in range(0, len(data), 65_536):
        part = slice(begin, begin + 65_536)
        for row in (np.flatnonzero((data[part] != chosen[node[part]]).any(axis=1)) + begin).tolist():
            if data[row].tobytes() < chosen[node[row]].tobytes():
                chosen[node[row]] = data[row]
    return chosen
