"""index create, add, sync, delete: what is in a collection."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense.cli.index import build_if_due, command_line, index, interruptible, number
from nearsense.cli.inputs import Corpus, read_corpus
from nearsense.cli.options import (
    CollectionOptions,
    DocumentOptions,
    ModelOptions,
    OutputOptions,
    collection_argument,
    network_option,
    takes,
)
from nearsense.cli.outputs import require_outside, say
from nearsense.errors import InputError, ModelMismatch

if TYPE_CHECKING:
    from nearsense.collection import Collection


@index.command()
@collection_argument
@click.argument("file", required=False)
@click.option(
    "--role",
    type=click.Choice(["passage", "query"]),
    default="passage",
    show_default=True,
    help="What its texts are: answers to what will be asked, or questions like it.",
)
@click.option("--index", "kind", metavar="KIND", help="Kind of index.  [default: what suits the size]")
@takes(reading=DocumentOptions, model=ModelOptions)
@network_option
def create(
    collection: str,
    file: str | None,
    role: str,
    kind: str | None,
    reading: DocumentOptions,
    model: ModelOptions,
    network: bool,
) -> None:
    """Make COLLECTION, a folder, and fill it with the texts of FILE.

    \b
    Examples:
      nearsense index create tickets.nearsense tickets.csv
      nearsense index create notes.nearsense --model ./my-model
    """
    from nearsense.collection import open_collection
    from nearsense.index import parse_kind
    from nearsense.store import is_collection

    if is_collection(Path(collection)):
        name, source = shlex.quote(collection), shlex.quote(file or "FILE")
        fix = f"nearsense index add {name} {source}, or sync to follow a file"
        raise InputError(f"{collection} is there already", why="create never changes a collection", fix=fix)
    require_outside("COLLECTION", collection)
    if kind not in (None, "auto"):
        parse_kind(str(kind))
    again = command_line(["sync", collection, file or "FILE"], reading)
    corpus = read_corpus(file, reading, texts=True, numbers=True) if file else None
    with open_collection(collection, model.model, role=role, network=network, **model.loading()) as made:
        with interruptible(made, f"{again} goes on from there"):
            if corpus is not None:
                _add(made, corpus, model.progress)
            if kind is not None:
                made.build(index=kind, progress=model.progress)
            else:
                build_if_due(made, model.progress)
        say(collection, f"made, {number(0 if corpus is None else len(corpus.documents))}")


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

    again = command_line(["sync", collection, file, "--keep"], reading)
    with open_collection(collection, model.model, create=False, network=network, **model.loading()) as there:
        corpus = read_corpus(file, reading, texts=True, numbers=True)
        with interruptible(there, f"{again} goes on from there"):
            _add(there, corpus, model.progress, upsert=upsert)
            build_if_due(there, model.progress)
        done = "put" if upsert else "added"
        say(collection, f"{number(len(corpus.documents))} {done}, {there.count():,} in it")


@index.command()
@collection_argument
@click.argument("file")
@click.option("--keep", is_flag=True, help="Keep documents that FILE does not have.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@takes(reading=DocumentOptions, model=CollectionOptions)
@network_option
@takes(output=OutputOptions)
def sync(
    collection: str,
    file: str,
    keep: bool,
    dry_run: bool,
    reading: DocumentOptions,
    model: CollectionOptions,
    network: bool,
    output: OutputOptions,
) -> None:
    """Make COLLECTION hold what FILE holds; only what changed is encoded.

    Documents are matched by id and compared by content. What FILE does not have is removed.

    \b
    Examples:
      nearsense index sync tickets.nearsense tickets.csv --dry-run
      nearsense index sync tickets.nearsense today.csv --keep
    """
    from nearsense.collection import open_collection
    from nearsense.render.results import sync_page

    again = command_line(["sync", collection, file, *(["--keep"] if keep else [])], reading)
    with open_collection(collection, model.model, create=False, network=network, **model.loading()) as there:
        documents = read_corpus(file, reading, texts=True, numbers=True).documents
        with interruptible(there, f"{again} goes on from there"):
            report = there.sync(documents, remove=not keep, dry_run=dry_run, progress=model.progress)
            if not dry_run:
                build_if_due(there, model.progress)
        output.show(sync_page(report))


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
