"""Whether a model became better: the same held-out examples before and after, and a general check set beside them.

The figures are those of `ns.evaluate`, and of classes how many texts are nearest to the centre of their own. Not
the pairs of the check set (general.py), not what scores mean (meaning.py), not how it is written (report.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets.kinds import LEAST, Dataset, Rerank
from nearsense.encoders import is_cross_encoder, is_encoder, symmetric_role
from nearsense.errors import InputError
from nearsense.evaluation.judging import JUDGES
from nearsense.evaluation.results import Mistake, Stated, figure_of, limits
from nearsense.evaluation.systems import system_of
from nearsense.metrics import paired_permutation, resample_counts, weighted_mean
from nearsense.metrics.resampling import p_of_equality
from nearsense.training.examples import Kind
from nearsense.training.general import check_generally
from nearsense.training.meaning import candidates_of, carried, carry_calibration, pairs_of, stated
from nearsense.training_results import Change, Judgement
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.metrics.resampling import Statistic
    from nearsense.training.examples import Examples

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["carried", "carry_calibration", "judge"]

RESAMPLES = 2000
"""Of the bootstrap behind every interval."""

ALONE = 256
"""Items whose own figures are asked for at once."""

GROUPS = 10
"""Groups of examples that share a text, from which on these are drawn, and not the examples."""

MEANS = frozenset({"accuracy", "seen", "unseen", "mrr@10", "recall@10", "ndcg@10", "map"})
"""Figures that are a mean over examples: that it changed is tested by exchanging signs."""

SHOWN: Mapping[Kind, tuple[str, ...]] = {
    Kind.GRADED: ("spearman", "pearson"),
    Kind.ENTAILMENT: ("spearman",),
    Kind.LABELLED: ("average_precision", "roc_auc", "best_accuracy"),
    Kind.TRIPLETS: ("accuracy",),
    Kind.POSITIVES: ("mrr@10", "recall@10", "ndcg@10", "map"),
    Kind.CLASSES: ("seen", "unseen", "accuracy"),
}
"""The figures of each kind, as far as there are some; the first decides."""


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """One figure of one model: from how often each item was drawn, to the figure of each resample."""

    statistic: Statistic
    items: int  # how many items are drawn
    groups: Ints  # (items,): items of one group are drawn together


Errors = Callable[[int], tuple[Mistake, ...]]


def judge(
    before: Encoder | CrossEncoder,
    after: Encoder | CrossEncoder,
    held_out: Examples,
    *,
    known: Examples | None = None,
    chose: bool = False,
    general: bool = True,
    resamples: int = RESAMPLES,
    errors: int = 10,
    seed: int = 0,
) -> Judgement:
    """Compare a model with what training made of it, on examples that training did not see.

    | kind | figures; the first decides |
    | --- | --- |
    | graded, entailment | Spearman, Pearson |
    | labelled | average precision, ROC AUC, accuracy at the best threshold |
    | triplets | accuracy: the positive is nearer than the negative |
    | positives | MRR@10, recall@10, nDCG@10 among the second texts |
    | classes | accuracy: nearest to the centre of its own class; of classes trained on, of classes never seen |

    Intervals are of the bootstrap over examples; examples with the same first text, and texts of a class that was
    never seen, are drawn together. A change counts where the interval of the difference leaves 0 out and p < 0.05:
    of means by exchanging signs (`metrics.paired_permutation`), of other figures by the bootstrap.

    Args:
        before: The model before: an encoder or a cross-encoder.
        after: The trained one; a cross-encoder may be compared with the encoder that it was made of. Positives are
            candidates then, the right text among others drawn by chance.
        held_out: Examples of any kind.
        known: What training saw: of classes their centres come from there, and texts that are looked up are looked
            up among these too. Without it each held-out text is left out of the centre of its own class.
        chose: The examples also chose the step that was kept, which flatters what came out; a note says so.
        general: Whether the general check set is gone through, too.
        resamples: Of the bootstrap.
        errors: How many of the worst errors of each to keep.
        seed: Of everything drawn by chance.

    Raises:
        InputError: Nothing can be measured on the examples: too few, only one thing is true, ...

    Example:
        >>> import nearsense as ns
        >>> from nearsense.training.examples import read_examples
        >>> pairs = [("a dog", "a hound", 0.9), ("a dog", "a cat", 0.4), ("a dog", "rain", 0.0)] * 2
        >>> found = judge(ns.load(), ns.load(), read_examples(pairs), general=False)
        >>> str(found.verdict), found.main.difference.value
        ('not proven', 0.0)
    """
    crossed = is_cross_encoder(before) or is_cross_encoder(after)
    (one, errors_before), (other, errors_after) = (
        _measure(model, held_out, known, seed, crossed=crossed) for model in (before, after)
    )
    names = [name for name in SHOWN[held_out.kind] if name in one and name in other]
    changes = [_change(name, one[name], other[name], resamples, seed) for name in names]
    defined = [each for each in changes if each.difference.defined]
    if not defined:
        why = "the scores of one of the models are all alike"
        raise InputError(f"{held_out.name}: no figure can be compared", why=why, fix="hold out other examples")
    notes = [*held_out.notes]
    if chose:
        notes.append("The held-out examples also chose the step that was kept, so the gain is a little flattered.")
    told: list[Stated | None] = []
    said = ""
    for model in (before, after):
        found, why = None, ""
        try:
            pairs = pairs_of(model, held_out, known=known, seed=seed)
            found, why = stated(model, pairs)
            said = pairs.said
        except InputError as error:
            why = error.what
        told.append(found)
        if found is None:
            notes.append(f"No probabilities of {model.name} were judged: {why}.")
    return Judgement(
        before.name,
        after.name,
        held_out.kind.value,
        changes[0].items,
        tuple(defined),
        check_generally(before, after, seed=seed) if general else (),
        errors_before(errors),
        errors_after(errors),
        told[0],
        told[1],
        said,
        tuple(dict.fromkeys(notes)),
        seed,
    )


def _measure(
    model: Encoder | CrossEncoder, held_out: Examples, known: Examples | None, seed: int, *, crossed: bool
) -> tuple[dict[str, _Measured], Errors]:
    """The figures of a model, and its worst errors; where one of the two is `crossed`, of given candidates."""
    if held_out.kind is Kind.CLASSES:
        if not is_encoder(model):
            why = "a centre is made of vectors, and it has none"
            raise InputError(f"{held_out.name}: classes for a cross-encoder", why=why, fix="give pairs")
        return _centres(model, held_out, known)
    data: Dataset = held_out.dataset()
    if crossed and held_out.kind is Kind.POSITIVES:
        queries, candidates, labels = candidates_of(held_out, known, seed)
        data = Rerank(name=held_out.name, queries=queries, candidates=candidates, labels=labels)
    outcome = JUDGES[data.task](data, system_of(model))
    groups = np.unique(list(held_out.texts[0]), return_inverse=True)[1].astype(np.int64)  # of one first text
    if held_out.kind is Kind.POSITIVES or groups.max() + 1 < GROUPS:  # too few to be drawn
        groups = np.arange(len(data))
    figures = {
        name: _Measured(statistic, outcome.n, groups)
        for name, statistic in outcome.figures.items()
        if name in SHOWN[held_out.kind]
    }
    return figures, outcome.mistakes


def _centres(model: Encoder, held_out: Examples, known: Examples | None) -> tuple[dict[str, _Measured], Errors]:
    """Which held-out texts are nearest to the centre of their own class: the mean direction of its texts.

    Of classes that training saw, the centres are those of the texts that it saw. Of others, and where nobody says
    what it saw, a centre is that of the other held-out texts of the class.
    """
    role = symmetric_role(model)
    texts, labels = held_out.texts[0], np.array(list(map(str, held_out.truth)))
    vectors = normalize(model.encode(texts, role=role).data, zero="keep").astype(np.float64)
    learnt = np.zeros(0, labels.dtype) if known is None else np.array(list(map(str, known.truth)))
    seen = np.isin(labels, learnt)
    told: list[_Told] = []
    figures: dict[str, _Measured] = {}
    if seen.any():
        assert known is not None
        centres = normalize(model.encode(known.texts[0], role=role).data, zero="keep").astype(np.float64)
        found = _nearest_centre(np.flatnonzero(seen), vectors, labels, (centres, learnt))
        told.append(found)
        figures["seen"] = _Measured(weighted_mean(found.right), len(found.right), np.arange(len(found.right)))
    names, counts = np.unique(labels[~seen], return_counts=True)
    able = ~seen & np.isin(labels, names[counts > 1])
    if len(np.unique(labels[able])) > 1:
        found = _nearest_centre(np.flatnonzero(able), vectors, labels)
        told.append(found)
        classes = np.unique(labels[able], return_inverse=True)[1].astype(np.int64)
        groups = classes if known is not None and classes.max() + 1 >= GROUPS else np.arange(len(classes))
        name = "accuracy" if known is None else "unseen"
        figures[name] = _Measured(weighted_mean(found.right), len(found.right), groups)
    if not any(each.items >= LEAST for each in figures.values()):
        what = f"{held_out.name}: nothing can be measured on {len(held_out):,} texts"
        raise InputError(what, why="each class needs two, or one that training saw", fix="hold out more texts")

    def mistakes(count: int) -> tuple[Mistake, ...]:
        wrong = sorted(
            (-float(gap), texts[row], said, str(labels[row]), float(score))
            for each in told
            for row, said, gap, score in zip(each.rows, each.said, each.gaps, each.scores, strict=True)
            if said != labels[row]
        )
        return tuple(
            Mistake(said, right, (text,), score, -size) for size, text, said, right, score in wrong[:count]
        )

    return figures, mistakes


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What nearest centres say of n texts."""

    right: Floats  # (n,): 1 where it is that of the text's own class; where two are as near, 1/2
    said: NDArray[np.str_]  # (n,): the class of the nearest centre
    gaps: Floats  # (n,): by how much the nearest is nearer than the right one
    scores: Floats  # (n,): the cosine with the nearest
    rows: Ints  # (n,): which texts these are


def _nearest_centre(
    rows: Ints, vectors: Floats, labels: NDArray[np.str_], known: tuple[Floats, NDArray[np.str_]] | None = None
) -> _Told:
    """The nearest centre of some unit vectors: of known ones with labels, else of these, each left out itself."""
    vectors, labels = vectors[rows], labels[rows]
    members, classes = known or (vectors, labels)
    names, which = np.unique(classes, return_inverse=True)
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, which, members)
    right = np.searchsorted(names, labels)
    scores = vectors @ normalize(sums, zero="keep").T
    every = np.arange(len(vectors))
    if known is None:
        scores[every, right] = (vectors * normalize(sums[right] - vectors, zero="keep")).sum(axis=1)
    best = scores.max(axis=1)
    level = scores >= best[:, None] - 1e-9
    share = level[every, right] / level.sum(axis=1)
    other = np.where(level[every, right], right, scores.argmax(axis=1))
    return _Told(share, names[other], best - scores[every, right], best, rows)


def _change(name: str, before: _Measured, after: _Measured, resamples: int, seed: int) -> Change:
    """A figure before and after, over the same resamples."""
    groups = before.groups
    drawn: list[list[Floats]] = [[], []]
    for counts in [np.ones((1, groups.max() + 1)), *resample_counts(int(groups.max()) + 1, resamples, seed)]:
        each = counts[:, groups]
        for own, measured in zip(drawn, (before, after), strict=True):
            own.append(measured.statistic(each))
    one, other = (np.concatenate(each) for each in drawn)
    low, high = limits(name)
    differences = other - one
    if name in MEANS:
        sums = [np.bincount(groups, _values(each)) for each in (before, after)]
        p = paired_permutation(*sums, seed=seed)
    else:
        p = p_of_equality(differences[1:][~np.isnan(differences[1:])])
    figures = figure_of(one, (low, high)), figure_of(other, (low, high))
    return Change(name, before.items, *figures, figure_of(differences, (low - high, high - low)), p)


def _values(measured: _Measured) -> Floats:
    """A figure that is a mean, of each item alone."""
    every = range(0, measured.items, ALONE)
    parts = (np.eye(min(ALONE, measured.items - at), measured.items, at) for at in every)
    return np.concatenate([measured.statistic(alone) for alone in parts])
