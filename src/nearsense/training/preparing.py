"""Examples as what a loss reads: columns of texts and labels, and the batches of the whole run, by seed.

Where the others of a batch are taken for negatives, none of them may be right: no two of a batch share a text, a
group of near-duplicates, or a class.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearsense.training.examples import ENTAILMENT_LABELS, Examples, Kind
from nearsense.training.losses import Loss
from nearsense.training.negatives import roles_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

Batch = list[int]
T = TypeVar("T")

TEXTS = ("anchor", "positive", "negative")
LABEL = "label"

PER_CLASS = 4
"""Texts of a class that stand together in a batch, where all of its texts are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What a run learns from."""

    columns: dict[str, list[Any]]  # the texts by column, and the labels where a loss has some
    roles: dict[str, str | None]  # what a model with prompts reads each column of texts as
    batches: list[Batch]  # the rows of each step, in order, of all epochs
    labels: int = 0  # how many there are, for a loss that tells several apart

    def __len__(self) -> int:
        return len(self.batches)


def prepare(
    examples: Examples,
    loss: Loss,
    encoder: Encoder | None,
    *,
    groups: NDArray[np.int64],
    negatives: Sequence[str] = (),
    batch: int,
    epochs: int,
    seed: int,
) -> Rows:
    """The rows of a run of n examples, of a kind that suits the loss; with the encoder's prompts, if there is one.

    `groups`, shape (n,), say which examples hang together and must not be each other's negatives; `negatives` is a
    hard negative for each, for positives, "" where there is none; `batch` is how many examples a step takes.
    """
    texts, labels = [list(column) for column in examples.texts], list(examples.truth)
    roles = roles_of(examples, encoder) if encoder is not None else (None,) * len(texts)
    if loss is Loss.BINARY:
        texts, labels = _as_pairs(examples, negatives, seed)
        return _rows(texts, (None, None), plain(len(labels), batch, epochs, seed), labels)
    if examples.kind is Kind.CLASSES:
        return _of_classes(texts[0], labels, loss, roles[0], batch, epochs, seed)
    if loss is Loss.NEGATIVES:
        kept = list(range(len(examples)))
        if examples.kind is Kind.LABELLED:
            kept = [row for row in kept if labels[row]]
        columns = [[column[row] for row in kept] for column in texts]
        if any(negatives):
            columns.append([negatives[row] for row in kept])
        roles = (*roles, roles[-1])[: len(columns)]
        return _rows(columns, roles, apart(groups[kept].tolist(), batch, epochs, seed))
    if loss is Loss.SOFTMAX:
        labels = [examples.labels.index(label) for label in labels]
    elif examples.kind is Kind.LABELLED:
        labels = [int(label) if loss is Loss.CONTRASTIVE else float(label) for label in labels]
    return _rows(texts, roles, plain(len(examples), batch, epochs, seed), labels, len(examples.labels))


def _rows(
    columns: Sequence[list[str]],
    roles: Sequence[str | None],
    batches: list[Batch],
    labels: Sequence[Any] = (),
    count: int = 0,
) -> Rows:
    named: dict[str, list[Any]] = dict(zip(TEXTS, columns, strict=False))
    if labels:
        named[LABEL] = list(labels)
    return Rows(named, dict(zip(TEXTS, roles, strict=False)), batches, count)


def _of_classes(
    texts: list[str], labels: list[str], loss: Loss, role: str | None, batch: int, epochs: int, seed: int
) -> Rows:
    """Two of a class as a pair, each against the other classes; or several of each, all against all."""
    if loss is not Loss.NEGATIVES:
        plan = of_classes(labels, batch, PER_CLASS, epochs, seed)
        number = {label: at for at, label in enumerate(dict.fromkeys(labels))}
        mixed = [[row for piece in each for row in piece] for each in plan]
        return _rows([texts], [role], mixed, [number[label] for label in labels], len(number))
    plan = of_classes(labels, 2 * batch, 2, epochs, seed)
    pairs: list[tuple[int, ...]] = []
    batches: list[Batch] = []
    for each in plan:
        whole = [piece for piece in each if len(piece) == 2]
        if len(whole) > 1:
            batches.append(list(range(len(pairs), len(pairs) + len(whole))))
            pairs += whole
    return _rows([[texts[one] for one, _ in pairs], [texts[other] for _, other in pairs]], [role, role], batches)


def _as_pairs(examples: Examples, negatives: Sequence[str], seed: int) -> tuple[list[list[str]], list[float]]:
    """Any kind as pairs with a number from 0 to 1, for what reads both texts together."""
    texts, truth = examples.texts, examples.truth
    match examples.kind:
        case Kind.GRADED | Kind.LABELLED:
            pairs = [(a, b, float(value)) for a, b, value in zip(*texts, truth, strict=True)]
        case Kind.ENTAILMENT:
            near = ENTAILMENT_LABELS[-1]
            pairs = [(a, b, float(label == near)) for a, b, label in zip(*texts, truth, strict=True)]
        case Kind.TRIPLETS:
            pairs = [
                (a, text, value) for a, b, c in zip(*texts, strict=True) for text, value in ((b, 1.0), (c, 0.0))
            ]
        case Kind.POSITIVES:
            pairs = [(a, b, 1.0) for a, b in zip(*texts, strict=True)]
            pairs += [(a, other, 0.0) for a, other in zip(texts[0], negatives, strict=False) if other]
        case Kind.CLASSES:
            pairs = _pairs_of_classes(texts[0], truth, seed)
    return [[a for a, _, _ in pairs], [b for _, b, _ in pairs]], [value for _, _, value in pairs]


def _pairs_of_classes(texts: Sequence[str], labels: Sequence[str], seed: int) -> list[tuple[str, str, float]]:
    """Each text with one of its class, and with one of another."""
    rng, pairs = np.random.default_rng(seed), []
    numbers = np.unique(list(labels), return_inverse=True)[1]
    for row, text in enumerate(texts):
        same = np.flatnonzero(numbers == numbers[row])
        same, other = same[same != row], np.flatnonzero(numbers != numbers[row])
        for rows, value in ((same, 1.0), (other, 0.0)):
            if len(rows):
                pairs.append((text, texts[int(rng.choice(rows))], value))
    return pairs


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
