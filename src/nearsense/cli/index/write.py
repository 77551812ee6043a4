"""index create, add, sync, delete: what is in a collection."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import click

from nearsense._paths import exists, is_url
from nearsense.cli.index import build_if_due, command_line, index, interruptible, number
from nearsense.cli.inputs import Corpus, read_corpus
from nearsense.cli.options import (
    CollectionOptions,
    DocumentOptions,
    ModelOptions,
    OutputOptions,
    PassageOptions,
    collection_argument,
    network_option,
    takes,
)
from nearsense.cli.outputs import require_outside, say
from nearsense.errors import FileError, InputError, ModelMismatch

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.reports import FolderReport


@index.command()
@collection_argument
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option(
    "--role",
    type=click.Choice(["passage", "query"]),
    default="passage",
    show_default=True,
    help="What its texts are: answers to what will be asked, or questions like it.",
)
@click.option("--index", "kind", metavar="KIND", help="Kind of index.  [default: what suits the size]")
@takes(reading=DocumentOptions, passages=PassageOptions, model=ModelOptions)
@network_option
def create(
    collection: str,
    files: tuple[str, ...],
    role: str,
    kind: str | None,
    reading: DocumentOptions,
    passages: PassageOptions,
    model: ModelOptions,
    network: bool,
) -> None:
    """Make COLLECTION, a folder or an address, and fill it with the texts of FILE, or the passages of documents.

    FILE is a table with a text a row; or a folder, or several files: md, txt, rst, html, pdf, docx, pptx, epub,
    eml, ipynb, source code. Those are split into passages, and found by them.

    \b
    Examples:
      nearsense index create tickets.nearsense tickets.csv
      nearsense index create notes.nearsense ~/notes --ignore 'drafts/*'
      nearsense index create notes.nearsense --model ./my-model
      nearsense index create 'postgresql://db.example/shop' tickets.csv
    """
    from nearsense.collection import open_collection
    from nearsense.index import parse_kind
    from nearsense.store import is_made

    if is_made(collection):
        name, source = shlex.quote(collection), shlex.join(files or ["FILE"])
        why = "create never changes a collection; add puts documents into it, sync follows a file or a folder"
        raise InputError(f"{collection} is there already", why=why, fix=f"nearsense index add {name} {source}")
    require_outside("COLLECTION", collection)
    if kind not in (None, "auto"):
        parse_kind(str(kind))
    again = command_line(["sync", collection, *(files or ["FILE"])], reading, passages)
    documents = passages.meant(files)
    if documents:
        require_documents(files, passages)
    corpus = read_corpus(files[0], reading, texts=True, numbers=True) if files and not documents else None
    report, new = None, is_url(collection) or not exists(collection)
    with (
        open_collection(collection, model.model, role=role, network=network, **model.loading()) as made,
        interruptible(made, again),
    ):
        if documents:
            report = made.sync_documents(files, progress=model.progress, **passages.splitting())
        if corpus is not None:
            _add(made, corpus, model.progress)
        if kind is not None:
            made.build(index=kind, progress=model.progress)
        else:
            build_if_due(made, model.progress)
    if report is None:
        say(collection, f"made, {number(0 if corpus is None else len(corpus.documents))}")
        return
    if not report.passages:
        if new:
            _unmake(collection)
        why = next(iter(report.unread), "without text")
        what, fix = f"no document of {shlex.join(files)} has a text that can be read", "name others"
        raise FileError(what, why=why, fix=fix)
    tell_of_files(report)
    say(collection, f"made, {passages_of(report)}")


@index.command()
@collection_argument
@click.argument("file")
@click.option("--upsert", is_flag=True, help="Documents whose ids are in it take the place of the old ones.")
@takes(reading=DocumentOptions, model=CollectionOptions)
@network_option
def add(
    collection: str, file: str, upsert: bool, reading: DocumentOptions, model: CollectionOptions, network: bool
) -> None:
    """Add the texts of FILE to COLLECTION.

    FILE may be - for standard input. Vectors that `nearsense encode` stored in it are used where they are of the
    collection's model.

    \b
    Examples:
      nearsense index add tickets.nearsense new.csv
      nearsense index add tickets.nearsense vectors.parquet --upsert
    """
    from nearsense.collection import open_collection
    from nearsense.documents.formats import is_table
    from nearsense.store import is_collection

    if reading.format is None and not (is_table(file) or is_collection(file)):
        name, source = shlex.quote(collection), shlex.quote(file)
        fix = f"nearsense index sync {name} {source} --keep"
        raise InputError(f"{file} is no table of texts", why="documents are followed, not added", fix=fix)
    again = command_line(["sync", collection, file, "--keep"], reading)
    with open_collection(collection, model.model, create=False, network=network, **model.loading()) as there:
        corpus = read_corpus(file, reading, texts=True, numbers=True)
        with interruptible(there, again):
            _add(there, corpus, model.progress, upsert=upsert)
            build_if_due(there, model.progress)
        done = "put" if upsert else "added"
        say(collection, f"{number(len(corpus.documents))} {done}, {there.count():,} in it")


@index.command()
@collection_argument
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--keep", is_flag=True, help="Keep documents that FILE does not have.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@takes(reading=DocumentOptions, passages=PassageOptions, model=CollectionOptions)
@network_option
@takes(output=OutputOptions)
def sync(
    collection: str,
    files: tuple[str, ...],
    keep: bool,
    dry_run: bool,
    reading: DocumentOptions,
    passages: PassageOptions,
    model: CollectionOptions,
    network: bool,
    output: OutputOptions,
) -> None:
    """Make COLLECTION hold what FILE holds; only what changed is encoded.

    Documents are matched by id and compared by content. What FILE does not have is removed. Of a folder only files
    that changed are read, and files that were moved cost nothing; without FILE it is the folder of the last time.

    \b
    Examples:
      nearsense index sync tickets.nearsense tickets.csv --dry-run
      nearsense index sync tickets.nearsense today.csv --keep
      nearsense index sync notes.nearsense
    """
    from nearsense.collection import open_collection
    from nearsense.render.results import sync_page

    again = command_line(["sync", collection, *files, *(["--keep"] if keep else [])], reading, passages)
    with open_collection(collection, model.model, create=False, network=network, **model.loading()) as there:
        if not files or passages.meant(files):
            with interruptible(there, again):
                report = there.sync_documents(
                    files or None,
                    remove=not keep,
                    dry_run=dry_run,
                    progress=model.progress,
                    **passages.splitting(),
                )
                if not dry_run:
                    build_if_due(there, model.progress)
            tell_of_files(report)
            output.show(sync_page(report))
            return
        documents = read_corpus(files[0], reading, texts=True, numbers=True).documents
        with interruptible(there, again):
            done = there.sync(documents, remove=not keep, dry_run=dry_run, progress=model.progress)
            if not dry_run:
                build_if_due(there, model.progress)
        output.show(sync_page(done))


@index.command()
@collection_argument
@click.argument("ids", nargs=-1)
@click.option(
    "--where",
    multiple=True,
    metavar="FILTER",
    help="All documents whose metadata fit: lang=en, 'year<2020', or JSON. Several: those that fit all.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many it would be.")
@network_option
def delete(collection: str, ids: tuple[str, ...], where: tuple[str, ...], dry_run: bool, network: bool) -> None:
    """Delete documents of COLLECTION by their ids, or all that a filter lets pass.

    No search finds them any more; `nearsense index compact` removes their text from the disk.

    \b
    Examples:
      nearsense index delete tickets.nearsense T-17 T-18
      nearsense index delete tickets.nearsense --where status=solved --dry-run
    """
    from nearsense.collection import open_collection
    from nearsense.filters import parse_where

    if bool(ids) == bool(where):
        raise click.UsageError("give ids or --where FILTER, one of them")
    with open_collection(collection, create=False, network=network) as there:
        chosen = parse_where(where) if where else None
        known = {document.id for document in there.get(ids) if document is not None}
        if unknown := [id_ for id_ in dict.fromkeys(ids) if id_ not in known]:
            more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
            sys.stderr.write(f"not in it: {', '.join(unknown[:5])}{more}\n")
        if dry_run:
            gone = there.count(chosen) if where else len(known)
        else:
            gone = there.delete(where=chosen) if where else there.delete(ids)
        done = "would be deleted" if dry_run else "deleted"
        say(collection, f"{number(gone)} {done}, {there.count():,} in it")


def require_documents(files: tuple[str, ...], passages: PassageOptions) -> None:
    """Refuse a folder without a document before a collection is made of it."""
    from nearsense.documents.folder import find_files

    find_files(files, passages.ignore)


def tell_of_files(report: FolderReport) -> None:
    """Which files were left out, and why: a line each, the first few."""
    for line in report.unread[:FEW]:
        sys.stderr.write(f"not read: {line}\n")
    if len(report.unread) > FEW:
        sys.stderr.write(f"not read: {len(report.unread) - FEW:,} more files; --json names all\n")
    if report.empty:
        sys.stderr.write(f"without text: {', '.join(report.empty[:FEW])}{', ...' * (len(report.empty) > FEW)}\n")
    if report.others:
        kinds = "1 file of another kind" if report.others == 1 else f"{report.others:,} files of other kinds"
        sys.stderr.write(f"left out: {kinds}\n")


def passages_of(report: FolderReport) -> str:
    """So many passages, in words."""
    passages = f"{report.passages:,} passage{'' if report.passages == 1 else 's'}"
    return f"{passages} of {number(report.added + report.moved)}"


def _unmake(collection: str) -> None:
    """Take away what was just made."""
    if not is_url(collection):
        shutil.rmtree(collection)
        return
    from nearsense.store.postgres import remove

    remove(collection)


FEW = 10
"""Files that are named one by one."""


def _add(collection: Collection, corpus: Corpus, progress: bool, *, upsert: bool = False) -> None:
    """Add with the stored vectors where they are of the collection's model; else the texts are encoded."""
    put = collection.upsert if upsert else collection.add
    if corpus.stored is not None:
        try:
            put(corpus.documents, vectors=corpus.stored, progress=progress)
        except ModelMismatch:
            sys.stderr.write(
                f"the vectors in the file are of {corpus.stored.model}: its texts are encoded again\n"
            )
        else:
            return
    put(corpus.documents, progress=progress)
