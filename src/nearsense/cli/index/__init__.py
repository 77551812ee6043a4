"""index: the commands for collections. Here the group, what its commands share, and search, similar, info."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense._paths import is_folder
from nearsense.cli.options import (
    DocumentOptions,
    ListOptions,
    ModelOptions,
    NarrowingOptions,
    OutputOptions,
    PassageOptions,
    QueryOptions,
    collection_argument,
    network_option,
    takes,
)
from nearsense.cli.outputs import say
from nearsense.errors import InputError

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.filters import Filter
    from nearsense.records import Document, Hit, Results


@click.group()
def index() -> None:
    """Keep documents in a collection, and find them by meaning, by words, or both.

    A collection is a folder, or lies in PostgreSQL: postgresql://user@host/database?collection=tickets.

    What a command has acknowledged survives a power cut.

    \b
    Examples:
      nearsense index create tickets.nearsense tickets.csv
      nearsense index sync tickets.nearsense tickets.csv
      nearsense search tickets.nearsense "my screen freezes" --where status=open
    """


COMMANDS = (index,)


@index.command()
@collection_argument
@click.argument("query", nargs=-1, required=True)
@takes(options=QueryOptions, model=ModelOptions, output=ListOptions)
def search(
    collection: str,
    query: tuple[str, ...],
    options: QueryOptions,
    model: ModelOptions,
    output: ListOptions,
) -> None:
    """Find the documents of COLLECTION that answer each QUERY best.

    `nearsense search COLLECTION QUERY` does the same.

    \b
    Examples:
      nearsense index search tickets.nearsense "my screen freezes" --where status=open
      nearsense index search tickets.nearsense "error 0x80070057" --mode hybrid -k 3
    """
    from nearsense.cli.arguments import require_order

    require_order(collection, query)
    show_hits(collection, query, options, model, output)


@index.command()
@collection_argument
@click.argument("id_", metavar="ID")
@takes(narrowing=NarrowingOptions)
@network_option
@takes(output=ListOptions)
def similar(collection: str, id_: str, narrowing: NarrowingOptions, network: bool, output: ListOptions) -> None:
    """Find more like one document of COLLECTION, by its ID.

    \b
    Examples:
      nearsense index similar tickets.nearsense T-17 -k 3
    """
    from nearsense.collection import open_collection
    from nearsense.records import Results
    from nearsense.render.results import hits_page

    with open_collection(collection, create=False, network=network) as there:
        where = _filter(narrowing)
        found = there.similar(
            id_, narrowing.k, where=where, min_score=narrowing.min_score, **narrowing.arguments()
        )
        _tell_of_nothing([found], there, where)
    output.show(hits_page([Results(found, found.origin, id_)], asked="similar_to"))


@index.command()
@collection_argument
@network_option
@takes(output=OutputOptions)
def info(collection: str, network: bool, output: OutputOptions) -> None:
    """Say how large COLLECTION is, of which model, with which index, and by what it can be filtered.

    \b
    Examples:
      nearsense index info tickets.nearsense
    """
    from nearsense.collection import open_collection
    from nearsense.render.results import info_page

    with open_collection(collection, create=False, network=network) as there:
        output.show(info_page(there.info()))


def show_hits(
    path: str, queries: tuple[str, ...], options: QueryOptions, model: ModelOptions, output: ListOptions
) -> None:
    """Write the hits of each query in a collection: what was found, or with --open only where it stands."""
    from nearsense.collection import open_collection
    from nearsense.render.results import hits_page

    where = _filter(options)
    wanted: dict[str, Any] = {
        "k": options.k,
        "min_score": options.min_score,
        "mode": options.mode,
        "exact": options.exact,
        "all_passages": options.all_passages,
        "repeats": options.repeats,
    }
    wanted |= options.second_stage(model) | options.arguments()
    with open_collection(path, model.model, create=False, network=options.network, **model.loading()) as there:
        found = there.search_many(queries, where=where, progress=model.progress, **wanted)
        _tell_of_nothing(found, there, where)
        if options.open_:
            sys.stdout.writelines(f"{line}\n" for line in _places(found, there))
            return
        around = _around(found, there, options.context)
    output.show(hits_page(found, around=around))


def _places(found: list[Results[Hit]], collection: Collection) -> Iterator[str]:
    """Where hits stand, as programs open it."""
    for hits in found:
        for hit in hits:
            place = collection.locate(hit)
            if place is None:
                what = f"{hit.id} stands in no file"
                raise InputError(what, why="--open is for passages of files", fix="leave --open out")
            yield place


def _around(
    found: list[Results[Hit]], collection: Collection, n: int | None
) -> dict[str, tuple[list[Document], list[Document]]]:
    """The passages around each hit."""
    if n is None:
        return {}
    return {hit.id: collection.neighbours(hit.id, n) for hits in found for hit in hits if hit.place is not None}


def tell_of_log(collection: Collection, what: Callable[[Path], str]) -> None:
    """Where queries were logged, what this means for them, said of the collection's path."""
    from nearsense.querylog import beside

    if isinstance(collection.path, str):  # the log lies where the collection does
        return
    folder = beside(collection.path)
    if is_folder(folder):
        say(folder, what(collection.path))


def _filter(narrowing: NarrowingOptions) -> Filter | None:
    from nearsense.filters import parse_where

    return parse_where(narrowing.where) if narrowing.where else None


def _tell_of_nothing(found: list[Results[Hit]], collection: Collection, where: Filter | None) -> None:
    """Where a filter lets nothing pass, that is why nothing was found."""
    if where is not None and not any(found) and not collection.count(where):
        sys.stderr.write(
            "no document passes --where; a number never equals a text: --where 'zip=\"01067\"' asks for a text\n"
        )


def command_line(words: list[str], reading: DocumentOptions, passages: PassageOptions | None = None) -> str:
    """A command of this group that reads a file in the same way as the one that runs."""
    more = [] if passages is None else passages.words()
    return shlex.join(["nearsense", "index", *words, *reading.words(), *more])


@contextmanager
def interruptible(collection: Collection, again: str) -> Iterator[None]:
    """Where Ctrl-C stops the work, say what is kept, and what to type to go on."""
    try:
        yield
    except KeyboardInterrupt:
        what = f"{number(collection.count())} are in {collection.path}"
        raise KeyboardInterrupt(what, "what was acknowledged is kept, nothing is half written", again) from None


def build_if_due(collection: Collection, progress: bool) -> None:
    """Make the derived files now where so much changed that it is due anyway: then the next search is fast."""
    from nearsense.errors import StoreError

    try:
        collection.build(if_needed=True, progress=progress)
    except StoreError as error:
        sys.stderr.write(f"warning: the index is not up to date, answers still are: {error.what}\n")


def number(documents: int) -> str:
    """So many documents, in words."""
    return f"{documents:,} document{'' if documents == 1 else 's'}"
