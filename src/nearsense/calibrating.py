"""Pairs of texts to a calibration: encoded, compared, and handed to calibration/, which fits the curve."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nearsense import checks
from nearsense._progress import Progress
from nearsense.calibration import (
    Background,
    Calibration,
    Task,
    background_of,
    learn_calibration,
    shipped_calibration,
    starting_sets,
)
from nearsense.calibration.background import FEWEST, SAMPLE
from nearsense.calibration.fitting import LEAST
from nearsense.calibration.learning import checked_labels
from nearsense.calibrator import calibration_by_probe
from nearsense.corpus import Texts, as_documents, as_pairs
from nearsense.encoders import CrossEncoder, Encoder, is_cross_encoder, is_encoder, resolve, symmetric_role
from nearsense.errors import CalibrationWarning, InputError
from nearsense.records import Metric, Origin, Ranking, parse
from nearsense.text import as_texts
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.corpus import Frame, TextColumn
    from nearsense.records import Vectors

NEAREST = 5  # neighbours of each text that make pairs with it
POOL = 5_000  # texts, or pairs, that are looked through for those worth a label


def calibrate(
    pairs: Iterable[tuple[str, str, bool | int]] | Frame,
    *,
    columns: Sequence[str] | None = None,
    encoder: Encoder | CrossEncoder | str | None = None,
    task: str = "own",
    prior: float | None = None,
    texts: Texts | None = None,
    text: TextColumn = None,
    progress: Progress = False,
) -> Calibration:
    """Learn from labelled pairs how probable it is that two texts of a score mean the same.

    Args:
        pairs: (one text, another, label): 1 or True where they mean the same, 0 or False where not. 20 at least;
            with 50 the calibration error is about 0.05, with some thousands 0.02. Or a frame or the path of a
            file, with `columns`.
        columns: The three columns of a frame or file: the two texts and the label.
        encoder: An Encoder, a CrossEncoder or a model's name; the default model without it.
        task: What the labels call "the same"; results are marked with it.
        prior: The share of same pairs where it will be used, within (0, 1); without it that among the labels.
        texts: The corpus where it will be used: what random pairs of it score is learnt, too. Without it the left
            texts of the pairs, where 50 or more of them differ.
        text: The column of a frame or file with the corpus that holds the texts.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        A Calibration: hand it to any verb as `calibration=`, keep it with a collection, or save it.

    Raises:
        InputError: There are fewer than 20 pairs, a pair has no label, all have the same, or a text is empty.

    Example:
        >>> import nearsense as ns
        >>> same = [(f"I like {each}.", f"I am fond of {each}.", 1) for each in map(str, range(20))]
        >>> other = [(f"I like {each}.", f"Trains to town {each} are late.", 0) for each in map(str, range(20))]
        >>> calibration = ns.calibrate(same + other)
        >>> calibration.figures.labels, calibration.probability(0.9) > 0.5
        (40, True)
    """
    known = [_labelled(position, pair) for position, pair in enumerate(as_pairs(pairs, columns, 3)[0])]
    texts_of_pairs = [(a, b) for a, b, _ in known]
    labels = np.array([label for _, _, label in known], np.float64)
    checked_labels(labels)
    prior = None if prior is None else checks.share(prior)
    scores, origin, vectors = _scored(texts_of_pairs, encoder, progress)
    if texts is not None:
        home: Background | None = background(texts, text=text, encoder=_bi(encoder), progress=progress)
    else:
        home = None if vectors is None else background_of(vectors)
    _warn_if_upside_down(scores, labels)
    model = None if vectors is None else resolve(_bi(encoder))
    kinds = _kinds(texts_of_pairs, model)
    others = starting_sets(origin, task, lambda each: calibration_by_probe(origin, each, model))
    return learn_calibration(
        scores, labels, origin, task=task, prior=prior, background=home, kinds=kinds, prior_sets=others
    )


def adapt(
    pairs: Iterable[tuple[str, str]] | Frame,
    *,
    columns: Sequence[str] | None = None,
    share: float,
    calibration: Calibration | str = Task.PARAPHRASE,
    encoder: Encoder | str | None = None,
    progress: Progress = False,
) -> Calibration:
    """Move a calibration to pairs without labels, of which you know how many mean the same.

    Args:
        pairs: (one text, another), 30 at least, chosen as those that it will be used on; or a frame or the path
            of a file, with `columns`.
        columns: The two columns of a frame or file that are the pair.
        share: The share of these that means the same, within (0, 1).
        calibration: A Calibration of the model, or the task of one that comes with it.
        encoder: An Encoder or a model's name; the default model without it.
        progress: True for a bar on stderr, or a function called with (done, total).

    Raises:
        InputError: There are fewer than 30 pairs, or no such calibration comes with the model.
        ModelMismatch: The calibration is of another model.

    Example:
        >>> import nearsense as ns
        >>> pairs = [(f"item {n}", f"article {n}") for n in range(20)] + [("a", f"train {n}") for n in range(20)]
        >>> moved = ns.adapt(pairs, share=0.5)
        >>> moved.prior
        0.5
    """
    known: list[tuple[str, str]] = as_pairs(pairs, columns)[0]
    scores, origin, vectors = _scored(known, encoder, progress)
    if isinstance(calibration, str):
        task = parse(Task, calibration, name="calibration")
        found = shipped_calibration(origin, task)
        if found is None:
            why, fix = "there is nothing to adapt", "label 30 pairs and use ns.calibrate"
            raise InputError(f"no calibration comes with {origin.model}", why=why, fix=fix)
        calibration = found
    calibration.require(origin.model, origin.fingerprint, origin.metric)
    kinds = _kinds(known, None if vectors is None else resolve(_bi(encoder)))
    return calibration.adapted(scores, share=share, kinds=kinds)


def background(
    texts: Texts,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    progress: Progress = False,
) -> Background:
    """What random pairs of a corpus score: how surprising a score is, without any label.

    Args:
        texts: Strings or Documents, a Series, a path; or a frame, with `text`. 50 at least that differ; of more
            than 2,000 as many are taken, evenly.
        text: The column of a frame or file that holds the texts; of several they are joined.
        encoder: An Encoder or a model's name; the default model without it.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        A Background: `false_positives(score)` is the share of random pairs that score as much. That is no
        probability: it says how rarely chance gives such a score.

    Raises:
        InputError: There are too few texts, or one is empty.

    Example:
        >>> import nearsense as ns
        >>> texts = [f"The {colour} car number {n}." for n in range(30) for colour in ("red", "blue")]
        >>> found = ns.background(texts)
        >>> found.false_positives(0.999) < found.false_positives(0.5)
        True
    """
    documents = as_documents(texts, text)
    some = [document.text for document in _some_of(documents, SAMPLE)]
    encoder = resolve(encoder)
    found = background_of(encoder.encode(some, role=symmetric_role(encoder), progress=progress)) if some else None
    if found is None:
        why, fix = f"at least {FEWEST} that differ are needed", "give more texts"
        raise InputError(f"{len(documents):,} texts tell too little about random pairs", why=why, fix=fix)
    return found


def spread_evenly(calibration: Calibration, weights: NDArray[np.float64], prior: float | None) -> Calibration:
    """A calibration whose labels were spread over the scores, made to know how pairs score where they were drawn.

    What a score means is learnt alike either way; how many pairs score so is not, nor what share is the same.
    """
    assert calibration.labelled is not None
    labelled = replace(calibration.labelled, weights=weights)
    order = np.argsort(labelled.scores)
    parts = weights[order] / weights.sum()
    share = float(np.clip(parts @ labelled.labels[order], 1e-3, 1 - 1e-3))
    reference = np.interp(np.linspace(0, 1, 512), np.cumsum(parts) - parts / 2, labelled.scores[order])
    prior = share if prior is None else prior
    return replace(calibration, share=share, prior=prior, reference=reference, labelled=labelled)


def pairs_to_judge(
    texts: Sequence[str] | Sequence[tuple[str, str]], *, encoder: Encoder, progress: Progress = False
) -> tuple[list[tuple[str, str]], NDArray[np.float64]]:
    """Pairs that a person may judge, and their scores: those given, or each text with its nearest ones.

    Pairs that are one text but for case, space and punctuation are left out: there is nothing to judge. Of more
    than 5,000 texts or pairs as many are taken, evenly.
    """
    some: list[str | tuple[str, str]] = _some_of(texts, POOL)
    pairs = [each for each in some if not isinstance(each, str)]
    if len(pairs) < len(some):
        pairs = _near([each for each in some if isinstance(each, str)], encoder, progress)
    by_forms = {frozenset(map(normal_form, pair)): pair for pair in reversed(pairs)}
    different = [pair for forms, pair in reversed(by_forms.items()) if len(forms) > 1]
    if len(different) < LEAST:
        raise InputError(
            f"{len(different):,} pairs are too few to ask for",
            why=f"it takes {LEAST} that differ in more than case and punctuation",
            fix="give more pairs, or a file with one column of texts: pairs are made of those that are near",
        )
    return different, _scored(different, encoder, progress)[0]


def _some_of(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of some items, evenly over all."""
    rows = np.linspace(0, max(len(items) - 1, 0), min(len(items), most)).astype(int)
    return [items[row] for row in np.unique(rows).tolist()]


def _near(texts: Sequence[str], encoder: Encoder, progress: Progress) -> list[tuple[str, str]]:
    """Each text with those nearest to it."""
    from nearsense.mining import nearest

    different = list({normal_form(text): text for text in reversed(as_texts(texts, content=True))}.values())[::-1]
    if len(different) < 2:
        return []
    vectors = encoder.encode(different, role=symmetric_role(encoder), progress=progress)
    found = nearest(vectors.data, NEAREST)
    return [(different[row], different[other]) for row, near in enumerate(found.ids.tolist()) for other in near]


def _scored(
    pairs: Sequence[tuple[str, str]], encoder: Encoder | CrossEncoder | str | None, progress: Progress
) -> tuple[NDArray[np.float64], Origin, Vectors | None]:
    """The score of each pair, what gave it, and the vectors of the left texts where there are any."""
    lefts = as_texts((a for a, _ in pairs), "left text", content=True)
    rights = as_texts((b for _, b in pairs), "right text", content=True)
    if is_cross_encoder(encoder):
        cross = np.asarray(encoder.score(list(zip(lefts, rights, strict=True)), progress=progress), np.float64)
        return cross, Origin(encoder.name, encoder.fingerprint, Ranking.CROSS), None
    from nearsense.vectors.similarity import paired_cosine

    model = resolve(_bi(encoder))
    vectors = model.encode([*lefts, *rights], role=symmetric_role(model), progress=progress)
    scores = paired_cosine(vectors.data[: len(lefts)], vectors.data[len(lefts) :]).astype(np.float64)
    return scores, Origin(model.name, vectors.fingerprint, Metric.COSINE), vectors.take(range(len(lefts)))


def _bi(encoder: Encoder | CrossEncoder | str | None) -> Encoder | str | None:
    """An encoder, where one was named; a cross-encoder has no vectors."""
    return encoder if isinstance(encoder, str) or is_encoder(encoder) else None


def _kinds(pairs: Sequence[tuple[str, str]], encoder: Encoder | None) -> list[list[str]]:
    """For each pair the kinds of difference that are seen; a cross-encoder does not tell what it reads."""
    from nearsense.pair_differences import pair_differences

    seen = pair_differences([a for a, _ in pairs], [b for _, b in pairs], encoder=encoder)
    return [[each.kind.value for each in found] for found in seen]


def _warn_if_upside_down(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> None:
    """Say so where pairs that are labelled the same score less than others."""
    from nearsense.metrics import roc_auc

    area = roc_auc(labels.astype(np.int64), scores)
    if area < 0.5:
        text = f"pairs labelled the same score less than others (ROC AUC {area:.2f})"
        text += ": the labels may be the other way round"
        warnings.warn(CalibrationWarning(text), stacklevel=3)


def _labelled(position: int, pair: Sequence[object]) -> tuple[str, str, float]:
    if isinstance(pair, (tuple, list)) and len(pair) == 3:
        a, b, label = pair
        if label in (0, 1):
            return cast("str", a), cast("str", b), float(cast("int", label))
        raise InputError(f"pair {position} has the label {label!r}", why="a label is 1 (same) or 0 (not)")
    why, fix = "it takes two texts and a label", 'give [("a", "b", 1), ...]; for pairs without labels see ns.adapt'
    raise InputError(f"item {position} is no labelled pair", why=why, fix=fix)
