"""A run: what is to be done and what is, as the files of its output say; begun, gone on with, finished, shown."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._machine import cores
from nearsense._notes import tell
from nearsense._progress import Progress, tracked
from nearsense._version import __version__
from nearsense.bulk.crew import Crew
from nearsense.bulk.encoding import estimate, part_name
from nearsense.bulk.places import Found, Place, place_of, require_new
from nearsense.bulk.pools import Here, Processes
from nearsense.bulk.records import Job, Outcome, Plan, Quarantined, Setup, Shard, digest
from nearsense.bulk.shards import SHARD_ROWS, about_part, dimension_of, input_files, reading_of, shards_of
from nearsense.encoders import Encoder
from nearsense.errors import FileError, InputError, NearsenseError
from nearsense.records import Vectors
from nearsense.vectors.rows import evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOB, MANIFEST = "job.json", "_manifest.json"
"""What is to be done; and that it is done. Without the second nothing of an output counts."""

QUARANTINE, STATUS = "quarantined", "status"
BEAT = 5.0
"""Seconds between two signs of life of a driver."""
DEAD = 60.0
"""Seconds after which a driver that gives none is taken for dead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a run is done, which changes nothing of what comes of it.

    Args:
        workers: How many; as many as there are cores without it, and none but this process for 0.
        ray: The address of a Ray cluster, "auto", or None for processes of this machine.
        resume: Go on with what the output holds.
        progress: As for verbs.
    """

    workers: int | None = None
    ray: str | None = None
    resume: bool = False
    progress: Progress = False


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts with vectors that a run goes on from: where they lie, their names, and how many rows each has."""

    place: str
    names: tuple[str, ...]
    rows: tuple[int, ...]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows)

    @property
    def begins(self) -> list[int]:
        """The number of the first row of each part among all rows, from 0."""
        return [0, *accumulate(self.rows)][:-1]

    def jobs(self, step: str, **given: Any) -> list[Job]:
        """A job for each part."""
        return [
            Job(step, digest(name), rows, {"place": self.place, "part": name, **given})
            for name, rows in zip(self.names, self.rows, strict=True)
        ]


class Run:
    """One driver at one output."""

    def __init__(self, output: str, plan: Plan, wanted: Wanted, encoder: Encoder | None, model: Any) -> None:
        self.output, self.plan, self.wanted = output, plan, wanted
        self.place = place_of(output)
        self.encoder, self._model = encoder, model
        self._me, self._beat = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}", 0.0
        self._stage, self._done = plan.kind, 0
        self.crew: Crew

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Take the output, have workers, and leave nothing half behind."""
        _take(self.place, self.plan, self.wanted)
        try:
            self.crew = self._crew()
            yield
        finally:
            if hasattr(self, "crew"):
                self.crew.close()
            self.place.remove(f"{STATUS}/{self._me}.json")
            self._tidy()

    def _tidy(self) -> None:
        """Take away what this driver and its workers were writing; others at this output have theirs."""
        own = {os.getpid(), *(self.crew.seen if hasattr(self, "crew") else ())}
        for draft in self.place.scratch.rglob(".*.tmp"):
            if draft.name[1:].partition("-")[0] in map(str, own):
                draft.unlink(missing_ok=True)

    def _crew(self) -> Crew:
        wanted, output = self.wanted, _everywhere(self.output)
        if wanted.ray is not None:
            from nearsense.bulk.ray import connect

            setup = Setup(output, self._model, self.plan.fingerprint, 1)
            actors, size = connect(wanted.ray, setup, wanted.workers)
            return Crew(actors, size)
        size = cores() if wanted.workers is None else wanted.workers
        setup = Setup(output, self._model, self.plan.fingerprint, max(1, cores() // max(size, 1)))
        return Crew(Processes(setup), size) if size else Crew(Here(setup), 1)

    def parts(self, folder: str) -> set[str]:
        """The names of the parts in a folder, without their endings."""
        return {each.name.rpartition("/")[2].partition(".")[0] for each in self.place.files(folder)}

    def stage(
        self, name: str, jobs: Sequence[Job], done: Callable[[Job, Any], object], what: str = "texts"
    ) -> None:
        """Do the jobs of a step that all have to succeed."""
        for job, result, why in self._do(name, jobs, what):
            if why:
                fix = "mend that, and add --resume: what is done is kept"
                raise NearsenseError(f"step {name!r} fails", why=why, fix=fix)
            done(job, result)

    def encode(self) -> tuple[list[Shard], list[Quarantined]]:
        """Encode what is not encoded yet: the shards that have parts, and those that are left out."""
        if self.plan.parameters["encoded"]:
            return list(self.plan.shards), []
        there = self.parts("encoded")
        left = [each for each in self.plan.shards if each.name not in there]
        given = {"input": self.plan.input, "reading": self.plan.reading, "role": self.plan.parameters["role"]}
        jobs = [Job("encode", each.name, each.rows, {**given, "shard": asdict(each)}) for each in left]
        self._estimate(jobs)
        shards, lost, cut = {each.name: each for each in left}, [], 0
        for job, result, why in self._do("encode", jobs, "texts"):
            name = f"{QUARANTINE}/{job.name}.json"
            if why:
                shard = shards[job.name]
                lost.append(Quarantined(shard.name, shard.file, shard.begin, shard.rows, why))
                self.place.replace(name, json.dumps(asdict(lost[-1]), ensure_ascii=False).encode())
                shutil.rmtree(self.place.scratch / job.name, ignore_errors=True)
            else:
                cut += int(result.get("truncated", 0))
                self.place.remove(name)
        if cut:
            tell(f"{cut:,} texts were longer than the model reads, and cut: column 'truncated' says which")
        out = {each.name for each in lost}
        if lost and len(out) == len(self.plan.shards):
            raise InputError("no shard could be encoded", why=lost[0].why, fix="mend that, and add --resume")
        return [each for each in self.plan.shards if each.name not in out], lost

    def _estimate(self, jobs: Sequence[Job]) -> None:
        """Say what the jobs will take, by the first texts of the first of them, the middle one and the last."""
        some = {job.name: job for job in (*jobs[:1], *jobs[len(jobs) // 2 : len(jobs) // 2 + 1], *jobs[-1:])}
        timed = [replace(job, step="time") for job in some.values()]
        found = [result for _, result, why in self.crew.do(timed, strikes=1) if not why]
        if found:
            tell(str(estimate(self.plan, sum(job.rows for job in jobs), found, self.crew.size)))

    def _do(self, name: str, jobs: Sequence[Job], what: str) -> Iterator[tuple[Job, Any, str]]:
        self._stage = name
        total = sum(job.rows for job in jobs)
        with tracked(total, what, self.wanted.progress) as update:

            def heard(rows: int) -> None:
                self._done = rows
                update(rows)
                self._sign(total)

            yield from self.crew.do(jobs, heard)

    def _sign(self, total: int) -> None:
        """A sign of life, now and then: what this driver is at."""
        if (now := time.time()) < self._beat + BEAT:
            return
        self._beat, crew = now, self.crew
        running = [
            {
                "shard": job.name,
                "step": job.step,
                "rows": job.rows,
                "done": crew.trials[job.name].rows,
                "process": crew.processes.get(worker),
            }
            for worker, job in crew.busy.items()
        ]
        alive = {"driver": self._me, "time": now, "step": self._stage, "done": self._done, "rows": total}
        self.place.replace(f"{STATUS}/{self._me}.json", json.dumps({**alive, "running": running}).encode())

    def count(self, shards: Sequence[Shard]) -> tuple[int, Parts]:
        """Count the rows of all parts again: how many were read, and the parts with how many each has."""
        encoded = self.plan.parameters["encoded"]
        names = [each.file if encoded else part_name(each.name) for each in shards]
        place = self.plan.input if encoded else _everywhere(self.output)
        parts = Parts(place, tuple(names), tuple(each.rows for each in shards))
        found: dict[str, dict[str, int]] = {}
        self.stage("count", parts.jobs("count"), lambda job, result: found.__setitem__(job.given["part"], result))
        for name, shard in zip(names, shards, strict=True):
            if (read := found[name]["rows" if encoded else "read"]) != shard.rows:
                what = f"{name} is of {read:,} rows, its shard has {shard.rows:,}"
                raise FileError(what, why="each row is to stand in one part", fix="remove it, and add --resume")
        return sum(parts.rows), replace(parts, rows=tuple(found[name]["rows"] for name in names))

    def sample(self, parts: Parts, most: int) -> NDArray[np.float32]:
        """The vectors of at most so many rows, evenly over all parts, of unit length."""
        chosen = evenly_spaced(parts.total, most)
        begins, found = parts.begins, dict[str, Any]()
        jobs = []
        for job, begin in zip(parts.jobs("sample"), begins, strict=True):
            rows = chosen[(chosen >= begin) & (chosen < begin + job.rows)] - begin
            jobs.append(replace(job, given={**job.given, "chosen": rows}))
        self.stage("sample", jobs, lambda job, result: found.__setitem__(job.name, result))
        return np.concatenate([found[job.name] for job in jobs])

    def commit(
        self, parts: Sequence[str], rows: tuple[int, int], lost: Sequence[Quarantined], figures: dict[str, Any]
    ) -> Outcome:
        """Say that it is done: from now on the output counts."""
        outcome = Outcome(self.plan.kind, self.output, *rows, len(parts), tuple(lost), figures)
        known = {
            "format": 1,
            "key": self.plan.key,
            "version": __version__,
            "complete": not lost,
            **outcome.to_dict(),
            "model": self.plan.model,
            "fingerprint": self.plan.fingerprint,
            "files": list(parts),
        }
        known.pop("output")
        self.place.replace(MANIFEST, json.dumps(known, ensure_ascii=False, indent=1).encode())
        shutil.rmtree(self.place.scratch, ignore_errors=True)
        return outcome


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done, as it was typed: texts and ids by their columns, the model, how it is loaded."""

    input: str
    output: str
    text: str | None = None
    id_: str | None = None
    model: str | None = None
    shard_rows: int | None = None
    loading: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def running(kind: str, asked: Asked, wanted: Wanted, parameters: dict[str, Any]) -> Iterator[Run]:
    """A run at work, begun or gone on with."""
    from nearsense.encoders import load, symmetric_role

    place, files = input_files(asked.input)
    encoded = _encoded(place, files) if kind != "encode" else None
    encoder = None
    if encoded is None or kind == "dedupe":
        encoder = load(asked.model, **asked.loading)
    if encoded is None:
        assert encoder is not None
        role = "passage" if kind == "encode" else symmetric_role(encoder)
        reading = reading_of(place, files, asked.text, asked.id_)
        salt = {"fingerprint": encoder.fingerprint, "role": role, "long": asked.loading.get("long")}
        shards = shards_of(place, files, reading, asked.shard_rows or SHARD_ROWS)
        shards = [replace(each, name=digest(each.name, salt)) for each in shards]
        own = (encoder.name, encoder.fingerprint, encoder.dimension)
    else:
        shards, reading, own, role = *encoded, None
        if encoder is not None:
            Vectors(np.empty((0, own[2]), np.float32), own[1], np.empty(0, bool), own[0]).require_made_by(
                encoder.name, encoder.fingerprint
            )
    parameters = {**parameters, "role": role, "encoded": encoded is not None}
    key = digest(kind, [each.name for each in shards], parameters)
    _require_apart(asked)
    plan = Plan(kind, _everywhere(asked.input), key, *own, reading, parameters, tuple(shards))
    loading = None if encoded is not None else {"name": asked.model, **asked.loading}
    run = Run(asked.output, plan, wanted, encoder, loading)
    with run.at_work():
        yield run


def _require_apart(asked: Asked) -> None:
    """Refuse an output within the input, of which it would be a part the next time."""
    source, target = (f"{_everywhere(name).rstrip('/')}/" for name in (asked.input, asked.output))
    if target.startswith(source):
        why = "what is written would be read the next time"
        raise InputError(f"{asked.output} lies within {asked.input}", why=why, fix="name another folder: -o NEW")


def _encoded(
    place: Place, files: Sequence[Found]
) -> tuple[list[Shard], dict[str, Any], tuple[str, str, int]] | None:
    """The parts of an input that was encoded, how it was read, and the model; None where it was not."""
    manifest = place.read(MANIFEST)
    if manifest is None:
        if place.read(JOB) is not None:
            what = f"{place.shown} is encoded in part only"
            raise InputError(what, why=f"it has no {MANIFEST}", fix="go on with its run: --resume")
        return None
    known = json.loads(manifest)
    names = [each for each in known["files"] if each.startswith("encoded/")]
    shards, about = [], dict[str, Any]()
    for name in names:
        about, rows = about_part(place, name)
        shards.append(Shard(digest(name), name, 0, rows))
    if not shards:
        return None
    reading = {"text": ["text"], "id": "id", "single": True, "own": about["reading"]}
    return shards, reading, (known["model"], known["fingerprint"], dimension_of(place, names[0]))


def _everywhere(name: str) -> str:
    """A name that means the same in every working folder."""
    return place_of(name).address("")


def _take(place: Place, plan: Plan, wanted: Wanted) -> None:
    """Begin in an empty folder, or go on in one that holds this very job."""
    require_new(place, JOB)
    written = plan.to_json()
    if place.put(JOB, written):
        return
    found = place.read(JOB)
    try:
        known = Plan.from_json(found or b"")
    except (ValueError, TypeError, KeyError):
        raise FileError(f"{place.shown}/{JOB} cannot be read", fix="name a new folder: -o NEW") from None
    if known.key != plan.key:
        what = f"{place.shown} holds another job: {known.kind} of {known.input} with {known.model}"
        why = "the input, the model or an option is another than it was"
        raise InputError(what, why=why, fix="name a new folder: -o NEW")
    if not wanted.resume:
        what = f"{place.shown} holds this job already, {'done' if place.read(MANIFEST) else 'not finished'}"
        raise InputError(what, why="two runs could be at it", fix="add --resume to go on with what is there")


@dataclass(frozen=True, slots=True)
class Status:
    """How far the job of an output is.

    Args:
        output: Where it lies.
        kind: "encode", "dedupe" or "cluster".
        state: "done", "done but for N shards", "running" or "stopped".
        shards: A record a shard: its name, file, first row, rows, and state: "done", "running", "quarantined"
            with why, or "waiting".
        rows: Rows of the input.
        done: Rows of shards that are encoded.
        drivers: What each driver that is alive is at.
    """

    output: str
    kind: str
    state: str
    shards: tuple[dict[str, Any], ...]
    rows: int
    done: int
    drivers: tuple[dict[str, Any], ...]


def status_of(output: str) -> Status:
    """How far the job of an output is, as its files say; nothing is changed.

    Raises:
        FileError: There is no job.
    """
    place = place_of(output)
    job = place.read(JOB)
    if job is None:
        why = f"there is no {JOB} in it"
        raise FileError(f"{place.shown} holds no bulk job", why=why, fix="name the output of one: -o OUTPUT")
    plan, manifest = Plan.from_json(job), place.read(MANIFEST)
    done = {each.name.rpartition("/")[2].partition(".")[0] for each in place.files("encoded")}
    done |= {each.name for each in plan.shards if plan.parameters["encoded"]}
    lost = {each.name.rpartition("/")[2].removesuffix(".json"): each.name for each in place.files(QUARANTINE)}
    drivers = [json.loads(place.read(each.name) or b"{}") for each in place.files(STATUS)]
    drivers = [each for each in drivers if time.time() - each.get("time", 0.0) < DEAD]
    running = {each["shard"]: each for driver in drivers for each in driver["running"]}
    shards = []
    for each in plan.shards:
        about: dict[str, Any] = {"shard": each.name, "file": each.file, "begin": each.begin, "rows": each.rows}
        if each.name in done:
            about["state"] = "done"
        elif each.name in running:
            about |= {"state": "running", "done": running[each.name]["done"]}
        elif each.name in lost:
            about |= {"state": "quarantined", "why": json.loads(place.read(lost[each.name]) or b"{}").get("why")}
        else:
            about["state"] = "waiting"
        shards.append(about)
    out = sum(each["state"] == "quarantined" for each in shards)
    state = "running" if drivers else "stopped"
    if manifest is not None and not drivers:
        state = f"done but for {out:,} shard{'s'[: out != 1]}" if out else "done"
    finished = sum(each["rows"] for each in shards if each["state"] == "done")
    return Status(place.shown, plan.kind, state, tuple(shards), plan.rows, finished, tuple(drivers))


__all__ = ["Asked", "Run", "Status", "Wanted", "running", "status_of"]
