"""Stored vectors with the model that made them: out of JSON records, and as .npy. Not parquet: see parquet.py.

    a standard .npy file (float32, C order, shape (n, d))
    JSON: model, fingerprint, truncated (row numbers), perhaps ids, texts
    and metadata (columns by their names); crc32 of the matrix and of this JSON
    the JSON's length, 8 bytes, little-endian
    b"nearsns1"

`np.load` stops where the matrix ends, also with `mmap_mode="r"`, so it never sees the rest.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nearsense.errors import FileError
from nearsense.files.streams import Source
from nearsense.files.table import Table, columns_of, json_value
from nearsense.records import ReadAs, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN_MODEL = "unknown model"
MAGIC = b"nearsns1"

_CHECKED = 1 << 22  # values at a time: the check's own arrays stay small
_BLOCK = 1 << 24  # bytes at a time
NO_ARRAY = (ValueError, KeyError, SyntaxError, TokenError)
"""What numpy raises where the head of an array is not as it writes them."""

_FIX = 'np.save(path, array.astype("float32")) with an array of shape (n, d)'
_PREFIX = "metadata."
_TAKEN = re.compile(rf"({re.escape(_PREFIX)})*(vector|truncated|model|fingerprint|read_as)")


def escape_field(field: str) -> str:
    """The name of a metadata field beside a vector, where "model", say, is taken: "metadata.model"."""
    return _PREFIX + field if _TAKEN.fullmatch(field) else field


def unescape_field(name: str) -> str:
    """The metadata field that `escape_field` gave that name."""
    return name.removeprefix(_PREFIX) if _TAKEN.fullmatch(name) else name


@dataclass(frozen=True, slots=True)
class VectorRows:
    """Finite vectors to be written, with what stands beside each: its "id" and "text" if given, and metadata."""

    vectors: Vectors
    given: Mapping[str, Sequence[str]]
    metadata: Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class VectorParts:
    """So many vectors of one model: some at a time, in one part or more, as often as `parts` is called."""

    count: int
    parts: Callable[[], Iterator[VectorRows]]

    @classmethod
    def of(cls, rows: VectorRows) -> VectorParts:
        """What is in memory anyway."""
        return cls(len(rows.vectors), lambda: iter([rows]))


def description(vectors: Vectors, **more: Any) -> dict[str, Any]:
    """What a file says of its vectors: the model, and how the texts were read where that is known."""
    read_as = {} if vectors.read_as is None else {"read_as": asdict(vectors.read_as)}
    return {"model": vectors.model, "fingerprint": vectors.fingerprint, **more, **read_as}


def vectors_of(data: NDArray[np.float32], truncated: NDArray[np.bool_], said: Mapping[str, Any]) -> Vectors:
    """Vectors, shape (n, d), with what a file says of them; a foreign file says nothing."""
    fingerprint, model = str(said.get("fingerprint", "")), str(said.get("model", UNKNOWN_MODEL))
    return Vectors(data, fingerprint, truncated, model, ReadAs.of(said.get("read_as")))


def require_finite(data: NDArray[np.float32], source: str) -> None:
    """Refuse NaN and infinities in a matrix of shape (n, d); the first such row is named, from 1."""
    step = max(1, _CHECKED // max(data.shape[1], 1))
    for begin in range(0, len(data), step):
        bad = ~np.isfinite(data[begin : begin + step]).all(axis=1)
        if bad.any():
            raise _not_finite(f"{source}, row {begin + int(bad.argmax()) + 1}")


def _not_finite(place: str) -> FileError:
    why = "it has no direction, every score with it would be NaN"
    return FileError(f"{place}: the vector holds NaN or an infinity", why=why, fix="encode the texts again")


def odd_length(what: str) -> FileError:
    """Why a vector of another length, or none, is refused."""
    return FileError(what, why="the vectors of one model are of one length", fix="encode all texts with one model")


class VectorColumn:
    """Takes the vectors out of JSON records, one after the other; what is of no known model is also kept as it is.

    The first record decides: it has "fingerprint" and "vector", as `write_vectors` makes them, or a "vector" of
    numbers; otherwise every record passes as it is. A "vector" without a fingerprint is not ours: where one of
    them is no vector, it is a column like any other.
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
        """The record of a line or row without its vector and what describes it; it is emptied of that."""
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
        if not self._ours:
            self._truncated.append(False)
            return record
        self._require_same_model(record, place)
        self._truncated.append(record.pop("truncated", False) is True)
        return {unescape_field(name): value for name, value in record.items()}

    def vectors(self, columns: dict[str, list[Any]]) -> Vectors | None:
        """All that was taken, or None; what was taken in vain is given back to the records' columns."""
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

    def _require_same_model(self, record: dict[str, Any], place: str) -> None:
        fingerprint, model = record.pop("fingerprint", ""), record.pop("model", UNKNOWN_MODEL)
        if fingerprint != self._fingerprint:
            models = f"{self._model} ({self._fingerprint[:12]}) and {model} ({str(fingerprint)[:12]})"
            why = "the same direction means something else in each; their scores would be noise"
            what = f"{place}: vectors of two models in one file: {models}"
            raise FileError(what, why=why, fix="encode all texts with one model")
        read_as = ReadAs.of(record.get("read_as"))
        if read_as is not None:  # else it is a field of a user's that is called so
            del record["read_as"]
        if read_as != self._read_as:
            what = f"{place}: texts that were read in two ways in one file: {self._read_as} and {read_as}"
            why = "the same text would have two vectors"
            raise FileError(what, why=why, fix="encode all texts with the same options")

    def _vector(self, value: Any, place: str) -> NDArray[Any]:
        try:
            array = np.asarray(value if isinstance(value, list) else None)
        except ValueError:  # lists of unequal length in it
            array = np.empty(0)
        if array.ndim != 1 or array.dtype.kind not in "fiu" or not len(array):
            what, fix = f"{place}: 'vector' is no list of numbers", "correct the record, or encode the texts again"
            raise FileError(what, why="the records before hold a vector there", fix=fix)
        if self._rows and len(array) != len(self._rows[0]):
            raise odd_length(f"{place}: a vector of {len(array)} values, those before have {len(self._rows[0])}")
        with np.errstate(over="ignore"):
            row = array.astype(np.float32)
        if not np.isfinite(row).all():
            raise _not_finite(place)
        return row if self._ours else array


def read_npy(source: Source) -> Table:
    """A matrix as a Table: `vectors`, and the columns "id", "text" and the metadata's where they were stored."""
    with source.open() as stream:
        shape, fortran = _header(source, stream)
        data, checksum = _matrix(source, stream, shape, fortran)
        trailer = _trailer(source, stream.read(), checksum)
    if not len(data):
        raise FileError(f"{source.name} holds no vectors", why=f"its shape is {shape}", fix="give another file")
    require_finite(data, source.name)
    truncated = np.zeros(len(data), dtype=np.bool_)
    columns = {name: trailer[key] for name, key in (("id", "ids"), ("text", "texts")) if key in trailer}
    try:
        truncated[np.array(trailer.get("truncated", []), dtype=np.int64)] = True
        columns |= dict(trailer.get("metadata", {}))
        complete = all(len(column) == len(data) for column in columns.values())
    except (TypeError, ValueError, IndexError, OverflowError):
        complete = False
    if not complete:
        raise _damaged(source, "what stands behind the matrix does not fit it")
    lines = list(range(1, len(data) + 1))
    return Table(columns, lines, source.name, vectors_of(data, truncated, trailer), "row")


def _header(source: Source, stream: BinaryIO) -> tuple[tuple[int, int], bool]:
    """The matrix's shape and whether it lies column by column."""
    source.require_content()
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, fortran, dtype = readers[np.lib.format.read_magic(stream)](stream)
    except NO_ARRAY as error:
        raise FileError(f"{source.name} is no .npy file that numpy reads", why=str(error), fix=_FIX) from error
    if dtype.hasobject:
        why = "reading them could run any code, so it is refused"
        raise FileError(f"{source.name} holds pickled Python objects", why=why, fix=_FIX)
    if len(shape) != 2 or not shape[1]:
        raise FileError(f"{source.name} has shape {shape}", why="one row a text is needed: (n, d)", fix=_FIX)
    if dtype != np.dtype("<f4"):
        raise FileError(f"{source.name} holds {dtype}", why="vectors are float32", fix=_FIX)
    return shape, fortran


def _matrix(
    source: Source, stream: BinaryIO, shape: tuple[int, int], fortran: bool
) -> tuple[NDArray[np.float32], int]:
    """The matrix and its CRC-32. It grows as bytes arrive: a header that lies about the size costs nothing."""
    content, size, checksum = bytearray(), shape[0] * shape[1] * 4, 0
    while len(content) < size:
        block = stream.read(min(_BLOCK, size - len(content)))
        if not block:
            raise _damaged(source, f"its shape is {shape}, {size:,} bytes, and there are {len(content):,}")
        content += block
        checksum = zlib.crc32(block, checksum)
    data = np.frombuffer(content, dtype="<f4").reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(data, dtype=np.float32), checksum


def _trailer(source: Source, rest: bytes, checksum: int) -> dict[str, Any]:
    """What stands behind the matrix; nothing at all in a foreign file."""
    if not rest:
        return {}
    end = len(rest) - 16
    if end < 0 or not rest.endswith(MAGIC) or int.from_bytes(rest[end : end + 8], "little") != end:
        raise _damaged(source, f"{len(rest):,} bytes follow the matrix that nearsense did not write")
    try:
        trailer: dict[str, Any] = json.loads(rest[:end])
        written = trailer.pop("crc32")
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise _damaged(source, f"what stands behind the matrix cannot be read: {error}") from error
    if written != zlib.crc32(json.dumps(trailer).encode(), checksum):
        raise _damaged(source, "it differs from what was written, its checksum says")
    return trailer


def _damaged(source: Source, why: str) -> FileError:
    return FileError(f"{source.name} is damaged", why=why, fix="copy it again, or encode the texts again")


def vectors_as_json(data: NDArray[np.float32]) -> Iterator[str]:
    """Each row of an array of shape (n, d) as a list in JSON; each number comes back bit for bit as float32."""
    numbers = ",".join(["%.9g"] * data.shape[1])
    for vector in data:
        values = tuple(vector.tolist())
        # The short form would make -0.0 the integer 0.
        yield f"[{numbers % values if all(values) else ','.join(map(repr, values))}]"


def write_npy(stream: BinaryIO, rows: VectorParts) -> None:
    """Write vectors so that `np.load` reads the matrix and `read_npy` all."""
    truncated: list[int] = []
    beside: dict[str, list[str]] = {}
    metadata: list[Mapping[str, Any]] = []
    said: dict[str, Any] = {}
    done = checksum = 0
    for part in rows.parts():
        data = np.ascontiguousarray(part.vectors.data, dtype="<f4")
        if not said:
            said = description(part.vectors)
            header = {"descr": "<f4", "fortran_order": False, "shape": (rows.count, data.shape[1])}
            np.lib.format.write_array_header_1_0(stream, header)
        content = data.reshape(-1).view(np.uint8).data
        for begin in range(0, len(content), _BLOCK):
            stream.write(content[begin : begin + _BLOCK])
        checksum = zlib.crc32(content, checksum)
        truncated += (np.flatnonzero(part.vectors.truncated) + done).tolist()
        for name, values in part.given.items():
            beside.setdefault(f"{name}s", []).extend(values)
        if part.metadata is not None:
            metadata += part.metadata
        done += len(data)
    trailer = {**said, "truncated": truncated, **beside}
    if metadata:
        trailer["metadata"] = columns_of(map(json_value, metadata))
    trailer["crc32"] = zlib.crc32(json.dumps(trailer).encode(), checksum)
    written = json.dumps(trailer).encode()
    stream.write(written + len(written).to_bytes(8, "little") + MAGIC)
