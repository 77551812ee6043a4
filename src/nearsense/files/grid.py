"""Rows of cells as a table: whether the first of them is a header, and which stand above or below it.

For csv, workbooks and arrays of arrays alike. Not how rows are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from nearsense._notes import tell
from nearsense.errors import FileError
from nearsense.files.judging import MOST, Content, is_missing, portrait, sampled, words_in
from nearsense.files.names import is_known
from nearsense.files.table import Table

WIDEST = 1_000_000
"""Columns that a table may have."""
MANY = 1000
"""Columns by which a header is judged, and of a table whose equal names are told apart, at most."""
EMPTY = 50_000_000
"""Cells that may be empty because other rows have more."""

HEADLESS = "the first line is a row and not a header: the columns are called 1, 2, ...; --header if it names them"


def is_header(first: Sequence[Any], columns: Sequence[Sequence[Any]]) -> bool:
    """Whether a row names the columns below it, rather than being one of their rows.

    Names that columns often have speak for it, and what the cells of a column have in common and the first lacks;
    what it has like them against it. In doubt it is a header.
    """
    votes = [_vote(cell, column) for cell, column in zip(first[:MANY], columns, strict=False)]
    known = sum(isinstance(cell, str) and is_known(cell) for cell in first[:MANY])
    return sum(votes) + 2 * known >= 0


def _vote(cell: Any, column: Sequence[Any]) -> int:
    """More than 0 where a cell is unlike those below it, less where it is one of them."""
    below = sampled(column)
    if is_missing(cell) or not below:
        return 0
    look, own = portrait(below), portrait([cell])
    if look.content in (Content.NUMBERS, Content.DATES, Content.LINKS, Content.CODES):
        alike = own.content is look.content
        if look.content is Content.NUMBERS and alike and _is_year(cell) and not any(map(_is_year, below)):
            return 0  # a column for each year
        if look.content is Content.CODES:
            alike = _shape(cell) in {_shape(each) for each in below}
        return -2 if alike else 2
    if not isinstance(cell, str) or look.content is Content.OTHER:
        return 0
    counts = Counter(str(each).strip().casefold() for each in below)
    if cell.strip().casefold() in counts:
        return -2
    if look.content is Content.LABELS:
        return int(min(counts.values()) > 1)
    words = words_in(cell)
    if look.words < 4:
        return 0
    if words <= 3:
        return 1
    if cell.rstrip().endswith("?") and look.asking < 0.5:
        return 1
    return -1 if words >= look.words / 3 else 0


def _is_year(cell: Any) -> bool:
    return str(cell).strip().isdecimal() and 1900 <= int(str(cell).strip()[:9]) <= 2100


def _shape(cell: Any) -> str:
    """Letters as A and digits as 9: codes of one kind have one shape."""
    marks = ("9" if letter.isdigit() else "A" if letter.isalpha() else letter for letter in str(cell).strip())
    shape = ""
    for mark in marks:
        shape += "" if shape.endswith(mark) and mark in "A9" else mark
    return shape


def named(cells: Sequence[Any]) -> list[str]:
    """The names in a header: trimmed, those that are missing by their place."""
    return [
        ("" if is_missing(cell) else str(cell).strip()) or f"column {place}" for place, cell in enumerate(cells, 1)
    ]


def apart(source: str, names: list[str]) -> list[str]:
    """Names of which none occurs twice: those that did are numbered, and that is said."""
    counts = Counter(names)
    if len(counts) == len(names):
        return names
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        seen[name] += 1
        made.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    if len(set(made)) < len(made) or len(made) > MANY:
        twice = next(name for name, count in counts.items() if count > 1)
        what = f"{source}: two columns are named {twice!r}"
        raise FileError(what, why="a column is chosen by its name", fix="rename one of them in the header")
    twice = next(name for name, count in counts.items() if count > 1)
    tell(f"columns: {counts[twice]} are named {twice}; they are told apart as {twice} (1), {twice} (2)")
    return made


def table_of(source: str, rows: list[list[Any]], lines: list[int], header: bool | None) -> Table:
    """The table of rows of any length: what stands above its header is left out, and said; short rows are filled.

    Columns without a name and a cell, and rows without a cell, are none.
    """
    kept = [(line, row) for line, row in zip(lines, rows, strict=True) if not all(map(is_missing, row))]
    filled = [sum(not is_missing(cell) for cell in row) for _, row in kept]
    begin = 0 if header is False else _begin(filled)
    kept = kept[begin:]
    width = max((len(row) for _, row in kept), default=0)
    require_room(source, width, width * len(kept) - sum(filled[begin:]))
    columns = [[row[place] if place < len(row) else None for _, row in kept] for place in range(width)]
    columns = [[None if is_missing(cell) else cell for cell in column] for column in columns]
    columns = [column for column in columns if any(cell is not None for cell in column)]
    first = [column[0] for column in columns]
    below = [column[1 : MOST * 4] for column in columns]
    headed = is_header(first, below) if header is None and len(kept) > 1 else header is not False
    if headed and len(kept) < 2:
        what = f"{source} holds {'only a header' if kept else 'no text'}"
        why = "there is no record below it" if kept else "all its rows are blank"
        raise FileError(what, why=why, fix="give a file that holds something")
    if begin:
        tell(f"header: row {kept[0][0]}; {begin} above it {'is' if begin == 1 else 'are'} left out")
    if not headed and header is None:
        tell(HEADLESS)
    names = apart(source, named(first)) if headed else [f"column {place}" for place in range(1, len(first) + 1)]
    cells = {name: column[headed:] for name, column in zip(names, columns, strict=True)}
    return Table(cells, [line for line, _ in kept[headed:]], source, None, "row", anew=True)


def _begin(filled: Sequence[int]) -> int:
    """The first row that is as wide as a table's: a title and notes above it fill one cell or two."""
    if not filled:
        return 0
    usual = sorted(filled)[len(filled) // 2]
    most = max(filled)
    for place, count in enumerate(filled[:50]):
        if count >= max(2, min(usual, most) * 0.6):
            return place
    return 0


def require_room(source: str, columns: int, empty: int = 0) -> None:
    """Refuse a table that fills the memory with columns or with empty cells."""
    if columns > WIDEST or empty > EMPTY:
        size = f"{columns:,} columns" + (f", and {empty:,} of their cells are empty" if empty else "")
        why = f"a table has at most {WIDEST:,} columns and {EMPTY:,} empty cells"
        raise FileError(f"{source} has {size}", why=why, fix="keep the columns that are needed")
