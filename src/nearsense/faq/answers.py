"""What a FAQ says to a question: an answer, entries that may be meant, or nothing; and what was asked for in vain.

A FAQ's own question is found without a model. "How do I enable it?" is near to "How do I disable it?" and wants
another answer: a candidate that differs is at most as probable as two questions of its cosine that differ so
(docs/calibration.md); scores stay as they are. What the model cannot read is never answered by something else that
it cannot read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._forks import lock
from nearsense.calibration import Task, shipped_calibration
from nearsense.calibration.curve import GENERAL, logit, shifts_of, sigmoid
from nearsense.calibrator import unfamiliar_pairs
from nearsense.faq.entries import FAQItem, plain
from nearsense.records import Hit, Origin, Results, as_json, percent
from nearsense.vectors.rows import blocks
from nearsense.wording import UNLIKE, bare_form, likeness, unadorned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    from nearsense.encoders import Encoder
    from nearsense.guard import Difference

STRANGE = 0.25  # below this probability nothing in a FAQ is like the question

TORN = 0.5
"""Two entries between which a question is torn: the second has at least this share of the first's probability."""

MOST = 10_000  # different questions that are kept; the longest unheard goes first
LONGEST = 1000  # characters that are kept of a question
BLOCK = 512  # questions without an answer that are compared at once

SENSE = {"antonym", "negation", "roles", "unread"}
"""Kinds of difference that change what is asked, whatever people fill in."""

UNREAD = 0.2
"""What is probable at most where an entry has what the model does not read in it, and the question has not: below
every threshold."""

_EDGE = 1e-12
_ALIKE = ("word for word", *["but for how it is written"] * (UNLIKE - 1))


class Outcome(StrEnum):
    """What a FAQ does with a question."""

    ANSWER = "answer"
    DID_YOU_MEAN = "did you mean"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a FAQ says to a question. No answer is an ordinary value: `hit` is None, the near misses are there.

    Args:
        question: What was asked.
        hit: The entry that answers: `hit.text` is its question, `hit.metadata["answer"]` its answer; None where no
            entry is likely enough.
        probability: That the best entry is the right one, in [0, 1], whether it is given as an answer or not; None
            where the model cannot judge the question.
        threshold: The probability from which on the FAQ answers.
        candidates: The best entries, best first, each with its probability.
        reason: One sentence: why this answer, or why none and what would help.
        differs: What differs between the question and the phrasing of the best candidate that it matched.
        interval: Between what the probability lies, nineteen times in twenty.
        unsure: Why there is no probability: a language that the model was not made for, say.
        outcome: "answer"; "did you mean" where there is none but the right entry is probably one of `suggestions`;
            else "none".
        suggestions: With "did you mean" the entries to ask back with, three at most, the likeliest first.
    """

    question: str
    hit: Hit | None
    probability: float | None
    threshold: float
    candidates: Results[Hit]
    reason: str
    differs: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None
    unsure: str | None = None
    outcome: Outcome = Outcome.NONE
    suggestions: tuple[Hit, ...] = ()

    def __bool__(self) -> bool:
        return self.hit is not None

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.hit is not None

    @property
    def text(self) -> str | None:
        """The answer itself; None where there is none, or the entry has a question only."""
        return None if self.hit is None else self.hit.metadata.get("answer")

    def __str__(self) -> str:
        if self.suggestions:
            return "no answer; did you mean " + " or ".join(f"“{hit.text}”" for hit in self.suggestions) + "?"
        if self.hit is None:
            return f"no answer: {self.reason}"
        return f"{percent(self.probability or 0.0)}  {self.hit.text}" + (
            f"\n     {self.text}" if self.text else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        first = as_json(self, "question outcome answered")
        named = "hit probability interval threshold reason differs unsure suggestions"
        found = {"candidates": self.candidates.to_dicts(), **self.candidates.origin.to_dict()}
        return first | {"answer": self.text} | as_json(self, named) | found


def reason_of(candidates: Results[Hit], threshold: float, own: int | None = None) -> str:
    """One sentence: why the best candidate is the answer, or why none is and what would help.

    From the threshold on is answered; `own` is how the best one's phrasing is the question itself: `likeness`.
    """
    best, chance = candidates[0], candidates[0].probability
    if chance is None:
        return f"nearest: “{best.text}”, but the model cannot judge it: {best.unsure}"
    here = f"“{best.text}” at {percent(chance)}"
    if own is not None:
        return f"{here}: the question is its own, {_ALIKE[own]}"
    if chance >= threshold:
        return f"{here}, {percent(threshold)} is enough"
    needed = f"{percent(threshold)} is needed"
    differs = ", ".join(best.differs or ())
    if any(each.startswith("unread: ") for each in best.differs or ()):
        return (
            f"nearest: {here}, {needed}, and the model cannot read what differs ({differs}); "
            "add an entry for this question"
        )
    if chance < STRANGE and not differs:
        return f"nothing here is like it (nearest: {here}, {needed}); add an entry if the FAQ should answer it"
    second = candidates[1] if len(candidates) > 1 else None
    if second is not None and (second.probability or 0.0) >= TORN * chance:
        return (
            f"torn between {here} and “{second.text}” at {percent(second.probability or 0.0)}, {needed}; "
            "ask which is meant, or add this question as a phrasing of the right one"
        )
    if differs:
        return f"nearest: {here}, {needed}, and it differs ({differs}); add an entry for this question"
    return f"nearest: {here}, {needed}; add this question as a phrasing of it, or a new entry"


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

    def without(self, answered: Callable[[str], bool]) -> Unanswered:
        """Those of which it is not so that they are answered by now."""
        left = Unanswered(self._most)
        with self._lock:
            left._kept = OrderedDict((key, each) for key, each in self._kept.items() if not answered(each[0]))
        return left

    def counts(self) -> dict[str, int]:
        """Each question as it was first asked and how often it was, the most frequent first."""
        with self._lock:
            kept = list(self._kept.values())
        return {text: count for text, count, _ in sorted(kept, key=lambda each: -each[1])}

    def gaps(self, min_score: float) -> list[Gap]:
        """Groups of what is near in meaning, the most asked first; members score `min_score` with the label."""
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
    for part in blocks(len(vectors), BLOCK):
        scores = vectors[part] @ vectors.T
        weight[part] = np.where(scores >= least, scores, 0) @ counts
    free = np.ones(len(vectors), bool)
    stars = []
    for centre in np.argsort(-weight, kind="stable").tolist():
        if free[centre]:
            rows = np.flatnonzero(free)
            near = rows[vectors[rows] @ vectors[centre] >= least]
            members = [centre, *(each for each in near.tolist() if each != centre)]
            free[members] = False
            stars.append(members)
    return stars


class OwnQuestions:
    """The phrasings of all entries of a FAQ, to be found by a question that is one of them.

    Example:
        >>> own = OwnQuestions(["Is the US plan free?", "Is it for us?", "Is it for US?"])
        >>> own.find("is the us plan free"), own.find("Is it for US"), own.find("is it for us")
        ((0, 3), (2, 2), (1, 3))
        >>> own.find("Is it free?") is None
        True
    """

    def __init__(self, phrasings: Sequence[str]) -> None:
        self._phrasings = phrasings
        self._rows: dict[str, list[int]] = {}
        for row, text in enumerate(phrasings):
            self._rows.setdefault(bare_form(text), []).append(row)

    def find(self, question: str) -> tuple[int, int] | None:
        """Which phrasing a question is, and how they are alike (`likeness`); of several the nearest by letters.

        Ornaments at its ends (praying hands) do not make it another question.
        """
        rows = self._rows.get(bare_form(question))
        if rows is None:
            bare = unadorned(question)
            return None if bare == question else self.find(bare)
        texts = ((row, self._phrasings[row]) for row in rows)
        level, _, row = min((likeness(question, text), _changes(question, text), row) for row, text in texts)
        return row, level


def _changes(a: str, b: str) -> int:
    """How many letters of two texts of one wording differ in case."""
    letters = [[each for each in text if each.isalnum()] for text in (a, b)]
    return sum(one != other for one, other in zip(*letters, strict=False))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The n entries that were found for a question, the likeliest first; before it is looked at what differs."""

    question: str
    vector: Float32
    items: list[FAQItem]
    phrasings: list[str]  # of each entry the one that the question matched
    scores: list[float]
    cosines: list[float]  # of the question and that phrasing
    chances: list[float]  # the probability of each
    intervals: list[tuple[float, float]]
    own: (
        int | None
    )  # how the first phrasing is the question itself (`likeness`): nothing differs there; None if not
    known: float  # that the FAQ has an entry for the question
    listed: float  # that one of the best three is it, if so


def hits_of(found: Sequence[Candidates], origin: Origin, prior: float, encoder: Encoder) -> list[Results[Hit]]:
    """The candidates of each question, the most probable first, less probable where something differs.

    Those that the model cannot judge have no probability, and say why. The prior is the share of questions that
    the FAQ can answer.
    """
    from nearsense.pair_differences import pair_differences

    questions = [each.question for each in found for _ in each.items]
    phrasings = [text for each in found for text in each.phrasings]
    seen = iter(pair_differences(questions, phrasings, encoder=encoder, dialogue=True))
    why = iter(unfamiliar_pairs(questions, phrasings, encoder))
    hits = []
    for each in found:
        n = len(each.items)
        hits.append(_hits(each, list(islice(seen, n)), list(islice(why, n)), origin, prior))
    return hits


def _hits(
    found: Candidates,
    differs: list[tuple[Difference, ...]],
    unsure: list[str | None],
    origin: Origin,
    prior: float,
) -> Results[Hit]:
    own = found.own is not None
    if own:
        differs, unsure = [(), *differs[1:]], [None, *unsure[1:]]
    chances = np.array(found.chances)
    if any(differs):
        chances = np.minimum(chances, _bounds(found, differs, origin, prior))
    order = np.argsort(-chances, kind="stable").tolist()
    if own:
        order = [0, *(row for row in order if row)]
    hits = []
    for rank, row in enumerate(order, 1):
        item, why, chance = found.items[row], unsure[row], float(chances[row])
        metadata = {"answer": item.answer, "category": item.category, "phrasing": found.phrasings[row]}
        hits.append(
            Hit(
                rank,
                item.id or "",
                found.scores[row],
                None if why else chance,
                item.question,
                {**item.metadata, **metadata},
                interval=None if why else _moved(found.intervals[row], found.chances[row], chance),
                differs=tuple(map(str, differs[row])),
                unsure=why,
            )
        )
    return Results(hits, origin, found.question)


def _moved(interval: tuple[float, float], before: float, now: float) -> tuple[float, float]:
    """The interval of a candidate that has become less probable."""
    if now == before:
        return interval
    was, is_, *ends = logit(np.clip([before, now, *interval], _EDGE, 1 - _EDGE)).tolist()
    low, high = sigmoid(np.array(ends) + is_ - was).tolist()
    return min(low, now), max(high, now)


def _bounds(found: Candidates, differs: Sequence[tuple[Difference, ...]], origin: Origin, prior: float) -> Float64:
    """What the probability of each candidate is at most: that of two requests of its score that differ so, (n,).

    Where an entry has several phrasings, amounts, dates and names are what people fill in. Where no calibration
    comes with the model, the difference lowers the FAQ's own probability.
    """
    kinds = [
        [one.kind for one in some if one.kind in SENSE or not item.phrasings]
        for some, item in zip(differs, found.items, strict=True)
    ]
    request, paraphrase = (shipped_calibration(origin, task) for task in (Task.REQUEST, Task.PARAPHRASE))
    if request is None or paraphrase is None:
        ratios, guard = logit(np.clip(found.chances, _EDGE, 1 - _EDGE)) - logit(prior), GENERAL
    else:
        ratios, guard = request.log_ratio(np.clip(found.cosines, -1.0, 1.0)), paraphrase.guard
    bounds = sigmoid(ratios + logit(prior) + shifts_of(guard, ratios, kinds))
    bounds[[not some for some in kinds]] = 1.0
    missed = [any(one.kind == "unread" and one.right for one in some) for some in differs]
    return np.where(missed, np.minimum(bounds, UNREAD), bounds)
