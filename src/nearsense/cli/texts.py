"""compare, rank, matrix: how near are these texts to each other?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import (
    document_options,
    encoder_of,
    form_of,
    model_options,
    output_options,
    probability_options,
    read,
    source_options,
    sure_options,
)

if TYPE_CHECKING:
    from nearsense.encoders import Encoder
    from nearsense.records import Vectors

__all__ = ["COMMANDS"]


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--pairs", "file", metavar="FILE", help="Compare the pairs of a file instead; - is stdin.")
@click.option("--columns", metavar="A,B", help="The two columns of FILE.")
@sure_options
@source_options
@model_options
@output_options
def compare(
    a: str | None,
    b: str | None,
    file: str | None,
    columns: str | None,
    form: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """How near two texts are in sense.

    \b
    Examples:
      nearsense compare "It is raining." "Rain is falling."
      nearsense compare --pairs pairs.csv --columns question,answer
      nearsense compare --pairs pairs.jsonl --csv > scores.csv
      nearsense compare --pairs questions.csv --calibration question --min-probability 0.9
    """
    from nearsense.compare import compare_pairs
    from nearsense.render import comparison_page, show

    if file is None:
        if a is None or b is None:
            raise click.UsageError("give two texts, or --pairs FILE")
        pairs = [(a, b)]
    else:
        if a is not None:
            raise click.UsageError("give two texts or --pairs FILE, not both")
        from nearsense.files import text_pairs

        pairs = text_pairs(read(file, options), columns=_two(columns))
    sure = probability_options(options)
    comparisons = compare_pairs(pairs, encoder=encoder_of(options)(), progress=not quiet, **sure)
    show(comparison_page(comparisons, single=file is None), form_of(form))


@click.command()
@click.argument("reference")
@click.argument("file")
@click.option("-k", type=click.IntRange(min=1), help="How many to show.  [default: all]")
@sure_options
@document_options
@model_options
@output_options
def rank(reference: str, file: str, k: int | None, form: str | None, quiet: bool, **options: Any) -> None:
    """Order the texts of FILE by how near they are to REFERENCE.

    FILE may be - for standard input.

    \b
    Examples:
      nearsense rank "How do I train a neural network?" candidates.txt
      cat answers.csv | nearsense rank "late parcel" - --format csv --text answer -k 3
    """
    from nearsense.cli.corpus import corpus_of
    from nearsense.render import hits_page, show
    from nearsense.search import rank_vectors

    load, sure = encoder_of(options), probability_options(options)
    corpus = corpus_of(file, options, load, quiet)
    hits = [rank_vectors(reference, corpus.vectors, corpus.documents, k, encoder=load(), **sure)]
    show(hits_page(hits, asked="reference"), form_of(form))


@click.command()
@click.argument("file")
@click.option("--plot", metavar="PICTURE", help="Draw a heatmap too: .png or .svg.")
@click.option("--probabilities", is_flag=True, help="Show how likely two texts mean the same, not their scores.")
@click.option("--calibration", metavar="NAME", help="Of what: paraphrase, question, passage, or a file.")
@document_options
@model_options
@output_options
def matrix(
    file: str,
    plot: str | None,
    probabilities: bool,
    calibration: str | None,
    form: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Compare every text of FILE with every other.

    \b
    Examples:
      nearsense matrix phrases.txt
      nearsense matrix phrases.txt --plot heatmap.png
      nearsense matrix phrases.txt --probabilities
      nearsense matrix vectors.npy --csv > scores.csv
    """
    from nearsense.cli.corpus import Foreign, corpus_of
    from nearsense.compare import matrix_of, require_room
    from nearsense.render import matrix_page, show

    foreign: Foreign = "keep" if options["model"] is None else "refuse"
    load = encoder_of(options)
    corpus = corpus_of(file, options, load, quiet, check=require_room, foreign=foreign)
    names = [document.text or document.id for document in corpus.documents]
    texts = names if all(document.text for document in corpus.documents) else None
    result = matrix_of(
        corpus.vectors,
        names,
        calibration=calibration,
        texts=texts,
        encoder=_own(load, corpus.vectors) if probabilities and texts else None,
    )
    if plot:
        from nearsense.plots import heatmap

        heatmap(result, plot)
    show(matrix_page(result, probabilities=probabilities), form_of(form))


COMMANDS = (compare, rank, matrix)


def _own(load: Callable[[], Encoder], vectors: Vectors) -> Encoder | None:
    """The model of the vectors; None where these are stored ones of another."""
    encoder = load()
    return encoder if encoder.fingerprint == vectors.fingerprint else None


def _two(columns: str | None) -> tuple[str, str] | None:
    if columns is None:
        return None
    left, comma, right = columns.partition(",")
    if not comma or not left.strip() or not right.strip() or "," in right:
        raise click.UsageError("--columns takes two names: --columns question,answer")
    return left.strip(), right.strip()
