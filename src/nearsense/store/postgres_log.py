"""The lines of a query log in a table, where a collection lies in PostgreSQL: as `LogFolder` has them in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nearsense.store.postgres import Postgres, parse_address
from nearsense.store.postgres_tables import Names, schema_of

PATIENCE = 2.0
"""Seconds for which writing is tried again: it is done in passing."""
TRIMMED = 1000
"""After so many lines the oldest go, where there are too many."""


class LogTable:
    """Lines of a collection's log. What is forgotten is deleted, and the table written anew without it."""

    damaged = 0
    """The server checks its pages itself."""

    def __init__(self, url: str, max_bytes: int) -> None:
        self._server, self.max_bytes, self._url = Postgres(parse_address(url)), max_bytes, url
        self._names = Names(schema_of(self._server.address.collection), "")
        self._key: bytes | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return LogTable, (self._url, self.max_bytes)

    @property
    def path(self) -> str:
        """Where it lies, for messages: the collection's address."""
        return self._server.address.name

    def require_mine(self) -> None:
        """The table is nobody else's."""

    def exists(self) -> bool:
        """The table comes with the collection."""
        return True

    def key(self) -> bytes:
        """The log's own 32 bytes."""
        if self._key is None:
            sql = self._names("SELECT key FROM $S.log")
            found = self._server.read(lambda cursor: cursor.execute(sql).fetchone())
            self._key = bytes(found[0]) if found else b""
        return self._key

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines behind those that are there: all of them, or none."""
        if self.max_bytes <= 0:
            return
        put = self._names("INSERT INTO $S.queries (line) SELECT unnest(%s::bytea[]) RETURNING number")
        sums = "SELECT number, sum(octet_length(line)) OVER (ORDER BY number DESC) AS bytes FROM $S.queries"
        trim = self._names(
            f"DELETE FROM $S.queries WHERE number <= (SELECT max(number) FROM ({sums}) AS kept WHERE bytes > %s)"
        )

        def write(cursor: object, _: int) -> None:
            numbers = [row[0] for row in cursor.execute(put, [list(lines)]).fetchall()]  # type: ignore[attr-defined]
            if min(numbers) // TRIMMED != (max(numbers) + 1) // TRIMMED:
                cursor.execute(trim, [self.max_bytes])  # type: ignore[attr-defined]

        self._server.write(write, patience=PATIENCE)

    def lines(self) -> Iterator[bytes]:
        """All lines in the order in which they were written."""
        return (bytes(line) for _, line in self._numbered())

    def blank(self, unwanted: Callable[[bytes], bool]) -> int:
        """Remove lines; how many. The table is then written anew, without what they were."""
        gone = [number for number, line in self._numbered() if unwanted(bytes(line))]
        if gone:
            delete = self._names("DELETE FROM $S.queries WHERE number = ANY(%s)")
            self._server.write(lambda cursor, _: cursor.execute(delete, [gone]))
            vacuum = self._names("VACUUM (FULL) $S.queries")
            self._server.alone(lambda connection: connection.execute(vacuum), patience=PATIENCE)
        return len(gone)

    def close(self) -> None:
        """Give the connections back; they are taken again where somebody reads."""
        self._server.rest()

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        after, sql = 0, self._names("SELECT number, line FROM $S.queries WHERE number > %s ORDER BY 1 LIMIT 5000")
        with self._server.reading() as cursor:
            while rows := cursor.execute(sql, [after]).fetchall():
                yield from rows
                after = rows[-1][0]
