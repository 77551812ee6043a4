"""What makes vectors comparable is the model and how it read the texts: one collection never holds two ways."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense import files
from nearsense.records import Long, ReadAs, Vectors
from samples import some_of

DOCUMENTS = [ns.Document(str(number), f"note {number} of topic {number % 7}") for number in range(60)]
QUERY = "note 7 of topic 0"


class Ways(HashEncoder):
    """One model by its fingerprint; what it makes of a text depends on how it reads it."""

    def __init__(self, long=Long.WARN, prompt="", limit=256, dimension=16, fingerprint="f" * 64):
        super().__init__(dimension, name="ways", fingerprint=fingerprint)
        self.long, self.prompts, self.max_tokens = Long(long), {"passage": prompt, "query": prompt}, limit

    def with_long(self, long):
        return Ways(long, self.prompts["passage"], self.max_tokens, self.dimension, self.fingerprint)

    def encode(self, texts, **options):
        texts = [texts] if isinstance(texts, str) else list(texts)
        way = f"{self.long is Long.CHUNK} {self.max_tokens} {self.prompts['passage']}"
        read_as = ReadAs(self.prompts["passage"], self.long is Long.CHUNK, self.max_tokens)
        made = super().encode([f"{text} {way.replace(' ', '_')}" for text in texts])
        return dataclasses.replace(made, read_as=read_as)


OTHERWISE = {
    "windows": {"long": "chunk"},
    "prompt": {"prompt": "text: "},
    "limit": {"limit": 128},
    "dimension": {"dimension": 8},
    "several": {"long": "chunk", "limit": 512, "prompt": "p: "},
    "model": {"fingerprint": "e" * 64},
}


@pytest.fixture(params=some_of(OTHERWISE, "windows", "dimension", "several"))
def change(request):
    return OTHERWISE[request.param]


def truth(encoder, k=5):
    """What a collection that never had another recipe answers."""
    scores = (encoder.encode([each.text for each in DOCUMENTS]).data @ encoder.encode([QUERY]).data.T)[:, 0]
    best = sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:k]
    return [DOCUMENTS[row].id for row in best], pytest.approx([scores[row] for row in best], abs=1e-5)


def answer(collection, **options):
    hits = collection.search(QUERY, k=5, calibration="none", **options)
    return [hit.id for hit in hits], [hit.score for hit in hits]


# -- handles that are open


@pytest.mark.parametrize("built", [True, False])
def test_after_a_reembed_no_open_handle_answers_with_old_vectors_or_adds_any(tmp_path, change, built):
    before, after = Ways(), Ways(**change)
    with ns.open(tmp_path / "c", before) as one, ns.open(tmp_path / "c", before) as other:
        one.add(DOCUMENTS)
        if built:
            one.build()
        assert answer(one) == answer(other) == truth(before)
        assert one.reembed(after).documents == 60
        assert answer(one) == truth(after)
        assert other.similar("7", k=1, calibration="none")[0].score == pytest.approx(
            one.similar("7", k=1, calibration="none")[0].score, abs=1e-5
        )
        found = other.nearest(after.encode([QUERY]), k=5, calibration="none")[0]
        assert ([hit.id for hit in found], [hit.score for hit in found]) == truth(after)
        for refused in (
            lambda: answer(other),
            lambda: answer(other, mode="hybrid"),
            lambda: other.add([ns.Document("late", "a late text")]),
            lambda: other.upsert([ns.Document("7", "a late text")]),
            lambda: other.sync([ns.Document("7", "a late text")]),
        ):
            with pytest.raises(ns.errors.ModelMismatch, match="while it was in use"):
                refused()
        assert other.verify().ok
        assert [hit.id for hit in other.search("7", k=1, mode="lexical", calibration="none")] == ["7"]
    with ns.open(tmp_path / "c", after) as again:
        assert answer(again) == truth(after)


def test_a_build_that_began_before_a_reembed_is_given_up(tmp_path, change):
    before, after = Ways(), Ways(**change)
    with ns.open(tmp_path / "c", before) as one, ns.open(tmp_path / "c", before) as other:
        one.add(DOCUMENTS)
        begun = []

        def meanwhile(done, total):
            if not begun:
                begun.append(other.reembed(after))

        one.build(progress=meanwhile)
        assert begun[0].documents == 60
        assert other.info().index is None
    with ns.open(tmp_path / "c", after) as again:
        assert answer(again) == answer(again, exact=True) == truth(after)
        again.build()
        assert answer(again) == answer(again, exact=True) == truth(after)


def test_verify_finds_an_index_made_of_other_vectors_and_makes_it_again(tmp_path, change):
    before, after = Ways(), Ways(**change)
    with ns.open(tmp_path / "c", before) as collection:
        collection.add(DOCUMENTS)
        collection.build()
        kept = collection._engine.store
        with kept.reading() as reader:
            old = reader.generation()
        collection.reembed(after)
        with kept.writing() as writer:
            writer.set_generation(old)
        assert answer(collection) == truth(after)
        with kept.writing() as writer:
            writer.set_generation(old)
        found = collection.verify()
        assert found.ok
        assert "no longer in use" in found.healed[0]
        assert collection.verify().healed == ()
        assert answer(collection) == truth(after)


def test_a_reembed_of_another_process_is_noticed(tmp_path):
    before, after = ns.load(), ns.load(long="chunk")
    long = "The committee met and discussed the budget. " * 60 + "Zebras drink at the waterhole. " * 40
    query = "animals drinking water"
    with ns.open(tmp_path / "c", long="head") as collection:
        collection.add([ns.Document("long", long), ns.Document("b", "a note"), ns.Document("c", "another note")])
        collection.build()
    with ns.open(tmp_path / "c") as collection:
        head = before.encode([long], long="head").data[0] @ before.encode([query]).data[0]
        assert [hit.score for hit in collection.search(query) if hit.id == "long"] == pytest.approx(
            [head], abs=5e-3
        )
        script = "import sys, nearsense as ns; ns.open(sys.argv[1]).reembed('all-MiniLM-L6-v2', long='chunk')"
        subprocess.run([sys.executable, "-c", script, str(tmp_path / "c")], check=True, timeout=120)
        with pytest.raises(
            ns.errors.ModelMismatch, match="from vectors of heads of 256 tokens to vectors of windows"
        ):
            collection.search(query)
        whole = after.encode([long]).data[0] @ after.encode([query]).data[0]
        assert collection.nearest(after.encode([query]), k=1)[0][0].score == pytest.approx(whole, abs=5e-3)
    assert whole > head + 0.1
    with ns.open(tmp_path / "c") as again:
        assert again.search(query, k=1)[0].score == pytest.approx(whole, abs=5e-3)


def test_who_goes_where_another_has_gone_meanwhile_has_nothing_to_do(tmp_path):
    before, after = Ways(), Ways(long="chunk")
    with ns.open(tmp_path / "c", before) as one, ns.open(tmp_path / "c", before) as other:
        one.add(DOCUMENTS)

        def meanwhile(done, total):
            if done and not reports:
                reports.append(other.reembed(after))

        reports = []
        reports.append(one.reembed(after, progress=meanwhile))
        assert [each.documents for each in reports] == [60, 0]
        assert answer(one) == answer(other) == truth(after)


# -- encoders and vectors that come from outside


def test_an_encoder_that_reads_otherwise_is_refused(tmp_path, change):
    pairs = ((Ways(), Ways(**change)), (Ways(**change), Ways()))
    for path, (mine, other) in zip((tmp_path / "a", tmp_path / "b"), pairs, strict=True):
        with ns.open(path, mine) as collection:
            collection.add(DOCUMENTS[:3])
        if mine.long is Long.CHUNK and change == {"long": "chunk"}:  # it was not told how: it reads as it is kept
            with ns.open(path, other) as collection:
                collection.add([ns.Document("more", "a text")])
                assert collection.nearest(mine.encode(["a text"]), k=1)[0][0].score > 0.999
            other = other.with_long("head")
        with pytest.raises(
            (ns.errors.ModelMismatch, ns.errors.InputError), match=r"belongs to|holds|long texts in windows"
        ) as said:
            ns.open(path, other)
        assert "reembed" in said.value.fix


def test_the_environment_does_not_change_how_a_collection_reads(tmp_path, monkeypatch):
    text = "The committee met and discussed the budget. " * 60 + "Zebras drink at the waterhole. " * 40
    monkeypatch.setattr("warnings.warn", lambda *args, **options: None)
    for kept, asked in (("head", "chunk"), ("chunk", "head"), ("chunk", "error"), ("warn", "chunk")):
        with ns.open(tmp_path / f"{kept}{asked}", long=kept) as collection:
            collection.add([ns.Document("a", text)])
        monkeypatch.setenv("NEARSENSE_LONG", asked)
        with ns.open(tmp_path / f"{kept}{asked}") as collection:
            collection.add([ns.Document("b", text)])
            assert collection.similar("a", k=1)[0].score == pytest.approx(1, abs=1e-3)
        monkeypatch.delenv("NEARSENSE_LONG")


@pytest.mark.parametrize("ending", ["npy", "jsonl", "parquet", ""])
def test_vectors_of_another_reading_are_not_added(tmp_path, change, ending):
    mine, other = Ways(), Ways(**change)
    with ns.open(tmp_path / "theirs", other) as theirs:
        theirs.add(DOCUMENTS[:3])
        if ending:
            theirs.export(tmp_path / f"v.{ending}")
    made = files.read_table(tmp_path / f"v.{ending}").vectors if ending else other.encode(["a", "b", "c"])
    assert made.read_as == ReadAs(other.prompts["passage"], other.long is Long.CHUNK, other.max_tokens)
    with ns.open(tmp_path / "mine", mine) as collection:
        with pytest.raises((ns.errors.ModelMismatch, ns.errors.InputError), match=r"two models|vectors of"):
            collection.add(DOCUMENTS[:3], vectors=made)
        assert collection.count() == 0
    with ns.open(tmp_path / "same", other) as collection:
        assert collection.add(DOCUMENTS[:3], vectors=made) == 3


def test_heads_go_into_a_collection_of_windows_where_nothing_was_cut(tmp_path):
    texts, long = ["a short text", "another one"], "word " * 400
    with ns.open(tmp_path / "c", long="chunk") as collection:
        assert collection.add(texts, vectors=ns.load().encode(texts)) == 2
        cut = ns.load().encode([long], long="head")
        for made in (cut, Vectors(cut.data, cut.fingerprint, cut.truncated, cut.model)):
            with pytest.raises(ns.errors.ModelMismatch, match="would have two vectors"):
                collection.add([ns.Document("long", long)], vectors=made)
        assert collection.add([ns.Document("n", "n")], vectors=ns.load().encode(["n"]).data) == 1  # by their word
        found = collection.nearest(ns.load().encode(["a short text"], role="query"), k=1)[0]
        assert found[0].score == pytest.approx(1, abs=1e-3)


def test_a_file_does_not_mix_texts_that_were_read_in_two_ways(tmp_path):
    heads, windows = ns.load().encode(["a"]), ns.load().encode(["a"], long="chunk")
    lines = []
    for made in (heads, windows):
        files.write_vectors(tmp_path / "v.jsonl", made, ids=["1"])
        lines.append((tmp_path / "v.jsonl").read_text())
    (tmp_path / "v.jsonl").write_text("".join(lines))
    with pytest.raises(ns.errors.FileError, match=r"line 2: .*two ways"):
        files.read_table(tmp_path / "v.jsonl")


@pytest.mark.parametrize(
    "value", ["theirs", 3, None, {"prompt": "p"}, {"prompt": 1, "windows": 2, "limit": 3}, []]
)
@pytest.mark.parametrize("ending", ["npy", "jsonl", "parquet"])
def test_a_field_of_a_user_s_that_is_called_read_as_stays(tmp_path, value, ending):
    made = ns.load().encode(["a", "b"])
    rows = [{"read_as": value, "n": 1}, {"read_as": value, "n": 2}]
    files.write_vectors(tmp_path / f"v.{ending}", made, ids=["1", "2"], metadata=rows)
    table = files.read_table(tmp_path / f"v.{ending}")
    assert table.columns["read_as"] == [value, value]
    assert table.vectors.read_as == made.read_as


def test_a_cache_keeps_what_was_read_in_two_ways_apart(tmp_path, monkeypatch):
    from nearsense.cached import cached

    monkeypatch.setenv("NEARSENSE_CACHE_DIR", str(tmp_path))

    class Roles(HashEncoder):
        """Says nothing of its prompts, and cuts nothing."""

        cuts = False

        def encode(self, texts, *, role=None, **options):
            texts = [texts] if isinstance(texts, str) else texts
            return super().encode([f"{role} {text} {self.max_tokens}" for text in texts])

    encoder = Roles()
    for role in ("query", "passage", None, "query", "passage"):
        assert np.array_equal(cached(encoder).encode(["a"], role=role).data, encoder.encode(["a"], role=role).data)
    shorter = Roles()
    shorter.max_tokens = 128
    assert np.array_equal(cached(shorter).encode(["a"]).data, shorter.encode(["a"]).data)
    text, model = "word " * 300 + "violin " * 100, ns.load()
    for long in ("head", "chunk", "head"):
        assert np.array_equal(cached(model).encode([text], long=long).data, model.encode([text], long=long).data)
        assert cached(model).encode([text], long=long).read_as == model.encode([text], long=long).read_as


# -- what was there before


@pytest.mark.parametrize("forgotten", [["limit"], ["limit", "prompt"], ["limit", "windows"], []])
def test_a_collection_of_an_older_version_opens_and_its_index_is_made_again(tmp_path, forgotten):
    encoder = Ways()
    with ns.open(tmp_path / "c", encoder) as collection:
        collection.add(DOCUMENTS)
        collection.build()
        with collection._engine.store._database.connection() as connection, connection.writing():
            names = json.dumps(forgotten)
            connection.run("DELETE FROM state WHERE name IN (SELECT value FROM json_each(?))", (names,))
            connection.run("UPDATE generations SET manifest = json_remove(manifest, '$.recipe')")
            connection.run("INSERT INTO next_vectors SELECT * FROM vectors")
            connection.run("INSERT INTO state VALUES ('next', '\"of an older version\"')")
            connection.run("DELETE FROM removals")
            connection.pragma("user_version", 1)
    with ns.open(tmp_path / "c", encoder) as again:
        assert again.info().index is None
        assert answer(again) == truth(encoder)
        again.add([ns.Document("more", "more")])
        again.delete("more")
        again.build()
        assert again.reembed(Ways(long="chunk")).documents == 60
        assert answer(again) == truth(Ways(long="chunk"))
        assert again.verify().ok


# -- reembed beside others


@pytest.mark.parametrize("batch", some_of([1, 2, 3, 5, 100], 2, 100))
def test_a_reembed_ends_beside_a_writer_that_never_rests(tmp_path, batch):
    class Patient(Ways):
        """While it encodes, others write."""

        def encode(self, texts, **options):
            wrote.clear()
            wrote.wait(0.2)
            return super().encode(texts, **options)

    before, after, wrote, errors, stop = Ways(), Patient(long="chunk"), threading.Event(), [], threading.Event()
    with ns.open(tmp_path / "c", before) as one, ns.open(tmp_path / "c", before) as other:
        one.add(DOCUMENTS)

        def write():
            number = 0
            while not stop.is_set():
                try:
                    other.add([ns.Document(f"w{number}-{each}", f"word {number}") for each in range(batch)])
                except ns.errors.ModelMismatch as error:
                    errors.append(error)
                    return
                number += 1
                wrote.set()

        writer = threading.Thread(target=write)
        writer.start()
        rounds = []
        report = one.reembed(after, progress=lambda done, total: rounds.append(done))
        stop.set()
        writer.join()
        assert len(rounds) <= 10
        assert report.documents >= 60
        assert errors or report.documents == one.count()
        assert answer(one)[0][0] == "7"
        vectors = [each.text for each in one.get([hit.id for hit in one.search("word", k=200)]) if each]
        assert len(vectors) == min(200, one.count())
        one.build()
        assert one.verify().ok


@pytest.mark.parametrize("how", ["delete", "where", "upsert", "sync", "meanwhile"])
def test_an_abandoned_reembed_leaves_no_vector_of_what_was_deleted(tmp_path, how, monkeypatch):
    from nearsense.collection import reembedding

    monkeypatch.setattr(reembedding, "BATCH", 40)

    class Stop(Exception):
        pass

    with ns.open(tmp_path / "c", Ways()) as collection:
        collection.add([ns.Document(each.id, each.text, {"n": int(each.id)}) for each in DOCUMENTS])
        gone = [each.id for each in DOCUMENTS[:30]]

        class Tired(Ways):
            def encode(self, texts, **options):
                if how == "meanwhile":
                    collection.delete(gone)
                return super().encode(texts, **options)

        def stop(done, total):
            if done:
                raise Stop

        after = Tired(prompt="other: ", fingerprint="d" * 64)
        with pytest.raises(Stop):
            collection.reembed(after, progress=stop)
        secret = [
            row.tobytes() for row in Ways(prompt="other: ").encode([each.text for each in DOCUMENTS[:30]]).data
        ]
        if how == "delete":
            collection.delete(gone)
        elif how == "where":
            collection.delete(where={"n": {"<": 30}})
        elif how == "upsert":
            collection.upsert([ns.Document(each, "something else") for each in gone])
        elif how == "sync":
            collection.sync([ns.Document(each.id, each.text, {"n": int(each.id)}) for each in DOCUMENTS[30:]])
        collection.compact()
        with collection._engine.store._database.connection() as connection:
            kept = connection.value("SELECT count(*) FROM next_vectors")
        assert kept == 10
        code = (
            "import sys, pathlib; secret = bytes.fromhex(sys.argv[2]); assert not any(secret in f.read_bytes()"
            " for f in pathlib.Path(sys.argv[1]).rglob('*') if f.is_file())"
        )  # in another process: to close a file of SQLite's would drop its locks
        for row in secret[:3]:
            subprocess.run([sys.executable, "-c", code, str(tmp_path / "c"), row.hex()], check=True)
        how = ""
        assert collection.reembed(after).documents == collection.count()
        assert collection.verify().ok
