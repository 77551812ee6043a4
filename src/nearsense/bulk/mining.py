"""Near pairs over parts: rows into cells by place, exact pairs within each cell, and what share that finds.

A row lives in its nearest cell, and visits those that are about as near: each pair is found where one of the two
lives and the other lives or visits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.bulk.arrays import packed, unpacked
from nearsense.bulk.places import place_of
from nearsense.bulk.records import Job, Steps, digest
from nearsense.bulk.shards import BULK, matrix_of, parquet_of, part_file, read_part, said_of, table_of
from nearsense.vectors.rows import evenly_spaced, normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.bulk.run import Parts, Run
    from nearsense.bulk.work import Desk

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]
    Found = tuple[Ints, Ints, Floats]
    """Pairs of rows, each once, the lower on the left, and their scores."""

CELL = 32_768
"""Rows of a cell, about: below, all are compared with all."""

LEARNT = 64
"""Rows a cell that the cells are learnt from."""

PROBES, MARGIN = 4, 0.1
"""The cells that a row may be in at most, and how much less near than the nearest these may be."""

TOGETHER = 16
"""Parts whose rows are put into cells together: fewer and larger files."""

SAMPLE = 512
"""Rows whose pairs are also looked for among all rows, which tells the recall."""


def near_pairs(run: Run, parts: Parts, chosen: list[Ints], floor: float) -> tuple[Found, float | None]:
    """The pairs of chosen rows (of each part, from 0) that reach a score; what share was found, None for all."""
    count = sum(map(len, chosen))
    own = digest(parts.names, [len(each) for each in chosen], floor)
    cells = max(1, round(count / CELL))
    centres = f"dedupe/{own}-centres.npy"
    if run.place.read(centres) is None:
        run.place.put(centres, packed(_centres(run.sample(parts, LEARNT * cells), cells)))
    sizes = _into_cells(run, parts, chosen, own, centres, cells)
    files = [name for name, _ in sizes]
    jobs = [
        Job("pairs", f"{own}-{cell}", int(rows), {"files": files, "cell": cell, "floor": floor})
        for cell, rows in enumerate(np.sum([each for _, each in sizes], axis=0).tolist())
        if rows
    ]
    there = {each.name for each in run.place.files("dedupe")}
    run.stage("compare", [job for job in jobs if _pairs(job.name) not in there], lambda job, result: None)
    found = [unpacked(run.place, _pairs(job.name)) for job in jobs]
    left, right, scores = (np.concatenate([each[column] for each in found]) for column in range(3))
    _, first = np.unique(left * parts.total + right, return_index=True)
    pairs = left[first], right[first], scores[first]
    return pairs, None if cells == 1 else _recall(run, parts, chosen, pairs, floor)


def _centres(sample: Floats, cells: int) -> Floats:
    """What the cells lie around."""
    if cells == 1 or len(sample) <= cells:
        return sample[:1]
    from nearsense.index import kmeans

    groups = kmeans(np.ascontiguousarray(sample), cells)
    sums = np.zeros((cells, sample.shape[1]))
    np.add.at(sums, groups, sample)
    return normalize(sums[np.abs(sums).max(axis=1) > 0])


def _into_cells(
    run: Run, parts: Parts, chosen: list[Ints], own: str, centres: str, cells: int
) -> list[tuple[str, Ints]]:
    """Put the rows into cells: files whose row groups are cells, and how many rows of each cell they have."""
    jobs = []
    for begin in range(0, len(parts.names), TOGETHER):
        part = slice(begin, begin + TOGETHER)
        given = {
            "place": parts.place,
            "parts": parts.names[part],
            "begins": parts.begins[part],
            "chosen": chosen[part],
            "centres": centres,
            "cells": cells,
        }
        jobs.append(Job("cells", f"{own}-{begin}", sum(parts.rows[part]), given))
    there = {each.name for each in run.place.files("dedupe")}
    run.stage("cells", [job for job in jobs if _cells(job.name) not in there], lambda job, result: None)
    found = []
    for job in jobs:
        with part_file(run.place, _cells(job.name)) as file:
            found.append((_cells(job.name), _sizes(file, cells)))
    return found


def cells_of_part(desk: Desk, job: Job) -> Steps:
    """Put the chosen rows of some parts into cells, in one file: a row group a cell."""
    given = job.given
    centres, place = unpacked(desk.output, given["centres"])[0], place_of(given["place"])
    rows, vectors = [], []
    for part, begin, chosen in zip(given["parts"], given["begins"], given["chosen"], strict=True):
        known = matrix_of(read_part(place, part, ["vector"]).column("vector"))
        vectors.append(normalize(known[chosen], zero="keep"))
        rows.append(chosen + begin)
    data, number = np.concatenate(vectors), np.concatenate(rows)
    yield job.rows // 2
    scores = data @ centres.T
    few = min(PROBES, len(centres))
    some = np.argpartition(scores, -few, axis=1)[:, -few:]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    nearest = np.take_along_axis(some, order, axis=1)
    near = np.take_along_axis(scores, nearest, axis=1)
    who, rank = np.nonzero(near >= near[:, :1] - np.float32(MARGIN))
    cell = nearest[who, rank]
    order = np.lexsort((number[who], rank > 0, cell))
    who, rank, cell = who[order], rank[order], cell[order]
    sizes = np.bincount(cell, minlength=given["cells"])
    table = table_of({"row": number[who], "lives": rank == 0, "vector": _lists(data[who])})
    table = table.replace_schema_metadata({BULK: json.dumps({"cells": sizes.tolist()}).encode()})
    groups = [int(size) for size in sizes if size] or [0]
    desk.output.put(_cells(job.name), parquet_of(table, plain=("vector", "row"), row_groups=groups))


def pairs_of_cell(desk: Desk, job: Job) -> Steps:
    """All pairs of a cell of which one lives there."""
    from nearsense.mining import mine

    rows, lives, vectors = [], [], []
    for name in job.given["files"]:
        with part_file(desk.output, name) as file:
            sizes = _sizes(file, 0)
            if not sizes[job.given["cell"]]:
                continue
            table = file.read_row_group(int(np.count_nonzero(sizes[: job.given["cell"]])))
        rows.append(table.column("row").to_numpy())
        lives.append(table.column("lives").to_numpy())
        vectors.append(matrix_of(table.column("vector")))
    yield 0
    row, home, data = np.concatenate(rows), np.concatenate(lives), np.concatenate(vectors)
    here, there = np.flatnonzero(home), np.flatnonzero(~home)
    found, floor, threads = [_NONE], job.given["floor"], desk.setup.threads
    if len(here) > 1:
        each = mine(data[here], floor, threads=threads)
        found.append((row[here[each.left]], row[here[each.right]], each.scores))
    if len(here) and len(there):
        each = mine(data[here], floor, against=data[there], threads=threads)
        found.append((row[here[each.left]], row[there[each.right]], each.scores))
    left, right, scores = (np.concatenate(columns) for columns in zip(*found, strict=True))
    desk.output.put(_pairs(job.name), packed(np.minimum(left, right), np.maximum(left, right), scores))


_NONE = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)


def _recall(run: Run, parts: Parts, chosen: list[Ints], pairs: Found, floor: float) -> float:
    """The share of all pairs of some rows that was found."""
    every = np.concatenate([each + begin for each, begin in zip(chosen, parts.begins, strict=True)])
    asked = every[evenly_spaced(len(every), SAMPLE)]
    name = f"dedupe/{digest(parts.names, floor, asked.tolist())}-asked.npy"
    some: list[Ints] = [
        asked[(asked >= at) & (asked < at + n)] - at for at, n in zip(parts.begins, parts.rows, strict=True)
    ]
    vectors: dict[str, Floats] = {}
    jobs = parts.jobs("sample")
    jobs = [
        Job(job.step, job.name, job.rows, {**job.given, "chosen": own})
        for job, own in zip(jobs, some, strict=True)
    ]
    run.stage("recall", jobs, lambda job, result: vectors.__setitem__(job.name, result))
    run.place.put(name, packed(asked, np.concatenate([vectors[job.name] for job in jobs])))
    truth: list[Ints] = []
    jobs = [
        Job("recall", job.name, job.rows, {**job.given, "asked": name, "floor": floor, "begin": at, "chosen": own})
        for job, at, own in zip(parts.jobs("recall"), parts.begins, chosen, strict=True)
    ]
    run.stage("recall", jobs, lambda job, result: truth.append(result))
    wanted = np.unique(np.concatenate(truth), axis=0)
    known = pairs[0] * parts.total + pairs[1]
    return float(np.isin(wanted[:, 0] * parts.total + wanted[:, 1], known).mean()) if len(wanted) else 1.0


def true_pairs_of_part(desk: Desk, job: Job) -> Steps:
    """The pairs that rows of a sample make with any chosen row of a part: int64, shape (m, 2), the lower first."""
    given = job.given
    asked, vectors = unpacked(desk.output, given["asked"])
    known = matrix_of(read_part(place_of(given["place"]), given["part"], ["vector"]).column("vector"))
    yield 0
    i, j = np.nonzero(vectors @ normalize(known[given["chosen"]], zero="keep").T >= given["floor"])
    left, right = asked[i], given["chosen"][j] + given["begin"]
    other = left != right
    return np.stack([np.minimum(left, right), np.maximum(left, right)], axis=1)[other]


def _cells(name: str) -> str:
    return f"dedupe/{name}-cells.parquet"


def _pairs(name: str) -> str:
    return f"dedupe/{name}-pairs.npy"


def _sizes(file: Any, cells: int) -> Ints:
    """How many rows of each cell a file has."""
    return np.array(said_of(file)["cells"] or [0] * cells, np.int64)


def _lists(data: Floats) -> Any:
    import pyarrow

    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(data.ravel()), data.shape[1])
