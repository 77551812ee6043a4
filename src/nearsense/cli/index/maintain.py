"""index verify, backup, copy, compact, build, export, reembed: a collection kept in order."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense._paths import is_file
from nearsense.cli.index import build_if_due, index, interruptible, number, tell_of_log
from nearsense.cli.options import (
    COUNT,
    OutputOptions,
    RunningOptions,
    collection_argument,
    in_a_folder,
    network_option,
    quiet_option,
    takes,
)
from nearsense.cli.outputs import leave, require_consent, require_outside, require_somebody, require_targets, say
from nearsense.errors import DamagedCollection, InputError, StoreError

if TYPE_CHECKING:
    from nearsense.collection import Collection

TABLES = {".csv", ".tsv", ".json"}


@index.command()
@collection_argument
@click.option("--accept-losses", is_flag=True, help="Go on from what is there, where commits were lost.")
@network_option
@takes(output=OutputOptions)
def verify(collection: str, accept_losses: bool, network: bool, output: OutputOptions) -> None:
    """Read everything in COLLECTION and check every checksum.

    Damaged derived files are made again; a damaged database wants a backup. Exit code 1 where something was lost.

    \b
    Examples:
      nearsense index verify tickets.nearsense
      nearsense index verify tickets.nearsense --json
    """
    from nearsense.collection import open_collection
    from nearsense.render.results import verification_page
    from nearsense.reports import Verification

    try:
        with open_collection(collection, create=False, network=network, accept_losses=accept_losses) as there:
            found = there.verify()
            tell_of_log(there, _state_of_log)
    except DamagedCollection as error:
        found = Verification(0, (f"{error.what}: {error.why}",), ())
        sys.stderr.write(f"fix: {error.fix}\n")
    output.show(verification_page(found))
    if not found.ok:
        leave()


@index.command()
@collection_argument
@click.argument("target", callback=in_a_folder)
@network_option
def backup(collection: str, target: str, network: bool) -> None:
    """Write a consistent copy of COLLECTION to the folder TARGET, while others read and write.

    There is no restore: a backup is a collection, to be opened or copied back.

    \b
    Examples:
      nearsense index backup tickets.nearsense backup.nearsense
    """
    from nearsense.collection import open_collection

    require_outside("TARGET", target)
    with open_collection(collection, create=False, network=network) as there:
        there.backup(target)
        tell_of_log(
            there,
            lambda path: f"no query is copied: nearsense log {shlex.quote(str(path))} --export FILE",
        )
    with open_collection(target, create=False, network=True) as copy:
        say(target, number(copy.count()))


@index.command()
@click.argument("source", callback=in_a_folder)
@click.argument("target", callback=in_a_folder)
@network_option
@quiet_option
def copy(source: str, target: str, network: bool, quiet: bool) -> None:
    """Copy the collection SOURCE to TARGET: from a folder into PostgreSQL, back, or to another place of either.

    Vectors come along: nothing is encoded. What was asked, the log, does not. Interrupted, the same command goes
    on; until the copy is whole, and was compared, nobody can open it.

    \b
    Examples:
      nearsense index copy tickets.nearsense 'postgresql://ann@db.example/shop?collection=tickets'
      nearsense index copy 'postgresql://ann@db.example/shop?collection=tickets' tickets.nearsense
    """
    from nearsense.collection import open_collection
    from nearsense.collection.copying import copy_collection

    require_outside("TARGET", target)
    try:
        done = copy_collection(source, target, network=network, progress=not quiet)
    except KeyboardInterrupt:
        what = "the copy is not whole, and is not opened"
        again = shlex.join(["nearsense", "index", "copy", source, target])
        raise KeyboardInterrupt(what, f"{source} is as it was", f"go on: {again}") from None
    with open_collection(target, create=False, network=network) as there:
        build_if_due(there, not quiet)
    if done.found:
        say(target, f"{number(done.found)} were there from before")
    say(target, str(done))


@index.command()
@collection_argument
@network_option
@quiet_option
def compact(collection: str, network: bool, quiet: bool) -> None:
    """Remove from the disk what was deleted from COLLECTION.

    Afterwards the text of deleted documents is in no file of the collection.

    \b
    Examples:
      nearsense index compact tickets.nearsense
    """
    from nearsense.collection import open_collection

    with open_collection(collection, create=False, network=network) as there:
        before = _size(there)
        there.compact(progress=not quiet)
        after = _size(there)
        tell_of_log(
            there, lambda path: f"logged queries stay: nearsense log {shlex.quote(str(path))} --forget TEXT"
        )
    say(collection, f"{before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB after")


@index.command()
@collection_argument
@click.option("--index", "kind", metavar="KIND", help="Kind of index from now on; auto for what suits the size.")
@network_option
@quiet_option
def build(collection: str, kind: str | None, network: bool, quiet: bool) -> None:
    """Make the index of COLLECTION now; else it happens when much has changed.

    \b
    Examples:
      nearsense index build tickets.nearsense
      nearsense index build tickets.nearsense --index hnsw
    """
    from nearsense.collection import open_collection

    with open_collection(collection, create=False, network=network) as there:
        there.build(index=kind, progress=not quiet)
        found = there.info()
    recall = "" if found.recall is None else f", recall {found.recall:.3f}"
    say(collection, f"{number(found.documents)}, index {found.index}{recall}: {found.why}")


@index.command()
@collection_argument
@click.argument("file")
@click.option("--no-vectors", is_flag=True, help="Ids, texts and metadata only; also as csv, tsv, json.")
@click.option("--to", metavar="PROGRAM", help="Write FILE as that takes it: chroma, qdrant, pinecone.")
@network_option
@quiet_option
def export(collection: str, file: str, no_vectors: bool, to: str | None, network: bool, quiet: bool) -> None:
    """Write all documents of COLLECTION to FILE: .jsonl or .parquet, .npy or .faiss with the ids beside it.

    \b
    Examples:
      nearsense index export tickets.nearsense tickets.parquet
      nearsense index export tickets.nearsense tickets.csv --no-vectors
      nearsense index export tickets.nearsense points.jsonl --to qdrant
    """
    from nearsense.collection import open_collection
    from nearsense.files import ids_beside

    extensions = {extension.lower() for extension in Path(file).suffixes}
    if not no_vectors and extensions & TABLES:
        what = f"{file}: {', '.join(extensions & TABLES)} holds no vectors"
        fix = "add --no-vectors, or write .jsonl, .parquet or .npy"
        raise InputError(what, why="its cells are texts and numbers", fix=fix)
    beside = None if no_vectors else ids_beside(file)
    require_targets({"FILE": file, "its ids in": beside})
    with open_collection(collection, create=False, network=network) as there:
        written = there.export(file, vectors=not no_vectors, to=to, progress=not quiet)
    say(file, number(written))
    if beside is not None:
        say(beside, "the ids of its rows")


@index.command()
@collection_argument
@click.option("--model", required=True, metavar="NAME", help="Name or folder of the new model.")
@click.option("--queries", metavar="FILE", help="Queries to compare the two models on.  [default: the query log]")
@click.option("--chosen", metavar="COLUMN", help="Column of --queries with the id of the right document.")
@click.option("-k", default=10, show_default=True, type=COUNT, help="How many hits of each query are compared.")
@click.option("--dry-run", is_flag=True, help="Only compare, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@takes(running=RunningOptions)
@network_option
@takes(output=OutputOptions)
def reembed(
    collection: str,
    model: str,
    queries: str | None,
    chosen: str | None,
    k: int,
    dry_run: bool,
    yes: bool,
    running: RunningOptions,
    network: bool,
    output: OutputOptions,
) -> None:
    """Go over to another model: every text of COLLECTION is encoded again, then the vectors are swapped at once.

    Until then every search uses the old model. To an adapter of the model in use (nearsense train --adapter)
    nothing is encoded: vectors are mapped. Where there are queries, of FILE or of the collection's log, both
    models are compared on them first, and you are asked.

    \b
    Examples:
      nearsense index reembed tickets.nearsense --model ./my-model
      nearsense index reembed tickets.nearsense --model ./my-model --queries asked.csv --dry-run
    """
    from nearsense.collection import open_collection
    from nearsense.render.results import model_change_page, reembedding_page

    if chosen is not None and queries is None:
        raise click.UsageError("--chosen is a column of --queries FILE: give that too")
    asked = None if queries is None else _read_queries(queries, chosen)
    how = running.loading() | {"progress": running.progress}
    with open_collection(collection, create=False, network=network) as there:
        logged = asked is None and any(
            each.query is not None for each in (there.log.entries() if there.log else ())
        )
        if asked is not None or logged or dry_run:
            if not dry_run:
                require_somebody(yes)
            change = there.compare_models(model, asked, k=k, **how)
            if dry_run:
                output.show(model_change_page(change))
                return
            sys.stderr.write(f"{change}\n")
            require_consent(f"Go over to {change.after}?", yes)
        with interruptible(there, "the same command goes on from there; until it is done the old model is in use"):
            done = there.reembed(model, **how)
            build_if_due(there, running.progress)
        output.show(reembedding_page(done))


def _state_of_log(collection: Path) -> str:
    """What can be read of the log beside a collection; its loss is none of the collection's."""
    from nearsense.querylog import open_log

    try:
        log = open_log(collection)
        return f"{sum(1 for _ in log):,} logged queries, {log.damaged:,} lines cannot be read"
    except StoreError as error:
        return f"the log cannot be read: {error.why}"


CHOSEN = ("chosen", "clicked", "relevant", "relevant_id", "document_id")
"""What columns are called that hold the id of the right document."""


def _read_queries(file: str, chosen: str | None) -> list[tuple[str, str | None]]:
    """Queries, and the ids that were chosen for them where the file has such a column."""
    from nearsense.files import documents, read_table
    from nearsense.files.table import find_column, require_column

    table = read_table(file)
    fix = "name one of its columns: --chosen COLUMN"
    name = find_column(table, CHOSEN) if chosen is None else require_column(table, chosen, fix)
    texts = [each.text for each in documents(table, text=find_column(table, ("query", "question", "text"))).items]
    ids = [None] * len(texts) if name is None else table.columns[name]
    return [(text, None if id_ in (None, "") else str(id_)) for text, id_ in zip(texts, ids, strict=True)]


def _size(there: Collection) -> int:
    """Bytes of all its files, or of its tables."""
    if isinstance(there.path, str):
        return there.info().size
    return sum(file.stat().st_size for file in there.path.rglob("*") if is_file(file))
