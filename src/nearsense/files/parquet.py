"""Tables and vectors as parquet. The one file that knows pyarrow; not what the columns mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nearsense._optional import require
from nearsense.errors import FileError
from nearsense.files.streams import Source
from nearsense.files.table import Table, columns_of, first_repeated, json_value
from nearsense.files.vectors import (
    VectorParts,
    VectorRows,
    description,
    escape_field,
    odd_length,
    require_finite,
    unescape_field,
    vectors_of,
)
from nearsense.records import Vectors

KEY = b"nearsense"
_ROWS = 16_384  # a row group of vectors


def _pyarrow(name: str) -> Any:
    return require(name, extra="parquet", purpose="reading and writing parquet files")


def require_parquet() -> Any:
    """pyarrow, or an error that says how to get it."""
    return _pyarrow("pyarrow.parquet")


def read_parquet(source: Source) -> Table:
    """All columns as Python values; a column "vector" of lists of numbers becomes `Table.vectors`."""
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    source.require_content()
    try:
        with source.open() as stream:
            # pyarrow seeks; only a plain file does that cheaply.
            content = stream if source.path and source.compression == "none" else arrow.BufferReader(stream.read())
            table = parquet.ParquetFile(content).read()
        names = list(table.column_names)
        if (twice := first_repeated(names)) is not None:
            what = f"{source.name}: two columns are named {twice!r}"
            raise FileError(what, why="a column is chosen by its name", fix="rename one of them")
        if not table.num_rows or not names:
            raise FileError(f"{source.name} holds no rows", why="it is only a schema", fix="give another file")
        said = _said(source, table) if "vector" in names else {}
        vectors = _vectors(source, arrow, table, said) if "vector" in names else None
        cells = None if vectors is None or vectors.fingerprint else table.column("vector")
        if vectors is not None:
            ours = ["vector", *(["truncated"] if KEY in (table.schema.metadata or {}) else [])]
            table = table.drop_columns([name for name in ours if name in names])
        columns = {name: _values(arrow, table.column(name)) for name in table.column_names}
        if vectors is not None and said:
            columns = _restored(source, columns, said.get("restore", {}))
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        what = f"{source.name} is no parquet file, or a damaged one"
        raise FileError(what, why=" ".join(str(error).split()), fix="copy it again, or write it again") from error
    foreign = None if cells is None else lambda row: list(cells[row].as_py())
    return Table(columns, list(range(1, table.num_rows + 1)), source.name, vectors, "row", foreign=foreign)


def class_names(file: Path) -> dict[str, list[str]]:
    """What the numbers of a column stand for, where the schema has it from the library `datasets`."""
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
    kind, types = column.type, arrow.types
    if getattr(kind, "unit", "") == "ns":
        if types.is_timestamp(kind):
            kind = arrow.timestamp("us", kind.tz)
        else:
            kind = arrow.duration("us") if types.is_duration(kind) else arrow.time64("us")
        column = column.cast(kind, safe=False)
    return list(column.to_pylist())


def _said(source: Source, table: Any) -> dict[str, Any]:
    """What stands in the schema about the vectors; nothing at all in a foreign file."""
    try:
        return dict(json.loads((table.schema.metadata or {}).get(KEY, b"{}")))
    except (ValueError, TypeError, RecursionError) as error:
        raise _undescribed(source, error) from error


def _undescribed(source: Source, error: Exception) -> FileError:
    what = f"{source.name}: what it says about its vectors cannot be read"
    return FileError(what, why=" ".join(str(error).split()) or type(error).__name__, fix="encode the texts again")


def _vectors(source: Source, arrow: Any, table: Any, said: dict[str, Any]) -> Vectors | None:
    """The column "vector" as a matrix; None where it is a column like any other."""
    column, types = table.column("vector"), arrow.types
    kind = column.type
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)):
        return None
    lengths = _pyarrow("pyarrow.compute").list_value_length(column).to_numpy()  # NaN for null
    odd = np.flatnonzero(lengths != lengths[0])
    column_only = not said and not {*table.column_names} <= {"id", "vector"}  # not ours
    if len(odd) or not lengths[0] > 0:
        if column_only:
            return None
        place = f"{source.name}, row {int(odd[0]) + 1 if len(odd) else 1}"
        raise odd_length(f"{place}: the vector is missing or of another length than those before")
    flat = [chunk.flatten() for chunk in column.chunks if len(chunk)]
    values = np.concatenate([chunk.to_numpy(zero_copy_only=False) for chunk in flat])
    with np.errstate(over="ignore"):
        data = np.ascontiguousarray(values.reshape(table.num_rows, -1), dtype=np.float32)
    if column_only and not np.isfinite(data).all():
        return None
    require_finite(data, source.name)
    truncated = np.zeros(len(data), dtype=np.bool_)
    if said and "truncated" in table.column_names:
        truncated = np.array([flag is True for flag in table.column("truncated").to_pylist()], dtype=np.bool_)
    return vectors_of(data, truncated, said)


_BARE = "struct<>"
"""In the name of a type: an object without a field, which parquet does not hold."""


def write_parquet(stream: BinaryIO, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows; pyarrow finds the columns' types from all of them."""
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    columns, held = {}, list(rows)
    for name in names:
        what = f"column {name!r} cannot be written as parquet"
        try:
            columns[name] = arrow.array([row.get(name) for row in held])
        except (arrow.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise _untyped(what, error) from error
        if _BARE in str(columns[name].type):
            raise _untyped(what, ValueError("an object without a field has no type there"))
    parquet.write_table(arrow.table(columns), stream)


def write_parquet_vectors(stream: BinaryIO, rows: VectorParts) -> None:
    """Write vectors with their model in the schema's metadata, a group of rows after the other.

    They are read twice: what types the fields of metadata have is known at their end.
    """
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    more, restore = _columns(arrow, [each for part in rows.parts() for each in part.metadata or ()])
    first = next(rows.parts())
    fields = [arrow.field(name, arrow.string()) for name in first.given]
    fields += [arrow.field(name, column.type) for name, column in more.items()]
    fields.append(arrow.field("vector", arrow.list_(arrow.float32(), first.vectors.dimension)))
    fields.append(arrow.field("truncated", arrow.bool_()))
    said = description(first.vectors) | ({"restore": restore} if restore else {})
    schema = arrow.schema(fields, metadata={KEY: json.dumps(said).encode()})
    done = 0
    # Dictionaries find first_repeated values, which vectors do not have.
    with parquet.ParquetWriter(stream, schema, use_dictionary=False) as writer:
        for given, vectors in _groups(rows):
            columns = [*_strings(arrow, given.values())]
            columns += [column.slice(done, len(vectors)) for column in more.values()]
            flat = arrow.array(vectors.data.ravel())
            columns.append(arrow.FixedSizeListArray.from_arrays(flat, vectors.dimension))
            columns.append(arrow.array(vectors.truncated))
            writer.write_table(arrow.table(columns, schema=schema))
            done += len(vectors)


def write_pinecone(stream: BinaryIO, rows: VectorParts, metadata: Callable[[VectorRows], list[str]]) -> None:
    """Write columns id, values and metadata, which has one JSON a row, as Pinecone imports them."""
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    types = {"id": arrow.string(), "values": arrow.list_(arrow.float32()), "metadata": arrow.string()}
    schema = arrow.schema([arrow.field(name, kind) for name, kind in types.items()])
    with parquet.ParquetWriter(stream, schema, use_dictionary=False) as writer:
        for part in rows.parts():
            ids, written = _strings(arrow, [part.given["id"], metadata(part)])
            count, dimension = part.vectors.data.shape
            ends = arrow.array(np.arange(count + 1, dtype=np.int32) * dimension)
            values = arrow.ListArray.from_arrays(ends, arrow.array(part.vectors.data.ravel()))
            writer.write_table(arrow.table([ids, values, written], schema=schema))


def _groups(rows: VectorParts) -> Iterator[tuple[dict[str, Sequence[str]], Vectors]]:
    """What stands beside vectors, and the vectors, of at most so many rows as a group has."""
    for part in rows.parts():
        for begin in range(0, len(part.vectors), _ROWS):
            some = slice(begin, begin + _ROWS)
            given = {name: values[some] for name, values in part.given.items()}
            yield given, part.vectors.take(range(*some.indices(len(part.vectors))))


def _strings(arrow: Any, columns: Iterable[Sequence[str]]) -> list[Any]:
    try:
        return [arrow.array(list(values), arrow.string()) for values in columns]
    except (arrow.ArrowException, UnicodeEncodeError) as error:
        raise _untyped("an id or a text cannot be written as parquet", error) from error


def _columns(arrow: Any, metadata: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The metadata's columns, and for those that need it how their values are restored, a key of `_RESTORE`."""
    columns, restore = {}, {}
    for field, values in columns_of(map(json_value, metadata)).items():
        name = escape_field(field)
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
    if _BARE not in str(column.type):
        written = json.dumps(values, sort_keys=True)  # which other than Python tells 1 from 1.0 and from true
        back = column.to_pylist()
        if json.dumps(back, sort_keys=True) == written:
            return column, ""
        if json.dumps([_whole(value) for value in back], sort_keys=True) == written:
            return column, "whole"
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return arrow.array(texts, arrow.string()), "json"


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


_RESTORE: dict[str, Callable[[Any], Any]] = {
    "whole": _whole,  # integers among fractions: parquet has one type for both
    "json": lambda value: None if value is None else json.loads(value),
}


def _restored(source: Source, columns: dict[str, list[Any]], restore: Any) -> dict[str, list[Any]]:
    """The columns of vectors that nearsense wrote, with the metadata's own names and values."""
    try:
        restored = {name: list(map(_RESTORE[way], columns[name])) for name, way in restore.items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _undescribed(source, error) from error
    return {unescape_field(name): column for name, column in (columns | restored).items()}


def _untyped(what: str, error: Exception) -> FileError:
    return FileError(what, why=" ".join(str(error).split()), fix="write it as jsonl, which takes every value")


def copy_rows(content: bytes, rows: Sequence[int], stream: BinaryIO) -> None:
    """Some rows of a parquet file into another, with the types and the metadata of its schema."""
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    known = parquet.ParquetFile(arrow.BufferReader(content)).read()
    parquet.write_table(known.take(arrow.array(list(rows), arrow.int64())), stream)
