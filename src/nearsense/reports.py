"""What a collection says of itself and of what was done to it: frozen types, as those of records.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nearsense.records import as_json

__all__ = [
    "FolderReport",
    "Info",
    "ModelChange",
    "Moved",
    "RankChange",
    "Reembedding",
    "SyncReport",
    "Verification",
]


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did, or would do.

    Args:
        added: Documents that were new.
        changed: Documents whose text or metadata was another.
        removed: Documents that the source has no more.
        unchanged: Documents that stayed as they were.
        encoded: Texts that had to be encoded; a text that was encoded before costs nothing.
        applied: False where it was only asked what would happen.
    """

    added: int
    changed: int
    removed: int
    unchanged: int
    encoded: int
    applied: bool = True

    def __str__(self) -> str:
        names = ("added", "changed", "removed", "unchanged")
        counts = ", ".join(f"{getattr(self, name):,} {name}" for name in names)
        return counts if self.applied else f"would be: {counts}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What a sync with files did to a collection of their passages, or would do.

    Args:
        added: Files that were new.
        changed: Files whose content, or whose splitting, was another.
        moved: Files that had another name before, and the same content.
        removed: Files that are no more.
        unchanged: Files that stayed as they were; they were not read.
        passages: How many passages the files have.
        encoded: Passages that had to be encoded: those with a new text.
        unread: Files that could not be read, and why, a line each; what the collection had of them stays.
        empty: Files without a text.
        others: How many files of a folder are of kinds that nothing here reads.
        applied: False where it was only asked what would happen.
    """

    added: int
    changed: int
    moved: int
    removed: int
    unchanged: int
    passages: int
    encoded: int
    unread: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    others: int = 0
    applied: bool = True

    def __str__(self) -> str:
        names = ("added", "changed", "moved", "removed", "unchanged")
        counts = ", ".join(f"{getattr(self, name):,} {name}" for name in names)
        passages = f"{self.passages:,} passage{'' if self.passages == 1 else 's'}, {self.encoded:,} encoded"
        unread = f"; {len(self.unread):,} unread" if self.unread else ""
        return f"{'' if self.applied else 'would be: '}{counts}; {passages}{unread}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class Info:
    """What a collection says of itself.

    Args:
        path: Its folder, or its address without a password.
        documents: How many it holds.
        model: The model that made its vectors.
        fingerprint: Of that model.
        dimension: Of the vectors.
        role: What its texts are to the model: "passage" or "query".
        truncated: Texts that were cut at the model's limit.
        fields: The metadata fields that can be filtered by.
        index: The kind of index in use; None before the first is made.
        why: Why that kind.
        recall: Of the ten nearest of its own vectors, the share that the index finds; None without an index.
        pending: Changes that the index does not hold yet; answers do.
        size: Bytes on the disk.
        created: When it was made, ISO 8601, UTC.
        log: Whether what is asked is logged: "on", "hashed", or None.
    """

    path: str
    documents: int
    model: str
    fingerprint: str
    dimension: int
    role: str
    truncated: int
    fields: tuple[str, ...]
    index: str | None
    why: str | None
    recall: float | None
    pending: int
    size: int
    created: str
    log: str | None = None

    def __str__(self) -> str:
        known = {**self.to_dict(), "fields": ", ".join(self.fields)}
        return "\n".join(f"{name:<12} {value}" for name, value in known.items() if value not in (None, ""))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class Verification:
    """What is wrong with a collection.

    Args:
        documents: How many were read and checked.
        findings: One line each; empty where all is well.
        healed: Derived files that were damaged; they are made again from the database.
    """

    documents: int
    findings: tuple[str, ...]
    healed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing was lost."""
        return not self.findings

    def __str__(self) -> str:
        lines = [f"{self.documents:,} documents read, {len(self.findings):,} findings", *self.findings]
        return "\n".join([*lines, *(f"made again: {each}" for each in self.healed)])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "ok documents findings healed")


@dataclass(frozen=True, slots=True)
class Reembedding:
    """A collection that went over to another model.

    Args:
        documents: How many got another vector.
        before: The model that it had.
        after: The model that it has.
        agreement: Of the ten nearest of a sample under the old model, the share that the new one finds, in [0, 1];
            None where there was nothing to compare.
        mapped: Whether the new model is an adapter of the old one: vectors were mapped, nothing encoded.
    """

    documents: int
    before: str
    after: str
    agreement: float | None
    mapped: bool = False

    def __str__(self) -> str:
        agree = "" if self.agreement is None else f", {self.agreement:.0%} of the ten nearest are the same"
        how = " mapped" if self.mapped else ""
        return f"{self.documents:,} documents{how} from {self.before} to {self.after}{agree}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class Moved:
    """A query for which another model finds other documents.

    Args:
        query: Its text.
        overlap: The share of the k best that stays, in [0, 1].
        before: The ids of the best three under the model in use.
        after: Under the other one.
    """

    query: str
    overlap: float
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.overlap:4.0%}  {self.query}: {', '.join(self.before)} -> {', '.join(self.after)}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class RankChange:
    """Where the documents that were chosen stand under two models.

    Args:
        queries: How many have a document that was chosen.
        before: Mean reciprocal rank of the best one under the model in use, in (0, 1].
        after: Under the other one.
        change: after - before.
        interval: Of the change, 95 %, queries resampled.
        p: Two-sided p-value of "they are equally good".
        first_before: The share of queries for which it stands first, under the model in use.
        first_after: Under the other one.
    """

    queries: int
    before: float
    after: float
    change: float
    interval: tuple[float, float]
    p: float
    first_before: float
    first_after: float

    def __str__(self) -> str:
        low, high = self.interval
        said = "better" if low > 0 else "worse" if high < 0 else "no difference that is sure"
        return (
            f"what was chosen ({self.queries:,} queries): reciprocal rank {self.before:.3f} -> {self.after:.3f} "
            f"[{low:+.3f}, {high:+.3f}], first {self.first_before:.0%} -> {self.first_after:.0%}: {said}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What another model would find for the queries of a collection.

    Args:
        before: The model in use.
        after: The other one.
        documents: How many there are.
        queries: Different ones that both were asked, without filters.
        k: How many hits were compared.
        mapped: Whether the other is an adapter of the one in use: going over encodes nothing, coming back does.
        overlap: Mean share of the k best that stays, in [0, 1].
        interval: Of the overlap, 95 %, queries resampled.
        other_first: Queries with another first hit.
        moved: Those of which the fewest hits stay, ten at most.
        chosen: Where documents stand that were chosen; None where ten queries at least have none. They were chosen
            among what the model in use has shown, which favours it.
    """

    before: str
    after: str
    documents: int
    queries: int
    k: int
    mapped: bool
    overlap: float
    interval: tuple[float, float]
    other_first: int
    moved: tuple[Moved, ...]
    chosen: RankChange | None

    def __str__(self) -> str:
        low, high = self.interval
        lines = [
            f"{self.before} -> {self.after}: {self.queries:,} queries, {self.documents:,} documents",
            f"of the {self.k} best {self.overlap:.0%} stay [{low:.0%}, {high:.0%}], "
            f"{self.other_first:,} queries have another first hit",
            *(f"  {each}" for each in self.moved),
        ]
        if self.chosen is not None:
            lines.append(str(self.chosen))
        else:
            lines.append("Which is better is not told: fewer than ten queries have a hit that was chosen.")
        if self.mapped:
            lines.append("Vectors are mapped, nothing is encoded; the way back to the parent encodes every text.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)
