"""search, similar, info: what a collection answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import (
    form_of,
    model_options,
    narrowing_options,
    network_option,
    output_options,
    probability_options,
    search_options,
    second_stage,
)

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.filters import Filter
    from nearsense.records import Hit, Results

__all__ = ["COMMANDS", "found_in"]


@click.command()
@click.argument("collection")
@click.argument("query", nargs=-1, required=True)
@search_options
@model_options
@output_options
def search(collection: str, query: tuple[str, ...], form: str | None, **options: Any) -> None:
    """Find the documents of COLLECTION that answer each QUERY best.

    `nearsense search COLLECTION QUERY` does the same.

    \b
    Examples:
      nearsense index search tickets.nearsense "my screen freezes" --where status=open
      nearsense index search tickets.nearsense "error 0x80070057" --mode hybrid -k 3
    """
    from nearsense.render import hits_page, show

    show(hits_page(found_in(collection, query, options)), form_of(form))


@click.command()
@click.argument("collection")
@click.argument("id_", metavar="ID")
@narrowing_options
@network_option
@output_options
def similar(
    collection: str,
    id_: str,
    k: int,
    min_score: float | None,
    where: tuple[str, ...],
    network: bool,
    form: str | None,
    **options: Any,
) -> None:
    """Find more like one document of COLLECTION, by its ID.

    \b
    Examples:
      nearsense index similar tickets.nearsense T-17 -k 3
    """
    from nearsense.cli.collections.opening import opened
    from nearsense.records import Results
    from nearsense.render import hits_page, show

    with opened(collection, {"network": network}) as there:
        parsed = _filter(where)
        found = there.similar(id_, k, where=parsed, min_score=min_score, **probability_options(options))
        _tell_of_nothing([found], there, parsed)
    show(hits_page([Results(found, found.origin, id_)], asked="similar_to"), form_of(form))


@click.command()
@click.argument("collection")
@network_option
@output_options
def info(collection: str, network: bool, form: str | None) -> None:
    """Say how large COLLECTION is, of which model, with which index, and by what it can be filtered.

    \b
    Examples:
      nearsense index info tickets.nearsense
    """
    from nearsense.cli.collections.opening import opened
    from nearsense.render import info_page, show

    with opened(collection, {"network": network}) as there:
        show(info_page(there.info()), form_of(form))


COMMANDS = (search, similar, info)


def found_in(path: str, queries: tuple[str, ...], options: dict[str, Any]) -> list[Results[Hit]]:
    """The hits of each query, by the options of `search_options` and `model_options`."""
    from nearsense.cli.collections.opening import opened

    quiet, where = options.pop("quiet"), _filter(options.pop("where"))
    asked = {name: options.pop(name) for name in ("k", "min_score", "mode", "exact")}
    asked |= second_stage(options) | probability_options(options)
    with opened(path, options) as there:
        found = there.search_many(queries, where=where, progress=not quiet, **asked)
        _tell_of_nothing(found, there, where)
    return found


def _filter(where: tuple[str, ...]) -> Filter | None:
    from nearsense.filters import parse_where

    return parse_where(where) if where else None


def _tell_of_nothing(found: list[Results[Hit]], collection: Collection, where: Filter | None) -> None:
    """Where a filter lets nothing pass, that is why nothing was found."""
    if where is not None and not any(found) and not collection.count(where):
        sys.stderr.write(
            "no document passes --where; a number never equals a text: --where 'zip=\"01067\"' asks for a text\n"
        )
