"""k-means over parts: each step a pass over all of them, which give sums, and the driver adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense.bulk.arrays import packed, unpacked
from nearsense.bulk.places import Place, place_of
from nearsense.bulk.records import Job, Steps, digest, several
from nearsense.bulk.shards import FILE, ROW, matrix_of, parquet_of, read_part, table_of
from nearsense.clustering.geometry import group_sums, nearest_two, places_of
from nearsense.clustering.kmeans import ENOUGH, PER_GROUP, SAMPLE, spherical
from nearsense.errors import InputError
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.bulk.run import Parts, Run
    from nearsense.bulk.work import Desk

    Floats = NDArray[np.float32]

STEPS = 20
"""Passes over all parts at most; fewer where the centres stay where they are."""

FAR = 16
"""Rows of each part that a centre without rows may go to."""

BLOCK = 4096
"""Rows whose sums are added in float32 before they go into the whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What a part gives to a step: k sums of rows, how many there are, what they miss, and rows far from all."""

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    loss: float
    far: Floats
    nearest: Floats  # the similarity of each far row to its centre


def require_sense(k: int, seed: int, count: int) -> None:
    """Refuse more clusters than there are texts, and a seed that is none."""
    if not checks.is_whole(seed):
        raise InputError(f"seed={seed!r}", why="a seed is a whole number from 0", fix="seed=0")
    if checks.positive_int(k, "k") > count:
        what = f"{several(k, 'cluster')} of {several(count, 'text')}"
        raise InputError(what, why="a cluster has one text or more", fix=f"ask for {count:,} at most: -k")


def cluster_parts(run: Run, parts: Parts, k: int, seed: int) -> tuple[list[str], dict[str, Any]]:
    """Make k clusters of all rows: a file of assignments a part, and the centres; their names, and figures."""
    require_sense(k, seed, parts.total)
    own = digest(parts.names, k, seed)
    step, known = _last(run.place, own)
    if known is None:
        known = spherical(run.sample(parts, max(SAMPLE, PER_GROUP * k)), k, seed=seed).centroids, np.inf
        _keep(run.place, own, 0, *known)
    centres, before = known
    for number in range(step, STEPS + 1):
        total = _pass(run, parts, own, number, centres)
        counts, loss = total.counts, total.loss
        moved = normalize(total.sums.astype(np.float32), zero="keep")
        empty = np.flatnonzero(counts == 0)
        moved[empty] = total.far[np.argsort(total.nearest, kind="stable")[: len(empty)]][: len(empty)]
        settled = not len(empty) and before - loss <= ENOUGH * loss
        if settled or number == STEPS:
            break
        before, centres = loss, moved
        _keep(run.place, own, number + 1, centres, before)
    names = _name_by_size(counts)
    jobs = [
        Job(
            "labels", digest(own, job.name), job.rows, {**job.given, "centres": _file(own, number), "names": names}
        )
        for job in parts.jobs("labels")
    ]
    there = run.parts("clusters")
    run.stage("labels", [job for job in jobs if job.name not in there], lambda job, result: None)
    order = np.argsort(names)
    flat = {"cluster": np.arange(len(order)), "size": counts[order], "vector": list(centres[order])}
    run.place.replace("centres.parquet", parquet_of(table_of(flat)))
    figures = {"clusters": len(order), "steps": number, "loss": loss / max(parts.total, 1)}
    return ["centres.parquet", *(f"clusters/{job.name}.parquet" for job in jobs)], figures


def _pass(run: Run, parts: Parts, own: str, number: int, centres: Floats) -> Sums:
    """What all parts give to a step."""
    k, d = centres.shape
    total = Sums(
        np.zeros((k, d)), np.zeros(k, np.int64), 0.0, np.empty((0, d), np.float32), np.empty(0, np.float32)
    )
    found: dict[str, Sums] = {}
    jobs = [
        Job("sums", job.name, job.rows, {**job.given, "centres": _file(own, number)}) for job in parts.jobs("sums")
    ]
    run.stage(f"step {number}", jobs, lambda job, result: found.__setitem__(job.name, result))
    for job in jobs:  # in one order, whoever was first: floats add up to the same number
        each = found[job.name]
        total = Sums(
            total.sums + each.sums,
            total.counts + each.counts,
            total.loss + each.loss,
            np.vstack([total.far, each.far]),
            np.concatenate([total.nearest, each.nearest]),
        )
    return total


def sums_of_part(desk: Desk, job: Job) -> Steps:
    """The sums of a part's rows by their nearest centre."""
    rows, centres = _rows(job), _centres(desk, job)
    yield 0
    k, d = centres.shape
    sums, labels, first = np.zeros((k, d)), np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    for begin in range(0, len(rows), BLOCK):
        block = rows[begin : begin + BLOCK]
        own, near, _ = nearest_two(block, centres)
        sums += group_sums(block, own, k)
        labels[begin : begin + BLOCK], first[begin : begin + BLOCK] = own, near
    far = np.argsort(first, kind="stable")[:FAR]
    loss = float(np.sum(1.0 - first.astype(np.float64)))
    return Sums(sums, np.bincount(labels, minlength=k), loss, rows[far], first[far])


def labels_of_part(desk: Desk, job: Job) -> Steps:
    """Write which cluster each row of a part is in."""
    table = read_part(place_of(job.given["place"]), job.given["part"], ["id", "text", FILE, ROW, "vector"])
    yield 0
    labels, first, _ = nearest_two(_unit(matrix_of(table.column("vector"))), _centres(desk, job))
    columns = {name: table.column(name) for name in ("id", "text", FILE, ROW)}
    columns |= {"cluster": np.asarray(job.given["names"], np.int64)[labels], "score": first}
    desk.output.put(f"clusters/{job.name}.parquet", parquet_of(table_of(columns)))


def _rows(job: Job) -> Floats:
    table = read_part(place_of(job.given["place"]), job.given["part"], ["vector"])
    return _unit(matrix_of(table.column("vector")))


def _unit(rows: Floats) -> Floats:
    return normalize(rows, zero="keep")


def _centres(desk: Desk, job: Job) -> Floats:
    """The centres of a step, which all its jobs share."""
    name = job.given["centres"]
    if name not in desk.kept:
        desk.kept = {name: _read(desk.output, name)[0]}
    found: Floats = desk.kept[name]
    return found


def _file(own: str, number: int) -> str:
    return f"centres/{own}-{number:03d}.npy"


def _keep(place: Place, own: str, number: int, centres: Floats, before: float) -> None:
    """The centres of a step, and what those before them missed."""
    place.put(_file(own, number), packed(centres, before))


def _read(place: Place, name: str) -> tuple[Floats, float]:
    centres, before = unpacked(place, name)
    return centres, float(before)


def _last(place: Place, own: str) -> tuple[int, tuple[Floats, float] | None]:
    """The last step whose centres are there, and these: a run that was stopped goes on from them."""
    there = [each.name for each in place.files("centres") if each.name.startswith(f"centres/{own}-")]
    if not there:
        return 0, None
    return int(there[-1].removesuffix(".npy").rpartition("-")[2]), _read(place, there[-1])


def _name_by_size(counts: NDArray[np.int64]) -> list[int]:
    """The number of each cluster: 0 is the largest."""
    return [int(each) for each in places_of(np.lexsort((np.arange(len(counts)), -counts)))]
