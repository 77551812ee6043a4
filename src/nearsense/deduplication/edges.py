"""Pairs of distinct texts in columns: how near, how probable, in what way, what differs. Not which rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.calibration import Background, Calibration
from nearsense.calibrator import SAME_TEXT, Calibrator, at_home
from nearsense.errors import InputError, TooLargeError
from nearsense.records import Origin
from nearsense.vectors.rows import blocks
from nearsense.vectors.similarity import paired_cosine
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.deduplication.rows import Sides
    from nearsense.encoders import Encoder

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Columns = tuple[Ints, Ints, Floats]
    """The texts of pairs, left and right, and their scores."""

MOST = 50_000_000
"""Pairs of one normal form that are listed at most."""

_BATCH = 20_000


class Tier(StrEnum):
    """In what way two rows say the same."""

    EXACT = "exact"
    """Character for character; of vectors without texts, number for number."""
    NORMALIZED = "normalized"
    """Except for case, white space, punctuation and how characters are encoded."""
    SEMANTIC = "semantic"
    """In other words: their vectors are near."""


TIERS = tuple(Tier)
"""The tiers by their number in a column."""

EXACT, NORMALIZED, SEMANTIC = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class PairProbability:
    """The curve from score to probability, the prior of same pairs, and whether what differs is looked at."""

    calibration: Calibration
    prior: float
    guarded: bool

    def shifts(self, scores: Doubles, kinds: Sequence[Sequence[str]]) -> Doubles:
        """What the kinds of differences of each pair add to its log-odds."""
        return self.calibration.guarded(scores, kinds) if self.guarded else np.zeros(len(scores))

    def of(self, scores: Doubles, shifts: Doubles) -> Doubles:
        """That the two of each pair say the same."""
        return self.calibration.probability(scores, prior=self.prior, shift=shifts)

    def interval(self, scores: Floats, shifts: Floats) -> tuple[Doubles, Doubles]:
        """Between what the probabilities lie, nineteen times in twenty."""
        known = np.clip(scores.astype(np.float64), -1.0, 1.0)
        return self.calibration.interval(known, prior=self.prior, shift=shifts.astype(np.float64))

    def lowest(self, min_probability: float) -> float:
        """The lowest score at which a pair without differences may be so probable; 2 where none is."""
        best = max(0.0, float(self.calibration.guarded(np.zeros(1), [()])[0])) if self.guarded else 0.0
        low, high = -1.0, 1.0
        for _ in range(4):  # to a part in 10^12
            grid = np.linspace(low, high, 1001)
            enough = self.calibration.probability(grid, prior=self.prior, shift=best) >= min_probability
            if not enough[-1]:
                return 2.0
            if enough[0]:
                return low
            at = int(enough.argmax())
            low, high = float(grid[at - 1]), float(grid[at])
        return low - 1e-6  # scores are rounded to float32


def pair_probability(
    calibrator: Calibrator,
    origin: Origin,
    background: Callable[[], Background | None],
    *,
    guarded: bool,
    encoder: Encoder | None = None,
) -> PairProbability | None:
    """How probable the pairs of a corpus are; None where no calibration is known and no probability asked for.

    `background` gives random pairs of the corpus: far from home the intervals are wider, and a warning says so.
    """
    try:
        calibration = calibrator.of(origin, encoder)
    except InputError as error:
        asked = calibrator.min_probability is not None and calibrator.prior is None
        if not asked or "no calibration" not in error.what:
            raise
        fix = f"give a score instead: min_score=0.9; or {error.fix}"
        raise InputError(error.what, why=error.why, fix=fix) from None
    if calibration is None:
        return None
    calibration = at_home(calibration, background).here(share=calibrator.prior)
    return PairProbability(calibration, calibrator.prior_of(calibration), guarded)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """m pairs of distinct texts, each once, in columns of shape (m,).

    `left` and `right` are texts, `score` is their cosine similarity, `tier` a place in `TIERS`. `probability` is
    None where no calibration is known; `readable` is the same were it not for what the model does not read;
    `shift` is what the guard added to the log-odds. Where `guarded`, something differs; where `unsure`, the model
    was not made for one of the two, and the probability is 0. `differs` says by a pair's number what differs: the
    kind, what `left` has, what `right` has; None where nobody has looked.
    """

    left: Ints
    right: Ints
    score: Floats
    tier: NDArray[np.int8]
    probability: Doubles | None
    readable: Doubles | None
    shift: Floats
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
        """What differs from left to right (`turned`, back): "number: 15 → 51"; None where nobody has looked."""
        if self.differs is None:
            return None
        found = [(kind, (b, a) if turned else (a, b)) for kind, a, b in self.differs.get(edge, ())]
        return tuple(f"{kind}: {' → '.join(side for side in sides if side)}" for kind, sides in found)


def all_edges(
    sides: Sides,
    mined: Columns,
    probabilities: PairProbability | None,
    *,
    within: bool,
    guard: bool,
    encoder: Encoder | None,
    judge: Encoder | None,
    progress: Progress,
) -> tuple[Edges, dict[int, str]]:
    """Pairs of all tiers, each once, surest first; and why the model cannot judge some of their texts, by number.

    `encoder` tells what it does not read; `judge`, if anyone, for which texts it was not made.
    """
    written, total = sides.rows.written, len(sides)
    twins = sides.twins()
    forms = normalized_pairs(sides.texts, len(sides.rows), within=within) if written else (_NONE, _NONE)
    closer = [
        (*twins, np.ones(len(twins[0]), np.float32), EXACT),
        (*forms, _similarities(sides, *forms), NORMALIZED),
    ]
    taken = np.concatenate([each[0] * total + each[1] for each in closer])
    left, right, score = mined
    rest = ~np.isin(left * total + right, taken) if len(taken) else np.ones(len(left), bool)
    columns = [*closer, (left[rest], right[rest], score[rest], SEMANTIC)]
    left, right, score = (np.concatenate([column[place] for column in columns]) for place in range(3))
    tier = np.concatenate([np.full(len(column[0]), column[3], np.int8) for column in columns])
    if sides.rows.kinds is not None:
        own = sides.of_one_kind(left, right)
        left, right, score, tier = left[own], right[own], score[own], tier[own]
    near = np.unique(np.concatenate([left[tier == SEMANTIC], right[tier == SEMANTIC]])).tolist()
    strange: dict[int, str] = {}
    if written and judge is not None and near:
        from nearsense.pair_differences import unfamiliar

        reasons = unfamiliar([sides.texts[number] for number in near], judge, among=sides.texts)
        strange = {number: reason for number, reason in zip(near, reasons, strict=True) if reason}
    foreign = np.zeros(total, bool)
    foreign[list(strange)] = True
    unsure = (tier == SEMANTIC) & (foreign[left] | foreign[right])
    texts = sides.texts if guard and written else None
    return _with_differences(left, right, score, tier, unsure, texts, probabilities, encoder, progress), strange


_NONE: Ints = np.empty(0, np.int64)


def _with_differences(
    left: Ints,
    right: Ints,
    score: Floats,
    tier: NDArray[np.int8],
    unsure: NDArray[np.bool_],
    texts: Sequence[str] | None,
    probabilities: PairProbability | None,
    encoder: Encoder | None,
    progress: Progress,
) -> Edges:
    """The pairs, surest first, with what differs between their texts, where these are given, and probabilities."""
    known = np.clip(score.astype(np.float64), -1.0, 1.0)
    shift, rest = np.zeros((2, len(score)), np.float32)  # with what the model does not read, without
    guarded = np.zeros(len(score), bool)
    differs: dict[int, tuple[tuple[str, str, str], ...]] = {}
    looked = np.flatnonzero(tier != EXACT) if texts is not None else _NONE
    looked = looked[np.lexsort((right[looked], left[looked]))]  # texts of equal lefts in a row are read once
    if texts is not None and len(looked):
        from nearsense.guard import Kind
        from nearsense.pair_differences import pair_differences

        with tracked(len(looked), "pairs", progress) as update:
            for block in blocks(len(looked), _BATCH):
                part = looked[block]
                found = pair_differences(
                    [texts[at] for at in left[part].tolist()],
                    [texts[at] for at in right[part].tolist()],
                    encoder=encoder,
                    scores=np.where(tier[part] == SEMANTIC, known[part], 0.0),
                )
                for at, each in zip(part.tolist(), found, strict=True):
                    if each:
                        differs[at] = tuple((one.kind.value, one.left, one.right) for one in each)
                        guarded[at] = True
                if probabilities is not None:
                    kinds = [[one.kind for one in each] for each in found]
                    read = [[kind for kind in each if kind != Kind.UNREAD] for each in kinds]
                    shift[part] = probabilities.shifts(known[part], kinds)
                    rest[part] = probabilities.shifts(known[part], read)
                update(block.stop)
    probability = readable = None
    if probabilities is not None:
        probability, readable = (probabilities.of(known, each.astype(np.float64)) for each in (shift, rest))
        for column in (probability, readable):
            column[tier == EXACT] = 1.0
            column[(tier == NORMALIZED) & ~guarded] = SAME_TEXT
            column[unsure] = 0.0
    keys = (-score, *(() if probability is None else (-probability,)), tier)
    order = np.lexsort(keys)  # stable: of equal ones the texts decide
    place = np.argsort(order)
    columns: list[Any] = [left, right, score, tier, probability, readable, shift, guarded, unsure]
    columns = [None if column is None else column[order] for column in columns]
    columns.append(None if texts is None else {int(place[at]): each for at, each in differs.items()})
    return Edges(*columns)


def normalized_pairs(texts: Sequence[str], m: int, *, within: bool) -> tuple[Ints, Ints]:
    """Pairs of distinct texts with one normal form: the first m with the others, `within` with each other too."""
    forms: dict[str, tuple[list[int], list[int]]] = {}
    for number, text in enumerate(texts):
        form = normal_form(text)
        if number < m or form in forms:
            forms.setdefault(form, ([], []))[number >= m].append(number)
    lefts, rights, total = [_NONE], [_NONE], 0
    for own, others in forms.values():
        if len(own) + len(others) < 2:
            continue
        total += len(own) * len(others) + (len(own) * (len(own) - 1) // 2 if within else 0)
        if total > MOST:
            what = f"more than {MOST:,} pairs of texts differ in nothing but case, space and punctuation"
            fix = "normalize the texts before: strip spaces, say"
            raise TooLargeError(what, why="their list would not fit into memory", fix=fix)
        here = np.array(own, np.int64)
        if within:
            i, j = np.triu_indices(len(here), 1)
            lefts.append(here[i])
            rights.append(here[j])
        i, j = np.repeat(here, len(others)), np.tile(np.array(others, np.int64), len(here))
        differ = np.array([texts[a] != texts[b] for a in own for b in others], bool)
        lefts.append(i[differ])
        rights.append(j[differ])
    return np.concatenate(lefts), np.concatenate(rights)


def _similarities(sides: Sides, left: Ints, right: Ints) -> Floats:
    """The cosine similarity of pairs of texts."""
    found = np.empty(len(left), np.float32)
    for part in blocks(len(left), _BATCH):
        found[part] = paired_cosine(sides.vectors(left[part]), sides.vectors(right[part]))
    return found
