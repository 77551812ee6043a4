"""How a collection in PostgreSQL is ranked: pgvector's order and BM25 over the words of its rows, scored here.

The server only proposes: scores come from the stored float32 vectors, in float64, as in every engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.collection.postgres_index import Built
from nearsense.collection.ranking import Ranked
from nearsense.filters import Filter, names, require_known
from nearsense.filters.sql import condition
from nearsense.lexical import Found, Segment, bm25, term_hash, terms
from nearsense.records import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.store.postgres_tables import PostgresReader, PostgresState
    from nearsense.ties import Best

    Counts = tuple[NDArray[np.int64], NDArray[np.int64]]

SPARE = 16
"""Rows that are asked for beyond those wanted: the server's order is that of float32 sums."""
FEW = 5000
"""So many documents that a filter lets pass are sooner all compared than found in the index."""
EFFORT = 200
"""How many candidates a walk through the index keeps, at least."""
MOST = 1000
"""The most candidates that pgvector keeps; beyond that the walk begins anew where it ended."""
CHUNK = 4096
ROOM = 4000
"""So many documents are looked at for the rarest terms of a query, at first."""
SOME = 12
"""So many terms are looked up one by one in the documents; of more, all terms of these are gone through."""
WALK = {
    "hnsw.iterative_scan": "strict_order",
    "hnsw.max_scan_tuples": "2000000",
    "hnsw.scan_mem_multiplier": "4",
}
"""A walk goes on until as many pass the filter as are wanted."""
WAYS = ("seqscan", "hashjoin", "mergejoin", "sort", "bitmapscan")
"""How a server would get around the index where its guess of a filter is off."""


class PostgresRanked(Ranked):
    """One moment's rankings."""

    def __init__(self, reader: PostgresReader, state: PostgresState, where: Filter | None, exact: bool) -> None:
        self._reader, self._state, self._where = reader, state, where
        self._table = f"$S.vectors_{state.vectors}"
        built = None if exact else Built.of(state)
        self._index = built if built and built.is_index and not self._is_narrow() else None

    def count(self) -> int:
        return self._state.documents

    def at(self, positions: list[int]) -> Mapping[int, Document]:
        return self._reader.documents(positions)

    def nearest(self, vectors: NDArray[np.float32], depth: int) -> list[Best]:
        return [self._scored(self._candidates(vector, depth + SPARE), vector, depth) for vector in vectors]

    def _is_narrow(self) -> bool:
        """Whether few documents pass the filter."""
        if self._where is None:
            return False
        parameters: list[Any] = []
        test = condition(self._where, "fields", parameters)
        sql = f"SELECT count(*) FROM (SELECT FROM $S.documents WHERE {test} LIMIT {FEW}) AS passing"
        return int(self._reader.value(sql, parameters)) < FEW

    def _candidates(self, vector: NDArray[np.float32], count: int) -> list[int]:
        """Positions of the nearest, by the index where there is one, and by a scan for what it does not reach."""
        if self._index is not None:
            effort = {"hnsw.ef_search": str(min(max(EFFORT, count), MOST))}
            self._set({**WALK, **effort, **{f"enable_{way}": "off" for way in WAYS}})
            found = self._positions(self._index.order, literal(vector), count)
            self._set({f"enable_{way}": "on" for way in WAYS})
            if len(found) >= min(count, self._state.documents):
                return found
        return self._positions("(v.vector OPERATOR($V.<#>) %s::$V.vector) + 0", literal(vector), count)

    def _set(self, settings: Mapping[str, str]) -> None:
        """Change settings of the server until this moment is over."""
        sql = ", ".join(["set_config(%s, %s, true)"] * len(settings))
        self._reader.run(f"SELECT {sql}", [each for pair in settings.items() for each in pair])

    def _positions(self, order: str, vector: str, count: int) -> list[int]:
        parameters: list[Any] = []
        narrowed = ""
        if self._where is not None:
            test = condition(self._where, "d.fields", parameters)
            narrowed = f" JOIN $S.documents AS d ON d.position = v.position WHERE {test}"
        sql = f"SELECT v.position FROM {self._table} AS v{narrowed} ORDER BY {order}, v.position LIMIT %s"
        return [row[0] for row in self._reader.run(sql, [*parameters, vector, count]).fetchall()]

    def _scored(self, positions: list[int], vector: NDArray[np.float32], depth: int) -> Best:
        """The best of some, with the inner products of what is stored."""
        where = np.sort(np.array(positions, np.int64))
        query, scores = vector.astype(np.float64), np.empty(len(where), np.float32)
        for start in range(0, len(where), CHUNK):
            part = where[start : start + CHUNK]
            stored = self._reader.vectors(part.tolist(), self._state.vectors)
            scores[start : start + CHUNK] = stored.astype(np.float64) @ query
        order = np.lexsort((where, -scores))[:depth]
        return where[order], scores[order]

    def by_words(self, texts: Sequence[str], depth: int) -> list[Best]:
        return [self._best_by_words(text, depth) for text in texts]

    def _best_by_words(self, text: str, depth: int) -> Best:
        """BM25 by the statistics of all documents, over those that hold a rare term of the text.

        Each comes with the counts of all terms. Where those that hold only common terms could be among the
        best, they are looked at, too.
        """
        repeats = Counter(terms(text))
        numbers = {number_of(term): term for term in repeats}
        sql = "SELECT number, documents FROM $S.words WHERE number = ANY(%s) AND documents > 0 ORDER BY documents"
        known = {numbers[number]: count for number, count in self._reader.run(sql, [[*numbers]]).fetchall()}
        n, rare, room = self._state.documents, 0, ROOM
        weights = [repeats[term] * log(1 + (n - df + 0.5) / (df + 0.5)) for term, df in known.items()]
        while True:
            looked = 0
            for rare, df in enumerate(known.values(), 1):  # noqa: B007 - so many of the rarest are looked up
                looked += df
                if looked > room:
                    break
            positions, found = self._scored_by_words(text, known, [*known][:rare], depth)
            reach = sum(weights[rare:]) * (1 + 1e-5)
            kth = float(found[-1]) if len(found) == depth else 0.0
            if rare == len(known) or reach < kth:
                return positions, found
            room = max(2 * room, looked) * 2

    def _scored_by_words(self, text: str, known: Mapping[str, int], rare: list[str], depth: int) -> Best:
        """The best of the documents that hold one of some terms; only numbers travel."""
        if not rare:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        parameters: list[Any] = []
        passes = "TRUE" if self._where is None else condition(self._where, "fields", parameters)
        asked, numbers = ([number_of(term) for term in each] for each in (rare, known))
        few = numbers if len(numbers) <= SOME else []
        counts = [
            f', coalesce(counts[array_position(terms, {number}::bigint)], 0) AS "c{number}"' for number in few
        ]
        sent = self._sent(
            (
                "int8send(position)",
                "int4send(length)",
                "boolsend(passes)",
                *(f'int4send("c{each}")' for each in few),
            ),
            f"SELECT position, length, {passes} AS passes{''.join(counts)} FROM $S.documents"
            " WHERE terms && %s::bigint[] ORDER BY position",
            [*parameters, asked],
        )
        there = np.frombuffer(sent[0], ">i8").astype(np.int64)
        held = {number: _nonzero(each) for number, each in zip(few, sent[3:], strict=True)}
        words = _Words(known, sent[1], held or self._held(asked, numbers, there))
        found = bm25(text, [_Some(words, self._state)], depth, allowed=np.frombuffer(sent[2], np.bool_))
        count = int(found.counts[0])
        return there[found.ids[0, :count]], found.scores[0, :count]

    def _held(self, asked: list[int], numbers: list[int], there: NDArray[np.int64]) -> Mapping[int, Counts]:
        """For each of many terms, of the rows that hold one of some, those that hold it, and how often."""
        sent = self._sent(
            ("int8send(position)", "int8send(number)", "int4send(count)"),
            "SELECT position, number, count FROM $S.documents, unnest(terms, counts) AS held (number, count)"
            " WHERE terms && %s::bigint[] AND number = ANY(%s::bigint[])",
            [asked, numbers],
        )
        kinds = (">i8", ">i8", ">i4")
        at, held, counts = (np.frombuffer(*each).astype(np.int64) for each in zip(sent, kinds, strict=True))
        order = np.lexsort((at, held))
        each, starts = np.unique(held[order], return_index=True)
        rows = np.split(np.searchsorted(there, at[order]), starts[1:])
        return dict(zip(each.tolist(), zip(rows, np.split(counts[order], starts[1:]), strict=True), strict=True))

    def _sent(self, columns: Sequence[str], source: str, parameters: Sequence[Any]) -> list[bytes]:
        """Each column of a question as the bytes of all its rows: only numbers travel."""
        sent = ", ".join(f"string_agg({column}, ''::bytea)" for column in columns)
        row = self._reader.run(f"SELECT {sent} FROM ({source}) AS found", parameters).fetchone()
        return [each or b"" for each in row or [b""] * len(columns)]


def number_of(term: str) -> int:
    """A term's number, as a bigint holds it."""
    number = term_hash(term)
    return number - (1 << 64 if number >> 63 else 0)


class _Frequent(Found):
    """Some of the rows that hold a term; `frequency` counts all."""

    frequency: int


def _nonzero(sent: bytes) -> Counts:
    counts = np.frombuffer(sent, ">i4").astype(np.int64)
    rows = np.flatnonzero(counts)
    return rows, counts[rows]


class _Words:
    """Rows that share a term with a query, for BM25: see `lexical.postings.Searchable`."""

    def __init__(self, known: Mapping[str, int], lengths: bytes, held: Mapping[int, Counts]) -> None:
        self.lengths = np.frombuffer(lengths, ">i4").astype(np.int64)
        self._known, self._held = known, held

    def find(self, term: str) -> Found:
        """The rows that hold a term, and how often."""
        none = np.empty(0, np.int64)
        found = _Frequent(*self._held.get(number_of(term), (none, none)))
        found.frequency = self._known.get(term, 0)
        return found


class _Some(Segment):
    """Some rows of a collection, weighed by the statistics of all."""

    __slots__ = ()

    def __init__(self, words: _Words, state: PostgresState) -> None:
        super().__init__(words)
        self.living, self.terms = state.documents, state.terms

    def frequency(self, found: Found) -> int:
        """How many documents hold a term; 0 where none of these does, and it adds nothing."""
        return found.frequency if isinstance(found, _Frequent) and len(found.rows) else 0


def known_filter(reader: PostgresReader, where: Filter | None) -> Filter | None:
    """A filter whose fields exist."""
    if where is not None and reader.value("SELECT documents FROM $S.state"):
        known = set(reader.fields())
        if not names(where) <= known:
            require_known(where, known)
    return where


def literal(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it, each number in full."""
    return f"[{','.join(map(repr, vector.tolist()))}]"
