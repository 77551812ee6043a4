"""The cells of a column as what a data set needs: texts, numbers, yes or no, lists. Not which column it is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nearsense.errors import FileError
from nearsense.files import Table
from nearsense.files.table import is_missing, kind_of

YES = (
    "1", "true", "yes", "same", "duplicate", "paraphrase", "match", "equivalent", "similar", "positive",
    "entailment", "y", "t",
)  # fmt: skip
NO = (
    "0", "-1", "false", "no", "different", "not_duplicate", "not duplicate", "non-duplicate", "not_paraphrase",
    "not", "no_match", "not_equivalent", "not equivalent", "dissimilar", "negative", "n", "f", "unrelated",
)  # fmt: skip
"""What people write for the same and for different, in any case."""

STRANGERS = ("oos", "out_of_scope", "out-of-scope", "out of scope", "outofscope", "ood", "none", "no_intent")
"""Labels of texts that belong to no class, in any case."""


def texts(table: Table, column: str) -> list[str]:
    """The cells of a column, all of them texts."""
    return [_text(table, row, column, cell) for row, cell in enumerate(table.columns[column])]


def scores(table: Table, column: str, scale: tuple[float, float] | None) -> list[float]:
    """The cells of a column as numbers, each within the scale where one is stated."""
    found = []
    for row, cell in enumerate(table.columns[column]):
        value = number(cell)
        if value is None or not math.isfinite(value):
            raise FileError(
                f"{table.place(row)}: the score in column {column!r} is {_shown(cell)}",
                why="a score is a number" if value is None else "it has no place in an order",
                fix="correct it, remove the row, or name another column: --columns LEFT,RIGHT,SCORE",
            )
        if scale is not None and not scale[0] <= value <= scale[1]:
            low, high = scale
            raise FileError(
                f"{table.place(row)}: the score {value:g} is outside of the range {low:g} to {high:g}",
                why=f"that is the range that was stated for column {column!r}",
                fix=f"correct it, or state the range that holds: --range {min(low, value):g},{max(high, value):g}",
            )
        found.append(value)
    return found


def truths(table: Table, column: str, positive: str | None) -> tuple[list[bool], tuple[str, str]]:
    """The cells of a column as yes or no, and what the file calls no and yes."""
    labels = names(table, column)
    found = sorted(set(labels))
    if positive is not None:
        return _as_asked(table, column, labels, found, positive)
    if len(found) == 1:
        return [found[0].casefold() not in NO] * len(labels), (found[0], found[0])
    if len(found) == 2:
        numbers = [number(label) for label in found]
        if None not in numbers:
            no, yes = sorted(found, key=float)
            return [label == yes for label in labels], (no, yes)
        for no, yes in (found, found[::-1]):
            if no.casefold() in NO or yes.casefold() in YES:
                return [label == yes for label in labels], (no, yes)
    if len(found) > 2 and all(label.casefold() in (*YES, *NO) for label in found):  # true beside 1
        return [label.casefold() in YES for label in labels], ("no", "yes")
    raise FileError(
        f"{table.source}: column {column!r} has {len(found):,} labels: {_some(found)}",
        why="pairs are the same or not: which label means the same?",
        fix=f"name it: --positive {next((label for label in found if label.casefold() in YES), found[0])}",
    )


def _as_asked(
    table: Table, column: str, labels: list[str], found: list[str], positive: str
) -> tuple[list[bool], tuple[str, str]]:
    yes = next((label for label in found if label.casefold() == positive.casefold()), None)
    if yes is None:
        raise FileError(
            f"{table.source}: column {column!r} has no label {positive!r}",
            why=f"its labels are {_some(found)}",
            fix=f"name one of them: --positive {found[0]}",
        )
    others = [label for label in found if label != yes]
    return [label == yes for label in labels], (others[0] if len(others) == 1 else f"not {yes}", yes)


def names(table: Table, column: str, what: str = "label") -> list[str]:
    """The cells of a column as labels: texts, or numbers as they are written."""
    found = []
    for row, cell in enumerate(table.columns[column]):
        if is_missing(cell) or isinstance(cell, (list, dict)):
            raise FileError(
                f"{table.place(row)}: the {what} in column {column!r} is {_shown(cell)}",
                why="without a label there is no right or wrong"
                if what == "label"
                else f"every row belongs to a {what}",
                fix="fill it in, or remove the row",
            )
        found.append(_name(cell))
    return found


def listed(table: Table, row: int, column: str) -> list[Any]:
    """A cell that is a list, or a text that says one as JSON."""
    cell = table.columns[column][row]
    value = _parsed(cell)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        raise FileError(
            f"{table.place(row)}: column {column!r} holds {_shown(cell)}, no list",
            why="each query comes with the list of its candidates",
            fix="write jsonl with lists, or JSON in the cell",
        )
    return list(value)


def grades(table: Table, row: int, column: str) -> dict[str, float]:
    """Which documents answer a query: grades by id, or a list of ids that all count 1."""
    cell = table.columns[column][row]
    value = _parsed(cell)
    if isinstance(value, (list, tuple, np.ndarray)):
        return {_name(each): 1.0 for each in value}
    if not isinstance(value, Mapping):
        raise FileError(
            f"{table.place(row)}: column {column!r} holds {_shown(cell)}",
            why="it says which documents answer the query",
            fix='write an object such as {"document id": 1}, or a list of ids',
        )
    found = {}
    for document, grade in value.items():
        if grade is None:  # parquet: a column for each name, empty where a row has none
            continue
        known = number(grade)
        if known is None or not math.isfinite(known) or known < 0:
            raise FileError(
                f"{table.place(row)}: the grade of document {document!r} is {_shown(grade)}",
                why="a grade is a number from 0",
                fix="correct it",
            )
        found[str(document)] = known
    return found


def words(column: Sequence[Any]) -> bool:
    """Whether most cells of a column are texts that are no numbers."""
    present = [cell for cell in column if not is_missing(cell)]
    textual = sum(isinstance(cell, str) and number(cell) is None for cell in present)
    return bool(present) and 2 * textual > len(present)


def number(cell: Any) -> float | None:
    """A cell as a number; None where it is none."""
    if isinstance(cell, (bool, np.bool_)):
        return float(cell)
    if isinstance(cell, (int, float, np.number)):
        return float(cell)
    if isinstance(cell, str) and cell.strip() and "_" not in cell:
        try:
            return float(cell)
        except ValueError:
            return None
    return None


def relevance(table: Table, row: int, cell: Any) -> bool:
    """A label within a list as right or wrong: a grade, or one of the words for yes and no."""
    value = number(cell)
    if value is None and isinstance(cell, str):
        value = _TRUE_OR_FALSE.get(cell.strip().casefold())
    if value is None or math.isnan(value):
        raise FileError(
            f"{table.place(row)}: {_shown(cell)} is no label of a candidate",
            why="it is 1 (right) or 0; true and false, yes and no mean the same",
            fix="correct the row; call the columns positive and negative where both are lists of texts",
        )
    return value > 0


_TRUE_OR_FALSE = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


def _text(table: Table, row: int, column: str, cell: Any) -> str:
    if isinstance(cell, str) and cell and not cell.isspace():
        return cell
    empty = is_missing(cell)
    raise FileError(
        f"{table.place(row)}: column {column!r} {'has no text' if empty else f'holds {kind_of(cell)}'}",
        why="without a text there is no meaning to compare" if empty else "a text is needed",
        fix="complete it, or remove the row" if empty else "name the columns: --columns",
    )


def _parsed(cell: Any) -> Any:
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _name(cell: Any) -> str:
    """A label or an id as a text: 3 for 3.0, and no white space around it."""
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell)).lower()
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def _shown(cell: Any) -> str:
    if is_missing(cell):
        return "nan" if isinstance(cell, (float, np.floating)) else "empty"
    text = repr(cell)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _some(found: list[str]) -> str:
    return ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")
