"""A table of tokens stands for a whole model: what it was fitted to, what it costs, who can read it."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.distillation import Bags, _begin, _likeness, _narrowed, _step, _tokenizer_of, _vectors
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.encoders.modules import LONG, mean_rows
from nearsense.kinds import MapKind
from samples import tiny_bert

CHANCE = np.random.default_rng(0)
WORDS = [f"w{n}" for n in range(60)]
TEXTS = list(dict.fromkeys(" ".join(CHANCE.choice(WORDS, CHANCE.integers(2, 9))) for _ in range(700)))
FRESH = [text for text in (" ".join(CHANCE.choice(WORDS, 6)) for _ in range(200)) if text not in TEXTS]


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return ns.load(str(tiny_bert(tmp_path_factory.mktemp("models") / "parent")), precision="f32")


@pytest.fixture(scope="module")
def made(parent, tmp_path_factory):
    return ns.distill(parent, TEXTS, output=tmp_path_factory.mktemp("made") / "fast")


def cosines(a, b):
    return np.einsum("ij,ij->i", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_its_vectors_are_near_the_parents_on_texts_never_seen(parent, made):
    fast = ns.load(str(made.path))
    found = cosines(fast.encode(FRESH).data, parent.encode(FRESH).data).mean()
    assert found > 0.9
    assert made.likeness == pytest.approx(found, abs=0.05), "what was measured on texts kept apart holds"
    assert made.texts == len(TEXTS) - int(0.05 * len(TEXTS))
    assert 0 < made.neighbours <= 1
    assert made.speedup > 0
    assert (made.parent, made.dimension, fast.dimension) == ("parent", 32, 32)
    assert "order of words" in str(made)


def test_a_text_is_the_mean_of_its_tokens_rows(made):
    from safetensors.numpy import load_file

    fast = ns.load(str(made.path))
    table = load_file(str(made.path / "0_StaticEmbedding" / "model.safetensors"))["embedding.weight"]
    ids = fast.tokenizer(["w1 w2 w2"]).ids
    expected = np.mean([table[each] for each in ids], axis=0)
    np.testing.assert_allclose(fast.encode(["w1 w2 w2"]).data[0], expected / np.linalg.norm(expected), atol=1e-6)
    np.testing.assert_array_equal(fast.encode(["w1 w2"]).data, fast.encode(["w2 w1"]).data)


def test_means_of_rows_are_those_that_are_added_one_by_one():
    table = CHANCE.normal(size=(500, 24)).astype(np.float32)
    for longest in (1, 3, LONG, 3 * LONG):
        lengths = CHANCE.integers(1, longest + 1, 300)
        begins, ids = np.cumsum(lengths) - lengths, CHANCE.integers(0, 500, int(lengths.sum())).astype(np.int32)
        parts = [
            table[ids[a : a + n]].astype(np.float64).mean(axis=0) for a, n in zip(begins, lengths, strict=True)
        ]
        np.testing.assert_allclose(mean_rows(table, ids, begins, lengths), parts, atol=1e-6)


@pytest.mark.slow
def test_sentence_transformers_reads_the_folder_and_gives_the_same_vectors(made):
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(made.path), device="cpu")
    texts = [*TEXTS[:20], "w1 unknown, w2!"]
    np.testing.assert_allclose(model.encode(texts), ns.load(str(made.path)).encode(texts).data, atol=1e-5)


def test_the_map_is_that_of_ridge_regression_and_tuning_brings_it_nearer(parent):
    from sklearn.linear_model import Ridge

    bags, wanted = Bags.of(TEXTS, parent.tokenizer), parent.encode(TEXTS).data
    table = _begin(parent, parent.tokenizer, bags, wanted)
    alone = _vectors(parent, parent.tokenizer.words(), False)
    counts = np.bincount(bags.ids, minlength=len(alone))
    alone = alone * (1e-3 / (1e-3 + counts / len(bags.ids)))[:, None]
    means = np.array([alone[parent.tokenizer([text]).ids].mean(axis=0) for text in TEXTS])
    model = Ridge(alpha=1e-3 * (means**2).sum() / 32, fit_intercept=False).fit(means, wanted)
    assert cosines(model.predict(alone[5:60]), table[5:60]).min() > 0.9999
    before, seen = _likeness(table, bags, wanted), np.zeros(len(table), np.float32)
    for _ in range(20):
        _step(table, seen, bags, wanted, np.arange(len(TEXTS)), 0.06)
    assert _likeness(table, bags, wanted) > before + 0.001


def test_a_step_goes_down_the_gradient_of_the_cosine(parent):
    bags, wanted = Bags.of(TEXTS[:50], parent.tokenizer), parent.encode(TEXTS[:50]).data
    table = CHANCE.normal(size=(parent.tokenizer.vocabulary, 32)).astype(np.float32)
    moved, seen = table.copy(), np.full(len(table), 1.0, np.float32)
    _step(moved, seen, bags, wanted, np.arange(50), 1e-3)
    token = int(bags.ids[0])
    numeric = np.empty(32)
    for place in range(32):
        for sign in (1, -1):
            tried = table.astype(np.float64)
            tried[token, place] += sign * 1e-5
            means = np.array([tried[parent.tokenizer([text]).ids].mean(axis=0) for text in TEXTS[:50]])
            loss = -cosines(means, wanted.astype(np.float64)).sum()
            numeric[place] = loss if sign == 1 else (numeric[place] - loss) / 2e-5
    assert cosines((moved - table)[None, token], -numeric[None])[0] > 0.999


def test_fewer_dimensions_keep_most(parent, tmp_path):
    made = ns.distill(parent, TEXTS, output=tmp_path / "small", dimensions=8, epochs=0)
    assert (made.dimension, ns.load(str(made.path)).dimension) == (8, 8)
    bags, wanted = Bags.of(TEXTS, parent.tokenizer), parent.encode(TEXTS).data
    table = _begin(parent, parent.tokenizer, bags, wanted)
    whole, few = bags.means(table), bags.means(_narrowed(table, bags, 8))
    kept = np.linalg.svd(whole, compute_uv=False) ** 2
    assert (few**2).sum() / (whole**2).sum() == pytest.approx(kept[:8].sum() / kept.sum(), abs=1e-4)
    assert np.isnan(made.likeness), "vectors of other lengths have no cosine"


def test_an_adapter_is_distilled_with_its_map(parent, tmp_path):
    weight = (np.eye(32) + CHANCE.normal(0, 0.3, (32, 32))).astype(np.float32)
    adapted = AdaptedEncoder(parent, VectorMap(MapKind.LINEAR, {"weight": weight}), name="mine")
    fast = ns.load(str(ns.distill(adapted, TEXTS, output=tmp_path / "fast").path))
    found = cosines(fast.encode(FRESH).data, adapted.encode(FRESH).data).mean()
    assert found > 0.9


def test_what_cannot_be_distilled_is_refused_and_nothing_is_left(parent, tmp_path):
    for texts, options, said in (
        (TEXTS[:50], {}, "too few"),
        (["same"] * 500, {}, "too few"),
        (TEXTS, {"dimensions": 33}, "more than there is"),
    ):
        with pytest.raises(ns.errors.InputError, match=said):
            ns.distill(parent, texts, output=tmp_path / "fast", **options)
    with pytest.raises(ns.errors.UnsupportedModel, match="cannot be distilled"):
        ns.distill(HashEncoder(), TEXTS, output=tmp_path / "fast")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ns.distill(parent, TEXTS, output=tmp_path / "fast", progress=stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "fast").mkdir()
    with pytest.raises(ns.errors.FileError, match="there already"):
        ns.distill(parent, TEXTS, output=tmp_path / "fast")


def test_tokens_that_never_occur_stand_where_the_map_puts_them(parent):
    bags = Bags.of(TEXTS, _tokenizer_of(parent))
    table = _begin(parent, parent.tokenizer, bags, parent.encode(TEXTS).data)
    never = np.setdiff1d(np.arange(len(table)), bags.ids)
    assert np.linalg.norm(table[never], axis=1).min() > 0
