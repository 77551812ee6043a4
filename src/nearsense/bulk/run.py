"""A run: what is to be done and what is, as the files of its output say; begun, gone on with, finished, shown."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._machine import cores
from nearsense._notes import tell
from nearsense._progress import Progress, tracked
from nearsense._version import __version__
from nearsense.bulk.crew import Crew, again
from nearsense.bulk.encoding import estimate, part_name
from nearsense.bulk.places import Found, Place, clear, place_of, require_new
from nearsense.bulk.pools import Here, Processes
from nearsense.bulk.records import Answer, Job, Outcome, Plan, Quarantined, Setup, Shard, digest, several
from nearsense.bulk.shards import SHARD_ROWS, about_part, input_files, reading_of, shards_of
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
class Asked:
    """What is to be done, and how, as it was typed: `How`, apart from how the model is loaded."""

    input: str
    output: str
    text: str | None = None
    id: str | None = None
    model: str | None = None
    shard_rows: int | None = None
    workers: int | None = None
    ray: str | None = None
    resume: bool = False
    progress: Progress = False
    loading: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("workers", 0), ("shard_rows", 1)):
            if (value := getattr(self, name)) is not None and not checks.is_whole(value, least):
                raise InputError(
                    f"{name}={value!r}", why=f"a whole number from {least} on is wanted", fix=f"{name}=8"
                )

    @classmethod
    def of(cls, input: str, output: str, how: Mapping[str, Any]) -> Asked:  # noqa: A002
        """What `How` says; names that are none of its own are for `ns.load`."""
        own = {name: value for name, value in how.items() if name in cls.__dataclass_fields__}
        return cls(input, output, **own, loading={name: how[name] for name in how if name not in own})


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

    def __init__(self, asked: Asked, plan: Plan, encoder: Encoder | None, model: dict[str, Any] | None) -> None:
        self.asked, self.plan, self.encoder, self._model = asked, plan, encoder, model
        self.output, self.place = asked.output, place_of(asked.output)
        self.crew: Crew | None = None
        self._me = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._stage, self._rows, self._done = plan.kind, plan.rows, 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Take the output, have workers, and leave nothing half behind."""
        over, sign = Event(), f"{STATUS}/{self._me}.json"
        alive = Thread(target=self._live, args=(over, sign), daemon=True)
        try:
            self.crew = self._crew()
            _take(self.place, self.plan, resume=self.asked.resume)
            self.place.replace(sign, self._sign())
            alive.start()
            yield
        finally:
            if self.crew is not None:
                self.crew.close()
            if alive.ident is not None:
                over.set()
                alive.join()
                self.place.remove(sign)
                self._tidy()

    def _live(self, over: Event, sign: str) -> None:
        """Give a sign of life now and then, whatever the driver is at."""
        while not over.wait(BEAT):
            with suppress(NearsenseError):  # a full disk, say: who writes there next is told
                self.place.replace(sign, self._sign())

    def _sign(self) -> bytes:
        """What this driver is at."""
        crew, running = self.crew, list[dict[str, Any]]()
        for worker, job in list(crew.busy.items()) if crew is not None else ():
            assert crew is not None
            trial, process = crew.trials.get(job.name), crew.processes.get(worker)
            done = 0 if trial is None else trial.rows
            running.append(
                {"shard": job.name, "step": job.step, "rows": job.rows, "done": done, "process": process}
            )
        alive = {
            "driver": self._me,
            "time": time.time(),
            "step": self._stage,
            "done": self._done,
            "rows": self._rows,
        }
        return json.dumps({**alive, "running": running}).encode()

    def _tidy(self) -> None:
        """Take away what workers that were ended were writing; others at this output have theirs."""
        ended = (self.crew.seen if self.crew is not None else set()) - {os.getpid()}
        for draft in self.place.scratch.rglob(".*.tmp"):
            if draft.name[1:].partition("-")[0] in map(str, ended):
                draft.unlink(missing_ok=True)

    def _crew(self) -> Crew:
        asked, output = self.asked, _everywhere(self.output)
        if asked.ray is not None:
            from nearsense.bulk.ray import connect

            setup = Setup(output, self._model, self.plan.fingerprint, 1)
            actors, size = connect(asked.ray, setup, asked.workers)
            return Crew(actors, size)
        size = cores() if asked.workers is None else asked.workers
        if size > cores():
            tell(f"{several(size, 'worker')} on {several(cores(), 'core')}: more than one a core take memory only")
        setup = Setup(output, self._model, self.plan.fingerprint, max(1, cores() // max(size, 1)))
        return Crew(Processes(setup), size) if size else Crew(Here(setup), 1)

    def parts(self, folder: str) -> set[str]:
        """The names of the parts in a folder, without their endings."""
        return {each.name.rpartition("/")[2].partition(".")[0] for each in self.place.files(folder)}

    def stage(
        self, name: str, jobs: Sequence[Job], done: Callable[[Job, Any], object], what: str = "texts"
    ) -> None:
        """Do the jobs of a step that all have to succeed."""
        for job, answer in self._do(name, jobs, what):
            if answer.state == "failed":
                raise NearsenseError(f"step {name!r} fails", why=answer.why, fix=again(answer))
            done(job, answer.result)

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
        for job, answer in self._do("encode", jobs, "texts"):
            name = f"{QUARANTINE}/{job.name}.json"
            if answer.state == "failed":
                shard = shards[job.name]
                lost.append(Quarantined(shard.name, shard.file, shard.begin, shard.rows, answer.why))
                self.place.replace(name, json.dumps(asdict(lost[-1]), ensure_ascii=False).encode())
                clear(self.place.scratch / job.name)
            else:
                cut += int(answer.result.get("truncated", 0))
                self.place.remove(name)
        if cut:
            texts = "1 text was" if cut == 1 else f"{cut:,} texts were"
            tell(f"{texts} longer than the model reads, and cut: column 'truncated' says which")
        out = {each.name for each in lost}
        if lost and len(out) == len(self.plan.shards):
            raise InputError("no shard could be encoded", why=lost[0].why, fix="mend that, and add --resume")
        return [each for each in self.plan.shards if each.name not in out], lost

    def _estimate(self, jobs: Sequence[Job]) -> None:
        """Say what the jobs will take, by the first texts of the first of them, the middle one and the last."""
        some = {job.name: job for job in (*jobs[:1], *jobs[len(jobs) // 2 : len(jobs) // 2 + 1], *jobs[-1:])}
        timed = [replace(job, step="time") for job in some.values()]
        assert self.crew is not None
        found = [answer.result for _, answer in self.crew.do(timed, strikes=1) if answer.state == "done"]
        if found:
            size = min(self.crew.size, len(jobs))
            tell(str(estimate(self.plan, sum(job.rows for job in jobs), found, size)))

    def _do(self, name: str, jobs: Sequence[Job], what: str) -> Iterator[tuple[Job, Answer]]:
        assert self.crew is not None
        total = sum(job.rows for job in jobs)
        self._stage, self._rows, self._done = name, total, 0
        with tracked(total, what, self.asked.progress) as update:

            def heard(rows: int) -> None:
                self._done = rows
                update(rows)

            yield from self.crew.do(jobs, heard)

    def count(self, shards: Sequence[Shard]) -> tuple[int, Parts]:
        """Count the rows of all parts again: how many were read, and the parts with how many each has."""
        encoded = self.plan.parameters["encoded"]
        names = [each.file if encoded else part_name(each.name) for each in shards]
        place = self.plan.input if encoded else _everywhere(self.output)
        parts = Parts(place, tuple(names), tuple(each.rows for each in shards))
        found: dict[str, dict[str, int]] = {}
        try:
            self.stage(
                "count", parts.jobs("count"), lambda job, result: found.__setitem__(job.given["part"], result)
            )
            for name, shard in zip(names, shards, strict=True):
                if (read := found[name]["rows" if encoded else "read"]) != shard.rows:
                    what = f"{name} is of {several(read, 'row')}, its shard has {shard.rows:,}"
                    fix = "remove it, and add --resume"
                    raise FileError(what, why="each row is to stand in one part", fix=fix)
        except NearsenseError:
            self.place.remove(MANIFEST)  # what a run before said of these parts is true no more
            raise
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

    def finish(self, more: Callable[[Parts], tuple[list[str], dict[str, Any]]] | None = None) -> Outcome:
        """Encode, count, do what is more to be done with the parts, and say that it is done."""
        shards, lost = self.encode()
        read, parts = self.count(shards)
        names, figures = (list(parts.names), dict[str, Any]()) if more is None else more(parts)
        return self._commit(names, (read, read - parts.total), lost, figures)

    def _commit(
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
        clear(self.place.scratch)
        return outcome


@contextmanager
def running(
    kind: str,
    asked: Asked,
    parameters: dict[str, Any],
    require_sense: Callable[[Run], None] = lambda run: None,
) -> Iterator[Run]:
    """A run at work, begun or gone on with; refused before anything is written where it makes no sense."""
    from nearsense.encoders import load, symmetric_role

    place, files, encoded = _input(asked.input, kind)
    encoder = load(asked.model, **asked.loading) if encoded is None or kind == "dedupe" else None
    if encoded is None:
        assert encoder is not None
        role = "passage" if kind == "encode" else symmetric_role(encoder)
        reading = reading_of(place, files, asked.text, asked.id)
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
    parameters = {**parameters, "role": role, "encoded": encoded is not None, "long": asked.loading.get("long")}
    key = digest(kind, [each.name for each in shards], parameters)
    _require_apart(asked)
    plan = Plan(kind, _everywhere(asked.input), key, *own, reading, parameters, tuple(shards))
    run = Run(asked, plan, encoder, None if encoded is not None else {"name": asked.model, **asked.loading})
    require_sense(run)
    with run.at_work():
        yield run


def _require_apart(asked: Asked) -> None:
    """Refuse an output within the input, of which it would be a part the next time."""
    source, target = (f"{os.path.realpath(_everywhere(name))}/" for name in (asked.input, asked.output))
    if target.startswith(source):
        what = f"{place_of(asked.output).shown} lies within {place_of(asked.input).shown}"
        raise InputError(
            what, why="what is written would be read the next time", fix="name another folder: -o NEW"
        )


Encoded = tuple[list[Shard], dict[str, Any], tuple[str, str, int]]
"""The parts of an input that was encoded, how it was read, and the model: name, fingerprint, dimension."""


def _input(name: str, kind: str) -> tuple[Place, list[Found], Encoded | None]:
    """The files of the input that are read, or parts with vectors that are there already.

    Of what a run wrote it is what its manifest names: rows that stay of `dedupe`, not those that go.
    """
    place = place_of(name)
    fix = "run what wrote it again, into a new folder"
    manifest = place.known(MANIFEST, fix)
    if manifest is None:
        if place.read(JOB) is not None:
            what = f"{place.shown} is not finished"
            raise InputError(what, why=f"it has no {MANIFEST}", fix="go on with its run: --resume")
        return *input_files(name), None
    named = manifest.get("files")
    if not isinstance(named, list) or not manifest.keys() >= {"model", "fingerprint"}:
        raise FileError(f"{place.shown}/{MANIFEST} is of no bulk job", why="it names no files", fix=fix)
    names = [each for each in map(str, named) if each.startswith(("encoded/", "kept/", "clusters/"))]
    there = {each.name: each for each in place.files()}
    if gone := [each for each in names if each not in there]:
        what = f"{place.shown}/{gone[0]} is not there any more"
        raise FileError(what, why=f"{MANIFEST} names it", fix="go on with the run that wrote it: --resume")
    if kind == "encode" or not all(each.startswith("encoded/") for each in names):
        return place, [there[each] for each in names], None
    shards, about = [], dict[str, Any]()
    for each in names:
        about, rows = about_part(place, each)
        shards.append(Shard(digest(each, there[each].size, there[each].stamp), each, 0, rows))
    own, columns = about.get("reading"), list(about.get("columns", ()))
    reading = {"text": ["text"], "id": "id", "single": True, "columns": columns, "own": own}
    return place, [], (shards, reading, (manifest["model"], manifest["fingerprint"], about.get("dimension", 0)))


def _everywhere(name: str) -> str:
    """A name that means the same in every working folder."""
    return place_of(name).address("")


def _take(place: Place, plan: Plan, *, resume: bool) -> None:
    """Begin in an empty folder, or go on in one that holds this very job."""
    require_new(place, JOB)
    if place.put(JOB, plan.to_json()):
        return
    known = _plan(place, "name a new folder: -o NEW")
    if known is None or known.key != plan.key:
        what = (
            f"{place.shown} holds another job: {known.kind} of {known.input} with {known.model}" if known else JOB
        )
        raise InputError(what, why=_differ(known, plan) if known else "", fix="name a new folder: -o NEW")
    if not resume:
        what = f"{place.shown} holds this job already, {'done' if place.read(MANIFEST) else 'not finished'}"
        raise InputError(what, why="two runs could be at it", fix="add --resume to go on with what is there")


def _plan(place: Place, fix: str) -> Plan | None:
    """What is to be done in a place, as it says; None where it does not."""
    known = place.known(JOB, fix)
    try:
        return None if known is None else Plan.of(known)
    except (TypeError, KeyError):
        why = "it is no job, or another version wrote it"
        raise FileError(f"{place.shown}/{JOB} cannot be read", why=why, fix=fix) from None


def _differ(was: Plan, now: Plan) -> str:
    """In what a job is another than the one that was begun."""
    if was.kind != now.kind:
        return f"this is a job to {now.kind}"
    if was.fingerprint != now.fingerprint:
        return f"the model was {was.model} ({was.fingerprint[:12]}), and is {now.model} ({now.fingerprint[:12]})"
    for name, flag in (("text", "--text"), ("id", "--id")):
        if was.reading.get(name) != now.reading.get(name):
            return f"{flag} was {_said(was.reading.get(name))}, and is {_said(now.reading.get(name))}"
    for name in now.parameters:
        if was.parameters.get(name) != now.parameters[name]:
            return f"{name} was {_said(was.parameters.get(name))}, and is {_said(now.parameters[name])}"
    old, new = ({each.file: each.begin + each.rows for each in plan.shards} for plan in (was, now))
    for file in sorted({*old, *new}):
        if old.get(file) != new.get(file):
            return f"{file or now.input} has {several(new.get(file, 0), 'row')}, and had {old.get(file, 0):,}"
    if [(each.file, each.begin) for each in was.shards] != [(each.file, each.begin) for each in now.shards]:
        return "the rows of a shard, --shard-rows, are others"
    written = {each.name for each in was.shards}
    changed = [each.file or now.input for each in now.shards if each.name not in written]
    return f"{changed[0]} was written again since" if changed else "another version of nearsense began it"


def _said(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else "not given" if value is None else str(value)


def _signs(place: Place, name: str) -> dict[str, Any]:
    """The sign of life of a driver; nothing where it is too old, or none."""
    try:
        known = place.known(name, "") or {}
        fresh = (
            known.keys() >= {"driver", "step", "done", "rows", "running"} and time.time() - known["time"] < DEAD
        )
    except (FileError, KeyError, TypeError):
        return {}
    return known if fresh else {}


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
    plan, manifest = _plan(place, "name the output of another job"), place.read(MANIFEST)
    if plan is None:
        why = f"there is no {JOB} in it"
        raise FileError(f"{place.shown} holds no bulk job", why=why, fix="name the output of one: -o OUTPUT")
    done = {each.name.rpartition("/")[2].partition(".")[0] for each in place.files("encoded")}
    done |= {each.name for each in plan.shards if plan.parameters["encoded"]}
    lost = {each.name.rpartition("/")[2].removesuffix(".json"): each.name for each in place.files(QUARANTINE)}
    drivers = [each for each in (_signs(place, found.name) for found in place.files(STATUS)) if each]
    running = {each["shard"]: each for driver in drivers for each in driver["running"]}
    shards = []
    for each in plan.shards:
        about: dict[str, Any] = {"shard": each.name, "file": each.file, "begin": each.begin, "rows": each.rows}
        if each.name in done:
            about["state"] = "done"
        elif each.name in running:
            about |= {"state": "running", "done": running[each.name]["done"]}
        elif each.name in lost:
            known = place.known(lost[each.name], "remove it, and add --resume") or {}
            about |= {"state": "quarantined", "why": str(known.get("why", "nobody knows why"))}
        else:
            about["state"] = "waiting"
        shards.append(about)
    out = sum(each["state"] == "quarantined" for each in shards)
    state = "running" if drivers else "stopped"
    if manifest is not None and not drivers:
        state = f"done but for {several(out, 'shard')}" if out else "done"
    finished = sum(each["rows"] for each in shards if each["state"] == "done")
    return Status(place.shown, plan.kind, state, tuple(shards), plan.rows, finished, tuple(drivers))


__all__ = ["Asked", "Run", "Status", "running", "status_of"]
