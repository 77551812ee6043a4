"""The index of a collection in PostgreSQL: pgvector's HNSW, made beside readers and writers, measured, and in use.

The server keeps it up to date with every change. It only proposes; see postgres_ranking.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.index import FEW
from nearsense.records import parse
from nearsense.store.postgres_tables import alone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.collection.postgres import PostgresEngine
    from nearsense.store.postgres_tables import PostgresState

AUTO = "auto"
DIMENSIONS, HALF_DIMENSIONS = 2000, 4000
"""The longest vectors that pgvector indexes in full, and in half precision."""
ENOUGH = 0.95
"""The recall below which an index that nobody asked for is not used."""
SAMPLE, NEAREST = 50, 10
"""Documents by whose nearest ones an index is measured."""
MEMORY = 2048
"""The most megabytes of the server that a build asks for; below what it needs it takes many times as long."""


class Kind(StrEnum):
    """How neighbours are looked for in PostgreSQL."""

    EXACT = "exact"
    """The server looks at every vector; nothing is built."""
    HNSW = "hnsw"
    """A graph of neighbours is walked."""
    HNSW_HALF = "hnsw-half"
    """Likewise, its vectors in half precision: half the memory. Scores are of the whole ones."""


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

    def literal(self, vector: NDArray[np.float32]) -> str:
        """A vector as a parameter."""
        return f"[{','.join(map(repr, vector.tolist()))}]"


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
        kind = Kind.HNSW if dimension <= DIMENSIONS else Kind.HNSW_HALF
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


def build(
    engine: PostgresEngine,
    *,
    wait: bool,
    progress: Progress,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Make the index that suits what there is now, measure it and take it into use; others read and write.

    False where somebody else is at it, and one does not wait.
    """
    with engine.server.alone() as connection:
        if not alone(connection, engine.names, wait=wait):
            return False
        state = engine.read(lambda reader: reader.state())
        wanted, before = choice(state), Built.of(state)
        with tracked(state.documents, "documents", progress) as update:
            if wanted.is_index and not (before and before.kind == wanted.kind):
                _create(connection, engine, wanted, state, stopping)
            update(state.documents)
        made = _measured(engine, wanted)
        if made.recall is not None and made.recall < ENOUGH and state.facts.get("index") is None:
            why = f"{made.kind} finds {made.recall:.0%} of what is near here: every vector is looked at instead."
            made = replace(made, kind=str(Kind.EXACT), why=why, recall=1.0)
        _take(engine, made)
        for kind in Kind:
            other = replace(made, kind=str(kind))
            if other.is_index and kind != made.kind:
                connection.execute(engine.names(f"DROP INDEX CONCURRENTLY IF EXISTS $S.{other.name}"))
    return True


def _create(
    connection: Any, engine: PostgresEngine, wanted: Built, state: PostgresState, stopping: Callable[[], bool]
) -> None:
    """Make an index; one that broke off is made anew. It is given up when somebody wants to stop."""
    megabytes = min(state.documents * (4 * wanted.dimension + 300) * 2 // 1_000_000 + 64, MEMORY)
    connection.execute(engine.names(f"DROP INDEX CONCURRENTLY IF EXISTS $S.{wanted.name}"))
    connection.execute(f"SET maintenance_work_mem = '{megabytes}MB'")
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            if stopping():
                connection.cancel()
                return

    watching = threading.Thread(target=watch, name="nearsense-build", daemon=True)
    watching.start()
    try:
        connection.execute(engine.names(wanted.sql))
    finally:
        done.set()
        watching.join()


def _take(engine: PostgresEngine, made: Built) -> None:
    """Searches use it from now on, if the vectors are still those."""

    def take(writer: Any) -> int:
        if writer.before.vectors == made.vectors:
            writer.set_facts({"built": asdict(made)})
        return 0

    engine.change(take)


def _measured(engine: PostgresEngine, built: Built) -> Built:
    """With the share of the ten nearest of some of its own vectors that it finds."""
    from nearsense.collection.postgres_ranking import PostgresRanked

    if not built.is_index:
        return replace(built, recall=1.0)

    def measure(reader: Any) -> float | None:
        state = reader.state()
        queries = reader.vectors(reader.evenly(SAMPLE, state.documents), built.vectors)
        if len(queries) <= NEAREST or state.vectors != built.vectors:
            return None
        state.facts["built"] = asdict(built)
        index, exact = (PostgresRanked(reader, state, None, each) for each in (False, True))
        shares = []
        for (_, found), (_, true) in zip(
            index.nearest(queries, NEAREST + 1), exact.nearest(queries, NEAREST + 1), strict=True
        ):
            shares.append(np.count_nonzero(found >= true[-1]) / (NEAREST + 1))
        return float(np.mean(shares))

    return replace(built, recall=engine.read(measure))
