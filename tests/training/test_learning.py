"""Training by the public door: losses are what formulas say, the best step is kept, the folder is whole."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestCentroid

import nearsense as ns
from nearsense.training.examples import Examples, Kind
from training import made


def vectors(folder, texts, role=None):
    return ns.load(str(folder), precision="f32").encode(list(texts), role=role).data.astype(np.float64)


def cosines(folder, left, right):
    return (vectors(folder, left) * vectors(folder, right)).sum(axis=1)


def trained(examples, parent, target, **options):
    """A run of few steps; what is held out is the same as what is learnt from, but for its words."""
    return ns.train(
        examples, encoder=str(parent), output=target, **{"test": False, "precision": "f32", "lr": 1e-3} | options
    )


def labelled(examples, threshold=0.75):
    truth = [grade >= threshold for grade in examples.truth]
    return Examples(kind=Kind.LABELLED, texts=examples.texts, truth=truth)


def triplets(count, seed):
    rng = np.random.default_rng(seed)
    rows = [(made.text(rng, 0, 3), made.text(rng, 0, 3), made.text(rng, 1 + row % 2, 3)) for row in range(count)]
    return Examples(kind=Kind.TRIPLETS, texts=tuple(map(list, zip(*rows, strict=True))))


def positives(count, seed):
    return Examples(kind=Kind.POSITIVES, texts=tuple(map(list, zip(*made.pairs(count, 10 + seed), strict=True))))


def squared_error(folder, held):
    return np.mean((cosines(folder, *held.texts) - np.array(held.truth)) ** 2)


def cosent(folder, held):
    score, truth = 20 * cosines(folder, *held.texts), np.array(held.truth, float)
    return np.log1p(np.exp(score[:, None] - score[None, :])[truth[:, None] < truth[None, :]].sum())


def online_contrastive(folder, held):
    distance, same = 1 - cosines(folder, *held.texts), np.array(held.truth)
    near, far = distance[same], distance[~same]
    hard_near, hard_far = near[near > far.min()], far[far < near.max()]
    return (hard_near**2).sum() + (np.maximum(0.5 - hard_far, 0) ** 2).sum()


def triplet_margin(folder, held):
    anchor, positive, negative = held.texts
    return np.maximum(cosines(folder, anchor, negative) - cosines(folder, anchor, positive) + 0.3, 0).mean()


def cross_entropy(scores):
    return np.mean(np.log(np.exp(scores).sum(axis=1)) - np.diag(scores))


def in_batch(folder, held):
    return cross_entropy(20 * vectors(folder, held.texts[0]) @ vectors(folder, held.texts[1]).T)


def with_hard(folder, held):
    anchor, positive, negative = (vectors(folder, texts) for texts in held.texts)
    return cross_entropy(20 * anchor @ np.concatenate([positive, negative]).T)


def all_against_all(folder, held):
    units, labels = vectors(folder, held.texts[0]), np.array(held.truth)
    scores = 20 * units @ units.T
    np.fill_diagonal(scores, -np.inf)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    same = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    return -np.mean([logs[row][same[row]].mean() for row in range(len(labels))])


def batch_hard(folder, held):
    units, labels = vectors(folder, held.texts[0]), np.array(held.truth)
    distance = np.sqrt(np.maximum(2 - 2 * units @ units.T, 0))
    same = labels[:, None] == labels
    far = np.where(same, distance, -np.inf).max(axis=1)
    near = np.where(same, np.inf, distance).min(axis=1)
    return np.mean(np.log1p(np.exp(far - near)))


def nearest_centre(folder, held, learnt):
    known = NearestCentroid().fit(vectors(folder, learnt.texts[0]), learnt.truth)
    centres = known.centroids_ / np.linalg.norm(known.centroids_, axis=1, keepdims=True)
    found = known.classes_[(vectors(folder, held.texts[0]) @ centres.T).argmax(axis=1)]
    return np.mean(found == np.array(held.truth))


def mean_reciprocal_rank(folder, held, learnt):
    corpus = list(dict.fromkeys([*held.texts[1], *learnt.texts[1]]))
    scores = vectors(folder, held.texts[0]) @ vectors(folder, corpus).T
    places = [
        stats.rankdata(-row, method="min")[corpus.index(text)]
        for row, text in zip(scores, held.texts[1], strict=True)
    ]
    return np.mean(1 / np.array(places))


def agreement(folder, held, _):
    return stats.spearmanr(cosines(folder, *held.texts), held.truth).statistic


def precision(folder, held, _):
    return average_precision_score(held.truth, cosines(folder, *held.texts))


def nearer(folder, held, _):
    return np.mean(cosines(folder, *held.texts[:2]) > cosines(folder, *held.texts[::2]))


def of_graded():
    return made.graded(60), made.graded(32, seed=7)


def of_labels():
    return tuple(map(labelled, of_graded()))


def of_triplets():
    return triplets(60, 0), triplets(32, 7)


def of_positives():
    return positives(60, 0), positives(32, 7)


def of_classes():
    return made.classes(60), made.classes(16, seed=5)


CASES = [
    ("cosine", of_graded, squared_error, agreement),
    ("contrastive", of_labels, online_contrastive, precision),
    ("triplet", of_triplets, triplet_margin, nearer),
    ("multiple-negatives", of_positives, in_batch, mean_reciprocal_rank),
    ("supervised-contrastive", of_classes, all_against_all, None),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ("cosent", of_graded, cosent, agreement),
        ("multiple-negatives", of_triplets, with_hard, nearer),
        ("batch-hard-triplet", of_classes, batch_hard, None),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "data", "formula", "figure"), CASES)
def test_what_is_made_small_is_what_the_formula_says_and_the_best_step_is_kept(
    tmp_path, parent, loss, data, formula, figure
):
    examples, held = data()
    report = trained(examples, parent, tmp_path / "new", loss=loss, dev=held, steps=6)
    first, new = report.curve[0], tmp_path / "new"
    assert (report.loss, first.step, report.notes, report.examples) == (loss, 0, (), len(examples))
    assert first.held_loss == pytest.approx(formula(parent, held), rel=1e-3)
    if figure is not None:
        assert first.figure == pytest.approx(figure(parent, held, examples), abs=1e-6)
        best = max(report.curve[1:], key=lambda point: point.figure)
        assert report.best_step == best.step, "the first of the best"
        assert figure(new, held, examples) == pytest.approx(best.figure, abs=0.02)
    kept = next(point for point in report.curve if point.step == report.best_step)
    assert formula(new, held) == pytest.approx(kept.held_loss, rel=1e-2)


def test_of_classes_the_figure_is_how_many_are_nearest_to_their_own_centre(tmp_path, parent):
    examples, held = made.classes(60), made.classes(32, seed=5)
    report = trained(examples, parent, tmp_path / "new", dev=held, steps=20, lr=1e-12)
    assert report.curve[0].figure == pytest.approx(nearest_centre(parent, held, examples), abs=1e-6)
    assert "no better figure" in report.stopped
    assert (report.steps, report.best_step) == (9, 1)


@pytest.mark.parametrize(("steps", "ends", "best"), [(6, 6, 1), (30, 18, 2), (59, 27, 3)])
def test_a_run_of_any_length_waits_for_two_fifths_of_it(tmp_path, parent, steps, ends, best):
    """Nothing gets better: short runs are looked at after each step, others twenty times at most."""
    options = {"dev": made.classes(32, seed=5), "steps": steps, "lr": 1e-12}
    report = trained(made.classes(60), parent, tmp_path / "new", **options)
    assert (report.steps, report.best_step) == (ends, best)
    assert len(report.curve) <= 21


def entailment(count, seed):
    examples = made.graded(count, seed)
    names = {0.0: "contradiction", 0.5: "neutral", 1.0: "entailment"}
    return Examples(kind=Kind.ENTAILMENT, texts=examples.texts, truth=[names[grade] for grade in examples.truth],
                    labels=("contradiction", "neutral", "entailment"))  # fmt: skip


def test_labels_of_inference_are_told_from_both_vectors_and_their_difference(tmp_path, parent):
    report = trained(entailment(240, 0), parent, tmp_path / "new", dev=entailment(18, 7), epochs=8, lr=1e-2)
    assert report.loss == "softmax"
    assert report.curve[0].held_loss == pytest.approx(np.log(3), abs=0.2), "a new head knows nothing"
    assert min(point.held_loss for point in report.curve) < 0.8 * np.log(3)


def test_without_anything_held_out_the_last_step_is_kept_and_follows_from_the_seed(tmp_path, parent):
    texts = ["w1 w2 w3", "w30 w31"]
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        report = trained(made.graded(60), parent, tmp_path / name, seed=seed, dev=False, steps=5)
        assert (report.steps, report.best_step, report.held_out, report.examples) == (5, 5, 0, 60)
    first, again, other = (vectors(tmp_path / name, texts) for name in "abc")
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def weights_of(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def test_both_engines_read_the_new_folder_alike_and_nobody_was_called(tmp_path, parent, monkeypatch, capfd):
    from sentence_transformers import SentenceTransformer

    def refuse(*_):
        raise AssertionError("a call")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.delenv("HF_HUB_OFFLINE")
        before = dict(os.environ)
        report = trained(made.graded(60), parent, tmp_path / "new", steps=6)
        assert dict(os.environ) == before
    assert capfd.readouterr() == ("", ""), "nothing but what nearsense says"
    texts = ["w1 w2 w3", "w30 w31", "W5, w6!", " ".join(["w7"] * 90)]
    truth = SentenceTransformer(str(tmp_path / "new"), device="cpu").encode(texts)
    own = ns.load(str(tmp_path / "new"), precision="f32", long="head")
    assert (own.encode(texts).data * truth).sum(axis=1).min() > 0.99999
    rough = ns.load(str(tmp_path / "new"), precision="bf16", long="head").encode(texts).data
    assert (rough * truth).sum(axis=1).min() > 0.9995
    assert own.fingerprint == report.fingerprint != report.parent_fingerprint == ns.load(str(parent)).fingerprint
    assert np.abs(truth - vectors(parent, [*texts[:3], " ".join(["w7"] * 46)])).max() > 0.01, "it has learnt"


def changed(folder, **files):
    for name, changes in files.items():
        file = folder / f"{name}.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | changes))
    return folder


def test_limit_pooling_and_prompts_are_learnt_with_and_carried(tmp_path):
    from sentence_transformers import SentenceTransformer

    folder = changed(
        made.model(tmp_path / "e5"),
        sentence_bert_config={"max_seq_length": 9},
        config_sentence_transformers={"prompts": {"query": "w1 ", "passage": "w2 ", "document": "w2 "}},
    )
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_cls_token": True})
    )
    held = made.graded(32, seed=7)
    report = trained(made.graded(60), folder, tmp_path / "new", dev=held, steps=4)
    sides = [vectors(folder, texts, role="query") for texts in held.texts]
    expected = np.mean(((sides[0] * sides[1]).sum(axis=1) - np.array(held.truth)) ** 2)
    assert report.curve[0].held_loss == pytest.approx(expected, rel=1e-4), "both sides are read as queries"
    new = ns.load(str(tmp_path / "new"), precision="f32", long="head")
    assert (new.max_tokens, new.needs_role) == (9, True)
    assert new.prompts == {"query": "w1 ", "passage": "w2 "}
    truth = SentenceTransformer(str(tmp_path / "new"), device="cpu")
    for role in ("query", "passage"):
        texts = ["w5 w6", " ".join(["w7"] * 30)]
        there = truth.encode(texts, prompt=new.prompts[role], normalize_embeddings=True)
        assert (new.encode(texts, role=role).data * there).sum(axis=1).min() > 0.99999


@pytest.mark.slow
def test_who_asks_and_what_is_found_are_read_by_their_own_prompts(tmp_path):
    folder = changed(
        made.model(tmp_path / "e5"), config_sentence_transformers={"prompts": {"query": "w1 ", "passage": "w2 "}}
    )
    asked = Examples(kind=Kind.POSITIVES, texts=positives(60, 0).texts, searching=True)
    held = Examples(kind=Kind.POSITIVES, texts=positives(20, 7).texts, searching=True)
    report = trained(asked, folder, tmp_path / "new", dev=held, steps=2)
    scores = 20 * vectors(folder, held.texts[0], "query") @ vectors(folder, held.texts[1], "passage").T
    assert report.curve[0].held_loss == pytest.approx(cross_entropy(scores), rel=1e-4)


@pytest.mark.slow
def test_weights_in_half_precision_are_learnt_and_kept_in_single(tmp_path):
    from safetensors.numpy import save_file

    folder = made.model(tmp_path / "half")
    halves = {name: weight.astype(np.float16) for name, weight in weights_of(folder).items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    changed(folder, config={"dtype": "float16"})
    trained(made.graded(60), folder, tmp_path / "new", steps=4)
    after = weights_of(tmp_path / "new")
    assert {weight.dtype for weight in after.values()} == {np.dtype(np.float32)}
    assert any((weight != halves[name]).any() for name, weight in after.items() if name in halves)


def test_lora_changes_every_linear_layer_by_a_matrix_of_its_rank_and_nothing_else(tmp_path, parent):
    report = trained(made.graded(60), parent, tmp_path / "new", lora=2, steps=6)
    assert report.method == "LoRA"
    before, after = weights_of(Path(parent)), weights_of(tmp_path / "new")
    for name, weight in before.items():
        change = after[name].astype(np.float64) - weight
        linear = weight.ndim == 2 and "embeddings" not in name
        if not linear:
            assert not change.any(), name
        else:
            singular = np.linalg.svd(change, compute_uv=False)
            assert singular[0] > 1e-4, name
            assert singular[2] < 1e-3 * singular[0], name


def test_a_cross_encoder_learns_the_log_loss_and_both_engines_score_alike(tmp_path, parent):
    from sentence_transformers import CrossEncoder

    first = ns.train(made.graded(60), encoder=str(parent), output=tmp_path / "a", cross=True, test=False, steps=3)
    held = made.graded(32, seed=7)
    report = trained(made.graded(120), tmp_path / "a", tmp_path / "b", cross=True, dev=held, steps=12)
    assert first.loss == report.loss == "binary-cross-entropy"
    own = ns.load_cross(str(tmp_path / "a"), precision="f32")
    chance = own.score(list(zip(*held.texts, strict=True))).astype(np.float64)
    truth = np.array(held.truth)
    expected = -np.mean(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))
    assert report.curve[0].held_loss == pytest.approx(expected, rel=1e-3)
    scores = ns.load_cross(str(tmp_path / "b"), precision="f32").score(list(zip(*held.texts, strict=True)))
    there = CrossEncoder(str(tmp_path / "b"), device="cpu").predict(list(zip(*held.texts, strict=True)))
    np.testing.assert_allclose(scores, there, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "examples", [triplets(40, 0), positives(40, 0), made.classes(40), labelled(made.graded(40)), entailment(40, 0)]
)
def test_any_kind_of_examples_teaches_a_cross_encoder(tmp_path, parent, examples):
    trained(examples, parent, tmp_path / "new", cross=True, steps=2, dev=False)
    scores = ns.load_cross(str(tmp_path / "new")).score([("w1 w2", "w1 w3")])
    assert 0 <= scores[0] <= 1


@pytest.mark.slow
def test_what_is_held_out_can_be_your_own_and_is_kept_apart(tmp_path, parent):
    examples, held = made.classes(60), made.classes(32, seed=5)
    leaky = Examples(
        kind=Kind.CLASSES,
        texts=([*held.texts[0], *examples.texts[0][:10]],),
        truth=[*held.truth, *examples.truth[:10]],
    )
    report = trained(examples, parent, tmp_path / "new", dev=leaky, steps=2)
    assert report.examples <= 50
    assert "were left out" in report.notes[0]
