"""Documents in, hits out, kept on a disk. The parts are joined here; each does its work in a room of its own.

checks.py     what may go in            segments.py   the frozen part and the tail
sync.py       what has to change        snapshot.py   one commit, ready to be searched
derive.py     the derived files         retrieve.py   the nearest, by meaning and by words
background.py when they are made        reembed.py    another model
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.collection.answering import Answering
from nearsense.collection.answers import filtered
from nearsense.collection.binding import Binding, read_as
from nearsense.collection.checks import Checked, checked_documents, checked_ids, checked_vectors
from nearsense.collection.derive import derive
from nearsense.collection.describe import describe
from nearsense.collection.live import Live
from nearsense.errors import InputError
from nearsense.records import Document, Vectors
from nearsense.reports import Info, SyncReport, Verification

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.filters import Where
    from nearsense.reports import Reembedding
    from nearsense.store import Reader

__all__ = ["Collection"]

BATCH = 2048
"""Documents that are written together: all of them are kept, or none."""


class Collection(Answering):
    """Documents that last, found by meaning, by words, or both. Safe to use from several threads and processes.

    Made by `ns.open`; a pickle or a copy of it is opened anew. What a call has returned from survives a power
    cut; a search sees everything that was added before it began, and nothing that was deleted.

    Example:
        >>> import tempfile, nearsense as ns
        >>> with ns.open(tempfile.mkdtemp() + "/faq.nearsense") as faq:
        ...     faq.add([ns.Document("1", "Reset your password here.", {"lang": "en"}),
        ...              ns.Document("2", "We ship within two days.", {"lang": "en"})])
        ...     faq.search("I forgot my login", k=1)[0].id
        2
        '1'
    """

    def __init__(self, path: str | os.PathLike[str], binding: Binding, **how: bool) -> None:
        self.path, self._how = _folder(path), how
        self._live = Live(self.path, binding, **how)

    def __reduce__(self) -> tuple[Callable[..., Collection], tuple[Any, ...]]:
        """Pickled, or copied, it is opened again by its path and its options: another handle.

        Raises:
            TypeError: Its model is an Encoder that cannot be pickled.
        """
        import pickle

        model, loading = self._live.binding.given()
        try:
            pickle.dumps(model)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise TypeError(
                f"{self!r} cannot be pickled or copied: its Encoder cannot ({error}). "
                "Open it with the model's name or folder, or open it anew where it is needed"
            ) from None
        return _opened_again, (str(self._live.store.folder), model, loading, self._how.get("network", False))

    # -- in

    def add(
        self,
        documents: Iterable[str | Document],
        *,
        vectors: Vectors | NDArray[np.float32] | None = None,
        progress: Progress = False,
    ) -> int:
        """Add documents whose ids are new.

        Everything is checked before anything is written. Then batches of 2,048 are encoded and written; each is
        durable when the next begins, and `progress` counts what is.

        Args:
            documents: Documents, or strings, whose ids become their position in the list.
            vectors: Their vectors, where they are known: shape (n, d). A plain array is taken as made by the
                collection's model.
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            How many were added.

        Raises:
            InputError: A document cannot be kept, an id occurs twice or is in the collection. It is named.
            ModelMismatch: Another model made the vectors.
            DiskFull: A batch did not fit; the batches before it are kept.
        """
        return self._put(checked_documents(documents), vectors, progress, overwrite=False)

    def upsert(
        self,
        documents: Iterable[str | Document],
        *,
        vectors: Vectors | NDArray[np.float32] | None = None,
        progress: Progress = False,
    ) -> int:
        """Add documents; those whose ids are in the collection take the place of the old ones. Else as `add`."""
        return self._put(checked_documents(documents), vectors, progress, overwrite=True)

    def delete(self, ids: str | Iterable[str] | None = None, *, where: Where | None = None) -> int:
        """Delete documents by their ids, or all that a filter lets pass.

        Args:
            ids: Ids; unknown ones are no error.
            where: A filter, as in `search`.

        Returns:
            How many were deleted. No search finds them any more; `compact` removes their text from the disk.

        Raises:
            InputError: Neither or both were given, or the filter is not well formed.
        """
        if (ids is None) == (where is None):
            raise InputError(
                "delete needs ids or a filter, one of them",
                fix='delete(["7"]) or delete(where={"year": {"<": 2020}})',
            )
        if ids is not None:
            wanted = checked_ids(ids)
            with self._live.changing() as writer:
                gone = sorted(writer.positions(wanted).values())
                writer.remove(gone)
            self._live.settle()
            return len(gone)
        return self._live.healed(lambda: self._delete_where(where))

    def sync(
        self,
        source: str | os.PathLike[str] | Iterable[str | Document],
        *,
        text: str | None = None,
        id: str | None = None,  # noqa: A002 - as in files.documents
        skip_empty: bool = False,
        format: str | None = None,  # noqa: A002 - as in files.read_table
        remove: bool = True,
        dry_run: bool = False,
        progress: Progress = False,
    ) -> SyncReport:
        """Make the collection hold what a source holds: only what changed is encoded.

        Documents are matched by id and compared by content. Interrupted, it goes on where it was when called
        again.

        Args:
            source: A file, or documents.
            text: The file's column with the texts.
            id: The file's column with the ids.
            skip_empty: Leave out rows without a text.
            format: Of the file, where its name does not tell.
            remove: Delete what the source has no more.
            dry_run: Only say what would happen.
            progress: True for a bar on stderr, or a function called with (done, total).

        Raises:
            InputError: The source is empty, or cannot be read.
        """
        from nearsense.collection.sync import plan

        wanted = checked_documents(_documents_of(source, text, id, skip_empty, format)).documents
        with self._live.store.reading() as reader:
            todo = plan(wanted, reader.contents())
            removed = todo.removed if remove else []
            kept = [position for _, position in todo.relabelled]
            facts = reader.state().facts
            vectors = Vectors(
                reader.vectors(kept if not dry_run else []).reshape(-1, facts["dimension"]),
                facts["fingerprint"],
                reader.truncated_at(kept if not dry_run else []),
                facts["model"],
                read_as(facts),
            )
        fresh = [*todo.added, *todo.changed]
        report = SyncReport(
            len(todo.added),
            len(todo.changed) + len(todo.relabelled),
            len(removed),
            todo.unchanged,
            len(fresh),
            not dry_run,
        )
        if dry_run:
            return report
        if len(vectors):
            self._put(
                checked_documents(document for document, _ in todo.relabelled), vectors, False, overwrite=True
            )
        self._put(checked_documents(fresh), None, progress, overwrite=True)
        if removed:
            self.delete(removed)
        return report

    # -- about it

    def count(self, where: Where | None = None) -> int:
        """How many documents there are, or how many a filter lets pass."""
        if where is None:
            with self._live.store.reading() as reader:
                return reader.state().documents
        return self._live.healed(lambda: self._count_where(where))

    def __len__(self) -> int:
        return self.count()

    def info(self) -> Info:
        """What the collection says of itself: model, index and its recall, fields, size."""
        return self._live.healed(lambda: describe(self._live))

    # -- upkeep

    def build(self, *, index: str | None = None, if_needed: bool = False, progress: Progress = False) -> None:
        """Make the derived files now: searching needs nothing but reading them. Else it happens in the background.

        Args:
            index: The kind of index from now on; "auto" for what suits the size. None leaves it as it is.
            if_needed: Only where so much changed that it would happen anyway.
            progress: True for a bar on stderr, or a function called with (done, total).

        Raises:
            InputError: There is no such kind.
            DiskFull: They do not fit; answers stay right, and are slower.
        """
        if index is not None:
            from nearsense.index import parse_kind

            chosen = None if index == "auto" else parse_kind(index)
            with self._live.changing() as writer:
                writer.set_facts({"index": chosen})
        if not if_needed or self._live.overdue():
            derive(self._live.store, progress=progress)

    def verify(self) -> Verification:
        """Read everything and check every checksum.

        Returns:
            What was found. Damaged derived files are made again; a damaged database wants a backup.
        """
        from nearsense.collection.verify import verify

        return verify(self._live.store, self._live.generations, lambda: derive(self._live.store))

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Write a consistent copy while others read and write. A backup is a collection: open it, or copy it back.

        Args:
            path: A folder that does not exist.

        Raises:
            InputError: It exists.
            DiskFull: It does not fit; nothing is left behind.
        """
        from nearsense.collection.backup import backup

        return backup(self._live.store, _folder(path))

    def compact(self, *, progress: Progress = False) -> None:
        """Remove from the disk what was deleted: afterwards its text is in no file of the collection.

        Raises:
            StoreError: A reader of another process does not let go of the log.
            DiskFull: The rewriting does not fit; nothing is lost.
        """
        derive(self._live.store, progress=progress)
        self._live.store.vacuum()

    def export(self, path: str | os.PathLike[str], *, vectors: bool = True) -> int:
        """Write all documents into a file: jsonl, parquet or npy with vectors, or a faiss index.

        Args:
            path: The file; its extension names the format. Without vectors also csv, tsv and json.
            vectors: Write them, too.

        Returns:
            How many documents were written.

        Raises:
            FileError: The file cannot be written, or its extension is not known.
        """
        from nearsense.collection.export import export

        with self._live.store.reading() as reader:
            return export(reader, Path(path), vectors=vectors)

    def reembed(
        self,
        model: str | Encoder,
        *,
        precision: str | None = None,
        threads: int | None = None,
        long: str | None = None,
        progress: Progress = False,
    ) -> Reembedding:
        """Go over to another model: encode beside what is in use, compare, then swap in one step.

        Until the swap every search uses the old model; interrupted, it goes on where it was when called again.

        Args:
            model: An Encoder, a name or a folder.
            precision: In what arithmetic the model runs, as in `load`.
            threads: Cores to use, as in `load`.
            long: What happens to texts beyond the model's limit; "chunk" reads all of each, also from then on.
            progress: True for a bar on stderr, or a function called with (done, total).
        """
        from nearsense.collection.reembed import reembed

        how = {"precision": precision, "threads": threads, "long": long}
        return reembed(self._live, Binding(model, role=self._live.facts()["role"], **how), progress)

    def close(self) -> None:
        """Give everything back; a build that is going on is given up."""
        self._live.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r})"

    # -- inside

    def _put(
        self,
        checked: Checked,
        vectors: Vectors | NDArray[np.float32] | None,
        progress: Progress,
        *,
        overwrite: bool,
    ) -> int:
        documents, (binding, facts) = checked.documents, self._live.bound()
        if vectors is not None:
            vectors = checked_vectors(vectors, facts, len(documents), _named(documents))
        if not overwrite:
            with self._live.store.reading() as reader:
                self._require_new(reader, documents)
        parts = (
            binding.encode_documents(documents, role=facts["role"], size=BATCH)
            if vectors is None
            else (
                vectors.take(range(start, min(start + BATCH, len(documents))))
                for start in range(0, len(documents), BATCH)
            )
        )
        start = 0
        with tracked(len(documents), "documents", progress) as update:
            for rows in parts:
                part, fields = documents[start : start + BATCH], checked.metadata[start : start + BATCH]
                rows = checked_vectors(rows, facts, len(part), _named(part))
                with self._live.changing(facts) as writer:
                    if overwrite:
                        writer.remove(sorted(writer.positions(document.id for document in part).values()))
                    else:
                        self._require_new(writer, part)
                    writer.insert(part, rows.data, rows.truncated, fields)
                update(start := start + len(part))
        self._live.settle()
        return len(documents)

    def _require_new(self, reader: Reader, documents: Sequence[Document]) -> None:
        taken = reader.positions(document.id for document in documents)
        if taken:
            id_ = next(document.id for document in documents if document.id in taken)
            more = f", and {len(taken) - 1:,} more" if len(taken) > 1 else ""
            raise InputError(
                f"the document {id_!r} is in {self.path} already{more}",
                why="add never replaces",
                fix="use upsert to replace documents, or sync to follow a source",
            )

    def _delete_where(self, where: Where | None) -> int:
        with self._live.changing() as writer:
            snapshot = self._live.seen_by(writer)
            parsed = filtered(where, snapshot)
            if parsed is None:
                raise InputError(
                    "the filter lets everything pass",
                    why="to delete all documents is more often a mistake than a wish",
                    fix="delete them by their ids, or remove the folder",
                )
            gone = snapshot.positions(parsed).tolist()
            writer.remove(gone)
        self._live.settle()
        return len(gone)

    def _count_where(self, where: Where | None) -> int:
        with self._live.seen() as (_, snapshot):
            return len(snapshot.positions(filtered(where, snapshot)))


def _folder(path: str | os.PathLike[str]) -> Path:
    try:
        folder = Path(path)
        with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            folder.stat()
    except (TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{path!r} is no path of a folder", why=str(error), fix='ns.open("tickets.nearsense")'
        ) from None
    return folder


def _opened_again(path: str, model: Encoder | str | None, loading: dict[str, Any], network: bool) -> Collection:
    """A collection as it was when it was pickled."""
    return Collection(path, Binding(model, role="passage", **loading), create=False, network=network)


def _named(documents: Sequence[Document]) -> Callable[[int], str]:
    return lambda row: f"document {documents[row].id!r}"


def _documents_of(
    source: str | os.PathLike[str] | Iterable[str | Document],
    text: str | None,
    id_: str | None,
    skip_empty: bool,
    format_: str | None,
) -> Iterable[str | Document]:
    """What a sync is given, as documents: a path is read."""
    import os

    if not isinstance(source, (str, os.PathLike)):
        return source
    from nearsense.files import documents, read_table

    return documents(
        read_table(source, format=format_), text=text, id=id_, skip_empty=skip_empty, numbers=True
    ).items
