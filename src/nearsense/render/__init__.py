"""Results to what a person or a program reads: table, JSON, JSON lines, CSV. Not what they say: see beside.

A result is described once, as a `Page`; `show` writes it in the form that the reader wants: a table on a terminal,
JSON lines in a pipe, or what was asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any, TextIO

from nearsense.files.table import json_text
from nearsense.files.writing import csv_cell
from nearsense.records import percent
from nearsense.tables import print_table, printable
from nearsense.terminal import harmless, steerable

Column = tuple[str, Callable[[Any], str]]
"""The head of a column, set flush right where it ends in `>`, and what gives the cell of an item."""


class Form(StrEnum):
    """How a page is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Page:
    """A result, described once for every form."""

    document: Any = None  # the whole as one JSON value
    records: Sequence[Mapping[str, Any]] = ()  # the same as flat records: JSON lines and CSV
    columns: Sequence[str] = ()  # the head of the table; a name that ends in `>` is set flush right
    cells: Sequence[Sequence[str]] = ()  # the rows of the table
    title: str = ""  # a line above the table
    note: str = ""  # a line below it: what a reader has to know
    groups: Sequence[Page] = ()  # pages that are shown one below the other instead: one for each query
    rows: Sequence[Mapping[str, Any]] = ()  # the records as CSV has them, where that is otherwise


def table(items: Sequence[Any], *columns: Column) -> dict[str, Any]:
    """What a Page has of a table with a row an item: `columns` and `cells`."""
    heads, cells = zip(*columns, strict=True)
    return {"columns": heads, "cells": [tuple(cell(item) for cell in cells) for item in items]}


def only_if(shown: object, *columns: Column) -> Sequence[Column]:
    """Columns of a table that is to have them only where there is something to say in them."""
    return columns if shown else ()


def of(name: str) -> Callable[[Any], str]:
    """A cell that shows an attribute, empty for None."""
    value = attrgetter(name)
    return lambda item: str("" if value(item) is None else value(item))


SCORE: Column = ("score>", lambda item: f"{item.score:.4f}")
PROBABILITY: Column = ("probability>", lambda item: likelihood(item.probability, item.interval))
DIFFERS: Column = ("differs", lambda item: ", ".join(item.differs or ()))


def show(page: Page, form: Form | None = None, out: TextIO | None = None) -> None:
    """Write a page, to standard output unless said; without a form a table on a terminal, JSON lines elsewhere."""
    out = sys.stdout if out is None else out
    form = form or (Form.TABLE if out.isatty() else Form.JSONL)
    _WRITERS[form](page, out)


PROBABLE = {
    "paraphrase": "that both say the same",
    "question": "that both want the same answer",
    "request": "that both want the same done",
    "passage": "that the text answers the query",
    "class": "that both are of one class",
    "label": "that both are labelled the same",
    "grade": "that people find both near",
    "entailment": "that the second follows from the first",
    "nearer": "that it is the right one of two",
    "together": "that both belong together",
}
"""What a probability is of, by the task of its calibration."""


def likelihood(probability: float | None, interval: tuple[float, float] | None) -> str:
    """A probability and its interval for a reader; nothing where there is none.

    Example:
        >>> likelihood(0.78, (0.55, 0.9)), likelihood(0.995, (0.97, 0.9999))
        ('78 %, 55 to 90', '>99 %, 97 to >99')
    """
    if probability is None or interval is None:
        return "" if probability is None else percent(probability)
    return f"{percent(probability)}, {between(interval).replace(' %', '')}"


def between(interval: tuple[float, float] | None) -> str:
    """An interval of probabilities for a reader; nothing where there is none.

    Example:
        >>> between((0.42, 0.87)), between((0.985, 0.9999))
        ('42 % to 87 %', '98 % to >99 %')
    """
    return "" if interval is None else " to ".join(percent(each) for each in interval)


def more_of(count: int, what: str, typed: str) -> str:
    """The begin of a note where not all is shown: how many more there are, and what shows them."""
    return f"{count:,} more {what}: {typed} shows them. " if count > 0 else ""


def _write_json(page: Page, out: TextIO) -> None:
    out.write(json_text(page.document, indent=2) + "\n")


def _write_jsonl(page: Page, out: TextIO) -> None:
    for record in page.records:
        out.write(json_text(record) + "\n")


def _write_csv(page: Page, out: TextIO) -> None:
    import csv

    records = page.rows or page.records
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writerow({name: csv_cell(name) for name in names})
    writer.writerows({name: _flat(value) for name, value in record.items()} for record in records)


def _flat(value: Any) -> Any:
    if isinstance(value, str):
        return csv_cell(value)
    return json_text(value) if isinstance(value, (dict, list)) else value


def _write_table(page: Page, out: TextIO) -> None:
    from rich.console import Console

    console = Console(file=steerable(out), highlight=False)
    for each in page.groups or (page,):
        if each.title:
            console.print(printable(each.title), style="bold", markup=False)
        if each.cells:
            print_table(console, each.columns, each.cells)
        elif each.columns:
            console.print("nothing found", style="dim")
    if page.note:
        console.print(harmless(page.note), style="dim", markup=False)


_WRITERS = {Form.TABLE: _write_table, Form.JSON: _write_json, Form.JSONL: _write_jsonl, Form.CSV: _write_csv}
