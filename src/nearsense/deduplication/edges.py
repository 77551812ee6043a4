"""Pairs of distinct texts in columns: how near, how sure, in what way, what differs. Not which rows they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.assurance import SAME_TEXT
from nearsense.deduplication.results import TIERS, Tier
from nearsense.errors import TooLargeError
from nearsense.vectors.similarity import paired_cosine
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.deduplication.sureness import Sureness
    from nearsense.encoders import Encoder

__all__ = ["EXACT", "NORMALIZED", "SEMANTIC", "Edges", "judged", "normalized_pairs", "scored"]

EXACT, NORMALIZED, SEMANTIC = (TIERS.index(tier) for tier in (Tier.EXACT, Tier.NORMALIZED, Tier.SEMANTIC))

MOST = 50_000_000
"""Pairs of one normal form that are listed at most."""

_BATCH = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """m pairs of distinct texts; each pair stands here once.

    Args:
        left: int64, shape (m,): a text.
        right: int64, shape (m,): another.
        score: float32, shape (m,): their cosine similarity.
        tier: int8, shape (m,): in what way they say the same, as its place among the tiers.
        probability: float64, shape (m,); None where no calibration is known.
        readable: float64, shape (m,): the same were it not for what the model does not read.
        shift: float32, shape (m,): what the guard added to the log-odds.
        guarded: bool, shape (m,): whether something differs between them.
        unsure: bool, shape (m,): whether the model was not made for one of the two; then the probability is 0, and
            nobody says so.
        differs: What differs, by the pair's number, for pairs that are guarded: the kind, what `left` has, what
            `right` has; None where nobody has looked.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    score: NDArray[np.float32]
    tier: NDArray[np.int8]
    probability: NDArray[np.float64] | None
    readable: NDArray[np.float64] | None
    shift: NDArray[np.float32]
    guarded: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    differs: Mapping[int, tuple[tuple[str, str, str], ...]] | None

    def __len__(self) -> int:
        return len(self.score)

    @property
    def strength(self) -> NDArray[Any]:
        """What a threshold is about where a probability was asked for; the score where none is known."""
        return self.score if self.probability is None else self.probability

    def words(self, edge: int, *, turned: bool = False) -> tuple[str, ...] | None:
        """What differs between the texts of a pair, from `left` to `right`; `turned`, the other way.

        Returns:
            "number: 15 → 51"; empty where nothing differs, None where nobody has looked.
        """
        if self.differs is None:
            return None
        found = [(kind, (b, a) if turned else (a, b)) for kind, a, b in self.differs.get(edge, ())]
        return tuple(f"{kind}: {' → '.join(side for side in sides if side)}" for kind, sides in found)

    def take(self, order: NDArray[np.int64]) -> Edges:
        """Some pairs, in this order."""
        differs = self.differs
        if differs:
            place = np.full(len(self), -1, np.int64)
            place[order] = np.arange(len(order))
            differs = {int(place[at]): found for at, found in differs.items() if place[at] >= 0}
        columns = {
            name: getattr(self, name)[order]
            for name in ("left", "right", "score", "tier", "shift", "guarded", "unsure")
        }
        columns |= {
            name: None if (column := getattr(self, name)) is None else column[order]
            for name in ("probability", "readable")
        }
        return replace(self, **columns, differs=differs)


def judged(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    score: NDArray[np.float32],
    tier: NDArray[np.int8],
    texts: tuple[Sequence[str], Sequence[str]] | None,
    sure: Sureness | None,
    encoder: Encoder | None,
    foreign: NDArray[np.bool_],
    progress: Progress,
) -> Edges:
    """What differs between the texts of each pair, and how sure that leaves one.

    Args:
        left: A text of each pair.
        right: The other.
        score: Their similarity.
        tier: In what way they say the same.
        texts: The texts of both sides; None where the guard shall not look, or there is nothing to read.
        sure: What gives probabilities, if anything.
        encoder: The model, where it is at hand: it tells what it does not read.
        foreign: bool, one a text of both sides: whether the model was not made for it.
        progress: As everywhere.
    """
    m = len(score)
    known = np.clip(score.astype(np.float64), -1.0, 1.0)
    shift, rest, guarded = np.zeros(m, np.float32), np.zeros(m, np.float32), np.zeros(m, bool)
    differs: dict[int, tuple[tuple[str, str, str], ...]] = {}
    unsure = (tier == SEMANTIC) & (foreign[left] | foreign[right])
    looked = np.flatnonzero(tier != EXACT) if texts is not None else np.empty(0, np.int64)
    looked = looked[np.lexsort((right[looked], left[looked]))]  # texts of equal lefts in a row are read once
    if texts is not None and len(looked):
        from nearsense.guard import Kind
        from nearsense.pair_differences import pair_differences

        here, there = texts
        with tracked(len(looked), "pairs", progress) as update:
            for begin in range(0, len(looked), _BATCH):
                part = looked[begin : begin + _BATCH]
                found = pair_differences(
                    [here[at] for at in left[part].tolist()],
                    [there[at] for at in right[part].tolist()],
                    encoder=encoder,
                    scores=np.where(tier[part] == SEMANTIC, known[part], 0.0),
                )
                for at, each in zip(part.tolist(), found, strict=True):
                    if each:
                        differs[at] = tuple((one.kind.value, one.left, one.right) for one in each)
                        guarded[at] = True
                if sure is not None:
                    kinds = [[one.kind for one in each] for each in found]
                    shift[part] = sure.shifts(known[part], kinds)
                    rest[part] = sure.shifts(
                        known[part], [[k for k in each if k != Kind.UNREAD] for each in kinds]
                    )
                update(begin + len(part))
    probability = readable = None
    if sure is not None:
        probability, readable = (sure.probability(known, each.astype(np.float64)) for each in (shift, rest))
        for column in (probability, readable):
            column[tier == EXACT] = 1.0
            column[(tier == NORMALIZED) & ~guarded] = SAME_TEXT
            column[unsure] = 0.0
    named = differs if texts is not None else None
    return Edges(left, right, score, tier, probability, readable, shift, guarded, unsure, named)


def normalized_pairs(
    texts: Sequence[str], archive: Sequence[str], *, within: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of distinct texts with one normal form; the texts of an archive are numbered after the others.

    Args:
        texts: Distinct texts; the left of each pair is one of them.
        archive: Distinct texts to compare them with.
        within: Whether they are compared with each other too.

    Raises:
        TooLargeError: There are more than fifty million.
    """
    forms: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        forms.setdefault(normal_form(text), []).append(number)
    others: dict[str, list[int]] = {}
    for number, text in enumerate(archive, len(texts)):
        form = normal_form(text)
        if form in forms:
            others.setdefault(form, []).append(number)
    lefts, rights, total = [], [], 0
    for form, here in forms.items():
        there = others.get(form, [])
        if len(here) + len(there) < 2:
            continue
        total += len(here) * len(there) + (len(here) * (len(here) - 1) // 2 if within else 0)
        if total > MOST:
            raise TooLargeError(
                f"more than {MOST:,} pairs of texts differ in nothing but case, space and punctuation",
                why="their list would not fit into memory",
                fix="normalize the texts before: strip spaces, say",
            )
        own = np.array(here, np.int64)
        if within:
            i, j = np.triu_indices(len(own), 1)
            lefts.append(own[i])
            rights.append(own[j])
        lefts.append(np.repeat(own, len(there)))
        rights.append(np.tile(np.array(there, np.int64), len(own)))
    if not lefts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    left, right = np.concatenate(lefts), np.concatenate(rights)
    same = (
        np.array(
            [
                texts[i] == archive[j - len(texts)] if j >= len(texts) else False
                for i, j in zip(left.tolist(), right.tolist(), strict=True)
            ],
            bool,
        )
        if len(archive)
        else None
    )
    return (left, right) if same is None else (left[~same], right[~same])


def scored(
    data: NDArray[np.float32], archive: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The cosine similarity of pairs, numbered as `normalized_pairs` does."""
    found = np.empty(len(left), np.float32)
    for begin in range(0, len(left), _BATCH):
        part = slice(begin, begin + _BATCH)
        i, j = left[part], right[part]
        inside = j < len(data)
        other = np.empty((len(j), data.shape[1]), np.float32)
        other[inside] = data[j[inside]]
        if not inside.all():
            other[~inside] = archive[j[~inside] - len(data)]
        found[part] = paired_cosine(data[i], other)
    return found
