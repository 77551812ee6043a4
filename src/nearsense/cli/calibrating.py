"""calibrate: what does a score mean, on your own pairs?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from nearsense.cli.options import form_of, output_options, quiet_option, read, source_options
from nearsense.errors import FileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.calibration import Background, Calibration
    from nearsense.datasets import LabelledPairs
    from nearsense.files import Table

__all__ = ["COMMANDS"]

MANY = click.IntRange(min=30)
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
@click.option("--at-least", is_flag=True, help="The labels have to prove that precision: 90 % sure.")
@click.option("--min-probability", type=float, multiple=True, metavar="P", help="Which score is this probable?")
@click.option("--false-positives", type=float, multiple=True, metavar="RATE", help="Which score has this rate?")
@click.option("--ask", is_flag=True, help="FILE has no labels: show pairs, and ask whether they are the same.")
@click.option("--labels", metavar="PATH", help="Where answers are kept.  [default: FILE.labels.jsonl]")
@click.option(
    "--most", type=MANY, default=100, show_default=True, metavar="N", help="Labels that --ask asks for at most."
)
@click.option("-o", "--output", metavar="PATH", help="Keep it: a .json file, or a collection.")
@click.option("--model", metavar="NAME", help="Model name or folder.  [default: all-MiniLM-L6-v2]")
@source_options
@quiet_option
@output_options
def calibrate(file: str, output: str | None, form: str | None, ask: bool, **options: Any) -> None:
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
    from nearsense.render import show
    from nearsense.render.calibration import background_page, calibration_page

    if options["at_least"] and not options["precision"]:
        raise click.UsageError("--at-least says how sure a precision shall be: give --precision P too")
    if ask:
        output = _require_ask(file, output, options)
    elif options["labels"] is not None:
        raise click.UsageError("--labels is where --ask keeps answers: give --ask too, or the file itself as FILE")
    if output is not None:
        _require_target(output)
    table = read(file, options)
    if ask:
        table = _asked(table, options)
    elif options["text"] is not None or len(table.columns) == 1:
        _refuse(options, "a corpus without labels", _LABELLED, output)
        found_rates = _background(table, options)
        rates = options["false_positives"] or [rate for rate in _RATES if rate >= found_rates.rarest]
        show(background_page(found_rates, rates), form_of(form))
        return
    if options["share"] is not None:
        _refuse(options, "pairs without labels", ("prior", "positive"))
        if options["at_least"]:
            raise click.UsageError("--at-least: not for pairs without labels")
    found = _calibration(table, options)
    proof = {"precision": {"at_least": options["at_least"]}}
    thresholds = [
        found.threshold(**{name: value}, **proof.get(name, {})) for name in _ASKED for value in options[name]
    ]
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


def _require_ask(file: str, output: str | None, options: dict[str, Any]) -> str | None:
    """Refuse what does not go with --ask, and part -o into where the answers go and where the calibration goes."""
    from nearsense.cli.labelling import require_labels_file

    _refuse(options, "--ask", ("share", "positive"))
    if file == "-":
        raise click.UsageError("FILE - and the answers both read standard input: give the pairs as a file")
    if output is not None and options["labels"] is None and output.endswith((".csv", ".tsv", ".jsonl")):
        output, options["labels"] = None, output
    options["labels"] = options["labels"] or f"{file}.labels.jsonl"
    require_labels_file(options["labels"], file)
    return output


def _asked(table: Table, options: dict[str, Any]) -> Table:
    """Ask a person for labels of pairs; the answers as the table that they are kept as."""
    from nearsense import checks
    from nearsense.cached import cached
    from nearsense.calibrating import pairs_to_judge
    from nearsense.calibration.fitting import LEAST
    from nearsense.calibration.learning import spread_over
    from nearsense.cli.labelling import Desk, talk
    from nearsense.encoders import resolve
    from nearsense.files import documents, read_table, text_pairs
    from nearsense.files.table import PAIR_NAMES

    names = _columns(options, 2)
    known = {name.casefold() for name in table.columns}
    texts: list[str] | list[tuple[str, str]]
    if options["text"] is None and (names is not None or any(known >= set(each) for each in PAIR_NAMES)):
        texts = text_pairs(table, columns=(names[0], names[1]) if names else None)
    else:
        found = documents(table, text=options["text"], id=None, skip_empty=True)
        texts = [each.text for each in found.items]
    options["model"] = encoder = cached(resolve(options["model"]))
    pairs, scores = pairs_to_judge(texts, encoder=encoder, progress=not options["quiet"])
    prove = options["precision"] if options["at_least"] else ()
    for value in prove:
        checks.share(value, "precision")
    spread = spread_over(scores, 1) if prove else spread_over(scores)
    desk = Desk(pairs, scores, spread, options["labels"], options["most"], prove)
    desk.resume()
    talk(desk, encoder)
    options["columns"], said = None, {row["label"] for row in desk.rows}
    if len(desk.rows) < LEAST or len(said) < 2:
        lacks = f"{LEAST - len(desk.rows)} more" if len(desk.rows) < LEAST else "some that are not all alike"
        click.echo(f"No calibration yet: it takes {lacks}. Type the same again to go on.", err=True)
        click.get_current_context().exit(UNFINISHED)
    return read_table(options["labels"])


UNFINISHED = 1
"""The exit code where there are too few answers for a calibration."""


def _columns(options: dict[str, Any], count: int) -> list[str] | None:
    """The columns that were named."""
    names = [name.strip() for name in options["columns"].split(",")] if options["columns"] else None
    if names is not None and len(names) != count:
        raise click.UsageError(
            "--columns takes two texts and a label: --columns a,b,label (no label with --share or --ask)"
        )
    return names


def _calibration(table: Table, options: dict[str, Any]) -> Calibration:
    """From labels, or from pairs of which a share is known to be the same."""
    from nearsense.calibrating import adapt, calibrate, spread_evenly

    encoder, progress = options["model"], not options["quiet"]
    columns = _columns(options, 2 if options["share"] is not None else 3)
    if options["share"] is not None:
        from nearsense.files import text_pairs

        pairs = text_pairs(table, columns=(columns[0], columns[1]) if columns else None)
        return adapt(pairs, share=options["share"], encoder=encoder, progress=progress)
    given = _labelled(table, columns, options["positive"])
    known = [(a, b, label) for (a, b), label in zip(given.pairs, given.labels, strict=True)]
    found = calibrate(known, encoder=encoder, task=options["task"], prior=options["prior"], progress=progress)
    weights = _weights(table)
    return found if weights is None else spread_evenly(found, weights, options["prior"])


def _weights(table: Table) -> NDArray[np.float64] | None:
    """For how many pairs each label stands, where --ask spread them over the scores and its columns say so."""
    import numpy as np

    from nearsense.cli.labelling import STRATUM

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


def _labelled(table: Table, columns: list[str] | None, positive: str | None) -> LabelledPairs:
    from nearsense.datasets.kinds import Task
    from nearsense.datasets.roles import Request, build, roles_of

    request = Request(Task.LABELLED, None if columns is None else tuple(columns), None, positive)
    found = build(table, roles_of(table, request.task, request.columns, positive=positive), request)
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
