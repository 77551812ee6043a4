"""Documents in, hits out, kept: what users hold. Whatever keeps them is behind engine.py; searching.py asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._paths import is_url
from nearsense._progress import Progress, tracked
from nearsense.checks import given_once
from nearsense.collection.documents import (
    Checked,
    SyncPlan,
    as_folder,
    checked_documents,
    checked_ids,
    everything,
    sync_plan,
)
from nearsense.collection.engine import Batch, Engine, require_new
from nearsense.collection.exporting import export, require_outside
from nearsense.collection.model import CollectionModel, checked_vectors, recipe
from nearsense.collection.searching import Answering, as_filter
from nearsense.errors import InputError, ModelMismatch
from nearsense.querylog import HASHED, QueryLog, beside, log_table, require_said, said_of
from nearsense.records import Document, Vectors
from nearsense.reports import Info, SyncReport, Verification

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from nearsense.corpus import TextColumn, Texts
    from nearsense.encoders import Encoder
    from nearsense.filters import Where
    from nearsense.querylog import LoggedQuery
    from nearsense.reports import FolderReport, ModelChange, Reembedding

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

    def __init__(
        self,
        engine: Engine,
        path: Path | str,
        reopen: Callable[..., Collection],
        log: QueryLog | None = None,
        **how: bool,
    ) -> None:
        super().__init__(engine, log)
        self.path, self._reopen, self._how = path, reopen, how

    def __reduce__(self) -> tuple[Callable[..., Collection], tuple[Any, ...]]:
        """Pickled, or copied, it is opened again by its path and its options: another handle.

        Raises:
            TypeError: Its model is an Encoder that cannot be pickled, or it is in the memory of this process.
        """
        import pickle

        address = self._engine.address()
        if address is None:
            raise TypeError(f"{self!r} cannot be pickled or copied: it is in the memory of this process alone")
        model, loading = self._engine.model.given()
        try:
            pickle.dumps(model)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise TypeError(
                f"{self!r} cannot be pickled or copied: its Encoder cannot ({error}). "
                "Open it with the model's name or folder, or open it anew where it is needed"
            ) from None
        return self._reopen, (address, model, loading, self._how.get("network", False), said_of(self._log))

    # -- in

    def add(
        self,
        documents: Texts,
        *,
        text: TextColumn = None,
        id: str | None = None,  # noqa: A002 - the column's name
        vectors: Vectors | NDArray[np.float32] | None = None,
        progress: Progress = False,
    ) -> int:
        """Add documents whose ids are new.

        Everything is checked before anything is written. Then batches of 2,048 are encoded and written; each is
        durable when the next begins, and `progress` counts what is.

        Args:
            documents: Documents, or strings, whose ids become their position in the list; a Series, whose index
                are the ids; the path of a file, or a frame with `text`: its other columns become metadata.
            text: The column of a frame or file that holds the texts; of several they are joined.
            id: The column of a frame or file that holds the ids; without it the index of a frame.
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
        return self._put(checked_documents(documents, text, id), vectors, progress, overwrite=False)

    def upsert(
        self,
        documents: Texts,
        *,
        text: TextColumn = None,
        id: str | None = None,  # noqa: A002 - the column's name
        vectors: Vectors | NDArray[np.float32] | None = None,
        progress: Progress = False,
    ) -> int:
        """Add documents; those whose ids are in the collection take the place of the old ones. Else as `add`."""
        return self._put(checked_documents(documents, text, id), vectors, progress, overwrite=True)

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
            return self._engine.delete(checked_ids(ids))
        parsed = as_filter(where)
        if parsed is None:
            raise InputError(
                "the filter lets everything pass",
                why="to delete all documents is more often a mistake than a wish",
                fix="delete them by their ids, or remove the folder",
            )
        return self._engine.delete(where=parsed)

    def sync(
        self,
        source: Texts,
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
            source: A file, or documents, a Series, a frame.
            text: The column of a file or frame with the texts.
            id: The column of a file or frame with the ids; of a frame its index without it.
            skip_empty: Leave out rows without a text.
            format: Of the file, where its name does not tell.
            remove: Delete what the source has no more.
            dry_run: Only say what would happen.
            progress: True for a bar on stderr, or a function called with (done, total).

        Raises:
            InputError: The source is empty, or cannot be read.
        """
        import os

        if isinstance(source, (str, os.PathLike)):
            from nearsense.files import documents, read_table

            table = read_table(source, format=format)
            items = documents(table, text=text, id=id, skip_empty=skip_empty, numbers=True).items
        else:
            items = checked_documents(source, text, id).documents
        todo = sync_plan(checked_documents(items).documents, self._engine.contents())
        removed = todo.removed if remove else []
        report = SyncReport(
            len(todo.added),
            len(todo.changed) + len(todo.relabelled),
            len(removed),
            todo.unchanged,
            len(todo.fresh),
            not dry_run,
        )
        if not dry_run:
            self._apply(todo, removed, progress)
        return report

    def sync_documents(
        self,
        source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        *,
        ignore: Iterable[str] | None = None,
        tokens: int | None = None,
        overlap: int | None = None,
        headings: bool | None = None,
        remove: bool = True,
        dry_run: bool = False,
        progress: Progress = False,
    ) -> FolderReport:
        """Make the collection hold the passages of files: of a folder, of globs, of single files.

        Only files that changed are read, and only passages whose text is new are encoded: not those of a file that
        was moved, nor those behind a paragraph that was put in. Interrupted, it goes on where it was when called
        again. A file that cannot be read is told in the report; what the collection has of it stays.

        Args:
            source: As for `ns.read_documents`; None for what it was the last time.
            ignore: Globs on paths in the folder or on names: left out. None for what it was the last time.
            tokens: The most tokens of a passage; at first 256, or what the model reads where that is less.
            overlap: How many tokens of the passage before it a passage may repeat; at first 0.
            headings: Whether the path of headings is put before each passage; at first it is.
            remove: Delete what the source has no more.
            dry_run: Only say what would happen.
            progress: True for a bar on stderr, or a function called with (done, total).

        Raises:
            FileError: There is nothing to read.
            MissingExtra: Something is of a format whose library is not installed.

        Example:
            >>> import tempfile, pathlib, nearsense as ns
            >>> folder = pathlib.Path(tempfile.mkdtemp())
            >>> _ = (folder / "plants.md").write_text("Water the plants on Mondays.")
            >>> with ns.open(":memory:") as notes:
            ...     print(notes.sync_documents(folder))
            ...     notes.search("When do flowers get water?", k=1)[0].place
            1 added, 0 changed, 0 moved, 0 removed, 0 unchanged; 1 passage, 1 encoded
            'plants.md:1'
        """
        from nearsense.collection.folders import folder_plan

        plan = folder_plan(
            self._engine, source, ignore, tokens, overlap, headings, remove=remove, progress=progress
        )
        if not dry_run:
            facts = self._engine.facts()
            if facts.get("passages") != plan.facts:
                self._engine.set_facts({"passages": plan.facts}, recipe(facts))
            self._apply(plan.todo, plan.removed, progress)
        return plan.report(applied=not dry_run)

    def _apply(self, todo: SyncPlan, removed: list[str], progress: Progress) -> None:
        """Do what a plan says; what goes, goes last: vectors are taken from it."""
        fresh = todo.fresh + self._copy(todo.copied, todo.donors)
        self._put(checked_documents(fresh), None, progress, overwrite=True)
        if removed:
            self.delete(removed)

    def _copy(self, documents: list[Document], donors: Mapping[str, str]) -> list[Document]:
        """Write documents with the vectors of those that have their texts; whose donor has changed comes back."""
        wanted: dict[str, list[Document]] = {}
        for document in documents:
            wanted.setdefault(donors[document.id], []).append(document)
        left: list[Document] = []
        for stored, vectors in self._engine.stored([*wanted]) if wanted else ():
            pairs = [(row, document) for row, old in enumerate(stored) for document in wanted.pop(old.id)]
            left += [document for row, document in pairs if document.text != stored[row].text]
            pairs = [(row, document) for row, document in pairs if document.text == stored[row].text]
            if pairs:
                same = checked_documents(document for _, document in pairs)
                self._put(same, vectors.take([row for row, _ in pairs]), False, overwrite=True)
        return left + [document for each in wanted.values() for document in each]

    # -- about it

    def count(self, where: Where | None = None) -> int:
        """How many documents there are, or how many a filter lets pass."""
        return self._engine.count(as_filter(where))

    def __len__(self) -> int:
        return self.count()

    def documents(self) -> tuple[list[Document], Vectors]:
        """All documents and their vectors, in the order in which they came in; both are held in memory.

        Example:
            >>> import nearsense as ns
            >>> notes = ns.open(":memory:")
            >>> notes.add(["Water the plants.", "Call the bank."])
            2
            >>> documents, vectors = notes.documents()
            >>> documents[0].text, vectors.data.shape
            ('Water the plants.', (2, 384))
        """
        return everything(self._engine)

    def info(self) -> Info:
        """What the collection says of itself: model, index and its recall, fields, size."""
        return self._engine.info()

    def set_log(self, log: bool | str) -> None:
        """Have what is asked of this collection logged from now on, by this handle and by all opened later.

        Args:
            log: True, "hashed" (no words, only their keyed hash), or False: not any more. What was logged stays.

        Raises:
            InputError: The collection is in memory, or `log` is something else.
            StoreError: It may not be written.
        """
        require_said(log)
        facts = self._engine.facts()
        kept = log_of(self._engine, log)
        if log and kept is None:
            fix = 'make it in a folder: ns.open("tickets.nearsense", log=True)'
            raise InputError("a collection in memory keeps no log", why="there is no folder beside which", fix=fix)
        self._engine.set_facts({"log": log or None}, recipe(facts))
        before, self._log = self._log, kept
        if before is not None:
            before.close()

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
        self._engine.build(index, if_needed=if_needed, progress=progress)

    def verify(self) -> Verification:
        """Read everything and check every checksum.

        Returns:
            What was found. Damaged derived files are made again; a damaged database wants a backup.
        """
        return self._engine.verify()

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Write a consistent copy while others read and write. A backup is a collection: open it, or copy it back.

        What was asked is not in it: the query log lies beside the collection, and has an export of its own.

        Args:
            path: A folder that does not exist.

        Raises:
            InputError: It exists, or would lie within a collection.
            DiskFull: It does not fit; nothing is left behind.
        """
        return self._engine.backup(require_outside(as_folder(path)))

    def compact(self, *, progress: Progress = False) -> None:
        """Remove from the disk what was deleted: afterwards its text is in no file of the collection.

        The query log holds no documents, and stays: `log.forget` removes a query.

        Raises:
            StoreError: A reader of another process does not let go of the log.
            DiskFull: The rewriting does not fit; nothing is lost.
        """
        self._engine.compact(progress)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        vectors: bool = True,
        to: str | None = None,
        progress: Progress = False,
    ) -> int:
        """Write all documents as they are now into a file, some at a time; it is there whole or not at all.

        Args:
            path: The file; its extension names the format: jsonl, parquet, npy or faiss, the latter two with the
                ids of their rows beside them. Without vectors also csv, tsv and json.
            vectors: Write them, too.
            to: For whom, where that is another program: "chroma" and "qdrant" (jsonl), "pinecone" (parquet).
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            How many documents were written.

        Raises:
            InputError: It would lie within a collection, where nothing else may lie; nobody is called so.
            FileError: The file cannot be written, or its extension is not known.
        """
        return export(self._engine, path, to, vectors, progress)

    def reembed(
        self,
        encoder: str | Encoder | None = None,
        *,
        precision: str | None = None,
        threads: int | None = None,
        long: str | None = None,
        progress: Progress = False,
        model: str | Encoder | None = None,
    ) -> Reembedding:
        """Go over to another model: encode beside what is in use, compare, then swap in one step.

        Until the swap every search uses the old model; interrupted, it goes on where it was when called again.
        To an adapter of the model in use nothing is encoded: the vectors that are there are mapped, long texts
        read as before. The way back to the parent encodes every text.

        Args:
            encoder: An Encoder, a name or a folder.
            precision: In what arithmetic the model runs, as in `load`.
            threads: Cores to use, as in `load`.
            long: What happens to texts beyond the model's limit; "chunk" reads all of each, also from then on.
            progress: True for a bar on stderr, or a function called with (done, total).
            model: What `encoder` was called before.
        """
        chosen = given_once(encoder, model, "encoder", "model")
        if chosen is None:
            raise InputError("reembed needs a model", fix='reembed("all-mpnet-base-v2"), or an Encoder')
        return self._engine.reembed(self._other(chosen, precision, threads, long), progress)

    def compare_models(
        self,
        encoder: str | Encoder,
        queries: Iterable[str | tuple[str, str | None] | LoggedQuery] | None = None,
        *,
        k: int = 10,
        precision: str | None = None,
        threads: int | None = None,
        long: str | None = None,
        progress: Progress = False,
    ) -> ModelChange:
        """What another model would find for your queries, beside what is found now. Nothing is changed.

        Every document is compared with every query under both. Under an adapter of the model in use, vectors are
        mapped; else texts are encoded, and a `reembed` that follows finds them in the embedding cache.

        Args:
            encoder: An Encoder, a name or a folder.
            queries: Texts, (text, id of the document that is right), or entries of a query log; None for the
                collection's own log. The latest 1,000 different ones are taken, without filters.
            k: How many hits are compared.
            precision: In what arithmetic the model runs, as in `load`.
            threads: Cores to use, as in `load`.
            long: What happens to texts beyond the model's limit, as in `reembed`.
            progress: True for a bar on stderr, or a function called with (done, total) documents.

        Raises:
            InputError: There are no queries.

        Example:
            >>> import nearsense as ns
            >>> with ns.open(":memory:") as notes:
            ...     notes.add(["Water the plants.", "Call the bank."])
            ...     notes.compare_models("all-MiniLM-L6-v2", ["phone"], k=1).overlap
            2
            1.0
        """
        from nearsense.collection.comparing import compare_models, read_queries

        asked = read_queries(queries, self.log)
        return compare_models(self._engine, self._other(encoder, precision, threads, long), asked, k, progress)

    def _other(
        self, encoder: str | Encoder, precision: str | None, threads: int | None, long: str | None
    ) -> CollectionModel:
        """Another model as it would read what is here."""
        facts = self._engine.facts()
        how = {"precision": precision, "threads": threads, "long": long}
        new = CollectionModel(encoder, self._engine.name, role=facts["role"], **how)
        new.keep_reading_as(facts)
        return new

    def close(self) -> None:
        """Give everything back; a build that is going on is given up. What was asked is in the log then."""
        if self._log is not None:
            self._log.close()
        self._engine.close()

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
        documents, (model, facts) = checked.documents, self._engine.bound()
        if vectors is None:
            rows = model.encode_documents(documents, facts, size=BATCH)
        else:
            given = checked_vectors(vectors, facts, len(documents), lambda row: f"document {documents[row].id!r}")
            rows = (given.take(range(len(given))[at : at + BATCH]) for at in range(0, len(given), BATCH))
        if not overwrite:
            require_new(
                documents, self._engine.documents([document.id for document in documents]), self._engine.name
            )
        kept = 0
        with tracked(len(documents), "documents", progress) as update:

            def durable(done: int) -> None:
                nonlocal kept
                update(done)
                kept = done

            try:
                self._engine.write(_batches(checked, rows, durable), facts, replace=overwrite)
            except ModelMismatch:
                current, facts = self._engine.bound()
                if vectors is not None or current is model:
                    raise
                rest = Checked(documents[kept:], checked.metadata[kept:])  # this handle went over to another model
                rows, first = current.encode_documents(rest.documents, facts, size=BATCH), kept
                batches = _batches(rest, rows, lambda done: update(first + done))
                self._engine.write(batches, facts, replace=overwrite)
        return len(documents)


def _batches(checked: Checked, vectors: Iterable[Vectors], update: Callable[[int], None]) -> Iterator[Batch]:
    """Documents in batches with their vectors; a batch is durable when the next one is asked for."""
    done = 0
    for rows in vectors:
        part = slice(done, done + len(rows))
        yield Batch(checked.documents[part], checked.metadata[part], rows)
        update(done := part.stop)


def log_of(engine: Engine, said: bool | str | None) -> QueryLog | None:
    """The log of a collection, where one is to be kept; a collection in memory has none."""
    address = engine.address()
    if not said or address is None:
        return None

    def texts(ids: Sequence[str]) -> dict[str, str]:
        return {id_: document.text for id_, document in engine.documents(ids).items()}

    place = log_table(address) if is_url(address) else beside(Path(address))
    hashed = said == HASHED
    return QueryLog(place, hashed=hashed, encoder=lambda: engine.model.encoder, texts=texts, named=False)
