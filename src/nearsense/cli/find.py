"""search: which texts of a file or of a collection are nearest to a question?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nearsense.cli.options import (
    document_options,
    encoder_of,
    form_of,
    model_options,
    output_options,
    probability_options,
    search_options,
    second_stage,
)

if TYPE_CHECKING:
    from nearsense.records import Hit, Results

__all__ = ["COMMANDS"]

OF_FILES = ("text", "id_", "skip_empty", "format", "encoding")
"""Options that say how a file is read."""


@click.command()
@click.argument("file")
@click.argument("query", nargs=-1, required=True)
@search_options
@document_options
@model_options
@output_options
def search(file: str, query: tuple[str, ...], form: str | None, **options: Any) -> None:
    """Find the texts of FILE that are nearest in sense to each QUERY.

    FILE may be - for standard input, hold vectors that `nearsense encode` wrote, or be a collection, which answers
    at once, also by words (--mode) and filtered (--where): see `nearsense index`.

    \b
    Examples:
      nearsense search tickets.csv "my screen freezes"
      nearsense search tickets.csv --text body --id ticket -k 3 "late parcel" "refund" --json
      nearsense search tickets.nearsense "my screen freezes" --where status=open
      nearsense search tickets.csv "late parcel" --rerank ms-marco-MiniLM-L6-v2
      zcat notes.txt.gz | nearsense search - "train a network"
    """
    from nearsense.cli.collections.ask import found_in
    from nearsense.render import hits_page, show
    from nearsense.store import is_collection

    if is_collection(Path(file)):
        if flags := _typed(OF_FILES):
            raise click.UsageError(f"{file} is a collection, {flags} is for files")
        found = found_in(file, query, {name: value for name, value in options.items() if name not in OF_FILES})
    else:
        _require_file_options(file, options)
        found = _found(file, query, options)
    show(hits_page(found), form_of(form))


COMMANDS = (search,)


def _typed(names: tuple[str, ...]) -> str:
    """Those of some options that were typed."""
    context = click.get_current_context()
    return ", ".join(
        option.opts[0]
        for option in context.command.params
        if option.name in names and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    )


def _require_file_options(file: str, options: dict[str, Any]) -> None:
    """Refuse what only a collection can answer; --exact is no such: a file is always searched so."""
    from nearsense.errors import InputError

    asked = {"--where": options["where"], "--mode": options["mode"] != "dense", "--network": options["network"]}
    if flags := " ".join(flag for flag, given in asked.items() if given):
        name = "texts" if file == "-" else file.rsplit("/", 1)[-1].split(".")[0] or "texts"
        raise InputError(
            f"{file} is no collection",
            why=f"{flags}: only a collection answers that; a file is searched by meaning alone",
            fix=f"make one: nearsense index create {shlex.quote(name)}.nearsense {shlex.quote(file)}",
        )


def _found(file: str, queries: tuple[str, ...], options: dict[str, Any]) -> list[Results[Hit]]:
    """The hits in a file."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.cli.corpus import corpus_of
    from nearsense.reranking import staged
    from nearsense.search import checked_queries, search_encoded

    calibrator = Calibrator(Task.PASSAGE, **probability_options(options))
    second, load, quiet = second_stage(options), encoder_of(options), options["quiet"]
    stages = staged(second.pop("rerank", None), options["k"], min_score=options["min_score"], **second)
    corpus = corpus_of(file, options, load, quiet)
    asked = checked_queries(queries, stages.depth)
    return search_encoded(asked, corpus.vectors, corpus.documents, stages, calibrator, load(), not quiet)
