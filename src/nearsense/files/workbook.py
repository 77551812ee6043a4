"""A workbook's sheets as JSON values: the one file that knows calamine. A bounded process runs it: workbooks.py.

Formulas are never evaluated: a cell is what was last seen in it. Nothing here imports nearsense.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from io import BytesIO
from typing import Any

PREVIEW = 200
"""Rows of each sheet where it is not said which is wanted."""


def sheets_of(file: str | BytesIO, wanted: str) -> Iterator[Any]:
    """The sheets' names, then the rows of the sheet that is wanted, by name or place; else of all."""
    import python_calamine

    with python_calamine.CalamineWorkbook.from_object(file) as book:
        kind, visible = python_calamine.SheetTypeEnum, python_calamine.SheetVisibleEnum
        sheets = [each for each in book.sheets_metadata if each.typ == kind.WorkSheet]
        names = [each.name for each in sheets if each.visible == visible.Visible] or [each.name for each in sheets]
        every = [each.name for each in sheets]
        yield {"sheets": names}
        if wanted and wanted not in every:
            place = int(wanted) - 1 if wanted.isdigit() else -1
            if not 0 <= place < len(names):
                return
            wanted = names[place]
        chosen = [wanted] if wanted else names
        for name in chosen:
            sheet = book.get_sheet_by_name(name)
            yield {"sheet": name, "begin": sheet.start[0] + 1 if sheet.start else 1}
            for place, row in enumerate(sheet.iter_rows()):
                if len(chosen) > 1 and place >= PREVIEW:
                    break
                yield [plain(cell) for cell in row]


def plain(cell: Any) -> Any:
    """A cell as JSON: times as a list of their kind and their text."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 1 << 53 else cell
    if isinstance(cell, datetime.datetime):
        midnight = cell.time() == datetime.time()
        return ["date", cell.date().isoformat()] if midnight else ["datetime", cell.isoformat()]
    if isinstance(cell, datetime.date):
        return ["date", cell.isoformat()]
    if isinstance(cell, datetime.time):
        return ["time", cell.isoformat()]
    if isinstance(cell, datetime.timedelta):
        return ["seconds", cell.total_seconds()]
    return None if cell == "" else cell
