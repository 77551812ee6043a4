"""demo: the main job on real text that every machine has, the docstrings of Python's standard library."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense.cli.options import encoder_of, model_options

if TYPE_CHECKING:
    from rich.console import Console

    from nearsense.encoders import Encoder
    from nearsense.types import Document

__all__ = ["COMMANDS"]

QUESTIONS = (
    "read a csv file into dictionaries",
    "wait for several threads to finish",
    "undo a change to the environment in a test",
    "remember the results of an expensive function",
    "make text safe to put into a web page",
    "pick an element where some are more likely than others",
)

PAIRS = (
    ("A dog is playing in the park.", "A puppy is running outside."),
    ("The stock market crashed today.", "Investors lost billions overnight."),
    ("Python is a popular programming language.", "Many developers use Python for data science."),
    ("She loves reading mystery novels.", "The weather forecast shows heavy rain."),
)

PHRASES = (
    "I forgot my password.",
    "How do I reset my login?",
    "My parcel has not arrived yet.",
    "When will my order be delivered?",
    "I want my money back.",
    "How do refunds work?",
    "The app crashes when it starts.",
    "The program closes by itself on launch.",
)


@click.command()
@click.option(
    "-o", "--output", default="demo-output", show_default=True, metavar="FOLDER", help="For the picture."
)
@model_options
def demo(output: str, quiet: bool, **options: object) -> None:
    """See nearsense work on the docstrings of Python's standard library.

    \b
    Example:
      nearsense demo
    """
    from rich.console import Console

    started = time.monotonic()
    console = Console(highlight=False)
    encoder = encoder_of(options)
    console.rule("[bold]Questions in plain words", align="left")
    _questions(console, encoder, quiet)
    console.rule("[bold]Pairs of texts", align="left")
    _pairs(console, encoder)
    console.rule("[bold]Everything against everything", align="left")
    _heatmap(console, encoder, Path(output))
    console.rule("[bold]The same on your own file", align="left")
    console.print(YOUR_TURN, markup=False)
    console.print(f"All of this took {time.monotonic() - started:.0f} s.", style="dim")


COMMANDS = (demo,)

YOUR_TURN = """\
  nearsense search FILE "your question"          find by meaning; csv, jsonl, txt, parquet, ...
  nearsense rank "one text" FILE                 order all texts by nearness to one
  nearsense compare "one text" "another"         or --pairs FILE
  nearsense matrix FILE --plot heatmap.png       every text against every other
  nearsense encode FILE -o vectors.npy           keep the vectors
  nearsense --help                               the rest
"""


def _questions(console: Console, encoder: Encoder, quiet: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from nearsense.cli.docstrings import docstrings
    from nearsense.lexical import jaccard
    from nearsense.search import search_vectors

    documents = docstrings(progress=not quiet)
    texts = [document.text for document in documents]
    start = time.monotonic()
    vectors = encoder.encode(texts, long="head", progress=not quiet)
    took = time.monotonic() - start
    console.print(
        f"{len(texts):,} docstrings of Python {sys.version_info.major}.{sys.version_info.minor}'s standard library, "
        f"by {encoder.name} in {took:.1f} s ({len(texts) / took:,.0f} texts/s).\n",
        style="dim",
    )
    table = Table(box=None, pad_edge=False, header_style="dim", row_styles=["", "dim"], expand=True)
    for name in ("question", "nearest in sense", "most words in common"):
        table.add_column(name, ratio=1)
    answers = search_vectors(QUESTIONS, vectors, documents, k=1, encoder=encoder)
    for question, hits in zip(QUESTIONS, answers, strict=True):
        overlap = jaccard(question, texts)
        lexical = documents[int(overlap.argmax())]
        table.add_row(Text(question, "bold"), Text(_short(hits[0].id, hits[0].text)), Text(_short_of(lexical)))
    console.print(table)


def _pairs(console: Console, encoder: Encoder) -> None:
    from nearsense.compare import compare_pairs
    from nearsense.render import Form, comparison_page, show

    show(comparison_page(compare_pairs(PAIRS, encoder=encoder)), Form.TABLE)


def _heatmap(console: Console, encoder: Encoder, folder: Path) -> None:
    from nearsense.compare import matrix
    from nearsense.errors import MissingExtra
    from nearsense.plots import heatmap

    result = matrix(PHRASES, encoder=encoder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        heatmap(result, folder / "heatmap.png", title="Eight messages of customers")
    except MissingExtra as error:
        console.print(f"No picture: {error.what}. {error.fix}", markup=False)
        return
    console.print(f"{folder / 'heatmap.png'}: {len(PHRASES)} messages of customers; the pairs stand out.\n")


def _short_of(document: Document) -> str:
    return _short(document.id, document.text)


def _short(name: str, text: str | None) -> str:
    sentence = (text or "").split(". ")[0]
    return f"{name}\n{sentence if len(sentence) <= 80 else sentence[:79] + '…'}"
