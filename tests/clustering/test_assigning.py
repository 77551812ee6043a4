"""New texts: old ids stay, strangers are noise, and only a crowd of strangers opens a cluster."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nearsense as ns
from cluster_made import around, as_vectors, numbered
from nearsense.errors import FileError, InputError, ModelMismatch
from nearsense.records import Document

SIZES = [40, 30, 20]


@pytest.fixture(scope="module")
def old():
    return ns.cluster(numbered(90), 3, vectors=around(SIZES))


def test_new_texts_go_where_their_like_is_and_ids_stay(old):
    new = old.assign(numbered(12, 100), vectors=around([4, 4, 4], seed=5))
    assert new.labels[new.labels >= 0].tolist() == [
        label for label, kept in zip([0] * 4 + [1] * 4 + [2] * 4, new.labels >= 0, strict=True) if kept
    ]
    assert (new.labels >= 0).mean() > 0.7
    assert [(each.id, each.label, each.exemplar) for each in new] == [
        (each.id, each.label, each.exemplar) for each in old
    ]
    assert sum(each.size for each in new) + len(new.noise) == 12


def test_all_but_a_twentieth_of_the_old_texts_would_come_in_again(old):
    again = old.assign(numbered(90), vectors=around(SIZES))
    kept = again.labels >= 0
    assert (again.labels[kept] == old.labels[kept]).all()
    assert 0.85 <= kept.mean() <= 1.0


def test_a_few_strangers_are_noise_and_a_crowd_opens_a_cluster(old):
    strangers = around([0, 0, 0, 20], seed=7)
    few = old.assign(numbered(2, 200), vectors=strangers.take([0, 1]))
    assert (len(few), few.labels.tolist()) == (3, [-1, -1])
    many = old.assign(numbered(20, 200), vectors=strangers)
    assert [each.id for each in many] == [0, 1, 2, 3]
    assert (many.get(3).new, many.get(0).new, many.get(0).size) == (True, False, 0)
    assert many.get(3).size >= 18
    assert len({each.label for each in many}) == 4
    later = many.assign(numbered(5, 300), vectors=around([0, 0, 0, 5], seed=8))
    assert set(later.labels.tolist()) <= {3, -1}
    assert len(later) == 4
    closed = old.assign(numbered(20, 200), vectors=strangers, open_new=False)
    assert set(closed.labels.tolist()) == {-1}


def test_a_file_of_clusters_gives_the_same_answers(old, tmp_path):
    file = tmp_path / "old.clusters"
    old.save(file)
    loaded = ns.load_clusters(file)
    assert loaded.to_dict() == old.to_dict()
    assert loaded.labels.tolist() == old.labels.tolist()
    new = around([4, 4, 4, 20], seed=5)
    assert loaded.assign(numbered(32), vectors=new).to_dict() == old.assign(numbered(32), vectors=new).to_dict()
    loaded.save(tmp_path / "again.clusters")
    assert file.read_bytes() == (tmp_path / "again.clusters").read_bytes()
    with pytest.raises(InputError, match="no texts any more"):
        loaded.split(0)


@pytest.mark.parametrize(
    "change",
    [
        lambda known: known.pop("centres"),
        lambda known: known.update(centres="AAAA"),
        lambda known: known.update({"nearsense clusters": 2}),
        lambda known: known.update({"nearsense clusters": "x"}),
        lambda known: known.update(min_size=-3),
        lambda known: known["clusters"][0].update(members=[10_000]),
        lambda known: known["clusters"][0].update(members=[-1]),
        lambda known: known["clusters"].pop(),
        lambda known: known.update(strengths=None),
    ],
)
def test_a_damaged_file_is_refused(old, tmp_path, change):
    file = tmp_path / "old.clusters"
    old.save(file)
    known = json.loads(file.read_text())
    change(known)
    file.write_text(json.dumps(known))
    with pytest.raises(FileError, match="holds no clusters"):
        ns.load_clusters(file)


def test_only_a_later_version_is_called_later(old, tmp_path):
    file = tmp_path / "old.clusters"
    old.save(file)
    known = json.loads(file.read_text())
    for version, said in ((2, "later"), (0, "no version"), ("x", "no version")):
        file.write_text(json.dumps({**known, "nearsense clusters": version}))
        with pytest.raises(FileError, match=said):
            ns.load_clusters(file)


def test_ids_that_no_encoding_can_write_come_back(tmp_path):
    documents = [Document("half \ud800", "a lost card"), Document("b", "the exchange rate")]
    ns.cluster(documents, k=2).save(tmp_path / "x")
    assert set(ns.load_clusters(tmp_path / "x").ids) == {"half \ud800", "b"}


def test_what_is_no_such_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\x00")
    for name in ("x", "missing"):
        with pytest.raises(FileError):
            ns.load_clusters(tmp_path / name)


def test_vectors_of_another_model_are_refused(old):
    other = around([2, 2])
    with pytest.raises(ModelMismatch):
        old.assign(numbered(4), vectors=ns.Vectors(other.data, "other", other.truncated))


def test_nothing_can_be_assigned_and_to_nothing(old):
    none = old.assign([], vectors=around([0]))
    assert (len(none), none.noise, none.labels.shape) == (3, (), (0,))
    empty = ns.cluster([], vectors=around([0]))
    assert empty.assign(numbered(2), vectors=around([2])).noise == ("d0", "d1")


def test_themes_hold_new_texts_too():
    vectors = as_vectors(
        np.repeat(np.eye(16)[:9], 5, axis=0) + 0.02 * np.random.default_rng(0).standard_normal((45, 16))
    )
    clusters = ns.cluster(numbered(45), 9, vectors=vectors)
    new = clusters.assign(numbered(45, 50), vectors=vectors)
    for cluster in new:
        assert set(cluster.members) <= set(new.themes.get(cluster.parent).members)
    assert [theme.label for theme in new.themes] == [theme.label for theme in clusters.themes]


def test_texts_are_encoded_by_the_model_of_before():
    clusters = ns.cluster(["a dog", "a puppy", "a tax form", "my taxes"], 2)
    new = clusters.assign(["dogs"], open_new=False)
    assert new.origin == clusters.origin


@pytest.mark.slow
def test_strangers_stay_outside_and_requests_come_in(data):
    train, asked = data("clinc150/train"), data("clinc150/val")
    known = ns.cluster([row["text"] for row in train if row["label"] != "oos"], 150)
    found = known.assign([row["text"] for row in asked], open_new=False)
    outside = np.array([row["label"] == "oos" for row in asked])
    assert (found.labels[~outside] >= 0).mean() > 0.9
    assert (found.labels[outside] >= 0).mean() < 0.25
