"""What a query says of an SQLite or a DuckDB file: read-only, that file alone, no network and no code.

The one file that knows DuckDB, and the one beside the store's that knows SQLite.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from nearsense._notes import tell
from nearsense._optional import require
from nearsense.columns import list_names
from nearsense.errors import FileError
from nearsense.files.formats import Format
from nearsense.files.grid import apart, named, require_room
from nearsense.files.streams import Source
from nearsense.files.table import Table

Answer = tuple[list[str], list[tuple[Any, ...]]]
Ask = Callable[[str], Answer]

_TABLES = {
    Format.SQLITE: "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite\\_%' "
    "escape '\\' order by rowid",
    Format.DUCKDB: "select table_name from information_schema.tables where table_schema = 'main'",
}


def read_database(source: Source, form: Format, sql: str | None) -> Table:
    """The rows that a query gives; without one those of the only table that there is."""
    source.require_content()
    engine = _sqlite if form is Format.SQLITE else _duckdb
    with _on_disk(source) as path, engine(source, path) as ask:
        if sql is None:
            sql = _whole(source, [str(row[0]) for row in ask(_TABLES[form])[1]])
        names, rows = ask(sql)
    if not rows:
        raise FileError(
            f"{source.name}: the query gives no row", why=sql[:80], fix="ask for something else: --sql"
        )
    require_room(source.name, len(names))
    columns = zip(apart(source.name, named(names)), map(list, zip(*rows, strict=True)), strict=True)
    return Table(dict(columns), list(range(1, len(rows) + 1)), source.name, None, "row", anew=True)


def _whole(source: Source, tables: list[str]) -> str:
    """The query for all of the only table; several are named, each with its query."""
    queries = ['select * from "' + name.replace('"', '""') + '"' for name in tables]
    if not tables:
        raise FileError(
            f"{source.name} holds no table", why="there is nothing to read in it", fix="give another file"
        )
    if len(tables) > 1:
        choices = [f"--sql {quote(query)}" for query in queries[:4]]
        what, why = f"{source.name}: which of its tables is to be read?", f"they are {list_names(tables)}"
        raise FileError(what, why=why, fix=", or ".join(choices), choices=choices)
    tell(f"table: {tables[0]}; --sql to ask for something else")
    return queries[0]


@contextmanager
def _on_disk(source: Source) -> Iterator[Path]:
    """The database as a file: engines map it into memory."""
    if source.path is not None and source.compression == "none":
        yield source.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "database"
        with source.open() as stream:
            path.write_bytes(stream.read())
        yield path


@contextmanager
def _sqlite(source: Source, path: Path) -> Iterator[Ask]:
    """Ask an SQLite file; its views and triggers may call no function that does anything."""
    import apsw

    allowed = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}

    def permit(action: int, *about: str | None) -> int:
        loads = action == apsw.SQLITE_FUNCTION and (about[1] or "").casefold() == "load_extension"
        return apsw.SQLITE_OK if action in allowed and not loads else apsw.SQLITE_DENY

    def ask(sql: str) -> Answer:
        try:
            cursor = connection.cursor()
            names: list[str] = []

            def begun(running: apsw.Cursor, _sql: str, _bindings: Any) -> bool:
                names[:] = [column[0] for column in running.get_description()]
                return True

            cursor.exec_trace = begun
            rows = cursor.execute(sql).fetchall()
        except apsw.Error as error:
            raise _unanswered(source, sql, str(error)) from error
        return names, rows

    place, flags = path.resolve().as_uri() + "?mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(place, flags=flags)
        try:
            connection.execute("select 1 from sqlite_master").fetchall()
        except apsw.CantOpenError:  # a log beside it, in a folder that nothing may be written to
            connection.close()
            connection = apsw.Connection(place + "&immutable=1", flags=flags)
    except apsw.Error as error:
        raise _unopened(source, "SQLite", str(error)) from error
    with closing(connection):
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.authorizer = permit
        connection.set_progress_handler(lambda: False, 1_000_000)  # where Ctrl-C is noticed
        yield ask


@contextmanager
def _duckdb(source: Source, path: Path) -> Iterator[Ask]:
    """Ask a DuckDB file, with everything else out of its reach."""
    duckdb = require("duckdb", extra="duckdb", purpose="reading DuckDB files")
    closed = {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "lock_configuration": "true",
    }

    def ask(sql: str) -> Answer:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise _unanswered(source, sql, "one select is needed, and nothing else")
            found = connection.execute(statements[0])
            return [column[0] for column in found.description], found.fetchall()
        except duckdb.Error as error:
            raise _unanswered(source, sql, str(error)) from error

    try:
        connection = duckdb.connect(str(path), read_only=True, config=closed)
    except duckdb.Error as error:
        raise _unopened(source, "DuckDB", str(error)) from error
    with closing(connection):
        yield ask


def _unopened(source: Source, kind: str, why: str) -> FileError:
    what = f"{source.name} is no {kind} file, or a damaged one"
    return FileError(what, why=_short(why), fix="copy it again, or give another file")


def _unanswered(source: Source, sql: str, why: str) -> FileError:
    what = f"{source.name} does not answer {sql[:60]!r}"
    return FileError(what, why=_short(why), fix="--sql takes one select: --sql 'select * from TABLE'")


def _short(why: str) -> str:
    return " ".join(why.split())[:160]
