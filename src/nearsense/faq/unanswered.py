"""Questions that got no answer: kept in memory with counts, and grouped by meaning. Not why they got none."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._forks import lock
from nearsense.faq.items import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

__all__ = ["Gap", "Unanswered"]

MOST = 10_000
"""Different questions that are kept; the longest unheard goes first."""

NUMBER = (int, float, np.integer, np.floating)

LONGEST = 1000
"""Characters that are kept of a question."""

BLOCK = 512


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that people ask and the FAQ does not answer.

    Args:
        label: The most central of the questions.
        count: How often one of them was asked.
        questions: The different questions, the most frequent first, each with its count.
    """

    label: str
    count: int
    questions: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        also = f" (and {len(self.questions) - 1:,} like it)" if len(self.questions) > 1 else ""
        return f"asked {self.count:,} {'times' if self.count != 1 else 'time'}: {self.label}{also}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        questions = [{"question": text, "count": count} for text, count in self.questions]
        return {"label": self.label, "count": self.count, "questions": questions}


class Unanswered:
    """What was asked without an answer, at most `most` different questions. Safe to use from several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, lock()
        self._kept: OrderedDict[str, tuple[str, int, Float32]] = OrderedDict()

    def add(self, question: str, vector: Float32) -> None:
        """One more time. The vector is copied: a view would keep all of its batch."""
        short = question if len(question) <= LONGEST else question[: LONGEST - 1] + "…"
        key = plain(short)
        with self._lock:
            text, count, own = self._kept.pop(key) if key in self._kept else (short, 0, vector.copy())
            self._kept[key] = (text, count + 1, own)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def counts(self) -> dict[str, int]:
        """Each question as it was first asked and how often it was, the most frequent first."""
        with self._lock:
            kept = list(self._kept.values())
        return {text: count for text, count, _ in sorted(kept, key=lambda each: -each[1])}

    def gaps(self, min_score: float) -> list[Gap]:
        """Groups of what is near in meaning, the most asked first; every member is that near to the label.

        Args:
            min_score: The least cosine similarity between a group's label and its members.

        Raises:
            InputError: It is no number from -1 to 1.
        """
        checks.score(min_score, such=0.5)
        with self._lock:
            kept = list(self._kept.values())
        if not kept:
            return []
        vectors = np.stack([vector for _, _, vector in kept])
        counts = np.array([count for _, count, _ in kept], np.int64)
        gaps = []
        for members in _stars(vectors, counts, min_score):
            asked = sorted(((kept[each][0], int(counts[each])) for each in members), key=lambda pair: -pair[1])
            gaps.append(Gap(kept[members[0]][0], int(counts[members].sum()), tuple(asked)))
        return sorted(gaps, key=lambda gap: -gap.count)


def _stars(vectors: Float32, counts: NDArray[np.int64], least: float) -> list[list[int]]:
    """Greedy stars: who has most neighbours takes them; the rest goes on alone. The centre is first in each."""
    weight = np.empty(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        scores = vectors[start : start + BLOCK] @ vectors.T
        weight[start : start + BLOCK] = np.where(scores >= least, scores, 0) @ counts
    free = np.ones(len(vectors), bool)
    stars = []
    for centre in np.argsort(-weight, kind="stable").tolist():
        if not free[centre]:
            continue
        rows = np.flatnonzero(free)
        near = rows[vectors[rows] @ vectors[centre] >= least]
        members = [centre, *(each for each in near.tolist() if each != centre)]
        free[members] = False
        stars.append(members)
    return stars
