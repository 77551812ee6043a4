"""What a collection says of itself and of what was done to it: frozen types, as those of records.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nearsense.records import as_json

__all__ = ["Info", "Reembedding", "SyncReport", "Verification"]


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
class Info:
    """What a collection says of itself.

    Args:
        path: Its folder.
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
        documents: How many were encoded anew.
        before: The model that it had.
        after: The model that it has.
        agreement: Of the ten nearest of a sample under the old model, the share that the new one finds, in [0, 1];
            None where there was nothing to compare.
    """

    documents: int
    before: str
    after: str
    agreement: float | None

    def __str__(self) -> str:
        agree = "" if self.agreement is None else f", {self.agreement:.0%} of the ten nearest are the same"
        return f"{self.documents:,} documents from {self.before} to {self.after}{agree}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)
