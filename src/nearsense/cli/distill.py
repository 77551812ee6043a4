"""distill: a fast model made of a slow one, fitted to texts of the user."""

from __future__ import annotations

import click

from nearsense.cli.options import COUNT, DocumentOptions, OutputOptions, RunningOptions, takes
from nearsense.cli.outputs import require_outside


@click.command()
@click.argument("model")
@click.option(
    "--texts", "file", required=True, metavar="FILE", help="Your texts: no labels are needed, only many."
)
@click.option(
    "--output", "-o", "folder", required=True, metavar="FOLDER", help="The folder to write; it must not be there."
)
@click.option("--dimensions", type=COUNT, metavar="N", help="Numbers of a vector.  [default: as MODEL]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is kept apart, and of the order.")
@takes(reading=DocumentOptions, running=RunningOptions, output=OutputOptions)
def distill(
    model: str,
    file: str,
    folder: str,
    dimensions: int | None,
    seed: int,
    reading: DocumentOptions,
    running: RunningOptions,
    output: OutputOptions,
) -> None:
    """Make a fast model of MODEL: a table of one vector a token, fitted to its vectors of your texts.

    It runs without a transformer, many times as fast, and does not see the order of words. What that costs is
    measured on texts that are kept apart, and on pairs that come with nearsense.

    \b
    Examples:
      nearsense distill all-MiniLM-L6-v2 --texts tickets.csv -o fast
      nearsense search tickets.csv "my screen freezes" --model ./fast
    """
    from nearsense.cli.inputs import read_corpus
    from nearsense.distillation import distill as make
    from nearsense.encoders import load
    from nearsense.render import Page

    require_outside("--output", folder)
    texts = read_corpus(file, reading, texts=True).documents
    loaded = load(model, **running.loading())
    made = make(loaded, texts, output=folder, dimensions=dimensions, seed=seed, progress=running.progress)
    known = made.to_dict()
    cells = [(line,) for line in str(made).splitlines()]
    output.show(Page(known, [known], ("made",), cells))


COMMANDS = (distill,)
