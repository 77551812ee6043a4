"""Databases: read-only, and nothing but the file within reach."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nearsense._notes import told_to
from nearsense.errors import FileError
from nearsense.files import Dialect, read_table


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "flat.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table messages (id integer, body text)")
        connection.executemany("insert into messages values (?, ?)", [(1, "Is it free?"), (2, "Yes, still.")])
        connection.commit()
    return path


def test_the_only_table_is_read_and_that_is_said(database):
    said: list[str] = []
    with told_to(said.append):
        assert read_table(database).columns == {"id": [1, 2], "body": ["Is it free?", "Yes, still."]}
    assert said == ["table: messages; --sql to ask for something else"]


def test_of_several_tables_each_has_a_query_to_paste_that_works(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute('create table "odd ""name" (text)')
        connection.execute('insert into "odd ""name" values (\'hello\')')
        connection.commit()
    with pytest.raises(FileError, match="which of its tables") as caught:
        read_table(database)
    import shlex

    queries = [shlex.split(choice)[1] for choice in caught.value.choices]
    assert [len(read_table(database, dialect=Dialect(sql=query))) for query in queries] == [2, 1]


def test_a_query_is_answered_with_its_own_names(database):
    table = read_table(database, dialect=Dialect(sql="select upper(body) as text from messages where id > 1"))
    assert table.columns == {"text": ["YES, STILL."]}
    with pytest.raises(FileError, match="no row"):
        read_table(database, dialect=Dialect(sql="select * from messages where id > 5"))
    with pytest.raises(FileError, match="does not answer"):
        read_table(database, dialect=Dialect(sql="select nothing from messages"))


@pytest.mark.parametrize(
    "sql",
    [
        "delete from messages",
        "insert into messages values (3, 'x')",
        "create table t (a)",
        "attach '{other}' as other",
        "pragma writable_schema = 1",
        "vacuum into '{other}'",
        "select load_extension('{other}')",
        "select * from messages; delete from messages",
    ],
)
def test_a_query_changes_nothing_and_reaches_no_other_file(database, tmp_path, sql):
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    other = tmp_path / "other.db"
    with pytest.raises(FileError):
        read_table(database, dialect=Dialect(sql=sql.format(other=other)))
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before
    assert {each.name for each in tmp_path.iterdir()} == {"flat.sqlite"}


def test_what_is_no_database_is_said_to_be_none(tmp_path):
    (tmp_path / "a.db").write_text("text\nhello\n")
    with pytest.raises(FileError, match="no SQLite file"):
        read_table(tmp_path / "a.db")


# ---- DuckDB


@pytest.fixture
def duck(tmp_path) -> Path:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "flat.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("create table messages as select 1 as id, 'Is it free?' as body")
    return path


def test_a_duckdb_file_is_read(duck):
    assert read_table(duck).columns == {"id": [1], "body": ["Is it free?"]}
    assert read_table(duck, dialect=Dialect(sql="select lower(body) as text from messages")).columns == {
        "text": ["is it free?"]
    }


secret_rows = [("of this program",)]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{other}')",
        "select * from read_text('{other}')",
        "select * from '{other}'",
        "select * from glob('{folder}/*')",
        "copy messages to '{folder}/out.csv'",
        "attach '{other}' as other",
        "install httpfs",
        "load httpfs",
        "select * from 'http://127.0.0.1:9/a.csv'",
        "set enable_external_access = true",
        "drop table messages",
        "select * from secret_rows",
        "select * from messages; select 1",
    ],
)
def test_a_duckdb_query_reaches_no_file_no_network_no_extension_and_no_variable(duck, tmp_path, sql):
    other = tmp_path / "other.csv"
    other.write_text("a\nsecret\n")
    with pytest.raises(FileError):
        read_table(duck, dialect=Dialect(sql=sql.format(other=other, folder=tmp_path)))
    assert not (tmp_path / "out.csv").exists()
    assert len(read_table(duck)) == 1
