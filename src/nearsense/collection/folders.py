"""A folder against the passages that a collection has of it: what is to be read, split, encoded and removed.

What is known of a file lies in its passages, in the reserved field: a digest of its content and of how it was
split, its size, when it was changed. A file is left alone where all its passages are there and say the same; so
nothing is lost where a change broke off in the middle.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._progress import Progress, tracked
from nearsense.collection.documents import SyncPlan, sync_plan
from nearsense.documents.folder import find_files
from nearsense.documents.passages import FIELD, as_passages
from nearsense.documents.reading import read_one, splitting_for
from nearsense.documents.splitting import Splitting, counter, split
from nearsense.documents.worker import Worker
from nearsense.errors import FileError, InputError
from nearsense.reports import FolderReport

if TYPE_CHECKING:
    from nearsense.collection.engine import Engine
    from nearsense.documents.blocks import SourceDocument
    from nearsense.documents.folder import Files, Found, Source
    from nearsense.records import Document

FORM = 1
"""How files are read and split; another number reads all of them anew."""
AT_ONCE = 256
"""Documents that are split together."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a file that changes gets another time of change for certain."""

Row = tuple[str, bytes, str]
"""What an engine tells of a document's content: id, hash, metadata as JSON."""


@dataclass(slots=True)
class _Kept:
    """What a collection has of a file."""

    rows: list[Row] = field(default_factory=list)
    said: set[tuple[str, int, int, int]] = field(default_factory=set)  # digest, passages, size, modified

    @property
    def state(self) -> tuple[str, int, int]:
        """Digest, size and time of change; of what is not whole nothing."""
        if len(self.said) == 1:
            digest, count, size, modified = next(iter(self.said))
            if count == len(self.rows):
                return digest, size, modified
        return "", -1, -1


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """What a sync with files has to do, and what it will say of it; `facts` are to be kept."""

    todo: SyncPlan
    removed: list[str]
    facts: dict[str, Any]
    said: FolderReport

    def report(self, *, applied: bool) -> FolderReport:
        """What was done, or would be."""
        return replace(self.said, applied=applied)


def folder_plan(
    engine: Engine,
    source: Source | Iterable[Source] | None,
    ignore: Iterable[str] | None,
    tokens: int | None,
    overlap: int | None,
    headings: bool | None,
    *,
    remove: bool,
    progress: Progress,
) -> FolderPlan:
    """Compare files with the passages that a collection has."""
    model, facts = engine.bound()
    before: Mapping[str, Any] = facts.get("passages") or {}
    sources = _listed(source) or list(before.get("sources", ()))
    if not sources:
        fix = 'name it: sync_documents("notes"), or: nearsense index sync COLLECTION FOLDER'
        raise InputError(f"{engine.name} has no folder yet", why="it was never synced with one", fix=fix)
    ignored = list(before.get("ignore", ())) if ignore is None else _listed(ignore)
    how = splitting_for(
        model.encoder,
        before.get("tokens") if tokens is None else tokens,
        before.get("overlap", 0) if overlap is None else overlap,
        before.get("headings", True) if headings is None else headings,
        facts["role"],
    )
    files = find_files(sources, ignored)
    kept = _kept(engine)
    plan = _Reading(files, kept, how)
    passages = plan.passages(model.encoder, progress)
    gone = [id_ for id_ in kept if id_ not in plan.here and not files.may_hold(id_)] if remove else []
    reread = [row for id_ in plan.read for row in (kept[id_].rows if id_ in kept else ())]
    elsewhere = [
        (id_, hash_) for each, known in kept.items() if each not in plan.read for id_, hash_, _ in known.rows
    ]
    todo = SyncPlan([], [], [], [id_ for id_, _, _ in reread], 0, {})
    if passages:
        todo = sync_plan(passages, reread, elsewhere)
    removed = todo.removed + [row[0] for id_ in gone for row in kept[id_].rows]
    new = [id_ for id_ in plan.read if id_ not in kept and id_ not in plan.empty]
    digests = {kept[id_].state[0] for id_ in gone} - {""}
    moved = [id_ for id_ in new if plan.read[id_] in digests]
    stays = sum(len(kept[id_].rows) for id_ in kept if id_ not in plan.read and id_ not in gone)
    said = FolderReport(
        len(new) - len(moved),
        sum(id_ in kept for id_ in plan.read),
        len(moved),
        len(gone) - len(moved),
        plan.unchanged,
        len(passages) + stays,
        len(todo.fresh),
        tuple(f"{id_}: {error.why or error.what}" for id_, error in {**files.closed, **plan.unread}.items()),
        tuple(plan.empty),
        files.others,
    )
    known = {
        "tokens": how.tokens,
        "overlap": how.overlap,
        "headings": how.headings,
        "root": str(files.root),
        "sources": [_absolute(each) for each in sources],
        "ignore": ignored,
    }
    return FolderPlan(todo, removed, known, said)


def _listed(given: Any) -> list[str]:
    if given is None:
        return []
    return [os.fspath(given)] if isinstance(given, (str, os.PathLike)) else [os.fspath(each) for each in given]


def _absolute(source: str) -> str:
    return os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - a glob is no path


def _kept(engine: Engine) -> dict[str, _Kept]:
    """The files of which a collection has passages."""
    kept: dict[str, _Kept] = {}
    mark = f'"{FIELD}":'
    for row in engine.contents():
        said = json.loads(row[2]).get(FIELD) if mark in row[2] else None
        if isinstance(said, dict) and "digest" in said:
            known = kept.setdefault(said["document"], _Kept())
            known.rows.append(row)
            known.said.add((said["digest"], said["count"], said.get("size", -1), said.get("modified", 0)))
    return kept


class _Reading:
    """Reads what changed. `here` are the files that are there, `read` those that were read, with their digests."""

    def __init__(self, files: Files, kept: Mapping[str, _Kept], how: Splitting) -> None:
        self._files, self._kept, self._how = files, kept, how
        self._way = hashlib.blake2b(repr((FORM, how)).encode(), digest_size=4).hexdigest()
        self.here = {found.id for found in files.found}
        self.read: dict[str, str] = {}
        self.unread: dict[str, FileError] = {}
        self.empty: list[str] = []
        self.unchanged = 0

    def passages(self, encoder: Any, progress: Progress) -> list[Document]:
        """The passages of all files that changed."""
        count = counter(encoder)
        made: list[Document] = []
        with Worker() as reader, tracked(len(self._files.found), "files", progress) as update:
            documents = self._changed(reader, update)
            while some := list(islice(documents, AT_ONCE)):
                spans = split([document for document, _ in some], self._how, count)
                for (document, known), each in zip(some, spans, strict=True):
                    made += as_passages(document, each, **known)
                    if not each:
                        self.empty.append(document.id)
        return made

    def _changed(self, reader: Worker, update: Any) -> Iterator[tuple[SourceDocument, dict[str, Any]]]:
        now = time.time_ns()
        for done, found in enumerate(self._files.found, 1):
            digest, size, modified = self._kept[found.id].state if found.id in self._kept else ("", -1, -1)
            ours = digest.startswith(self._way)
            if ours and (size, modified) == (found.size, found.modified):
                self.unchanged += 1
            else:
                try:
                    fresh = self._way + _digest(found)
                    if ours and fresh == digest:
                        self.unchanged += 1
                    else:
                        document = read_one(found, reader)
                        self.read[found.id] = fresh
                        settled = found.modified if now - found.modified > SETTLED else 0
                        yield document, {"digest": fresh, "size": found.size, "modified": settled}
                except FileError as error:
                    self.unread[found.id] = error
            update(done)


def _digest(found: Found) -> str:
    """Of a file's content."""
    try:
        with found.path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=12)).hexdigest()
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{found.path} cannot be read", why=why, fix=f"chmod u+r {found.path}") from None


def path_of(root: str, place: str) -> str:
    """A place that programs find: from where one is where it lies below, else from the top."""
    whole = os.path.join(root, place)  # noqa: PTH118 - a place is no path
    here = str(Path.cwd()) + os.sep
    return whole.removeprefix(here)
