"""Shards to parts with vectors, on one worker; and what a run will take, from a timed sample."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.bulk.places import clear, keep, kept, place_of
from nearsense.bulk.records import Job, Plan, Shard, Steps, several
from nearsense.bulk.shards import counted, matrix_of, part_of, pieces, read_part, read_shard
from nearsense.encoders import Encoder
from nearsense.files.vectors import description
from nearsense.records import Vectors
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.bulk.work import Desk

PIECE = 8_192
"""Characters that are encoded together, about: a quarter of a second of one core, which a kill may cost."""

TIMED, SAMPLE_SECONDS = 512, 0.7
"""Texts of a shard, and seconds, at most, that a run's time is told from."""


def encode_shard(desk: Desk, job: Job) -> Steps:
    """Encode a shard a piece at a time, each kept on this machine; in the end write its part."""
    if desk.output.files(part_name(job.name)):
        return {"rows": job.rows}  # another run was first
    shard, reading = Shard(**job.given["shard"]), job.given["reading"]
    rows = read_shard(place_of(job.given["input"]), shard, reading)
    scratch, found = desk.output.scratch / job.name, []
    for number, piece in enumerate(pieces(rows.texts, PIECE)):
        texts = rows.texts[piece]
        known = _known(kept(scratch, f"{number}.npy"), len(texts), desk.encoder.dimension)
        if known is None:
            known = desk.encoder.encode(texts, role=job.given["role"])
            keep(scratch, f"{number}.npy", _written(known))
            yield piece.stop
        found.append(known)
    vectors = _joined(found, desk.encoder)
    content = part_of(rows, shard, reading, vectors, description(vectors))
    desk.output.put(part_name(job.name), content)
    clear(scratch)
    return {"rows": job.rows, "truncated": int(vectors.truncated.sum())}


def count_part(desk: Desk, job: Job) -> Steps:
    """Count a part's rows again."""
    yield 0
    return counted(place_of(job.given["place"]), job.given["part"])


def sample_of_part(desk: Desk, job: Job) -> Steps:
    """Some rows of a part, as vectors of unit length."""
    yield 0
    rows = matrix_of(read_part(place_of(job.given["place"]), job.given["part"], ["vector"]).column("vector"))
    return normalize(rows[job.given["chosen"]], zero="keep")


def part_name(name: str) -> str:
    """Where the part of a shard lies."""
    return f"encoded/{name}.parquet"


def _written(vectors: Vectors) -> bytes:
    """A column more says which were cut."""
    stream = io.BytesIO()
    np.save(stream, np.column_stack([vectors.data, vectors.truncated.astype(np.float32)]))
    return stream.getvalue()


def _known(content: bytes | None, rows: int, dimension: int) -> Vectors | None:
    """The vectors of a piece that was finished before; None where it was not."""
    if content is None:
        return None
    data: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    if data.shape != (rows, dimension + 1):
        return None
    return Vectors(data[:, :-1], "", data[:, -1] > 0)


def _joined(found: Sequence[Vectors], encoder: Encoder) -> Vectors:
    size = encoder.dimension
    data = np.concatenate([np.empty((0, size), np.float32), *(each.data for each in found)])
    truncated = np.concatenate([np.empty(0, bool), *(each.truncated for each in found)])
    read_as = next((each.read_as for each in found if each.read_as is not None), None)
    return Vectors(data, encoder.fingerprint, truncated, encoder.name, read_as)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run takes, from a timed sample of its rows.

    Args:
        rows: Rows that are still to be encoded.
        rate: Texts a second on all workers.
        size: Bytes of a row of the output, about.
        workers: How many workers there are.
    """

    rows: int
    rate: float
    size: float
    workers: int

    @property
    def seconds(self) -> float:
        """How long it takes, about."""
        return self.rows / max(self.rate, 1e-9)

    def __str__(self) -> str:
        time, size = duration(self.seconds), _size(self.rows * self.size)
        return f"{several(self.rows, 'text')}: about {time} on {several(self.workers, 'worker')}; {size} of output"


def time_shard(desk: Desk, job: Job) -> Steps:
    """Time the first texts of a shard: texts a second, and bytes of a text, about."""
    rows = read_shard(place_of(job.given["input"]), Shard(**job.given["shard"]), job.given["reading"])
    texts, role = rows.texts[:TIMED], job.given["role"]
    yield 0
    done, begin = 0, time.monotonic()
    while done < len(texts) and time.monotonic() < begin + SAMPLE_SECONDS:
        done += len(desk.encoder.encode(texts[done : done + 128], role=role))
    seconds = max(time.monotonic() - begin, 1e-9)
    return {"rate": done / seconds, "bytes": sum(len(text.encode()) for text in texts) / max(len(texts), 1)}


def estimate(plan: Plan, left: int, timed: Sequence[dict[str, float]], workers: int) -> Estimate:
    """What the rows that are left take, from what was timed."""
    rate = sum(each["rate"] for each in timed) / len(timed) * workers
    size = 4 * plan.dimension + 24 + sum(each["bytes"] for each in timed) / len(timed)
    return Estimate(left, rate, size, workers)


def duration(seconds: float) -> str:
    """A time for people: "3 h 20 min"."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60} min"


def _size(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(count / 1e3, 1):.0f} kB"
