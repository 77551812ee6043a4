"""Whether a model became better: figures against scipy, scikit-learn and brute force; intervals that hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from fakes import HashEncoder, WordCross
from judged import Made, chance_of, classes, scoring
from nearsense.calibration.probe import probe_pairs
from nearsense.errors import InputError
from nearsense.training.examples import Examples, Kind
from nearsense.training.general import _aucs, check_generally, compared, pairs_for
from nearsense.training.judging import judge
from nearsense.training_results import Verdict
from nearsense.vectors.similarity import paired_cosine


def pairs(n: int, prefix: str = "t") -> tuple[list[str], list[str]]:
    return [f"asked {prefix}{row}" for row in range(n)], [f"{prefix} {row}" for row in range(n)]


def graded(truth, groups=None) -> Examples:
    left, right = pairs(len(truth))
    if groups is not None:
        left = [f"asked {group}" for group in groups]
    low, high = min(truth), max(truth)
    return Examples(kind=Kind.GRADED, texts=(left, right), truth=[(t - low) / (high - low) for t in truth])


def models(n: int, *scores) -> list[Made]:
    _, right = pairs(n)
    return [
        scoring(f"model {place}", dict(zip(right, each, strict=True)))
        for place, each in enumerate(np.clip(scores, -1, 1).tolist())
    ]


def test_graded_pairs_are_judged_by_the_correlations_of_scipy():
    chance = np.random.default_rng(0)
    truth = chance.uniform(size=60)
    scores = np.clip([truth + chance.normal(0, spread, 60) for spread in (0.5, 0.1)], -0.9, 0.9)
    found = judge(*models(60, *scores), graded(truth.tolist()), general=False)
    assert [each.name for each in found.changes] == ["spearman", "pearson"]
    for change, figure in zip(found.changes, (stats.spearmanr, stats.pearsonr), strict=True):
        assert change.before.value == pytest.approx(figure(truth, scores[0]).statistic, abs=2e-6)
        assert change.after.value == pytest.approx(figure(truth, scores[1]).statistic, abs=2e-6)
        assert change.difference.value == pytest.approx(change.after.value - change.before.value)
        assert change.before.low < change.before.value < change.before.high
    assert found.verdict is Verdict.BETTER
    assert found.sentence.startswith("Better: Spearman on 60 pairs")


def test_labelled_pairs_are_judged_by_the_figures_of_scikit_learn():
    chance = np.random.default_rng(1)
    truth = chance.random(80) < 0.4
    scores = np.clip([0.3 * truth + chance.normal(0.2, 0.2, 80) for _ in range(2)], -0.9, 0.9)
    examples = Examples(kind=Kind.LABELLED, texts=pairs(80), truth=truth.tolist())
    found = {each.name: each for each in judge(*models(80, *scores), examples, general=False).changes}
    assert list(found) == ["average_precision", "roc_auc", "best_accuracy"]
    for place, side in enumerate(("before", "after")):
        assert getattr(found["average_precision"], side).value == pytest.approx(
            average_precision_score(truth, scores[place])
        )
        assert getattr(found["roc_auc"], side).value == pytest.approx(roc_auc_score(truth, scores[place]))


def test_triplets_are_judged_by_how_often_the_positive_is_nearer_with_the_exact_test():
    left, right = pairs(30)
    others = [f"other {row}" for row in range(30)]
    wrong = [row < 12 for row in range(30)], [row < 4 for row in range(30)]
    made = []
    for at, own in enumerate(wrong):
        near = dict(zip(right, [0.2 if each else 0.8 for each in own], strict=True))
        made.append(scoring(f"{at}", near | dict.fromkeys(others, 0.5)))
    examples = Examples(kind=Kind.TRIPLETS, texts=(left, right, others))
    main = judge(*made, examples, general=False).main
    assert (main.name, main.before.value, main.after.value) == (
        "accuracy",
        pytest.approx(0.6),
        pytest.approx(26 / 30),
    )
    assert main.p == pytest.approx(stats.binomtest(8, 8).pvalue, abs=2e-3), (
        "8 became right, none wrong: the sign test"
    )


def test_positives_are_judged_by_where_the_right_text_stands_among_all():
    model, other = HashEncoder(name="one"), HashEncoder(name="two")
    texts = [f"word{row} other{row % 7} thing{row % 3}" for row in range(40)]
    queries = [f"word{row} what{row % 5}" for row in range(40)]
    examples = Examples(kind=Kind.POSITIVES, texts=(queries, texts), searching=True)
    found = judge(model, other, examples, general=False)
    for each, side in ((model, "before"), (other, "after")):
        scores = each.encode(queries).data.astype(float) @ each.encode(texts).data.astype(float).T
        places = (scores > np.diagonal(scores)[:, None]).sum(axis=1) + 1
        expected = {"mrr@10": np.where(places <= 10, 1 / places, 0).mean(), "recall@10": (places <= 10).mean()}
        for change in found.changes[:2]:
            assert getattr(change, side).value == pytest.approx(expected[change.name]), change.name
    assert [change.name for change in found.changes] == ["mrr@10", "recall@10", "ndcg@10"]


def centres_by_hand(asked, labels, known, known_labels, *, alone):
    """How many are nearest to the centre of their class, one text and one class at a time."""
    right = 0
    for place, (vector, label) in enumerate(zip(asked, labels, strict=True)):
        scores = {}
        for name in sorted(set(known_labels)):
            rows = [row for row, own in enumerate(known_labels) if own == name and not (alone and row == place)]
            centre = known[rows].mean(axis=0)
            scores[name] = float(vector @ centre / np.linalg.norm(centre))
        right += max(scores, key=scores.get) == label
    return right / len(asked)


def test_classes_are_judged_by_the_nearest_centre_and_new_ones_apart():
    before, after = HashEncoder(6, "one"), HashEncoder(6, "two")
    known, new = classes(8, 9), classes(12, 5, start=50)
    seen = Examples(
        kind=Kind.CLASSES,
        texts=([f"{text} again" for text in known.texts[0][::3]],),
        truth=known.truth[::3],
    )
    held = Examples(kind=Kind.CLASSES, texts=([*seen.texts[0], *new.texts[0]],), truth=[*seen.truth, *new.truth])
    found = judge(before, after, held, known=known, general=False)
    assert [(each.name, each.items) for each in found.changes] == [("seen", 24), ("unseen", 60)]
    for model, side in ((before, "before"), (after, "after")):
        every = [*held.texts[0], *known.texts[0]]
        vectors = dict(zip(every, model.encode(every).data.astype(float), strict=True))
        rows = [np.array([vectors[text] for text in each.texts[0]]) for each in (seen, known, new)]
        expected = [
            centres_by_hand(rows[0], seen.truth, rows[1], known.truth, alone=False),
            centres_by_hand(rows[2], new.truth, rows[2], new.truth, alone=True),
        ]
        assert [getattr(each, side).value for each in found.changes] == pytest.approx(expected)
    alone = judge(before, after, new, general=False)
    assert [each.name for each in alone.changes] == ["accuracy"]
    assert alone.main.before.value == pytest.approx(found.changes[1].before.value)


def test_a_class_with_one_held_out_text_that_training_never_saw_is_left_out():
    lonely = classes(5, 1, start=90)
    twice = classes(4, 3)
    held = Examples(
        kind=Kind.CLASSES, texts=([*twice.texts[0], *lonely.texts[0]],), truth=[*twice.truth, *lonely.truth]
    )
    assert judge(HashEncoder(), HashEncoder(name="b"), held, general=False).main.items == 12
    with pytest.raises(InputError, match="nothing can be measured"):
        judge(HashEncoder(), HashEncoder(name="b"), lonely, general=False)


def test_a_model_that_did_not_change_is_not_proven_to_have():
    model = HashEncoder()
    found = judge(model, model, classes(4, 6))
    assert found.verdict is Verdict.NOT_PROVEN
    assert (found.main.difference.value, found.main.p) == (0.0, 1.0)
    assert "stayed at" in found.sentence
    assert found.worse == ()
    assert {each.p for each in found.slices} == {1.0}


ROUNDS = [12, pytest.param(400, marks=pytest.mark.slow)]


def spearman_of(correlation):
    return 6 / np.pi * np.arcsin(correlation / 2)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_interval_of_a_difference_holds_the_truth_nineteen_times_in_twenty(rounds):
    chance, held, n = np.random.default_rng(2), 0, 80
    before, after = 0.6, 0.75
    for _ in range(rounds):
        truth, shared = chance.normal(size=(2, n))
        noise = [0.7 * shared + np.sqrt(1 - 0.49) * chance.normal(size=n) for _ in range(2)]
        scores = [r * truth + np.sqrt(1 - r * r) * e for r, e in zip((before, after), noise, strict=True)]
        main = judge(*models(n, *(np.tanh(each) for each in scores)), graded(truth.tolist()), general=False,
                     resamples=400, errors=0).main  # fmt: skip
        held += main.difference.low <= spearman_of(after) - spearman_of(before) <= main.difference.high
    assert held / rounds >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / rounds)


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("kind", [Kind.TRIPLETS, Kind.LABELLED])
def test_models_that_are_equally_good_are_seldom_told_apart(kind, rounds):
    chance, wrong, n = np.random.default_rng(3), 0, 60
    left, right = pairs(n)
    for _ in range(rounds):
        truth = np.arange(n) < 25
        scores = np.tanh(0.5 * truth + chance.normal(0, 1, (2, n)))
        if kind is Kind.TRIPLETS:
            examples = Examples(kind=kind, texts=(left, right, ["other"] * n))
            made = [
                scoring(str(at), dict(zip(right, row, strict=True)) | {"other": 0.0})
                for at, row in enumerate(scores)
            ]
        else:
            examples = Examples(kind=kind, texts=(left, right), truth=truth.tolist())
            made = models(n, *scores)
        wrong += judge(*made, examples, general=False, resamples=400).verdict is not Verdict.NOT_PROVEN
    assert wrong / rounds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / rounds)


@pytest.mark.parametrize("rounds", [10, pytest.param(300, marks=pytest.mark.slow)])
def test_examples_that_share_a_text_are_no_more_than_they_tell(rounds):
    """Twenty groups of ten whose model errors are shared: as many as twenty, and intervals that know it."""
    chance, held, each, count = np.random.default_rng(4), 0, 10, 20
    groups = np.repeat(np.arange(count), each)
    for _ in range(rounds):
        shifts = chance.normal(0, 0.5, count)[groups]
        right = shifts + chance.normal(0, 0.3, (2, len(groups)))
        truth_value = 0.0  # both models are equally good
        texts = [f"p{row}" for row in range(len(groups))]
        lefts, others = [f"asked {group}" for group in groups], [f"n{row}" for row in range(len(groups))]
        own = chance.normal(0, 0.6, (2, count))[:, groups]
        made = []
        for at in range(2):
            near = dict(zip(texts, np.tanh(right[at] + own[at]), strict=True))
            made.append(scoring(str(at), near | dict.fromkeys(others, 0.0)))
        examples = Examples(kind=Kind.TRIPLETS, texts=(lefts, texts, others))
        main = judge(*made, examples, general=False, resamples=400).main
        held += main.difference.low <= truth_value <= main.difference.high
    assert held / rounds >= 0.93 - 3 * np.sqrt(0.07 * 0.93 / rounds)


def test_where_few_are_held_out_the_sentence_says_what_could_not_have_shown():
    chance = np.random.default_rng(5)
    truth = chance.uniform(size=12)
    few = judge(*models(12, *chance.uniform(-0.5, 0.5, (2, 12))), graded(truth.tolist()), general=False)
    assert "held-out set is small, 12 pairs" in few.sentence
    assert few.shows > 0.2
    _, right = pairs(6)
    alike = scoring("sure", dict.fromkeys(right[:3], 0.9) | dict.fromkeys(right[3:], 0.1))
    six = Examples(kind=Kind.LABELLED, texts=pairs(6), truth=[True] * 3 + [False] * 3)
    assert "small, 6 pairs: it says little" in judge(alike, alike, six, general=False).sentence
    many = chance.uniform(size=1000)
    near = np.clip(many + chance.normal(0, 0.01, (2, 1000)), -0.9, 0.999)
    assert "small" not in judge(*models(1000, *near), graded(many.tolist()), general=False).sentence


def test_what_chose_the_step_is_said_to_flatter():
    examples = classes(4, 6)
    found = judge(HashEncoder(), HashEncoder(name="b"), examples, chose=True, general=False)
    assert any("flattered" in note for note in found.notes)


def test_the_worst_errors_of_both_are_there_with_their_texts():
    truth = np.linspace(0, 1, 20)
    found = judge(
        *models(20, np.random.default_rng(0).permutation(truth), truth),
        graded(truth.tolist()),
        general=False,
        errors=3,
    )
    assert [len(found.errors_before), len(found.errors_after)] == [3, 3]
    assert found.errors_before[0].size > 0.4 > 0.1 > found.errors_after[0].size
    assert found.errors_before[0].texts[1].startswith("t ")


def test_a_judgement_is_json_and_text():
    found = judge(HashEncoder(), HashEncoder(name="b"), classes(4, 6))
    known = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert known["verdict"] == found.verdict.value
    assert known["changes"][0]["difference"]["value"] == found.main.difference.value
    assert len(known["slices"]) == len(found.slices) > 20
    assert str(found).startswith(found.sentence)


def test_a_cross_encoder_is_judged_on_pairs_and_on_candidates_and_not_on_classes():
    class Backwards(WordCross):
        name = "backwards"
        judge = staticmethod(lambda query, text: -WordCross.judge(query, text))

    queries = [f"word{row} what" for row in range(30)]
    texts = [f"word{row} is thing{row % 3}" for row in range(30)]
    found = judge(WordCross(), Backwards(), Examples(kind=Kind.POSITIVES, texts=(queries, texts)), general=False)
    assert found.main.name == "mrr@10"
    assert found.main.before.value == 1.0
    assert found.main.after.value == pytest.approx(0.1, abs=0.03), "the right one is last of ten"
    assert found.verdict is Verdict.WORSE
    with pytest.raises(InputError, match="classes for a cross-encoder"):
        judge(WordCross(), Backwards(), classes(4, 5))


# The general check set


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_under_the_curve_is_that_of_scikit_learn_for_every_row(ties):
    chance = np.random.default_rng(6)
    scores = chance.integers(1, 6, (7, 40)).astype(float)
    if not ties:
        scores = np.array([chance.permutation(40) + 1.0 for _ in range(7)])
    same = chance.random(40) < 0.3
    assert _aucs(scores, same) == pytest.approx([roc_auc_score(same, row) for row in scores])


def test_a_single_part_gives_the_p_value_of_exchanging_every_pair():
    chance = np.random.default_rng(7)
    same = np.array([True] * 5 + [False] * 7)
    before, after = chance.normal(0, 1, (2, 12)) + [[0.2], [1.2]] * same
    ranks = [stats.rankdata(each) for each in (before, after)]
    seen = roc_auc_score(same, ranks[1]) - roc_auc_score(same, ranks[0])
    flips = (np.arange(2**12)[:, None] >> np.arange(12)) % 2 == 1
    sides = np.where(flips, ranks[1], ranks[0]), np.where(flips, ranks[0], ranks[1])
    one, other = (
        ((each[:, same, None] > each[:, None, ~same]) + 0.5 * (each[:, same, None] == each[:, None, ~same])).mean(
            (1, 2)
        )
        for each in sides
    )
    every = other - one
    expected = np.mean(np.abs(every) >= abs(seen) - 1e-12)
    ((low, high, p),) = compared(before, after, same, [np.arange(12)], seed=0, exchanges=20_000)
    assert (low, high) == pytest.approx((roc_auc_score(same, before), roc_auc_score(same, after)))
    assert p == pytest.approx(expected, abs=0.015)


def model_of_relations(name, spoilt=lambda pair: False, noise=0.5):
    """A model that gives the pairs of the probe what they have in common, with errors; spoilt pairs are chance."""
    level = {"same": 0.8, "near": 0.85, "topic": 0.3, "unrelated": 0.05}
    axes = {}
    for pair in probe_pairs("en"):
        if pair.left in axes or pair.right in axes:
            continue
        nature, own = chance_of(pair.left), chance_of(pair.left, name)
        base = chance_of(pair.left, "axis").normal(size=(2, 48))
        one, two = base / np.linalg.norm(base, axis=1, keepdims=True)
        shift = noise * (0.35 * nature.normal() + 0.15 * own.normal())
        score = np.tanh(level[pair.relation] + shift) if not spoilt(pair) else np.tanh(0.4 * own.normal())
        two = two - (two @ one) * one
        two /= np.linalg.norm(two)
        axes[pair.left], axes[pair.right] = one, score * one + np.sqrt(1 - score**2) * two
    return Made(
        name, lambda text: axes[text] if text in axes else chance_of(text, "axis").normal(size=48), ("en",)
    )


def test_where_a_model_became_worse_is_named_and_nothing_else():
    before = model_of_relations("before")
    after = model_of_relations("after", spoilt=lambda pair: pair.domain == "banking")
    found = check_generally(before, after)
    worse = [(each.what, each.name) for each in found if each.verdict is Verdict.WORSE]
    assert ("domain", "banking") in worse
    assert {what for what, _ in worse if what == "domain"} == {"domain"}
    assert [name for what, name in worse if what == "domain"] == ["banking"]
    judged = judge(before, after, classes(4, 6))
    assert "Worse on the general check set" in judged.sentence
    assert "domain banking (ROC AUC" in judged.sentence


@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_of_models_that_are_equally_good_nothing_is_named(rounds):
    pairs_ = [pair for _, pair in pairs_for(Made("x", lambda text: np.ones(2), ("en",)))]
    same = np.array([pair.relation == "same" for pair in pairs_])
    domains = np.array([pair.domain for pair in pairs_])
    parts = [np.flatnonzero(domains == name) for name in sorted(set(domains))] + [np.arange(len(pairs_))]
    chance = np.random.default_rng(8)
    named = 0
    for round_ in range(rounds):
        base = 1.5 * same + chance.normal(size=len(same))
        before, after = base + chance.normal(0, 0.5, (2, len(same)))
        found = compared(before, after, same, parts, seed=round_, exchanges=200)
        named += any(p < 0.05 for *_, p in found)
    assert named / rounds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / rounds)


def test_the_check_set_speaks_the_languages_that_the_model_was_made_for():
    def spoken(*languages):
        return {language for language, _ in pairs_for(Made("x", lambda text: np.ones(2), languages))}

    assert spoken() == spoken("en") == {"en"}
    assert spoken("en", "de", "it") == {"en", "de", "it", "en-de", "en-it"}
    assert spoken("fi") == set()
    assert check_generally(Made("x", lambda text: np.ones(2), ("fi",)), HashEncoder()) == ()


def test_passages_of_the_check_set_are_read_as_passages(encoder):
    roles = []

    class Noting(HashEncoder):
        def encode(self, texts, **options):
            roles.append(options.get("role"))
            return super().encode(texts, **options)

    check_generally(Noting(), HashEncoder(name="b"), exchanges=5)
    assert set(roles) == {None, "query", "passage"}


def test_scores_are_those_of_the_pairs(encoder):
    from nearsense.training.general import _scores

    some = [each for each in pairs_for(encoder) if each[1].form == "questions"][:20]
    vectors = [encoder.encode([getattr(pair, side) for _, pair in some]).data for side in ("left", "right")]
    assert _scores(encoder, some) == pytest.approx(paired_cosine(*vectors), abs=1e-6)
