"""Stored vectors and the model that made them, checked. Not how one format holds them: see npy.py, parquet.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import FileError
from nearsense.types import ReadAs, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UNKNOWN_MODEL", "Collector", "described_reading", "given_name", "require_finite", "stored_name"]

UNKNOWN_MODEL = "unknown model"

_BLOCK = 1 << 22  # values at a time: the check's own arrays stay small
_PREFIX = "metadata."
_TAKEN = re.compile(rf"({re.escape(_PREFIX)})*(vector|truncated|model|fingerprint|read_as)")


def stored_name(field: str) -> str:
    """Under which name a metadata field stands beside a vector, where some names are taken.

    Example:
        >>> [stored_name(field) for field in ("status", "model", "metadata.model")]
        ['status', 'metadata.model', 'metadata.metadata.model']
    """
    return _PREFIX + field if _TAKEN.fullmatch(field) else field


def given_name(name: str) -> str:
    """The metadata field that `stored_name` made `name` of.

    Example:
        >>> [given_name(name) for name in ("status", "metadata.model", "metadata.status")]
        ['status', 'model', 'metadata.status']
    """
    return name.removeprefix(_PREFIX) if _TAKEN.fullmatch(name) else name


def described_reading(vectors: Vectors) -> dict[str, Any]:
    """How the texts were read, as a further field of what a file says; empty where it is not known."""
    return {} if vectors.read_as is None else {"read_as": asdict(vectors.read_as)}


def _taken_reading(record: dict[str, Any]) -> ReadAs | None:
    """How a record's text was read, taken out of it; a field of a user's that is called so stays."""
    found = ReadAs.of(record.get("read_as"))
    if found is not None:
        del record["read_as"]
    return found


def require_finite(data: NDArray[np.float32], source: str) -> None:
    """Refuse NaN and infinities.

    Args:
        data: Shape (n, d).
        source: The file's name for the message.

    Raises:
        FileError: A row holds one; it is named, from 1.
    """
    step = max(1, _BLOCK // max(data.shape[1], 1))
    for begin in range(0, len(data), step):
        bad = ~np.isfinite(data[begin : begin + step]).all(axis=1)
        if bad.any():
            raise _not_finite(f"{source}, row {begin + int(bad.argmax()) + 1}")


def _not_finite(place: str) -> FileError:
    return FileError(
        f"{place}: the vector holds NaN or an infinity",
        why="it has no direction, every score with it would be NaN",
        fix="encode the texts again",
    )


class Collector:
    """Takes the vectors out of JSON records, one after the other; what is of no known model is also kept as it is.

    The first record decides: it has "fingerprint" and "vector", as `write_vectors` makes them, or a "vector" of
    numbers; otherwise every record passes as it is. A "vector" without a fingerprint is not ours: where one of
    them is no vector, it is a column like any other.

    Args:
        source: The file's name for messages.
        unit: "line" or "row", for messages.
    """

    def __init__(self, source: str, unit: str) -> None:
        self._source, self._unit = source, unit
        self._active: bool | None = None
        self._ours = self._spoilt = False
        self._rows: list[NDArray[Any]] = []
        self._truncated: list[bool] = []
        self._fingerprint, self._model = "", UNKNOWN_MODEL
        self._read_as: ReadAs | None = None

    def take(self, record: dict[str, Any], number: int) -> dict[str, Any]:
        """The record without its vector and what describes it.

        Args:
            record: It is emptied of what is taken.
            number: Its line or row, for messages.

        Raises:
            FileError: The vector is missing, of another length or model than those before, or holds no numbers.
        """
        if self._active is None:
            self._begin(record)
        if not self._active or self._spoilt:
            return record
        place = f"{self._source}, {self._unit} {number}"
        try:
            self._rows.append(self._vector(record.get("vector"), place))
        except FileError:
            self._spoilt = not self._ours and not record.keys() <= {"id", "vector"}
            if self._spoilt:
                return record
            raise
        record.pop("vector", None)
        if self._ours:
            fingerprint, model = record.pop("fingerprint", ""), record.pop("model", UNKNOWN_MODEL)
            if fingerprint != self._fingerprint:
                raise FileError(
                    f"{place}: vectors of two models in one file: {self._model} ({self._fingerprint[:12]}) "
                    f"and {model} ({str(fingerprint)[:12]})",
                    why="the same direction means something else in each; their scores would be noise",
                    fix="encode all texts with one model",
                )
            if (read_as := _taken_reading(record)) != self._read_as:
                raise FileError(
                    f"{place}: texts that were read in two ways in one file: {self._read_as} and {read_as}",
                    why="the same text would have two vectors",
                    fix="encode all texts with the same options",
                )
        self._truncated.append(self._ours and record.pop("truncated", False) is True)
        return {given_name(name): value for name, value in record.items()} if self._ours else record

    def vectors(self, columns: dict[str, list[Any]]) -> Vectors | None:
        """All that was taken, or None if there was nothing to take.

        Args:
            columns: What became of the records; what was taken in vain is given back to them.
        """
        if self._spoilt:
            others = columns.get("vector", [None] * len(next(iter(columns.values()))))
            columns["vector"] = [row.tolist() for row in self._rows] + others[len(self._rows) :]
            return None
        if not self._rows:
            return None
        data = np.stack(self._rows).astype(np.float32, copy=False)
        truncated = np.array(self._truncated, dtype=np.bool_)
        return Vectors(data, self._fingerprint, truncated, self._model, self._read_as)

    @property
    def foreign(self) -> Callable[[int], list[float]] | None:
        """A record's vector as it stands in the file, where none was of a known model."""
        return None if self._ours or self._spoilt or not self._rows else lambda row: list(self._rows[row].tolist())

    def _begin(self, record: dict[str, Any]) -> None:
        vector, fingerprint = record.get("vector"), record.get("fingerprint")
        self._ours = "vector" in record and isinstance(fingerprint, str)
        numbers = isinstance(vector, list) and bool(vector) and isinstance(vector[0], (int, float))
        self._active = self._ours or numbers
        if self._ours:
            self._fingerprint, self._model = str(fingerprint), str(record.get("model", UNKNOWN_MODEL))
            self._read_as = ReadAs.of(record.get("read_as"))

    def _vector(self, value: Any, place: str) -> NDArray[Any]:
        try:
            array = np.asarray(value if isinstance(value, list) else None)
        except ValueError:  # lists of unequal length in it
            array = np.empty(0)
        if array.ndim != 1 or array.dtype.kind not in "fiu" or not len(array):
            raise FileError(
                f"{place}: 'vector' is no list of numbers",
                why="the records before hold a vector there",
                fix="correct the record, or encode the texts again",
            )
        if self._rows and len(array) != len(self._rows[0]):
            raise FileError(
                f"{place}: a vector of {len(array)} values, those before have {len(self._rows[0])}",
                why="the vectors of one model are of one length",
                fix="encode all texts with one model",
            )
        with np.errstate(over="ignore"):
            row = array.astype(np.float32)
        if not np.isfinite(row).all():
            raise _not_finite(place)
        return row if self._ours else array
