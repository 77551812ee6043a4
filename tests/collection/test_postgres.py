"""What only a collection in PostgreSQL has: its server, its index, what is tried again, what may not be seen."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
import pgserver
from collection.test_conformance import PETS, Words, ids
from nearsense.store import postgres
from turns import in_turn

TESTS = str(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def server():
    return pgserver.shared()


@pytest.fixture
def url(server):
    return server.url()


@pytest.fixture
def pets(url):
    with ns.open(url, Words()) as collection:
        collection.add(PETS)
        yield collection


def clustered(n: int, d: int, seed: int = 0):
    """Unit vectors in groups, as texts make them."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(50, d))
    rows = centres[draw.integers(0, 50, n)] + 0.6 * draw.normal(size=(n, d))
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


# -- what is there


def test_it_lasts_and_others_see_it(url):
    with ns.open(url, Words()) as one, ns.open(url, Words()) as other:
        one.add(PETS)
        assert len(other) == len(PETS)
        other.delete("dog")
        assert one.get("dog") == [None]
    with ns.open(url, Words(), create=False) as again:
        assert again.get("cat") == PETS[:1]


def test_collections_of_one_database_know_nothing_of_each_other(server):
    with ns.open(server.url("one-A_1"), Words()) as one, ns.open(server.url("other"), Words(8)) as other:
        one.add(["a text"])
        assert (len(one), len(other)) == (1, 0)
        assert (one.info().dimension, other.info().dimension) == (16, 8)


@in_turn(
    "text",
    [
        "NUL \0 within",
        "\0",
        "\1",
        "\1\1\2\0",
        "x" * 3_000_000,
        "\x7f\x80 \u2028 😀",
        "'; DROP SCHEMA x; --",
        "%s $1 \\x00",
    ],
)
def test_every_text_comes_back_as_it_was(pets, text):
    pets.upsert([ns.Document("odd", text, {"given": text[:99]})], vectors=np.ones((1, 16)))
    assert pets.get("odd") == [ns.Document("odd", text, {"given": text[:99]})]
    assert pets.count({"given": text[:99]}) == 1
    assert pets.verify().ok


@in_turn("id_", ["'", '"', "\\", "%s", "a b", "\1", "😀", "ß" * 256, "--", "$1"])
def test_every_id_is_found(pets, id_):
    pets.add([ns.Document(id_, "text")])
    assert pets.get(id_)[0].id == id_
    assert pets.delete(id_) == 1
    assert pets.get(["a\0b", "\ud800", id_]) == [None] * 3


@pytest.mark.parametrize("kind", ["exact", "hnsw", "hnsw-half"])
def test_scores_are_the_inner_products_of_what_is_stored_whatever_the_index(url, kind):
    vectors, asked = clustered(600, 32), clustered(20, 32, seed=1)
    with ns.open(url, Words(32)) as collection:
        collection.add([f"text {n}" for n in range(600)], vectors=vectors)
        collection.build(index=kind)
        assert collection.info().index == kind
        assert collection.info().recall >= 0.95
        truth = asked.astype(float) @ vectors.astype(float).T
        for row, hits in enumerate(collection.nearest(asked, k=10)):
            found = [int(hit.id) for hit in hits]
            assert [hit.score for hit in hits] == pytest.approx(truth[row, found], abs=1e-6)
            assert len({*found} & {*np.argsort(-truth[row])[:10].tolist()}) >= 9
        exactly = collection.nearest(asked, k=10, exact=True)
        assert [[int(hit.id) for hit in hits] for hits in exactly] == np.argsort(-truth, 1)[:, :10].tolist()


def test_a_filter_that_passes_one_percent_finds_k_of_k_through_the_index(url, monkeypatch):
    vectors = clustered(2000, 16)
    documents = [ns.Document(str(n), f"text {n}", {"part": n % 100, "n": n}) for n in range(2000)]
    with ns.open(url, Words()) as collection:
        collection.add(documents, vectors=vectors)
        collection.build(index="hnsw")
        for few in (0, 5000):  # so many are sooner compared one by one: none, and the usual
            monkeypatch.setattr("nearsense.collection.postgres_ranking.FEW", few)
            for k in (1, 10, 20):
                for hits in collection.nearest(vectors[:5], k=k, where={"part": 7}):
                    assert len(hits) == k
                    assert all(int(hit.id) % 100 == 7 for hit in hits)
            for hits in collection.nearest(vectors[:5], k=10, where={"n": {"<": 4}}):
                assert sorted(ids(hits)) == ["0", "1", "2", "3"]
        assert len(collection.nearest(vectors[:1], k=1500)[0]) == 1500


@pytest.mark.parametrize("room", [0, *(pytest.param(room, marks=pytest.mark.slow) for room in (20, 4000))])
def test_words_give_the_very_scores_of_other_engines_however_few_documents_are_looked_at(url, monkeypatch, room):
    monkeypatch.setattr("nearsense.collection.postgres_ranking.ROOM", room)
    draw = np.random.default_rng(5)
    often = 1.0 / np.arange(1, 201)
    texts = [
        " ".join(f"w{word}" for word in draw.choice(200, draw.integers(1, 30), p=often / often.sum()))
        for _ in range(330)
    ]
    documents = [ns.Document(str(n), text, {"n": n % 3}) for n, text in enumerate(texts)]
    with ns.open(url, Words()) as here, ns.open(":memory:", Words()) as there:
        for collection in (here, there):
            collection.add(documents[:200])
            collection.upsert([ns.Document(str(n), texts[-n]) for n in range(1, 30)])
            collection.delete([str(n) for n in range(20, 60)])
            collection.add(documents[200:])
        for query in [*texts[::90], "w0 w1 w2", "w0", "w199 w0", "w150 w150 w1 unknown"]:
            for k, where in ((1, None), (7, None), (400, None), (5, {"n": 1})):
                for mode in ("lexical", "hybrid"):
                    asked = {"k": k, "where": where, "mode": mode}
                    found, wanted = (each.search(query, **asked) for each in (here, there))
                    assert ids(found) == ids(wanted)
                    assert [hit.score for hit in found] == [hit.score for hit in wanted]


def test_the_index_is_made_in_the_background_once_there_are_many(url, monkeypatch):
    monkeypatch.setattr("nearsense.collection.postgres_index.FEW", 1)
    with ns.open(url, Words()) as collection:
        collection.add([f"text {n}" for n in range(500)], vectors=clustered(500, 16))
        background = collection._engine._background
        while background._thread is None or background._thread.is_alive():
            threading.Event().wait(0.05)
        assert collection.info().index == "hnsw-half"
        collection.upsert([ns.Document("new", "new")], vectors=clustered(1, 16, seed=9))
        assert ids(collection.nearest(clustered(1, 16, seed=9), k=1)[0]) == ["new"]


def test_another_kind_of_index_is_refused_with_those_there_are(pets):
    with pytest.raises(ns.errors.InputError, match="pq-fast") as caught:
        pets.build(index="pq-fast")
    assert "hnsw-half" in str(caught.value)


# -- reaching it


@in_turn(
    "wrong",
    [
        "postgresql://h/db?collection=a/b",
        "postgresql://h/db?collection=" + "x" * 41,
        "postgresql://h/db?collection=",
        "postgresql://h/db?secret",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:hunter2@[::1/db",
        "postgresql://u:hunter2@h/db#part",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(wrong):
    with pytest.raises(ns.errors.InputError) as caught:
        ns.open(wrong, Words())
    assert "hunter2" not in str(caught.value)
    assert "postgresql://user@host" in caught.value.fix


@pytest.mark.parametrize("where", ["user", "option"])
def test_a_password_stands_nowhere(server, url, where, caplog, capsys, monkeypatch, run):
    given = url.replace("postgres@", "postgres:hunter2@") if where == "user" else f"{url}&password=hunter2"
    said = io.StringIO()
    with caplog.at_level(logging.DEBUG), ns.open(given, Words(), log=True) as collection:
        collection.add(["a text"])
        collection.search("a text")
        told = (collection, collection.path, collection.info(), collection.log, collection._engine.place)
        said.write(" ".join(map(repr, told)))
        for ask in (lambda: ns.open(given, Words(name="other")), lambda: collection.backup("copy")):
            with pytest.raises(ns.errors.NearsenseError) as caught:
                ask()
            said.write(str(caught.value))
    broken = given.replace("/tests?", "/nodb?")
    with pytest.raises(ns.errors.StoreError, match="does not answer") as caught:
        ns.open(broken, Words())
    said.write(str(caught.value))
    for words in (["index", "info", given], ["index", "info", broken], ["index", "info", f"{given}&port=x"]):
        done = run(*words)
        said.write(done.out + done.err)
    assert "hunter2" not in said.getvalue() + caplog.text
    assert "collection=" in said.getvalue()


def test_a_password_that_somebody_else_gave_lets_nobody_in():
    given = "postgresql://ann:hunter2@db.example/shop"
    assert postgres.parse_address(given).options["password"] == "hunter2"
    assert "password" not in postgres.parse_address(postgres.parse_address(given).name).options
    shown = postgres.without_secrets(given)
    assert postgres.parse_address(shown).options["password"] == "hunter2"
    assert postgres.parse_address(postgres.parse_address(given).url).options["password"] == "hunter2"
    postgres._SAID.clear()


def test_a_server_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(ns.errors.StoreError, match="does not answer") as caught:
        ns.open(f"postgresql://ann@/shop?host={tmp_path}", Words())
    assert "psql" in caught.value.fix


def test_what_is_not_there_is_not_made_unasked_nor_by_a_model_that_is_not_here(server, url):
    with pytest.raises(ns.errors.CollectionNotFound, match="no collection at"):
        ns.open(url, Words(), create=False)
    with pytest.raises(ns.errors.ModelNotFound):
        ns.open(url, "no-such-model")
    name = url.rpartition("=")[2]
    assert server.psql(f"SELECT count(*) FROM pg_namespace WHERE nspname = 'nearsense_{name}'", "tests") == "0"


def test_a_database_without_pgvector_or_with_an_old_one_says_what_to_type(server, caplog):
    server.psql("CREATE DATABASE bare")
    with pytest.raises(ns.errors.StoreError, match="has no pgvector") as caught:
        ns.open(server.url(database="bare"), Words())
    assert "CREATE EXTENSION vector" in caught.value.fix
    server.psql("CREATE EXTENSION vector", "bare")
    for version, refused in (("0.7.4", True), ("0.8.1", True), ("0.8.2", False), ("0.8.3", False)):
        server.psql(f"UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'vector'", "bare")
        if refused:
            with pytest.raises(ns.errors.StoreError, match=version) as caught:
                ns.open(server.url(database="bare"), Words())
            assert "CVE-2026-3172" in caught.value.why
            assert "ALTER EXTENSION vector UPDATE" in caught.value.fix
        else:
            ns.open(server.url(database="bare"), Words()).close()
            assert f"pgvector {version}" in caplog.text
    server.psql("UPDATE pg_extension SET extversion = '0.8.4' WHERE extname = 'vector'", "bare")
    caplog.clear()
    ns.open(server.url(database="bare"), Words()).close()
    assert caplog.text == ""


def test_pgvector_may_lie_in_a_schema_of_its_own(server):
    server.psql("CREATE DATABASE apart")
    server.psql("CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions", "apart")
    with ns.open(server.url(database="apart"), Words()) as collection:
        collection.add(PETS)
        collection.build(index="hnsw-half")
        assert ids(collection.search("the dog runs", k=1)) == ["dog"]


def test_a_newer_schema_is_refused_and_an_older_one_brought_up_by_one_of_many(server, url):
    ns.open(url, Words()).close()
    schema = f'"nearsense_{url.rpartition("=")[2]}"'
    server.psql(f"UPDATE {schema}.version SET number = 99", "tests")
    with pytest.raises(ns.errors.StoreError, match="schema 99") as caught:
        ns.open(url, Words())
    assert "upgrade" in caught.value.fix
    server.psql(f"DROP SCHEMA {schema} CASCADE", "tests")
    errors = []

    def open_it() -> None:
        try:
            with ns.open(url, Words()) as collection:
                collection.count()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_where_nothing_may_be_written_it_is_read(server, url):
    with ns.open(url, Words()) as collection:
        collection.add(PETS)
    server.psql("CREATE ROLE reader LOGIN", "tests")
    schema = f'"nearsense_{url.rpartition("=")[2]}"'
    server.psql(
        f"GRANT USAGE ON SCHEMA {schema} TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader",
        "tests",
    )
    with ns.open(url.replace("postgres@", "reader@"), Words()) as collection:
        assert ids(collection.search("the dog runs", k=1)) == ["dog"]
        assert collection.verify().ok
        with pytest.raises(ns.errors.StoreError, match="may not be used so"):
            collection.delete("dog")
    with ns.open(f"{url}&options=-c default_transaction_read_only=on".replace(" ", "%20"), Words()) as collection:
        assert ids(collection.search("the dog runs", k=1)) == ["dog"]
        with pytest.raises(ns.errors.StoreError, match="only read here"):
            collection.add(["x"])


def test_a_dump_of_its_schema_is_a_backup(server, pets, url):
    pets.build(index="hnsw")
    schema, file = f"nearsense_{url.rpartition('=')[2]}", server.place / "dump.sql"
    server.program("pg_dump", "-h", server.place, "-U", "postgres", "-d", "tests", "-n", f'"{schema}"', "-f", file)
    server.psql("CREATE DATABASE restored")
    server.psql("CREATE EXTENSION vector", "restored")
    server.program("psql", "-h", server.place, "-U", "postgres", "-d", "restored", "-qf", file)
    with ns.open(url.replace("/tests?", "/restored?"), Words(), create=False) as restored:
        assert restored.documents()[0] == PETS
        assert restored.verify().ok
        assert restored.info().index == "hnsw"
        assert restored.add([ns.Document("new", "a new one")]) == 1


@pytest.mark.slow
def test_a_replica_answers_and_takes_no_changes():
    server = pgserver.Server("wal_level=replica")
    with contextlib.ExitStack() as held:
        held.callback(server.close)
        url = server.url("followed")
        with ns.open(url, Words()) as collection:
            collection.add(PETS)
            replica = server.replica()
            held.callback(replica.close)
            collection.add([ns.Document("later", "a fox runs")])
            with ns.open(replica.url("followed"), Words(), create=False) as other:
                until = time.monotonic() + 20
                while len(other) == len(PETS) and time.monotonic() < until:
                    time.sleep(0.05)
                assert ids(other.search("a fox runs", k=1)) == ["later"]
                assert other.verify().ok
                with pytest.raises(ns.errors.StoreError, match="only read here"):
                    other.delete("cat")


# -- what breaks


class Losing:
    """A way to the server that loses the answer to the n-th COMMIT: it was kept, and nobody says so."""

    def __init__(self, server: pgserver.Server) -> None:
        self.place, self.lose, self.lost = tempfile.mkdtemp(), 0, 0
        self._behind = f"{server.place}/.s.PGSQL.5432"
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(f"{self.place}/.s.PGSQL.5432")
        self._door.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(self._behind)
                state = {"losing": False, "writing": False}
                threading.Thread(target=self._pass, args=(client, behind, state, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(behind, client, state, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, state: dict, asking: bool) -> None:
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(65536):
                state["writing"] |= asking and b"FOR UPDATE" in data
                if asking and b"COMMIT" in data:
                    state["losing"] = state["writing"] and self.lose > 0
                    self.lose -= state["losing"]
                    state["writing"] = False
                if not asking and state["losing"]:
                    self.lost += 1
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(data)

    def close(self) -> None:
        self._door.close()


def test_an_acknowledgement_that_is_lost_makes_no_duplicate_and_no_error(server, url):
    way = Losing(server)
    lossy = url.replace(str(server.place), way.place)
    try:
        with ns.open(lossy, Words()) as collection:
            for lose in (1, 2):
                way.lose = lose
                assert collection.add([ns.Document(f"a{lose}", "a text"), ns.Document(f"b{lose}", "another")]) == 2
                way.lose = lose
                assert collection.delete([f"a{lose}", "nobody"]) == 1
                assert way.lose == 0
            assert way.lost == 6
            assert len(collection) == 2
            assert collection.verify().ok
            with pytest.raises(ns.errors.InputError, match=r"'b1' is in .* already"):
                collection.add([ns.Document("b1", "again")])
    finally:
        way.close()


def test_a_connection_that_ends_is_replaced(server, pets):
    others = "datname = 'tests' AND pid <> pg_backend_pid()"
    end = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"
    for _ in range(3):
        server.psql(end, "tests")
        assert pets.count() == len(PETS)
        server.psql(end, "tests")
        pets.upsert([PETS[0]])
    assert ids(pets.search("the cat sleeps", k=1)) == ["cat"]


def test_damage_is_found_and_named(server, pets, url):
    schema = f'"nearsense_{url.rpartition("=")[2]}"'
    server.psql(f"UPDATE {schema}.documents SET text = 'the dog sits' WHERE id = 'dog'", "tests")
    server.psql(f"UPDATE {schema}.vectors_1 SET vector = vector + vector WHERE position = 0", "tests")
    server.psql(f"DELETE FROM {schema}.vectors_1 WHERE position = 2", "tests")
    found = pets.verify()
    assert not found.ok
    assert sorted(line.partition(":")[0] for line in found.findings[:2]) == ["document 'cat'", "document 'dog'"]
    assert "4 of them with a vector" in found.findings[2]


def test_processes_that_are_forked_or_spawned_have_connections_of_their_own(url):
    program = """
import os, sys, nearsense as ns
from collection.test_conformance import Words
with ns.open(sys.argv[1], Words()) as collection:
    collection.add(["first"])
    child = os.fork()
    if child == 0:
        ok = len(collection) == 1 and collection.upsert([ns.Document("child", "second")]) == 1
        os._exit(not ok)
    assert os.waitpid(child, 0)[1] == 0
    assert len(collection) == 2
    print(len(collection.search("second")))
"""
    command = [sys.executable, "-W", "error", "-c", program, url]
    there = {**os.environ, "PYTHONPATH": os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, env=there)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "2", "")


def test_a_pickle_opens_it_again(url, tmp_path):
    with ns.open(url) as notes:
        notes.add(["Water the plants.", "Call the bank."])
        with pickle.loads(pickle.dumps(notes)) as again:
            assert again.search("a phone call", k=1)[0].text == "Call the bank."


def test_what_a_reembed_has_begun_goes_on_and_what_it_leaves_is_dropped(server, url, monkeypatch):
    monkeypatch.setattr("nearsense.collection.reembedding.BATCH", 4)
    schema = f"nearsense_{url.rpartition('=')[2]}"

    class Breaking(Words):
        def encode(self, texts, **options):
            if self.encoded >= 8:
                raise KeyboardInterrupt
            return super().encode(texts, **options)

    with ns.open(url, Words()) as collection:
        collection.add([f"text {n}" for n in range(20)])
        with pytest.raises(KeyboardInterrupt):
            collection.reembed(Breaking(8, "other"))
        assert collection.search("text 7", k=1)[0].score == pytest.approx(1, abs=1e-6)
        collection.delete(["1"])
        other = Words(8, "other")
        assert collection.reembed(other).documents == 19
        assert other.encoded == 19 - 7  # the first eight less the one that went
        assert collection.verify().ok
        tables = (
            "SELECT string_agg(tablename, ',') FROM pg_tables WHERE tablename LIKE 'vectors%' AND schemaname = "
        )
        assert server.psql(f"{tables}'{schema}'", "tests") == "vectors_2"


# -- the log, copies, commands


def test_what_is_asked_is_logged_in_a_table_and_can_be_forgotten(server, url, run):
    with ns.open(url, Words(), log=True) as collection:
        collection.add(PETS)
        hits = collection.search("the dog runs", k=2)
        collection.log.choose(hits, hits[0])
        collection.search("private matters")
        assert [(each.query, each.chosen) for each in collection.log.entries()] == [
            ("the dog runs", "dog"),
            ("private matters", None),
        ]
        assert collection.log.forget("Private matters?") == 1
        log = ns.querylog.open_log(url)
        assert [each.query for each in log.entries()] == ["the dog runs"]
        log.close()
        collection.set_log(True)
    with ns.open(url, Words()) as collection:
        collection.search("and so on")
    assert "and so on" in run("log", url).out


def test_the_oldest_lines_of_a_log_go_first(url):
    from nearsense.store.postgres_log import LogTable

    ns.open(url, Words()).close()
    log = LogTable(url, 10_000)
    log.append([b"%05d" % n for n in range(5000)])
    kept = list(log.lines())
    assert kept[-1] == b"04999"
    assert 1900 < len(kept) <= 2001
    assert len(log.key()) == 32
    log.close()


def test_commands_take_an_address(server, run, tmp_path):
    url = server.url("support")
    (tmp_path / "faq.csv").write_text(
        "id,text,lang\n1,Reset your password here.,en\n2,We ship within two days.,en\n"
    )
    made = run("index", "create", url, tmp_path / "faq.csv")
    assert made.code == 0, made.err
    assert "2 documents" in made.err
    again = run("index", "create", url, tmp_path / "faq.csv")
    assert again.code != 0
    assert "is there already" in again.err
    (tmp_path / "more.csv").write_text("id,text,lang\n3,Mit Karte bezahlen.,de\n")
    assert run("index", "add", url, tmp_path / "more.csv").code == 0
    assert '"1"' in run("search", url, "I forgot my login", "-k", "1", "--json").out
    assert '"id":"3"' in run(
        "index", "search", url, "bezahlen", "--mode", "lexical", "--where", "lang=de", "--json"
    ).out.replace(" ", "")
    assert run("index", "sync", url, tmp_path / "faq.csv", "--keep").code == 0
    for words in (["info"], ["verify"], ["compact"], ["build"], ["similar", "1"], ["delete", "2"]):
        done = run("index", words[0], url, *words[1:])
        assert done.code == 0, done.err
    assert run("index", "export", url, tmp_path / "all.jsonl").code == 0
    assert run("duplicates", url).code in (0, 1)
    with ns.open(url, create=False) as there:
        assert ids(there.browse()) == ["1", "3"]


@pytest.mark.parametrize("way", [pytest.param("out", marks=pytest.mark.slow), "in"])
def test_a_copy_has_everything_and_encodes_nothing(server, url, tmp_path, run, way):
    source, target = (str(tmp_path / "a.nearsense"), url) if way == "in" else (url, str(tmp_path / "a.nearsense"))
    odd = [
        *PETS,
        ns.Document("nul", "a\0b\1c", {"big": 2**80, "float": 1.0, "tiny": 5e-324, "deep": {"er": [None, "\0"]}}),
    ]
    pairs = [(f"word {n}", f"word {n} more", True) for n in range(20)]
    pairs += [(f"thing {n}", f"other {n + 7} words", False) for n in range(20)]
    with ns.open(source, Words()) as collection:
        collection.add(odd)
        collection.upsert([odd[1]])
        collection.calibration = ns.calibrate(pairs, encoder=Words(), task="passage")
        before = collection.documents()
    done = run("index", "copy", source, target)
    assert done.code == 0, done.err
    encoder = Words()
    with ns.open(target, encoder, create=False) as copy:
        documents, vectors = copy.documents()
        assert documents == before[0]
        assert [repr(each.metadata) for each in documents] == [repr(each.metadata) for each in before[0]]
        assert vectors.data.tobytes() == before[1].data.tobytes()
        assert encoder.encoded == 0
        assert copy.calibration is not None
        assert copy.verify().ok
        assert ids(copy.search("the dog runs", k=1)) == ["dog"]
    again = run("index", "copy", source, target)
    assert again.code != 0
    assert "is there already" in again.err
    line = next(line for line in done.err.splitlines() if "checksum" in line)
    numbers = [word for word in line.split() if len(word.rstrip(",")) == 32]
    assert len(numbers) == 2
    assert numbers[0] == numbers[1]
    assert line.count("6 ") == 2


@pytest.mark.parametrize("changed", ["nothing", "deleted", "replaced"])
def test_a_copy_that_broke_off_is_opened_by_nobody_and_goes_on(url, tmp_path, monkeypatch, changed):
    from nearsense.collection import copying

    monkeypatch.setattr(copying, "BATCH", 3)
    source = str(tmp_path / "a.nearsense")
    with ns.open(source, Words()) as collection:
        collection.add([f"text {n}" for n in range(10)])

    def broken(done: int, total: int) -> None:
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy_collection(source, url, progress=broken)
    with pytest.raises(ns.errors.StoreError, match="broke off") as caught:
        ns.open(url, Words())
    assert "index copy" in caught.value.fix
    with ns.open(str(tmp_path / "b.nearsense"), Words()) as other:
        other.add(["something else"])
    with pytest.raises(ns.errors.InputError, match="is there already"):
        copying.copy_collection(str(tmp_path / "b.nearsense"), url)
    with ns.open(source, Words()) as collection:
        if changed == "deleted":
            collection.delete("1")
        elif changed == "replaced":
            collection.upsert([ns.Document("4", "another text")])
        wanted = collection.documents()
    done = copying.copy_collection(source, url)
    assert done.found == {"nothing": 6, "deleted": 1, "replaced": 4}[changed]
    with ns.open(url, Words(), create=False) as copy:
        assert copy.documents()[0] == wanted[0]
        assert copy.documents()[1].data.tobytes() == wanted[1].data.tobytes()
        assert copy.verify().ok


@pytest.mark.slow
def test_a_server_serves_it_by_the_name_in_its_address(server):
    pytest.importorskip("fastapi")
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

    url = server.url("served").replace("postgres@", "postgres:hunter2@")
    with ns.open(url) as collection:
        collection.add(["Water the plants.", "Call the bank."])
    service = Service.of(ServerSettings(log=True), collections=[url], faqs=[url])
    try:
        assert service.faq("served").answer("How do I call the bank?").candidates[0].text == "Call the bank."
        assert service.faq("served").log is not None
        assert [*service.faq_files] == []
        assert [*service.collections] == ["served"]
        assert service.ask("served", lambda room: room.search("a phone call", k=1))[0].text == "Call the bank."
        assert "hunter2" not in str(service.collection("served").info())
    finally:
        service.close()
        postgres._SAID.clear()


def test_the_commands_of_the_page_on_postgresql_run(server, run, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs/postgres.md").read_text("utf-8")
    lines = re.findall(r"^nearsense (?!serve).*$", "".join(re.findall(r"```sh\n(.*?)```", page, re.S)), re.M)
    server.psql("CREATE DATABASE page")
    server.psql("CREATE EXTENSION vector", "page")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.csv").write_text(
        "id,text\n1,The dashboard freezes after login\n2,Please refund my invoice\n"
    )
    for line in lines:
        here = line.replace("postgresql://ann@db.example/shop?collection=", server.url("", "page"))
        done = run(*shlex.split(here)[1:])
        assert done.code == 0, (line, done.err)
    assert len(lines) >= 5


def test_without_its_libraries_it_says_what_to_install():
    program = (
        "import sys; sys.modules['psycopg'] = None\nimport nearsense as ns\nns.open('postgresql://h/db', None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'nearsense[postgres]'" in done.stderr
