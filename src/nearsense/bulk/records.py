"""What crosses the files of this room: shards, plans, jobs, what workers answer, what became of it all."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from nearsense.records import as_json

Steps = Generator[int, None, Any]
"""A job being done: how many rows are finished, again and again; in the end what became of it."""


def digest(*parts: Any) -> str:
    """A name that only these values decide: 32 hexadecimal digits."""
    written = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return sha256(written.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Shard:
    """Some rows of one file of the input.

    Args:
        name: What its parts are called: a hash of which rows they are, of which file, and of how it is read.
        file: The file's name within the input; empty where the input is that file.
        begin: Its first row, from 0.
        rows: How many there are.
    """

    name: str
    file: str
    begin: int
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done, as `job.json` of the output has it.

    Args:
        kind: "encode", "dedupe" or "cluster".
        input: The folder, file or address that is read.
        key: A hash of the input as it was, the model and the parameters: another job has another.
        model: The model's name.
        fingerprint: Its fingerprint.
        dimension: Numbers of a vector.
        reading: Which columns are the text and the id, and how the files are read.
        parameters: What else was asked for.
        shards: The rows, in pieces.
    """

    kind: str
    input: str
    key: str
    model: str
    fingerprint: str
    dimension: int
    reading: dict[str, Any]
    parameters: dict[str, Any]
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(each.rows for each in self.shards)

    def to_json(self) -> bytes:
        """As `job.json`; what follows a ? in an address may be a signature, and is left out."""
        known = {"format": 1, **asdict(self), "input": self.input.partition("?")[0]}
        return json.dumps(known, ensure_ascii=False, indent=1).encode()

    @classmethod
    def of(cls, known: dict[str, Any]) -> Plan:
        """What `to_json` gave, read again."""
        given = {name: value for name, value in known.items() if name not in ("format", "shards")}
        return cls(**given, shards=tuple(Shard(**each) for each in known["shards"]))


@dataclass(frozen=True, slots=True)
class Setup:
    """What each worker has to know: where results go, which model runs, on how many cores.

    Args:
        output: The folder or address of the output.
        model: How the model is loaded: arguments of `ns.load`; None where nothing is encoded.
        fingerprint: The model's fingerprint as the driver has it.
        threads: Cores of each worker.
    """

    output: str
    model: dict[str, Any] | None
    fingerprint: str
    threads: int


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker does next: which step, under which name, of how many rows, with what."""

    step: str
    name: str
    rows: int
    given: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says of a job.

    Args:
        state: "ready" before the first job, then "going" (call again), "done" or "failed".
        rows: How many rows are finished by now.
        result: What became of it, as JSON values or arrays; small.
        why: Why it failed, in words.
        fix: What to do about that, where it is known.
        fatal: Whether every other job would fail too, for want of space, say.
        warned: What was warned of: the category's name and the words.
        process: The worker's process id.
    """

    state: str
    rows: int = 0
    result: Any = None
    why: str = ""
    fix: str = ""
    fatal: bool = False
    warned: tuple[tuple[str, str], ...] = ()
    process: int = 0


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A shard that is left out: it failed, or ended its worker, three times at one place."""

    name: str
    file: str
    begin: int
    rows: int
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. Made by `encode`, `dedupe` and `cluster`.

    Args:
        kind: "encode", "dedupe" or "cluster".
        output: Where the parts lie.
        rows: Rows of the input that are done, those without a text among them.
        empty: Rows without a text, which are in no part.
        parts: Files that were written.
        quarantined: Shards that are left out.
        figures: What else there is to say: rows that stay and go, recall; clusters, steps, loss.
    """

    kind: str
    output: str
    rows: int
    empty: int
    parts: int
    quarantined: tuple[Quarantined, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        lost = sum(each.rows for each in self.quarantined)
        said = [f"{several(self.rows, 'row')} in {several(self.parts, 'part')}"]
        said += [f"{self.empty:,} without text"] if self.empty else []
        said += [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in self.figures.items()]
        if self.quarantined:
            said += [f"{several(len(self.quarantined), 'shard')} of {several(lost, 'row')} left out"]
        return "; ".join(said)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "kind output rows empty parts quarantined") | self.figures


def several(count: int, thing: str) -> str:
    """How many of a thing there are: "1 row", "20,000 rows"."""
    return f"{count:,} {thing}{'s'[: count != 1]}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
