"""What people, owners and servers do to a collection in PostgreSQL that nobody has planned."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import nearsense as ns
import pgserver
from collection.test_conformance import PETS, Words, ids
from collection.test_postgres import Losing, clustered
from filters.test_columns import filters, metadatas
from filters.test_sql import can_be_kept
from nearsense.filters import matches, names, parse
from nearsense.store import postgres
from turns import in_turn

ODD = [
    "mysql://u:hunter2@h/db",
    "postgresql+psycopg://u:hunter2@h/db",
    "POSTGRESQL://u:hunter2@h/db",
    "postgresql:/u:hunter2@h/db",
    " postgresql://u:hunter2@h/db",
    "host=h dbname=shop password=hunter2",
    "postgresql://u:12/hunter2@h/db",
    "postgresql://u:1?hunter2=@h/db",
    "postgresql://u:a#hunter2@h/db",
    f"postgresql://u:hunter2@{'h' * 64}.example/db",
]


@pytest.fixture(scope="module")
def server():
    return pgserver.shared()


@pytest.fixture
def url(server):
    return server.url()


def role(server, name: str, database: str = "tests") -> str:
    """A role that may nothing, nor may others make schemas."""
    server.psql(f"CREATE ROLE {name} LOGIN; REVOKE CREATE ON DATABASE {database} FROM PUBLIC", database)
    return name


# -- addresses


@in_turn("odd", ODD)
def test_what_was_meant_as_an_address_becomes_no_folder_and_is_not_repeated(odd, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ns.errors.InputError) as caught:
        ns.open(odd, Words())
    assert "hunter2" not in str(caught.value)
    for words in (["info", odd], ["create", odd], ["copy", odd, "x"]):
        done = run("index", *words)
        assert done.code == 2
        assert "hunter2" not in done.out + done.err
        assert "postgresql://user@host" in done.err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_a_text_that_begins_like_an_address_is_a_text(run):
    done = run("compare", "postgresql://user:port/ cannot be read", "postgresql://user:port/ cannot be read")
    assert done.code == 0
    assert json.loads(done.out)["a"] == "postgresql://user:port/ cannot be read"


def test_a_plus_in_a_password_is_a_plus():
    assert postgres.parse_address("postgresql://h/db?password=a+b%2Bc%20d").options["password"] == "a+b+c d"


@pytest.mark.parametrize("how", ["client_encoding=latin1", "options=-c%20client_encoding%3Dlatin1"])
def test_no_option_of_an_address_changes_what_texts_are(url, how):
    odd = ns.Document("ü", "Käse 😀", {"ö": "ä"})
    with ns.open(f"{url}&{how}", Words()) as collection:
        collection.add([odd])
        assert collection.get("ü") == [odd]
        assert collection.verify().ok


def test_a_database_of_another_encoding_is_refused_before_anything_is_made(server):
    server.psql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    server.psql("CREATE EXTENSION vector", "latin")
    with pytest.raises(ns.errors.StoreError, match="all languages") as caught:
        ns.open(server.url("here", "latin"), Words())
    assert "LATIN1" in caught.value.why
    assert server.psql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'nearsense%'", "latin") == "0"


def test_a_collection_is_no_file(server, url, run, tmp_path):
    with ns.open(url) as collection:
        collection.add(["Water the plants.", "Call the bank."])
    other = str(tmp_path / "other.nearsense")
    assert run("index", "create", other).code == 0
    done = run("index", "add", other, url)
    assert done.code == 0, done.err
    with ns.open(other, create=False) as there:
        assert len(there) == 2
    done = run("index", "export", url, url)
    assert done.code == 2
    assert "is the address of a collection, and no file" in done.err


# -- who may what


def test_a_schema_that_an_owner_has_made_is_enough(server):
    poor = role(server, "poor")
    with pytest.raises(ns.errors.StoreError, match="cannot be made") as caught:
        ns.open(server.url("given", user=poor), Words())
    assert "GRANT CREATE ON DATABASE tests TO poor" in caught.value.fix
    server.psql(caught.value.fix.rpartition("or: ")[2], "tests")
    with ns.open(server.url("given", user=poor), Words()) as collection:
        assert collection.add(PETS) == len(PETS)
        collection.build(index="hnsw")
        assert ids(collection.search("the dog runs", k=1)) == ["dog"]


def test_what_is_said_to_one_who_may_nothing_lets_them_write(server, url):
    with ns.open(url, Words(), log=True) as collection:
        collection.add(PETS)
    guest = url.replace("postgres@", f"{role(server, 'guest')}@")
    with pytest.raises(ns.errors.StoreError, match="may not be used so") as caught:
        ns.open(guest, Words())
    server.psql(caught.value.fix.partition("type: ")[2].partition(" (")[0], "tests")
    with ns.open(guest, Words(), log=True) as collection:
        collection.add([ns.Document("new", "a new one")])
        assert collection.delete("cat") == 1
        assert ids(collection.search("a new one", k=1)) == ["new"]
        assert [each.query for each in collection.log.entries()] == ["a new one"]


def test_a_table_of_somebody_else_is_left_alone(server, url):
    schema = f'"nearsense_{url.rpartition("=")[2]}"'
    with ns.open(url, Words()) as collection:
        collection.add(PETS)
        server.psql(f"CREATE TABLE {schema}.vectors_old (); CREATE TABLE {schema}.vectors_0_mine ()", "tests")
        collection.compact()
        collection.reembed(Words(8, "other"))
        assert collection.verify().ok
    like = f"schemaname = 'nearsense_{url.rpartition('=')[2]}' AND tablename LIKE 'vectors%'"
    told = "string_agg(tablename, ' ' ORDER BY tablename COLLATE \"C\")"
    there = server.psql(f"SELECT {told} FROM pg_tables WHERE {like}", "tests")
    assert there == "vectors_0_mine vectors_2 vectors_old"


# -- how much


def test_a_query_of_thousands_of_words_is_answered_as_in_memory(url):
    texts = [" ".join(f"word{n}" for n in range(start, 1800, 7)) for start in range(7)] + ["word1 word2", "other"]
    query = " ".join(f"word{n}" for n in range(1750))
    with ns.open(url, Words()) as here, ns.open(":memory:", Words()) as there:
        for collection in (here, there):
            collection.add([ns.Document(str(n), text, {"n": n % 2}) for n, text in enumerate(texts)])
        for asked in ({}, {"where": {"n": 1}}, {"mode": "hybrid"}):
            found, wanted = (each.search(query, **{"mode": "lexical", **asked}) for each in (here, there))
            assert [(hit.id, hit.score) for hit in found] == [(hit.id, hit.score) for hit in wanted]


def test_vectors_that_are_too_long_are_refused_and_leave_nothing(server, url):
    with pytest.raises(ns.errors.InputError, match="16,001"):
        ns.open(url, Words(16_001))
    name = url.rpartition("=")[2]
    assert server.psql(f"SELECT count(*) FROM pg_namespace WHERE nspname = 'nearsense_{name}'", "tests") == "0"


def test_a_statement_that_takes_too_long_is_no_server_that_does_not_answer(url):
    with (
        pytest.raises(ns.errors.StoreError, match="takes longer than the server allows") as caught,
        ns.open(f"{url}&options=-c%20statement_timeout%3D1", Words()) as collection,
    ):
        collection.add([f"text {n} " * 100 for n in range(2000)])
    assert "statement_timeout" in caught.value.fix


# -- what breaks


def broken(server) -> None:
    """End all connections to the database of the tests."""
    others = "datname = 'tests' AND pid <> pg_backend_pid()"
    server.psql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}", "tests")


def test_a_server_that_gives_up_idle_connections_is_reached_again(url):
    with ns.open(f"{url}&options=-c%20idle_session_timeout%3D400", Words()) as collection:
        for n in range(2):
            time.sleep(1)
            assert collection.add([ns.Document(str(n), "a text")]) == 1


def test_many_broken_connections_cost_one_try(server, url):
    with ns.open(url, Words()) as collection:
        collection.add(PETS)
        together = threading.Barrier(12)

        def ask() -> None:
            with collection._engine.server.reading() as cursor:
                together.wait()
                cursor.execute("SELECT 1")

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        broken(server)
        begun = time.monotonic()
        assert collection.count() == len(PETS)
        assert time.monotonic() - begun < 4


@contextmanager
def breaking(server, statement: str):
    """End the connection that runs a statement, once."""
    ended = threading.Event()
    sql = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '{statement}%'"

    def watch() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if server.psql(sql, "tests") != "0":
                ended.set()
                return

    watching = threading.Thread(target=watch)
    watching.start()
    yield ended
    watching.join()


def test_a_build_whose_connection_breaks_is_made_all_the_same(server, url):
    with ns.open(url, Words(64)) as collection:
        collection.add([f"text {n}" for n in range(3000)], vectors=clustered(3000, 64))
        with breaking(server, "CREATE INDEX CONCURRENTLY") as ended:
            collection.build(index="hnsw")
        assert ended.is_set()
        assert collection.info().index == "hnsw"
        asked = clustered(5, 64, seed=1)
        assert len(collection.nearest(asked, k=3)[0]) == 3
        invalid = server.psql("SELECT count(*) FROM pg_index WHERE NOT indisvalid", "tests")
        assert invalid == "0"


@pytest.mark.parametrize("how", ["broken", "lost"])
def test_a_reembed_whose_connections_break_goes_on(server, url, monkeypatch, how):
    monkeypatch.setattr("nearsense.collection.reembedding.BATCH", 4)
    way = Losing(server)

    class Breaking(Words):
        def encode(self, texts, **options):
            if how == "lost":
                way.lose = 1
            else:
                broken(server)
            return super().encode(texts, **options)

    address = url.replace(str(server.place), way.place) if how == "lost" else url
    try:
        with ns.open(address, Words()) as collection:
            collection.add([f"text {n}" for n in range(12)])
            other = Breaking(8, "other")
            assert collection.reembed(other).documents == 12
            assert other.encoded == 12
            assert collection.info().dimension == 8
            assert collection.verify().ok
            assert (way.lost > 0) is (how == "lost")
    finally:
        way.close()


# -- like every other engine


@pytest.fixture(scope="module")
def kept(server):
    with ns.open(server.url(), Words()) as collection:
        yield collection


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(metadatas, filters)
def test_a_filter_lets_the_same_pass_as_plain_python(kept, rows, where):
    rows = [row for row in rows if can_be_kept(row)]
    kept.delete([str(n) for n in range(100)])
    kept.add([ns.Document(str(n), "a text", row) for n, row in enumerate(rows)], vectors=np.ones((len(rows), 16)))
    try:
        found = kept.search("a text", k=1000, where=where) if rows else []
    except ns.errors.UnknownField:
        assert not names(parse(where)) <= set(kept.info().fields)
        return
    assert sorted(map(int, ids(found))) == [n for n, row in enumerate(rows) if matches(where, row)]


# -- over HTTP


def test_who_asks_over_http_is_not_told_where_a_database_is(server, url, caplog):
    pytest.importorskip("fastapi")
    from nearsense.server.errors import as_refused

    ns.open(url, Words()).close()
    name, secret = url.rpartition("=")[2], ["hunter2", str(server.place), "postgres", "tests", "nobody_here"]
    wrong = [
        url.replace("/tests?", "/nobody_here?"),
        url.replace("postgres@", "nobody_here:hunter2@"),
        f"postgresql://nobody_here:hunter2@127.0.0.1:1/tests?collection={name}",
        f"postgresql://nobody_here@hunter2.invalid/tests?collection={name}",
    ]
    told = []
    for each in wrong:
        with pytest.raises(ns.errors.StoreError) as caught:
            ns.open(each, Words())
        told.append(as_refused(caught.value))
        assert caught.value.what in caplog.text
    with ns.open(f"{url}&options=-c%20default_transaction_read_only%3Don", Words()) as collection:
        with pytest.raises(ns.errors.StoreError) as caught:
            collection.add(["x"])
        told.append(as_refused(caught.value))
        with pytest.raises(ns.errors.InputError) as refused:
            collection.backup("copy")
        told.append(as_refused(refused.value))
    for each in told:
        said = json.dumps(each.to_dict())
        assert name in said
        assert [word for word in secret if word in said] == []
