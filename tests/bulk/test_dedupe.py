"""Bulk deduplication finds what the verb does, in cells; bulk clusters are those of one process."""

from __future__ import annotations

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearsense import bulk
from nearsense.bulk.mining import near_pairs
from nearsense.clustering.kmeans import run_lloyd, spherical
from nearsense.errors import InputError
from nearsense.mining import mine
from samples import tiny_bert

THINGS = ("parcel", "invoice", "password", "screen", "refund", "ticket", "train", "garden", "window", "bicycle")
ASKED = (
    "How do I get a new {}?",
    "how do I get a new {}",
    "How can I get a new {}?",
    "My {} is broken",
    "My {} is not broken",
    "The {} was lost on 3 May",
    "The {} was lost on 4 May",
    "Who sells a {} in Rome?",
)


@pytest.fixture
def questions(tmp_path):
    """Two files of 50 questions, each with some that say the same, and some twice."""
    rows = [each.format(thing) for each in ASKED for thing in THINGS]
    rows += random.Random(1).sample(rows, 20)
    random.Random(2).shuffle(rows)
    (tmp_path / "texts").mkdir()
    columns = {"key": [f"q{row}" for row in range(100)], "body": rows, "stars": [row % 5 for row in range(100)]}
    table = pa.table(columns)
    for part in range(2):
        pq.write_table(table.slice(50 * part, 50), tmp_path / f"texts/{part}.parquet")
    pq.write_table(table, tmp_path / "whole.parquet")
    return tmp_path


class Stopped:
    """Progress that stops a run when it has been called so often."""

    def __init__(self, calls):
        self.left = calls

    def __call__(self, done, total):
        self.left -= 1
        if self.left <= 0:
            raise KeyboardInterrupt


def gathered(output, folder):
    names = json.loads((output / "_manifest.json").read_text())["files"]
    tables = [pq.read_table(output / name) for name in names if name.startswith(folder)]
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize(
    "keep", ["first", *(pytest.param(each, marks=pytest.mark.slow) for each in ("longest", "complete"))]
)
def test_rows_go_for_the_same_reason_as_with_the_verb(questions, run, keep):
    out = questions / "clean"
    words = ["--text", "body", "--id", "key", "--keep", keep, "--calibration", "paraphrase"]
    done = run("bulk", "dedupe", questions / "texts", "-o", out, *words, "--workers", 0)
    assert done.code == 0, done.err
    plain = run(
        "dedupe", questions / "whole.parquet", "-o", questions / "clean.parquet", *words,
        "--dropped", questions / "dropped.parquet",
    )  # fmt: skip
    assert plain.code == 0, plain.err
    truth = {row["id"]: row for row in pq.read_table(questions / "dropped.parquet").to_pylist()}
    found = {row["id"]: row for row in gathered(out, "dropped/")}
    assert found.keys() == truth.keys()
    assert len(found) > 20
    assert {row["tier"] for row in found.values()} >= {"exact", "semantic"}
    for id_, row in truth.items():
        mine_ = found[id_]
        assert {name: mine_[name] for name in ("kept", "tier", "text")} == {
            name: row[name] for name in ("kept", "tier", "text")
        }
        assert mine_["score"] == pytest.approx(row["score"], abs=2e-3)
        assert mine_["probability"] == pytest.approx(row["probability"], abs=0.02)
    staying = sorted(gathered(out, "kept/"), key=lambda row: row["key"])
    assert staying == sorted(pq.read_table(questions / "clean.parquet").to_pylist(), key=lambda row: row["key"])
    assert json.loads(done.out)["go"] == len(truth)


FAR = pytest.mark.filterwarnings("ignore:these texts are unlike:nearsense.errors.CalibrationWarning")


@FAR
def test_what_is_encoded_already_is_deduplicated_as_it_is(questions):
    known = {"text": "body", "id": "key", "workers": 0}
    bulk.encode(str(questions / "texts"), str(questions / "encoded"), **known)
    one = bulk.dedupe(str(questions / "encoded"), str(questions / "one"), workers=0)
    two = bulk.dedupe(str(questions / "texts"), str(questions / "two"), **known)
    assert one.figures["go"] == two.figures["go"] > 20
    assert {row["id"] for row in gathered(questions / "one", "dropped/")} == {
        row["id"] for row in gathered(questions / "two", "dropped/")
    }
    assert set(gathered(questions / "one", "kept/")[0]) == {"key", "body", "stars"}
    with pytest.raises(InputError, match="two thresholds"):
        bulk.dedupe("in", "out", min_score=0.5, min_probability=0.5)


@FAR
def test_a_deduplication_that_is_stopped_goes_on(questions):
    known = {"text": "body", "id": "key", "workers": 0}
    whole = bulk.dedupe(str(questions / "texts"), str(questions / "whole"), **known)
    for calls in (2, 9):
        with pytest.raises(KeyboardInterrupt):
            bulk.dedupe(
                str(questions / "texts"), str(questions / "again"), progress=Stopped(calls), resume=True, **known
            )
        assert not (questions / "again/_manifest.json").exists()
    again = bulk.dedupe(str(questions / "texts"), str(questions / "again"), resume=True, **known)
    assert again.figures == whole.figures
    assert gathered(questions / "again", "dropped/") == gathered(questions / "whole", "dropped/")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """1,200 texts of a tiny model that lie all over the place, encoded in eight parts."""
    base = tmp_path_factory.mktemp("many")
    model = str(tiny_bert(base / "tiny"))
    chance = random.Random(5)
    rows = [" ".join(f"w{chance.randrange(60)}" for _ in range(chance.randint(2, 9))) for _ in range(1000)]
    rows += [f"{row} w{chance.randrange(60)}" for row in rows[:200]]
    pq.write_table(pa.table({"text": rows}), base / "texts.parquet")
    bulk.encode(str(base / "texts.parquet"), str(base / "encoded"), model=model, shard_rows=160, workers=0)
    return base, model


def vectors_of(base):
    rows = sorted(gathered(base / "encoded", "encoded/"), key=lambda row: row["from_row"])
    return np.array([row["vector"] for row in rows], np.float32), [row["text"] for row in rows]


def test_most_near_pairs_are_found_in_cells_and_the_share_is_measured_and_told(many, tmp_path, monkeypatch, run):
    base, model = many
    monkeypatch.setattr("nearsense.bulk.mining.CELL", 150)
    seen, mined = [], near_pairs
    monkeypatch.setattr(
        "nearsense.bulk.deduplicating.near_pairs", lambda *given: seen.append(mined(*given)) or seen[-1]
    )
    done = run(
        "bulk",
        "dedupe",
        base / "encoded",
        "-o",
        tmp_path / "out",
        "--min-score",
        0.97,
        "--model",
        model,
        "--workers",
        0,
    )
    assert done.code == 0, done.err
    told = json.loads(done.out)["recall"]
    assert f"recall {told:.4g}" in done.err
    (((left, right, _), recall),) = seen
    vectors, texts = vectors_of(base)
    distinct = [texts.index(text) == row for row, text in enumerate(texts)]
    truth = mine(vectors, 0.97)
    wanted = {
        pair
        for pair in zip(truth.left.tolist(), truth.right.tolist(), strict=True)
        if all(distinct[row] for row in pair)
    }
    names = json.loads((base / "encoded/_manifest.json").read_text())["files"]
    order = (
        np.concatenate([pq.read_table(base / "encoded" / name, columns=["from_row"]).column(0) for name in names])
        - 1
    )
    found = {tuple(sorted(pair)) for pair in zip(order[left].tolist(), order[right].tolist(), strict=True)}
    assert found <= wanted
    assert len(found) / len(wanted) > 0.97
    assert recall == told == pytest.approx(len(found) / len(wanted), abs=0.05)


def test_clusters_over_shards_are_those_of_one_process(many, tmp_path):
    base, _ = many
    done = bulk.cluster(str(base / "encoded"), str(tmp_path / "out"), 12, workers=0)
    vectors, _ = vectors_of(base)
    names = json.loads((base / "encoded/_manifest.json").read_text())["files"]
    order = (
        np.concatenate([pq.read_table(base / "encoded" / name, columns=["from_row"]).column(0) for name in names])
        - 1
    )
    rows = vectors[order]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    truth = run_lloyd(rows, np.ones(len(rows), np.float32), spherical(rows, 12).centroids, steps=20)
    assert done.figures["loss"] == pytest.approx(truth.loss / len(rows), rel=1e-4)
    found = {row["from_row"] - 1: row["cluster"] for row in gathered(tmp_path / "out", "clusters/")}
    labels = np.array([found[row] for row in order])
    assert len(found) == len(rows)
    pairs = {*zip(labels.tolist(), truth.labels.tolist(), strict=True)}
    assert len(pairs) == 12, "the same groups by other numbers"
    sizes = np.bincount(labels)
    assert (np.diff(sizes) <= 0).all(), "the largest is 0"
    centres = pq.read_table(tmp_path / "out/centres.parquet")
    assert centres.column("size").to_pylist() == sizes.tolist()
    mapping = dict(pairs)
    expected = np.array([truth.centroids[mapping[cluster]] for cluster in range(12)])
    assert np.allclose(np.array(centres.column("vector").to_pylist()), expected, atol=1e-4)


def test_clusters_that_are_stopped_in_the_middle_come_out_as_if_they_had_not_been(many, tmp_path):
    base, _ = many
    whole = bulk.cluster(str(base / "encoded"), str(tmp_path / "whole"), 12, workers=0)
    with pytest.raises(KeyboardInterrupt):
        bulk.cluster(str(base / "encoded"), str(tmp_path / "again"), 12, workers=0, progress=Stopped(60))
    assert list((tmp_path / "again/centres").iterdir())
    again = bulk.cluster(str(base / "encoded"), str(tmp_path / "again"), 12, workers=0, resume=True)
    assert again.figures == whole.figures
    assert gathered(tmp_path / "again", "clusters/") == gathered(tmp_path / "whole", "clusters/")


def test_more_clusters_than_texts_are_refused(many, tmp_path):
    with pytest.raises(InputError, match="5,000 clusters of 1,200 texts"):
        bulk.cluster(str(many[0] / "encoded"), str(tmp_path / "out"), 5000, workers=0)


def test_an_output_that_is_not_finished_is_no_input(many, tmp_path):
    base, model = many
    (tmp_path / "half").mkdir()
    (tmp_path / "half/job.json").write_text("{}")
    (tmp_path / "half/a.parquet").write_bytes((base / "texts.parquet").read_bytes())
    with pytest.raises(InputError, match="half is not finished"):
        bulk.dedupe(str(tmp_path / "half"), str(tmp_path / "out"), model=model, workers=0)
