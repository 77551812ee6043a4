"""evaluate: how good are models on a data set, and what do words alone reach?"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense._paths import is_file
from nearsense.cli.options import (
    COUNT,
    OutputOptions,
    RowOptions,
    RunningOptions,
    choice,
    named_columns,
    option,
    takes,
)

if TYPE_CHECKING:
    from nearsense.datasets import Dataset
    from nearsense.evaluation import Evaluation


class DatasetOptions(RowOptions, RunningOptions):
    """What the data set holds, and how it is judged."""

    models: tuple[str, ...] = option("--model NAME", "Model name or folder; several are compared.", many=True)
    task: str | None = option(
        "--task NAME", "graded, labelled, triplets, retrieval, rerank, intents or clustering."
    )
    columns: str | None = option("--columns A,B,SCORE", "The columns of DATASET, where their names do not tell.")
    scale: str | None = option("--range LOW,HIGH", "The range of the scores; one outside of it is an error.")
    positive: str | None = option("--positive LABEL", "The label of pairs that mean the same.")
    same_from: float | None = option("--same-from SCORE", "Graded pairs that score so are the same.", float)
    calibration: str | None = option(
        "--calibration NAME", "Whose probabilities are judged.  [default: paraphrase]"
    )
    data_dir: str | None = option("--data-dir DIR", "Own copies of standard sets: DIR/NAME or DIR/NAME.csv, ...")
    limit: int | None = option("--limit N", "Judge a sample of N items.", click.IntRange(min=3))
    rows: int | None = option("--rows N", "Only the first N rows of DATASET, of those that fit.", COUNT)
    seed: int = option("--seed", "Of the sample and of the intervals.", int, default=0)
    errors: int = option("--errors", "Worst errors to list.", click.IntRange(min=0), default=10)
    baselines: bool = option(
        "--baselines/--no-baselines", "Words alone beside the models.  [default: yes]", default=True
    )
    pooling_baselines: bool = option("--pooling-baselines", "The same models with CLS and mean pooling too.")
    floors: tuple[str, ...] = option(
        "--fail-under FIGURE=VALUE",
        "Exit with 1 where a model's figure, a fraction, is lower: spearman=0.8. Several: any.",
        many=True,
    )
    report: str | None = option("--output -o FILE", "Write a report too: .md, .html or .json.")
    dimensions: int | None = option("--dimensions N", "Keep the first N numbers of a vector.", COUNT)


class ReportOptions(OutputOptions):
    """How an evaluation is written."""

    form: str | None = choice(markdown="Write Markdown.", json="Write one JSON document.", csv="Write CSV.")


@click.command()
@click.argument("dataset", metavar="DATASET")
@takes(options=DatasetOptions, output=ReportOptions)
def evaluate(dataset: str, options: DatasetOptions, output: ReportOptions) -> None:
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
    from nearsense.cli.outputs import leave, write_text
    from nearsense.encoders import load
    from nearsense.evaluation import evaluate as evaluated
    from nearsense.evaluation import require_figure
    from nearsense.records import finite_json
    from nearsense.render.evaluation import evaluation_markdown, evaluation_page

    floors = [_floor(each) for each in options.floors]
    _require_report(dataset, options)
    data = _dataset(dataset, options)
    for name, _ in floors:
        require_figure(name, data)
    evaluation = evaluated(
        [load(name, dimensions=options.dimensions, **options.loading()) for name in options.models or (None,)],
        data,
        calibration=options.calibration,
        same_from=options.same_from,
        baselines="pooling" if options.pooling_baselines else options.baselines,
        errors=options.errors,
        seed=options.seed,
        progress=options.progress,
    )
    for warning in evaluation.warnings:
        what, _, fix = warning.partition(" Fix: ")
        sys.stderr.write(f"warning: {what}\n  fix: {fix}\n")
    if options.report is not None:
        write_text(options.report, _report(evaluation, Path(options.report).suffix.lower()))
    if output.form == "markdown":
        sys.stdout.write(evaluation_markdown(evaluation))
    else:
        page = evaluation_page(evaluation)
        output.show(replace(page, records=finite_json(list(page.records))))
    if failed := _failed(evaluation, floors):
        sys.stderr.write(f"failed: {'; '.join(failed)}\n")
        leave()


COMMANDS = (evaluate,)


def _dataset(dataset: str, options: DatasetOptions) -> Dataset:
    from nearsense.datasets import read_dataset

    data = read_dataset(
        options.read(dataset) if options.narrows else dataset,
        task=options.task,
        columns=named_columns(options.columns, range(2, 100), "two names or three: --columns a,b,score"),
        scale=_range(options.scale),
        positive=options.positive,
        format=options.format,
        encoding=options.encoding,
        dialect=options.dialect,
        data_dir=options.data_dir,
        progress=options.progress,
    )
    return data if options.limit is None else data.sample(options.limit, options.seed)


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


_REPORTS = (".md", ".html", ".json")


def _require_report(dataset: str, options: DatasetOptions) -> None:
    """Refuse a report that nobody writes, or that cannot be written, before anything is measured."""
    from nearsense.cli.outputs import require_targets

    path = options.report
    if path is None:
        return
    if Path(path).suffix.lower() not in _REPORTS:
        raise click.UsageError(f"--output {path}: a report is one of {', '.join(_REPORTS)}")
    read = {"DATASET": dataset, "--data-dir": options.data_dir, "--calibration": options.calibration}
    corpus = Path(dataset).with_name("corpus.json") if is_file(dataset) else None
    if corpus is not None and is_file(corpus):
        read["the corpus of DATASET"] = str(corpus)  # where DATASET holds queries alone
    require_targets({"-o": path}, read)


def _report(evaluation: Evaluation, ending: str) -> str:
    """A report in the format of an ending."""
    if ending == ".html":
        from nearsense.pages import evaluation_html

        return evaluation_html(evaluation)
    if ending == ".md":
        from nearsense.render.evaluation import evaluation_markdown

        return evaluation_markdown(evaluation)
    from nearsense.files.table import json_text

    return json_text(evaluation.to_dict(raw=True), indent=2) + "\n"
