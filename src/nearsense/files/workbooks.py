"""xlsx, xls and ods as tables: which sheet, what its cells are. Read in a bounded process: workbook.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from io import BytesIO
from shlex import quote
from typing import Any

from nearsense._bounded import CRASHED, LATE, BoundedProcess, Broken
from nearsense._notes import tell
from nearsense._optional import require
from nearsense.columns import list_names
from nearsense.errors import FileError
from nearsense.files.dialect import Dialect
from nearsense.files.grid import table_of
from nearsense.files.names import called
from nearsense.files.streams import Source
from nearsense.files.table import Table

LARGEST = 2 << 30
"""Bytes that the parts of a workbook may unpack to."""
MEMORY, SECONDS = 3 << 30, 300.0
"""What reading one may take."""

Sheet = tuple[str, int, list[list[Any]]]


def read_workbook(source: Source, dialect: Dialect) -> Table:
    """The sheet that was asked for, else the first that looks like a table; said where there are others."""
    require("python_calamine", extra="excel", purpose="reading workbooks")
    source.require_content()
    _require_modest(source)
    names, sheets = _sheets(source, dialect.sheet or "")
    if dialect.sheet and not sheets:
        what = f"{source.name} has no sheet {dialect.sheet!r}"
        raise FileError(what, why=f"its sheets are: {list_names(names)}", fix=f"--sheet {quote(names[0])}")
    full = [sheet for sheet in sheets if sheet[2]]
    if not full:
        raise FileError(f"{source.name} holds no text", why="its sheets are empty", fix="give another file")
    chosen = max(full, key=_likeness)
    if len(full) > 1:
        others = list_names([name for name, _, _ in full if name != chosen[0]])
        tell(f"sheet: {chosen[0]}; --sheet to choose another ({others})")
    if len(names) > 1 and not dialect.sheet:
        chosen = _sheets(source, chosen[0])[1][0]
    name, begin, rows = chosen
    where = f"{source.name}, sheet {name}" if len(names) > 1 else source.name
    lines = list(range(begin, begin + len(rows)))
    return table_of(where, rows, lines, dialect.header)


def _likeness(sheet: Sheet) -> tuple[int, int, int]:
    """How much a sheet is like a table of texts: a column by its name, then more columns and rows than one."""
    rows = sheet[2]
    named = any(isinstance(cell, str) and called(cell, "text") for row in rows[:10] for cell in row if cell)
    wide = max(sum(cell is not None for cell in row) for row in rows)
    return int(named and len(rows) > 1), int(wide > 1 and len(rows) > 2), int(len(rows) > 1)


def _require_modest(source: Source) -> None:
    """Refuse an archive whose parts say that they unpack to more than fits."""
    import zipfile

    if not source.head.startswith(b"PK"):
        return
    with source.open() as stream:
        try:
            with zipfile.ZipFile(BytesIO(stream.read()) if source.path is None else stream) as archive:
                size = sum(part.file_size for part in archive.infolist())
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
            raise _damaged(source, str(error)) from error
    if size > LARGEST:
        what = f"{source.name} would unpack to {size / (1 << 30):,.0f} GB"
        raise FileError(what, why="a workbook may unpack to 2 GB", fix="export the sheet as csv")


def _sheets(source: Source, wanted: str) -> tuple[list[str], list[Sheet]]:
    """The names of all sheets, and the rows of some, as the process says them, value by value."""
    names: list[str] = []
    sheets: list[Sheet] = []
    place, content = [], None
    if source.path is not None and source.compression == "none":
        place = [str(source.path.resolve())]
    else:
        with source.open() as stream:
            content = stream.read()
    with BoundedProcess(MEMORY, SECONDS) as process:
        try:
            for value in process.ask("nearsense.files.workbook:sheets_of", *place, wanted, content=content):
                if isinstance(value, list):
                    sheets[-1][2].append([_TIMES[c[0]](c[1]) if isinstance(c, list) else c for c in value])
                elif "sheets" in value:
                    names = value["sheets"]
                else:
                    sheets.append((value["sheet"], value["begin"], []))
        except Broken as error:
            raise _refused(source, error) from None
    return names, sheets


def _refused(source: Source, error: Broken) -> FileError:
    """Why a workbook cannot be read."""
    if error.kind == "PasswordError":
        why, fix = "it is protected by a password", "save it without one, or export the sheet as csv"
        return FileError(f"{source.name} cannot be read", why=why, fix=fix)
    if error.kind in (CRASHED, LATE, "MemoryError"):
        why = "reading it took more than 3 GB of memory, or five minutes"
        return FileError(f"{source.name} is too large, or made to be", why=why, fix="export the sheet as csv")
    return _damaged(source, " ".join(error.why.split()))


def _damaged(source: Source, why: str) -> FileError:
    what = f"{source.name} is no workbook, or a damaged one"
    return FileError(
        what, why=why or "its parts are not in order", fix="save it again, or export the sheet as csv"
    )


_TIMES: dict[str, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "seconds": lambda seconds: timedelta(seconds=seconds),
}
