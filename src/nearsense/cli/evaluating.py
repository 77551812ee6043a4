"""evaluate: how good are models on a data set, and what do words alone reach?"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import LOADING, form_of, output_options, running_options, source_options

if TYPE_CHECKING:
    from nearsense.encoders import Encoder
    from nearsense.evaluation import Evaluation

__all__ = ["COMMANDS"]


@click.command()
@click.argument("dataset", metavar="DATASET")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Model name or folder; several are compared."
)
@click.option(
    "--task", metavar="NAME", help="graded, labelled, triplets, retrieval, rerank, intents or clustering."
)
@click.option("--columns", metavar="A,B,SCORE", help="The columns of DATASET, where their names do not tell.")
@click.option(
    "--range", "scale", metavar="LOW,HIGH", help="The range of the scores; one outside of it is an error."
)
@click.option("--positive", metavar="LABEL", help="The label of pairs that mean the same.")
@click.option("--same-from", type=float, metavar="SCORE", help="Graded pairs that score so are the same.")
@click.option("--calibration", metavar="NAME", help="Whose probabilities are judged.  [default: paraphrase]")
@click.option("--data-dir", metavar="DIR", help="Own copies of standard sets: DIR/NAME or DIR/NAME.csv, ...")
@click.option("--limit", type=click.IntRange(min=3), metavar="N", help="Judge a sample of N items.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample and of the intervals.")
@click.option("--errors", type=click.IntRange(min=0), default=10, show_default=True, help="Worst errors to list.")
@click.option("--baselines/--no-baselines", default=True, help="Words alone beside the models.  [default: yes]")
@click.option("--pooling-baselines", is_flag=True, help="The same models with CLS and mean pooling too.")
@click.option(
    "--fail-under",
    "floors",
    multiple=True,
    metavar="FIGURE=VALUE",
    help="Exit with 1 where a model's figure, a fraction, is lower: spearman=0.8. Several: any.",
)
@click.option("--output", "-o", metavar="FILE", help="Write a report too: .md, .html or .json.")
@click.option(
    "--dimensions", type=click.IntRange(min=1), metavar="N", help="Keep the first N numbers of a vector."
)
@source_options
@running_options
@click.option("--markdown", "form", flag_value="markdown", help="Write Markdown.")
@output_options
def evaluate(dataset: str, form: str | None, quiet: bool, output: str | None, **options: Any) -> None:
    """Measure models on DATASET, beside what words alone reach.

    DATASET is a file, a folder, - for standard input, or the name of a standard set. What is asked of the models
    is read off its columns: two texts and a score, two texts and a label, anchor, positive and negative, text and
    label, ... Figures come with intervals, and the worst errors are listed. Of 50 labelled pairs
    and more it is said how true the probabilities are that nearsense gives them.

    Standard sets, fetched from the hub once: stsb, sick, sts12 to sts16, biosses (graded); quora, mrpc, twitter,
    sprint (labelled); allnli (triplets); scifact, nfcorpus, fiqa, scidocs (retrieval); askubuntu (rerank);
    banking77, clinc150 (intents).

    \b
    Examples:
      nearsense evaluate pairs.csv
      nearsense evaluate pairs.csv --columns question,duplicate,same --model all-MiniLM-L6-v2 --model ./mine
      nearsense evaluate stsb --same-from 4 --model ./mine -o report.html
      nearsense evaluate tickets.csv --task clustering -o report.md
      nearsense evaluate pairs.csv --fail-under spearman=0.8 --quiet > /dev/null
    """
    from nearsense.datasets import read_dataset
    from nearsense.evaluation import evaluate as evaluated
    from nearsense.evaluation import require_figure
    from nearsense.evaluation.results import finite_json
    from nearsense.render import show
    from nearsense.render.evaluation import evaluation_markdown, evaluation_page

    floors = [_floor(each) for each in options["floors"]]
    write = _writer(output)
    data = read_dataset(
        dataset,
        task=options["task"],
        columns=_names(options["columns"]),
        scale=_range(options["scale"]),
        positive=options["positive"],
        format=options["format"],
        encoding=options["encoding"],
        data_dir=options["data_dir"],
        progress=not quiet,
    )
    if options["limit"] is not None:
        data = data.sample(options["limit"], options["seed"])
    for name, _ in floors:
        require_figure(name, data)
    evaluation = evaluated(
        _models(options),
        data,
        calibration=options["calibration"],
        same_from=options["same_from"],
        baselines="pooling" if options["pooling_baselines"] else options["baselines"],
        errors=options["errors"],
        seed=options["seed"],
        progress=not quiet,
    )
    for warning in evaluation.warnings:
        what, _, fix = warning.partition(" Fix: ")
        sys.stderr.write(f"warning: {what}\n  fix: {fix}\n")
    if write is not None:
        write(evaluation)
    if form == "markdown":
        sys.stdout.write(evaluation_markdown(evaluation))
    else:
        page = evaluation_page(evaluation)
        show(replace(page, records=finite_json(list(page.records))), form_of(form))
    if failed := _failed(evaluation, floors):
        sys.stderr.write(f"failed: {'; '.join(failed)}\n")
        raise click.exceptions.Exit(1)


COMMANDS = (evaluate,)


def _models(options: dict[str, Any]) -> list[Encoder]:
    from nearsense.encoders import load

    chosen = {name: options[name] for name in LOADING}
    return [load(name, **chosen) for name in options["models"] or (None,)]


def _names(columns: str | None) -> list[str] | None:
    if columns is None:
        return None
    names = [name.strip() for name in columns.split(",")]
    if not all(names) or len(names) < 2:
        raise click.UsageError("--columns takes two names or three: --columns a,b,score")
    return names


def _range(scale: str | None) -> tuple[float, float] | None:
    if scale is None:
        return None
    try:
        low, high = map(float, scale.split(","))
    except ValueError:
        raise click.UsageError("--range takes two numbers: --range 0,5") from None
    return low, high


def _floor(said: str) -> tuple[str, float]:
    """A figure and what it must reach."""
    from nearsense.evaluation import LOWER_IS_BETTER

    name, _, value = said.partition("=")
    try:
        floor = float(value)
    except ValueError:
        raise click.UsageError(f"--fail-under {said}: a figure and a number, spearman=0.8") from None
    if not -1.0 <= floor <= 1.0:
        raise click.UsageError(f"--fail-under {said}: figures are fractions, {name}={floor / 100:g}")
    if name in LOWER_IS_BETTER:
        raise click.UsageError(f"--fail-under {said}: {name} is the better the lower it is; take auroc")
    return name, floor


def _failed(evaluation: Evaluation, floors: list[tuple[str, float]]) -> list[str]:
    """The figures of models that are too low."""
    from nearsense.evaluation import Kind

    return [
        f"{name} of {each.name} is {each.figures[name].value:.4f}, under {floor:g}"
        if each.figures[name].defined
        else f"{name} of {each.name} is not defined"
        for each in evaluation.systems
        if each.kind is Kind.MODEL
        for name, floor in floors
        if not each.figures[name].value >= floor
    ]


def _writer(output: str | None) -> Any:
    """What writes a report into a file; None where none is wanted."""
    if output is None:
        return None
    kind = Path(output).suffix.lower()
    if kind not in _REPORTS:
        raise click.UsageError(f"--output {output}: a report is one of {', '.join(_REPORTS)}")
    if not Path(output).parent.is_dir():
        raise click.UsageError(f"--output {output}: there is no folder {Path(output).parent}")
    from nearsense.files import atomic_write

    if Path(output).is_file() or Path(output).is_dir() or not Path(output).exists():
        with suppress(_Tried), atomic_write(output):  # what is there stays as it is
            raise _Tried

    def write(evaluation: Evaluation) -> None:
        content = _REPORTS[kind](evaluation)
        with atomic_write(output) as stream:
            stream.write(content.encode("utf-8", "replace"))

    return write


class _Tried(Exception):
    """A report can be written."""


def _markdown(evaluation: Evaluation) -> str:
    from nearsense.render.evaluation import evaluation_markdown

    return evaluation_markdown(evaluation)


def _html(evaluation: Evaluation) -> str:
    from nearsense.pages import evaluation_html

    return evaluation_html(evaluation)


def _json(evaluation: Evaluation) -> str:
    from nearsense.files.table import json_text

    return json_text(evaluation.to_dict(raw=True), indent=2) + "\n"


_REPORTS = {".md": _markdown, ".html": _html, ".json": _json}
