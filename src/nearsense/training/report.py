"""The end of a training: the model calibrated and judged; in its folder the report in three forms, and a card."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nearsense.encoders.catalog import card_of
from nearsense.errors import CalibrationWarning, InputError
from nearsense.files import atomic_write
from nearsense.files.table import json_text
from nearsense.pages.training import training_html
from nearsense.render.training import model_card, training_markdown
from nearsense.training.judging import carried, carry_calibration, judge

if TYPE_CHECKING:
    from nearsense.calibration import Calibration
    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.training.examples import Examples
    from nearsense.training_results import TrainingReport

__all__ = ["conclude", "licence_in", "write_report"]

CARD = "README.md"
TWICE = (
    "The folder carries a calibration of all that was held out; the probabilities that are judged here come from "
    "one of the first part, which chose the step, and are judged on the second."
)
LINES = 200
"""Lines of a card that are looked at for its licence: it stands at the top."""


def conclude(
    report: TrainingReport,
    folder: str | os.PathLike[str],
    before: Encoder | CrossEncoder,
    after: Encoder | CrossEncoder,
    *,
    known: Examples,
    dev: Examples | None = None,
    test: Examples | None = None,
    chose: bool = True,
) -> TrainingReport:
    """The end of every training: calibrate the model, judge it, and write both into its folder as it is now.

    The judgement comes from `test`, which nobody looked at, that of its probabilities with a calibration from
    `dev`, which may have chosen the step that was kept (`chose`); then the calibration that the folder carries is
    fitted to both. Where there is one of them only, both come from that one. What cannot be measured on them is a
    note of the report, not an error. A FileError says that a file cannot be written.
    """
    fitting, judged = dev if dev is not None else test, test if test is not None else dev
    if fitting is None or judged is None:
        write_report(report, folder, languages=before.languages)
        return report
    notes, judgement, seed = list(report.notes), None, report.seed

    def calibrated(part: Examples, *, chosen: bool) -> tuple[Calibration | None, list[str]]:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", CalibrationWarning)
            found = carry_calibration(folder, after, part, known=known, chose=chosen, seed=seed)
        return found, [f"{each.message}." for each in said if issubclass(each.category, CalibrationWarning)]

    calibration, why = calibrated(fitting, chosen=chose and fitting is dev)
    try:
        judgement = judge(before, after, judged, known=known, chose=chose and judged is dev, seed=seed)
    except InputError as error:
        notes.append(f"Nothing was measured on what was held out: {error.what}.")
    if fitting is not judged:
        calibration, why = calibrated(_joined(fitting, judged), chosen=chose)
        if calibration is not None and judgement is not None and judgement.stated_after is not None:
            notes.append(TWICE)
    notes += why
    report = replace(report, calibration=carried(calibration), judgement=judgement, notes=tuple(notes))
    write_report(report, folder, languages=before.languages)
    return report


def write_report(
    report: TrainingReport,
    folder: str | os.PathLike[str] | None = None,
    *,
    languages: Sequence[str] = (),
) -> None:
    """Write report.html, report.md, report.json and README.md, the model's card, into a model's folder.

    The folder is `report.folder` where none is given; the card names the languages that the parent was made for.
    A FileError says that a file cannot be written; one that was there is as it was.
    """
    place = Path(report.folder if folder is None else folder)
    known = card_of(report.parent.partition("@")[0])
    if known is not None and not report.licence:
        report = replace(report, licence=known.licence)
    base = known.hub if known is not None else ""
    contents = {
        "report.html": training_html(report),
        "report.md": training_markdown(report),
        "report.json": json_text(report.to_dict(), indent=2) + "\n",
        CARD: model_card(report, languages=languages, base=base),
    }
    for name, content in contents.items():
        with atomic_write(place / name) as stream:
            stream.write(content.encode("utf-8", "replace"))


def _joined(one: Examples, other: Examples) -> Examples:
    """Examples of one kind, all of them."""
    texts = tuple((*left, *right) for left, right in zip(one.texts, other.texts, strict=True))
    labels = tuple(dict.fromkeys((*one.labels, *other.labels)))
    return replace(one, texts=texts, truth=(*one.truth, *other.truth), labels=labels)


def licence_in(folder: str | os.PathLike[str]) -> str:
    """The licence that a model folder's own card states, as it is written there; "" where it states none."""
    try:
        with (Path(folder) / CARD).open(encoding="utf-8", errors="replace") as stream:
            head = [line.rstrip("\n") for _, line in zip(range(LINES), stream, strict=False)]
    except OSError:
        return ""
    if not head or head[0].strip() != "---":
        return ""
    for line in head[1:]:
        if line.strip() == "---":
            break
        if found := re.fullmatch(r"license:\s*[\"']?([\w.+-]+)[\"']?\s*", line):
            return found[1]
    return ""
