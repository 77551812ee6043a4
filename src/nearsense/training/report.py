"""What is written into a trained model's folder beside the model: the report in three forms, and its card."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nearsense.encoders.catalog import card_of
from nearsense.files import atomic_write
from nearsense.files.table import json_text
from nearsense.pages.training import training_html
from nearsense.render.training import model_card, training_markdown

if TYPE_CHECKING:
    from nearsense.trained import TrainingReport

__all__ = ["licence_in", "write_report"]

CARD = "README.md"
LINES = 200
"""Lines of a card that are looked at for its licence: it stands at the top."""


def write_report(
    report: TrainingReport,
    folder: str | os.PathLike[str] | None = None,
    *,
    languages: Sequence[str] = (),
) -> None:
    """Write report.html, report.md, report.json and README.md, the model's card, into a model's folder.

    Args:
        report: What training did.
        folder: The folder as it is now; without it `report.folder`.
        languages: What the parent was made for, ISO 639-1: the card says so.

    Raises:
        FileError: A file cannot be written; one that was there is as it was.
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
