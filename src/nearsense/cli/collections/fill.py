"""create, add, sync, delete: what is in a collection."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import (
    collection_options,
    document_options,
    form_of,
    model_options,
    network_option,
    output_options,
)

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.records import Document, Vectors

__all__ = ["COMMANDS"]


@click.command()
@click.argument("collection")
@click.argument("file", required=False)
@click.option(
    "--role",
    type=click.Choice(["passage", "query"]),
    default="passage",
    show_default=True,
    help="What its texts are: answers to what will be asked, or questions like it.",
)
@click.option("--index", "kind", metavar="KIND", help="Kind of index.  [default: what suits the size]")
@document_options
@model_options
@network_option
def create(collection: str, file: str | None, role: str, kind: str | None, quiet: bool, **options: Any) -> None:
    """Make COLLECTION, a folder, and fill it with the texts of FILE.

    \b
    Examples:
      nearsense index create tickets.nearsense tickets.csv
      nearsense index create notes.nearsense --model ./my-model
    """
    from nearsense.cli.collections.opening import given, goes_on, number, opened, say, settle, typed
    from nearsense.errors import InputError
    from nearsense.store import is_collection

    if is_collection(Path(collection)):
        name, source = shlex.quote(collection), shlex.quote(file or "FILE")
        raise InputError(
            f"{collection} is there already",
            why="create never changes a collection",
            fix=f"nearsense index add {name} {source}, or sync to follow a file",
        )
    if kind is not None:
        _require_kind(kind)
    again = typed(["sync", collection, file or "FILE"], options)
    documents, vectors = given(file, options) if file else ([], None)
    with opened(collection, options, create=True, role=role) as made:
        with goes_on(made, f"{again} goes on from there"):
            _add(made, documents, vectors, quiet=quiet)
            if kind is not None:
                made.build(index=kind, progress=not quiet)
            else:
                settle(made, quiet)
        say(collection, f"made, {number(len(documents))}")


@click.command()
@click.argument("collection")
@click.argument("file")
@click.option("--upsert", is_flag=True, help="Documents whose ids are in it take the place of the old ones.")
@document_options
@collection_options
def add(collection: str, file: str, upsert: bool, quiet: bool, **options: Any) -> None:
    """Add the texts of FILE to COLLECTION.

    FILE may be - for standard input. Vectors that `nearsense encode` stored in it are used where they are of the
    collection's model.

    \b
    Examples:
      nearsense index add tickets.nearsense new.csv
      nearsense index add tickets.nearsense vectors.parquet --upsert
    """
    from nearsense.cli.collections.opening import given, goes_on, number, opened, say, settle, typed

    again = typed(["sync", collection, file, "--keep"], options)
    with opened(collection, options) as there:
        documents, vectors = given(file, options)
        with goes_on(there, f"{again} goes on from there"):
            _add(there, documents, vectors, quiet=quiet, upsert=upsert)
            settle(there, quiet)
        say(collection, f"{number(len(documents))} {'put' if upsert else 'added'}, {there.count():,} in it")


@click.command()
@click.argument("collection")
@click.argument("file")
@click.option("--keep", is_flag=True, help="Keep documents that FILE does not have.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@document_options
@collection_options
@output_options
def sync(
    collection: str, file: str, keep: bool, dry_run: bool, form: str | None, quiet: bool, **options: Any
) -> None:
    """Make COLLECTION hold what FILE holds; only what changed is encoded.

    Documents are matched by id and compared by content. What FILE does not have is removed.

    \b
    Examples:
      nearsense index sync tickets.nearsense tickets.csv --dry-run
      nearsense index sync tickets.nearsense today.csv --keep
    """
    from nearsense.cli.collections.opening import given, goes_on, opened, settle, typed
    from nearsense.render import show, sync_page

    again = typed(["sync", collection, file, *(["--keep"] if keep else [])], options)
    with opened(collection, options) as there:
        documents, _ = given(file, options)
        with goes_on(there, f"{again} goes on from there"):
            report = there.sync(documents, remove=not keep, dry_run=dry_run, progress=not quiet)
            if not dry_run:
                settle(there, quiet)
        show(sync_page(report), form_of(form))


@click.command()
@click.argument("collection")
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
    from nearsense.cli.collections.opening import number, opened, say
    from nearsense.filters import parse_where

    if bool(ids) == bool(where):
        raise click.UsageError("give ids or --where FILTER, one of them")
    with opened(collection, {"network": network}) as there:
        chosen = parse_where(where) if where else None
        known = {document.id for document in there.get(ids) if document is not None}
        if unknown := [id_ for id_ in dict.fromkeys(ids) if id_ not in known]:
            more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
            sys.stderr.write(f"not in it: {', '.join(unknown[:5])}{more}\n")
        if dry_run:
            gone = there.count(chosen) if where else len(known)
        else:
            gone = there.delete(where=chosen) if where else there.delete(ids)
        say(collection, f"{number(gone)} {_DELETED[dry_run]}, {there.count():,} in it")


COMMANDS = (create, add, sync, delete)

_DELETED = {True: "would be deleted", False: "deleted"}


def _add(
    collection: Collection,
    documents: list[Document],
    vectors: Vectors | None,
    *,
    quiet: bool,
    upsert: bool = False,
) -> None:
    """Add with the stored vectors where they are of the collection's model; else the texts are encoded."""
    from nearsense.errors import ModelMismatch

    put = collection.upsert if upsert else collection.add
    if vectors is not None:
        try:
            put(documents, vectors=vectors, progress=not quiet)
        except ModelMismatch:
            sys.stderr.write(f"the vectors in the file are of {vectors.model}: its texts are encoded again\n")
        else:
            return
    put(documents, progress=not quiet)


def _require_kind(kind: str) -> None:
    from nearsense.index import parse_kind

    if kind != "auto":
        parse_kind(kind)
