"""The tables of a collection, as numbered migrations: a file knows which it has had, and gets the next ones."""

from __future__ import annotations

from nearsense.errors import StoreError
from nearsense.store.database import Connection
from nearsense.store.points import reach

__all__ = ["APPLICATION_ID", "MIGRATIONS", "is_newest", "migrate"]

APPLICATION_ID = 0x4E656172
"""How `file` and SQLite tell a collection from other databases: "Near"."""

MIGRATIONS = (
    """
    -- What is true of the collection as a whole: one row a fact.
    CREATE TABLE state (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

    -- A position is given once and never again; a changed document gets a new one.
    CREATE TABLE documents (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        metadata TEXT NOT NULL,          -- JSON object
        hash BLOB NOT NULL,              -- of the text, as the embedding cache knows it
        sum INTEGER NOT NULL             -- sums.document_sum
    ) STRICT;

    -- float32, little-endian, unit length. Beside the documents: to fetch a text reads no vector.
    CREATE TABLE vectors (
        position INTEGER PRIMARY KEY,
        vector BLOB NOT NULL,
        truncated INTEGER NOT NULL,      -- 1: the text was cut at the model's limit
        sum INTEGER NOT NULL             -- sums.vector_sums
    ) STRICT;

    -- The vectors of another model, while `reembed` makes them.
    CREATE TABLE next_vectors (
        position INTEGER PRIMARY KEY, vector BLOB NOT NULL, truncated INTEGER NOT NULL, sum INTEGER NOT NULL
    ) STRICT;

    -- The change log: what was removed since the last generation. What was added needs none: positions only grow.
    CREATE TABLE removals (position INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
    CREATE INDEX removals_by_sequence ON removals (sequence);

    -- The derived files that are in use: at most one row.
    CREATE TABLE generations (
        name TEXT PRIMARY KEY,           -- of the folder
        sequence INTEGER NOT NULL,       -- of the last commit it holds
        position INTEGER NOT NULL,       -- it holds the positions below
        manifest TEXT NOT NULL           -- JSON: files with their sizes and SHA-256, and what was built
    ) STRICT;
    """,
    """
    -- A generation says from now on of which vectors it was made (manifest: recipe), and so does what `reembed`
    -- has begun (state: next). Of older ones nobody knows: they are made again.
    DELETE FROM generations;
    DELETE FROM next_vectors;
    DELETE FROM state WHERE name = 'next';
    INSERT OR IGNORE INTO state SELECT 'windows', 'false' FROM state WHERE name = 'fingerprint';
    """,
)


def is_newest(connection: Connection) -> bool:
    """Whether a file is a collection with the newest schema, ready to be used."""
    known = (connection.pragma(name) for name in ("application_id", "user_version", "journal_mode"))
    return (*known,) == (APPLICATION_ID, len(MIGRATIONS), "wal")


def migrate(connection: Connection, path: str) -> None:
    """Bring a file to the newest schema; nothing where it has it.

    Raises:
        StoreError: A newer nearsense made it, or it is no collection.
    """
    if connection.pragma("user_version") == len(MIGRATIONS):
        return
    reach("migration.before")
    with connection.writing():
        done = connection.pragma("user_version")
        if done > len(MIGRATIONS):
            raise StoreError(
                f"{path} has schema {done}, this nearsense knows {len(MIGRATIONS)}",
                why="a newer nearsense made it",
                fix="pip install --upgrade nearsense",
            )
        for number, script in enumerate(MIGRATIONS[done:], done + 1):
            connection.run(script)
            connection.pragma("user_version", number)
        connection.pragma("application_id", APPLICATION_ID)
    reach("migration.after")
