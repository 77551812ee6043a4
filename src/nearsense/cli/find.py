"""search: which texts of a file are nearest to a question?"""

from __future__ import annotations

from typing import Any

import click

from nearsense.cli.options import document_options, encoder_of, form_of, model_options, output_options

__all__ = ["COMMANDS"]


@click.command()
@click.argument("file")
@click.argument("query", nargs=-1, required=True)
@click.option(
    "-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many hits for each query."
)
@document_options
@model_options
@output_options
def search(file: str, query: tuple[str, ...], k: int, form: str | None, quiet: bool, **options: Any) -> None:
    """Find the texts of FILE that are nearest in sense to each QUERY.

    FILE may be - for standard input, or hold vectors that `nearsense encode` wrote.

    \b
    Examples:
      nearsense search tickets.csv "my screen freezes"
      nearsense search tickets.csv --text body --id ticket -k 3 "late parcel" "refund" --json
      zcat notes.txt.gz | nearsense search - "train a network"
    """
    from nearsense.cli.corpus import corpus_of
    from nearsense.render import hits_page, show
    from nearsense.search import search_vectors

    load = encoder_of(options)
    corpus = corpus_of(file, options, load, quiet)
    show(
        hits_page(search_vectors(query, corpus.vectors, documents=corpus.documents, k=k, encoder=load())),
        form_of(form),
    )


COMMANDS = (search,)
