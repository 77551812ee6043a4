"""The index of a collection in PostgreSQL: which there are, which fits, what is in use. Not how it is made.

The server keeps it up to date with every change. It only proposes; see postgres_ranking.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from nearsense.index import FEW
from nearsense.records import parse

if TYPE_CHECKING:
    from nearsense.store.postgres_tables import PostgresState

AUTO = "auto"
DIMENSIONS, HALF_DIMENSIONS = 2000, 4000
"""The longest vectors that pgvector indexes in full, and in half precision."""


class Kind(StrEnum):
    """How neighbours are looked for in PostgreSQL."""

    EXACT = "exact"
    """The server looks at every vector; nothing is built."""
    HNSW = "hnsw"
    """A graph of neighbours is walked."""
    HNSW_HALF = "hnsw-half"
    """Likewise, in half precision: half the memory, and as much found. Scores are of the whole vectors."""


def kind_of(name: str) -> Kind:
    """A user's word for a kind of index."""
    return parse(Kind, name, name="index")


@dataclass(frozen=True, slots=True)
class Built:
    """What is in use for a table of vectors: kept among the facts as `built`."""

    vectors: int
    dimension: int
    kind: str
    why: str
    recall: float | None
    documents: int
    """How many there were then."""

    @classmethod
    def of(cls, state: PostgresState) -> Built | None:
        """What was built for the vectors in use."""
        known = state.facts.get("built")
        return cls(**known) if known and known["vectors"] == state.vectors else None

    @property
    def is_index(self) -> bool:
        """Whether there is anything to be walked."""
        return self.kind != Kind.EXACT

    @property
    def _type(self) -> str:
        return "halfvec" if self.kind == Kind.HNSW_HALF else "vector"

    @property
    def order(self) -> str:
        """What the index orders by, with the vector as a parameter."""
        cast = f"::$V.halfvec({self.dimension})" if self.kind == Kind.HNSW_HALF else ""
        return f"(v.vector{cast} OPERATOR($V.<#>) %s::$V.{self._type})"

    @property
    def name(self) -> str:
        """The index's own."""
        return f"vectors_{self.vectors}_{self.kind.replace('-', '_')}"

    @property
    def sql(self) -> str:
        """What makes it."""
        column = f"(vector::$V.halfvec({self.dimension}))" if self.kind == Kind.HNSW_HALF else "vector"
        table = f"$S.vectors_{self.vectors}"
        return f"CREATE INDEX CONCURRENTLY {self.name} ON {table} USING hnsw ({column} $V.{self._type}_ip_ops)"


def choice(state: PostgresState) -> Built:
    """The kind that was asked for, or the one that fits."""
    n, dimension, asked = state.documents, int(state.facts["dimension"]), state.facts.get("index")
    given = f"{n:,} vectors of dimension {dimension}"
    if asked is not None:
        why, kind = "It was asked for.", Kind(asked)
        if kind is Kind.HNSW and dimension > DIMENSIONS:
            kind, why = (
                Kind.HNSW_HALF,
                f"{given}: beyond {DIMENSIONS:,} pgvector indexes them in half precision only.",
            )
        if kind is Kind.HNSW_HALF and dimension > HALF_DIMENSIONS:
            kind, why = Kind.EXACT, f"{given}: beyond {HALF_DIMENSIONS:,} pgvector has no index."
    elif n * dimension <= FEW * 384 or dimension > HALF_DIMENSIONS:
        kind, why = Kind.EXACT, f"{given}: every one is looked at, and nothing is missed."
    else:
        kind = Kind.HNSW_HALF
        why = f"{given}: a graph of neighbours finds candidates, which are then compared in full."
    return Built(state.vectors, dimension, str(kind), why, None, n)


def due(state: PostgresState) -> bool:
    """Whether an index should be made."""
    if "fingerprint" not in state.facts:
        return False
    known, wanted = Built.of(state), choice(state)
    if known is None or not wanted.is_index:
        return wanted.is_index
    return not known.is_index and state.documents > 2 * known.documents
