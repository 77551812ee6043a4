"""A csv or tsv file as a table: by the delimiter that its header shows, else as its records hold together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from nearsense._notes import tell
from nearsense.columns import list_names
from nearsense.errors import FileError
from nearsense.files.dialect import Dialect
from nearsense.files.formats import named_delimiter
from nearsense.files.grid import HEADLESS, MANY, WIDEST, apart, is_header, named, require_room
from nearsense.files.judging import MOST
from nearsense.files.names import called, is_known
from nearsense.files.streams import Source
from nearsense.files.table import Table

_DELIMITERS = ",;\t|"
_RARE = "^~\u00a6\u00a7\x1f"
"""Signs that part fields only where nothing else does."""
_PREVIEW = 2000
"""Records by which it is seen how a file holds together."""
_BRACKETS = r"\s*([(\[{<][^()\[\]]*[)\]}>]\s*)+"
"""What explains names, in a second line below them."""
_FIX = "give a file that holds something"


class _Way(NamedTuple):
    """One way to take a file apart."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skip: bool = False
    """The first line only names the delimiter."""
    twice: bool = False
    """Each line is one quoted field, and within it fields."""


def read_csv(source: Source, encoding: str, dialect: Dialect, delimiter: str = "") -> Table:
    """The table of a file; `delimiter` is what its format says, the dialect what the user did.

    A way that the header shows and that holds is taken; else another one in which all records have the same number
    of fields.
    """
    with source.characters(encoding, newline="") as stream:
        head = stream.read(1 << 16)
    named_ = named_delimiter(head)
    said = dialect.delimiter or named_ or delimiter
    # Else the most frequent candidate in the header, outside quotes; a comma if there is none.
    header = re.split(r"[\r\n]", re.sub(r'"[^"]*"', "", head).lstrip("\r\n"), maxsplit=1)[0]
    sign, quote = said or max(_DELIMITERS, key=header.count), dialect.quote
    if quote is None:
        quote = "'" if _all_in_single_quotes(header, sign) else '"'
    first = _Way(sign, quote, skip=bool(named_))
    even = replace(dialect, skip_uneven=False)
    try:
        table = _table(source, encoding, first, even)
    except FileError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise
        if dialect.quote is None and first.delimiter == "\t":
            # published tab-separated data sets do not quote: the mark is part of the text
            with suppress(FileError):
                return _table(source, encoding, _Way("\t", "", None, first.skip), even)
        other = _otherwise(source, encoding, first, even, head, bool(said))
        if other is None and dialect.skip_uneven:
            return _table(source, encoding, first, dialect)
        if other is None:
            raise
        return other
    name = next(iter(table.columns))
    if len(table.columns) == 1 and not said and not is_known(name):
        return _otherwise(source, encoding, first, dialect, head, False) or table
    return table


def _all_in_single_quotes(header: str, delimiter: str) -> bool:
    cells = [cell.strip() for cell in header.split(delimiter)]
    return len(cells) > 1 and all(len(cell) > 2 and cell[0] == cell[-1] == "'" for cell in cells)


def _otherwise(
    source: Source, encoding: str, tried: _Way, dialect: Dialect, head: str, fixed: bool
) -> Table | None:
    """The table by another way in which all records have the same number of fields, more than one; else None."""
    signs = tried.delimiter if fixed else _DELIMITERS + "".join(sign for sign in _RARE if sign in head)
    quotes = ['"'] if dialect.quote is None else [dialect.quote]
    if dialect.quote is None and re.search(r"(?:^|[,;\t|\r\n])'", head):
        quotes.append("'")
    ways = [_Way(sign, quote, None, tried.skip) for quote in quotes for sign in signs]
    if '\\"' in head:
        ways += [_Way(sign, '"', "\\", tried.skip) for sign in signs]
    if head.lstrip("\r\n").startswith('"'):
        ways += [_Way(sign, '"', None, tried.skip, twice=True) for sign in signs]
    found = []
    for way in ways:
        with suppress(FileError):
            preview = list(islice(_records(source, encoding, way), _PREVIEW))
            if (held := _held(preview)) is not None:
                found.append((held[1], -ways.index(way), way, held[0]))
    if not found:
        return _lines(source, encoding, tried, dialect, head, fixed)
    _, _, way, begin = max(found)
    with suppress(FileError):
        return _table(source, encoding, way, dialect, above=begin)
    return None


def _held(records: list[tuple[int, list[str]]]) -> tuple[int, int] | None:
    """How many records stand above the header, and how many fields those below have; None where they differ."""
    rows = [record for _, record in records]
    notes = next((place for place, row in enumerate(rows) if not row[0].startswith(("# ", "//"))), 0)
    rows = rows[notes:]
    usual, times = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
    usual = max((_width(row) for row in rows if len(row) == usual), default=0)
    if usual < 2 or times < 2:
        return None
    fits = [_width(row) <= usual <= len(row) for row in rows]
    begin = fits.index(True)
    if not all(fits[begin:]):
        return None
    if begin and _lacks_row_names(rows[begin - 1 :], usual):
        return notes + begin - 1, usual
    return (notes + begin, usual) if all(len(row) < usual for row in rows[:begin]) else None


def _lacks_row_names(rows: list[list[str]], usual: int) -> bool:
    """Whether a header has no name for what names the rows below it, as R writes tables."""
    header, names = rows[0], [row[0] for row in rows[1:]]
    whole = len(header) == usual - 1 > 1 and all(cell.strip() for cell in header)
    return whole and len(set(names)) == len(names) and called(header[0], "id") is None


def _width(record: list[str]) -> int:
    """The fields of a record, without empty ones at its end."""
    width = len(record)
    while width and not record[width - 1].strip():
        width -= 1
    return max(width, 1)


def _lines(source: Source, encoding: str, tried: _Way, dialect: Dialect, head: str, fixed: bool) -> Table | None:
    """A file with one name above lines in which commas are part of the text, so that no two have to be alike."""
    lines = [line for line in head.splitlines() if line.strip()]
    counts = {line.count(",") for line in lines[1:]}
    if fixed or len(lines) < 3 or "," in lines[0] or '"' in head or counts == {0} or len(counts) == 1:
        return None
    if any(sign in lines[0] for sign in _DELIMITERS):
        return None
    with suppress(FileError):
        table = _table(source, encoding, _Way("\0", "", None, tried.skip), dialect)
        tell("every line is one text: its commas part nothing; --delimiter , to part them")
        return table
    return None


def _records(source: Source, encoding: str, way: _Way) -> Iterator[tuple[int, list[str]]]:
    """The records of a file that are no blank lines, each with the line where it begins."""
    import csv

    # The limit is the whole process's, so it is only ever raised; 2**31 - 1 is the most that Windows takes.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    with source.characters(encoding, newline="") as stream:
        before = int(way.skip)
        if way.skip:
            stream.readline()
        if way.delimiter == "\0":
            for number, line in enumerate(stream, 1 + before):
                if line.strip():
                    yield number, [line.rstrip("\r\n")]
            return
        reader = csv.reader(
            _narrow(source, stream, way.delimiter),
            delimiter="\x1f" if way.twice else way.delimiter,
            quotechar=way.quote or None,
            quoting=csv.QUOTE_MINIMAL if way.quote else csv.QUOTE_NONE,
            escapechar=way.escape,
            doublequote=way.escape is None,
            strict=True,
        )
        begin = 1 + before
        try:
            for record in reader:
                if way.twice and len(record) == 1:
                    record = next(csv.reader(record, delimiter=way.delimiter, strict=True), [])
                if record:
                    yield begin, record
                begin = before + reader.line_num + 1
        except csv.Error as error:
            raise _misquoted(source, begin, before + reader.line_num, str(error)) from error


def _narrow(source: Source, lines: Iterator[str], delimiter: str) -> Iterator[str]:
    """The lines, unless one of them would be more fields than a table has columns."""
    for line in lines:
        if len(line) > WIDEST and line.count(delimiter) > WIDEST:
            require_room(source.name, line.count(delimiter) + 1)
        yield line


def _table(source: Source, encoding: str, way: _Way, dialect: Dialect, above: int | None = None) -> Table:
    """The records as columns; `above` is how many stand before the header, None where the way holds by itself."""
    columns: list[list[str]] = []
    lines: list[int] = []
    left = 0
    for line, record in islice(_records(source, encoding, way), above or 0, None):
        if not columns:
            columns = [[] for _ in record]
        elif len(record) != len(columns):
            fitted = record if above is None else _fitted(record, columns)
            if len(fitted) != len(columns):
                if not dialect.skip_uneven:
                    raise _uneven(source, record, [column[0] for column in columns], line, way.delimiter)
                left += 1
                continue
            record = fitted
        for column, field in zip(columns, record, strict=True):
            column.append(field)
        lines.append(line)
    while len(lines) > 1 and len(columns) > 1 and not any(column[-1].strip() for column in columns):
        for column in columns:
            del column[-1]
        del lines[-1]
    return _headed(source, columns, lines, dialect, above, left)


def _fitted(record: list[str], columns: list[list[str]]) -> list[str]:
    """A record without the empty fields that it has too many; a header without a name for the rows gets one."""
    if len(columns) < len(record) and not any(field.strip() for field in record[len(columns) :]):
        return record[: len(columns)]
    if len(record) == len(columns) + 1 and len(columns[0]) == 1:
        columns.insert(0, [""])
    elif len(columns) > len(record) and not any(column[0] for column in columns[len(record) :]):
        return [*record, *[""] * (len(columns) - len(record))]
    return record


def _headed(
    source: Source, columns: list[list[str]], lines: list[int], dialect: Dialect, above: int | None, left: int
) -> Table:
    """The table of all records, the first of which is a header or not."""
    if not lines:
        raise FileError(f"{source.name} holds no text", why="all its lines are blank", fix=_FIX)
    if dialect.header is None and (under := _under_title(columns)):
        above, lines = (above or 0) + under, lines[under:]
        columns = [column[under:] for column in columns]
    first = [column[0] for column in columns]
    headed = dialect.header is not False
    again = _again(first, columns) if dialect.header is None else None
    if dialect.header is None and again is None and len(lines) > 1:
        headed = is_header(first, [column[1 : 4 * MOST] for column in columns[:MANY]])
    if headed and len(lines) < 2:
        raise FileError(f"{source.name} holds only a header", why="there is no record below it", fix=_FIX)
    if above:
        tell(f"header: line {lines[0]}; {above} line{'s'[: above != 1]} above it left out")
    if not headed and dialect.header is None:
        tell(HEADLESS)
    if left:
        tell(f"left out: {left:,} line{'s'[: left != 1]} with more or fewer fields than the header")
    if headed and len(lines) > 2 and re.fullmatch(_BRACKETS, " ".join(column[1].strip() for column in columns)):
        tell(f"line {lines[1]} looks like a second header: it is kept as a row")
    if again is not None:
        tell(f"line {lines[again]} is the header again: it is kept as a row")
    names = apart(source.name, named(first)) if headed else [f"column {n}" for n in range(1, len(first) + 1)]
    if headed:
        del lines[0]
        for column in columns:
            del column[0]
    kept = {
        name: column
        for place, (name, column) in enumerate(zip(names, columns, strict=True))
        if above is None or not headed or first[place].strip() or any(column)
    }
    return Table(kept, lines, source.name, untyped=True)


def _again(first: list[str], columns: list[list[str]]) -> int | None:
    """Where all cells of a header of several columns stand once more, as where two files were pasted together."""
    if len(first) < 2 or len(set(first)) < len(first):
        return None
    place = 0
    while True:
        try:
            place = columns[0].index(first[0], place + 1)
        except ValueError:
            return None
        if all(column[place] == cell for column, cell in zip(columns, first, strict=True)):
            return place


def _under_title(columns: list[list[str]]) -> int:
    """How many rows of one cell, as a spreadsheet writes a title, stand above one of at least three names."""
    if len(columns) < 3 or len(columns[0]) < 4:
        return 0
    rows = list(zip(*(column[:20] for column in columns), strict=True))
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    begin = next((place for place, cells in enumerate(filled) if len(cells) >= 0.6 * len(columns)), 0)
    alone = all(len(cells) <= 1 and not any(map(is_known, cells)) for cells in filled[:begin])
    return begin if alone and len(filled[begin]) > 2 else 0


def _uneven(source: Source, record: list[str], first: list[str], line: int, delimiter: str) -> FileError:
    """Why a record with more or fewer fields than the header is refused."""
    sign, count = {"\t": "tab"}.get(delimiter, delimiter), len(first)
    fields = (
        f"{len(record)} field{'s'[: len(record) != 1]}, but the header names {count} column{'s'[: count != 1]}"
    )
    what = f"{source.name}, line {line}: {fields}"
    if count == 1:
        fix = "add --format txt if every line is one text"
        return FileError(what, why=f"the fields are separated by {sign}", fix=fix, choices=["--format txt"])
    fix = f'put fields that hold a {sign} into quotation marks ("), or leave such lines out: --skip-uneven'
    return FileError(what, why=f"the columns are {list_names(named(first))}", fix=fix, choices=["--skip-uneven"])


def _misquoted(source: Source, begin: int, line: int, message: str) -> FileError:
    none = "--quote none takes the marks as they stand"
    if "end of data" in message:
        what = f"{source.name}, line {begin}: a quoted field that begins here never ends"
        why = "its closing quotation mark is missing, so the rest of the file would be one field"
        fix = f'close it with ", and write a quotation mark inside of it twice (""); {none}'
        return FileError(what, why=why, fix=fix, choices=["--quote none"])
    what = f"{source.name}, line {line}: a quoted field goes on after its closing quotation mark"
    why = f"the csv reader says: {message}"
    fix = f'write a quotation mark inside a quoted field twice (""); {none}'
    return FileError(what, why=why, fix=fix, choices=["--quote none"])
