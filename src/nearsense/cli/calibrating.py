"""calibrate: what does a score mean, on your own pairs?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from nearsense.cli.options import form_of, output_options, quiet_option, read, source_options

if TYPE_CHECKING:
    from nearsense.calibration import Background, Calibration, Threshold
    from nearsense.datasets import LabelledPairs
    from nearsense.files import Table

__all__ = ["COMMANDS"]

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.argument("file")
@click.option("--columns", metavar="A,B,LABEL", help="The columns of texts, and that of labels if there is one.")
@click.option("--text", metavar="COLUMN", help="There are no pairs: the column of a corpus.")
@click.option("--positive", metavar="WORD", help="The label that says two texts are the same, where it is a word.")
@click.option("--task", default="own", show_default=True, metavar="NAME", help="What the labels call the same.")
@click.option("--prior", type=SHARE, metavar="SHARE", help="Share of same pairs where it will be used.")
@click.option("--share", type=SHARE, metavar="SHARE", help="Pairs have no labels, but this share is the same.")
@click.option("--precision", type=float, multiple=True, metavar="P", help="Which score gives this precision?")
@click.option("--min-probability", type=float, multiple=True, metavar="P", help="Which score is this probable?")
@click.option("--false-positives", type=float, multiple=True, metavar="RATE", help="Which score has this rate?")
@click.option("-o", "--output", metavar="PATH", help="Keep it: a .json file, or a collection.")
@click.option("--model", metavar="NAME", help="Model name or folder.  [default: all-MiniLM-L6-v2]")
@source_options
@quiet_option
@output_options
def calibrate(file: str, output: str | None, form: str | None, **options: Any) -> None:
    """Learn from the pairs of FILE what a score means: how probable is it that two texts are the same?

    FILE holds two columns of texts and one of labels (1 or 0, yes or no); 30 rows are enough to begin with.
    Without labels there are two ways: with --share, the curve that comes with the model is moved to your pairs;
    with one column of texts, it is told how rarely chance gives a score (a false-positive rate, no probability).

    \b
    Examples:
      nearsense calibrate pairs.csv -o mine.json
      nearsense calibrate pairs.csv --precision 0.95 --min-probability 0.9
      nearsense calibrate pairs.csv -o tickets.nearsense
      nearsense calibrate tickets.csv --text body --false-positives 1e-4
    """
    from nearsense.render import show
    from nearsense.render_calibration import background_page, calibration_page

    if output is not None:
        _require_target(output)
    table = read(file, options)
    if options["text"] is not None or len(table.columns) == 1:
        _refuse(options, "a corpus without labels", _LABELLED, output)
        found_rates = _background(table, options)
        rates = options["false_positives"] or [rate for rate in _RATES if rate >= found_rates.rarest]
        show(background_page(found_rates, rates), form_of(form))
        return
    if options["share"] is not None:
        _refuse(options, "pairs without labels", ("prior", "positive"))
    found = _calibration(table, options)
    thresholds = [each for name in _ASKED for each in _thresholds(found, name, options[name])]
    if output is not None:
        _keep(found, output)
    show(calibration_page(found, thresholds), form_of(form))


COMMANDS = (calibrate,)

_ASKED = ("min_probability", "precision", "false_positives")

_RATES = (1e-1, 1e-2, 1e-3, 1e-4)

_LABELLED = ("columns", "positive", "prior", "share", "min_probability", "precision")
"""Options that ask for pairs."""


def _refuse(options: dict[str, Any], what: str, names: tuple[str, ...], output: str | None = None) -> None:
    """Refuse options that would be passed over."""
    given = [f"--{name.replace('_', '-')}" for name in names if options[name] not in (None, ())]
    if given or output is not None:
        raise click.UsageError(f"{', '.join([*given, *(['-o'] if output else [])])}: not for {what}")


def _require_target(output: str) -> None:
    """Refuse to write over what is no calibration, before anything costly is done."""
    from nearsense.calibration import load_calibration
    from nearsense.errors import InputError
    from nearsense.store import is_collection

    path = Path(output)
    if is_collection(path) or (path.suffix == ".json" and not path.exists()):
        return
    if path.suffix != ".json":
        raise InputError(
            f"{output} is neither a .json file nor a collection",
            why="a calibration is kept in one or the other",
            fix="-o mine.json, or make the collection first: nearsense index create",
        )
    try:
        load_calibration(path)
    except InputError as error:
        raise InputError(
            f"{output} is there and holds no calibration", why=error.what, fix="name another file"
        ) from None


def _thresholds(calibration: Calibration, name: str, values: tuple[float, ...]) -> list[Threshold]:
    return [calibration.threshold(**{name: value}) for value in values]


def _calibration(table: Table, options: dict[str, Any]) -> Calibration:
    """From labels, or from pairs of which a share is known to be the same."""
    from nearsense.calibrating import adapt, calibrate

    encoder, progress = options["model"], not options["quiet"]
    columns = [name.strip() for name in options["columns"].split(",")] if options["columns"] else None
    if columns is not None and len(columns) != (2 if options["share"] is not None else 3):
        raise click.UsageError(
            "--columns takes two texts and a label: --columns a,b,label (no label with --share)"
        )
    if options["share"] is not None:
        from nearsense.files import text_pairs

        pairs = text_pairs(table, columns=(columns[0], columns[1]) if columns else None)
        return adapt(pairs, share=options["share"], encoder=encoder, progress=progress)
    labelled = _labelled(table, columns, options["positive"])
    known = ((a, b, label) for (a, b), label in zip(labelled.pairs, labelled.labels, strict=True))
    return calibrate(known, encoder=encoder, task=options["task"], prior=options["prior"], progress=progress)


def _labelled(table: Table, columns: list[str] | None, positive: str | None) -> LabelledPairs:
    from nearsense.datasets.building import Asked, made_of
    from nearsense.datasets.kinds import Task
    from nearsense.datasets.roles import roles_of

    asked = Asked(Task.LABELLED, None if columns is None else tuple(columns), None, positive)
    found = made_of(table, roles_of(table, asked.task, asked.columns, positive=positive), asked)
    return cast("LabelledPairs", found)


def _background(table: Table, options: dict[str, Any]) -> Background:
    from nearsense.calibrating import background
    from nearsense.files import documents

    found = documents(table, text=options["text"], id=None, skip_empty=True)
    return background(found.items, encoder=options["model"], progress=not options["quiet"])


def _keep(calibration: Calibration, output: str) -> None:
    from nearsense.store import is_collection

    if not is_collection(Path(output)):
        calibration.save(output)
        return
    from nearsense.cli.collections.opening import opened

    with opened(output, {}) as collection:
        collection.calibration = calibration
