"""How the index of a collection in PostgreSQL is made: beside readers and writers, measured, taken into use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.collection.postgres_index import Built, Kind, choice
from nearsense.collection.postgres_ranking import PostgresRanked
from nearsense.store.postgres import PATIENCE
from nearsense.store.postgres_tables import alone

if TYPE_CHECKING:
    from nearsense.store.postgres import Postgres
    from nearsense.store.postgres_tables import Names, PostgresReader, PostgresState, PostgresWriter

T = TypeVar("T")

ENOUGH = 0.95
"""The recall below which an index that nobody asked for is not used."""
SAMPLE, NEAREST = 50, 10
"""Documents by whose nearest ones an index is measured."""
MEMORY = 2048
"""The most megabytes of the server that a build asks for; below what it needs it takes many times as long."""


class Building(Protocol):
    """What it takes of an engine."""

    server: Postgres
    names: Names

    def read(self, action: Callable[[PostgresReader], T]) -> T:
        """What an action makes of one moment."""
        ...  # pragma: no cover

    def change(self, action: Callable[[PostgresWriter], int]) -> int:
        """Change something, once."""
        ...  # pragma: no cover


def build(
    engine: Building,
    *,
    wait: bool,
    progress: Progress,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Make the index that suits what there is now, measure it and take it into use; others read and write.

    False where somebody else is at it, and one does not wait.
    """

    def make(connection: Any) -> bool:
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

    return engine.server.alone(make, patience=PATIENCE)


def _create(
    connection: Any, engine: Building, wanted: Built, state: PostgresState, stopping: Callable[[], bool]
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


def _take(engine: Building, made: Built) -> None:
    """Searches use it from now on, if the vectors are still those."""

    def take(writer: Any) -> int:
        if writer.before.vectors == made.vectors:
            writer.set_facts({"built": asdict(made)})
        return 0

    engine.change(take)


def _measured(engine: Building, built: Built) -> Built:
    """With the share of the ten nearest of some of its own vectors that it finds."""
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
