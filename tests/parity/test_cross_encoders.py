"""Cross-encoders against sentence-transformers' CrossEncoder, on models with random weights."""

from __future__ import annotations

import random

import numpy as np
import pytest

import nearsense as ns
from samples import some_of
from turns import in_turn

hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")


@pytest.fixture(scope="module")
def pairs():
    """Of all lengths on both sides: from nothing to beyond the limit."""
    chance = random.Random(2)

    def text(longest):
        return " ".join(chance.choices([*hubs.WORDS, "xylophone", "42", "it's"], k=chance.randrange(1, longest)))

    made = [(text(12), text(60)) for _ in range(40)] + [(text(60), text(12)) for _ in range(20)]
    return [
        ("the dog", ""),
        ("", "a cat"),
        ("rain", "rain"),
        ("dog " * 50, "cat " * 50),
        ("a " * 28, "b " * 29),
        *made,
    ]


def predicted(folder, pairs, **options):
    with hubs.quiet():
        return hubs.sentence_transformers.CrossEncoder(str(folder), device="cpu").predict(pairs, **options)


NATIVE = [kind for kind in hubs.ARCHITECTURES if kind != "electra"]


@pytest.mark.parametrize("kind", some_of(NATIVE, "bert", "mpnet", "roberta"))
def test_the_numbers_are_those_of_sentence_transformers(tmp_path, pairs, kind):
    folder = hubs.transformer(tmp_path / "model", kind, head=True)
    theirs = predicted(folder, pairs, activation_fn=hubs.torch.nn.Identity())
    cross = ns.load_cross(str(folder), precision="f32")
    assert cross._engine.__class__.__name__ == "Runner"
    ours = cross.score(pairs, long="head", logits=True)
    assert theirs.std() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_types_of_tokens_are_left_out_where_the_folder_says_so(tmp_path, pairs):
    folder = hubs.transformer(tmp_path / "model", "bert", head=True, typed=False)
    theirs = predicted(folder, pairs, activation_fn=hubs.torch.nn.Identity())
    ours = ns.load_cross(str(folder), precision="f32").score(pairs, long="head", logits=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_bf16_keeps_the_order_of_scores_that_differ(tmp_path, pairs, kind):
    folder = hubs.transformer(tmp_path / "model", kind, head=True)
    exact, near = (
        ns.load_cross(str(folder), precision=precision).score(pairs, long="head", logits=True)
        for precision in ("f32", "bf16")
    )
    assert np.abs(exact - near).max() < 0.05 * exact.std() + 0.02


def test_the_score_is_the_sigmoid_where_the_folder_does_not_say(tmp_path, pairs):
    folder = hubs.transformer(tmp_path / "model", "bert", head=True)
    ours = ns.load_cross(str(folder), precision="f32").score(pairs, long="head")
    np.testing.assert_allclose(ours, predicted(folder, pairs), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "entry"),
    [
        ("config.json", {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}),
        ("config.json", {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}),
        ("config_sentence_transformers.json", {"activation_fn": "torch.nn.modules.activation.Tanh"}),
    ],
)
def test_the_activation_is_the_one_that_the_folder_names(tmp_path, pairs, file, entry):
    base = hubs.transformer(tmp_path / "base", "bert", head=True)
    with hubs.quiet():
        hubs.sentence_transformers.CrossEncoder(str(base), device="cpu").save_pretrained(str(tmp_path / "model"))
    hubs.changed(tmp_path / "model" / "config_sentence_transformers.json", activation_fn=None)
    hubs.changed(tmp_path / "model" / file, **entry)
    ours = ns.load_cross(str(tmp_path / "model"), precision="f32").score(pairs, long="head")
    np.testing.assert_allclose(ours, predicted(tmp_path / "model", pairs), atol=1e-4)


def test_an_activation_that_is_code_of_its_own_is_refused(tmp_path):
    folder = hubs.transformer(tmp_path / "model", "bert", head=True)
    hubs.changed(folder / "config.json", sentence_transformers={"activation_fn": "os.system"})
    with pytest.raises(ns.errors.UnsupportedModel, match=r"os\.system"):
        ns.load_cross(str(folder))


def test_what_has_no_graph_here_runs_through_sentence_transformers(tmp_path, pairs):
    folder = hubs.transformer(tmp_path / "model", "electra", head=True)
    with hubs.quiet():
        ours = ns.load_cross(str(folder)).score(pairs, long="head")
    np.testing.assert_allclose(ours, predicted(folder, pairs), atol=1e-5)


def test_a_model_of_several_labels_is_refused_with_a_sentence(tmp_path):
    folder = hubs.transformer(tmp_path / "model", "bert", head=True, num_labels=3)
    with pytest.raises(ns.errors.UnsupportedModel, match="3 numbers a pair"):
        ns.load_cross(str(folder))


def test_an_encoder_is_no_cross_encoder_and_the_other_way_round(tmp_path):
    with pytest.raises(ns.errors.UnsupportedModel, match="no cross-encoder"):
        ns.load_cross("all-MiniLM-L6-v2")
    folder = hubs.transformer(tmp_path / "model", "bert", head=True)
    with pytest.raises(ns.errors.UnsupportedModel, match="load_cross"):
        ns.load(str(folder))


def test_long_pairs_are_cut_with_a_word(tmp_path):
    cross = ns.load_cross(str(hubs.transformer(tmp_path / "model", "bert", head=True)))
    long, short = ("dog", "cat " * 100), ("dog", "cat")
    with pytest.warns(ns.errors.TruncationWarning, match="1 of 2 pairs exceeds 60 tokens"):
        cross.score([long, short])
    with pytest.raises(ns.errors.TextTooLong, match="pair 1 has 104 tokens"):
        cross.score([short, long], long="error")
    with pytest.raises(ns.errors.InputError, match="chunk"):
        cross.score([short], long="chunk")


@in_turn("pairs", [["no pair"], [("one",)], [("a", "b", "c")], [("a", 3)], [(None, "b")]])
def test_what_is_no_pair_of_texts_is_named(tmp_path, pairs):
    cross = ns.load_cross(str(hubs.transformer(tmp_path / "model", "bert", head=True)))
    with pytest.raises(ns.errors.InputError, match="0"):
        cross.score(pairs)


def test_no_pairs_have_no_scores(tmp_path):
    cross = ns.load_cross(str(hubs.transformer(tmp_path / "model", "bert", head=True)))
    assert cross.score([]).shape == (0,)


def test_texts_are_cut_as_the_tokenizers_library_cuts_them():
    from nearsense.encoders.cross import longest_first

    tokenizer = hubs.wordpiece()
    sizes = [(a, b) for a in range(0, 25, 3) for b in range(0, 25, 2)] + [(9, 10), (10, 9), (10, 10), (11, 11)]
    for room in (7, 8, 20, 21):
        tokenizer.enable_truncation(room + 3, strategy="longest_first")
        expected = []
        for a, b in sizes:
            sides = tokenizer.encode("a " * a, "b " * b).sequence_ids
            expected.append((sides.count(0), sides.count(1)))
        kept = longest_first(*np.array(sizes).T, room)
        assert list(zip(*(each.tolist() for each in kept), strict=True)) == expected
