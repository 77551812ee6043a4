"""Rows to distinct texts, each once, in an order that the rows' own has no say in. Not what the texts mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import InputError
from nearsense.records import Document, Vectors
from nearsense.text import content_hash
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows and their m distinct texts, or distinct vectors where texts are not known (`written` says which).

    `node`, shape (n,), is which distinct text each row has; `first`, shape (m,), the first row of each; `data`,
    float32, shape (m, d), their vectors, of shape (0, 0) until they are encoded. `kinds` are n names: equal texts
    of two kinds are two texts.
    """

    documents: Sequence[Document]
    node: Ints
    first: Ints
    data: NDArray[np.float32]
    written: bool
    kinds: Sequence[str] | None = None

    @classmethod
    def of(
        cls,
        documents: Sequence[Document],
        vectors: Vectors | None,
        *,
        written: bool,
        kinds: Sequence[str] | None = None,
    ) -> Rows:
        """Put equal texts of one kind together; without texts, equal vectors."""
        if vectors is not None and len(vectors) != len(documents):
            what = f"{len(documents):,} texts, {len(vectors):,} vectors"
            raise InputError(what, fix="give one vector for each text")
        if written or vectors is None:
            contents: list[Any] = [document.text for document in documents]
        else:
            contents = [row.tobytes() for row in np.ascontiguousarray(vectors.data) + np.float32(0)]  # -0.0 is 0.0
        keys = contents if kinds is None else list(zip(contents, kinds, strict=True))
        place = {keys[row]: row for row in reversed(range(len(keys)))}
        ordered = sorted(place)
        first = np.array([place[key] for key in ordered], np.int64)
        numbers = {key: number for number, key in enumerate(ordered)}
        node = np.array([numbers[key] for key in keys], np.int64)
        data = np.empty((0, 0), np.float32) if vectors is None else _one_each(vectors.data, node, first)
        return cls(documents, node, first, data, written, kinds)

    def __len__(self) -> int:
        return len(self.first)

    @property
    def texts(self) -> list[str]:
        """The distinct texts, in their own order."""
        return [self.documents[row].text for row in self.first.tolist()]

    @property
    def keys(self) -> list[Any]:
        """What makes each text one: its content, and its kind where there are kinds."""
        contents = self.texts if self.written else [vector.tobytes() for vector in self.data]
        return contents if self.kinds is None else list(zip(contents, self.own_kinds, strict=True))

    @property
    def own_kinds(self) -> list[str]:
        """The kind of each text."""
        return [""] * len(self) if self.kinds is None else [self.kinds[row] for row in self.first.tolist()]

    @cached_property
    def copies(self) -> Ints:
        """How many rows have each text."""
        return np.bincount(self.node, minlength=len(self))

    @cached_property
    def order(self) -> Ints:
        """All rows, those of one text together, in their order."""
        return np.argsort(self.node, kind="stable")

    @cached_property
    def begin(self) -> Ints:
        """Where in `order` the rows of each text begin: shape (m + 1,)."""
        return np.concatenate([[0], np.cumsum(self.copies)])

    def rows_of(self, node: int) -> list[int]:
        """The rows of one text, in their order."""
        return self.order[self.begin[node] : self.begin[node + 1]].tolist()  # type: ignore[no-any-return]

    def digest(self, node: int) -> int:
        """A number for a text that only its content decides, of 64 bits."""
        text = self.documents[int(self.first[node])].text if self.written else self.data[node].tobytes().hex()
        return int.from_bytes(content_hash(text)[:8], "little")


@dataclass(frozen=True, eq=False)
class Sides:
    """Rows that may go, and those of an archive, which stay; its texts and rows are numbered after theirs."""

    rows: Rows
    archive: Rows | None

    def __len__(self) -> int:
        """How many distinct texts both have."""
        return len(self.rows) + (0 if self.archive is None else len(self.archive))

    @property
    def both(self) -> tuple[Rows, ...]:
        """The sides that there are."""
        return (self.rows,) if self.archive is None else (self.rows, self.archive)

    @cached_property
    def texts(self) -> list[str]:
        """The distinct texts."""
        return [text for side in self.both for text in side.texts]

    def of_one_kind(self, left: Ints, right: Ints) -> NDArray[np.bool_]:
        """Whether the two of each pair of texts are of one kind."""
        _, number = np.unique([kind for side in self.both for kind in side.own_kinds], return_inverse=True)
        return np.asarray(number[left] == number[right], bool)

    @cached_property
    def copies(self) -> NDArray[np.object_]:
        """How many rows have each text, as whole numbers whose products do not overflow."""
        return np.concatenate([side.copies for side in self.both]).astype(object)

    def document(self, row: int) -> Document:
        """A row."""
        n = len(self.rows.documents)
        return self.rows.documents[row] if self.archive is None or row < n else self.archive.documents[row - n]

    def rows_of(self, node: int) -> list[int]:
        """The rows of one text, in their order."""
        if self.archive is None or node < len(self.rows):
            return self.rows.rows_of(node)
        return [len(self.rows.documents) + row for row in self.archive.rows_of(node - len(self.rows))]

    def digests(self, nodes: Ints) -> NDArray[np.uint64]:
        """A number for each text that only its content decides; 0 for texts that are not among `nodes`."""
        found, m = np.zeros(len(self), np.uint64), len(self.rows)
        for node in np.unique(nodes).tolist():
            found[node] = self.both[node >= m].digest(node - m * (node >= m))
        return found

    def vectors(self, nodes: Ints) -> NDArray[np.float32]:
        """The vectors of some texts: float32, shape (len(nodes), d)."""
        if self.archive is None:
            return self.rows.data[nodes]
        found = np.empty((len(nodes), self.rows.data.shape[1]), np.float32)
        inside = nodes < len(self.rows)
        found[inside] = self.rows.data[nodes[inside]]
        found[~inside] = self.archive.data[nodes[~inside] - len(self.rows)]
        return found

    def twins(self) -> tuple[Ints, Ints]:
        """The texts that stand on both sides; of vectors alone, those of the same numbers."""
        if self.archive is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        mine, others = (side.keys for side in self.both)
        place = {key: number for number, key in enumerate(others)}
        found = [(number, place[key]) for number, key in enumerate(mine) if key in place]
        pairs = np.array(found, np.int64).reshape(len(found), 2)
        return pairs[:, 0], pairs[:, 1] + len(self.rows)


def _one_each(data: NDArray[np.float32], node: Ints, first: Ints) -> NDArray[np.float32]:
    """A vector for each text: where its rows have several, the one whose bytes come first."""
    if len(first) == len(data) and (first == np.arange(len(data))).all():
        return data
    chosen = data[first]
    for part in blocks(len(data), 65_536):
        for row in (np.flatnonzero((data[part] != chosen[node[part]]).any(axis=1)) + part.start).tolist():
            if data[row].tobytes() < chosen[node[row]].tobytes():
                chosen[node[row]] = data[row]
    return chosen
