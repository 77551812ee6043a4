"""Rows as a workbook of Excel. The one file that knows XlsxWriter; how a workbook is read is not here.

What is a text stays one: cells are written with their type, so that none is ever a formula, whatever it begins
with; those that editing could turn into one are marked as texts, as Excel's own apostrophe marks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO

from nearsense._optional import require
from nearsense.errors import FileError
from nearsense.files.table import json_text, json_value

ROWS, COLUMNS, CHARACTERS = 1_048_576, 16_384, 32_767
"""Of a sheet, its header included; and of a cell, as UTF-16 counts them."""

EXACT = 10**15
"""From here on Excel does not keep every digit of a whole number."""

SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a formula may begin with."""

NARROWEST, WIDEST, MEASURED = 8, 60, 500  # characters that a column is wide; rows that are looked at for it


def require_xlsx() -> Any:
    """XlsxWriter, or an error that says how to get it."""
    return require("xlsxwriter", extra="excel", purpose="writing .xlsx files")


def write_xlsx(stream: BinaryIO, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under a header that stays in sight; equal rows make equal files."""
    if len(names) > COLUMNS:
        raise _too_much(f"{len(names):,} columns are more than a sheet of Excel has, {COLUMNS:,}")
    content = BytesIO()  # a full disk is then met by whoever writes the file, not by the library
    book = require_xlsx().Workbook(content, {"in_memory": True})
    book.set_properties({"created": datetime(2000, 1, 1)})
    sheet, head, text_only = book.add_worksheet(), book.add_format({"bold": True}), book.add_format()
    text_only.set_quote_prefix()
    head.set_quote_prefix()
    widths = [*map(len, names)]
    for column, name in enumerate(names):
        sheet.write_string(0, column, _checked(name, f"the header of column {column + 1}"), head)
    number = 0
    for number, row in enumerate(rows, 1):
        if number >= ROWS:
            raise _too_much(f"there are more rows than a sheet of Excel has, {ROWS:,} with its header")
        for column, name in enumerate(names):
            value = json_value(row.get(name))
            if value is None or value == "":
                continue
            if isinstance(value, bool):
                sheet.write_boolean(number, column, value)
            elif isinstance(value, (int, float)) and (isinstance(value, float) or -EXACT < value < EXACT):
                sheet.write_number(number, column, value)
            else:
                text = value if isinstance(value, str) else json_text(value)
                own = text_only if text.lstrip().startswith(SIGNS) else None
                sheet.write_string(number, column, _checked(text, f"row {number}, column {name!r}"), own)
            if number <= MEASURED:
                widths[column] = max(widths[column], len(str(value)))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(max(width + 2, NARROWEST), WIDEST))
    if names:
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, number, len(names) - 1)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    book.close()
    stream.write(content.getbuffer())


def _checked(text: str, place: str) -> str:
    """A text that a cell can hold; nothing is cut."""
    if len(encoded := text.encode("utf-16-le")) > 2 * CHARACTERS:
        raise _too_much(f"{place}: {len(encoded) // 2:,} characters, a cell of Excel holds {CHARACTERS:,}")
    return text


def _too_much(what: str) -> FileError:
    return FileError(what, why="it would be cut off, or the file be damaged", fix="write .csv or .parquet instead")
