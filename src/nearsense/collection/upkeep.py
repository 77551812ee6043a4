"""What a collection in a folder does beside answering: derived files, checks, backups.

The database is the authority; the files that searching reads are made from it, in the background, past a size of
changes and when writing rests. They never count before they are whole.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nearsense import index as indexes
from nearsense._folder import Folder, make_folders
from nearsense._forks import event, lock
from nearsense._paths import is_folder
from nearsense._progress import Progress, tracked
from nearsense.collection.model import differing, recipe
from nearsense.collection.snapshot import INDEX, POSITIONS, SUMS, VECTORS, CheckedRows, Frozen, require_made_alike
from nearsense.errors import DamagedCollection, InputError, NearsenseError
from nearsense.filters import Columns, GrowingColumns
from nearsense.lexical import Postings
from nearsense.reports import Verification
from nearsense.store.generations import (
    BUILDER,
    GENERATIONS,
    DamagedGeneration,
    Draft,
    Generation,
    clean_up,
    crash_point,
    new_name,
)
from nearsense.store.lock import try_alone, unwritable, waited
from nearsense.store.sqlite import SQLiteStore
from nearsense.store.tables import SQLiteReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("nearsense")

ENOUGH = 0.95
"""The recall below which a kind that nobody asked for is not taken: a cluster of near-duplicates does that."""
REST = 0.5
"""Seconds without a change before a build begins: many batches in a row make one generation, not many."""

PATIENCE = 2.0
"""Seconds that closing waits for a build that waits for somebody else's turn to end."""


CHUNK = 4096
UNREADABLE = ("the checksum of a page does not fit", "the file ends too early")
"""What the store says of a page: one of them costs many documents."""


# -- derived files


class Cancelled(Exception):
    """The collection is being closed; nothing was left behind."""


def build(
    store: SQLiteStore,
    *,
    wait: bool = True,
    progress: Progress = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Make a new generation of everything there is now, and take it into use.

    False where another builder is at work, and one does not wait for it, or the model, or how it reads, changed
    meanwhile. `cancelled` is asked now and then; True gives up.
    """
    store.require_ready()
    with try_alone(store.folder / BUILDER, wait=wait) as alone:
        if not alone:
            return False
        draft = Draft(store.folder)
        try:
            generation = _generation(store, draft, progress, cancelled)
        finally:
            draft.discard()
        with store.writing() as writer:
            if differing(writer.state().facts, generation.manifest["recipe"]):
                return False
            writer.set_generation(generation)
        crash_point("generation.after-commit")
        clean_up(store.folder, generation.name)
        return True


def _generation(store: SQLiteStore, draft: Draft, progress: Progress, cancelled: Callable[[], bool]) -> Generation:
    with store.reading() as reader:
        state = reader.state()
        read = _Pass(reader, cancelled)
        with draft.opened(VECTORS) as file, tracked(state.documents, "documents", progress) as update:
            postings = Postings.build(read.texts(file, update))
    for prefix, arrays in (("columns", Columns.of(read.columns).arrays()), ("postings", postings.arrays())):
        for name, array in arrays.items():
            draft.save(f"{prefix}-{name}", array)
    positions, sums = np.concatenate(read.positions), np.concatenate(read.sums)
    draft.save(POSITIONS, positions)
    draft.save(SUMS, sums)
    shape = (len(positions), int(state.facts["dimension"]))
    rows = CheckedRows(draft.path / VECTORS, shape, positions, sums)
    built = _built_index(rows, state.facts.get("index"), draft, cancelled)
    del rows  # only POSIX renames a folder while a file in it is mapped
    name = new_name(state.sequence)
    manifest = {
        "rows": shape[0],
        "dimension": shape[1],
        "index": built,
        "recipe": recipe(state.facts),
        "files": draft.finish(name),
    }
    return Generation(name, state.sequence, state.position, manifest)


def _built_index(
    rows: CheckedRows, kind: str | None, draft: Draft, cancelled: Callable[[], bool]
) -> dict[str, str | float]:
    """Make the index, of the kind that was asked for or the one that fits, and measure it."""
    if cancelled():
        raise Cancelled
    choice = indexes.choose(*rows.shape)
    if kind is not None:
        choice = indexes.Choice(indexes.parse_kind(kind), "It was asked for.")
    built = indexes.build(choice.kind, rows)
    recall = indexes.recall(built, rows)
    if kind is None and recall < ENOUGH:
        why = f"{choice.kind} finds {recall:.0%} of what is near here: every vector is looked at instead."
        choice, recall = indexes.Choice(indexes.Kind.EXACT, why), 1.0
        built = indexes.build(choice.kind, rows)
    with draft.file(INDEX) as file:
        built.save(file)
    if cancelled():
        raise Cancelled
    return {"kind": str(choice.kind), "why": choice.why, "recall": recall}


class _Pass:
    """Reads every document once: vectors go to their file, metadata to columns, and the texts come out."""

    def __init__(self, reader: SQLiteReader, cancelled: Callable[[], bool]) -> None:
        self._reader, self._cancelled = reader, cancelled
        self.positions: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self.sums: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self.columns = GrowingColumns()

    def texts(self, vectors: BinaryIO, update: Callable[[int], None]) -> Iterator[str]:
        done = 0
        for block in self._reader.blocks():
            if self._cancelled():
                raise Cancelled
            vectors.write(block.vectors.tobytes())
            self.positions.append(block.positions)
            self.sums.append(block.sums)
            self.columns.extend(document.metadata for document in block.documents)
            for document in block.documents:
                yield document.text
            update(done := done + len(block.documents))


class Background:
    """Runs a job in a thread, when asked, after a rest, one at a time; the job asks `stopping` now and then."""

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job
        self._stop, self._again = event(), event()
        self._thread: threading.Thread | None = None
        self._guard = lock()

    def ask(self) -> None:
        """Do the job soon; asked again meanwhile, the rest begins anew."""
        self._again.set()
        with self._guard:
            if not self._stop.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="nearsense-index", daemon=True)
                self._thread.start()

    def stopping(self) -> bool:
        """Whether the job should give up."""
        return self._stop.is_set()

    def close(self) -> None:
        """Give up what is going on, and wait until it has."""
        self._stop.set()
        self._again.set()
        with self._guard:
            thread = self._thread
        while thread is not None and thread.is_alive() and waited(thread.ident) < PATIENCE:
            if thread is threading.current_thread():
                return
            thread.join(0.05)

    def _run(self) -> None:
        while self._again.is_set() and not self._stop.is_set():
            self._again.clear()
            if self._stop.wait(REST) or self._again.is_set():
                continue
            try:
                self._job()
            except NearsenseError as error:
                log.warning("the index is not up to date, answers still are: %s", error.what)


# -- checks and backups


def verify(store: SQLiteStore) -> Verification:
    """Check the database, then the derived files; make these again where they are damaged."""
    findings: list[str] = []
    damaged: list[str] = []
    lost: dict[str, list[str]] = {}
    documents, generation = 0, None
    try:
        findings += store.integrity()
    except DamagedCollection as error:  # it stops at the first page; what that means for documents is found below
        lost[error.why] = []
    try:
        with store.reading() as reader:
            known, state, generation = reader.ids(), reader.state(), reader.generation()
            for start in range(0, len(known), CHUNK):
                found = _damaged_of(reader, known[start : start + CHUNK])
                documents += len(known[start : start + CHUNK]) - len(found)
                for id_, why in found:
                    lost.setdefault(why, []).append(id_)
        if state.documents != len(known):
            counted = f"{state.documents:,} documents were counted as they came in"
            findings.append(f"{counted}, {len(known):,} are there")
    except DamagedCollection as error:
        return Verification(documents, tuple(_findings(store, findings, {error.why: None})), ())
    findings = _findings(store, findings, lost)
    if generation is not None:
        try:
            require_made_alike(generation, state.facts)
            damaged = Frozen(store.folder / GENERATIONS, generation).verify()
        except DamagedGeneration as error:
            damaged = [error.what]
    if damaged:
        try:
            build(store)
        except NearsenseError as error:
            findings += [f"{each}, and cannot be made again: {error.what}" for each in damaged]
            damaged = []
    return Verification(documents, tuple(findings), tuple(damaged))


def _findings(store: SQLiteStore, findings: list[str], lost: Mapping[str, Sequence[str] | None]) -> list[str]:
    """A line for each cause: what is wrong, and which documents that costs; None where that cannot be told."""
    pages = store.damaged_pages()
    if pages:  # all else that was found about the file follows from that
        findings = [each for each in findings if "were counted" in each]
        lost = lost if set(UNREADABLE) & set(lost) else {UNREADABLE[0]: [], **lost}
    for why, ids in lost.items():
        cause, numbers = why, f"page{'s' * (len(pages) > 1)} {', '.join(map(str, pages))}"
        if why in UNREADABLE and pages:
            cause = f"{numbers} of the database cannot be read: {why}"
        if ids is None:
            findings.append(f"{cause}; which documents that costs cannot be told")
        elif why in UNREADABLE:
            listed = f"document{'s' * (len(ids) > 1)} {', '.join(map(repr, ids))}"
            findings.append(f"{cause}; {listed if ids else 'no document is affected'}")
        else:
            findings += [f"document {each!r}: {why}" for each in ids]
    return findings


def _damaged_of(reader: SQLiteReader, known: Sequence[tuple[int, str]]) -> list[tuple[str, str]]:
    """(id, why) of each document that cannot be read as it was written."""
    try:
        block = reader.block([position for position, _ in known])
        lengths = np.linalg.norm(block.vectors, axis=1)
        if len(lengths) == len(known) and np.all(np.abs(lengths - 1) < 1e-3):
            return []
    except DamagedCollection as error:
        if len(known) == 1:
            return [(known[0][1], error.why)]
    if len(known) == 1:
        return [(known[0][1], "its row is missing, or its vector has no unit length")]
    middle = len(known) // 2
    return [*_damaged_of(reader, known[:middle]), *_damaged_of(reader, known[middle:])]


def backup(store: SQLiteStore, target: Path) -> Path:
    """Copy the authority, check the copy by opening it, and give it its name; the rest can be made from it.

    There is no restore: a backup is a collection. Where it cannot be written, nothing is left behind.
    """
    if os.path.lexists(target):
        raise InputError(
            f"{target} is there already", why="a backup never overwrites", fix="name a folder that does not exist"
        )
    try:
        place = Path(os.path.realpath(target.parent))
        if _within(place, store.folder):
            raise InputError(
                f"{target} lies within the collection",
                why="what lies there is tidied away",
                fix="name a folder elsewhere",
            )
        make_folders(place)
        with Folder(place) as folder:
            _copy(store, folder, target.name)
    except OSError as error:
        if isinstance(error, NearsenseError):
            raise
        raise unwritable(target, error) from None
    return target


def _copy(store: SQLiteStore, folder: Folder, name: str) -> None:
    draft = f"{name}.{secrets.token_hex(4)}.part"
    folder.make(draft, private=True)
    try:
        store.backup(folder.path / draft)
        crash_point("backup.before-rename")
        folder.rename(draft, name)
        folder.sync()
        crash_point("backup.after-rename")
    finally:
        folder.remove(draft)


def _within(place: Path, collection: Path) -> bool:
    """Whether a path leads into a folder, compared by what the system knows of both: links and mounts count."""
    own = {
        _device_and_inode(collection),
        *(_device_and_inode(each) for each in collection.rglob("*") if is_folder(each)),
    } - {None}
    return any(_device_and_inode(each) in own for each in (place, *place.parents))


def _device_and_inode(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from every other; None where it is not there."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
