"""Tables and vectors as parquet. The one file that knows pyarrow; not what the columns mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nearsense._optional import require
from nearsense.errors import FileError
from nearsense.files.source import Source
from nearsense.files.stored import UNKNOWN_MODEL, described_reading, given_name, require_finite, stored_name
from nearsense.files.table import Table, columns_of, repeated
from nearsense.files.values import json_value
from nearsense.types import ReadAs, Vectors

__all__ = ["class_names", "copy_rows", "read_parquet", "write_parquet", "write_parquet_vectors"]

KEY = b"nearsense"

_ROWS = 16_384  # a row group of vectors


def _pyarrow(name: str) -> Any:
    return require(name, extra="parquet", purpose="reading and writing parquet files")


def read_parquet(source: Source) -> Table:
    """All columns as Python values; a column "vector" of lists of numbers becomes `Table.vectors`.

    Raises:
        FileError: It is damaged, holds no rows, names a column twice, or its vectors are no finite matrix.
        MissingExtra: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    if not source.head:
        raise FileError(f"{source.name} is empty", why="there is nothing to read in it", fix="give another file")
    try:
        with source.open() as stream:
            # pyarrow seeks; only a plain file does that cheaply.
            content = stream if source.path and source.compression == "none" else arrow.BufferReader(stream.read())
            table = parquet.ParquetFile(content).read()
        names = list(table.column_names)
        twice = repeated(names)
        if twice is not None:
            raise FileError(
                f"{source.name}: two columns are named {twice!r}",
                why="a column is chosen by its name",
                fix="rename one of them",
            )
        if not table.num_rows or not names:
            raise FileError(f"{source.name} holds no rows", why="it is only a schema", fix="give another file")
        described = _described(source, table) if "vector" in names else {}
        vectors = _vectors(source, arrow, table, described) if "vector" in names else None
        cells = None if vectors is None or vectors.fingerprint else table.column("vector")
        if vectors is not None:
            ours = ["vector", *(["truncated"] if KEY in (table.schema.metadata or {}) else [])]
            table = table.drop_columns([name for name in ours if name in names])
        columns = {name: _values(arrow, table.column(name)) for name in table.column_names}
        if vectors is not None and described:
            columns = _as_given(source, columns, described.get("restore", {}))
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FileError(
            f"{source.name} is no parquet file, or a damaged one",
            why=" ".join(str(error).split()),
            fix="copy it again, or write it again",
        ) from error
    foreign = None if cells is None else lambda row: list(cells[row].as_py())
    return Table(columns, list(range(1, table.num_rows + 1)), source.name, vectors, "row", foreign=foreign)


def class_names(file: Path) -> dict[str, list[str]]:
    """What the numbers of a column stand for, where the library `datasets` wrote the file and its schema says so.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    known = _pyarrow("pyarrow.parquet").read_schema(file).metadata or {}
    try:
        features = json.loads(known.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: [str(each) for each in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _values(arrow: Any, column: Any) -> list[Any]:
    """A column as Python values; nanoseconds, which Python's datetime lacks, become microseconds."""
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(arrow.timestamp("us", kind.tz), safe=False)
    elif arrow.types.is_duration(kind) and kind.unit == "ns":
        column = column.cast(arrow.duration("us"), safe=False)
    elif arrow.types.is_time64(kind) and kind.unit == "ns":
        column = column.cast(arrow.time64("us"), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _described(source: Source, table: Any) -> dict[str, Any]:
    """What stands in the schema about the vectors; nothing at all in a foreign file."""
    try:
        return dict(json.loads((table.schema.metadata or {}).get(KEY, b"{}")))
    except (ValueError, TypeError, RecursionError) as error:
        raise _undescribed(source, error) from error


def _undescribed(source: Source, error: Exception) -> FileError:
    return FileError(
        f"{source.name}: what it says about its vectors cannot be read",
        why=" ".join(str(error).split()) or type(error).__name__,
        fix="encode the texts again",
    )


def _vectors(source: Source, arrow: Any, table: Any, described: dict[str, Any]) -> Vectors | None:
    column, types = table.column("vector"), arrow.types
    kind = column.type
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)):
        return None
    lengths = _pyarrow("pyarrow.compute").list_value_length(column).to_numpy()  # NaN for null
    odd = np.flatnonzero(lengths != lengths[0])
    column_only = not described and not {*table.column_names} <= {
        "id",
        "vector",
    }  # not ours
    if column_only and (len(odd) or not lengths[0] > 0):
        return None
    if len(odd) or not lengths[0] > 0:
        row = int(odd[0]) if len(odd) else 0
        raise FileError(
            f"{source.name}, row {row + 1}: the vector is missing or of another length than those before",
            why="the vectors of one model are of one length",
            fix="encode all texts with one model",
        )
    flat = [chunk.flatten() for chunk in column.chunks if len(chunk)]
    values = np.concatenate([chunk.to_numpy(zero_copy_only=False) for chunk in flat])
    with np.errstate(over="ignore"):
        data = np.ascontiguousarray(values.reshape(table.num_rows, -1), dtype=np.float32)
    if column_only and not np.isfinite(data).all():
        return None
    require_finite(data, source.name)
    truncated = np.zeros(len(data), dtype=np.bool_)
    if described and "truncated" in table.column_names:
        truncated = np.array([flag is True for flag in table.column("truncated").to_pylist()], dtype=np.bool_)
    fingerprint, model = described.get("fingerprint", ""), described.get("model", UNKNOWN_MODEL)
    return Vectors(data, str(fingerprint), truncated, str(model), ReadAs.of(described.get("read_as")))


def write_parquet(stream: BinaryIO, rows: list[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Write rows; pyarrow finds the columns' types from all of them.

    Raises:
        FileError: A column holds values of several types, or a text that is no Unicode.
        MissingExtra: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    columns = {}
    for name in names:
        try:
            columns[name] = arrow.array([row.get(name) for row in rows])
        except (arrow.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise _untyped(f"column {name!r} cannot be written as parquet", error) from error
    parquet.write_table(arrow.table(columns), stream)


def write_parquet_vectors(
    stream: BinaryIO,
    vectors: Vectors,
    ids: Sequence[str] | None,
    texts: Sequence[str] | None,
    metadata: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Write vectors with their model in the schema's metadata, a group of rows after the other.

    Raises:
        FileError: An id or a text is no Unicode, or a metadata field holds values of several types.
        MissingExtra: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    given = {name: values for name, values in (("id", ids), ("text", texts)) if values is not None}
    more, restore = _columns(arrow, metadata or ())
    fields = [arrow.field(name, arrow.string()) for name in given]
    fields += [arrow.field(name, column.type) for name, column in more.items()]
    fields.append(arrow.field("vector", arrow.list_(arrow.float32(), vectors.dimension)))
    fields.append(arrow.field("truncated", arrow.bool_()))
    described: dict[str, Any] = {"model": vectors.model, "fingerprint": vectors.fingerprint}
    described |= described_reading(vectors)
    described |= {"restore": restore} if restore else {}
    schema = arrow.schema(fields, metadata={KEY: json.dumps(described).encode()})
    # Dictionaries find repeated values, which vectors do not have.
    with parquet.ParquetWriter(stream, schema, use_dictionary=False) as writer:
        for begin in range(0, len(vectors), _ROWS):
            part = slice(begin, begin + _ROWS)
            try:
                columns = [arrow.array(list(values[part]), arrow.string()) for values in given.values()]
            except (arrow.ArrowException, UnicodeEncodeError) as error:
                raise _untyped("an id or a text cannot be written as parquet", error) from error
            columns += [column.slice(begin, _ROWS) for column in more.values()]
            flat = arrow.array(vectors.data[part].ravel())
            columns.append(arrow.FixedSizeListArray.from_arrays(flat, vectors.dimension))
            columns.append(arrow.array(vectors.truncated[part]))
            writer.write_table(arrow.table(columns, schema=schema))


def _columns(arrow: Any, metadata: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The metadata's columns, and for those that need it how their values are restored, a key of `_RESTORE`."""
    columns, restore = {}, {}
    for field, values in columns_of(map(json_value, metadata)).items():
        name = stored_name(field)
        try:
            name.encode()
            columns[name], way = _column(arrow, values)
        except (arrow.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise _untyped(f"metadata field {field!r} cannot be written as parquet", error) from error
        if way:
            restore[name] = way
    return columns, restore


def _column(arrow: Any, values: list[Any]) -> tuple[Any, str]:
    """In pyarrow's own type where it gives every value back, else as JSON in strings."""
    column = arrow.array(values)
    if "struct<>" not in str(column.type):  # parquet holds no object without a field
        back = column.to_pylist()
        if _same(back, values):
            return column, ""
        if _same([_whole(value) for value in back], values):
            return column, "whole"
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return arrow.array(texts, arrow.string()), "json"


def _same(left: list[Any], right: list[Any]) -> bool:
    """As JSON: other than Python, it tells 1 from 1.0 and from true."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


_RESTORE: dict[str, Callable[[Any], Any]] = {
    "whole": _whole,  # integers among fractions: parquet has one type for both
    "json": lambda value: None if value is None else json.loads(value),
}


def _as_given(source: Source, columns: dict[str, list[Any]], restore: Any) -> dict[str, list[Any]]:
    """The columns of vectors that nearsense wrote, with the metadata's own names and values."""
    try:
        restored = {name: list(map(_RESTORE[way], columns[name])) for name, way in restore.items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _undescribed(source, error) from error
    return {given_name(name): column for name, column in (columns | restored).items()}


def _untyped(what: str, error: Exception) -> FileError:
    return FileError(what, why=" ".join(str(error).split()), fix="write it as jsonl, which takes every value")


def copy_rows(content: bytes, rows: Sequence[int], stream: BinaryIO) -> None:
    """Some rows of a parquet file into another, with the types and the metadata of its schema.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    known = parquet.ParquetFile(arrow.BufferReader(content)).read()
    parquet.write_table(known.take(arrow.array(list(rows), arrow.int64())), stream)
