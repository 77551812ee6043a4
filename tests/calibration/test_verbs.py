"""Every verb gives probabilities, takes a calibration and a prior, and refuses what does not belong together."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from nearsense.calibration import learn_calibration
from nearsense.records import Origin, Ranking

WORDS = [
    *("red", "green", "blue", "old", "new", "fast", "slow", "big", "small", "cat", "dog", "horse", "car", "boat"),
    *("train", "house", "tree", "river", "road"),
]


def pairs(n=200, seed=0):
    """Sentences of six words; a same pair shares five of them, another shares two."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        same = number % 2
        words = list(rng.permutation(WORDS))
        kept = 5 if same else 2
        made.append((" ".join(words[:6]), " ".join(words[:kept] + words[6 : 12 - kept]), same))
    return made


@pytest.fixture(scope="module")
def hashed():
    return HashEncoder(32)


@pytest.fixture(scope="module")
def mine(hashed):
    return ns.calibrate(pairs(), encoder=hashed, task="mine")


def test_without_a_calibration_a_score_has_no_probability_and_says_so(hashed):
    found = ns.compare("red cat", "red dog", encoder=hashed)
    assert found.probability is found.interval is None
    assert "uncalibrated" in str(found)
    assert found.reading is ns.types.Reading.of(found.score)
    assert ns.search("red cat", ["red dog"], encoder=hashed)[0].probability is None


def test_with_a_calibration_every_verb_gives_probabilities(hashed, mine):
    corpus = [b for _, b, _ in pairs(30)]
    how = {"encoder": hashed, "calibration": mine}
    vectors = hashed.encode(corpus)
    for hits in (
        ns.search("red cat old", corpus, **how),
        ns.search_many(["red cat old"], corpus, **how)[0],
        ns.search_vectors(["red cat old"], vectors, **how)[0],
        ns.rank("red cat old", corpus, **how),
    ):
        assert hits.origin.calibration == "mine"
        assert all(hit.interval[0] <= hit.probability <= hit.interval[1] for hit in hits)
        again = mine.probability(np.array([hit.score for hit in hits]), prior=hits.origin.prior)
        assert [hit.probability for hit in hits] == pytest.approx(again.tolist())
    compared = ns.compare("red cat old", "red cat road", **how)
    assert compared.probability == pytest.approx(
        mine.probability(compared.score, shift=mine.guarded([0], [[]])[0])
    )
    assert compared.reading is ns.types.Reading.of_probability(compared.probability)
    assert compared.origin.to_dict()["calibration"] == "mine"


def test_the_default_model_says_how_probable_its_scores_are():
    near, far = ns.compare_pairs([("It is raining.", "Rain is falling."), ("It is raining.", "I like cheese.")])
    assert near.probability > 0.6 > 0.05 > far.probability
    assert near.interval[0] < near.probability < near.interval[1]
    assert near.origin.prior == pytest.approx(0.38, abs=0.01)  # as of sets of pairs that people chose
    question = ns.compare("How do I learn to swim?", "How can I learn swimming?", calibration="question")
    assert question.origin.calibration == "question"
    assert ns.compare("a cat", "a cat", calibration="none").probability is None


def test_a_prior_that_is_lower_makes_the_same_score_less_probable(hashed, mine):
    often, rarely = (
        ns.compare("red cat old", "red cat new", encoder=hashed, calibration=mine, prior=prior)
        for prior in (0.5, 0.01)
    )
    assert often.score == rarely.score
    assert often.probability > rarely.probability


def test_a_prior_is_a_share_and_nothing_is_estimated_by_name(hashed, mine):
    with pytest.raises(ns.errors.InputError, match="prior='estimate' is no share"):
        ns.compare_pairs(pairs(60), encoder=hashed, calibration=mine, prior="estimate")


def test_min_probability_leaves_out_what_is_less_probable(hashed, mine):
    corpus = [b for _, b, _ in pairs(60)]
    every = ns.search("red cat old dog", corpus, 60, encoder=hashed, calibration=mine, prior=0.5)
    least = every[5].probability
    some = ns.search(
        "red cat old dog", corpus, 60, encoder=hashed, calibration=mine, prior=0.5, min_probability=least
    )
    assert [hit.id for hit in some] == [hit.id for hit in every if hit.probability >= least]
    kept = ns.compare_pairs(
        [(a, b) for a, b, _ in pairs(40)], encoder=hashed, calibration=mine, min_probability=0.5
    )
    assert 0 < len(kept) < 40
    assert all(each.probability >= 0.5 for each in kept)


def test_a_probability_that_cannot_be_told_is_refused_with_what_to_do(hashed):
    for asked in ({"min_probability": 0.9}, {"prior": 0.1}):
        with pytest.raises(ns.errors.InputError, match="no calibration is known for hash"):
            ns.search("red cat", ["red dog"], encoder=hashed, **asked)
    with pytest.raises(ns.errors.InputError, match="min_probability=2"):
        ns.search("red cat", ["red dog"], encoder=hashed, min_probability=2)
    with pytest.raises(ns.errors.InputError, match="prior='often'"):
        ns.compare("red", "blue", prior="often")


def test_a_calibration_of_another_model_is_a_mismatch(mine):
    other = HashEncoder(32, name="other")
    for verb in (
        lambda: ns.compare("red", "blue", encoder=other, calibration=mine),
        lambda: ns.search("red", ["blue"], encoder=other, calibration=mine),
        lambda: ns.rank("red", ["blue"], encoder=other, calibration=mine),
    ):
        with pytest.raises(ns.errors.ModelMismatch, match="calibration of hash"):
            verb()
    with pytest.raises(ns.errors.InputError, match="no calibration for 'question' comes with other"):
        ns.compare("red", "blue", encoder=other, calibration="question")


def test_a_calibration_is_read_from_its_file_by_every_verb(hashed, mine, tmp_path):
    mine.save(tmp_path / "mine.json")
    by_file = ns.compare("red cat", "red dog", encoder=hashed, calibration=str(tmp_path / "mine.json"))
    assert by_file == ns.compare("red cat", "red dog", encoder=hashed, calibration=mine)


def test_a_cross_encoder_is_calibrated_by_its_own_scores():
    cross = WordCross()
    known = ns.calibrate(pairs(), encoder=cross, task="mine")
    assert known.metric is Ranking.CROSS
    hits = ns.search(
        "red cat old dog",
        [b for _, b, _ in pairs(30)],
        3,
        encoder=HashEncoder(32),
        rerank=cross,
        calibration=known,
    )
    assert all(hit.probability == pytest.approx(known.probability(hit.score)) for hit in hits)


def test_labels_are_checked_before_anything_is_encoded(hashed):
    before = hashed.encoded
    for given, words in (
        (pairs(10), "10 labels are too few"),
        ([(a, b, 1) for a, b, _ in pairs(40)], "all 40 labels are 1"),
        ([(a, b, "maybe") for a, b, _ in pairs(40)], "pair 0 has the label 'maybe'"),
        ([(a, b) for a, b, _ in pairs(40)], "item 0 is no labelled pair"),
    ):
        with pytest.raises(ns.errors.InputError, match="prior=2"):
            ns.calibrate(pairs(40), encoder=hashed, prior=2)
        with pytest.raises(ns.errors.InputError, match=words):
            ns.calibrate(given, encoder=hashed)
    assert hashed.encoded == before


def test_unlabelled_pairs_move_the_curve_that_comes_with_the_model():
    unlabelled = [(f"How do I cook {word}?", f"What is the best way to cook {word}?") for word in WORDS]
    unlabelled += [(f"Where is the {word}?", "My invoice is wrong.") for word in WORDS]
    moved = ns.adapt(unlabelled, share=0.5, calibration="question")
    found = ns.compare_pairs(unlabelled, calibration=moved)
    assert np.mean([each.probability for each in found]) == pytest.approx(0.5, abs=0.02)
    with pytest.raises(ns.errors.InputError, match="no calibration comes with hash"):
        ns.adapt(unlabelled, share=0.5, encoder=HashEncoder(32))
    with pytest.raises(ns.errors.InputError, match="too few to adapt"):
        ns.adapt(unlabelled[:5], share=0.5)


def test_a_corpus_without_labels_tells_how_rare_a_score_is(hashed):
    texts = [a for a, _, _ in pairs(120)]
    found = ns.background(texts, encoder=hashed)
    own = ns.calibrate(pairs(), encoder=hashed).background
    assert own.score_at(0.001)[0] < 0.95  # the pairs that are labelled the same are not random
    data = hashed.encode(sorted(set(texts))).data
    every = (data @ data.T)[np.triu_indices(len(data), 1)]
    score, _, _ = found.score_at(0.01)
    assert (every >= score).mean() == pytest.approx(0.01, abs=0.002)
    with pytest.raises(ns.errors.InputError, match="3 texts tell too little"):
        ns.background(["a", "b", "c"], encoder=hashed)


def test_a_search_expects_one_right_text_among_the_nearest_ten(mine, hashed):
    unsure = learn_calibration(
        np.linspace(-1, 1, 40), np.arange(40) >= 20, Origin(hashed.name, hashed.fingerprint), task="mine"
    )
    import dataclasses

    open_ = dataclasses.replace(unsure, prior=None)
    for corpus, prior in ((["a"], 0.5), (WORDS[:4], 0.25), (WORDS, 0.1)):
        assert ns.search("red", corpus, encoder=hashed, calibration=open_)[0].probability is not None
        assert ns.search("red", corpus, encoder=hashed, calibration=open_).origin.prior == prior


def test_far_from_home_a_warning_says_so_and_intervals_are_wider(hashed):
    texts = [f"{a} {b}" for a, b, _ in pairs(100)]
    home = ns.calibrate(pairs(), encoder=hashed, texts=texts)
    narrow = [f"the very same long sentence about one thing {word}" for word in WORDS * 4]
    narrow = [f"{text} {number}" for number, text in enumerate(narrow)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        near = ns.search(texts[0], texts, 3, encoder=hashed, calibration=home)
    with pytest.warns(ns.errors.CalibrationWarning, match="unlike those that the probabilities were learnt on"):
        far = ns.search(texts[0], narrow, 3, encoder=hashed, calibration=home)
    low, high = home.interval(far[0].score, prior=far.origin.prior)
    assert far[0].interval[0] < low
    assert far[0].interval[1] > high
    assert near.origin.calibration == "own"


def test_a_collection_remembers_its_calibration(hashed, mine, tmp_path):
    with ns.open(tmp_path / "c.nearsense", hashed) as there:
        there.add([b for _, b, _ in pairs(40)])
        assert there.calibration is None
        assert there.search("red cat old")[0].probability is None
        there.calibration = mine
        assert there.search("red cat old").origin.calibration == "mine"
        assert there.similar("0")[0].probability is not None
        assert there.nearest(hashed.encode(["red"]))[0][0].probability is not None
        assert there.search("red cat", mode="lexical")[0].probability is None
        assert there.search("red cat", calibration="none")[0].probability is None
        with pytest.raises(ns.errors.ModelMismatch, match="calibration of other"):
            there.calibration = ns.calibrate(pairs(), encoder=HashEncoder(32, name="other"))
    with ns.open(tmp_path / "c.nearsense", hashed) as there:
        assert there.calibration.to_dict() == mine.to_dict()
        there.reembed(HashEncoder(32, name="other"))
        assert there.calibration is None
        there.calibration = None


def test_a_lexical_search_has_no_probabilities_to_ask_for(hashed, mine, tmp_path):
    with ns.open(tmp_path / "c.nearsense", hashed) as there:
        there.add(["red cat", "blue dog"])
        with pytest.raises(ns.errors.InputError, match="scores are bm25"):
            there.search("red", mode="lexical", calibration=mine)
        with pytest.raises(ns.errors.InputError, match="min_probability"):
            there.search("red", mode="hybrid", min_probability=0.5)


def test_a_matrix_gives_probabilities_when_asked(hashed, mine):
    texts = [a for a, _, _ in pairs(6)]
    found = ns.matrix(texts, encoder=hashed, calibration=mine)
    again = [[ns.compare(a, b, encoder=hashed, calibration=mine).probability for b in texts] for a in texts]
    assert found.probabilities == pytest.approx(np.array(again), abs=0.001)  # the least probable are not looked at
    assert ns.matrix(texts, encoder=hashed).probabilities is None
    assert ns.matrix(["a cat", "a kitten"]).probabilities[0, 1] < 1


def test_reranked_texts_have_probabilities_by_the_cross_encoders_own_calibration():
    cross = WordCross()
    known = ns.calibrate(pairs(), encoder=cross, task="mine")
    texts = [b for _, b, _ in pairs(20)]
    hits = ns.rerank("red cat old dog", texts, cross=cross, calibration=known)
    plain = [hit for hit in hits if not hit.differs]
    same = known.guarded([0.0], [[]])[0]
    assert len(plain) > 10
    assert [hit.probability for hit in plain] == pytest.approx(
        [known.probability(hit.score, shift=same) for hit in plain]
    )
    assert all(hit.probability < known.probability(hit.score) for hit in hits if hit.differs)
    assert ns.rerank("red cat old dog", texts, cross=cross)[0].probability is None
    with pytest.raises(ns.errors.InputError, match="no calibration is known for words"):
        ns.rerank("red cat", texts, cross=cross, min_probability=0.5)
    with pytest.raises(ns.errors.ModelMismatch):
        ns.rerank("red cat", texts, cross=cross, calibration=ns.calibrate(pairs(), encoder=HashEncoder(8)))


def test_what_differs_moves_pairs_and_not_the_share_that_a_moved_curve_was_given():
    known = [(f"I paid {n} euros to the bank", f"I paid {n + 7} euros to the bank") for n in range(100)]
    moved = ns.compare_pairs(known, calibration=ns.adapt(known, share=0.5))
    assert np.mean([each.probability for each in moved]) == pytest.approx(0.5, abs=0.02)


def test_labels_the_wrong_way_round_are_noticed(hashed):
    with pytest.warns(ns.errors.CalibrationWarning, match="other way round"):
        ns.calibrate([(a, b, 1 - same) for a, b, same in pairs(60)], encoder=hashed)


def test_a_collection_takes_calibrations_only(hashed, tmp_path):
    with (
        ns.open(tmp_path / "c.nearsense", hashed) as there,
        pytest.raises(ns.errors.InputError, match="calibration is of type str"),
    ):
        there.calibration = "passage"
