"""The input as shards, and a shard as a table with its texts and ids; parts as they are written. Knows pyarrow."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._notes import tell
from nearsense._optional import require
from nearsense.bulk.places import Found, Place, place_of, without_secrets
from nearsense.bulk.records import Shard, digest, several
from nearsense.errors import FileError
from nearsense.files import Table, documents, read_table
from nearsense.files.formats import EXTENSIONS, Format
from nearsense.files.judging import is_missing
from nearsense.files.parquet import KEY
from nearsense.files.table import first_repeated

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARD_ROWS = 20_000
"""Rows of a shard of a parquet file, at most; 30 MB of vectors of 384 numbers."""

LOOKED_AT, LOOKED_FOR = 200, 50
"""Rows that tell which column is the text; and in how many places of the input such rows are looked for."""

FILE, ROW = "from_file", "from_row"
"""Columns of a part that say which row of the input each row was: the file, and the row from 1."""

MADE = {"vector", "truncated", FILE, ROW}
"""Columns of a part that no input has."""

BULK = b"nearsense.bulk"
"""What a part says of its shard, in its schema."""

_TAKEN = (Format.PARQUET, Format.JSONL, Format.CSV, Format.TSV, Format.TXT)


def _pyarrow(name: str = "pyarrow") -> Any:
    return require(name, extra="parquet", purpose="bulk work")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a shard that have a text: a pyarrow table of all columns, and of each text, id, place from 1."""

    table: Any
    texts: list[str]
    ids: list[str]
    places: NDArray[np.int64]
    read: int  # rows that were read, those without a text among them


def input_files(name: str) -> tuple[Place, list[Found]]:
    """The files of the input that hold texts, by their names."""
    place = place_of(name)
    if not place.is_there():
        why = "a folder, a file or an address is read"
        raise FileError(f"{place.shown} does not exist", why=why, fix="check the name")
    every = [each for each in place.files() if not (each.name or name).rpartition("/")[2].startswith(("_", "."))]
    forms = {each.name: _format(each.name or name) for each in every}
    tables = any(form not in (None, Format.TXT) for form in forms.values())
    taken = [each for each in every if forms[each.name] not in (None, *([Format.TXT] if tables else []))]
    if not taken:
        why = f"{', '.join(form.value for form in _TAKEN)} are read, also as .gz and .zst"
        what = f"{place.shown} holds no file of texts" if every else f"{place.shown} holds no file"
        raise FileError(what, why=why, fix="check the name: a file, or a folder with some")
    if left := [each.name for each in every if each not in taken]:
        others = f" and {several(len(left) - 1, 'other')}" if len(left) > 1 else ""
        tell(f"not read: {left[0]}{others}, beside {several(len(taken), 'file')} of {_form_of(taken, forms)}")
    return place, taken


def _form_of(taken: Sequence[Found], forms: dict[str, Format | None]) -> str:
    return ", ".join(sorted({form.value for each in taken if (form := forms[each.name]) is not None}))


def _format(name: str) -> Format | None:
    """The format of a file that can be read here, by its name."""
    bare = name.lower().removesuffix(".gz").removesuffix(".zst")
    found = EXTENSIONS.get(f".{bare.rpartition('.')[2]}")
    if found is Format.PARQUET and bare != name.lower():
        return None
    return found if found in _TAKEN else None


def reading_of(place: Place, files: Sequence[Found], text: str | None, id_: str | None) -> dict[str, Any]:
    """Which columns are the texts and the ids, judged by the first rows that tell it."""
    refused: FileError | None = None
    for table in islice(_heads(place, files), LOOKED_FOR):
        try:
            found = documents(table, text=text, id=id_, skip_empty=True)
        except FileError as error:  # rows without a text, say, before those that have one
            refused = refused or error
        else:
            columns = list(table.columns)
            return {"text": found.text.split(","), "id": found.id, "single": len(files) == 1, "columns": columns}
    if refused is None:
        why = "they have columns only" if files else "there is none"
        refused = FileError(f"{place.shown} holds no rows", why=why, fix="name files that hold some")
    raise refused


def _heads(place: Place, files: Sequence[Found]) -> Iterator[Table]:
    """Some rows, here and there: of a parquet file its first ones, then others; of other files their first."""
    for each in files:
        name = each.name or place.shown
        if _format(name) is Format.PARQUET:
            with parquet_file(place, each.name) as known:
                for head in known.iter_batches(LOOKED_AT):
                    columns = dict(
                        zip(head.schema.names, (each.to_pylist() for each in head.columns), strict=True)
                    )
                    if head.num_rows:
                        yield Table(columns, list(range(1, head.num_rows + 1)), name, unit="row")
        elif each.size:
            table = read_table(place.address(each.name))
            yield table.take(range(min(LOOKED_AT, len(table))))


def shards_of(place: Place, files: Sequence[Found], reading: dict[str, Any], most: int) -> list[Shard]:
    """All rows of the input in shards: ranges of rows of parquet files, other files as they are."""
    shards = []
    for each in files:
        if _format(each.name or place.shown) is Format.PARQUET:
            with parquet_file(place, each.name) as known:
                _require_columns(place, each, reading, known.schema_arrow.names)
                rows, step = known.metadata.num_rows, most
        elif not each.size:
            continue
        else:
            table = read_table(place.address(each.name))
            _require_columns(place, each, reading, list(table.columns))
            rows = step = len(table)
        for begin in range(0, rows, max(step, 1)):
            count = min(step, rows - begin)
            name = digest(each.name, each.size, each.stamp, begin, count, reading)
            shards.append(Shard(name, each.name, begin, count))
    return shards


def _require_columns(place: Place, file: Found, reading: dict[str, Any], names: Sequence[str]) -> None:
    for name, flag in [*((name, "--text") for name in reading["text"]), (reading["id"], "--id")]:
        if name is not None and name not in names:
            what = f"{file.name or place.shown} has no column {name!r}, which others have"
            fix = f"name a column that all files have: {flag} COLUMN; or move this file elsewhere"
            raise FileError(what, why=f"its columns are: {', '.join(names)}", fix=fix)
    if (twice := first_repeated(list(names))) is not None:
        what = f"{file.name or place.shown}: two columns are named {twice!r}"
        raise FileError(what, why="a column is chosen by its name", fix="rename one of them")


def read_shard(place: Place, shard: Shard, reading: dict[str, Any]) -> Rows:
    """The rows of a shard that have a text."""
    arrow = _pyarrow()
    if _format(shard.file or place.shown) is Format.PARQUET:
        with parquet_file(place, shard.file) as file:
            table = _rows_of(file, shard.begin, shard.rows)
            if said_of(file).get("columns"):  # encoded before, by another model: its vectors are left out
                table = table.drop_columns(["vector", "truncated"])
    else:
        known = read_table(place.address(shard.file))
        table = arrow.table({name: _column(cells) for name, cells in known.columns.items()})
    if table.num_rows != shard.rows:
        what = f"{shard.file or place.shown} has {table.num_rows:,} rows where {shard.rows:,} were"
        raise FileError(what, why="the input changed meanwhile", fix="begin anew, with another output")
    columns = [table.column(name).to_pylist() for name in reading["text"]]
    texts = [_joined(cells) for cells in zip(*columns, strict=True)]
    there = np.array([row for row, each in enumerate(texts) if each], np.int64)
    places = there + shard.begin + 1
    ids = _ids(table, shard, reading, places, there)
    chosen = table if len(there) == table.num_rows else table.take(arrow.array(there))
    return Rows(chosen, [texts[row] for row in there], ids, places, table.num_rows)


def _joined(cells: Sequence[Any]) -> str:
    present = [cell if isinstance(cell, str) else str(cell) for cell in cells if not is_missing(cell)]
    text = present[0] if len(cells) == 1 and present else "\n".join(cell.strip() for cell in present)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _ids(table: Any, shard: Shard, reading: dict[str, Any], places: Any, there: Any) -> list[str]:
    """The cells of the column of ids; without one, or where a cell is empty, the row's place in the input."""
    before = "" if reading["single"] else f"{shard.file}:"
    own = [f"{before}{place}" for place in places.tolist()]
    if reading["id"] is None:
        return own
    cells = table.column(reading["id"]).to_pylist()
    return [other if is_missing(cells[row]) else str(cells[row]) for row, other in zip(there, own, strict=True)]


def _column(cells: list[Any]) -> Any:
    """Cells of a file without types, as a column: as they are where that goes, else as texts."""
    arrow = _pyarrow()
    try:
        return arrow.array(cells)
    except (arrow.ArrowException, OverflowError):
        return arrow.array([None if cell is None else str(cell) for cell in cells], arrow.string())


@contextmanager
def parquet_file(place: Place, name: str, fix: str = "copy it again, or write it again") -> Iterator[Any]:
    """A parquet file that is open meanwhile, or an error that names it."""
    arrow, stream = _pyarrow(), place.open(name)
    shown = f"{place.shown}/{name}" if name else place.shown
    if stream is None:
        raise FileError(f"{shown} is not there any more", why="it was when the work began", fix=fix)
    with stream:
        try:
            yield _pyarrow("pyarrow.parquet").ParquetFile(stream, page_checksum_verification=True)
        except (arrow.ArrowException, OSError) as error:
            why = without_secrets(" ".join(str(error).split()))[:200]
            raise FileError(f"{shown} is no parquet file, or a damaged one", why=why, fix=fix) from None


def part_file(place: Place, name: str) -> AbstractContextManager[Any]:
    """A parquet file that a run wrote, open meanwhile."""
    return parquet_file(place, name, "remove it if it is there; the run that wrote it makes it again: --resume")


def _rows_of(file: Any, begin: int, count: int) -> Any:
    """Rows of a parquet file, of which only the row groups that hold them are read."""
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    ends = list(accumulate(sizes))
    inside = [
        group
        for group, (size, end) in enumerate(zip(sizes, ends, strict=True))
        if end > begin and end - size < begin + count
    ]
    if not inside:
        return file.schema_arrow.empty_table()
    return file.read_row_groups(inside).slice(begin - ends[inside[0]] + sizes[inside[0]], count)


def part_of(rows: Rows, shard: Shard, reading: dict[str, Any], vectors: Any, said: dict[str, Any]) -> bytes:
    """A shard with its vectors as a parquet file, which `nearsense search` and the like read as any of theirs."""
    arrow = _pyarrow()
    columns: dict[str, Any] = {"id": arrow.array(rows.ids, arrow.string()), "text": _strings(rows.texts)}
    text = reading["text"][0] if len(reading["text"]) == 1 else None
    taken, where = {*MADE, *columns, *rows.table.column_names}, dict[str, str]()
    for name in rows.table.column_names:
        column = rows.table.column(name)
        if name == reading["id"] and column.to_pylist() == rows.ids:
            where[name], columns["id"] = "id", _as_texts(column, columns["id"])
        elif name == text and column.to_pylist() == rows.texts:
            where[name], columns["text"] = "text", _as_texts(column, columns["text"])
        else:  # a column that is called as one of ours, or reads otherwise there, goes by another name
            free = (f"{name}{'_' * count}" for count in range(1, len(taken) + 2))
            where[name] = (
                name if name not in {*MADE, "id", "text"} else next(each for each in free if each not in taken)
            )
            taken.add(where[name])
            columns[where[name]] = column
    columns[FILE] = arrow.array([shard.file] * len(rows.ids), arrow.string()).dictionary_encode()
    columns[ROW] = arrow.array(rows.places)
    flat = arrow.array(np.ascontiguousarray(vectors.data, np.float32).ravel())
    columns["vector"] = arrow.FixedSizeListArray.from_arrays(flat, vectors.data.shape[1])
    columns["truncated"] = arrow.array(vectors.truncated)
    about = {"read": rows.read, "rows": len(rows.ids), "shard": shard.name, "reading": reading, "columns": where}
    metadata = {KEY: json.dumps(said).encode(), BULK: json.dumps(about).encode()}
    return parquet_of(arrow.table(columns).replace_schema_metadata(metadata), plain=("vector",))


def _as_texts(column: Any, same: Any) -> Any:
    """The column as it stood, where it is of a type that all can read; else the same texts."""
    arrow = _pyarrow()
    return column if column.type in (arrow.string(), arrow.large_string()) else same


def _strings(texts: Sequence[str]) -> Any:
    arrow = _pyarrow()
    return arrow.array(texts, arrow.large_string() if sum(map(len, texts)) > 2**29 else arrow.string())


def parquet_of(table: Any, *, plain: Sequence[str] = (), row_groups: Sequence[int] | None = None) -> bytes:
    """A table as a parquet file; `plain` columns have no dictionary, `row_groups` are the rows of each."""
    parquet, stream = _pyarrow("pyarrow.parquet"), io.BytesIO()
    others = [name for name in table.column_names if name not in plain]
    checked = {"write_page_checksum": True}
    with parquet.ParquetWriter(stream, table.schema, use_dictionary=others, **checked) as writer:
        begin = 0
        for size in row_groups or [table.num_rows]:
            writer.write_table(table.slice(begin, size), row_group_size=max(size, 1))
            begin += size
    return stream.getvalue()


def table_of(columns: dict[str, Any]) -> Any:
    """Columns as a table: lists, arrays, pyarrow's own."""
    return _pyarrow().table(columns)


def read_part(place: Place, name: str, columns: Sequence[str] | None = None) -> Any:
    """A part, or some of its columns, as a table of pyarrow."""
    with part_file(place, name) as file:
        return file.read(columns=columns)


def about_part(place: Place, name: str) -> tuple[dict[str, Any], int]:
    """What a part says of its shard, and how many rows it has."""
    with part_file(place, name) as file:
        about = said_of(file)
        if not about.keys() >= {"read", "rows", "reading", "columns"} or "vector" not in file.schema_arrow.names:
            what, fix = f"{place.shown}/{name} is not as `nearsense bulk encode` writes", "encode its texts again"
            raise FileError(what, why="it does not say of which shard it is", fix=fix)
        return {**about, "dimension": file.schema_arrow.field("vector").type.list_size}, file.metadata.num_rows


def said_of(file: Any) -> dict[str, Any]:
    """What a parquet file that a run wrote says of itself; nothing where another wrote it."""
    known: dict[str, Any] = json.loads((file.schema_arrow.metadata or {}).get(BULK, b"{}"))
    return known


def matrix_of(column: Any) -> NDArray[np.float32]:
    """A column of vectors: float32, shape (n, d)."""
    combined = column.combine_chunks()
    width = combined.type.list_size
    flat = combined.flatten().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(flat.reshape(-1, width), np.float32)


def counted(place: Place, name: str) -> dict[str, int]:
    """How many rows a part has; refused where one of its shard is missing or stands in it twice."""
    about, rows = about_part(place, name)
    places = read_part(place, name, [ROW]).column(ROW).to_numpy()
    if rows != about["rows"] or len(places) != rows or (np.diff(places) <= 0).any():
        what = f"{place.shown}/{name} does not hold each row of its shard once"
        raise FileError(what, why=f"{rows:,} rows, {about['rows']:,} expected", fix="remove it, and add --resume")
    return {"rows": rows, "read": int(about["read"])}


def original_columns(table: Any) -> Any:
    """A part's rows as they stood in the input: its columns by their names there, without vectors."""
    where = json.loads(table.schema.metadata[BULK])["columns"]
    return table.select(list(where.values())).rename_columns(list(where)).replace_schema_metadata(None)


def pieces(texts: Sequence[str], characters: int) -> Iterator[slice]:
    """Stretches of texts of about so many characters; where they are cut only the texts decide."""
    begin = total = 0
    for place, text in enumerate(texts):
        total += len(text) + 16
        if total >= characters:
            yield slice(begin, place + 1)
            begin, total = place + 1, 0
    if begin < len(texts):
        yield slice(begin, len(texts))
