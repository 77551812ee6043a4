"""What a trained model's scores mean: pairs as a verb will meet them, and the calibration that its folder carries.

Examples that training did not see become pairs with labels. Those that are pairs stay as they are. Of classes, and
of texts that belong together, each held-out text is looked up among the texts of the file and makes pairs with the
ten nearest, as a search would show them. So a probability says: of pairs that are come by so, and that have this
score, this share is the same.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.cached import cached
from nearsense.calibration import Calibration, Task, background_of, learn_calibration, starting_sets
from nearsense.calibration.curve import ANY, HARD, NOTHING, SLOPE
from nearsense.calibrator import Calibrator, calibration_by_probe
from nearsense.encoders import is_cross_encoder, is_encoder, symmetric_role
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.encoders.loading import CALIBRATION
from nearsense.errors import CalibrationWarning, InputError
from nearsense.evaluation.probabilities import stated_of
from nearsense.evaluation.results import Stated
from nearsense.metrics import log_loss, top_k
from nearsense.pair_differences import pair_differences
from nearsense.records import Metric, Origin, Ranking, Vectors
from nearsense.training.examples import Examples, Kind
from nearsense.training_results import Carried
from nearsense.vectors.rows import distinct, normalize
from nearsense.vectors.similarity import paired_cosine
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.adapters import Fold
    from nearsense.encoders import CrossEncoder, Encoder

    Floats = NDArray[np.float64]

NEAREST = 10
"""Neighbours of each held-out text that make pairs with it."""

ASKED, MOST = 500, 1000
"""Held-out texts that are looked up, at most; and pairs of an adapter's folds."""

SAME_FROM = 0.8
"""Of graded pairs, the part of the way from the least to the greatest score from which on they are the same."""

TASKS = {
    Kind.GRADED: ("grade", Task.PARAPHRASE), Kind.LABELLED: ("label", Task.PARAPHRASE),
    Kind.ENTAILMENT: ("entailment", Task.PARAPHRASE), Kind.TRIPLETS: ("nearer", Task.PARAPHRASE),
    Kind.POSITIVES: ("together", Task.PASSAGE), Kind.CLASSES: ("class", Task.REQUEST),
}  # fmt: skip
"""What a calibration from examples of a kind is called, and the shipped sets that few labels start from."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """n pairs with labels, and what a model says of them."""

    lefts: Sequence[str]
    rights: Sequence[str]
    labels: NDArray[np.bool_]  # (n,): whether each is the same
    scores: Floats  # (n,): cosines, or a cross-encoder's scores
    corpus: Vectors | None  # of texts such as the right ones; None where there are none, or no vectors
    said: str  # how they were come by, in words
    searching: bool  # the left texts are queries

    def __len__(self) -> int:
        return len(self.lefts)


def pairs_of(
    model: Encoder | CrossEncoder, examples: Examples, *, known: Examples | None = None, seed: int = 0
) -> Pairs:
    """Examples that training did not see, as pairs with labels, as a verb will meet them.

    Held-out texts are looked up among those that it saw, `known`. Drawn by chance are the texts that are looked
    up, where there are many, and, for a cross-encoder, which candidates stand beside the right one.

    Raises:
        InputError: Entailment has no label of that name, or a cross-encoder is asked of classes.
    """
    searching = examples.searching
    if examples.kind in (Kind.POSITIVES, Kind.CLASSES):
        return _met(model, examples, known, np.random.default_rng(seed))
    columns, truth = examples.texts, examples.truth
    lefts, rights, said = list(columns[0]), list(columns[1]), f"{len(examples):,} pairs as they are"
    if examples.kind is Kind.GRADED:
        low, high = examples.scale or (0.0, 1.0)
        labels = np.asarray(truth, np.float64) >= SAME_FROM
        said += f", the same where rated {low + SAME_FROM * (high - low):g} and more"
    elif examples.kind is Kind.LABELLED:
        labels = np.asarray(truth, bool)
    elif examples.kind is Kind.ENTAILMENT:
        if "entailment" not in examples.labels:
            what = f"{examples.name}: its labels are {', '.join(examples.labels[:6])}"
            raise InputError(what, why="which of them means the same is not known", fix="call it entailment")
        labels = np.array([label == "entailment" for label in truth])
        said += ", the same where the second follows"
    else:
        lefts, rights = lefts * 2, rights + list(columns[2])
        labels = np.arange(len(lefts)) < len(examples)
        said = f"{len(examples):,} triplets, each of two pairs"
    if is_cross_encoder(model):
        return Pairs(lefts, rights, labels, _scored(model, lefts, rights), None, said, searching)
    assert is_encoder(model)
    left, right = _vectors(model, lefts, "query", searching), _vectors(model, rights, "passage", searching)
    scores = np.asarray(paired_cosine(left.data, right.data), np.float64)
    return Pairs(lefts, rights, labels, scores, right, said, searching)


def _met(
    model: Encoder | CrossEncoder, examples: Examples, known: Examples | None, random: np.random.Generator
) -> Pairs:
    """Each held-out text with those of the file that are nearest to it, or stand beside the right ones."""
    asked, corpus, right = _looked_up(examples, known, random)
    vectors = None
    if is_cross_encoder(model):
        if examples.kind is Kind.CLASSES:
            why = "it reads two texts together, and has no nearest ones"
            raise InputError(f"{examples.name}: classes for a cross-encoder", why=why, fix="give pairs")
        beside = {query: _candidates(query, corpus, right[query], random) for query in asked}
        found = [(query, text) for query, texts in beside.items() for text in texts]
        scores = _scored(model, *zip(*found, strict=True))
        what = "candidates, the right ones and others drawn by chance,"
    else:
        assert is_encoder(model)
        queries = _vectors(model, asked, "query", examples.searching)
        vectors = _vectors(model, corpus, "passage", examples.searching)
        found, scores = _nearest(asked, queries, corpus, vectors)
        what = "nearest"
    lefts, rights = [query for query, _ in found], [text for _, text in found]
    labels = np.array([text in right[query] for query, text in found], bool)
    said = f"{len(asked):,} texts, each with its {NEAREST} {what} among {len(corpus):,}"
    return Pairs(lefts, rights, labels, scores, vectors, said, examples.searching)


def candidates_of(
    examples: Examples, known: Examples | None, seed: int
) -> tuple[list[str], list[list[str]], list[list[bool]]]:
    """Held-out queries of positives, for each its candidates and which are right: for what finds none itself."""
    random = np.random.default_rng(seed)
    asked, corpus, right = _looked_up(examples, known, random)
    texts = [_candidates(query, corpus, right[query], random) for query in asked]
    return asked, texts, [[text in right[query] for text in own] for query, own in zip(asked, texts, strict=True)]


def _nearest(
    asked: Sequence[str], queries: Vectors, corpus: Sequence[str], vectors: Vectors
) -> tuple[list[tuple[str, str]], Floats]:
    """Each text with those nearest to it, but for case and punctuation itself left out; and the cosines."""
    left, right = normalize(queries.data, zero="keep"), normalize(vectors.data, zero="keep")
    near = top_k(left, right, min(NEAREST + 1, len(corpus)), Metric.DOT)
    at: list[int] = []
    to: list[int] = []
    for place, rows in enumerate(near.ids.tolist()):
        form = normal_form(asked[place])
        own = [row for row in rows if normal_form(corpus[row]) != form][:NEAREST]
        at += [place] * len(own)
        to += own
    scores = np.asarray(paired_cosine(left[at], right[to]), np.float64)
    return [(asked[place], corpus[row]) for place, row in zip(at, to, strict=True)], scores


def _looked_up(
    examples: Examples, known: Examples | None, random: np.random.Generator
) -> tuple[list[str], list[str], dict[str, set[str]]]:
    """Texts that are looked up, those among which, and which of these are right for each.

    Of classes that were learnt from, the texts that they were learnt from, however many are held out: so the share
    of right ones is that of the file. A held-out text of positives has its right one among the held-out texts.
    """
    parts = [examples] if known is None or known.kind is not examples.kind else [examples, known]
    if examples.kind is Kind.CLASSES:
        labels = dict(zip(examples.texts[0], examples.truth, strict=True))
        learnt = set(parts[-1].truth)
        asked = [text for text in dict.fromkeys(examples.texts[0]) if labels[text] in learnt]
        corpus = parts[-1] if asked else examples
        members: dict[Any, set[str]] = {}
        for text, label in zip(corpus.texts[0], corpus.truth, strict=True):
            members.setdefault(label, set()).add(text)
        asked = _some(asked or list(labels), random)
        return asked, list(dict.fromkeys(corpus.texts[0])), {text: members[labels[text]] for text in asked}
    right: dict[str, set[str]] = {}
    for part in parts:
        for query, text in zip(*part.texts, strict=True):
            right.setdefault(query, set()).add(text)
    asked = _some(list(dict.fromkeys(examples.texts[0])), random)
    return asked, list(dict.fromkeys(text for part in parts for text in part.texts[1])), right


def _some(texts: list[str], random: np.random.Generator) -> list[str]:
    """So many of some texts as are looked up, in their order."""
    if len(texts) <= ASKED:
        return texts
    return [texts[row] for row in np.sort(random.choice(len(texts), ASKED, replace=False)).tolist()]


def _candidates(query: str, corpus: Sequence[str], right: set[str], random: np.random.Generator) -> list[str]:
    """What stands beside the right texts of a query where there are no vectors to find it by."""
    others = [text for text in corpus if text not in right and normal_form(text) != normal_form(query)]
    count = min(max(NEAREST - len(right), 1), len(others))
    drawn = random.choice(len(others), count, replace=False).tolist()
    return [*sorted(right)[:NEAREST], *(others[row] for row in drawn)]


def _vectors(model: Encoder, texts: Sequence[str], role: str, searching: bool) -> Vectors:
    """One vector a text, read as what it is; equal texts are encoded once."""
    different, rows = distinct(texts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is cut was said when it was learnt from
        return model.encode(different, role=role if searching else symmetric_role(model)).take(rows.tolist())


def _scored(model: CrossEncoder, lefts: Sequence[str], rights: Sequence[str]) -> Floats:
    return np.asarray(model.score(list(zip(lefts, rights, strict=True))), np.float64)


def carry_calibration(
    folder: str | os.PathLike[str],
    model: Encoder | CrossEncoder,
    examples: Examples,
    *,
    known: Examples | None = None,
    chose: bool = False,
    seed: int = 0,
) -> Calibration | None:
    """Fit what the scores of a trained model mean, and write it as calibration.json into the model's folder.

    Every verb goes by it from then on: see `nearsense.calibrator.carried_calibration`. What lay there before goes.
    It says so where the examples `chose` the step that was kept. None where they are too few, or of one label.

    Raises:
        FileError: The file cannot be written.

    Warns:
        CalibrationWarning: There is none, and why.
    """
    file = Path(folder) / CALIBRATION
    try:
        pairs = pairs_of(model, examples, known=known, seed=seed)
        found = fitted(model, examples.kind, pairs, chose=chose)
    except InputError as error:
        file.unlink(missing_ok=True)
        _warn(str(folder), error)
        return None
    found.save(file)
    return found


def calibrated_in_folds(
    model: AdaptedEncoder, examples: Examples, folds: Sequence[Fold], *, seed: int = 0
) -> Calibration | None:
    """Fit what the scores of a map mean: pairs of each fold, scored by the map that had not learnt from it.

    The model is the parent with the map of all examples. Texts of classes are looked up among all others: so the
    share of right ones is nearly that of the whole file. None where the examples are too few, or of one label.

    Warns:
        CalibrationWarning: There is none, and why.
    """
    looked_up = examples.kind in (Kind.POSITIVES, Kind.CLASSES)
    most, random = (ASKED if looked_up else MOST) // len(folds), np.random.default_rng(seed)
    try:
        parts = [
            pairs_of(
                AdaptedEncoder(cached(model.parent), each.map, name=model.name),
                examples.take(np.sort(random.permutation(each.held)[:most])),
                known=examples if examples.kind is Kind.CLASSES else examples.take(each.learnt),
                seed=seed,
            )
            for each in folds
        ]
        rights = [text for part in parts for text in part.rights]
        pairs = Pairs(
            [text for part in parts for text in part.lefts],
            rights,
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.scores for part in parts]),
            _vectors(model.over(cached(model.parent)), rights, "passage", examples.searching),
            f"{len(parts)} parts, each by a map of the others: {parts[0].said}",
            examples.searching,
        )
        found = fitted(model, examples.kind, pairs)
        if examples.kind is Kind.CLASSES and found.prior is not None:
            found = replace(found, prior=min(found.prior * _one_more(examples), 0.99))
        return found
    except InputError as error:
        _warn(model.name, error)
        return None


def _one_more(examples: Examples) -> float:
    """By how much the share of right ones grows for a new text: it has one more of its class in the file."""
    sizes = np.unique(list(map(str, examples.truth)), return_inverse=True, return_counts=True)[2]
    some = sizes[sizes > 1].astype(np.float64)
    return float((some * some / (some - 1)).sum() / some.sum())


def _warn(name: str, error: InputError) -> None:
    text = f"{name} carries no calibration: {error.what}; its probabilities are what other sets suggest"
    warnings.warn(CalibrationWarning(text), stacklevel=3)


def fitted(model: Encoder | CrossEncoder, kind: Kind, pairs: Pairs, *, chose: bool = False) -> Calibration:
    """The calibration of some pairs; few start from the shipped sets, as those of `ns.calibrate` do."""
    (name, task), origin, kinds = TASKS[kind], _origin(model), None
    if not pairs.searching:
        encoder = model if is_encoder(model) else None
        seen = pair_differences(pairs.lefts, pairs.rights, encoder=encoder)
        kinds = [[each.kind.value for each in found] for found in seen]
    also = "; some of these texts chose the step that was kept, too" if chose else ""
    found = learn_calibration(
        pairs.scores,
        pairs.labels,
        origin,
        task=name,
        background=None if pairs.corpus is None else background_of(pairs.corpus),
        made_from=f"{pairs.said}{also}",
        kinds=kinds,
        prior_sets=starting_sets(origin, task, lambda each: calibration_by_probe(origin, each, model)),
    )
    if kinds is None or kind not in (Kind.CLASSES, Kind.POSITIVES):
        return found
    without = replace(found, guard=UNGUARDED)

    def loss(each: Calibration) -> float:
        return log_loss(pairs.labels, each.probability(pairs.scores, shift=each.guarded(pairs.scores, kinds)))

    return found if loss(found) < loss(without) else without


UNGUARDED = {NOTHING: 0.0, ANY: 0.0, SLOPE: 1.0, HARD: 1.0}
"""Weights with which differences say nothing: requests of one class may well differ in a number or a name."""


def stated(model: Encoder | CrossEncoder, pairs: Pairs) -> tuple[Stated | None, str]:
    """How true a model's probabilities of pairs are that it goes by where nothing is said; None and why."""
    calibrator = Calibrator(Task.PASSAGE if pairs.searching else Task.PARAPHRASE)
    judged = calibrator.judged(
        _origin(model),
        list(zip(pairs.lefts, pairs.rights, strict=True)),
        pairs.scores,
        encoder=model if is_encoder(model) else None,
        cross=model if is_cross_encoder(model) else None,
        passages=pairs.searching,
        together=True,
    )
    return stated_of(judged, pairs.labels.astype(np.int64))


def _origin(model: Encoder | CrossEncoder) -> Origin:
    return Origin(model.name, model.fingerprint, Metric.COSINE if is_encoder(model) else Ranking.CROSS)


def carried(calibration: Calibration | None) -> Carried | None:
    """The same in a few words and numbers."""
    if calibration is None:
        return None
    known = calibration.figures
    return Carried(calibration.task, known.labels, known.same, calibration.prior, known.ece, calibration.made_from)
