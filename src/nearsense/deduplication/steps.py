"""ns.duplicates, step by step: rows, vectors, mining, edges; a result groups them. Not how each step works."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense._progress import Progress
from nearsense.calibration import Background, Task, background_of
from nearsense.calibrator import Calibrated, Calibrator
from nearsense.corpus import Texts, as_documents, column_in
from nearsense.deduplication.edges import Edges, all_edges, pair_probability
from nearsense.deduplication.grouping import Choose, policy_of
from nearsense.deduplication.result import Duplicates
from nearsense.deduplication.rows import Rows, Sides
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.errors import InputError, LanguageWarning
from nearsense.own_vectors import checked_vectors
from nearsense.records import Document, Origin, Vectors
from nearsense.settings import load_settings
from nearsense.vectors.rows import evenly_spaced, normalize

if TYPE_CHECKING:
    from nearsense.corpus import TextColumn
    from nearsense.deduplication.edges import Columns

MIN_PROBABILITY = 0.9
"""The threshold where none is given."""

BACKGROUND = 250
"""Texts that tell how far from home the calibration is."""


def duplicates(
    texts: Texts | None = None,
    *,
    text: TextColumn = None,
    min_probability: float | None = None,
    min_score: float | None = None,
    vectors: Vectors | None = None,
    against: Texts | Vectors | None = None,
    against_vectors: Vectors | None = None,
    within: bool = True,
    only_within: str | None = None,
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
        texts: n strings or Documents, a Series, a path; or a frame, with `text`. None with `vectors` whose texts
            are not known.
        text: The column of a frame or file that holds the texts; of several they are joined.
        min_probability: How probable it must be that the two of a pair say the same, in [0, 1]; 0.9 without it.
        min_score: How near they must be instead, as cosine similarity in [-1, 1]; needs no calibration.
        vectors: Their n vectors, where they are encoded already.
        against: An archive: rows that are near one of its rows go, its own rows never do, and are not compared
            with each other. As `texts`, or Vectors.
        against_vectors: The archive's vectors, where it is given as texts and encoded already.
        within: Whether the rows are compared with each other too, where there is an archive.
        only_within: The name of a metadata field, a label say: rows are compared only where they have the same in
            it, so that equal texts with other labels both stay. A row without the field has "".
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
        Duplicates: `pairs`, `groups`, `unique`, `dropped`; other thresholds by `at` and `target`. The rows that
        stay are `df.iloc[found.kept]`; `to_frame()` says of each row why it goes.

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
    if nearest is not None and min_probability is None and min_score is None:
        min_score = -1.0
    if min_score is not None:
        if min_probability is not None:
            raise InputError("min_probability and min_score are two thresholds", fix="give one of them")
        checks.score(min_score)
    elif min_probability is None:
        min_probability = MIN_PROBABILITY
    calibrator = Calibrator(Task.PARAPHRASE, calibration, prior, min_probability)
    documents, written = _documents(texts, text, vectors, "texts", "vectors")
    policy = policy_of(keep, documents)
    if isinstance(against, Vectors):
        against, against_vectors = None, against
    archived = against is not None or against_vectors is not None
    others, others_written = (
        _documents(against, column_in(against, text), against_vectors, "against", "against_vectors")
        if archived
        else ([], written)
    )
    if written != others_written:
        raise InputError("one side has texts, the other only vectors", fix="give both sides' texts, or neither's")
    if nearest is not None and (archived or approximate or resume is not None):
        what = "nearest=... goes with no archive, and is exact and quick: not with approximate or resume"
        raise InputError(what, fix="leave one of them out")
    if not within and not archived:
        raise InputError("within=False leaves nothing to compare", fix="give against=..., an archive")
    kinds, other_kinds = _kinds(documents, only_within), _kinds(others, only_within)
    sides, origin, reader = _with_vectors(
        Rows.of(documents, vectors, written=written, kinds=kinds),
        Rows.of(others, against_vectors, written=written, kinds=other_kinds) if archived else None,
        (vectors, against_vectors),
        encoder,
        progress,
    )

    def background() -> Background | None:
        few = sides.rows.data[evenly_spaced(len(sides.rows), BACKGROUND)]
        few = normalize(few, zero="keep")
        return background_of(Vectors(few, origin.fingerprint, np.zeros(len(few), bool), origin.model))

    if reader is None and written and origin.model == load_settings().model:
        default = resolve(None)  # no other model is fetched to read the texts of given vectors
        reader = default if default.fingerprint == origin.fingerprint else None
    probabilities = pair_probability(calibrator, origin, background, guarded=guard and written, encoder=reader)
    if min_probability is not None and probabilities is not None:
        floor = probabilities.lowest(min_probability)  # above 1: no pair can be near enough
    else:
        assert min_score is not None
        floor = float(min_score)
    if nearest is not None:
        mined, recall = _nearest_pairs(sides.rows, nearest, floor, progress), None
    else:
        mined, recall = _mine(
            sides,
            floor,
            within=within,
            approximate=approximate,
            max_memory=max_memory,
            resume=resume,
            progress=progress,
        )
    edges, strange = all_edges(
        sides,
        mined,
        probabilities,
        within=within,
        guard=guard,
        encoder=reader,
        judge=None if any_language else reader,
        progress=progress,
    )
    warn_of_strange(edges, sides.rows, strange)
    if probabilities is not None:
        origin = replace(origin, calibration=probabilities.calibration.task, prior=probabilities.prior)
    thresholds = (min_probability, min_score, allow_differing, recall, strange)
    return Duplicates(sides, edges, floor, within, policy, probabilities, origin, *thresholds)


def _documents(
    texts: Texts | None, text: TextColumn, vectors: Vectors | None, name: str, other: str
) -> tuple[list[Document], bool]:
    """The rows, and whether their texts are known."""
    if isinstance(texts, Vectors):
        raise InputError(f"{name} are vectors", fix=f"say {other}=...")
    if vectors is not None:
        checked_vectors(vectors, len(vectors), other)
        bare = [each for each in texts if isinstance(each, Document)] if isinstance(texts, (list, tuple)) else []
        if bare and len(bare) == len(list(texts)) and not any(each.text for each in bare):  # type: ignore[arg-type]
            return bare, False
    if texts is not None:
        return as_documents(texts, text), True
    if vectors is None:
        raise InputError("there is nothing to compare", fix="give texts, or vectors=...")
    return [Document(str(row), "") for row in range(len(vectors))], False


def _kinds(documents: Sequence[Document], field: str | None) -> list[str] | None:
    """What each row has in a field of its metadata; None where no field was named."""
    if field is None:
        return None
    if documents and not any(field in each.metadata for each in documents):
        names = dict.fromkeys(name for each in documents for name in each.metadata)
        why = f"the fields are {', '.join(names)}" if names else "they have no metadata: give Documents"
        raise InputError(f"only_within={field!r}: no row has such a field", why=why, fix="name one that they have")
    values = (each.metadata.get(field) for each in documents)
    return ["" if value is None else str(value) for value in values]


def _with_vectors(
    rows: Rows,
    archive: Rows | None,
    vectors: tuple[Vectors | None, Vectors | None],
    encoder: Encoder | str | None,
    progress: Progress,
) -> tuple[Sides, Origin, Encoder | None]:
    """Both sides with vectors of one model, which, and the model itself where it is at hand."""
    given = [each for each in vectors if each is not None]
    for each in given[1:]:
        given[0].require_same_model(each)
    missing = [
        side for side, each in zip((rows, archive), vectors, strict=True) if each is None and side is not None
    ]
    if not missing:
        engine = encoder if encoder is not None and not isinstance(encoder, str) else None
        if engine is not None:
            given[0].require_made_by(engine.name, engine.fingerprint)
        return Sides(rows, archive), Origin(given[0].model, given[0].fingerprint), engine
    engine = resolve(encoder)
    # Each distinct text once, in the order of their content: the same vectors whatever the order of the rows.
    texts = [text for side in missing for text in side.texts]
    encoded = engine.encode(texts, role=symmetric_role(engine), progress=progress)
    if given:
        given[0].require_same_model(encoded)
    if vectors[0] is None:
        rows = replace(rows, data=encoded.data[: len(rows)])
    if archive is not None and vectors[1] is None:
        archive = replace(archive, data=encoded.data[len(encoded) - len(archive) :])
    return Sides(rows, archive), Origin(engine.name, encoded.fingerprint), engine


def _mine(
    sides: Sides,
    floor: float,
    *,
    within: bool,
    approximate: bool,
    max_memory: int | None,
    resume: Path | str | None,
    progress: Progress,
) -> tuple[Columns, float | None]:
    """Near pairs of distinct texts; and the share of them that was found, where it is not all."""
    from nearsense.mining import mine, mine_approximately

    data, archive = sides.rows.data, sides.archive
    tasks = [(None, 0, "")] if floor <= 1 and within and len(data) > 1 else []
    if floor <= 1 and len(data) and archive is not None and len(archive):
        tasks.append((archive.data, len(data), ".against"))  # type: ignore[arg-type]
    none = np.empty(0, np.int64)
    found: list[Columns] = [(none, none, np.empty(0, np.float32))]
    recalls: list[float] = []
    for against, begin, suffix in tasks:
        if approximate:
            each = mine_approximately(data, floor, against=against, progress=progress)
        else:
            file = None if resume is None else Path(f"{resume}{suffix}")
            each = mine(data, floor, against=against, max_memory=max_memory, resume=file, progress=progress)
        found.append((each.left, each.right + begin, each.scores))
        recalls += [] if each.recall is None else [each.recall]
    left, right, score = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return (left, right, score), min(recalls, default=None)


def _nearest_pairs(rows: Rows, k: int, floor: float, progress: Progress) -> Columns:
    """Each text with its k nearest, every pair once."""
    from nearsense.mining import nearest

    found = nearest(rows.data, k, progress=progress)
    left, right = np.repeat(np.arange(len(rows)), found.ids.shape[1]), found.ids.ravel()
    near = found.scores.ravel() >= np.float32(floor)
    low, high = np.minimum(left, right)[near], np.maximum(left, right)[near]
    _, first = np.unique(low * len(rows) + high, return_index=True)
    return low[first], high[first], found.scores.ravel()[near][first]


def warn_of_strange(edges: Edges, rows: Rows, strange: Mapping[int, str]) -> None:
    """Warn where rows stay that are near others, in a language that the model was not made for."""
    asked = edges.unsure & ~edges.guarded
    if not asked.any():
        return
    texts = {*edges.left[asked].tolist(), *edges.right[asked].tolist()} & strange.keys()
    count = sum(int(rows.copies[text]) for text in texts if text < len(rows))
    (reason, _), *_ = Counter(strange[text] for text in texts).most_common(1)
    who = "1 row stays that is" if count == 1 else f"{count:,} rows stay that are"
    warnings.warn(f"{who} near others, whatever they say: {reason}", LanguageWarning, stacklevel=3)
