"""Every architecture, pooling and head in both precisions, with tables and positions of real size.

bf16 keeps 8 bits: a row, a position or a distance above 256 that is computed in it becomes a neighbour's. Where
the processor has no bf16 OpenVINO computes in f32 what bf16 is asked for, and these tests hold all the same.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import replace

import numpy as np
import pytest

import nearsense as ns
from nearsense.encoders import transformer
from nearsense.encoders.transformer import ARCHITECTURES
from samples import some_of
from turns import in_turn

hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
pytest.importorskip("onnx")
torch = hubs.torch
from sentence_transformers.sentence_transformer import modules as st  # noqa: E402

NATIVE = [kind for kind in hubs.ARCHITECTURES if kind != "electra"]
POOLINGS = ["mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", "weightedmean"]
WORDS = 4000


def some_text(chance, tokens):
    return " ".join(f"word{chance.randrange(WORDS)}" for _ in range(tokens))


@pytest.fixture(scope="module")
def texts():
    """From one token to all that fit, most of them with positions and distances beyond 256."""
    chance = random.Random(3)
    return [some_text(chance, tokens) for tokens in (1, 2, 7, 30, 31, 100, 200, 257, 300, 301, 400, 450, 500, 505)]


def cosines(ours, theirs):
    ours, theirs = (each.astype(np.float64) for each in (ours, theirs))
    return (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


def encoded(folder, texts, precision, **options):
    return ns.load(str(folder), precision=precision).encode(texts, long="head", **options).data


def in_both(folder, texts):
    """The vectors in f32 and in bf16."""
    return [encoded(folder, texts, precision) for precision in ("f32", "bf16")]


def assert_near(exact, near):
    """bf16 rounds each weight and score, too: random ones alike; with neighbours' rows the mean falls to 0.93."""
    found = cosines(exact, near)
    assert found.mean() >= 0.998
    assert found.min() >= 0.98


def assert_same(folder, texts):
    exact, near = in_both(folder, texts)
    assert cosines(exact, hubs.reference(folder, texts)).min() >= 0.99999
    assert_near(exact, near)


@pytest.mark.parametrize("kind", some_of(NATIVE, "mpnet", "bert"))
def test_an_architecture_gives_its_vectors_in_either_precision(tmp_path, texts, kind):
    assert_same(hubs.bi_encoder(tmp_path / "model", kind, words=WORDS, **hubs.REAL), texts)


@pytest.mark.parametrize("mode", some_of(POOLINGS, "cls"))
@pytest.mark.parametrize("kind", some_of(NATIVE, "mpnet"))
def test_a_pooling_gives_its_vectors_in_either_precision(tmp_path, texts, kind, mode):
    pooling = st.Pooling(hubs.REAL["hidden_size"], mode)
    assert_same(hubs.bi_encoder(tmp_path / "model", kind, pooling, words=WORDS, **hubs.REAL), texts)


def test_modules_after_pooling_give_their_vectors_in_either_precision(tmp_path, texts):
    width = hubs.REAL["hidden_size"]
    chain = (st.Pooling(width, ("cls", "mean")), st.Dense(2 * width, 48), st.LayerNorm(48), st.Normalize())
    assert_same(hubs.bi_encoder(tmp_path / "model", "mpnet", *chain, words=WORDS, **hubs.REAL), texts)


@pytest.mark.parametrize("kind", some_of(NATIVE, "mpnet"))
def test_a_head_gives_its_scores_in_either_precision(tmp_path, texts, kind):
    folder = hubs.transformer(tmp_path / "model", kind, head=True, words=WORDS, **hubs.REAL)
    pairs = [(text, other) for text in texts[:7] for other in texts[::2]]
    with hubs.quiet():
        judge = hubs.sentence_transformers.CrossEncoder(str(folder), device="cpu")
        theirs = judge.predict(pairs, activation_fn=hubs.torch.nn.Identity())
    exact, near = (
        ns.load_cross(str(folder), precision=each).score(pairs, long="head", logits=True)
        for each in ("f32", "bf16")
    )
    np.testing.assert_allclose(exact, theirs, atol=1e-3)
    assert np.corrcoef(exact, near)[0, 1] >= 0.99


def test_texts_that_share_a_request_with_hundreds_of_others_keep_to_themselves(tmp_path):
    chance = random.Random(4)
    short = [some_text(chance, chance.randrange(1, 6)) for _ in range(1000)]
    folder = hubs.bi_encoder(tmp_path / "model", "bert", words=WORDS, **hubs.REAL)
    alone, together = (encoded(folder, short, "bf16", batch_tokens=size) for size in (64, 2**16))
    assert_near(alone, together)


@pytest.mark.parametrize("words", [WORDS, pytest.param(40_000, marks=pytest.mark.slow)])
def test_rows_at_the_end_of_a_large_vocabulary_are_told_apart(tmp_path, words):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", words=words, num_hidden_layers=1)
    last = [f"word{place}" for place in range(words - 100, words)]
    exact, near = in_both(folder, last)
    assert_near(exact, near)
    np.testing.assert_array_equal((near @ exact.T).argmax(axis=1), np.arange(len(last)))


def test_vectors_of_a_graph_that_was_mended_do_not_compare_with_those_of_before(tmp_path, monkeypatch):
    folder = hubs.bi_encoder(tmp_path / "model", "mpnet")
    after = ns.load(str(folder))
    monkeypatch.setitem(ARCHITECTURES, "mpnet", replace(ARCHITECTURES["mpnet"], mended=0))
    before = ns.load(str(folder), threads=1)
    with ns.open(tmp_path / "old", before) as collection:
        collection.add(["the dog", "a cat"])
    with pytest.raises(ns.errors.ModelMismatch):
        ns.open(tmp_path / "old", after)


# finished graphs: how they count is not ours to say


@pytest.mark.parametrize("form", some_of(["onnx", "openvino"], "onnx"))
@pytest.mark.parametrize("kind", some_of(hubs.ARCHITECTURES, "mpnet"))
def test_a_finished_graph_gives_its_vectors_in_either_precision(tmp_path, texts, kind, form):
    folder = hubs.bi_encoder(tmp_path / "model", kind, words=WORDS, **hubs.REAL)
    exact, near = in_both(hubs.exported(folder, form=form, names=("input_ids", "attention_mask")), texts)
    assert cosines(exact, hubs.reference(folder, texts)).min() >= 0.99999
    assert_near(exact, near)


@pytest.mark.parametrize("kind", some_of([kind for kind in NATIVE if kind != "mpnet"], "bert", "roberta"))
def test_a_finished_graph_that_counts_in_whole_numbers_keeps_the_speed_of_bf16(tmp_path, kind):
    copy = hubs.exported(hubs.bi_encoder(tmp_path / "model", kind), names=("input_ids", "attention_mask"))
    assert ns.load(str(copy), precision="bf16")._engine.precision == "bf16"


class Placed(torch.nn.Module):
    """Vectors of tokens that depend on places alone, computed as models do."""

    def __init__(self, way):
        super().__init__()
        chance = torch.Generator().manual_seed(5)
        self.way, self.table = way, torch.randn(1100, 64, generator=chance)
        self.mix = torch.randn(64, 64, generator=chance)

    def forward(self, ids, mask):
        return self.placed(ids, mask) @ self.mix  # what is before a product is run in bf16

    def placed(self, ids, mask):
        rates, one = torch.exp(-torch.arange(32) / 8.0), mask[..., None].float()
        places = torch.arange(ids.shape[1])[None].expand(ids.shape)
        if self.way == "row":
            return self.table[(places.float() * 2 - 1).clamp(0, 1099).long()] * one
        if self.way == "logarithm":
            return self.table[(torch.log1p(places.float()) * 100).long()] * one
        if self.way == "sum":
            return self.table[(mask.float().cumsum(1) + (ids < 0).float()).long()] * one
        if self.way == "id":
            return self.table[(ids.float() / 7).long() % 1100] * one
        if self.way == "distance":
            apart = (places[:, None] - places[:, :, None]).float()
            return torch.softmax(-((apart + 3).abs()), -1) @ (self.table[places % 1100] * one)
        if self.way == "slope":
            apart = torch.log(1 + (places[:, None] - places[:, :, None]).abs().float())
            return torch.softmax(apart, -1) @ (self.table[ids % 1000] * one)
        angles = places[..., None].float() * rates  # "rotation"
        return torch.cat([torch.sin(angles), torch.cos(angles)], -1) * one


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished graph, to be replaced."""
    at = tmp_path_factory.mktemp("finished") / "model"
    folder = hubs.bi_encoder(at, "bert", st.Pooling(64, "lasttoken"), words=WORDS, max_position_embeddings=514)
    return hubs.exported(folder, names=("input_ids", "attention_mask"))


WAYS = ["row", "logarithm", "sum", "id", "distance", "slope", "rotation"]


@pytest.mark.parametrize("way", some_of(WAYS, "row", "distance", "rotation"))
def test_a_finished_graph_that_counts_in_floats_is_right_all_the_same(finished, tmp_path, texts, way):
    copy = shutil.copytree(finished, tmp_path / "model")
    names, axes, form = ["input_ids", "attention_mask"], {0: "n", 1: "l"}, torch.ones(2, 7, dtype=torch.int64)
    model = Placed(way)
    with hubs.quiet():
        torch.onnx.export(
            model,
            (form, form),
            str(copy / "onnx" / "model.onnx"),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes=dict.fromkeys(names, axes),
            dynamo=False,
        )
    tokenizer = hubs.Tokenizer.from_file(str(copy / "tokenizer.json"))
    for exact, near, text in zip(*in_both(copy, texts), texts, strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        theirs = model(ids, torch.ones_like(ids))[0, -1].numpy()
        assert cosines(exact[None], theirs[None]).min() >= 0.9999
        assert cosines(near[None], theirs[None]).min() >= 0.999


@in_turn("kind", [kind for kind in NATIVE if kind != "mpnet"])
def test_the_fingerprint_of_a_graph_that_was_right_is_as_before(kind):
    config = {"model_type": kind, "hidden_size": 32, "dim": 32}
    assert "mended" not in transformer.identity(config)
