"""Maps that are learnt: gradients by differences, what was planted is found, nothing is made of noise."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from nearsense.adapters import FOLDS, learn
from nearsense.adapters.fitting import SHARPNESS, TEMPERATURE, contrast, fit, in_order, low_rank
from nearsense.adapters.lessons import subject_of
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.kinds import MapKind
from nearsense.records import Vectors
from nearsense.training.examples import Examples, Kind
from turns import in_turn

D = 24


class Noisy(ns.Encoder):
    """A text "3 17" is class 3, number 17: a weak signal in 4 dimensions beside loud noise in 20."""

    name, dimension, max_tokens, fingerprint = "noisy", D, 100, "ab" * 32

    def __init__(self, signal: float = 1.0) -> None:
        self.signal, self.encoded = signal, 0

    def encode(self, texts, **_):
        texts = [texts] if isinstance(texts, str) else list(texts)
        self.encoded += len(texts)
        return Vectors(np.array([self._vector(text) for text in texts], np.float32), self.fingerprint,
                       np.zeros(len(texts), bool), self.name)  # fmt: skip

    def _vector(self, text):
        label, number = map(int, text.split())
        chance = np.random.default_rng([label, number])
        own = np.random.default_rng(label + 1000).normal(size=4) * self.signal
        vector = np.concatenate([own + chance.normal(0, 0.4, 4), chance.normal(0, 1.0, D - 4)])
        return vector / np.linalg.norm(vector)


def of_classes(first: int, count: int, classes: int = 6) -> Examples:
    texts = [f"{label} {number}" for label in range(classes) for number in range(first, first + count)]
    return Examples(kind=Kind.CLASSES, texts=(texts,), truth=[text.split()[0] for text in texts])


def pairs_of(kind: Kind, count: int = 300) -> Examples:
    chance = np.random.default_rng(5)
    rows = []
    for number in range(count):
        same, other = chance.permutation(6)[:2]
        a, b, c = (f"{same} {3 * number}", f"{same} {3 * number + 1}", f"{other} {3 * number + 2}")
        alike = number % 2 == 0
        match kind:
            case Kind.TRIPLETS:
                rows.append((a, b, c))
            case Kind.POSITIVES:
                rows.append((a, b))
            case Kind.LABELLED:
                rows.append((a, b if alike else c, alike))
            case Kind.GRADED:
                rows.append((a, b if alike else c, 0.9 if alike else 0.1))
            case Kind.ENTAILMENT:
                rows.append(
                    (
                        a,
                        b if alike else c,
                        "entailment" if alike else "contradiction",
                    )
                )
    width = 3 if kind is Kind.TRIPLETS else 2
    columns = list(zip(*rows, strict=True))
    truth = () if kind in (Kind.TRIPLETS, Kind.POSITIVES) else columns[2]
    return Examples(kind=kind, texts=tuple(columns[:width]), truth=truth)


def numeric(loss, vectors: np.ndarray) -> np.ndarray:
    """The gradient by central differences, in float64."""
    found, h = np.empty(vectors.shape), 1e-6
    for place in np.ndindex(vectors.shape):
        up, down = vectors.astype(np.float64), vectors.astype(np.float64)
        up[place] += h
        down[place] -= h
        found[place] = (loss(up) - loss(down)) / (2 * h)
    return found


def test_the_gradients_are_those_of_the_published_losses():
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(8, 5)).astype(np.float32) / 3
    groups = np.array([0, 0, 1, 1, 1, 2, 3, 3])

    def supervised_contrast(x):
        total, count = 0.0, 0
        for i in range(len(x)):
            others = [j for j in range(len(x)) if j != i]
            same = [j for j in others if groups[j] == groups[i]]
            if same:
                count += 1
                bottom = sum(np.exp(x[i] @ x[j] / TEMPERATURE) for j in others)
                total -= sum(np.log(np.exp(x[i] @ x[j] / TEMPERATURE) / bottom) for j in same) / len(same)
        return total / count

    np.testing.assert_allclose(contrast(vectors, groups), numeric(supervised_contrast, vectors), atol=2e-4)
    truth = np.array([0.1, 0.9, 0.9, 0.5], np.float32)

    def ranknet(x):
        scores = (x[:4] * x[4:]).sum(axis=1)
        wrong = [scores[j] - scores[i] for i in range(4) for j in range(4) if truth[i] > truth[j]]
        return np.mean([np.log1p(np.exp(SHARPNESS * each)) for each in wrong])

    np.testing.assert_allclose(in_order(vectors, truth), numeric(ranknet, vectors), atol=2e-3)


@pytest.mark.parametrize("kind", MapKind)
def test_a_planted_signal_is_found_and_what_cross_validation_says_holds_on_new_texts(kind):
    model = Noisy()
    found = learn(of_classes(0, 50), model, kind=kind, rank=20)
    assert found.better
    assert found.difference.low > 0 or kind is MapKind.LOW_RANK
    assert isinstance(found.encoder, AdaptedEncoder)

    def accuracy(encoder):
        known, fresh = of_classes(0, 50), of_classes(100, 60)
        train, test = (encoder.encode(each.texts[0]).data for each in (known, fresh))
        centroids = np.array([train[np.array(known.truth) == str(label)].mean(axis=0) for label in range(6)])
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
        return np.mean((test @ centroids.T).argmax(axis=1).astype(str) == np.array(fresh.truth))

    gained = accuracy(found.encoder) - accuracy(model)
    assert gained > 0.05
    assert found.difference.value == pytest.approx(gained, abs=0.1)
    assert found.by_strength[0.0] == found.before


@in_turn("kind", [Kind.TRIPLETS, Kind.POSITIVES, Kind.LABELLED, Kind.GRADED, Kind.ENTAILMENT])
def test_a_planted_signal_is_found_in_examples_of_every_kind(kind):
    found = learn(pairs_of(kind, 120 if kind in (Kind.TRIPLETS, Kind.POSITIVES) else 300), Noisy())
    assert found.better
    fresh = [(f"{n % 6} {900 + n}", f"{n % 6} {1900 + n}", f"{(n + 1) % 6} {2900 + n}") for n in range(200)]

    def right(encoder):
        a, b, c = (encoder.encode(column).data for column in zip(*fresh, strict=True))
        return np.mean((a * b).sum(axis=1) > (a * c).sum(axis=1))

    assert right(found.encoder) > right(Noisy()) + 0.02


@pytest.mark.parametrize("seed", range(3))
def test_where_labels_mean_nothing_the_identity_is_best_and_that_is_said(seed, tmp_path):
    texts = [f"{n % 6} {n}" for n in range(200)]
    labels = np.random.default_rng(seed).permutation(np.arange(200) % 5).astype(str).tolist()
    model = Noisy()
    found = learn(Examples(kind=Kind.CLASSES, texts=(texts,), truth=labels), model, seed=seed)
    if found.better:  # one time in seven by chance, and then it is said to be one
        assert "chance" in found.verdict
    else:
        assert "identity is best" in str(found)
        assert found.encoder is model
        assert found.difference.value == 0
        with pytest.raises(ns.errors.InputError, match="no map to keep"):
            found.save(tmp_path / "x")


def test_labels_that_mean_nothing_rarely_give_a_map():
    texts = [f"{n % 6} {n}" for n in range(100)]
    given = 0
    for seed in range(8):
        labels = np.random.default_rng(seed).permutation(np.arange(100) % 5).astype(str).tolist()
        found = learn(Examples(kind=Kind.CLASSES, texts=(texts,), truth=labels), Noisy(), kind="diagonal")
        given += found.better and found.difference.low > 0
    assert given <= 1


def test_no_fold_parts_examples_that_share_a_text_or_one_worded_alike():
    chance = np.random.default_rng(1)
    names = [f"{word} text" for word in "abcdefghijklmnopqrstuvwxyz"]
    a = [names[n] for n in chance.integers(0, 26, 40)]
    b = [f"Another, {n}." if n % 4 else names[chance.integers(0, 26)].upper() for n in range(40)]
    subject = subject_of(Examples(kind=Kind.LABELLED, texts=(a, b), truth=[n % 2 == 0 for n in range(40)]))
    for learnt, held in subject.folds(FOLDS, 0):
        sides = [{text.lower() for row in rows for text in (a[row], b[row])} for rows in (learnt, held)]
        assert sides[0]
        assert sides[1]
        assert not sides[0] & sides[1]


def test_every_example_is_held_out_once_where_texts_allow_it():
    subject = subject_of(pairs_of(Kind.GRADED))
    folds = subject.folds(FOLDS, 0)
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(len(subject)))
    assert max(len(held) for _, held in folds) <= 2 + min(len(held) for _, held in folds)
    assert all(sorted([*learnt, *held]) == list(range(len(subject))) for learnt, held in folds)


def test_classes_are_in_each_fold_alike():
    subject = subject_of(of_classes(0, 10))
    for _, held in subject.folds(FOLDS, 3):
        assert np.bincount(subject.truth[held].astype(int)).tolist() == [2] * 6


def test_a_low_rank_map_is_the_nearest_one():
    added = np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)
    sizes = np.linalg.svd(added, compute_uv=False)
    nearest = low_rank(added, 3)
    assert np.linalg.matrix_rank(nearest) == 3
    assert np.linalg.norm(added - nearest) == pytest.approx(np.sqrt((sizes[3:] ** 2).sum()), rel=1e-5)


def test_the_same_seed_gives_the_same_map_and_texts_are_encoded_once():
    model = Noisy()
    one, other = (learn(of_classes(0, 8), model, seed=4) for _ in range(2))
    assert one.to_dict() == other.to_dict()
    assert one.encoder.fingerprint == other.encoder.fingerprint
    assert model.encoded == 2 * 48


def test_learning_begins_at_the_identity_and_progress_counts_to_its_end():
    told = []
    found = learn(of_classes(0, 8), Noisy(signal=30.0), progress=lambda done, total: told.append((done, total)))
    assert found.before == found.by_strength[0.0] == 1.0
    assert not found.better, "nothing is better than always right"
    assert told[-1][0] == told[-1][1]
    nothing = fit(np.eye(4, dtype=np.float32), _Still(), MapKind.LINEAR, rank=1, seed=0, update=lambda: None)
    assert not nothing.any()


class _Still:
    """Nothing pulls."""

    def batches(self, chance):
        from nearsense.adapters.fitting import Batch

        yield Batch(np.arange(4), np.zeros_like)


REFUSED = {
    "few": (of_classes(0, 2), "12 examples"),
    "one class": (of_classes(0, 30, classes=1), "say the same"),
    "one text": (
        Examples(kind=Kind.POSITIVES, texts=(["0 0"] * 30, [f"0 {n}" for n in range(30)])),
        "nothing can be measured",
    ),
    "two classes of a text": (
        Examples(kind=Kind.CLASSES, texts=(["0 1", *(f"0 {n}" for n in range(1, 30))],), truth=["x", *"y" * 29]),
        "two classes",
    ),
    "labels of no order": (
        Examples(kind=Kind.ENTAILMENT, texts=(["0 1"] * 30, ["0 2"] * 30), truth=["yes", "no", "perhaps"] * 10),
        "cannot learn its labels",
    ),
}


@in_turn("case", REFUSED)
def test_what_nothing_can_be_learnt_of_is_refused_in_words(case):
    examples, said = REFUSED[case]
    with pytest.raises(ns.errors.InputError, match=said) as error:
        learn(examples, Noisy())
    assert error.value.fix


def test_an_adapter_is_saved_whole_never_over_another_and_loads(tmp_path):
    from samples import tiny_bert

    model = ns.load(str(tiny_bert(tmp_path / "tiny")), precision="f32")
    texts = [f"w{label} {letter} {other}" for label in range(5) for letter in "abcdef" for other in "xyz"]
    found = learn(Examples(kind=Kind.CLASSES, texts=(texts,), truth=[t.split()[1] for t in texts]), model)
    assert found.better
    folder = found.save(tmp_path / "mine")
    assert sorted(each.name for each in folder.iterdir()) == ["adapter.json", "adapter.safetensors"]
    assert ns.load(str(folder), precision="f32").fingerprint == found.encoder.fingerprint
    with pytest.raises(ns.errors.FileError, match="there already"):
        found.save(folder)
    with pytest.raises(ns.errors.FileError, match="cannot be written"):
        found.save(tmp_path / "nowhere" / "mine")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine", "tiny"]
