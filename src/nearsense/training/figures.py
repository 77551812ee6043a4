"""One figure on what is held out, by which the best step of a run is chosen. Not the report: see judging."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.metrics import average_precision, spearman
from nearsense.training.examples import ENTAILMENT_LABELS, Examples, Kind
from nearsense.training.preparing import LABEL, TEXTS, Rows
from nearsense.vectors.similarity import paired_cosine

if TYPE_CHECKING:
    from nearsense.training.trainer import Encode

FEWEST = 30
"""Held-out examples from which on a figure chooses; fewer would choose by luck."""

DISTRACTORS = 2000
"""Texts beside the held-out ones among which the right one is looked for, at most."""

PER_CLASS = 20
"""Texts learnt from that make a class's centre, at most."""


def figure_of_pairs(held: Rows) -> Callable[[Any], float] | None:
    """How well a cross-encoder's scores follow what is true of pairs: average precision, or Spearman of grades."""
    left, right, truth = held.columns[TEXTS[0]], held.columns[TEXTS[1]], held.columns[LABEL]
    if len(truth) < FEWEST or len(set(truth)) < 2:
        return None
    pairs, plain = list(zip(left, right, strict=True)), set(truth) <= {0.0, 1.0}
    return lambda score: average_precision(truth, score(pairs)) if plain else spearman(score(pairs), truth)


def figure_for(held: Examples, learnt: Examples, roles: tuple[str | None, ...]) -> Callable[[Any], float] | None:
    """What is asked of a model on what is held out; None where there is too little, or nothing to be asked."""
    if len(held) < FEWEST:
        return None

    def cosines(encode: Encode, other: int = 1) -> Any:
        left, right = (encode(held.texts[column], roles[column]) for column in (0, other))
        return paired_cosine(left, right)

    match held.kind:
        case Kind.GRADED if len(set(held.truth)) > 1:
            return lambda encode: spearman(cosines(encode), np.asarray(held.truth, np.float64))
        case Kind.ENTAILMENT if set(held.labels) <= set(ENTAILMENT_LABELS) and len(set(held.truth)) > 1:
            order = np.array([ENTAILMENT_LABELS.index(label) for label in held.truth], np.float64)
            return lambda encode: spearman(cosines(encode), order)
        case Kind.LABELLED if len(set(held.truth)) > 1:
            return lambda encode: average_precision(held.truth, cosines(encode))
        case Kind.TRIPLETS:
            return lambda encode: float(np.mean(cosines(encode) > cosines(encode, 2)))
        case Kind.POSITIVES:
            others = [text for text in dict.fromkeys(learnt.texts[1]) if text not in set(held.texts[1])]
            return lambda encode: _reciprocal_rank(encode, held, others[:DISTRACTORS], roles)
        case Kind.CLASSES:
            return lambda encode: _nearest_centre(encode, held, learnt, roles[0])
    return None


def _reciprocal_rank(encode: Encode, held: Examples, others: list[str], roles: tuple[str | None, ...]) -> float:
    """1 / rank of the best text that is right for each query, among all that are there."""
    corpus = [*dict.fromkeys(held.texts[1]), *others]
    number = {text: at for at, text in enumerate(corpus)}
    right: dict[str, list[int]] = {}
    for query, text in held.rows():
        right.setdefault(query, []).append(number[text])
    scores = encode(list(right), roles[0]) @ encode(corpus, roles[1]).T
    best = np.array([row[ids].max() for row, ids in zip(scores, right.values(), strict=True)])
    return float(np.mean(1 / (1 + (scores > best[:, None]).sum(axis=1))))


def _nearest_centre(encode: Encode, held: Examples, learnt: Examples, role: str | None) -> float:
    """How many held-out texts are nearest to the centre of their own class."""
    numbers = {label: at for at, label in enumerate(dict.fromkeys(learnt.truth))}
    members: dict[str, list[str]] = {}
    for text, label in zip(learnt.texts[0], learnt.truth, strict=True):
        members.setdefault(label, []).append(text)
    some = [(text, label) for label, texts in members.items() for text in texts[:PER_CLASS]]
    known, asked = encode([text for text, _ in some], role), encode(held.texts[0], role)
    centres = np.zeros((len(numbers), known.shape[1]))
    np.add.at(centres, [numbers[label] for _, label in some], known)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True).clip(min=1e-12)
    found = (asked @ centres.T).argmax(axis=1)
    return float(np.mean(found == [numbers.get(label, -1) for label in held.truth]))
