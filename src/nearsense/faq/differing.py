"""What differs between a question and the phrasings it matched, and what that costs. Only here is the guard asked.

"How do I enable it?" is near to "How do I disable it?" and wants another answer. A candidate that differs is at
most as probable as two questions of its cosine that differ so (docs/calibration.md); scores stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration import Task, shipped
from nearsense.calibration.curve import logit, sigmoid
from nearsense.calibration.guarding import GENERAL, shifts_of
from nearsense.types import Hit, Origin, Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.guard import Difference

__all__ = ["Candidates", "Guarded", "guarded"]

Guarded = tuple[Results[Hit], tuple[str, ...]]
"""Candidates, and what differs between the question and the best of them."""

_EDGE = 1e-12

_SENSE = {"antonym", "negation", "roles"}
"""Kinds that change what is asked, whatever people fill in."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found for a question.

    Args:
        hits: The entries, at least one.
        cosines: Of the question and the phrasing that each matched.
        slots: Whether each entry has several phrasings: then amounts, dates and names are what people fill in.
    """

    hits: Results[Hit]
    cosines: list[float]
    slots: list[bool]


def guarded(found: Sequence[Candidates], origin: Origin, prior: float) -> list[Guarded]:
    """Candidates that are less probable where something differs; the most probable comes first.

    Args:
        found: The candidates of each question.
        origin: The model's.
        prior: The share of questions that the FAQ can answer.
    """
    from nearsense.guard import differences_many

    pairs = [(each.hits.query or "", str(hit.metadata["phrasing"])) for each in found for hit in each.hits]
    seen = iter(differences_many([question for question, _ in pairs], [phrasing for _, phrasing in pairs]))
    lowered = []
    for each in found:
        hits, differs = each.hits, [next(seen) for _ in each.hits]
        if any(differs):
            hits, differs = _lowered(each, differs, origin, prior)
        lowered.append((hits, tuple(str(each) for each in differs[0])))
    return lowered


def _lowered(
    found: Candidates, differs: list[tuple[Difference, ...]], origin: Origin, prior: float
) -> tuple[Results[Hit], list[tuple[Difference, ...]]]:
    kinds = [
        [each.kind for each in some if each.kind in _SENSE or not slots]
        for some, slots in zip(differs, found.slots, strict=True)
    ]
    hits = found.hits
    chances = np.array([hit.probability or 0.0 for hit in hits])
    bounds = _bounds(np.array(found.cosines), chances, kinds, origin, prior)
    chances = np.where([bool(some) for some in kinds], np.minimum(chances, bounds), chances)
    order = np.argsort(-chances, kind="stable").tolist()
    ranked = (replace(hits[row], rank=rank, probability=float(chances[row])) for rank, row in enumerate(order, 1))
    return Results(ranked, hits.origin, hits.query), [differs[row] for row in order]


def _bounds(
    scores: NDArray[np.float64],
    chances: NDArray[np.float64],
    kinds: Sequence[Sequence[str]],
    origin: Origin,
    prior: float,
) -> NDArray[np.float64]:
    """What the probability of each candidate is at most: that of two questions of its score that differ so.

    Where no calibration comes with the model, the difference lowers the FAQ's own probability.
    """
    question, paraphrase = (shipped(origin, task) for task in (Task.QUESTION, Task.PARAPHRASE))
    if question is None or paraphrase is None:
        ratios, guard = logit(np.clip(chances, _EDGE, 1 - _EDGE)) - logit(prior), GENERAL
    else:
        ratios, guard = question.log_ratio(np.clip(scores, -1.0, 1.0)), paraphrase.guard
    return sigmoid(ratios + logit(prior) + shifts_of(guard, ratios, kinds))
