"""compare, rank, matrix, explain: how near are these texts to each other, and by which words?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nearsense.cli.options import (
    COUNT,
    CorpusOptions,
    ListOptions,
    ModelOptions,
    RowOptions,
    SureOptions,
    named_columns,
    takes,
)
from nearsense.terminal import steerable

if TYPE_CHECKING:
    from nearsense.explanation import Explanation


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--pairs", "file", metavar="FILE", help="Compare the pairs of a file instead; - is stdin.")
@click.option("--columns", metavar="A,B", help="The two columns of FILE.")
@takes(sure=SureOptions, reading=RowOptions, model=ModelOptions, output=ListOptions)
def compare(
    a: str | None,
    b: str | None,
    file: str | None,
    columns: str | None,
    sure: SureOptions,
    reading: RowOptions,
    model: ModelOptions,
    output: ListOptions,
) -> None:
    """How near two texts are in sense.

    \b
    Examples:
      nearsense compare "It is raining." "Rain is falling."
      nearsense compare --pairs pairs.csv --columns question,answer
      nearsense compare --pairs pairs.jsonl -o scores.xlsx
      nearsense compare --pairs questions.csv --calibration question --min-probability 0.9
    """
    from nearsense.cli.arguments import require_order
    from nearsense.compare import compare_pairs
    from nearsense.render.results import comparison_page

    if file is None:
        if a is None or b is None:
            raise click.UsageError("give two texts, or --pairs FILE")
        require_order("-", [a, b], "text")
        pairs = [(a, b)]
    else:
        if a is not None:
            raise click.UsageError("give two texts or --pairs FILE, not both")
        from nearsense.files import text_pairs

        names = named_columns(columns, (2,), "two names: --columns question,answer")
        pairs = text_pairs(reading.read(file), columns=None if names is None else (names[0], names[1]))
    comparisons = compare_pairs(pairs, encoder=model.load(), progress=model.progress, **sure.arguments())
    output.show(comparison_page(comparisons, single=file is None))


@click.command()
@click.argument("reference")
@click.argument("file")
@click.option("-k", type=COUNT, help="How many to show.  [default: all]")
@takes(sure=SureOptions, source=CorpusOptions, output=ListOptions)
def rank(
    reference: str,
    file: str,
    k: int | None,
    sure: SureOptions,
    source: CorpusOptions,
    output: ListOptions,
) -> None:
    """Order the texts of FILE by how near they are to REFERENCE.

    FILE may be - for standard input.

    \b
    Examples:
      nearsense rank "How do I train a neural network?" candidates.txt
      cat answers.csv | nearsense rank "late parcel" - --format csv --text answer -k 3
    """
    from nearsense.cli.arguments import require_order
    from nearsense.cli.inputs import read_corpus
    from nearsense.render.results import hits_page
    from nearsense.search import rank_vectors

    require_order(file, [reference], "reference")
    corpus = read_corpus(file, source)
    vectors = corpus.vectors(source)
    hits = rank_vectors(reference, vectors, corpus.documents, k, encoder=source.load(), **sure.arguments())
    output.show(hits_page([hits], asked="reference"))


@click.command()
@click.argument("file")
@click.option("--plot", metavar="PICTURE", help="Draw a heatmap too: .png or .svg.")
@click.option("--probabilities", is_flag=True, help="Show how likely two texts mean the same, not their scores.")
@click.option("--calibration", metavar="NAME", help="Of what: paraphrase, question, passage, or a file.")
@takes(source=CorpusOptions, output=ListOptions)
def matrix(
    file: str,
    plot: str | None,
    probabilities: bool,
    calibration: str | None,
    source: CorpusOptions,
    output: ListOptions,
) -> None:
    """Compare every text of FILE with every other.

    \b
    Examples:
      nearsense matrix phrases.txt
      nearsense matrix phrases.txt --plot heatmap.png
      nearsense matrix phrases.txt --probabilities
      nearsense matrix vectors.npy --csv > scores.csv
    """
    from nearsense.cli.inputs import read_corpus
    from nearsense.cli.outputs import require_targets
    from nearsense.compare import matrix_of, require_room
    from nearsense.render.results import matrix_page

    require_targets({"--plot": plot or None, "-o": output.output}, {"FILE": file, "--calibration": calibration})
    corpus = read_corpus(file, source)
    require_room(len(corpus.documents))
    vectors = corpus.vectors(source, foreign="keep" if source.model is None else "refuse")
    names = [document.text or document.id for document in corpus.documents]
    texts = names if all(document.text for document in corpus.documents) else None
    own = source.load() if probabilities and texts else None
    if own is not None and own.fingerprint != vectors.fingerprint:
        own = None  # the vectors are stored ones of another model
    result = matrix_of(vectors, names, calibration=calibration, texts=texts, encoder=own)
    if plot:
        from nearsense.plots import heatmap

        heatmap(result, plot)
    output.show(matrix_page(result, probabilities=probabilities))


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--html", metavar="FILE", help="Write a page with both texts in colour too; - writes only that.")
@takes(model=ModelOptions, output=ListOptions)
def explain(a: str, b: str, html: str | None, model: ModelOptions, output: ListOptions) -> None:
    """Which words of two texts carry their score.

    Contributions are arithmetic on the model's vectors, no reasons: see docs/explain.md.

    \b
    Examples:
      nearsense explain "It is raining." "Rain is falling."
      nearsense explain "a late parcel" "my order has not come" --html parcel.html
    """
    from nearsense.cli.outputs import require_targets, write_text
    from nearsense.explanation import explain as explain_
    from nearsense.render.results import explanation_page

    require_targets({"--html": html, "-o": output.output})
    explanation = explain_(a, b, encoder=model.load())
    if html is not None:
        write_text(html, explanation.to_html())
        if html == "-":
            return
    if output.for_a_terminal:
        _print_coloured(explanation)
    output.show(explanation_page(explanation))


COMMANDS = (compare, rank, matrix, explain)


def _print_coloured(explanation: Explanation) -> None:
    """Both texts, each word on a colour as strong as its contribution: blue draws together, red apart."""
    from rich.console import Console
    from rich.text import Text

    from nearsense.tables import printable

    console = Console(file=steerable(sys.stdout), highlight=False)
    for side in explanation.sides:
        line = Text(f"{side.name}  ", style="dim")
        for piece, word in side.stretches():
            strength = 0.0 if word is None else side.strength(word)
            line.append(printable(piece), style=_style(strength) if word else "not dim")
        console.print(line)


def _style(strength: float) -> str:
    """White on blue or red, the darker the less a word contributes."""
    share = min(abs(strength), 1.0)
    colour = (20, 30 + 60 * share, 40 + 140 * share) if strength >= 0 else (40 + 140 * share, 40, 30)
    red, green, blue = (round(each) for each in colour)
    return f"not dim white on rgb({red},{green},{blue})"
