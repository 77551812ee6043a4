"""Vectors as a .npy file that numpy reads, with the model's name behind the matrix. Not other formats of vectors.

    a standard .npy file (float32, C order, shape (n, d))
    JSON: model, fingerprint, truncated (row numbers), perhaps ids, texts
    and metadata (columns by their names); crc32 of the matrix and of this JSON
    the JSON's length, 8 bytes, little-endian
    b"nearsns1"

`np.load` stops where the matrix ends, also with `mmap_mode="r"`, so it never sees the rest.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nearsense.errors import FileError
from nearsense.files.source import Source
from nearsense.files.stored import UNKNOWN_MODEL, described_reading, require_finite
from nearsense.files.table import Table, columns_of
from nearsense.files.values import json_value
from nearsense.types import ReadAs, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_npy", "write_npy"]

MAGIC = b"nearsns1"

_BLOCK = 1 << 24
_FIX = 'np.save(path, array.astype("float32")) with an array of shape (n, d)'
_DAMAGED_FIX = "copy it again, or encode the texts again"


def read_npy(source: Source) -> Table:
    """A matrix as a Table: `vectors`, and the columns "id", "text" and the metadata's where they were stored.

    Raises:
        FileError: It is no .npy file, no finite float32 matrix, or damaged.
    """
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
    fingerprint, model = trailer.get("fingerprint", ""), trailer.get("model", UNKNOWN_MODEL)
    vectors = Vectors(data, str(fingerprint), truncated, str(model), ReadAs.of(trailer.get("read_as")))
    return Table(columns, list(range(1, len(data) + 1)), source.name, vectors, "row")


def _header(source: Source, stream: BinaryIO) -> tuple[tuple[int, int], bool]:
    """The matrix's shape and whether it lies column by column."""
    if not source.head:
        raise FileError(f"{source.name} is empty", why="there is nothing to read in it", fix="give another file")
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = readers[version](stream)
    except (ValueError, KeyError) as error:
        raise FileError(f"{source.name} is no .npy file that numpy reads", why=str(error), fix=_FIX) from error
    if dtype.hasobject:
        raise FileError(
            f"{source.name} holds pickled Python objects",
            why="reading them could run any code, so it is refused",
            fix=_FIX,
        )
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
    return FileError(f"{source.name} is damaged", why=why, fix=_DAMAGED_FIX)


def write_npy(
    stream: BinaryIO,
    vectors: Vectors,
    ids: Sequence[str] | None,
    texts: Sequence[str] | None,
    metadata: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Write vectors so that `np.load` reads the matrix and `read_npy` all.

    Args:
        stream: An empty file, open for writing.
        vectors: Finite.
        ids: One a vector, or None.
        texts: One a vector, or None.
        metadata: Further fields, one mapping a vector, or None.
    """
    data = np.ascontiguousarray(vectors.data, dtype="<f4")
    header = {"descr": "<f4", "fortran_order": False, "shape": data.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    content = data.reshape(-1).view(np.uint8).data
    for begin in range(0, len(content), _BLOCK):
        stream.write(content[begin : begin + _BLOCK])
    trailer: dict[str, Any] = {
        "model": vectors.model,
        "fingerprint": vectors.fingerprint,
        "truncated": np.flatnonzero(vectors.truncated).tolist(),
    }
    trailer |= described_reading(vectors)
    trailer |= {key: list(values) for key, values in (("ids", ids), ("texts", texts)) if values is not None}
    if metadata is not None:
        trailer["metadata"] = columns_of(map(json_value, metadata))
    trailer["crc32"] = zlib.crc32(json.dumps(trailer).encode(), zlib.crc32(content))
    described = json.dumps(trailer).encode()
    stream.write(described + len(described).to_bytes(8, "little") + MAGIC)
