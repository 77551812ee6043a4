"""An adapter through the doors of training: ns.train_adapter and the command, without torch."""

from __future__ import annotations

import csv
import json

import pytest

import nearsense as ns
from samples import tiny_bert

ROWS = [(f"w{label} {letter} {other}", letter) for label in range(5) for letter in "abcdef" for other in "xyz"]


@pytest.fixture
def parent(tmp_path):
    return str(tiny_bert(tmp_path / "parent"))


def test_train_learns_a_map_and_writes_its_folder(parent, tmp_path):
    made = ns.train_adapter(ROWS, encoder=parent, kind="classes", output=tmp_path / "mine")
    assert made.better
    assert ns.load(str(tmp_path / "mine")).fingerprint == made.encoder.fingerprint
    assert (made.encoder.name, made.kind) == ("mine", "linear")
    with pytest.raises(ns.errors.FileError, match="there already"):
        ns.train_adapter(ROWS, encoder=parent, kind="classes", output=tmp_path / "mine")
    few = ns.train_adapter(ROWS, encoder=parent, kind="classes", form="low-rank", output=tmp_path / "few")
    assert few.kind == "low-rank"
    with pytest.raises(ns.errors.InputError, match="bent"):
        ns.train_adapter(ROWS, encoder=parent, kind="classes", form="bent", output=tmp_path / "bent")


def test_the_command_writes_a_folder_or_says_that_none_is_better(run, parent, tmp_path):
    def train(name, rows, *more):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        return run(
            "train", tmp_path / f"{name}.csv", "--adapter", "--model", parent, "-o", tmp_path / name, "-q", *more
        )

    done = train("mine", ROWS)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["better"], found["kind"]) == (True, "linear")
    assert ns.load(str(tmp_path / "mine")).name == "mine"
    same = [(f"w{n} a", "xy"[n % 2]) for n in range(40)]
    done = train("none", same)
    if not json.loads(done.out)["better"]:
        assert (done.code, (tmp_path / "none").exists()) == (1, False)
    assert train("other", ROWS, "--cross").code == 2


def test_an_exported_log_is_learnt_from_beside_what_was_searched(run, parent, tmp_path):
    texts = {f"T-{row}": text for row, (text, _) in enumerate(ROWS)}
    taken = [{"query": text[::-1], "digest": "", "ids": [id_], "chosen": id_} for id_, text in texts.items()]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(each) + "\n" for each in taken))
    records = [{"id": id_, "text": text} for id_, text in texts.items()]
    (tmp_path / "tickets.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    words = [tmp_path / "queries.jsonl", "--adapter", "--model", parent, "-o", tmp_path / "mine", "-q"]
    refused = run("train", *words)
    assert refused.code == 2
    assert "--documents COLLECTION" in refused.err
    done = run("train", *words, "--documents", tmp_path / "tickets.jsonl")
    assert done.code in (0, 1), done.err
    assert json.loads(done.out)["examples"] == len(texts), done.err
    again = ns.train_adapter(
        tmp_path / "queries.jsonl", documents=texts, encoder=parent, output=tmp_path / "again"
    )
    assert again.to_dict() == json.loads(done.out) | {"model": again.encoder.name}
