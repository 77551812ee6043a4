"""Duplicates over parts: equal texts by their hashes, near ones by mining; judged and grouped as the verb does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._notes import tell
from nearsense.bulk.arrays import packed, unpacked
from nearsense.bulk.mining import near_pairs
from nearsense.bulk.places import place_of
from nearsense.bulk.records import Job, Steps, digest
from nearsense.bulk.shards import FILE, ROW, matrix_of, original_columns, parquet_of, read_part, table_of
from nearsense.calibration import Background, Task, background_of
from nearsense.calibrator import Calibrator
from nearsense.deduplication.edges import all_edges, pair_probability
from nearsense.deduplication.grouping import Keep, policy_of
from nearsense.deduplication.result import Duplicates
from nearsense.deduplication.rows import Rows, Sides
from nearsense.deduplication.steps import BACKGROUND, MIN_PROBABILITY, warn_of_strange
from nearsense.errors import InputError
from nearsense.files.table import json_value
from nearsense.records import Document, Origin, Vectors
from nearsense.text import content_hash
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.bulk.run import Parts, Run
    from nearsense.bulk.work import Desk

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on rows say the same, and which of them stays: as for `ns.duplicates`."""

    min_probability: float | None = None
    min_score: float | None = None
    keep: str = "first"
    calibration: str | None = None
    prior: float | None = None

    def __post_init__(self) -> None:
        if self.min_probability is not None and self.min_score is not None:
            raise InputError("min_probability and min_score are two thresholds", fix="give one of them")
        if self.min_score is not None:
            checks.score(self.min_score)
        policy_of(self.keep, [])

    @property
    def least(self) -> float | None:
        """How probable it must be; None where a score is asked for instead."""
        return MIN_PROBABILITY if self.min_probability is None and self.min_score is None else self.min_probability

    @property
    def calibrator(self) -> Calibrator:
        """What makes probabilities of scores."""
        return Calibrator(Task.PARAPHRASE, self.calibration, self.prior, self.least)

    def require_sense(self, run: Run) -> None:
        """Refuse what could not be done in the end, before anything is."""
        assert run.encoder is not None
        columns, newest = run.plan.reading["columns"], self.keep.partition(":")[2]
        if newest and newest not in columns:
            what, why = f"keep={self.keep!r}: there is no column {newest!r}", f"they are: {', '.join(columns)}"
            raise InputError(what, why=why, fix="name one of them")
        origin = Origin(run.encoder.name, run.encoder.fingerprint)
        pair_probability(self.calibrator, origin, lambda: None, guarded=True, encoder=run.encoder)


def dedupe_parts(run: Run, parts: Parts, asked: Threshold) -> tuple[list[str], dict[str, Any]]:
    """Leave one row of each group: files of rows that stay and of rows that go, and figures."""
    encoder, least = run.encoder, asked.least
    assert encoder is not None
    sample = run.sample(parts, BACKGROUND)
    origin = Origin(encoder.name, encoder.fingerprint)

    def background() -> Background | None:
        return background_of(Vectors(sample, origin.fingerprint, np.zeros(len(sample), bool), origin.model))

    probabilities = pair_probability(asked.calibrator, origin, background, guarded=True, encoder=encoder)
    if least is not None and probabilities is not None:
        floor = probabilities.lowest(least)
    else:
        floor = float(asked.min_score)  # type: ignore[arg-type]
    first, forms = _same_texts(run, parts)
    chosen = [
        np.flatnonzero(first[at : at + n] == np.arange(at, at + n))
        for at, n in zip(parts.begins, parts.rows, strict=True)
    ]
    none = np.empty(0, np.int64)
    pairs, recall = (none, none, np.empty(0, np.float32)), None
    if floor <= 1 and parts.total > 1:
        pairs, recall = near_pairs(run, parts, chosen, floor)
    at_stake = _at_stake(first, forms, pairs[0], pairs[1])
    documents, vectors = _documents(run, parts, at_stake, first, asked.keep)
    rows = Rows.of(documents, None, written=True)
    if twice := len(documents) - len({each.id for each in documents}):
        tell(f"ids stand at several rows, {twice:,} more than once: 'kept' does not say of which row")
    leading = np.searchsorted(np.flatnonzero(first[at_stake] == at_stake), rows.first)
    rows = replace(rows, data=vectors[leading])
    left, right = (rows.node[np.searchsorted(at_stake, side)] for side in pairs[:2])
    mined = np.minimum(left, right), np.maximum(left, right), pairs[2]
    sides = Sides(rows, None)
    edges, strange = all_edges(
        sides, mined, probabilities, within=True, guard=True, encoder=encoder, judge=encoder, progress=False
    )
    warn_of_strange(edges, rows, strange)
    if probabilities is not None:
        origin = replace(origin, calibration=probabilities.calibration.task, prior=probabilities.prior)
    policy = policy_of(asked.keep, documents)
    found = Duplicates(
        sides, edges, floor, True, policy, probabilities, origin, least, asked.min_score, False, recall, strange
    )
    figures: dict[str, Any] = {"stay": parts.total - len(found.dropped), "go": len(found.dropped)}
    figures |= {tier.value: count for tier, count in found.tiers.items()}
    if recall is not None:
        figures |= {"recall": recall}
    return _split(run, parts, asked, found, at_stake), figures


def _same_texts(run: Run, parts: Parts) -> tuple[Ints, NDArray[np.uint64]]:
    """For each row the first row of its text, and a number that texts of one normal form share."""
    jobs = [Job("keys", job.name, job.rows, {**job.given, "name": _keys(job.name)}) for job in parts.jobs("keys")]
    there = {each.name for each in run.place.files("dedupe")}
    run.stage("equal texts", [job for job in jobs if _keys(job.name) not in there], lambda job, result: None)
    known = [unpacked(run.place, _keys(job.name)) for job in jobs]
    keys = np.concatenate([np.empty((0, 3), np.uint64), *(each for (each,) in known)])
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: of one text the first row comes first
    ordered = keys[order, :2]
    new = np.ones(len(keys), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(keys), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first, keys[:, 2]


def _keys(name: str) -> str:
    return f"dedupe/{name}-keys.npy"


def keys_of_part(desk: Desk, job: Job) -> Steps:
    """Of each text 16 bytes that stand for it, and 8 for its normal form: uint64, shape (n, 3)."""
    texts = read_part(place_of(job.given["place"]), job.given["part"], ["text"]).column("text").to_pylist()
    yield 0
    content = b"".join(content_hash(text) + content_hash(normal_form(text))[:8] for text in texts)
    desk.output.put(job.given["name"], packed(np.frombuffer(content, np.uint64).reshape(-1, 3)))


def _at_stake(first: Ints, forms: NDArray[np.uint64], left: Ints, right: Ints) -> Ints:
    """The rows that are near another, or equal to one, or equal but for how they are written: rising."""
    n = len(first)
    involved = np.zeros(n, bool)
    involved[left] = involved[right] = True
    leading = np.flatnonzero(first == np.arange(n))
    _, group, sizes = np.unique(forms[leading], return_inverse=True, return_counts=True)
    involved[leading[sizes[group] > 1]] = True
    involved[first[np.flatnonzero(first != np.arange(n))]] = True
    return np.flatnonzero(involved[first])


def _documents(
    run: Run, parts: Parts, at_stake: Ints, first: Ints, keep: str
) -> tuple[list[Document], NDArray[np.float32]]:
    """The rows at stake as documents, and the vectors of those that come first of their text."""
    fields = keep.partition(":")[0] in (Keep.COMPLETE, Keep.NEWEST)
    reading = run.plan.reading.get("own", run.plan.reading)
    known = [reading["id"], *(reading["text"] if len(reading["text"]) == 1 else ())]
    jobs, found = [], dict[str, Any]()
    for job, begin in zip(parts.jobs("rows"), parts.begins, strict=True):
        own = at_stake[(at_stake >= begin) & (at_stake < begin + job.rows)]
        given = {"rows": own - begin, "leading": first[own] == own, "fields": fields, "known": known}
        jobs.append(replace(job, given={**job.given, **given}))
    run.stage(
        "read", [job for job in jobs if len(job.given["rows"])], lambda job, got: found.__setitem__(job.name, got)
    )
    each = [found[job.name] for job in jobs if job.name in found]
    vectors = np.concatenate([np.empty((0, run.plan.dimension), np.float32), *(got[1] for got in each)])
    return [Document(*row) for got in each for row in got[0]], vectors


def rows_of_part(desk: Desk, job: Job) -> Steps:
    """Some rows of a part: id, text and fields of each; and the vectors of those that are leading."""
    given = job.given
    table = read_part(place_of(given["place"]), given["part"])
    yield 0
    chosen = table.take(given["rows"])
    vectors = matrix_of(chosen.column("vector"))[given["leading"]]
    ids, texts = (chosen.column(name).to_pylist() for name in ("id", "text"))
    fields: list[dict[str, Any]] = [{}] * len(ids)
    if given["fields"]:
        others = original_columns(chosen)
        names = [name for name in others.column_names if name not in given["known"]]
        fields = [
            {name: json_value(value) for name, value in row.items()} for row in others.select(names).to_pylist()
        ]
    return list(zip(ids, texts, fields, strict=True)), vectors


def _split(run: Run, parts: Parts, asked: Threshold, found: Duplicates, at_stake: Ints) -> list[str]:
    """Write the rows of each part that stay, and those that go with the reason."""
    staying = np.zeros(len(at_stake), bool)
    staying[found.kept] = True
    gone, records = at_stake[~staying], [each.to_dict() for each in found.dropped]
    names, jobs = [], []
    for job, begin in zip(parts.jobs("split"), parts.begins, strict=True):
        low, high = np.searchsorted(gone, [begin, begin + job.rows]).tolist()
        name = digest(run.plan.key, parts.names, job.name)
        given = {"gone": gone[low:high] - begin, "records": records[low:high]}
        jobs.append(Job("split", name, job.rows, {**job.given, **given}))
        names += [f"kept/{name}.parquet", f"dropped/{name}.parquet"]
    there = run.parts("kept") & run.parts("dropped")
    run.stage("write", [job for job in jobs if job.name not in there], lambda job, result: None)
    for folder in ("kept", "dropped"):  # of a run before, when other shards had parts
        for stale in run.place.files(folder):
            if stale.name not in names:
                run.place.remove(stale.name)
    return names


def split_part(desk: Desk, job: Job) -> Steps:
    """Write the rows of a part that stay, as they stood in the input, and those that go."""
    import pyarrow

    table = read_part(place_of(job.given["place"]), job.given["part"])
    yield 0
    gone = np.asarray(job.given["gone"], np.int64)
    stays = np.ones(table.num_rows, bool)
    stays[gone] = False
    desk.output.put(f"kept/{job.name}.parquet", parquet_of(original_columns(table.filter(stays))))
    records = job.given["records"]
    columns = {name: pyarrow.array([row[name] for row in records], kind) for name, kind in _types().items()}
    columns |= {name: table.column(name).take(pyarrow.array(gone)) for name in (FILE, ROW)}
    desk.output.put(f"dropped/{job.name}.parquet", parquet_of(table_of(columns)))


def _types() -> dict[str, Any]:
    """The columns of rows that go: those of `nearsense dedupe --dropped`."""
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    lists = {"interval": pyarrow.list_(number), "differs": pyarrow.list_(text)}
    names = ("id", "kept", "tier", "score", "probability", "interval", "reason", "differs", "text")
    return {name: lists.get(name, number if name in ("score", "probability") else text) for name in names}
