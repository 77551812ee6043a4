"""Hard negatives: texts that look like the right one to the model, and are not. Mined by vectors before a run.

A text that scores nearly as high as the positive is more often right too than wrong, so a negative has to
stay below it by a margin (Moreira et al. 2024). One that differs from the positive in a number, a name or a
negation may be as near as it likes: that is what the model has to learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress
from nearsense.encoders.base import ROLES
from nearsense.pair_differences import pair_differences
from nearsense.training.examples import Examples
from nearsense.vectors.similarity import top_k
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

MARGIN = 0.05
"""A negative scores less than the positive by this share of the positive's score."""

LOOKED_AT = 50
"""Nearest texts among which a negative is looked for."""

GUARDED = 10
"""The nearest of these, which are compared with the positive word by word."""


def mine_negatives(
    examples: Examples,
    groups: NDArray[np.int64],
    encoder: Encoder,
    *,
    level: float,
    margin: float = MARGIN,
    seed: int = 0,
    progress: Progress = False,
) -> list[str]:
    """A wrong text for each of n positives.

    The nearest one that differs from the positive in what the guard sees; else the nearest that stays below the
    positive by the margin, in [0, 1), and says not the same as it, which texts do from `level` on; else any other.
    `groups`, shape (n,), say which examples hang together: what is right for one of a group is wrong for none.
    """
    anchors, rights = examples.texts
    corpus = list(dict.fromkeys(rights))
    number = {text: at for at, text in enumerate(corpus)}
    roles = roles_of(examples, encoder)
    asked, found = (
        encoder.encode(texts, role=role, normalize=True, progress=progress).data
        for texts, role in zip((anchors, corpus), roles, strict=False)
    )
    right: dict[int, set[int]] = {}
    for group, text in zip(groups.tolist(), rights, strict=True):
        right.setdefault(group, set()).add(number[text])
    nearest = top_k(asked, found, min(LOOKED_AT, len(corpus))).ids.tolist()
    looked: list[list[int]] = []
    for row, anchor in enumerate(anchors):
        known, form = right[int(groups[row])], normal_form(anchor)
        looked.append([one for one in nearest[row] if one not in known and normal_form(corpus[one]) != form])
    firsts = [(row, one) for row, ids in enumerate(looked) for one in ids[:GUARDED]]
    differing = pair_differences([rights[row] for row, _ in firsts], [corpus[one] for _, one in firsts])
    guarded: dict[int, int] = {}
    for (row, one), differs in zip(firsts, differing, strict=True):
        if differs:
            guarded.setdefault(row, one)
    rng, chosen = np.random.default_rng(seed), []
    for row, ids in enumerate(looked):
        own, ask = found[number[rights[row]]], asked[row]
        below = (found[ids] @ ask <= (1 - margin) * float(own @ ask)) & (found[ids] @ own < level)
        others = [*([guarded[row]] if row in guarded else []), *(ids[at] for at in np.flatnonzero(below)[:1])]
        if not others:
            known = right[int(groups[row])]
            others = [one for one in rng.integers(len(corpus), size=LOOKED_AT).tolist() if one not in known]
        chosen.append(corpus[others[0]] if others else "")
    return chosen


def needs_role(encoder: Encoder) -> bool:
    """Whether a model is meant to read no text without a prompt: it says so, or has one for either side."""
    prompts = encoder.prompts or {}
    return encoder.needs_role or all(prompts.get(role) for role in ROLES)


def roles_of(examples: Examples, encoder: Encoder) -> tuple[str | None, ...]:
    """What a model with prompts reads each column of texts as."""
    if not examples.searching:
        return ("query" if needs_role(encoder) else None,) * len(examples.texts)
    return ("query", *("passage",) * (len(examples.texts) - 1))
