"""map: the texts of a file in the plane, as a page to look around in or a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import document_options, encoder_of, model_options

if TYPE_CHECKING:
    from nearsense.deduplication import Duplicates
    from nearsense.encoders import Encoder
    from nearsense.records import Document, Vectors
    from nearsense.textmap import TextMap

__all__ = ["COMMANDS"]

LIKELY, NEAR = 0.5, 0.85
"""From which probability on a pair is worth a look; from which score on, where no calibration is known."""


@click.command(name="map")
@click.argument("file")
@click.option("-o", "--output", required=True, metavar="OUT", help="Where to: .html, .png or .svg.")
@click.option(
    "-k", type=click.IntRange(min=1), metavar="N", help="How many clusters.  [default: as many as there are]"
)
@click.option(
    "--layout",
    type=click.Choice(["neighbours", "pca"]),
    help="How texts are laid out.  [default: neighbours, with the extra 'map']",
)
@click.option("--no-duplicates", is_flag=True, help="Look for no duplicates.")
@click.option("--png", metavar="PICTURE", help="Draw a picture too: .png or .svg.")
@click.option("--title", metavar="WORDS", help="A line above the map.  [default: the name of FILE]")
@click.option(
    "--calibration", metavar="NAME", help="Makes a score a probability: paraphrase, question, a file, none."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn by chance."
)
@document_options
@model_options
def map_(
    file: str,
    output: str,
    k: int | None,
    layout: str | None,
    no_duplicates: bool,
    png: str | None,
    title: str | None,
    calibration: str | None,
    seed: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Lay the texts of FILE out in the plane, in clusters with names, as a page or a picture.

    The page is one file and asks nobody for anything: zoom, search, select with the lasso, read what is nearest,
    and judge duplicates; the verdicts are labels for nearsense calibrate.

    \b
    Examples:
      nearsense map tickets.csv -o map.html
      nearsense map tickets.csv -k 8 -o map.html --png map.png
      nearsense map tickets.csv --layout pca --no-duplicates -o map.svg
    """
    from nearsense.cli.corpus import corpus_of
    from nearsense.clustering import cluster
    from nearsense.textmap import map_texts

    outputs = [output, *([png] if png else [])]
    for path in outputs:
        _require_writable(path)
    asked, load = options["model"] is not None, encoder_of(options)
    corpus = corpus_of(file, options, load, quiet, foreign="keep", check=_require_texts)
    documents, vectors = corpus.documents, corpus.vectors
    _require_read(file, documents)
    maker = load() if asked else None
    if maker is not None and maker.fingerprint != vectors.fingerprint:
        maker = None
    found = map_texts(
        documents,
        clusters=cluster(documents, k, vectors=vectors, seed=seed, progress=not quiet),
        duplicates=None if no_duplicates else _duplicates(documents, vectors, maker, calibration, quiet),
        vectors=vectors,
        layout=layout,
        calibration=calibration,
        seed=seed,
        progress=not quiet,
    )
    named = title or ("" if file == "-" else Path(file).name.partition(".")[0]) or "Map"
    for path in outputs:
        found.save(path, title=named)
    sys.stderr.write(f"{output}: {_said(found, layout)}\n")


COMMANDS = (map_,)


def _require_writable(path: str) -> None:
    """Refuse an ending nobody writes, a missing folder or extra, before anything costly is done."""
    from nearsense.files import require_place
    from nearsense.plots import matplotlib
    from nearsense.textmap import ending_of

    ending = ending_of(path)
    require_place(path)
    if ending != ".html":
        matplotlib(purpose="drawing a map")


def _require_texts(rows: int) -> None:
    from nearsense.errors import InputError

    if not rows:
        raise InputError("there is no text", why="a map of nothing shows nothing", fix="give at least one text")


def _require_read(file: str, documents: list[Document]) -> None:
    """Vectors alone can be laid out, and say nothing to anybody."""
    from nearsense.errors import InputError

    if not documents[0].text:
        raise InputError(
            f"{file} holds vectors and no texts",
            why="a map shows what each point says",
            fix="keep the texts beside the vectors: nearsense encode FILE -o vectors.jsonl",
        )


def _duplicates(
    documents: list[Document], vectors: Vectors, encoder: Encoder | None, calibration: str | None, quiet: bool
) -> Duplicates:
    from nearsense.calibration import Task, chosen
    from nearsense.deduplication import duplicates
    from nearsense.records import Origin

    origin = Origin(vectors.model, vectors.fingerprint)
    calibrated = chosen(calibration, origin, Task.PARAPHRASE) is not None
    least: dict[str, Any] = {"min_probability": LIKELY} if calibrated else {"min_score": NEAR}
    return duplicates(
        documents, vectors=vectors, encoder=encoder, calibration=calibration, progress=not quiet, **least
    )


def _said(found: TextMap, asked: str | None) -> str:
    from nearsense.mapping import best_layout

    kind = found.layout.value
    counts = ((len(found), "text"), (len(found.names), "cluster"), (len(found.pairs), "pair"))
    told = ", ".join(f"{count:,} {name}{'s' * (count != 1)}" for count, name in counts)
    said = f"{told} to judge; layout: {kind}"
    if asked is None and best_layout().value == "pca":
        said += " (near texts nearer to each other: pip install 'nearsense[map]')"
    return said
