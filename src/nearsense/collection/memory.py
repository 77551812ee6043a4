"""The engine that forgets: a collection in the memory of this process, for tests and small programs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearsense._forks import lock
from nearsense._progress import Progress, tracked
from nearsense.collection.engine import Answer, Batch, Engine, Facts, Moment, Question, require_new
from nearsense.collection.model import CollectionModel, agreement, differing, read_as, require_same_recipe
from nearsense.collection.snapshot import Snapshot, Tail, answer
from nearsense.errors import StoreError
from nearsense.filters import Filter
from nearsense.records import Document, Vectors
from nearsense.reports import Info, Reembedding, Verification
from nearsense.store.tables import State
from nearsense.text import content_hash

SPARE = 1000  # deleted rows that are kept beside as many living ones before their memory is given back


class _Row(NamedTuple):
    id: str
    text: str
    metadata: str
    truncated: bool

    @property
    def document(self) -> Document:
        return Document(self.id, self.text, json.loads(self.metadata))


class _Kept(NamedTuple):
    """All there is. Rows and tail only grow; what `places` does not name was deleted, or is not yet in.

    So each change is one step: `places` takes a batch in, or another _Kept comes. What broke off is nothing.
    """

    facts: Facts
    rows: list[_Row]
    places: dict[str, int]
    tail: Tail

    def living(self, ids: set[str] | None = None) -> tuple[list[_Row], NDArray[np.float32]]:
        """The rows that were not deleted, or those of some ids, in their order, and their vectors."""
        wanted = self.places if ids is None else ids & self.places.keys()
        places = sorted(self.places[id_] for id_ in wanted)
        return [self.rows[place] for place in places], self.tail.rows(len(self.rows)).take(np.array(places, int))

    def anew(self) -> _Kept:
        """The same without what was deleted."""
        return _kept(self.facts, *self.living())


def _kept(facts: Facts, rows: list[_Row], vectors: NDArray[np.float32]) -> _Kept:
    """Just these rows."""
    tail = Tail(vectors.shape[1])
    tail.extend(np.arange(len(rows)), [row.document for row in rows], vectors)
    return _Kept(facts, rows, {row.id: place for place, row in enumerate(rows)}, tail)


def _with_vectors(
    facts: Facts, rows: list[_Row], data: NDArray[np.float32]
) -> Iterator[tuple[list[Document], Vectors]]:
    """The documents of some rows with their vectors, in one part, or in none."""
    if rows:
        cut, made_by = np.array([row.truncated for row in rows]), (facts["model"], read_as(facts))
        yield [row.document for row in rows], Vectors(data, facts["fingerprint"], cut, *made_by)


class MemoryEngine(Engine):
    """Documents in a list, their vectors in a tail: searched as what a collection on a disk was given just now."""

    def __init__(self, model: CollectionModel) -> None:
        super().__init__(":memory:", model)
        facts = model.facts()
        self._guard, self._closed = lock(), False
        self._snapshot: Snapshot | None = None
        self._kept = _kept(facts, [], np.empty((0, facts["dimension"]), np.float32))

    def facts(self) -> Facts:
        with self._guard:
            kept = self._whole()
            return {**kept.facts, "documents": len(kept.places)}

    def set_facts(self, facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        with self._guard:
            kept = self._whole()
            require_same_recipe(kept.facts, recipe, self.name)
            self._take(kept._replace(facts={**kept.facts, **facts}))

    def write(self, batches: Iterable[Batch], recipe: Mapping[str, Any], *, replace: bool) -> None:
        for batch in batches:
            with self._guard:
                kept = self._whole()
                require_same_recipe(kept.facts, recipe, self.name)
                if not replace:
                    there = [document.id for document in batch.documents if document.id in kept.places]
                    require_new(batch.documents, there, self.name)
                new = zip(batch.documents, batch.metadata, batch.vectors.truncated.tolist(), strict=True)
                rows = [_Row(each.id, each.text, *rest) for each, *rest in new]
                places = {row.id: place for place, row in enumerate(rows, len(kept.rows))}
                self._snapshot = None
                kept.rows.extend(rows)
                kept.tail.extend(np.array([*places.values()]), [row.document for row in rows], batch.vectors.data)
                kept.places.update(places)
                self._tidy(kept)

    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        with self._guard:
            kept = self._whole()
            if where is not None:
                ids = [kept.rows[place].id for place in self._seen().positions(where).tolist()]
            gone = {id_ for id_ in ids if id_ in kept.places}
            self._snapshot = None
            if len(gone) == 1:
                kept.places.pop(*gone)
            elif gone:
                left = {id_: place for id_, place in kept.places.items() if id_ not in gone}
                kept = self._take(kept._replace(places=left))
            self._tidy(kept)
        return len(gone)

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        with self._guard:
            kept = self._whole()
            return {id_: kept.rows[kept.places[id_]].document for id_ in ids if id_ in kept.places}

    def stored(self, ids: Sequence[str] | None = None) -> Iterator[tuple[list[Document], Vectors]]:
        with self._guard:
            facts = self._whole().facts
            rows, data = self._kept.living(None if ids is None else {*ids})
        yield from _with_vectors(facts, rows, data)

    @contextlib.contextmanager
    def moment(self) -> Iterator[Moment]:
        with self._guard:
            facts = self._whole().facts
            rows, data = self._kept.living()
        yield Moment(len(rows), lambda: _with_vectors(facts, rows, data))

    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        with self._guard:
            rows, _ = self._whole().living()
        return ((row.id, content_hash(row.text), row.metadata) for row in rows)

    def ranked(self, question: Question) -> Answer:
        with self._guard:
            snapshot, rows = self._seen(), self._kept.rows
        return answer(snapshot, question, self.name, lambda places: {at: rows[at].document for at in places})

    def count(self, where: Filter | None = None) -> int:
        with self._guard:
            return len(self._seen().positions(where))

    def sample(self, size: int) -> Vectors:
        with self._guard:
            return self._seen().sample(size)

    def info(self) -> Info:
        with self._guard:
            snapshot, (rows, _) = self._seen(), self._kept.living()
        own: Facts = {"index": None, "why": None, "recall": None, "pending": 0, "size": 0}
        own |= {"truncated": sum(row.truncated for row in rows), "fields": tuple(sorted(snapshot.fields()))}
        return self._info(snapshot.facts, **own)

    def compact(self, progress: Progress) -> None:
        with self._guard:
            self._take(self._whole().anew())

    def verify(self) -> Verification:
        return Verification(self.count(), (), ())

    def reembed(self, model: CollectionModel, progress: Progress) -> Reembedding:
        before, after = self.facts(), model.facts()
        if not differing(after, before):
            self.model = model
            return Reembedding(0, before["model"], after["model"], None)
        known: dict[str, tuple[NDArray[np.float32], bool]] = {}
        mapped = model.map_after(before)
        with tracked(before["documents"], "documents", progress) as update:
            while True:
                with self.reembed_lock, self._guard:
                    kept = self._whole()
                    rows, old = kept.living()
                    missing = list(dict.fromkeys(row.text for row in rows if row.text not in known))
                    direct = mapped is not None and not differing(kept.facts, before)
                    if direct or not missing:
                        if mapped is not None and direct:
                            cut, how = np.array([row.truncated for row in rows], bool), read_as(before)
                            used = Vectors(old, before["fingerprint"], cut, before["model"], how)
                            new = mapped(used).data
                            update(len(rows))
                        else:
                            rows = [row._replace(truncated=known[row.text][1]) for row in rows]
                            new = np.array([known[row.text][0] for row in rows], np.float32)
                        after |= {"role": before["role"], "created": before["created"]}
                        made = _kept({**kept.facts, **after}, rows, new.reshape(-1, after["dimension"]))
                        self._snapshot, self._kept, self.model = None, made, model
                        break
                encoded = model.encode_checked(missing, after)
                vectors = zip(encoded.data, encoded.truncated.tolist(), strict=True)
                known.update(zip(missing, vectors, strict=True))
                update(min(sum(row.text in known for row in rows), before["documents"]))
        return Reembedding(len(rows), before["model"], after["model"], agreement(old, new), mapped is not None)

    def close(self) -> None:
        self._closed = True

    def _whole(self) -> _Kept:
        """What is there, put in order where a change broke off, or a fork came in the middle of one."""
        if self._closed:
            raise StoreError(f"{self.name} is closed", fix="open a new one: what was in it is gone")
        kept = self._kept
        return kept if kept.tail.whole and len(kept.tail) == len(kept.rows) else self._take(kept.anew())

    def _take(self, kept: _Kept) -> _Kept:
        self._snapshot, self._kept = None, kept
        return kept

    def _tidy(self, kept: _Kept) -> None:
        if len(kept.rows) > 2 * len(kept.places) + SPARE:
            self._take(kept.anew())

    def _seen(self) -> Snapshot:
        """What is there now, ready to be searched."""
        kept = self._whole()
        if self._snapshot is None:
            alive = np.zeros(len(kept.rows), bool)
            alive[[*kept.places.values()]] = True
            state = State(0, len(kept.rows), len(kept.places), dict(kept.facts))
            self._snapshot = Snapshot(state, None, None, kept.tail, len(kept.rows), alive)
        return self._snapshot
