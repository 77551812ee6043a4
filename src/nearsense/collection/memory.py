"""The engine that forgets: a collection in the memory of this process, for tests and small programs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense._forks import lock
from nearsense._progress import Progress, tracked
from nearsense.collection.engine import Answer, Batch, Engine, Facts, Question, require_new
from nearsense.collection.model import CollectionModel, agreement, differing, read_as, require_same_recipe
from nearsense.collection.snapshot import Snapshot, Tail, answer
from nearsense.errors import StoreError
from nearsense.filters import Filter
from nearsense.records import Document, Vectors
from nearsense.reports import Info, Reembedding, Verification
from nearsense.store.tables import State
from nearsense.text import content_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPARE = 1000  # deleted rows that are kept beside as many living ones before their memory is given back


class _Row(NamedTuple):
    id: str
    text: str
    metadata: str
    truncated: bool

    @property
    def document(self) -> Document:
        return Document(self.id, self.text, json.loads(self.metadata))


class MemoryEngine(Engine):
    """Documents in a list, their vectors in a tail: searched as what a collection on a disk has just been given.

    New rows come at the end, deleted ones are masked; so who has taken the snapshot and the rows needs no lock.
    """

    def __init__(self, model: CollectionModel) -> None:
        super().__init__(":memory:", model)
        self._facts = model.facts()
        self._guard, self._closed = lock(), False
        self._snapshot: Snapshot | None = None
        self._begin([], np.empty((0, self._facts["dimension"]), np.float32))

    def facts(self) -> Facts:
        with self._turn():
            return {**self._facts, "documents": len(self._places)}

    def set_facts(self, facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        with self._turn():
            require_same_recipe(self._facts, recipe, self.name)
            self._facts, self._snapshot = {**self._facts, **facts}, None

    def write(self, batches: Iterable[Batch], recipe: Mapping[str, Any], *, replace: bool) -> None:
        for batch in batches:
            with self._turn():
                require_same_recipe(self._facts, recipe, self.name)
                there = [document.id for document in batch.documents if document.id in self._places]
                if not replace:
                    require_new(batch.documents, there, self.name)
                self._remove(there)
                new = zip(batch.documents, batch.metadata, batch.vectors.truncated.tolist(), strict=True)
                self._append([_Row(each.id, each.text, *rest) for each, *rest in new], batch.vectors.data)

    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        with self._turn():
            if where is not None:
                ids = [self._rows[place].id for place in self._seen().positions(where).tolist()]
            gone = {id_ for id_ in ids if id_ in self._places}
            self._remove(gone)
        return len(gone)

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        with self._turn():
            return {id_: self._rows[self._places[id_]].document for id_ in ids if id_ in self._places}

    def stored(self, ids: Sequence[str] | None = None) -> Iterator[tuple[list[Document], Vectors]]:
        with self._turn():
            facts = self._facts
            rows, data = self._living(None if ids is None else {*ids})
        if rows:
            made_by = (
                facts["fingerprint"],
                np.array([row.truncated for row in rows]),
                facts["model"],
                read_as(facts),
            )
            yield [row.document for row in rows], Vectors(data, *made_by)

    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        with self._turn():
            rows, _ = self._living()
        return ((row.id, content_hash(row.text), row.metadata) for row in rows)

    def ranked(self, question: Question) -> Answer:
        with self._turn():
            snapshot, rows = self._seen(), self._rows
        return answer(snapshot, question, self.name, lambda places: {at: rows[at].document for at in places})

    def count(self, where: Filter | None = None) -> int:
        with self._turn():
            return len(self._seen().positions(where))

    def sample(self, size: int) -> Vectors:
        with self._turn():
            return self._seen().sample(size)

    def info(self) -> Info:
        with self._turn():
            snapshot, (rows, _) = self._seen(), self._living()
        own: Facts = {"index": None, "why": None, "recall": None, "pending": 0, "size": 0}
        own |= {"truncated": sum(row.truncated for row in rows), "fields": tuple(sorted(snapshot.fields()))}
        return self._info(snapshot.facts, **own)

    def compact(self, progress: Progress) -> None:
        with self._turn():
            self._begin(*self._living())

    def verify(self) -> Verification:
        return Verification(self.count(), (), ())

    def reembed(self, model: CollectionModel, progress: Progress) -> Reembedding:
        before, after = self.facts(), model.facts()
        if not differing(after, before):
            self.model = model
            return Reembedding(0, before["model"], after["model"], None)
        known: dict[str, tuple[NDArray[np.float32], bool]] = {}
        with tracked(before["documents"], "documents", progress) as update:
            while True:
                with self.reembed_lock, self._turn():
                    rows, old = self._living()
                    missing = list(dict.fromkeys(row.text for row in rows if row.text not in known))
                    if not missing:
                        rows = [row._replace(truncated=known[row.text][1]) for row in rows]
                        new = np.array([known[row.text][0] for row in rows], np.float32)
                        after |= {"role": before["role"], "created": before["created"]}
                        self._facts, self.model = {**self._facts, **after}, model
                        self._begin(rows, new.reshape(-1, after["dimension"]))
                        break
                made = model.encode_checked(missing, after)
                known.update(zip(missing, zip(made.data, made.truncated.tolist(), strict=True), strict=True))
                update(min(len(known), before["documents"]))
        return Reembedding(len(rows), before["model"], after["model"], agreement(old, new))

    def close(self) -> None:
        self._closed = True

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with self._guard:
            if self._closed:
                raise StoreError(f"{self.name} is closed", fix="open a new one: what was in it is gone")
            yield

    def _begin(self, rows: list[_Row], vectors: NDArray[np.float32]) -> None:
        """Keep just these rows, from now on."""
        self._rows: list[_Row] = []
        self._places: dict[str, int] = {}
        self._tail = Tail(vectors.shape[1])
        self._append(rows, vectors)

    def _append(self, rows: list[_Row], vectors: NDArray[np.float32]) -> None:
        first = len(self._rows)
        self._rows.extend(rows)
        self._places.update((row.id, place) for place, row in enumerate(rows, first))
        self._tail.extend(np.arange(first, len(self._rows)), [row.document for row in rows], vectors)
        self._snapshot = None

    def _remove(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            del self._places[id_]
        self._snapshot = None
        if len(self._rows) > 2 * len(self._places) + SPARE:
            self._begin(*self._living())

    def _living(self, ids: set[str] | None = None) -> tuple[list[_Row], NDArray[np.float32]]:
        """The rows that were not deleted, or those of some ids, in their order, and their vectors."""
        wanted = self._places if ids is None else ids & self._places.keys()
        places = sorted(self._places[id_] for id_ in wanted)
        vectors = self._tail.rows(len(self._rows)).take(np.array(places, int))
        return [self._rows[place] for place in places], vectors

    def _seen(self) -> Snapshot:
        """What is there now, ready to be searched."""
        if self._snapshot is None:
            alive = np.zeros(len(self._rows), bool)
            alive[[*self._places.values()]] = True
            state = State(0, len(self._rows), len(self._places), dict(self._facts))
            self._snapshot = Snapshot(state, None, None, self._tail, len(self._rows), alive)
        return self._snapshot
