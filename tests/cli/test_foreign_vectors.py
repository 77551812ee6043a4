"""Files of other stores: their vectors are of no model known here, so that their texts are what counts."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from turns import in_turn

TEXTS = ["red apple", "green pear", "my screen freezes"]
VECTORS = {
    "two numbers": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
    "as many as the model's": [[0.1] * 384, [0.2] * 384, [0.3] * 384],
    "a null": [[1.0, 2.0], None, [5.0, 6.0]],
    "the first is null": [None, [1.0, 2.0], [5.0, 6.0]],
    "other lengths": [[1.0, 2.0], [3.0], [5.0, 6.0]],
    "strings of pgvector": ["[1,2]", "[3,4]", "[5,6]"],
    "whole numbers": [[1, 2], [3, 4], [5, 6]],
    "empty lists": [[], [], []],
}


def written(folder, name, vectors, form):
    rows = [
        {"id": f"T{number}", "text": text, name: vector, "lang": "en"}
        for number, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True))
    ]
    path = folder / f"dump.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "json":
        path.write_text(json.dumps(rows))
    else:
        pd.DataFrame(rows).to_parquet(path)
    return path


@in_turn("form", ["jsonl", "json", "parquet"])
@in_turn("kind", VECTORS)
def test_a_file_with_vectors_of_no_known_model_is_searched_by_its_texts(run, tmp_path, kind, form):
    for name in ("vector", "embedding"):
        file = written(tmp_path, name, VECTORS[kind], form)
        hit = json.loads(run("search", file, "fresh apple", "-k", "1").out)
        assert (hit["id"], hit["text"]) == ("T0", "red apple")
        assert hit["metadata"]["lang"] == "en"


@in_turn("kind", ["two numbers", "a null", "other lengths", "strings of pgvector"])
def test_every_command_takes_such_a_file(run, tmp_path, kind):
    file, made = written(tmp_path, "vector", VECTORS[kind], "jsonl"), tmp_path / "c.ns"
    for words in (("rank", "fruit", file), ("duplicates", file), ("dedupe", file, "-o", tmp_path / "out.jsonl"),
                  ("cluster", file, "-k", "2"), ("matrix", file, "--json"),
                  ("encode", file, "-o", tmp_path / "v.npy"), ("index", "create", made, file)):  # fmt: skip
        done = run(*words)
        assert (words[0], done.code, "fault" in done.err) == (words[0], 0, False)
    hit = json.loads(run("search", made, "fresh apple", "-k", "1").out)
    assert hit["id"] == "T0"


def test_that_the_vectors_are_not_used_is_said(run, tmp_path):
    said = run("search", written(tmp_path, "vector", VECTORS["two numbers"], "jsonl"), "apple").err
    assert "the column 'vector' says nothing of its model: the texts are encoded" in said


def test_vectors_without_texts_are_still_vectors_of_an_unknown_model(run, tmp_path):
    (tmp_path / "v.jsonl").write_text('{"id": "a", "vector": [1, 0]}\n{"id": "b", "vector": [1, 1]}\n')
    found = json.loads(run("matrix", tmp_path / "v.jsonl", "--json").out)
    assert found["scores"][0][1] == pytest.approx(2**-0.5, abs=1e-6)
    assert run("search", tmp_path / "v.jsonl", "q").code == 2


EXACT = {
    "digits that float32 lacks": [[0.12345678901234567, 1e-300, 3.0], [0.1, 0.2, 0.3], [0.7, 0.8, 0.9]],
    "whole numbers beyond float32": [[16777217, 2], [3, 4], [5, 6]],
    "one is none": [[0.12345678901234567, 0.1], None, [0.2, 0.3]],
    "other lengths": [[0.12345678901234567, 0.1], [0.3], [0.2, 0.3]],
    "strings of pgvector": ["[1,2]", "[3,4]", "[5,6]"],
}


@in_turn("form", ["jsonl", "json", "parquet"])
@in_turn("kind", EXACT)
def test_every_command_that_writes_the_rows_writes_such_a_column_as_it_stands(run, tmp_path, kind, form):
    file = written(tmp_path, "vector", EXACT[kind], form)
    for words in (("dedupe", file), ("cluster", file, "-k", "2")):
        out = tmp_path / f"{words[0]}.{form}"
        assert run(*words, "-o", out).code == 0
        if form == "parquet":
            rows = pd.read_parquet(out).to_dict("records")
        else:
            rows = json.loads(out.read_text()) if form == "json" else map(json.loads, out.read_text().splitlines())
        found = {row["id"]: row["vector"] for row in rows}
        found = {id_: each.tolist() if hasattr(each, "tolist") else each for id_, each in found.items()}
        assert found == {f"T{number}": vector for number, vector in enumerate(EXACT[kind])}


def test_vectors_of_the_model_are_not_among_the_rows_of_clusters(run, tmp_path):
    texts = tmp_path / "texts.csv"
    texts.write_text("id,text\n" + "".join(f"T{n},{text}\n" for n, text in enumerate(TEXTS)))
    assert run("encode", texts, "-o", tmp_path / "v.jsonl").code == 0
    assert run("cluster", tmp_path / "v.jsonl", "-k", "2", "-o", tmp_path / "out.jsonl").code == 0
    assert "vector" not in json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
