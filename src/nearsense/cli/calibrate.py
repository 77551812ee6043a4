"""calibrate: what does a score mean, on your own pairs?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from nearsense._paths import exists
from nearsense.cli.options import (
    SHARE,
    OutputOptions,
    RowOptions,
    in_a_folder,
    named_columns,
    option,
    quiet_option,
    takes,
)
from nearsense.errors import FileError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.calibration import Calibration, Threshold
    from nearsense.datasets import LabelledPairs
    from nearsense.encoders import Encoder
    from nearsense.files import Table


class CalibrateOptions(RowOptions):
    """What FILE holds, what is asked of its curve, and where that is kept."""

    columns: str | None = option(
        "--columns A,B,LABEL", "The columns of texts, and that of labels if there is one."
    )
    text: str | None = option("--text COLUMN", "There are no pairs: the column of a corpus.")
    positive: str | None = option(
        "--positive WORD", "The label that says two texts are the same, where it is a word."
    )
    task: str = option("--task NAME", "What the labels call the same.", default="own")
    prior: float | None = option("--prior SHARE", "Share of same pairs where it will be used.", SHARE)
    share: float | None = option("--share SHARE", "Pairs have no labels, but this share is the same.", SHARE)
    precision: tuple[float, ...] = option("--precision P", "Which score gives this precision?", float, many=True)
    at_least: bool = option("--at-least", "The labels have to prove that precision: 90 % sure.")
    min_probability: tuple[float, ...] = option(
        "--min-probability P", "Which score is this probable?", float, many=True
    )
    false_positives: tuple[float, ...] = option(
        "--false-positives RATE", "Which score has this rate?", float, many=True
    )
    ask: bool = option("--ask", "FILE has no labels: show pairs, and ask whether they are the same.")
    labels: str | None = option("--labels PATH", "Where answers are kept.  [default: FILE.labels.jsonl]")
    most: int = option("--most N", "Labels that --ask asks for at most.", click.IntRange(min=30), default=100)
    output: str | None = option(
        "-o --output PATH", "Keep it: a .json file, or a collection.", callback=in_a_folder
    )
    model: str | None = option("--model NAME", "Model name or folder.  [default: all-MiniLM-L6-v2]")

    def refuse(self, what: str, *names: str) -> None:
        """Refuse options that would be passed over."""
        given = [name for name in names if getattr(self, name) not in (None, ())]
        if given:
            flags = ("-o" if name == "output" else f"--{name.replace('_', '-')}" for name in given)
            raise click.UsageError(f"{', '.join(flags)}: not for {what}")

    def names(self, count: int) -> list[str] | None:
        """The columns that were named."""
        usage = "two texts and a label: --columns a,b,label (no label with --share or --ask)"
        return named_columns(self.columns or None, (count,), usage)

    def pair(self) -> tuple[str, str] | None:
        """The two columns of pairs that were named."""
        names = self.names(2)
        return None if names is None else (names[0], names[1])

    def thresholds(self, calibration: Calibration) -> list[Threshold]:
        """The scores that are asked for."""
        return [
            *(calibration.threshold(min_probability=each) for each in self.min_probability),
            *(calibration.threshold(precision=each, at_least=self.at_least) for each in self.precision),
            *(calibration.threshold(false_positives=each) for each in self.false_positives),
        ]


@click.command()
@click.argument("file")
@takes(options=CalibrateOptions)
@quiet_option
@takes(output=OutputOptions)
def calibrate(file: str, options: CalibrateOptions, quiet: bool, output: OutputOptions) -> None:
    """Learn from the pairs of FILE what a score means: how probable is it that two texts are the same?

    FILE holds two columns of texts and one of labels (1 or 0, yes or no); 30 rows are enough to begin with.
    Without labels there are three ways: with --ask, you are shown pairs and say which are the same; with --share,
    the curve that comes with the model is moved to your pairs; with one column of texts, it is told how rarely
    chance gives a score (a false-positive rate, no probability).

    \b
    Examples:
      nearsense calibrate pairs.csv -o mine.json
      nearsense calibrate pairs.csv --precision 0.95 --min-probability 0.9
      nearsense calibrate pairs.csv --precision 0.95 --at-least
      nearsense calibrate --ask tickets.csv --text body -o mine.json
      nearsense calibrate pairs.csv -o tickets.nearsense
      nearsense calibrate tickets.csv --text body --false-positives 1e-4
    """
    from nearsense.render.results import background_page, calibration_page

    if options.at_least and not options.precision:
        raise click.UsageError("--at-least says how sure a precision shall be: give --precision P too")
    if options.ask:
        options = _places_of_answers(file, options)
    elif options.labels is not None:
        raise click.UsageError("--labels is where --ask keeps answers: give --ask too, or the file itself as FILE")
    if options.output is not None:
        _require_target(file, options.output)
    table = options.read(file)
    encoder: Encoder | str | None = options.model
    if options.ask:
        table, encoder = _answers(table, options, not quiet)
        options = options.but(columns=None)
    elif options.text is not None or len(table.columns) == 1:
        from nearsense.calibrating import background

        options.refuse("a corpus without labels", *_LABELLED, "output")
        random = background(_texts(table, options), encoder=encoder, progress=not quiet)
        rates = options.false_positives or [rate for rate in _RATES if rate >= random.rarest]
        output.show(background_page(random, rates))
        return
    if options.share is not None:
        options.refuse("pairs without labels", "prior", "positive")
        if options.at_least:
            raise click.UsageError("--at-least: not for pairs without labels")
    calibration = _calibration(table, options, encoder, not quiet)
    thresholds = options.thresholds(calibration)
    if options.output is not None:
        _keep(calibration, options.output)
    output.show(calibration_page(calibration, thresholds))


COMMANDS = (calibrate,)

_RATES = (1e-1, 1e-2, 1e-3, 1e-4)

_LABELLED = ("columns", "positive", "prior", "share", "min_probability", "precision")
"""Options that ask for pairs."""


def _require_target(file: str, output: str) -> None:
    """Refuse to write over what is no calibration, before anything costly is done."""
    from nearsense.calibration import load_calibration
    from nearsense.cli.outputs import require_targets
    from nearsense.store import is_collection

    path = Path(output)
    if is_collection(output):
        return
    if path.suffix != ".json":
        what = f"{output} is neither a .json file nor a collection"
        fix = "-o mine.json, or make the collection first: nearsense index create"
        raise InputError(what, why="a calibration is kept in one or the other", fix=fix)
    require_targets({"-o": output}, {"FILE": file})
    if not exists(path):
        return
    try:
        load_calibration(path)
    except InputError as error:
        what = f"{output} is there and holds no calibration"
        raise InputError(what, why=error.what, fix="name another file") from None


def _places_of_answers(file: str, options: CalibrateOptions) -> CalibrateOptions:
    """Refuse what does not go with --ask, and part -o into where the answers go and where the calibration goes."""
    from nearsense.cli.label import require_labels_file

    options.refuse("--ask", "share", "positive")
    if file == "-":
        raise click.UsageError("FILE - and the answers both read standard input: give the pairs as a file")
    flag, labels, output = "--labels", options.labels, options.output
    if output is not None and labels is None and output.endswith((".csv", ".tsv", ".jsonl")):
        flag, output, labels = "-o", None, output
    labels = labels or f"{file}.labels.jsonl"
    require_labels_file(flag, labels, file)
    return options.but(labels=labels, output=output)


def _answers(table: Table, options: CalibrateOptions, progress: bool) -> tuple[Table, Encoder]:
    """Ask a person for labels of pairs: the answers as the table that they are kept as, and the model."""
    from nearsense import checks
    from nearsense.cached import cached
    from nearsense.calibrating import pairs_to_judge
    from nearsense.calibration.learning import spread_over
    from nearsense.cli.label import Desk, talk
    from nearsense.cli.outputs import leave
    from nearsense.encoders import resolve
    from nearsense.files import read_table, text_pairs
    from nearsense.files.names import PAIR_NAMES

    pair = options.pair()
    known = {name.casefold() for name in table.columns}
    texts: Sequence[str] | Sequence[tuple[str, str]]
    if options.text is None and (pair is not None or any(known >= set(each) for each in PAIR_NAMES)):
        texts = text_pairs(table, columns=pair)
    else:
        texts = _texts(table, options)
    encoder = cached(resolve(options.model))
    pairs, scores = pairs_to_judge(texts, encoder=encoder, progress=progress)
    prove = options.precision if options.at_least else ()
    for value in prove:
        checks.share(value, "precision")
    spread = spread_over(scores, 1) if prove else spread_over(scores)
    desk = Desk(pairs, scores, spread, str(options.labels), options.most, prove)
    desk.resume()
    talk(desk, encoder)
    if lacks := desk.lacks():
        click.echo(f"No calibration yet: it takes {lacks}. Type the same again to go on.", err=True)
        leave()
    return read_table(desk.file), encoder


def _texts(table: Table, options: CalibrateOptions) -> list[str]:
    from nearsense.files import documents

    return [each.text for each in documents(table, text=options.text, skip_empty=True).items]


def _calibration(
    table: Table, options: CalibrateOptions, encoder: Encoder | str | None, progress: bool
) -> Calibration:
    """From labels, or from pairs of which a share is known to be the same."""
    from nearsense.calibrating import adapt, calibrate, spread_evenly

    if options.share is not None:
        from nearsense.files import text_pairs

        pairs = text_pairs(table, columns=options.pair())
        return adapt(pairs, share=options.share, encoder=encoder, progress=progress)
    given = _labelled(table, options)
    known = [(a, b, label) for (a, b), label in zip(given.pairs, given.labels, strict=True)]
    found = calibrate(known, encoder=encoder, task=options.task, prior=options.prior, progress=progress)
    weights = _weights(table)
    return found if weights is None else spread_evenly(found, weights, options.prior)


def _weights(table: Table) -> NDArray[np.float64] | None:
    """For how many pairs each label stands, where --ask spread them over the scores and its columns say so."""
    import numpy as np

    from nearsense.cli.label import STRATUM

    if not set(STRATUM) <= set(table.columns):
        return None
    parts = list(zip(*(map(str, table.columns[name]) for name in STRATUM), strict=True))
    try:
        return np.array([float(size) / parts.count((name, size)) for name, size in parts])
    except ValueError:
        raise FileError(
            f"{table.source}: column {STRATUM[1]!r} holds what is no number",
            why="it says how many pairs each label was drawn from",
            fix="remove both columns, stratum and stratum_pairs, if the labels were drawn evenly",
        ) from None


def _labelled(table: Table, options: CalibrateOptions) -> LabelledPairs:
    from nearsense.datasets.kinds import Task
    from nearsense.datasets.roles import Request, build, roles_of

    columns = options.names(3)
    request = Request(Task.LABELLED, None if columns is None else tuple(columns), None, options.positive)
    found = build(table, roles_of(table, request.task, request.columns, positive=options.positive), request)
    return cast("LabelledPairs", found)


def _keep(calibration: Calibration, output: str) -> None:
    from nearsense.store import is_collection

    if not is_collection(output):
        calibration.save(output)
        return
    from nearsense.collection import open_collection

    with open_collection(output, create=False) as collection:
        collection.calibration = calibration
