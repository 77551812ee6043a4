"""Which examples one step learns from, for the whole run, by seed: the plan of a run. Not how a step learns.

Where the others of a batch are taken for negatives, none of them may be right: no two of a batch share a text, a
group of near-duplicates, or a class.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np

Batch = list[int]
T = TypeVar("T")


def plain(count: int, size: int, epochs: int, seed: int) -> list[Batch]:
    """Every example once an epoch, in an order of its own.

    Example:
        >>> plan = plain(5, 2, 2, seed=0)
        >>> [len(batch) for batch in plan], sorted(sum(plan, []))
        ([2, 2, 1, 2, 2, 1], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    """
    plan = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
        plan += [order[start : start + size] for start in range(0, count, size)]
    return plan


def apart(keys: Sequence[Hashable], size: int, epochs: int, seed: int) -> list[Batch]:
    """Every example once an epoch, no two of one key in a batch; a batch of one has no negatives, and is left out.

    Example:
        >>> plan = apart(["a", "a", "b", "b", "c"], 3, 1, seed=0)
        >>> all(len({"aabbc"[row] for row in batch}) == len(batch) for batch in plan)
        True
    """
    plan = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(keys)).tolist()
        plan += _dealt(order, [keys[row] for row in order], size)
    return plan


def of_classes(
    labels: Sequence[Hashable], size: int, each: int, epochs: int, seed: int
) -> list[list[tuple[int, ...]]]:
    """Batches of pieces of a class, `each` texts of it at a time and no class twice; of `size` texts in all.

    Every text of a class of two or more is there once an epoch at least; the last piece of a class is filled up
    with others of it. Texts that are alone in their class are negatives of others only, as pieces of their own.

    Example:
        >>> plan = of_classes(list("aaabbc"), 4, 2, 1, seed=0)
        >>> sorted(len(piece) for batch in plan for piece in batch)
        [1, 2, 2, 2]
    """
    members: dict[Hashable, list[int]] = {}
    for row, label in enumerate(labels):
        members.setdefault(label, []).append(row)
    plan = []
    for epoch in range(epochs):
        rng, pieces = np.random.default_rng([seed, epoch]), []
        for label, rows in members.items():
            order = rng.permutation(rows).tolist()
            for start in range(0, len(order), each):
                piece = order[start : start + each]
                lacking = min(each, len(order)) - len(piece)
                piece += rng.permutation([row for row in order if row not in piece]).tolist()[:lacking]
                pieces.append((label, tuple(piece)))
        order = rng.permutation(len(pieces)).tolist()
        plan += _dealt([pieces[at][1] for at in order], [pieces[at][0] for at in order], max(2, size // each))
    return plan


def _dealt(items: Sequence[T], keys: Sequence[Hashable], size: int) -> list[list[T]]:
    """Items in batches of `size` in their order, those waiting whose key is in the batch already.

    One that is alone in the end joins the smallest batch without its key; where all have it, it is left out.
    """
    batches: list[list[T]] = []
    known: list[set[Hashable]] = []
    waiting = list(range(len(items)))
    while waiting:
        seen: set[Hashable] = set()
        batch: list[T] = []
        later: list[int] = []
        for place, at in enumerate(waiting):
            if len(batch) == size:
                later += waiting[place:]
                break
            if keys[at] in seen:
                later.append(at)
            else:
                seen.add(keys[at])
                batch.append(items[at])
        batches.append(batch)
        known.append(seen)
        waiting = later
    for alone, seen in zip(batches, known, strict=True):
        others = [at for at, own in enumerate(known) if not own & seen and batches[at]]
        if len(alone) == 1 and others:
            at = min(others, key=lambda at: len(batches[at]))
            batches[at].append(alone.pop())
            known[at] |= seen
    return [batch for batch in batches if len(batch) > 1]
