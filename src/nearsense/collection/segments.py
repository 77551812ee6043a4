"""The two parts that a search looks into: a generation, frozen in files, and the tail that was added since.

Rows count from 0 within a part; positions are the store's and hold everywhere.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nearsense._forks import lock
from nearsense.errors import InputError
from nearsense.filters import Columns, Filter, GrowingColumns
from nearsense.index import ArrayRows, VectorIndex, open_index
from nearsense.lexical import GrowingPostings, Postings
from nearsense.store.base import Block, Generation
from nearsense.store.generations import DamagedGeneration, Files
from nearsense.store.sums import vector_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)

__all__ = ["INDEX", "SUMS", "VECTORS", "CheckedRows", "Frozen", "Tail"]

VECTORS, SUMS, INDEX, POSITIONS = "vectors.f32", "sums", "index.faiss", "positions"
BLOCK = 4096
"""Rows that are checked together when many are read."""
REMEMBERED = 16
"""Masks of filters that are kept; each is one byte a row."""


class CheckedRows:
    """The vectors of a generation, in a file that is mapped into memory; every row is checked as it is read.

    Args:
        file: float32, row after row.
        shape: (n, d).
        positions: int64, shape (n,).
        sums: int64, shape (n,).
    """

    def __init__(
        self, file: Path, shape: tuple[int, int], positions: NDArray[np.int64], sums: NDArray[np.int64]
    ) -> None:
        self.shape = shape
        self._file, self._positions, self._sums = file, positions, sums
        mapped = np.memmap(file, np.float32, "r", shape=shape) if shape[0] else np.empty(shape, np.float32)
        self._data = np.asarray(mapped)  # a plain array over the same memory: np.memmap is slow to index
        self._seen = np.zeros(-(-shape[0] // BLOCK), bool)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some vectors."""
        found = self._data[rows]
        self._check(found, self._positions[rows], self._sums[rows])
        return found

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The vectors of rows start to stop; checked when they are first read."""
        for each in range(start // BLOCK, -(-stop // BLOCK)):
            if not self._seen[each]:
                part = slice(each * BLOCK, (each + 1) * BLOCK)
                self._check(self._data[part], self._positions[part], self._sums[part])
                self._seen[each] = True
        return self._data[start:stop]

    def _check(self, vectors: NDArray[np.float32], positions: NDArray[np.int64], sums: NDArray[np.int64]) -> None:
        if not np.array_equal(vector_sums(vectors, positions), sums):
            raise DamagedGeneration(f"{self._file} is not what was written", why="the sum of a row does not fit")


class Frozen:
    """A generation, opened; each of its parts is read when it is first asked for.

    Args:
        folder: Where generations lie.
        generation: Which one.

    Raises:
        DamagedGeneration: A file is missing or is not what was written; at any later use as well.
    """

    def __init__(self, folder: Path, generation: Generation) -> None:
        self.generation = generation
        self._files = Files(folder / generation.name, generation.manifest["files"])
        self._kind = generation.manifest["index"]["kind"]
        shape = (generation.manifest["rows"], generation.manifest["dimension"])
        self.positions: NDArray[np.int64] = self._files.array(POSITIONS)
        self.rows = CheckedRows(self._files.unchecked(VECTORS), shape, self.positions, self._files.array(SUMS))
        self._masks: OrderedDict[Filter, NDArray[np.bool_]] = OrderedDict()
        self._guard = lock()

    def __len__(self) -> int:
        return self.rows.shape[0]

    @cached_property
    def index(self) -> VectorIndex:
        """The nearest neighbours of a vector."""
        file = self._files.checked(INDEX) if INDEX in self._files.names() else None
        with _readable():
            return open_index(self._kind, file, self.rows)

    @cached_property
    def columns(self) -> Columns:
        """The metadata."""
        with _readable():
            return Columns.from_arrays(self._files.arrays("columns-"))

    @cached_property
    def postings(self) -> Postings:
        """The words."""
        with _readable():
            return Postings.from_arrays(self._files.arrays("postings-"))

    def mask(self, where: Filter) -> NDArray[np.bool_]:
        """Which rows a filter lets pass; shape (n,), not to be written to."""
        with self._guard:
            if where in self._masks:
                self._masks.move_to_end(where)
                return self._masks[where]
        mask = self.columns.mask(where)
        with self._guard:
            self._masks[where] = mask
            while len(self._masks) > REMEMBERED:
                self._masks.popitem(last=False)
        return mask

    def verify(self) -> list[str]:
        """Which files are not what was written."""
        wrong = []
        for name in self._files.names():
            try:
                self._files.checked(name)
            except DamagedGeneration as error:
                wrong.append(error.what)
        return wrong


class Tail:
    """What was added since the generation, in memory. It only grows: its first rows stay as they are.

    Args:
        dimension: Of the vectors.
    """

    def __init__(self, dimension: int) -> None:
        self._vectors = np.empty((0, dimension), np.float32)
        self._positions = np.empty(0, np.int64)
        self._count = 0
        self._columns, self._postings = GrowingColumns(), GrowingPostings()
        self._texts: list[str] = []
        self._metadata: list[object] = []
        self._guard = lock()

    def __len__(self) -> int:
        return self._count

    def extend(self, block: Block) -> None:
        """Add documents."""
        count = self._count + len(block.positions)
        if count > len(self._positions):
            room = max(count, 2 * len(self._positions), 64)
            self._positions = _larger(self._positions, room, self._count)
            self._vectors = _larger(self._vectors, room, self._count)
        self._positions[self._count : count] = block.positions
        self._vectors[self._count : count] = block.vectors
        with self._guard:
            self._texts.extend(document.text for document in block.documents)
            self._metadata.extend(document.metadata for document in block.documents)
        self._count = count

    def positions(self, count: int) -> NDArray[np.int64]:
        """Of the first rows."""
        return self._positions[:count]

    def rows(self, count: int) -> ArrayRows:
        """The vectors of the first rows."""
        return ArrayRows(self._vectors[:count])

    def mask(self, where: Filter, count: int) -> NDArray[np.bool_]:
        """Which of the first rows a filter lets pass."""
        with self._guard:
            waiting, self._metadata = self._metadata, []
            self._columns.extend(waiting)  # type: ignore[arg-type]
        return self._columns.mask(where, count)

    def fields(self) -> set[str]:
        """The names of all metadata fields."""
        with self._guard:
            waiting, self._metadata = self._metadata, []
            self._columns.extend(waiting)  # type: ignore[arg-type]
            return set(self._columns.fields)

    def postings(self) -> GrowingPostings:
        """The words of all rows."""
        with self._guard:
            waiting, self._texts = self._texts, []
            self._postings.extend(waiting)
        return self._postings


def _larger(array: NDArray[S], room: int, used: int) -> NDArray[S]:
    grown = np.empty((room, *array.shape[1:]), array.dtype)
    grown[:used] = array[:used]
    return grown


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """What another version of nearsense wrote, and this one does not read, is made again like what is damaged."""
    try:
        yield
    except InputError as error:
        raise DamagedGeneration(error.what, why=error.why) from None
