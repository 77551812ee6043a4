"""What it costs a candidate that something differs between the question and the phrasing it matched.

"How do I enable it?" is near to "How do I disable it?" and wants another answer. A candidate that differs is at
most as probable as two requests of its cosine that differ so (docs/calibration.md); scores stay as they are. What
the model cannot read is never answered by something else that it cannot read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration import Task, shipped
from nearsense.calibration.curve import logit, sigmoid
from nearsense.calibration.guarding import GENERAL, shifts_of
from nearsense.calibrator import unfamiliar_pairs
from nearsense.types import Hit, Origin, Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.guard import Difference

__all__ = ["Candidates", "guarded"]

_EDGE = 1e-12

_SENSE = {"antonym", "negation", "roles", "unread"}
"""Kinds that change what is asked, whatever people fill in."""

UNREAD = 0.2
"""What is probable at most where an entry has what the model does not read in it, and the question has not: below
every threshold."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found for a question.

    Args:
        hits: The entries, at least one, with probabilities and intervals.
        cosines: Of the question and the phrasing that each matched.
        slots: Whether each entry has several phrasings: then amounts, dates and names are what people fill in.
        own: Whether the first entry has the question itself among its phrasings: nothing differs there.
        known: That the FAQ has an entry for the question.
        listed: That one of the best three is it, if so.
    """

    hits: Results[Hit]
    cosines: list[float]
    slots: list[bool]
    own: bool = False
    known: float = 0.0
    listed: float = 0.0


def guarded(found: Sequence[Candidates], origin: Origin, prior: float, encoder: Encoder) -> list[Results[Hit]]:
    """Candidates that are less probable where something differs; the most probable comes first.

    Those that the model cannot judge have no probability, and say why.

    Args:
        found: The candidates of each question.
        origin: The model's.
        prior: The share of questions that the FAQ can answer.
        encoder: The model.
    """
    from nearsense.pair_differences import pair_differences

    questions = [each.hits.query or "" for each in found for _ in each.hits]
    phrasings = [str(hit.metadata["phrasing"]) for each in found for hit in each.hits]
    seen = iter(pair_differences(questions, phrasings, encoder=encoder))
    why = iter(unfamiliar_pairs(questions, phrasings, encoder))
    return [
        _lowered(each, [next(seen) for _ in each.hits], [next(why) for _ in each.hits], origin, prior)
        for each in found
    ]


def _lowered(
    found: Candidates,
    differs: list[tuple[Difference, ...]],
    unsure: list[str | None],
    origin: Origin,
    prior: float,
) -> Results[Hit]:
    if found.own:
        differs, unsure = [(), *differs[1:]], [None, *unsure[1:]]
    hits = found.hits
    chances = np.array([hit.probability or 0.0 for hit in hits])
    if any(differs):
        chances = np.minimum(chances, _bounds(found, chances, differs, origin, prior))
    order = np.argsort(-chances, kind="stable").tolist()
    if found.own:
        order = [0, *(row for row in order if row)]
    return Results(
        (
            replace(
                hits[row],
                rank=rank,
                probability=None if unsure[row] else float(chances[row]),
                interval=None if unsure[row] else _moved(hits[row], float(chances[row])),
                differs=tuple(str(one) for one in differs[row]),
                unsure=unsure[row],
            )
            for rank, row in enumerate(order, 1)
        ),
        hits.origin,
        hits.query,
    )


def _moved(hit: Hit, chance: float) -> tuple[float, float] | None:
    """The interval of a candidate that has become less probable."""
    if hit.interval is None or hit.probability is None or chance == hit.probability:
        return hit.interval
    before, now, *ends = logit(np.clip([hit.probability, chance, *hit.interval], _EDGE, 1 - _EDGE)).tolist()
    low, high = sigmoid(np.array(ends) + now - before).tolist()
    return min(low, chance), max(high, chance)


def _bounds(
    found: Candidates,
    chances: NDArray[np.float64],
    differs: Sequence[tuple[Difference, ...]],
    origin: Origin,
    prior: float,
) -> NDArray[np.float64]:
    """What the probability of each candidate is at most: that of two requests of its score that differ so.

    Where no calibration comes with the model, the difference lowers the FAQ's own probability.
    """
    kinds = [
        [one.kind for one in some if one.kind in _SENSE or not slots]
        for some, slots in zip(differs, found.slots, strict=True)
    ]
    request, paraphrase = (shipped(origin, task) for task in (Task.REQUEST, Task.PARAPHRASE))
    if request is None or paraphrase is None:
        ratios, guard = logit(np.clip(chances, _EDGE, 1 - _EDGE)) - logit(prior), GENERAL
    else:
        ratios, guard = request.log_ratio(np.clip(found.cosines, -1.0, 1.0)), paraphrase.guard
    bounds = sigmoid(ratios + logit(prior) + shifts_of(guard, ratios, kinds))
    bounds[[not some for some in kinds]] = 1.0
    missed = [any(one.kind == "unread" and one.right for one in some) for some in differs]
    return np.where(missed, np.minimum(bounds, UNREAD), bounds)
