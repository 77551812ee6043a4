"""A workbook's sheets as JSON lines: the one file that knows calamine, run as a process of its own.

Workbooks come from anywhere, and a few bytes of one can ask for a terabyte: what happens then happens to this
process, whose memory and time are limited. Formulas are never evaluated: a cell is what was last seen in it.
Nothing here imports nearsense; workbooks.py calls it.
"""

from __future__ import annotations

import datetime
import io
import json
import sys
from typing import Any

MEMORY = 3 << 30
SECONDS = 300
PREVIEW = 200
"""Rows of each sheet where it is not said which is wanted."""


def limit() -> None:
    """Take no more memory and time than a large workbook needs, where the system has such limits."""
    try:
        import resource
    except ImportError:
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard < 0 else min(most, hard), hard))


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


def main(path: str, wanted: str) -> None:
    """Write the sheets' names, then the rows of the sheet that is wanted, by name or place; else of all."""
    import python_calamine

    limit()
    content = io.BytesIO(sys.stdin.buffer.read()) if path == "-" else path
    with python_calamine.CalamineWorkbook.from_object(content) as book:
        kind, visible = python_calamine.SheetTypeEnum, python_calamine.SheetVisibleEnum
        sheets = [each for each in book.sheets_metadata if each.typ == kind.WorkSheet]
        names = [each.name for each in sheets if each.visible == visible.Visible] or [each.name for each in sheets]
        every = [each.name for each in sheets]
        write({"sheets": names})
        if wanted and wanted not in every:
            place = int(wanted) - 1 if wanted.isdigit() else -1
            if not 0 <= place < len(names):
                return
            wanted = names[place]
        chosen = [wanted] if wanted else names
        for name in chosen:
            sheet = book.get_sheet_by_name(name)
            write({"sheet": name, "begin": sheet.start[0] + 1 if sheet.start else 1})
            for place, row in enumerate(sheet.iter_rows()):
                if len(chosen) > 1 and place >= PREVIEW:
                    break
                write([plain(cell) for cell in row])


def write(value: Any) -> None:
    """A line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")


def explain(error: BaseException) -> dict[str, str]:
    """What went wrong, for who reads the lines."""
    return {"error": type(error).__name__, "why": " ".join(str(error).split())[:200]}


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except BaseException as caught:  # the library's panics are no Exceptions
        write(explain(caught))
        sys.exit(1)
