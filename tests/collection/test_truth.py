"""Whatever was done to a collection, it answers as a fresh one with the same documents would: a dict and numpy."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import nearsense as ns
from fakes import HashEncoder
from nearsense.filters import matches
from nearsense.lexical import Postings, Segment, bm25, reciprocal_rank_fusion

WORDS = ("red", "blue", "car", "bike", "wine", "house", "runs", "the", "of", "rain")
ids = st.sampled_from([f"id{number}" for number in range(12)])
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
metadata = st.fixed_dictionaries({}, optional={"year": st.integers(2000, 2004), "tag": st.sampled_from("abc")})
documents = st.builds(ns.Document, ids, texts, metadata)
batches = st.lists(documents, min_size=1, max_size=8, unique_by=lambda document: document.id)
filters = st.one_of(
    st.none(),
    st.builds(lambda year: {"year": {">=": year}}, st.integers(2000, 2004)),
    st.builds(lambda tag: {"not": {"tag": tag}}, st.sampled_from("abc")),
)


MEMORY = Path("/dev/shm")
"""Where a sync to the disk costs nothing; what survives a power cut is tested elsewhere."""


class Anything(RuleBasedStateMachine):
    """Two handles on one collection, as two processes would have, and a dict that says what should be there."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.encoder = HashEncoder()
        self.truth: dict[str, ns.Document] = {}
        self.order: list[str] = []
        self.handles = [self.opened(), self.opened()]

    def opened(self) -> ns.Collection:
        return ns.open(self.folder / "things.nearsense", encoder=self.encoder)

    def placed(self, batch: list[ns.Document]) -> None:
        for document in batch:
            if document.id in self.truth:
                self.order.remove(document.id)
            self.truth[document.id] = document
            self.order.append(document.id)

    def dropped(self, gone: list[str]) -> None:
        for id_ in gone:
            del self.truth[id_]
            self.order.remove(id_)

    @rule(batch=batches, handle=st.integers(0, 1))
    def add(self, batch: list[ns.Document], handle: int) -> None:
        if any(document.id in self.truth for document in batch):
            with pytest.raises(ns.errors.InputError, match="already"):
                self.handles[handle].add(batch)
        else:
            assert self.handles[handle].add(batch) == len(batch)
            self.placed(batch)

    @rule(batch=batches, handle=st.integers(0, 1))
    def upsert(self, batch: list[ns.Document], handle: int) -> None:
        assert self.handles[handle].upsert(batch) == len(batch)
        self.placed(batch)

    @rule(gone=st.lists(ids, max_size=5, unique=True), handle=st.integers(0, 1))
    def delete(self, gone: list[str], handle: int) -> None:
        there = [id_ for id_ in gone if id_ in self.truth]
        assert self.handles[handle].delete(gone) == len(there)
        self.dropped(there)

    @rule(where=filters.filter(bool), handle=st.integers(0, 1))
    def delete_where(self, where: dict[str, Any], handle: int) -> None:
        if known(where, self.truth):
            gone = [id_ for id_, document in self.truth.items() if matches(where, document.metadata)]
            assert self.handles[handle].delete(where=where) == len(gone)
            self.dropped(gone)

    @rule(batch=batches, handle=st.integers(0, 1))
    def sync(self, batch: list[ns.Document], handle: int) -> None:
        wanted = {document.id: document for document in batch}
        old = dict(self.truth)
        report = self.handles[handle].sync(batch)
        assert report.added == len(wanted.keys() - old.keys())
        assert report.removed == len(old.keys() - wanted.keys())
        assert report.unchanged == sum(old.get(id_) == document for id_, document in wanted.items())
        self.dropped([id_ for id_ in old if id_ not in wanted])
        changed = [document for document in batch if old.get(document.id) != document]
        same_text = [each for each in changed if each.id in old and old[each.id].text == each.text]
        added = [each for each in changed if each.id not in old]
        others = [each for each in changed if each not in same_text and each not in added]
        self.placed([*same_text, *added, *others])

    @rule(handle=st.integers(0, 1))
    def build(self, handle: int) -> None:
        self.handles[handle].build()

    @rule(handle=st.integers(0, 1))
    def compact(self, handle: int) -> None:
        self.handles[handle].compact()

    @rule(handle=st.integers(0, 1))
    def reopen(self, handle: int) -> None:
        self.handles[handle].close()
        self.handles[handle] = self.opened()

    @rule(which=st.integers(0, 20), handle=st.integers(0, 1))
    def lose_a_derived_file(self, which: int, handle: int) -> None:
        self.handles[handle].close()
        generations = self.folder / "things.nearsense" / "generations"
        files = sorted(each for each in generations.rglob("*") if each.is_file())
        if files:
            files[which % len(files)].unlink()
        self.handles[handle] = self.opened()

    @rule(query=texts, where=filters, k=st.integers(1, 6), handle=st.integers(0, 1), exact=st.booleans())
    def search(self, query: str, where: Any, k: int, handle: int, exact: bool) -> None:
        if not known(where, self.truth):
            return
        fresh = Fresh([self.truth[id_] for id_ in self.order], self.encoder, where)
        there = self.handles[handle]
        same(there.search(query, k, where=where, exact=exact), fresh.dense(query, k))
        same(there.search(query, k, where=where, mode="lexical"), fresh.lexical(query, k))
        hybrid = there.search(query, k, where=where, mode="hybrid", exact=exact)
        same(hybrid, fresh.hybrid(query, k))
        assert [(hit.text, hit.metadata) for hit in hybrid] == [
            (self.truth[hit.id].text, self.truth[hit.id].metadata) for hit in hybrid
        ]

    @invariant()
    def holds_what_it_should(self) -> None:
        for handle in self.handles:
            assert handle.count() == len(self.truth)
            asked = [f"id{number}" for number in range(12)]
            assert handle.get(asked) == [self.truth.get(id_) for id_ in asked]

    def teardown(self) -> None:
        for handle in getattr(self, "handles", []):
            assert handle.verify().ok
            handle.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Fresh:
    """The same documents, and the plainest way to search them."""

    def __init__(self, documents: list[ns.Document], encoder: HashEncoder, where: Any) -> None:
        self.encoder = encoder
        self.ids = [document.id for document in documents]
        self.texts = [document.text for document in documents]
        self.allowed = np.array([matches(where, document.metadata) for document in documents], bool)

    def dense(self, query: str, k: int) -> list[tuple[str, float]]:
        if not self.ids:
            return []
        data = self.encoder.encode(self.texts).data.astype(float)
        return self.best(data @ self.encoder.encode(query).data[0].astype(float), k)

    def lexical(self, query: str, k: int) -> list[tuple[str, float]]:
        found = bm25(query, [Segment(Postings.build(self.texts))], k, allowed=self.allowed)
        count = int(found.counts[0])
        best = zip(found.ids[0][:count], found.scores[0][:count], strict=True)
        return [(self.ids[row], float(score)) for row, score in best]

    def hybrid(self, query: str, k: int) -> list[tuple[str, float]]:
        sides = [[self.ids.index(id_) for id_, _ in side(query, 100)] for side in (self.dense, self.lexical)]
        rows, scores = reciprocal_rank_fusion([np.array(side, np.int64) for side in sides], k)
        return [(self.ids[row], float(score)) for row, score in zip(rows, scores, strict=True)]

    def best(self, scores: Any, k: int) -> list[tuple[str, float]]:
        rows = [row for row in np.argsort(-np.float32(scores), kind="stable") if self.allowed[row]]
        return [(self.ids[row], float(scores[row])) for row in rows[:k]]


def known(where: Any, truth: dict[str, ns.Document]) -> bool:
    """Filters by a field that no document has are refused, which is tested elsewhere."""
    names = {"not": {"tag"}, "year": {"year"}}
    fields = {name for document in truth.values() for name in document.metadata}
    return all(names[name] <= fields for name in where or {})


def same(hits: Any, expected: list[tuple[str, float]]) -> None:
    """The same scores, and the same documents wherever scores differ."""
    scores = [hit.score for hit in hits]
    assert scores == pytest.approx([score for _, score in expected], abs=2e-6)
    for hit, (id_, score) in zip(hits, expected, strict=True):
        tied = [other for other, value in expected if abs(value - score) < 2e-6]
        assert hit.id == id_ or hit.id in tied or score == pytest.approx(scores[-1], abs=2e-6)


TestAnything = Anything.TestCase
TestAnything.settings = settings(
    max_examples=settings.default.max_examples // 2,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
