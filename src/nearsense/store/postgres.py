"""PostgreSQL as it is reached: addresses, a pool of connections, what is tried again. Not what lies there.

psycopg is known to this file alone. A password stands in no message, name or representation.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from nearsense._forks import lock
from nearsense._optional import require
from nearsense.errors import DiskFull, InputError, NearsenseError, StoreError
from nearsense.store.postgres_tables import Names, made, quoted, schema_of

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

T = TypeVar("T")
log = logging.getLogger("nearsense")

DEFAULT = "documents"
"""What a collection is called whose address names none."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
SHOWN = ("host", "hostaddr", "port", "service", "sslmode", "target_session_attrs")
"""Of an address's options those that may stand in a name: no secret, and needed to get there."""
SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
PATIENCE = 60.0
"""Seconds for which what can be tried again is: as long as a server takes to begin anew."""
CONNECTIONS = 16
"""Of one handle at most; who needs one more waits."""
PAUSE = 0.05, 1.0
"""Seconds between the first tries, and at most."""
WAITING = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""When a server that no longer answers counts as gone."""
ENCODED = {"client_encoding": "utf8"}
"""As bytes are sent, whatever an address says."""
AFRESH = 3.0
"""Seconds after which the pauses between attempts to connect begin anew: they double."""
MOMENT, CHANGE = "ISOLATION LEVEL REPEATABLE READ, READ ONLY", "ISOLATION LEVEL READ COMMITTED"
PASSING = {"57P01", "57P02", "57P03", "57P05", "40001", "40P01", "55P03"}
"""The server ends, begins, gave up a connection that rested, or two stood in each other's way."""
GONE = "42P01"
"""A table is no longer there: vectors that were just replaced, where it happens once."""
OLDEST, SOUND = (0, 8, 2), (0, 8, 4)
"""The oldest pgvector that is used: before it, building an index in parallel writes beyond its memory
(CVE-2026-3172); and the oldest that is not warned of."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection is: what libpq needs to get there, the collection's name, and what people are told."""

    options: dict[str, str] = field(repr=False)
    collection: str
    name: str

    @property
    def url(self) -> str:
        """All of it, secrets included, for another process."""
        hidden = {name: value for name, value in self.options.items() if name not in SHOWN}
        return "".join([self.name, *(f"&{name}={quote(value, safe='')}" for name, value in hidden.items())])

    def scrubbed(self, text: str) -> str:
        """A message without anything that is secret."""
        for name in SECRET:
            if secret := self.options.get(name):
                text = text.replace(secret, "...").replace(quote(secret), "...")
        return text


def parse_address(url: str) -> Address:
    """Read `postgresql://user@host:port/database?collection=NAME`.

    Whatever else stands behind the question mark is an option of libpq.

    Raises:
        InputError: It is no such address; the message does not repeat it.

    Example:
        >>> parse_address("postgresql://ann:secret@db.example/shop?collection=tickets").name
        'postgresql://ann@db.example/shop?collection=tickets'
    """
    form = "postgresql://user@host/database?collection=tickets"
    unread = InputError(
        "the address of a collection in PostgreSQL cannot be read",
        why="it is no such URL, or its password has one of / ? # @ as it is, and not as %2F %3F %23 %40",
        fix=f"write it like {form}",
    )
    try:
        parts = urlsplit(url)
        query = parts.query.replace("+", "%2B")  # libpq takes it for itself, not for a space
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise unread from None
    if not re.match("postgres(ql)?://", url) or parts.fragment or "@" in parts.path:
        raise unread
    if not all(map(re.compile("[a-z_]+").fullmatch, options)):
        raise unread
    collection = options.pop("collection", DEFAULT)
    if not NAME.fullmatch(collection):
        why = "a name has letters, digits, - and _, at most 40, and begins with a letter or a digit"
        raise InputError(f"{collection!r} cannot name a collection", why=why, fix=f"write it like {form}")
    user, _, place = parts.netloc.rpartition("@")
    user, _, password = user.partition(":")
    hosts = [re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?", each) for each in place.split(",")]
    names = [unquote(each[1].strip("[]")) for each in hosts if each]
    if not (all(hosts) and all(map(_is_host, [*names, *options.get("host", "").split(",")]))):
        raise unread
    shown = "&".join(f"{name}={quote(options[name], safe='/')}" for name in SHOWN if name in options)
    named = f"postgresql://{f'{user}@' * bool(user)}{place}{parts.path}?{shown}{'&' * bool(shown)}"
    given = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(names),
        "port": ",".join(each[2] or "" for each in hosts if each),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    given = {name: value for name, value in given.items() if value.strip(",")}
    usual = {"fallback_application_name": "nearsense", **WAITING}
    name = f"{named}collection={collection}"
    return Address(usual | _SAID.get(name, {}) | given | options | ENCODED, collection, name)


def _is_host(name: str) -> bool:
    """Whether it is a socket's folder, or a name that can be looked up."""
    try:
        return name.startswith(("/", "@")) or name.encode("idna") is not None
    except UnicodeError:
        return False


_SAID: dict[str, dict[str, str]] = {}


def without_secrets(url: str) -> str:
    """The address that may be printed; whoever opens that in this process gets there by what was hidden of it.

    For commands, whose words come again in what they say. Nobody else shall get in by a password of another's.

    Example:
        >>> without_secrets("postgresql://bo:secret@db.example/shop")
        'postgresql://bo@db.example/shop?collection=documents'
    """
    address = parse_address(url)
    if not address.options.keys() & set(SECRET):
        return url
    _SAID[address.name] = address.options
    return address.name


def is_there(url: str) -> bool:
    """Whether there is a collection at an address, its server asked."""
    server = Postgres(parse_address(url))
    names = Names(schema_of(server.address.collection), "")
    return server.alone(lambda connection: made(connection, names))


def remove(url: str) -> None:
    """Take a collection away, with all that is in it."""
    server = Postgres(parse_address(url))
    sql = f"DROP SCHEMA IF EXISTS {schema_of(server.address.collection)} CASCADE"
    server.alone(lambda connection: connection.execute(sql))


class Postgres:
    """Connections to the server of an address, for all threads; a forked child gets its own."""

    def __init__(self, address: Address) -> None:
        purpose = f"a collection in PostgreSQL ({address.name})"
        self._psycopg = require("psycopg", extra="postgres", purpose=purpose)
        self._pools = require("psycopg_pool", extra="postgres", purpose=purpose)
        logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what matters becomes an error here
        self.address, self._guard, self._closed = address, lock(), False
        self._pool: Any = None
        self._owner = 0
        self._parents: list[Any] = []

    @property
    def busy(self) -> type[Exception]:
        """What is raised where somebody else holds a table for longer than one waits."""
        return self._psycopg.errors.LockNotAvailable  # type: ignore[no-any-return]

    def close(self) -> None:
        """Give all connections back; every later call raises StoreError."""
        self._closed = True
        self.rest()

    def rest(self) -> None:
        """Give all connections back; the next call takes others."""
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is not None and self._owner == os.getpid():
            pool.close()

    def alone(self, action: Callable[[Connection[Any]], T], *, patience: float = 0.0) -> T:
        """What an action makes of a connection of its own, each statement a transaction; tried again so long."""

        def once(_: int) -> T:
            self._require_open()
            with self._psycopg.connect(**self.address.options, autocommit=True) as connection:
                return action(connection)

        return self.again(once, patience)

    def read(self, action: Callable[[Cursor[Any]], T]) -> T:
        """What an action makes of one moment; tried again where the connection breaks."""

        def once(_: int) -> T:
            with self._begun(MOMENT, PATIENCE) as cursor:
                return action(cursor)

        return self.again(once)

    def write(self, action: Callable[[Cursor[Any], int], T], *, patience: float = PATIENCE) -> T:
        """Change something, all of it or nothing; tried again, with the number of the try, from 0.

        Whether a try that broke at its end was kept, nobody knows: the action has to find out.
        """

        def once(tried: int) -> T:
            with self._begun(CHANGE, patience) as cursor:
                return action(cursor, tried)

        return self.again(once, patience)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Cursor[Any]]:
        """One moment, for what is read bit by bit: not tried again."""
        try:
            with self._begun(MOMENT, PATIENCE) as cursor:
                yield cursor
        except self._psycopg.Error as error:
            raise self._said(error) from None

    def again(self, action: Callable[[int], T], patience: float = PATIENCE) -> T:
        """What an action gives at last, in a time from when it first broke; it gets the number of the try."""
        until, pause, tried = None, PAUSE[0], 0
        while True:
            try:
                return action(tried)
            except self._psycopg.Error as error:
                until = time.monotonic() + patience if until is None else until
                if not self._passes(error, tried) or time.monotonic() >= until:
                    raise self._said(error) from None
            pool = self._pool
            if pool is not None and self._owner == os.getpid():
                pool.check()  # what broke one of its connections broke the others, too
            time.sleep(pause)
            tried, pause = tried + 1, min(2 * pause, PAUSE[1])

    @contextlib.contextmanager
    def _begun(self, how: str, patience: float) -> Iterator[Cursor[Any]]:
        with self._lent(patience) as connection:
            connection.execute(f"BEGIN {how}")
            with connection.cursor(binary=True) as cursor:
                yield cursor

    @contextlib.contextmanager
    def _lent(self, patience: float) -> Iterator[Connection[Any]]:
        """A connection of the pool; what was begun in it is committed at the end, or undone."""
        with self._guard:
            self._require_open()
            if self._pool is None or self._owner != os.getpid():
                self._parents.append(self._pool)  # kept, and left alone: its threads and sockets are the parent's
                self._owner = os.getpid()
                how = {"autocommit": True, "prepare_threshold": None, **self.address.options}
                self._pool = self._pools.ConnectionPool(
                    kwargs=how, min_size=0, max_size=CONNECTIONS, open=True, num_workers=2,
                    reconnect_timeout=AFRESH, reconnect_failed=_connected_anew,
                )  # fmt: skip
            pool = self._pool
        with pool.connection(timeout=patience) as connection:
            yield connection

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.address.name} is closed", fix="open it again")

    def _passes(self, error: Exception, tried: int) -> bool:
        """Whether the same may go well when it is tried again."""
        state = getattr(error, "sqlstate", None)
        if self._closed:
            return False
        if state is None:
            return isinstance(error, (self._psycopg.OperationalError, self._psycopg.InterfaceError))
        return state in PASSING or state.startswith("08") or (state == GONE and tried < 3)

    def _said(self, error: Exception) -> NearsenseError:
        """An error of the server in three parts."""
        name, state = self.address.name, getattr(error, "sqlstate", None) or ""
        if self._closed:
            return StoreError(f"{name} is closed", fix="open it again")
        if isinstance(error, self._pools.PoolTimeout):
            error = self._reason() or error
        lines = self.address.scrubbed(str(error)).strip().splitlines()
        why = lines[0] if lines else type(error).__name__
        if state == "53100":
            return DiskFull(f"{name} has no room left", why=why, fix="free some space on the server")
        if state == "42501":
            schema, role = schema_of(self.address.collection), quoted(self.address.options.get("user", "ROLE"))
            tables = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
            fix = f"let its owner type: GRANT USAGE ON SCHEMA {schema} TO {role}; {tables} (SELECT alone to read)"
            return StoreError(f"{name} may not be used so", why=why, fix=fix)
        if state == "57014":
            fix = "allow more (ALTER ROLE ... SET statement_timeout), or ask for less at a time"
            return StoreError(f"{name} takes longer than the server allows", why=why, fix=fix)
        if state == "25006":
            fix = "write to the primary server, and read here"
            return StoreError(f"{name} is only read here", why=why, fix=fix)
        if state in (GONE, "3F000"):
            return StoreError(f"{name} is no longer there", why=why, fix="open it again")
        if state and not state.startswith(("08", "57", "28", "3D")):
            fix = "see the log of the server; nearsense index verify says what is there"
            return StoreError(f"{name} cannot do that", why=why, fix=fix)
        fix = "check that the server runs, and lets you in: psql with the same address, without ?collection"
        return StoreError(f"{name} does not answer", why=why, fix=fix)

    def _reason(self) -> Exception | None:
        """Why no connection is to be had."""
        try:
            self._psycopg.connect(**self.address.options).close()
        except self._psycopg.Error as error:
            return error if isinstance(error, Exception) else None
        return None


def _connected_anew(pool: Any) -> None:
    """Go on trying to connect where somebody waits for it."""
    if pool.get_stats().get("requests_waiting"):
        pool.check()


def require_vector(connection: Connection[Any], name: str) -> str:
    """The schema of the database's pgvector, quoted.

    Raises:
        StoreError: There is none, or one that is too old.
    """
    found = connection.execute(
        "SELECT quote_ident(nspname), extversion FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname = 'vector'"
    ).fetchone()
    database = connection.info.dbname
    if found is None:
        there = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone()
        major = connection.info.server_version // 10_000
        install = "" if there else f"install it on the server (apt install postgresql-{major}-pgvector), then "
        why = "vectors are compared by that extension"
        fix = f"{install}let an owner of the database type: psql -d {database} -c 'CREATE EXTENSION vector'"
        raise StoreError(f"{name}: the database {database} has no pgvector", why=why, fix=fix)
    schema, version = found
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    update = f"update it on the server, then: psql -d {database} -c 'ALTER EXTENSION vector UPDATE'"
    if numbers < OLDEST:
        why = "before 0.8.2 building an index can write beyond its memory (CVE-2026-3172)"
        raise StoreError(f"{name}: the database {database} has pgvector {version}", why=why, fix=update)
    if numbers < SOUND:
        log.warning(
            "%s: the database %s has pgvector %s, of which 0.8.4 mends faults; %s", name, database, version, update
        )
    return str(schema)
