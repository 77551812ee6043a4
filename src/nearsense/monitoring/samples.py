"""Two sides as one table: what was given, in an order that only its contents decide, copies made one. No tests.

Rows come from texts, documents, vectors or logged queries. A row is what was asked or written once; a *unit* is
what counts once: a row, or rows that are copies of each other. Which row stands for its copies is drawn without
looking at sides, so that under "both sides are alike" the sides of units are exchangeable, whatever the sizes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from nearsense import checks
from nearsense.cached import cached
from nearsense.clustering.geometry import canonical_order
from nearsense.collection import Collection
from nearsense.columns import cells_of, index_of, is_frame
from nearsense.corpus import Texts, as_documents, column_in
from nearsense.encoders import resolve
from nearsense.errors import InputError, ModelMismatch
from nearsense.mining import mine
from nearsense.own_vectors import checked_vectors
from nearsense.records import Document, Vectors, shown
from nearsense.vectors.rows import unit_rows
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense._progress import Progress
    from nearsense.corpus import TextColumn
    from nearsense.encoders import Encoder
    from nearsense.querylog import LoggedQuery

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]

COPY = 0.98
"""Cosine similarity from which on two texts are copies: a template with another name in it, a word more or less.
Of 15,100 requests of 151 kinds 4 % have such a one before them."""

_DIGITS = str.maketrans("0123456789", "0" * 10)


class Copies(StrEnum):
    """How often a text counts that is there several times."""

    ONCE = "once"  # together as one: nobody tells a hundred people from one program that asks a hundred times
    EACH = "each"  # each: every copy is somebody's own


Given = Texts | Iterable["LoggedQuery"] | Vectors | Collection
"""What a side may be."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The n rows of one side, in columns; what nobody knows is NaN, or None for all of it."""

    ids: Sequence[str]
    texts: Sequence[str | None]
    keys: Sequence[str]  # what tells a row from others: its text, else a digest of it or of its vector
    vectors: Vectors | None
    scores: Doubles  # (n,): of the best hit
    answered: Doubles  # (n,): 1 or 0
    probabilities: Doubles  # (n,): stated of the best hit
    accepted: Doubles  # (n,): 1 where the best hit was taken, 0 where another was
    model: str | None  # the fingerprint of the model that scored; None where nothing did
    modes: Sequence[str]  # how each was searched

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Ints) -> Side:
        """Some of the rows, in their order."""
        at = rows.tolist()
        return replace(
            self,
            ids=[self.ids[row] for row in at],
            texts=[self.texts[row] for row in at],
            keys=[self.keys[row] for row in at],
            vectors=None if self.vectors is None else self.vectors.take(at),
            modes=[self.modes[row] for row in at],
            **{name: getattr(self, name)[rows] for name in NUMBERS},
        )


NUMBERS = ("scores", "answered", "probabilities", "accepted")


def read_side(given: Given, vectors: Vectors | None, what: str, text: TextColumn = None) -> Side:
    """What was given as one side: texts, documents, vectors, or logged queries; with vectors of texts, if any."""
    if isinstance(given, (Vectors, Collection)):
        if vectors is not None:
            fix = "give texts, or vectors alone"
            raise InputError(f"{what} has vectors, and is given others besides", fix=fix)
        side = _of_vectors(given) if isinstance(given, Vectors) else _of_collection(given)
    else:
        text = column_in(given, text)
        table = text is not None or is_frame(given) or isinstance(given, (str, os.PathLike, Document))
        items = [] if table else cells_of(given)
        if items is None:
            fix = 'give a list of texts: ["one", "two"], Vectors, or the entries of a log'
            raise InputError(f"{what} is {shown(given)}", why="many texts are compared", fix=fix)
        if items and all(map(_is_logged, items)):
            side = _of_log(items, what)
        else:
            kept = table or index_of(given) is not None  # else it may be read only once
            side = _of_texts(given if kept else items, text, what)
        if vectors is not None:
            side = replace(side, vectors=_unit(vectors, len(side), what))
    if not len(side):
        why = "two samples are compared, and nothing is like or unlike no text"
        raise InputError(f"{what} is empty", why=why, fix="give at least one text a side; wait for more of a log")
    return side


def _is_logged(item: object) -> TypeGuard[LoggedQuery]:
    return hasattr(item, "answered") and hasattr(item, "digest")


def _of_vectors(given: Vectors) -> Side:
    unit = _unit(given, len(given), "vectors")
    keys = [hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in unit.data]
    return _side([str(row) for row in range(len(unit))], [None] * len(unit), keys, unit)


def _of_collection(given: Collection) -> Side:
    documents, vectors = given.documents()
    texts = [document.text for document in documents]
    return _side([document.id for document in documents], texts, texts, _unit(vectors, len(texts), "collection"))


def _of_texts(given: Any, text: TextColumn, what: str) -> Side:
    if isinstance(given, list) and any(map(_is_logged, given)):
        raise InputError(f"{what} mixes texts and logged queries", fix="give one kind a side")
    documents = as_documents(given, text, what=f"{what} text")
    texts = [document.text for document in documents]
    return _side([document.id for document in documents], texts, texts, None)


def _side(ids: Sequence[str], texts: Sequence[str | None], keys: Sequence[str], vectors: Vectors | None) -> Side:
    unknown = np.full(len(ids), np.nan)
    return Side(ids, texts, keys, vectors, unknown, unknown, unknown, unknown, None, [""] * len(ids))


def _of_log(entries: Sequence[LoggedQuery], what: str) -> Side:
    models = sorted({each.model for each in entries if len(each.scores) and each.model})
    if len(models) > 1:
        what = f"{what} holds scores of {len(models):,} models: {', '.join(each[:12] for each in models)}"
        fix = "take entries of one model, or the texts alone: [entry.query for entry in entries]"
        raise ModelMismatch(what, why="a score means something else in each", fix=fix)
    n = len(entries)
    columns = {name: np.full(n, np.nan) for name in NUMBERS}
    for row, each in enumerate(entries):
        columns["answered"][row] = float(each.answered)
        if len(each.scores):
            columns["scores"][row] = each.scores[0]
        if len(each.probabilities) and each.probabilities[0] is not None:
            columns["probabilities"][row] = each.probabilities[0]
        if each.chosen is not None and len(each.ids):
            columns["accepted"][row] = float(each.chosen == each.ids[0])
    texts = [each.query if each.query and not each.query.isspace() else None for each in entries]
    return Side(
        [str(row) for row in range(n)],
        texts,
        [text if text is not None else each.digest for text, each in zip(texts, entries, strict=True)],
        None,
        model=models[0] if models else None,
        modes=[str(each.mode) for each in entries],
        **columns,
    )


def _unit(vectors: Any, rows: int, what: str) -> Vectors:
    """Vectors of unit length, one for each row."""
    known = checked_vectors(vectors, rows, f"the vectors of {what}")
    data = unit_rows(known.data, lambda row: f"vector {row} of {what}")
    return known if data is known.data else replace(known, data=data)


def in_order(side: Side, most: int, random: np.random.Generator) -> Side:
    """The rows in an order that only their contents decide; of more than `most` so many that are drawn."""
    columns = [np.where(np.isnan(column := getattr(side, name)), -9.0, column).tolist() for name in NUMBERS]
    if side.vectors is not None and all(text is None for text in side.texts):
        order = canonical_order(side.vectors.data)
    else:
        rows = sorted(range(len(side)), key=list(zip(side.keys, side.modes, *columns, strict=True)).__getitem__)
        order = np.array(rows, np.int64)
    if len(order) > most:
        order = order[np.sort(random.choice(len(order), most, replace=False, shuffle=False))]
    return side.take(order)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Both sides below each other, those of the current one first, and the m units that are tested."""

    side: Side  # all n rows
    current: Bools  # (n,): whether a row is of the current side
    vectors: NDArray[np.float32] | None  # (n, d): unit length; rows of no vector are zeros
    known: Bools  # (n,): whether a row has a vector
    fingerprint: str
    model: str
    unit_of: Ints  # (n,): the unit of each row
    units: Ints  # (m,): the row that stands for each unit
    given: tuple[int, int]  # how many rows were given, before any was drawn

    @property
    def labels(self) -> Bools:
        """Whether each unit is of the current side: (m,)."""
        return self.current[self.units]

    @property
    def held(self) -> Bools:
        """Whether each unit has a row of the current side, and of the reference: (2, m)."""
        there = np.zeros((2, len(self.units)), np.bool_)
        there[0, self.unit_of[self.current]] = True
        there[1, self.unit_of[~self.current]] = True
        return there

    def column(self, name: str) -> Doubles:
        """What is known of each unit: (m,)."""
        values: Doubles = getattr(self.side, name)[self.units]
        return values

    @property
    def texts(self) -> list[str | None]:
        """The text of each unit."""
        return [self.side.texts[row] for row in self.units.tolist()]

    @property
    def lengths(self) -> Doubles:
        """How many characters each has: (m,)."""
        return np.array([np.nan if text is None else float(len(text)) for text in self.texts])


def pool(
    sides: tuple[Side, Side],
    encoder: Encoder | str | None,
    *,
    copies: Copies,
    sample: int,
    seed: int,
    progress: Progress,
) -> Pool:
    """Two sides, current and reference, made comparable: drawn, encoded where they are texts, copies made one."""
    randoms = np.random.default_rng(checks_seed(seed)).spawn(3)
    given = (len(sides[0]), len(sides[1]))
    current, reference = (in_order(side, sample, each) for side, each in zip(sides, randoms, strict=False))
    if current.model and reference.model and current.model != reference.model:
        what = f"scores of two models: {current.model[:12]} now and {reference.model[:12]} in the reference"
        fix = "compare the texts alone: [entry.query for entry in entries], or --texts-only"
        raise ModelMismatch(what, why="a score means something else in each", fix=fix)
    vectors, known, made_by = _with_vectors(current, reference, encoder, progress)
    joined = _joined(current, reference)
    if copies is Copies.ONCE:
        unit_of = _units(joined, vectors, known)
        units = _drawn(unit_of, randoms[2])
    else:
        unit_of = units = np.arange(len(joined), dtype=np.int64)
    which = np.arange(len(joined)) < len(current)
    return Pool(joined, which, vectors, known, made_by[1], made_by[0], unit_of, units, given)


def checks_seed(seed: int) -> int:
    """A seed: a whole number from 0."""
    if not checks.is_whole(seed):
        raise InputError(f"seed={seed!r}", why="a seed is a whole number from 0", fix="seed=0")
    return int(seed)


def _with_vectors(
    current: Side, reference: Side, encoder: Encoder | str | None, progress: Progress
) -> tuple[NDArray[np.float32] | None, Bools, tuple[str, str]]:
    """The vectors of both sides, which rows have one, and of which model; texts are encoded once, in one order."""
    sides = (current, reference)
    stored = [side.vectors for side in sides if side.vectors is not None]
    texts = sorted({text for side in sides if side.vectors is None for text in side.texts if text is not None})
    if len(stored) == 2:
        stored[0].require_same_model(stored[1])
    known = np.array([side.vectors is not None or text is not None for side in sides for text in side.texts])
    if not texts:
        if not stored or not known.all():
            return None, np.zeros(len(known), np.bool_), ("", "")
        return np.vstack([each.data for each in stored]), known, (stored[0].model, stored[0].fingerprint)
    used = resolve(encoder)
    for each in stored:
        each.require_made_by(used.name, used.fingerprint)
    asked = any(side.model is not None for side in sides)
    encoded = cached(used).encode(texts, role="query" if asked else "passage", progress=progress)
    places = {text: place for place, text in enumerate(texts)}
    unit = unit_rows(encoded.data, lambda row: f"the vector of {texts[row][:40]!r}")
    parts = []
    for side in sides:
        if side.vectors is not None:
            parts.append(side.vectors.data)
            continue
        part = np.zeros((len(side), unit.shape[1]), np.float32)
        rows = [row for row, text in enumerate(side.texts) if text is not None]
        part[rows] = unit[[places[side.texts[row] or ""] for row in rows]]
        parts.append(part)
    return np.vstack(parts), known, (used.name, used.fingerprint)


def _joined(current: Side, reference: Side) -> Side:
    both = (current, reference)
    return Side(
        [*current.ids, *reference.ids],
        [*current.texts, *reference.texts],
        [*current.keys, *reference.keys],
        None,
        model=current.model or reference.model,
        modes=[*current.modes, *reference.modes],
        **{name: np.concatenate([getattr(side, name) for side in both]) for name in NUMBERS},
    )


def _units(side: Side, vectors: NDArray[np.float32] | None, known: Bools) -> Ints:
    """The unit of each row: equal but for case, punctuation and digits, or as near as copies are.

    A row joins the first in the order of the contents that it is a copy of, and that is itself no copy: nothing is
    chained. Whose side a row is on plays no part.
    """
    plain = [
        key if text is None else normal_form(text).translate(_DIGITS)
        for key, text in zip(side.keys, side.texts, strict=True)
    ]
    names = {name: place for place, name in enumerate(sorted(set(plain)))}
    group = np.array([names[name] for name in plain], np.int64)
    _, first = np.unique(group, return_index=True)
    if vectors is None or len(names) < 2:
        return group
    rows = first[known[first]]
    place = np.flatnonzero(known[first])  # the group of each of these rows: in the order of their contents
    pairs = mine(vectors[rows], COPY) if len(rows) > 1 else None
    leader = np.arange(len(names))
    if pairs is not None and len(pairs.left):
        low, high = np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right)
        order = np.lexsort((low, high))
        for one, other in zip(place[low[order]].tolist(), place[high[order]].tolist(), strict=True):
            if leader[other] == other and leader[one] == one:
                leader[other] = one
    _, units = np.unique(leader[group], return_inverse=True)
    return units.astype(np.int64)


def _drawn(unit_of: Ints, random: np.random.Generator) -> Ints:
    """A row of each unit, each of its rows as likely as another."""
    order = np.argsort(unit_of, kind="stable")
    sizes = np.bincount(unit_of)
    starts = np.cumsum(sizes) - sizes
    chosen: Ints = order[starts + np.minimum((random.random(len(sizes)) * sizes).astype(np.int64), sizes - 1)]
    return chosen


def digest_of(side: Side) -> str:
    """What tells one side from another, whatever the order of its rows: 16 bytes, hexadecimal."""
    numbers = zip(*(np.round(getattr(side, name), 6).tolist() for name in NUMBERS), strict=True)
    rows = sorted(f"{key}\0{values}" for key, values in zip(side.keys, numbers, strict=True))
    told = hashlib.blake2b(digest_size=16)
    for part in rows:
        told.update(part.encode("utf-8", "replace") + b"\n")
    return told.hexdigest()
