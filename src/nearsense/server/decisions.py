"""What people decided of pairs that may be duplicates, and the calibration that is learnt from it.

The routes of a review are here; what they are told is kept in two files beside the collection:

    tickets.nearsense.labels.jsonl      a line a decision: columns a, b, label, as `nearsense calibrate` reads them
    tickets.nearsense.calibration.json  what `learn` made of them; duplicates of the collection go by it

A decision that was acknowledged is on the disk. Not which pairs are asked for: see deduplication.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.calibration.fitting import LEAST
from nearsense.errors import FileError, InputError
from nearsense.files.streams import atomic_write
from nearsense.querylog import iso
from nearsense.server import requests
from nearsense.server.changes import Called, Changes, Key, fitting
from nearsense.server.described import changing, operation
from nearsense.server.errors import JSON
from nearsense.server.requests import Prior
from nearsense.server.settings import ServerSettings
from nearsense.server.work import Work

if TYPE_CHECKING:
    from nearsense._progress import Progress
    from nearsense.calibration import Calibration
    from nearsense.collection import Collection
    from nearsense.encoders import Encoder
    from nearsense.records import Vectors
    from nearsense.server.jobs import Advance
    from nearsense.server.service import Service

MOST = 100_000
"""Decisions that are kept of a collection."""


@dataclass(frozen=True, slots=True)
class Decision:
    """That two documents mean the same, or do not.

    Args:
        left: The id of one.
        right: The id of the other.
        a: The text of the one, as it was then.
        b: The text of the other.
        same: Whether they mean the same.
        time: When that was said, ISO 8601, UTC.
    """

    left: str
    right: str
    a: str
    b: str
    same: bool
    time: str

    @property
    def pair(self) -> frozenset[str]:
        """The two, whichever comes first."""
        return frozenset((self.left, self.right))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"left": self.left, "right": self.right, "same": self.same, "time": self.time}

    def line(self) -> bytes:
        """As it stands in the file."""
        known = {"a": self.a, "b": self.b, "label": int(self.same)}
        return json.dumps({**known, "left": self.left, "right": self.right, "time": self.time}).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Decision:
        """What `line` wrote; ValueError, KeyError or TypeError for something else."""
        known = json.loads(line)
        left, right, a, b = (str(known[name]) for name in ("left", "right", "a", "b"))
        return cls(left, right, a, b, bool(known["label"]), str(known["time"]))


class Decisions:
    """The decisions of a collection. Thread-safe; for one process.

    Example:
        >>> import tempfile
        >>> kept = Decisions(Path(tempfile.mkdtemp(), "tickets.nearsense"))
        >>> kept.decide([("1", "2", True)], {"1": "late parcel", "2": "parcel is late"})
        1
        >>> [each.same for each in kept.all()], kept.undo("2", "1"), kept.all()
        ([True], True, [])
    """

    def __init__(self, collection: Path | str) -> None:
        if isinstance(collection, str):
            why = "decisions are kept in a file beside a collection's folder"
            fix = f"nearsense index copy '{collection}' copy.nearsense, and review the copy"
            raise InputError("there is no place for decisions on this collection", why=why, fix=fix)
        beside = Path(os.path.realpath(collection))
        self.file = beside.with_name(f"{beside.name}.labels.jsonl")
        self.calibration_file = beside.with_name(f"{beside.name}.calibration.json")
        self._guard = threading.Lock()
        self._known: dict[frozenset[str], Decision] | None = None

    def all(self) -> list[Decision]:
        """All of them, in their order."""
        with self._guard:
            return [*self._read().values()]

    def decide(self, pairs: Sequence[tuple[str, str, bool]], texts: dict[str, str]) -> int:
        """Keep decisions on pairs of ids; one on the same pair takes the place of an earlier one.

        Args:
            pairs: (one id, another, whether they mean the same).
            texts: What the documents say.

        Returns:
            How many are kept in all.

        Raises:
            InputError: A document is not there, a pair is one document, or there is no room for more.
            FileError: The file cannot be written; nothing of these is kept then.
        """
        when, new = iso(time.time()), list[Decision]()
        for place, (left, right, same) in enumerate(pairs):
            if missing := [id_ for id_ in (left, right) if id_ not in texts]:
                what = f"decision {place}: there is no document {missing[0]!r}"
                raise InputError(what, why="it was deleted, or never there", fix="load the pairs again")
            if left == right:
                raise InputError(f"decision {place}: {left!r} is both sides", fix="give the ids of two documents")
            new.append(Decision(left, right, texts[left], texts[right], same, when))
        with self._guard:
            known = self._read()
            wanted = {**known}
            for each in new:
                wanted.pop(each.pair, None)
                wanted[each.pair] = each
            if len(wanted) > MOST:
                why = f"at most {MOST:,} decisions are kept"
                raise InputError("there are too many decisions", why=why, fix=f"move {self.file.name} elsewhere")
            if len(wanted) == len(known) + len(new) and self.file.exists():
                self._append(new)
            else:
                self._write(wanted.values())
            self._known = wanted
            return len(wanted)

    def undo(self, left: str, right: str) -> bool:
        """Forget what was decided of a pair; whether something was."""
        with self._guard:
            known = self._read()
            rest = {pair: each for pair, each in known.items() if pair != frozenset((left, right))}
            if len(rest) == len(known):
                return False
            self._write(rest.values())
            self._known = rest
            return True

    def learn(self, encoder: Encoder, prior: float | None = None, progress: Progress = False) -> Calibration:
        """Learn a calibration from them and keep it: duplicates of the collection go by it from then on.

        Raises:
            InputError: There are fewer than 20 decisions, or all are alike.
        """
        from nearsense.calibrating import calibrate

        pairs = [(each.a, each.b, int(each.same)) for each in self.all()]
        found = calibrate(pairs, encoder=encoder, task="duplicates", prior=prior, progress=progress)
        found.save(self.calibration_file)
        return found

    def calibration(self, vectors: Vectors | None = None) -> Calibration | None:
        """What was learnt; None before, and where it was learnt of another model than made some vectors."""
        from nearsense.calibration import load_calibration

        if not self.calibration_file.exists():
            return None
        found = load_calibration(self.calibration_file)
        return found if vectors is None or found.fingerprint == vectors.fingerprint else None

    # -- the file

    def _read(self) -> dict[frozenset[str], Decision]:
        if self._known is None:
            found: dict[frozenset[str], Decision] = {}
            lines = self.file.read_bytes().splitlines(keepends=True) if self.file.exists() else []
            for number, line in enumerate(lines, 1):
                try:
                    decision = Decision.of(line)
                except (ValueError, KeyError, TypeError) as error:
                    if number == len(lines) and not line.endswith(b"\n"):
                        break  # torn by a kill, never acknowledged
                    what = f"{self.file.name}, line {number}: no decision"
                    raise FileError(what, why=str(error), fix="correct or remove the line") from None
                found.pop(decision.pair, None)
                found[decision.pair] = decision
            if lines and not lines[-1].endswith(b"\n"):
                self._write(found.values())
            self._known = found
        return self._known

    def _append(self, new: Iterable[Decision]) -> None:
        written = b"".join(each.line() for each in new)
        try:
            with self.file.open("ab") as stream:
                before = stream.tell()
                try:
                    stream.write(written)
                    stream.flush()
                    os.fsync(stream.fileno())
                except OSError:
                    with suppress(OSError):
                        stream.truncate(before)
                    raise
        except OSError as error:
            fix = "free some space, or allow the server to write there"
            raise FileError(f"{self.file.name} cannot be written", why=str(error), fix=fix) from None

    def _write(self, decisions: Iterable[Decision]) -> None:
        with suppress(OSError):  # for its owner alone; what is written below keeps that
            os.close(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with atomic_write(self.file) as stream:
            for each in decisions:
                stream.write(each.line())


# -- the routes


class Decide(requests.Request):
    """What somebody said of pairs of documents."""

    decisions: Annotated[list[OneDecision], Field(min_length=1, max_length=ServerSettings.max_texts)]


class OneDecision(requests.Request):
    """Whether two documents mean the same."""

    left: Id = Field(examples=["1"])
    right: Id = Field(examples=["2"])
    same: bool


class Learn(requests.Request):
    """What is known beside the decisions."""

    prior: Prior | None = None


Id = Annotated[str, Field(min_length=1, max_length=512, description="A document's id.")]
Side = Annotated[str, Query(min_length=1, max_length=512, description="A document's id.")]


class Desks:
    """The decisions of each collection, each file read once."""

    def __init__(self) -> None:
        self._known: dict[str, Decisions] = {}
        self._guard = threading.Lock()

    def of(self, room: Collection) -> Decisions:
        """Those of a collection."""
        with self._guard:
            return self._known.setdefault(str(room.path), Decisions(room.path))


def routes(service: Service, changes: Changes) -> list[BaseRoute]:
    """The routes of a review, under /v1/collections/{name}/decisions."""
    where, desks = "/v1/collections/{name}/decisions", Desks()
    router = APIRouter(tags=["review"], prefix=where)

    @router.get(
        "",
        **operation(
            "decisions",
            "What was decided of pairs so far.",
            "The decisions, and how many more it takes to learn from them.",
        ),
    )
    async def decisions(name: Called, request: Request) -> Response:
        def all_of() -> JSON:
            desk = desks.of(service.collection(name))
            known = desk.all()
            same = sum(each.same for each in known)
            told = {"collection": name, "same": same, "different": len(known) - same}
            told |= {"needed": lacking(same, len(known) - same), "calibration": _figures(desk.calibration())}
            return JSON(told | {"decisions": [each.to_dict() for each in known]})

        return await service.pool.run_for(request, Work(service.settings.deadline), all_of)

    @router.post(
        "",
        **changing(
            "decide",
            "Say of pairs of documents whether they mean the same; kept when it is answered.",
            "They are on the disk.",
            job=False,
        ),
    )
    async def decide(name: Called, asked: Decide, request: Request, key: Key = None) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            room = service.collection(name)
            pairs = [(each.left, each.right, each.same) for each in asked.decisions]
            found = room.get(list({id_ for left, right, _ in pairs for id_ in (left, right)}))
            texts = {document.id: document.text for document in found if document is not None}
            with fitting():
                return {"collection": name, "kept": desks.of(room).decide(pairs, texts)}

        service.collection(name)
        return await changes.make(request, "decide", doing, job=False)

    @router.delete("", **changing("undecide", "Take back what was decided of a pair.", "It is gone.", job=False))
    async def undo(name: Called, left: Side, right: Side, request: Request) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            desk = desks.of(service.collection(name))
            return {"collection": name, "undone": desk.undo(left, right), "kept": len(desk.all())}

        service.collection(name)
        return await changes.make(request, "undecide", doing, job=False)

    @router.post(
        "/learn",
        **changing(
            "learn_from_decisions",
            "Learn from the decisions how probable duplicates of a score are; the collection goes by it then.",
            "It is learnt, and kept.",
        ),
    )
    async def learn(name: Called, asked: Learn, request: Request, key: Key = None) -> Response:
        desk = desks.of(service.collection(name))

        def doing(advance: Advance) -> dict[str, Any]:
            from nearsense.render.results import calibration_page

            with fitting():
                found = desk.learn(service.collection(name).encoder, asked.prior, advance)
            page: dict[str, Any] = calibration_page(found, []).document
            return {"collection": name, **page}

        return await changes.make(request, "learn", doing, target=name, total=2 * len(desk.all()), unit="texts")

    return router.routes


def lacking(same: int, different: int) -> int:
    """How many more decisions it takes to learn from them: 20, of both kinds."""
    return max(LEAST - same - different, int(not same) + int(not different))


def _figures(calibration: Calibration | None) -> dict[str, Any] | None:
    return None if calibration is None else calibration.figures.to_dict()
