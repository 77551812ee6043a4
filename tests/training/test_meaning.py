"""What a trained model's scores mean: pairs as verbs meet them, and the calibration that its folder carries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from judged import Made, chance_of, classes, scoring
from nearsense.calibration import load_calibration
from nearsense.calibrator import carried_calibration
from nearsense.errors import CalibrationWarning, InputError
from nearsense.metrics import expected_calibration_error
from nearsense.records import Origin, Ranking
from nearsense.training.examples import Examples, Kind
from nearsense.training.judging import carried, carry_calibration, judge
from nearsense.training.meaning import candidates_of, fitted, pairs_of, stated
from samples import tiny_bert
from turns import in_turn


def intents(count, per, start=0, noise=1.1):
    """Texts of classes, for `model_of`: the class and a number, which is all that a text is."""
    texts = [f"class{name} text{row}" for name in range(count) for row in range(start, start + per)]
    return Examples(kind=Kind.CLASSES, texts=(texts,), truth=[text.split()[0] for text in texts])


def model_of(noise=1.1):
    def vector(text):
        return chance_of(text.split()[0]).normal(size=24) + noise * chance_of(text).normal(size=24)

    return Made(f"intents {noise}", vector)


def test_each_held_out_text_makes_pairs_with_its_ten_nearest_of_the_file():
    model, held, known = model_of(), intents(6, 3), intents(6, 9, start=50)
    found = pairs_of(model, held, known=known)
    corpus = known.texts[0]
    scores = model.encode(held.texts[0]).data.astype(float) @ model.encode(corpus).data.astype(float).T
    expected = {
        (text, corpus[other]) for row, text in enumerate(held.texts[0]) for other in np.argsort(-scores[row])[:10]
    }
    assert set(zip(found.lefts, found.rights, strict=True)) == expected
    assert len(found) == 180
    for left, right, label, score in zip(found.lefts, found.rights, found.labels, found.scores, strict=True):
        assert label == (left.split()[0] == right.split()[0])
        assert score == pytest.approx(scores[held.texts[0].index(left), corpus.index(right)], abs=1e-6)
    assert "18 texts, each with its 10 nearest among 54" in found.said


def test_texts_of_classes_that_were_not_learnt_from_are_looked_up_among_themselves_or_left_out():
    known, new = intents(4, 6), intents(9, 3, start=80)
    mixed = pairs_of(model_of(), new, known=known)
    assert {text.split()[0] for text in mixed.lefts} == {"class0", "class1", "class2", "class3"}
    strange = new.take(range(12, 27))
    found = pairs_of(model_of(), strange, known=known)
    assert set(found.rights) == set(strange.texts[0])
    assert all(left != right for left, right in zip(found.lefts, found.rights, strict=True))
    assert found.labels.any()


def test_positives_are_looked_up_among_the_second_texts_and_all_right_ones_count():
    held = Examples(kind=Kind.POSITIVES, texts=(["q one", "q one", "q two"], ["a one", "b one", "c two"]))
    known = Examples(kind=Kind.POSITIVES, texts=([f"q {n}" for n in range(20)], [f"text {n}" for n in range(20)]))
    found = pairs_of(HashEncoder(), held, known=known)
    right = {(a, b) for a, b, label in zip(found.lefts, found.rights, found.labels, strict=True) if label}
    assert right <= {("q one", "a one"), ("q one", "b one"), ("q two", "c two")}
    assert set(found.lefts) == {"q one", "q two"}
    assert len(found) == 20


@in_turn(
    ("examples", "labels"),
    [
        (Examples(kind=Kind.GRADED, texts=(list("abc"), list("xyz")), truth=[0.79, 0.8, 1.0],
                  scale=(0, 5)), [0, 1, 1]),
        (Examples(kind=Kind.LABELLED, texts=(list("abc"), list("xyz")), truth=[True, False, True]), [1, 0, 1]),
        (Examples(kind=Kind.ENTAILMENT, texts=(list("abc"), list("xyz")),
                  truth=["neutral", "entailment", "contradiction"]), [0, 1, 0]),
        (Examples(kind=Kind.TRIPLETS, texts=(list("ab"), list("xy"), list("uv"))), [1, 1, 0, 0]),
    ],
)  # fmt: skip
def test_pairs_stay_as_they_are(examples, labels):
    found = pairs_of(HashEncoder(), examples)
    assert found.labels.tolist() == [bool(each) for each in labels]
    assert len(found.lefts) == len(found.rights) == len(labels)
    assert ("rated 4 and more" in found.said) == (examples.kind is Kind.GRADED)


def test_labels_of_entailment_that_say_nothing_of_the_same_are_refused():
    odd = Examples(kind=Kind.ENTAILMENT, texts=(list("abc"), list("xyz")), truth=["red", "green", "blue"])
    with pytest.raises(InputError, match="its labels are"):
        pairs_of(HashEncoder(), odd)


def test_a_search_is_read_with_its_roles():
    roles = {}

    class Noting(HashEncoder):
        def encode(self, texts, **options):
            roles.setdefault(options.get("role"), []).extend(texts)
            return super().encode(texts, **options)

    held = Examples(
        kind=Kind.POSITIVES, texts=(["what one", "what two"], ["that one", "that two"]), searching=True
    )
    pairs_of(Noting(), held)
    assert roles == {"query": ["what one", "what two"], "passage": ["that one", "that two"]}


@pytest.mark.parametrize("noise", [0.9, 1.3])
def test_the_carried_calibration_holds_on_texts_never_seen(noise):
    """Known and dev texts make it; the judged texts are new ones, looked up in the file as a verb would."""
    model, known = model_of(noise), intents(25, 10)
    calibration = fitted(model, Kind.CLASSES, pairs_of(model, intents(25, 3, start=100), known=known))
    unseen = pairs_of(model, intents(25, 10, start=300), known=known)
    said = calibration.probability(unseen.scores)
    assert expected_calibration_error(unseen.labels.astype(int), said) <= 0.05
    assert abs(said.mean() - unseen.labels.mean()) <= 0.05
    assert calibration.prior == pytest.approx(calibration.share)
    assert calibration.task == "class"


def test_the_probability_of_the_verb_is_as_true_as_that_of_the_curve(tmp_path):
    from nearsense.calibrator import Calibrator
    from nearsense.kinds import Task

    model, known = model_of(1.1), intents(25, 10)
    model.calibration_file = str(tmp_path / "calibration.json")
    carry_calibration(tmp_path, model, intents(25, 4, start=100), known=known)
    unseen = intents(25, 8, start=300)
    pairs = pairs_of(model, unseen, known=known)
    judged = Calibrator(Task.PARAPHRASE).judged(
        Origin(model.name, model.fingerprint), list(zip(pairs.lefts, pairs.rights, strict=True)), pairs.scores,
        encoder=model,
    )  # fmt: skip
    assert judged.origin.calibration == "class"
    assert expected_calibration_error(pairs.labels.astype(int), judged.probability) <= 0.05
    found, _ = stated(model, pairs)
    assert found.ece == pytest.approx(expected_calibration_error(pairs.labels.astype(int), judged.probability))


def test_it_is_written_into_the_folder_and_read_from_there(tmp_path):
    folder = tiny_bert(tmp_path / "mine")
    examples = classes(5, 12)
    texts = [f"w{row % 60} w{(7 * row) % 60} {text[5]}" for row, text in enumerate(examples.texts[0])]
    examples = Examples(kind=Kind.CLASSES, texts=(texts,), truth=examples.truth)
    model = ns.load(str(folder))
    found = carry_calibration(folder, model, examples, chose=True)
    assert found.fingerprint == model.fingerprint
    assert "chose the step that was kept" in found.made_from
    assert load_calibration(folder / "calibration.json").to_dict() == found.to_dict()
    assert carried_calibration(ns.load(str(folder))).task == "class"
    assert carried_calibration(model).task == "class", "also for who loaded it before"
    assert ns.compare("w1 w2", "w3 w4", encoder=str(folder)).origin.calibration == "class"
    said = carried(found)
    assert (said.labels, said.ece) == (found.figures.labels, found.figures.ece)


@pytest.mark.parametrize(
    ("examples", "why"),
    [
        (Examples(kind=Kind.LABELLED, texts=(list("abc"), list("xyz")), truth=[1, 0, 1]), "3 labels are too few"),
        (
            Examples(kind=Kind.LABELLED, texts=(list("abcde") * 5, list("vwxyz") * 5), truth=[1] * 25),
            "all 25 labels",
        ),
    ],
    ids=["few", "of one label"],
)
def test_where_labels_are_too_few_nothing_is_carried_and_what_lay_there_goes(tmp_path, examples, why):
    (tmp_path / "calibration.json").write_text("of a run before")
    with pytest.warns(CalibrationWarning, match=why):
        assert carry_calibration(tmp_path, HashEncoder(), examples) is None
    assert not (tmp_path / "calibration.json").exists()
    assert carried(None) is None


def test_few_labels_start_from_other_sets(encoder):
    from nearsense.calibration import learn_calibration
    from nearsense.calibration.probe import probe_pairs

    some = [each for each in probe_pairs() if each.form == "sentences"][::10][:26]
    examples = Examples(
        kind=Kind.LABELLED, texts=([each.left for each in some], [each.right for each in some]),
        truth=[each.relation == "same" for each in some],
    )  # fmt: skip
    pairs = pairs_of(encoder, examples)
    started = fitted(encoder, Kind.LABELLED, pairs)
    alone = learn_calibration(pairs.scores, pairs.labels, Origin(encoder.name, encoder.fingerprint))
    grid = np.linspace(0.2, 0.9, 20)
    widths = [np.subtract(*each.interval(grid)[::-1]).mean() for each in (started, alone)]
    assert widths[0] < 0.9 * widths[1]


def test_a_judgement_holds_the_probabilities_of_both(tmp_path):
    before, after = model_of(1.6), model_of(0.9)
    known, held = intents(20, 8), intents(20, 12, start=100)
    after.calibration_file = str(tmp_path / "calibration.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        carry_calibration(tmp_path, after, intents(20, 4, start=200), known=known)
    found = judge(before, after, held, known=known, general=False)
    assert found.stated_before is None, "nobody knows what its scores mean"
    assert any("No probabilities of intents 1.6" in note for note in found.notes)
    assert found.stated_after.ece <= 0.05
    assert found.stated_after.task == "class"
    assert found.stated_after.pairs == 2400
    assert "240 texts, each with its 10 nearest among 160" in found.pairs


def test_a_cross_encoder_s_scores_mean_something_too(tmp_path):
    queries = [f"word{row} thing{row % 5}" for row in range(40)]
    texts = [f"word{row} thing{(row + row % 2) % 5} that" for row in range(40)]
    held = Examples(kind=Kind.POSITIVES, texts=(queries, texts), searching=True)
    found = carry_calibration(tmp_path, WordCross(), held)
    assert found.metric is Ranking.CROSS
    assert found.probability(0.66) > found.probability(0.0)
    asked, candidates, right = candidates_of(held, None, 0)
    assert len(asked) == 40
    assert {len(each) for each in candidates} == {10}
    assert all(sum(each) == 1 for each in right)


def test_of_many_texts_some_are_looked_up():
    model = scoring("flat", {})
    texts = [f"text {row}" for row in range(700)]
    held = Examples(kind=Kind.CLASSES, texts=(texts,), truth=[f"c{row % 7}" for row in range(700)])
    assert len(set(pairs_of(model, held).lefts)) == 500
