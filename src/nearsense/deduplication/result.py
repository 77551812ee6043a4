"""Duplicates as users hold them: pairs, groups, what stays, other thresholds. Not how they are found: steps.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.calibrator import SAME_AT_LEAST
from nearsense.checks import is_number, is_whole
from nearsense.columns import frame_of
from nearsense.corpus import given_of
from nearsense.deduplication.edges import EXACT, NORMALIZED, SEMANTIC, TIERS, Tier
from nearsense.deduplication.grouping import Grouping, group_rows
from nearsense.errors import InputError, TooLargeError
from nearsense.records import Document, Origin, Results, as_json, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.deduplication.edges import Edges, PairProbability
    from nearsense.deduplication.grouping import Policy
    from nearsense.deduplication.rows import Rows, Sides

LARGEST = 10_000_000
"""Pairs that are given as one list at most."""

_WHY = {Tier.EXACT: "the same text", Tier.NORMALIZED: "the same but for case, space or punctuation"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows that say the same, or nearly.

    Args:
        left: The id of one row: the earlier one, or the new one where an archive is compared with.
        right: The id of the other.
        score: Cosine similarity in [-1, 1].
        probability: That the two say the same, in [0, 1]; 1 for equal texts; None where no calibration is known.
        differs: What differs between them, from left to right: "number: 15 → 51"; empty where nothing was seen,
            None where nobody has looked.
        tier: In what way they say the same.
        a: The text of `left`; empty where only its vector is known.
        b: The text of `right`.
        interval: Between what the probability lies, nineteen times in twenty.
        unsure: Why there is no probability though a calibration is known: the model was not made for the language
            of a text.
        because: What made the probability other than its score alone would: "the same text", "what differs".
    """

    left: str
    right: str
    score: float
    probability: float | None
    differs: tuple[str, ...] | None
    tier: Tier
    a: str
    b: str
    interval: tuple[float, float] | None = None
    unsure: str | None = None
    because: tuple[str, ...] = ()

    def __str__(self) -> str:
        sure = "" if self.probability is None else f"{percent(self.probability):>5}  "
        names = f"{self.a} | {self.b}" if self.a or self.b else f"{self.left} | {self.right}"
        line = f"{self.score:.4f}  {sure}{self.tier:<10}  {names}"
        return f"{line}; differs: {', '.join(self.differs)}" if self.differs else line

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "left right score probability interval unsure because tier differs a b")


@dataclass(frozen=True, slots=True)
class Alike:
    """Two texts that say the same, or one that several rows have.

    Args:
        pair: The two as a pair of rows, the first of each.
        left: The ids of the rows that have the one text; of one that several have, of the first.
        right: The ids of the rows that have the other; of one that several have, of the rest.
        distinct: Whether they are two texts.
    """

    pair: Pair
    left: tuple[str, ...]
    right: tuple[str, ...]
    distinct: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that goes, and what it has in common with the row that stays in its place.

    Args:
        id: The row's id.
        kept: The id of the row that stays.
        text: The row's text; empty where only its vector is known.
        tier: In what way the two say the same.
        score: Their cosine similarity, measured between these very two.
        probability: That they say the same; None where no calibration is known.
        differs: What differs all the same, where such pairs are allowed: from this row to the one that stays.
        interval: Between what the probability lies, nineteen times in twenty.
    """

    id: str
    kept: str
    text: str
    tier: Tier
    score: float
    probability: float | None
    differs: tuple[str, ...] | None = None
    interval: tuple[float, float] | None = None

    @property
    def reason(self) -> str:
        """Why it goes, in words."""
        if self.tier in _WHY:
            return _WHY[self.tier]
        sure = f"score {self.score:.2f}" if self.probability is None else percent(self.probability)
        return f"says the same ({sure})"

    def __str__(self) -> str:
        return f"{self.text or self.id}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "id kept tier score probability interval reason differs text")


@dataclass(frozen=True, slots=True)
class Group:
    """A row that stays, and those that go because of it: each was compared with it directly.

    Args:
        kept: The row that stays; of an archive where there is one and it says the same.
        dropped: The rows that go, nearest first.
    """

    kept: Document
    dropped: tuple[Dropped, ...]

    def __len__(self) -> int:
        """How many rows say this, the kept one included."""
        return 1 + len(self.dropped)

    def __str__(self) -> str:
        return "\n".join([self.kept.text or self.kept.id, *(f"    {each}" for each in self.dropped)])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kept": self.kept.id, "text": self.kept.text, "size": len(self)} | as_json(self, "dropped")


@dataclass(frozen=True, eq=False)
class Duplicates:
    """What of some texts is said twice. Made by `ns.duplicates`; columns inside, computed where it is asked for.

    Attributes:
        pairs: All pairs of rows, surest first.
        groups: The rows that stay and those that go, largest group first.
        unique: The rows that stay.
        dropped: The rows that go, with the reason.

    Args:
        sides: The rows and their distinct texts, and what they were compared with, if anything.
        edges: Pairs of distinct texts down to `floor`, surest first.
        floor: The score down to which all pairs are here.
        within: Whether the rows were compared with each other.
        policy: Which row stays.
        probabilities: What gave them, if anything.
        origin: What produced this.
        min_probability: The threshold, where it is a probability.
        min_score: The threshold, where it is a score.
        allow_differing: Whether pairs that differ in something are grouped too.
        recall: The share of the near pairs that was found, as measured; None where it is all of them.
        strange: Why the model cannot judge a text that is near another, by the text's number.
    """

    sides: Sides
    edges: Edges
    floor: float
    within: bool
    policy: Policy
    probabilities: PairProbability | None
    origin: Origin
    min_probability: float | None
    min_score: float | None
    allow_differing: bool
    recall: float | None = None
    strange: Mapping[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> Rows:
        """The rows and their distinct texts."""
        return self.sides.rows

    def __len__(self) -> int:
        """How many pairs of rows there are."""
        return self._counts[0]

    def __repr__(self) -> str:
        return f"<Duplicates: {self._summary}>"

    def __str__(self) -> str:
        lines = [str(each) for each in itertools.islice(self._groups(), 10)]
        more = len(np.unique(self._grouping.kept[self._gone])) - len(lines)
        return "\n".join([*lines, *([f"... and {more:,} more groups"] if more > 0 else []), self._summary])

    def _repr_html_(self) -> str:
        """As text, for notebooks."""
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    @property
    def threshold(self) -> str:
        """From where on pairs count, in words."""
        if self.min_probability is not None:
            return f"a probability of {self.min_probability:.6g} or more"
        return f"a score of {self.min_score:.6g} or more"

    @cached_property
    def pairs(self) -> Results[Pair]:
        """All pairs of rows, equal rows included: exact ones first, then surest first.

        Raises:
            TooLargeError: They are more than ten million; `best` and `groups` work all the same.
        """
        if len(self) > LARGEST:
            why = f"at most {LARGEST:,} are given; {self._counts[1]:,} of them are rows with equal texts"
            fix = "take .groups, .unique, or the .best(1000) of them; or raise the threshold"
            raise TooLargeError(f"{len(self):,} pairs of rows are too many for one list", why=why, fix=fix)
        return self.best(len(self))

    def best(self, n: int) -> Results[Pair]:
        """The first n pairs; no others are made."""
        found = list(itertools.islice(self._row_pairs(), n))
        intervals = self._intervals(sorted({edge for _, _, edge in found}))
        return self._known(Results((self._pair(*each, intervals.get(each[2])) for each in found), self.origin))

    def alike(self, n: int | None = None) -> list[Alike]:
        """The first n pairs of texts, in the order of `pairs`: each text once, however many rows have it."""
        found = list(itertools.islice(self._text_pairs(), n))
        intervals = self._intervals(sorted({edge for *_, edge in found}))
        return [self._alike(*each, intervals.get(each[2])) for each in found]

    @property
    def texts_alike(self) -> int:
        """How many there are: pairs of texts, and texts that several rows have."""
        repeated = int((self.rows.copies > 1).sum()) if self.within else 0
        return repeated + int(self._near.sum())

    @cached_property
    def groups(self) -> Results[Group]:
        """Each row that stays with those that go because of it, largest first; no row stands in two."""
        return self._known(Results(self._groups(), self.origin))

    @cached_property
    def dropped(self) -> Results[Dropped]:
        """The rows that go, in their order."""
        return self._known(Results((self._dropped(row) for row in self._gone.tolist()), self.origin))

    def _known(self, found: Results[Any]) -> Results[Any]:
        """The same, called as the rows that came in."""
        found.given = given_of(self.rows.documents)
        return found

    @property
    def unique(self) -> list[Document]:
        """The rows that stay, in their order."""
        return [self.rows.documents[row] for row in self.kept.tolist()]

    @property
    def kept(self) -> NDArray[np.int64]:
        """The numbers (from 0) of the rows that stay: int64, rising."""
        return np.flatnonzero(self._grouping.kept == np.arange(len(self._grouping.kept)))

    @property
    def tiers(self) -> dict[Tier, int]:
        """How many rows go in which way."""
        of_pairs = np.append(self.edges.tier, np.int8(EXACT))  # -1, the last, stands for equal texts
        counts = np.bincount(of_pairs[self._grouping.edge[self._gone]], minlength=len(TIERS))
        return dict(zip(TIERS, counts.tolist(), strict=True))

    def at(self, *, min_probability: float | None = None, min_score: float | None = None) -> Duplicates:
        """The same with another threshold; nothing is compared again.

        Args:
            min_probability: The least probability of a pair.
            min_score: The least score instead.

        Raises:
            InputError: Not exactly one is given, or it is below what was looked for.

        Example:
            >>> import nearsense as ns
            >>> found = ns.duplicates(["Late parcel", "late parcel", "My parcel is late"], min_probability=0.5)
            >>> len(found.unique), len(found.at(min_probability=1).unique)
            (1, 2)
        """
        if (min_probability is None) == (min_score is None):
            raise InputError("a threshold is one number", fix="give min_probability=0.9 or min_score=0.9")
        name, value = ("min_score", min_score) if min_probability is None else ("min_probability", min_probability)
        if not is_number(value) or not value <= 1:
            raise InputError(f"{name}={value!r} is no number up to 1", fix=f"say {name}=0.9")
        if min_probability is not None and self.probabilities is None:
            what = f"min_probability: no calibration is known for {self.origin.model}"
            raise InputError(what, why="without one a score is no probability", fix="give min_score=0.9")
        lowest = float(value)
        if self.probabilities is not None and min_score is None:
            lowest = self.probabilities.lowest(lowest)
        if lowest < self.floor:
            here = f"min_score={self.floor:.4f}" if self.min_probability is None else f"{self.threshold}"
            what = f"{name}={value:g} is lower than what was looked for: {here}"
            why = f"pairs that score less than {self.floor:.4f} were not kept"
            raise InputError(what, why=why, fix=f"ns.duplicates(..., {name}={value:g})")
        return replace(self, min_probability=min_probability, min_score=min_score)

    def target(self, n: int) -> Duplicates:
        """The same with the highest threshold at which at most n rows stay.

        Exactly n rows stay where some threshold leaves so many; rows of one score go together.

        Raises:
            InputError: Fewer rows than that stay at every threshold, because equal texts always go; or more stay
                even at the lowest threshold that was looked for.

        Example:
            >>> import nearsense as ns
            >>> texts = ["Late parcel", "My parcel is late", "I want a refund"]
            >>> [each.text for each in ns.duplicates(texts, min_probability=0.3).target(2).unique][-1]
            'I want a refund'
        """
        if not is_whole(n):
            raise InputError(f"target={n!r} is no number of rows", fix="give a whole number")
        values = self.edges.score if self.min_probability is None else self.edges.probability
        assert values is not None
        steps = np.unique(values[self._groupable & (self.edges.tier == SEMANTIC)])
        none = float(np.nextafter(np.float32(steps[-1] if len(steps) else 0), np.float32(2)))  # no pair reaches it
        strictest = self._with(1.0 if self.min_probability is not None else max(none, 1.0))
        if (most := len(strictest.kept)) < n:
            total = len(self.rows.documents)
            alike = "repeat another, or differ in nothing but case, space or punctuation"
            why = f"{total - most:,} of {total:,} {alike}" if most < total else "there are no more"
            raise InputError(f"{n:,} rows cannot stay, {most:,} can", why=why, fix=f"ask for {most:,} or fewer")
        found = self._with(float(steps[0])) if len(steps) else strictest
        low, high, least = 0, len(steps), len(found.kept)  # at `low` few enough stay, at `high` perhaps too many
        if most == n:
            return strictest
        while least <= n and high - low > 1:
            middle = (low + high) // 2
            tried = self._with(float(steps[middle]))
            if len(tried.kept) <= n:
                low, found = middle, tried
            else:
                high = middle
        if least > n:
            what = f"{n:,} rows are fewer than {least:,}, which stay at {self.threshold}"
            fix = "look for less near pairs: a lower min_probability or min_score"
            raise InputError(what, why="the rest is not that near to anything that stays", fix=fix)
        return found

    def to_frame(self, library: str | None = None) -> Any:
        """One row a text, in their order: whether it `stays`, and of one that goes what is `kept` in its place.

        `kept` is the row of that text as the index calls it, of a row that stays its own; `tier`, `score` and
        `probability` say what the two have in common. Where a Series or a frame of pandas came in it has that
        index: `df[found.to_frame()["stays"]]`.

        Args:
            library: "pandas", "polars" or "arrow"; without it that of the texts that came, else pandas.

        Raises:
            MissingExtra: The library is not installed.
        """
        given, documents = given_of(self.rows.documents), self.rows.documents
        kept = [self.sides.document(int(row)).id for row in self._grouping.kept]
        gone = {row: self._dropped(row) for row in self._gone.tolist()}
        told = [gone.get(row) for row in range(len(documents))]
        columns = {
            "stays": [each is None for each in told],
            "kept": given.labels(kept),
            "tier": [each and each.tier.value for each in told],
            "score": [each and each.score for each in told],
            "probability": [each and each.probability for each in told],
        }
        return frame_of(columns, library, given, given.whole_index)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: the figures, and the groups."""
        return {
            "rows": len(self.rows.documents),
            "kept": len(self.kept),
            "dropped": {tier.value: count for tier, count in self.tiers.items()},
            "pairs": len(self),
            **as_json(self, "min_probability min_score"),
            "lowest_score": None if self.floor > 1 else self.floor,
            "recall": self.recall,
            "keep": self.policy.name,
            **as_json(self, "allow_differing groups"),
            **self.origin.to_dict(),
        }

    @property
    def _summary(self) -> str:
        rows, tiers = len(self.rows.documents), self.tiers
        gone = ", ".join(f"{count:,} {tier.value}" for tier, count in tiers.items() if count) or "none"
        beside = "" if self.sides.archive is None else f" beside {len(self.sides.archive.documents):,}"
        return f"{rows:,} rows{beside}: {len(self.kept):,} stay, {len(self._gone):,} go ({gone}); {self.threshold}"

    def _with(self, threshold: float) -> Duplicates:
        """Another threshold of the same kind."""
        if self.min_probability is None:
            return replace(self, min_score=threshold)
        return replace(self, min_probability=threshold)

    @cached_property
    def _near(self) -> NDArray[np.bool_]:
        """The pairs of texts that are shown: those that reach the threshold, or would if the model read all."""
        edges = self.edges
        if self.min_probability is None or edges.readable is None:
            return self._reached
        return np.asarray(self._reached | ((edges.readable >= self.min_probability) & ~edges.unsure), bool)

    @cached_property
    def _reached(self) -> NDArray[np.bool_]:
        """The pairs of texts at or above the threshold; equal ones, normalized too, count at every one."""
        edges = self.edges
        if self.min_probability is not None and edges.probability is not None:
            reached = (edges.probability >= self.min_probability) & ~edges.unsure
        else:
            reached = edges.score >= np.float32(self.min_score or 0.0)
        return np.asarray(reached | ((edges.tier != SEMANTIC) & ~edges.guarded), bool)

    @property
    def _groupable(self) -> NDArray[np.bool_]:
        edges = self.edges
        return self._reached & ~edges.unsure & (True if self.allow_differing else ~edges.guarded)

    @cached_property
    def _grouping(self) -> Grouping:
        return group_rows(self.sides, self.edges, self._groupable, self.policy, within=self.within)

    @cached_property
    def _gone(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._grouping.kept != np.arange(len(self.rows.documents)))

    @cached_property
    def _counts(self) -> tuple[int, int]:
        """How many pairs of rows, and how many of them have equal texts."""
        both = self.sides.copies
        copies = both[: len(self.rows)]
        equal = int((copies * (copies - 1) // 2).sum()) if self.within else 0
        near = np.flatnonzero(self._near)
        counts = both[self.edges.left[near]] * both[self.edges.right[near]]
        exact = self.edges.tier[near] == EXACT
        return equal + int(counts.sum()), equal + int(counts[exact].sum())

    def _row_pairs(self) -> Iterator[tuple[int, int, int]]:
        """Left row, right row (an archive's after all others), and the pair of texts, -1 for equal ones."""
        rows, n = self.rows, len(self.rows.documents)
        if self.within:
            place = np.empty(n, np.int64)
            place[rows.order] = np.arange(n)
            for left in np.flatnonzero(rows.copies[rows.node] > 1).tolist():
                at, end = int(place[left]) + 1, int(rows.begin[rows.node[left] + 1])
                yield from ((left, int(right), -1) for right in rows.order[at:end])
        for edge in np.flatnonzero(self._near).tolist():
            here, there = (self.sides.rows_of(int(ends[edge])) for ends in (self.edges.left, self.edges.right))
            found = [(min(a, b), max(a, b)) for a in here for b in there]
            yield from ((a, b, edge) for a, b in sorted(found))

    def _text_pairs(self) -> Iterator[tuple[list[int], list[int], int]]:
        """The rows of one text, those of another, and the pair of texts, -1 where the rows of one are divided."""
        if self.within:
            rows = self.rows
            repeated = np.flatnonzero(rows.copies > 1)
            for node in repeated[np.argsort(rows.first[repeated], kind="stable")].tolist():
                first, *others = rows.rows_of(node)
                yield [first], others, -1
        for edge in np.flatnonzero(self._near).tolist():
            sides = [self.sides.rows_of(int(ends[edge])) for ends in (self.edges.left, self.edges.right)]
            here, there = sorted(sides)
            yield here, there, edge

    def _alike(self, left: list[int], right: list[int], edge: int, interval: tuple[float, float] | None) -> Alike:
        ids = [tuple(self.sides.document(row).id for row in side) for side in (left, right)]
        return Alike(self._pair(left[0], right[0], edge, interval), ids[0], ids[1], edge >= 0)

    def _measured(self, edge: int, row: int) -> tuple[Tier, float, float | None, tuple[str, ...] | None]:
        """Tier, score, probability and differences, as seen from one row, of a pair of texts; -1: equal ones."""
        edges = self.edges
        if edge < 0:
            return Tier.EXACT, 1.0, None if self.probabilities is None else 1.0, edges.words(edge)
        differs = edges.words(edge, turned=bool(self.rows.node[row] != edges.left[edge]))
        probability = None
        if edges.probability is not None and not edges.unsure[edge]:
            probability = float(edges.probability[edge])
        return TIERS[edges.tier[edge]], float(edges.score[edge]), probability, differs

    def _intervals(self, edges: list[int]) -> dict[int, tuple[float, float]]:
        """Between what the probabilities of some pairs of texts lie; equal texts say the same for certain."""
        if self.probabilities is None:
            return {}
        certain = {edge: (1.0, 1.0) for edge in edges if edge < 0 or self.edges.tier[edge] == EXACT}
        judged = (self.edges.tier != EXACT) & ~self.edges.unsure
        asked = np.array([edge for edge in edges if edge >= 0 and judged[edge]], np.int64)
        if not len(asked):
            return certain
        lows, highs = self.probabilities.interval(self.edges.score[asked], self.edges.shift[asked])
        same = (self.edges.tier[asked] == NORMALIZED) & ~self.edges.guarded[asked]
        lows, highs = np.where(same, SAME_AT_LEAST, lows), np.where(same, 1.0, highs)
        return certain | dict(zip(asked.tolist(), zip(lows.tolist(), highs.tolist(), strict=True), strict=True))

    def _pair(self, left: int, right: int, edge: int, interval: tuple[float, float] | None) -> Pair:
        tier, score, probability, differs = self._measured(edge, left)
        a, b = self.sides.document(left), self.sides.document(right)
        unsure: str | None = None
        because: tuple[str, ...] = ()
        if tier is Tier.SEMANTIC and self.edges.unsure[edge]:
            reasons = (self.strange.get(int(text[edge])) for text in (self.edges.left, self.edges.right))
            unsure, because = next(filter(None, reasons), None), ("language",)
        elif self.probabilities is not None and tier is not Tier.SEMANTIC:
            because = ("the same text",)
        elif self.probabilities is not None and self.edges.guarded[edge]:
            because = ("what differs",)
        measured = (score, probability, differs, tier, a.text, b.text, interval, unsure, because)
        return Pair(a.id, b.id, *measured)

    def _dropped(self, row: int) -> Dropped:
        document, kept = self.rows.documents[row], self.sides.document(int(self._grouping.kept[row]))
        edge = int(self._grouping.edge[row])
        tier, score, probability, differs = self._measured(edge, row)
        interval = self._measured_intervals.get(edge)
        return Dropped(document.id, kept.id, document.text, tier, score, probability, differs, interval)

    @cached_property
    def _measured_intervals(self) -> dict[int, tuple[float, float]]:
        """Between what the probabilities lie of the pairs because of which rows go."""
        return self._intervals(np.unique(self._grouping.edge[self._gone]).tolist())

    def _groups(self) -> Iterator[Group]:
        gone = self._gone
        kept = self._grouping.kept[gone]
        edge = self._grouping.edge[gone]
        score = np.append(self.edges.score, np.float32(2))[edge]  # equal texts first
        order = np.lexsort((gone, -score, kept))
        gone, kept = gone[order], kept[order]
        centres, begin, size = np.unique(kept, return_index=True, return_counts=True)
        for at in np.lexsort((centres, -size)).tolist():
            members = gone[begin[at] : begin[at] + size[at]]
            yield Group(
                self.sides.document(int(centres[at])), tuple(self._dropped(row) for row in members.tolist())
            )
