"""ns.duplicates: texts in, pairs and groups out. Where each step is: rows, mining, edges, grouping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._progress import Progress
from nearsense.deduplication.edges import EXACT, NORMALIZED, SEMANTIC, Edges, judged, normalized_pairs, scored
from nearsense.deduplication.found import Duplicates
from nearsense.deduplication.keeping import Choose, policy_of
from nearsense.deduplication.rows import Rows
from nearsense.deduplication.strange import doubts, maker_of, tell
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.errors import InputError
from nearsense.text import as_documents
from nearsense.types import Document, Origin, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.assurance import Calibrated
    from nearsense.calibration import Background
    from nearsense.deduplication.sureness import Sureness

    Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

__all__ = ["MIN_PROBABILITY", "duplicates"]

MIN_PROBABILITY = 0.9
"""The threshold where none is given."""


def duplicates(
    texts: Iterable[str | Document] | None = None,
    *,
    min_probability: float | None = None,
    min_score: float | None = None,
    vectors: Vectors | None = None,
    against: Iterable[str | Document] | Vectors | None = None,
    against_vectors: Vectors | None = None,
    within: bool = True,
    nearest: int | None = None,
    keep: str | Choose = "first",
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    guard: bool = True,
    allow_differing: bool = False,
    any_language: bool = False,
    approximate: bool = False,
    max_memory: int | None = None,
    resume: Path | str | None = None,
    progress: Progress = False,
) -> Duplicates:
    """What is said twice: all pairs of texts that say the same, and which rows could go.

    Three tiers: equal texts; texts equal but for case, space and punctuation; texts whose vectors are near. Groups
    are stars: each row that goes was compared with the row that stays, and is near it. No row goes because it is
    near one that is near another. The order of the rows decides nothing but which of several equally good ones
    stays.

    Args:
        texts: n strings or Documents. None with `vectors` whose texts are not known.
        min_probability: How probable it must be that the two of a pair say the same, in [0, 1]; 0.9 without it.
        min_score: How near they must be instead, as cosine similarity in [-1, 1]; needs no calibration.
        vectors: Their n vectors, where they are encoded already.
        against: An archive: rows that are near one of its rows go, its own rows never do, and are not compared
            with each other. Strings, Documents, or Vectors.
        against_vectors: The archive's vectors, where it is given as texts and encoded already.
        within: Whether the rows are compared with each other too, where there is an archive.
        nearest: Look at the so many nearest others of each distinct text only; where no threshold is given, these
            are the pairs, however far apart.
        keep: Which row of a group stays: "first", "longest", "shortest", "complete" (the most fields that are not
            empty), "newest:COLUMN" (dates or numbers), or a function that is given the Documents that may stay
            and returns the place (from 0) or the id of one. Those may stay that are near all others of the group
            and near no row outside of it, so that the rows that stay are never near each other.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: What turns scores into probabilities: a Calibration, its file, "paraphrase", "question" or
            "none". Without it "paraphrase", where it comes with the model.
        prior: How probable it is that two texts that look alike say the same, within (0, 1). Without it
            the calibration's own, or 0.5.
        guard: Look at what differs between the texts of each pair: figures, names, negation. It is named on the
            pair and costs probability.
        allow_differing: Group pairs that differ in such things too.
        any_language: Trust scores of texts in a language or script that the model was not made for: without it
            these have no probability, and go only where they are equal but for case, space and punctuation.
        approximate: Look for near pairs in the nearest of many lists only, which pays for millions of texts; the
            share that it finds is measured, and stands in the result.
        max_memory: Bytes that mining may use beyond the vectors; half of the free memory without it.
        resume: A file that keeps what is mined so far; where it is there already, an interrupted run goes on. It
            goes when all is mined.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        Duplicates: `pairs`, `groups`, `unique`, `dropped`; other thresholds by `at` and `target`.

    Raises:
        InputError: A text is empty, ids repeat, two thresholds are given, a probability is asked for where no
            calibration of the model is known, or `keep` is not known.
        ModelMismatch: Vectors of two models meet, or the calibration is of another.
        TooLargeError: The pairs would not fit into memory: raise the threshold.

    Example:
        >>> import nearsense as ns
        >>> found = ns.duplicates([
        ...     "How do I reset my password?",
        ...     "how do I reset my password",
        ...     "How can I reset my password?",
        ...     "How do I delete my account?",
        ... ])
        >>> print(found)
        How do I reset my password?
            how do I reset my password: the same but for case, space or punctuation
            How can I reset my password?: says the same (9... %)
        4 rows: 2 stay, 2 go (1 normalized, 1 semantic); a probability of 0.9 or more
    """
    from nearsense.assurance import Assurance
    from nearsense.calibration import Task, background_of
    from nearsense.deduplication.sureness import BACKGROUND, spread, sureness
    from nearsense.vectors.rows import normalize

    if nearest is not None and min_probability is None and min_score is None:
        min_score = -1.0
    least = _threshold(min_probability, min_score)
    assurance = Assurance(Task.PARAPHRASE, calibration, prior, least)
    documents, written = _documents(texts, vectors, "texts", "vectors")
    policy = policy_of(keep, documents)
    if isinstance(against, Vectors):
        against, against_vectors = None, against
    archived = against is not None or against_vectors is not None
    others, others_written = (
        _documents(against, against_vectors, "against", "against_vectors") if archived else ([], written)
    )
    if written != others_written:
        raise InputError("one side has texts, the other only vectors", fix="give both sides' texts, or neither's")
    if nearest is not None and (archived or approximate or resume is not None):
        raise InputError(
            "nearest=... goes with no archive, and is exact and quick: not with approximate or resume",
            fix="leave one of them out",
        )
    if not within and not archived:
        raise InputError("within=False leaves nothing to compare", fix="give against=..., an archive")
    rows = Rows.of(documents, vectors, written=written)
    archive = Rows.of(others, against_vectors, written=written) if archived else None
    rows, archive, origin, reader = _encoded(rows, archive, vectors, against_vectors, encoder, progress)
    data, beside = _data(rows), _data(archive) if archive is not None else np.empty((0, 0), np.float32)
    looks = guard and written
    texts_ = (rows.texts, archive.texts if archive is not None else []) if written else ([], [])

    def background() -> Background | None:
        few = normalize(data[spread(len(data), BACKGROUND)], zero="keep")
        return background_of(Vectors(few, origin.fingerprint, np.zeros(len(few), bool), origin.model))

    if reader is None and written:
        reader = maker_of(origin)
    sure = sureness(assurance, origin, background, guarded=looks, encoder=reader)
    floor = _floor(least, min_score, sure)
    mined, recall = _mined(
        data,
        beside,
        floor,
        within=within,
        nearest=nearest,
        approximate=approximate,
        max_memory=max_memory,
        resume=resume,
        progress=progress,
    )
    judge = reader if written and not any_language else None
    read = texts_ if written else None
    edges, strange = _edges(rows, archive, mined, read, sure, looks, within, reader, judge, progress)
    tell(edges, rows, strange)
    if sure is not None:
        origin = replace(origin, calibration=sure.calibration.task, prior=sure.prior)
    return Duplicates(
        rows,
        archive,
        edges,
        floor,
        within,
        policy,
        sure,
        origin,
        least,
        min_score,
        allow_differing,
        recall,
        strange,
    )


def _threshold(min_probability: float | None, min_score: float | None) -> float | None:
    """The probability that is asked for; None where a score is.

    Raises:
        InputError: Both are given, or the score is none.
    """
    if min_score is None:
        return MIN_PROBABILITY if min_probability is None else min_probability
    if min_probability is not None:
        raise InputError("min_probability and min_score are two thresholds", fix="give one of them")
    checks.score(min_score)
    return None


def _documents(
    texts: Iterable[str | Document] | None, vectors: Vectors | None, name: str, other: str
) -> tuple[list[Document], bool]:
    """The rows, and whether their texts are known."""
    if vectors is not None and not isinstance(vectors, Vectors):
        raise InputError(
            f"{other} are of type {type(vectors).__name__}, not Vectors",
            why="only Vectors know which model made them",
            fix="use what encoder.encode(...) returns",
        )
    if isinstance(texts, Vectors):
        raise InputError(f"{name} are vectors", fix=f"say {other}=...")
    if texts is not None:
        listed = list(texts) if not isinstance(texts, (str, Document)) else [texts]
        if vectors is not None and listed and all(isinstance(each, Document) and not each.text for each in listed):
            return [each for each in listed if isinstance(each, Document)], False
        return as_documents(listed), True
    if vectors is None:
        raise InputError("there is nothing to compare", fix="give texts, or vectors=...")
    return [Document(str(row), "") for row in range(len(vectors))], False


def _encoded(
    rows: Rows,
    archive: Rows | None,
    vectors: Vectors | None,
    others: Vectors | None,
    encoder: Encoder | str | None,
    progress: Progress,
) -> tuple[Rows, Rows | None, Origin, Encoder | None]:
    """Both sides with vectors of one model, which, and the model itself where it is at hand."""
    sides = [(rows, vectors), *([(archive, others)] if archive is not None else [])]
    known: Vectors | None = None
    for _, given in sides:
        if given is not None:
            if known is not None:
                known.require_same_model(given)
            known = given
    missing = [side for side, given in sides if given is None]
    if not missing:
        assert known is not None
        given_ = encoder if encoder is not None and not isinstance(encoder, str) else None
        if given_ is not None:
            known.require_made_by(given_.name, given_.fingerprint)
        return rows, archive, Origin(known.model, known.fingerprint), given_
    engine = resolve(encoder)
    # Each distinct text once, in the order of their content: the same vectors whatever the order of the rows.
    made = engine.encode(
        [text for side in missing for text in side.texts], role=symmetric_role(engine), progress=progress
    )
    if known is not None:
        known.require_same_model(made)
    filled, begin = [], 0
    for side, given in sides:
        if given is None:
            filled.append(replace(side, data=made.data[begin : begin + len(side)]))
            begin += len(side)
        else:
            filled.append(side)
    return filled[0], filled[1] if archive is not None else None, Origin(engine.name, made.fingerprint), engine


def _data(rows: Rows) -> NDArray[np.float32]:
    assert rows.data is not None
    return rows.data


def _floor(least: float | None, min_score: float | None, sure: Sureness | None) -> float:
    """Down to which score pairs are looked for; above 1: no pair can be near enough."""
    if min_score is not None:
        return float(min_score)
    assert least is not None
    assert sure is not None
    return sure.lowest(least)


def _mined(
    data: NDArray[np.float32],
    beside: NDArray[np.float32],
    floor: float,
    *,
    within: bool,
    nearest: int | None,
    approximate: bool,
    max_memory: int | None,
    resume: Path | str | None,
    progress: Progress,
) -> tuple[Columns, float | None]:
    """Near pairs of distinct texts, the archive's numbered after the others; and the recall, where measured."""
    from nearsense.mining import mine, mine_approximately

    if nearest is not None:
        return _nearest_pairs(data, nearest, floor, progress), None
    sides: list[tuple[NDArray[np.float32] | None, int, str]] = []
    if floor <= 1 and within and len(data) > 1:
        sides.append((None, 0, ""))
    if floor <= 1 and len(data) and len(beside):
        sides.append((beside, len(data), ".against"))
    found: list[Columns] = [(*_none(), np.empty(0, np.float32))]
    recalls: list[float] = []
    for against, begin, suffix in sides:
        if approximate:
            each = mine_approximately(data, floor, against=against, progress=progress)
        else:
            kept = None if resume is None else Path(f"{resume}{suffix}")
            each = mine(data, floor, against=against, max_memory=max_memory, resume=kept, progress=progress)
        found.append((each.left, each.right + begin, each.scores))
        recalls += [] if each.recall is None else [each.recall]
    left, right, score = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return (left, right, score), min(recalls, default=None)


def _nearest_pairs(data: NDArray[np.float32], k: int, floor: float, progress: Progress) -> Columns:
    """Each text with its k nearest, every pair once."""
    from nearsense.mining import nearest

    found = nearest(data, k, progress=progress)
    left, right = np.repeat(np.arange(len(data)), found.ids.shape[1]), found.ids.ravel()
    near = found.scores.ravel() >= np.float32(floor)
    low, high = np.minimum(left, right)[near], np.maximum(left, right)[near]
    _, first = np.unique(low * len(data) + high, return_index=True)
    return low[first], high[first], found.scores.ravel()[near][first]


def _edges(
    rows: Rows,
    archive: Rows | None,
    mined: Columns,
    texts: tuple[Sequence[str], Sequence[str]] | None,
    sure: Sureness | None,
    looks: bool,
    within: bool,
    reader: Encoder | None,
    judge: Encoder | None,
    progress: Progress,
) -> tuple[Edges, dict[int, str]]:
    """Pairs of all tiers, each once, surest first; and why the model cannot judge some of their texts.

    `reader` tells what it does not read; `judge`, if anyone, for which texts it was not made.
    """
    m = len(rows)
    twins = _twins(rows, archive)
    beside = _data(archive) if archive is not None else np.empty((0, 0), np.float32)
    other = normalized_pairs(*texts, within=within) if texts is not None else _none()
    closer = [(*twins, np.ones(len(twins[0]), np.float32), EXACT)]
    closer.append((*other, scored(_data(rows), beside, *other), NORMALIZED))
    total = m + (0 if archive is None else len(archive))
    taken = np.concatenate([each[0] * total + each[1] for each in closer])
    left, right, score = mined
    rest = ~np.isin(left * total + right, taken) if len(taken) else np.ones(len(left), bool)
    columns = [*closer, (left[rest], right[rest], score[rest], SEMANTIC)]
    left, right, score = (np.concatenate([column[place] for column in columns]) for place in range(3))
    tier = np.concatenate([np.full(len(column[0]), column[3], np.int8) for column in columns])
    every = [] if texts is None else [*texts[0], *texts[1]]
    strange = doubts(every, np.unique(np.concatenate([left[tier == SEMANTIC], right[tier == SEMANTIC]])), judge)
    foreign = np.zeros(total, bool)
    foreign[list(strange)] = True
    both = (every, every) if looks and texts is not None else None
    edges = judged(left, right, score, tier, both, sure, reader, foreign, progress)
    keys = (
        (-edges.score, edges.tier) if edges.probability is None else (-edges.score, -edges.probability, edges.tier)
    )
    order = np.lexsort(keys)  # stable: of equal ones the texts decide
    return edges.take(order), strange


def _none() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.empty(0, np.int64), np.empty(0, np.int64)


def _twins(rows: Rows, archive: Rows | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Texts that stand in the archive too."""
    if archive is None:
        return _none()
    if rows.written:
        mine, others = rows.texts, archive.texts
        place: dict[Any, int] = {text: number for number, text in enumerate(others)}
        found = [(number, place[text]) for number, text in enumerate(mine) if text in place]
    else:
        place = {vector.tobytes(): number for number, vector in enumerate(_data(archive))}
        keys = (vector.tobytes() for vector in _data(rows))
        found = [(number, place[key]) for number, key in enumerate(keys) if key in place]
    pairs = np.array(found, np.int64).reshape(len(found), 2)
    return pairs[:, 0], pairs[:, 1] + len(rows)
