"""A model with a map after it does all that a model does, and its folder says whose vectors the map is for."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.cached import cached
from nearsense.encoders.adapted import DESCRIPTION, TENSORS, AdaptedEncoder, VectorMap, write_adapter
from nearsense.encoders.cache import runner_of, uncached
from nearsense.encoders.weights import write_tensors
from nearsense.kinds import MapKind
from nearsense.probing import probe_result
from samples import tiny_bert

TEXTS = ["w1 w2 w3", "w4 a b c", "w5 " * 70, "w9", ""]


def some_map(kind: MapKind, d: int = 32, seed: int = 3) -> VectorMap:
    chance = np.random.default_rng(seed)

    def tensor(*shape):
        return chance.normal(0, 0.3, shape).astype(np.float32)

    match kind:
        case MapKind.DIAGONAL:
            return VectorMap(kind, {"scale": 1 + tensor(d)})
        case MapKind.LOW_RANK:
            return VectorMap(kind, {"down": tensor(4, d), "up": tensor(d, 4)})
    return VectorMap(kind, {"weight": np.eye(d, dtype=np.float32) + tensor(d, d)})


def by_hand(map_: VectorMap, vectors: np.ndarray) -> np.ndarray:
    """The same in float64, from the definition."""
    x = vectors.astype(np.float64)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    t = {name: each.astype(np.float64) for name, each in map_.tensors.items()}
    match map_.kind:
        case MapKind.DIAGONAL:
            y = np.array([[a * b for a, b in zip(row, t["scale"], strict=True)] for row in x])
        case MapKind.LOW_RANK:
            y = np.array([row + t["up"] @ (t["down"] @ row) for row in x])
        case _:
            y = np.array([t["weight"] @ row for row in x])
    return y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return ns.load(str(tiny_bert(tmp_path_factory.mktemp("models") / "parent")), precision="f32")


def saved(folder, parent, kind=MapKind.LINEAR, **facts):
    folder.mkdir()
    write_adapter(folder, AdaptedEncoder(parent, some_map(kind), name="unsaved"), facts)
    return folder


@pytest.mark.parametrize("kind", MapKind)
@pytest.mark.filterwarnings("ignore")
def test_a_saved_map_makes_of_texts_what_its_definition_says(tmp_path, parent, kind):
    folder = saved(tmp_path / "mine", parent, kind)
    loaded = ns.load(str(folder), precision="f32")
    for how in ({}, {"role": "query"}, {"long": "chunk"}, {"long": "head"}):
        found, before = loaded.encode(TEXTS, **how), parent.encode(TEXTS, **how)
        np.testing.assert_allclose(found.data, by_hand(some_map(kind), before.data), atol=2e-6)
        assert (found.truncated.tolist(), found.read_as) == (before.truncated.tolist(), before.read_as)
        assert (found.model, found.fingerprint) == ("mine", loaded.fingerprint)
    assert (loaded.name, loaded.dimension, loaded.max_tokens) == ("mine", 32, parent.max_tokens)
    assert loaded.count_tokens(TEXTS).tolist() == parent.count_tokens(TEXTS).tolist()
    np.testing.assert_allclose(
        some_map(kind).matrix() @ np.ones(32), some_map(kind)(np.ones((1, 32), np.float32))[0], atol=1e-5
    )


def test_the_fingerprint_is_of_parent_and_map(tmp_path, parent):
    other = ns.load(str(tiny_bert(tmp_path / "other", seed=8)), precision="f32")
    one = AdaptedEncoder(parent, some_map(MapKind.LINEAR), name="a")
    prints = {
        one.fingerprint,
        parent.fingerprint,
        AdaptedEncoder(other, some_map(MapKind.LINEAR), name="a").fingerprint,
        AdaptedEncoder(parent, some_map(MapKind.LINEAR, seed=4), name="a").fingerprint,
        one.encode(["w1"], normalize=False).fingerprint,
    }
    assert len(prints) == 5
    assert AdaptedEncoder(parent, some_map(MapKind.LINEAR), name="b").fingerprint == one.fingerprint
    with pytest.raises(ns.errors.ModelMismatch):
        one.mapped(one.encode("w1"))


def test_a_parent_that_is_another_model_is_named_beside_the_one_it_was(tmp_path, parent):
    place = tiny_bert(tmp_path / "parent")
    folder = saved(tmp_path / "mine", ns.load(str(place), precision="f32"))
    shutil.rmtree(place)
    tiny_bert(place, seed=5)
    with pytest.raises(
        ns.errors.ModelMismatch, match=r"mine was learnt on .*parent.*; parent here is another"
    ) as said:
        ns.load(str(folder), precision="f32")
    assert "noise" in said.value.why
    shutil.rmtree(place)
    with pytest.raises(ns.errors.ModelNotFound, match=r"a map of the vectors of .*parent, which is not here"):
        ns.load(str(folder), precision="f32")


def test_a_parent_that_lies_in_the_folder_goes_where_the_folder_goes(tmp_path, parent):
    folder = saved(tmp_path / "mine", parent)
    known = json.loads((folder / DESCRIPTION).read_text())
    tiny_bert(folder / "parent")
    (folder / DESCRIPTION).write_text(json.dumps(known | {"parent": "parent"}))
    moved = shutil.move(folder, tmp_path / "elsewhere")
    assert ns.load(str(moved), precision="f32").parent.fingerprint == parent.fingerprint


SPOILT = {
    "no json": (DESCRIPTION, b"{"),
    "a field missing": (DESCRIPTION, b'{"format": 1, "parent": "x"}'),
    "a newer format": (DESCRIPTION, b'{"format": 99}'),
    "tensors cut": (TENSORS, b"\x10\x00"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_folder_that_is_not_in_order_says_what_is_wrong(tmp_path, parent, spoilt):
    folder = saved(tmp_path / "mine", parent)
    name, content = SPOILT[spoilt]
    (folder / name).write_bytes(content)
    with pytest.raises((ns.errors.BrokenModel, ns.errors.UnsupportedModel), match=r"mine") as said:
        ns.load(str(folder))
    assert said.value.fix


@pytest.mark.parametrize(
    "weight", [np.eye(31), np.ones((32, 31)), np.full((32, 32), np.nan)], ids=["other", "oblong", "nan"]
)
def test_a_map_of_other_shapes_or_numbers_is_refused(tmp_path, parent, weight):
    folder = saved(tmp_path / "mine", parent)
    write_tensors(folder / TENSORS, {"weight": weight.astype(np.float32)})
    with pytest.raises(ns.errors.BrokenModel):
        ns.load(str(folder))


def test_a_map_does_not_go_after_vectors_of_another_length_nor_takes_options_of_its_parent(tmp_path, parent):
    with pytest.raises(ns.errors.InputError, match="16 numbers"):
        AdaptedEncoder(parent, some_map(MapKind.LINEAR, 16), name="a")
    folder = saved(tmp_path / "mine", parent)
    for option in ({"dimensions": 8}, {"pooling": "cls"}):
        with pytest.raises(ns.errors.InputError, match="as it was learnt"):
            ns.load(str(folder), **option)
    with pytest.raises(ns.errors.UnsupportedModel, match="no cross-encoder"):
        ns.load_cross(str(folder))


def test_a_folder_that_is_its_own_parent_ends(tmp_path, parent):
    folder = saved(tmp_path / "mine", parent)
    known = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(known | {"parent": str(folder)}))
    with pytest.raises(ns.errors.BrokenModel, match="itself"):
        ns.load(str(folder))


def test_a_map_after_a_map_is_one_after_the_other(tmp_path, parent):
    first = ns.load(str(saved(tmp_path / "first", parent)), precision="f32")
    second = ns.load(str(saved(tmp_path / "second", first, MapKind.DIAGONAL)), precision="f32")
    expected = by_hand(
        some_map(MapKind.DIAGONAL), by_hand(some_map(MapKind.LINEAR), parent.encode(["w1 w2"]).data)
    )
    np.testing.assert_allclose(second.encode(["w1 w2"]).data, expected, atol=2e-6)


def test_what_tokens_add_they_add_after_the_map_too(tmp_path, parent):
    adapted = AdaptedEncoder(parent, some_map(MapKind.LINEAR), name="a")
    (tokens,) = adapted.tokens(["w1 w2 a"])
    total = (tokens.vectors * tokens.counts[:, None]).sum(axis=0)
    np.testing.assert_allclose(total / np.linalg.norm(total), adapted.encode(["w1 w2 a"]).data[0], atol=1e-5)
    found = ns.explain("w1 w2 a", "w1 b", encoder=adapted)
    assert found.exact
    assert sum(w.contribution for w in found.words_a) + found.unexplained_a == pytest.approx(found.score, abs=1e-5)


def test_an_adapter_is_pickled_with_its_parent_by_name(tmp_path, parent):
    loaded = ns.load(str(saved(tmp_path / "mine", parent)), precision="f32")
    again = pickle.loads(pickle.dumps(loaded))
    assert again.fingerprint == loaded.fingerprint
    assert np.array_equal(again.encode(["w1 a"]).data, loaded.encode(["w1 a"]).data)


def test_one_cache_of_the_parents_vectors_serves_all_its_adapters(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    class Counting(HashEncoder):
        cuts = False

    model = Counting(32)
    one, other = (AdaptedEncoder(model, some_map(MapKind.LINEAR, seed=seed), name="a") for seed in (1, 2))
    first = cached(one).encode(["a text", "another"])
    assert model.encoded == 2
    again = cached(other).encode(["another", "a text"])
    assert model.encoded == 2, "the vectors came from the cache"
    np.testing.assert_allclose(first.data, by_hand(one.map, model.encode(["a text", "another"]).data), atol=1e-6)
    np.testing.assert_allclose(again.data, by_hand(other.map, model.encode(["another", "a text"]).data), atol=1e-6)
    assert runner_of(cached(one)) is model
    assert uncached(cached(one)).parent is model


def test_vectors_of_any_length_and_models_made_for_products_are_mapped_at_unit_length():
    class Long(HashEncoder):
        similarity = ns.types.Metric.DOT

        def _vector(self, text):
            return 7 * super()._vector(text)

    map_ = some_map(MapKind.LINEAR)
    found = AdaptedEncoder(Long(32), map_, name="a").encode(["a b", "c"])
    np.testing.assert_allclose(found.data, by_hand(map_, HashEncoder(32).encode(["a b", "c"]).data), atol=1e-6)
    assert AdaptedEncoder(HashEncoder(32, fingerprint=" ").__class__(32), map_, name="a").similarity == "cosine"


def test_an_adapter_is_tried_on_the_probe_as_its_parent_is(parent):
    found = probe_result(AdaptedEncoder(parent, some_map(MapKind.LINEAR), name="a"))
    before = probe_result(parent)
    assert found.pairs == before.pairs
    assert found.levels != before.levels
    assert probe_result(AdaptedEncoder(HashEncoder(32), some_map(MapKind.LINEAR), name="a")) is None
