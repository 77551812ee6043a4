"""map: the texts of a file in the plane, as a page to look around in or a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import COUNT, CorpusOptions, option, takes
from nearsense.errors import InputError

if TYPE_CHECKING:
    from nearsense.deduplication import Duplicates
    from nearsense.encoders import Encoder
    from nearsense.records import Document, Vectors
    from nearsense.textmap import TextMap

LIKELY, NEAR = 0.5, 0.85
"""From which probability on a pair is worth a look; from which score on, where no calibration is known."""


class MapOptions(CorpusOptions):
    """How texts are laid out, and where the map goes."""

    output: str = option("-o --output OUT", "Where to: .html, .png or .svg.", required=True)
    k: int | None = option("-k N", "How many clusters.  [default: as many as there are]", COUNT)
    layout: str | None = option(
        "--layout",
        "How texts are laid out.  [default: neighbours, with the extra 'map']",
        click.Choice(["neighbours", "pca"]),
    )
    no_duplicates: bool = option("--no-duplicates", "Look for no duplicates.")
    png: str | None = option("--png PICTURE", "Draw a picture too: .png or .svg.")
    title: str | None = option("--title WORDS", "A line above the map.  [default: the name of FILE]")
    calibration: str | None = option(
        "--calibration NAME", "Makes a score a probability: paraphrase, question, a file, none."
    )
    seed: int = option("--seed", "Of what is drawn by chance.", click.IntRange(min=0), default=0)


@click.command(name="map")
@click.argument("file")
@takes(options=MapOptions)
def map_(file: str, options: MapOptions) -> None:
    """Lay the texts of FILE out in the plane, in clusters with names, as a page or a picture.

    The page is one file and asks nobody for anything: zoom, search, select with the lasso, read what is nearest,
    and judge duplicates; the verdicts are labels for nearsense calibrate.

    \b
    Examples:
      nearsense map tickets.csv -o map.html
      nearsense map tickets.csv -k 8 -o map.html --png map.png
      nearsense map tickets.csv --layout pca --no-duplicates -o map.svg
    """
    from nearsense.cli.inputs import read_corpus
    from nearsense.clustering import cluster
    from nearsense.textmap import map_texts

    outputs = [options.output, *([options.png] if options.png else [])]
    _require_targets(file, outputs, options)
    corpus = read_corpus(file, options)
    documents = corpus.documents
    if not documents:
        raise InputError("there is no text", why="a map of nothing shows nothing", fix="give at least one text")
    vectors = corpus.vectors(options, foreign="keep")
    if not documents[0].text:
        raise InputError(
            f"{file} holds vectors and no texts",
            why="a map shows what each point says",
            fix="keep the texts beside the vectors: nearsense encode FILE -o vectors.jsonl",
        )
    encoder = options.load() if options.model is not None else None
    if encoder is not None and encoder.fingerprint != vectors.fingerprint:
        encoder = None
    found = map_texts(
        documents,
        clusters=cluster(documents, options.k, vectors=vectors, seed=options.seed, progress=options.progress),
        duplicates=None
        if options.no_duplicates
        else _duplicates(documents, vectors, encoder, options.calibration, options.progress),
        vectors=vectors,
        encoder=encoder,
        layout=options.layout,
        calibration=options.calibration,
        seed=options.seed,
        progress=options.progress,
    )
    title = options.title or ("" if file == "-" else Path(file).name.partition(".")[0]) or "Map"
    for path in outputs:
        found.save(path, title=title)
    sys.stderr.write(f"{options.output}: {_summary(found, options.layout)}\n")


COMMANDS = (map_,)


def _require_targets(file: str, outputs: list[str], options: MapOptions) -> None:
    """Refuse an ending nobody writes, a file that is read, a missing folder or extra, before anything costly."""
    from nearsense.cli.outputs import require_targets
    from nearsense.plots import matplotlib
    from nearsense.textmap import ending_of

    endings = {ending_of(path) for path in outputs}
    written = {"-o": options.output, "--png": options.png or None}
    require_targets(written, {"FILE": file, "--calibration": options.calibration})
    if endings != {".html"}:
        matplotlib(purpose="drawing a map")


def _duplicates(
    documents: list[Document], vectors: Vectors, encoder: Encoder | None, calibration: str | None, progress: bool
) -> Duplicates:
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.deduplication import duplicates
    from nearsense.records import Origin

    origin = Origin(vectors.model, vectors.fingerprint)
    calibrated = Calibrator(Task.PARAPHRASE, calibration).of(origin, encoder) is not None
    least: dict[str, Any] = {"min_probability": LIKELY} if calibrated else {"min_score": NEAR}
    return duplicates(
        documents, vectors=vectors, encoder=encoder, calibration=calibration, progress=progress, **least
    )


def _summary(found: TextMap, layout: str | None) -> str:
    from nearsense.mapping import best_layout

    kind = found.layout.value
    counts = ((len(found), "text"), (len(found.names), "cluster"), (len(found.pairs), "pair"))
    counted = ", ".join(f"{count:,} {name}{'s' * (count != 1)}" for count, name in counts)
    said = f"{counted} to judge; layout: {kind}"
    if layout is None and best_layout().value == "pca":
        said += " (near texts nearer to each other: pip install 'nearsense[map]')"
    return said
