"""Questions as users ask them, with the entry that answers each. What a FAQ learns of them is in rehearsal.py."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

from nearsense.errors import FileError, InputError
from nearsense.faq.items import FAQItem
from nearsense.faq.reading import COLUMNS, columns_found, id_of
from nearsense.files import read_table
from nearsense.files.columns import find_column, names_of
from nearsense.files.table import is_missing
from nearsense.text import as_texts

__all__ = ["labelled_of", "rows_of"]


def labelled_of(path: str) -> list[tuple[str, str | None]]:
    """Questions with the id of their entry, from a file; an empty id is a stranger's.

    Raises:
        FileError: A column is missing, or a question is empty; the line is named.
    """
    table = read_table(path)
    found = columns_found(table, dict.fromkeys(COLUMNS))
    id_ = found["id"] or find_column(table, ("label", "expected"))
    if id_ is None:
        fix = "call it id; leave the cell empty where no entry answers"
        raise FileError(f"{path} has no column with the entry of each question", why=names_of(table), fix=fix)
    pairs = []
    for row, (text, entry) in enumerate(
        zip(table.columns[found["question"] or ""], table.columns[id_], strict=True)
    ):
        if not isinstance(text, str) or is_missing(text):
            raise FileError(f"{table.place(row)}: the question is empty", fix="write it, or remove the row")
        pairs.append((text, None if is_missing(entry) else id_of(entry)))
    return pairs


def rows_of(labelled: Iterable[tuple[str, Any]], items: list[FAQItem]) -> tuple[list[str], list[int]]:
    """The labelled questions, and the row of each one's entry; -1 for none.

    Args:
        labelled: A question and the id of its entry each; numbers are taken as the ids that they are written as.
        items: The entries.

    Raises:
        InputError: One is no pair, or of an entry that is not there; its position is named.
    """
    rows = {item.id: row for row, item in enumerate(items)}
    texts, found = [], []
    if not isinstance(labelled, Iterable):
        raise InputError(f"labelled is {labelled!r}", fix='give pairs: [("a question", "its id"), ...]')
    for position, pair in enumerate(labelled):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(
                f"labelled question {position} is no pair", fix='give ("a question", "its id" or None)'
            )
        text, given = pair
        id_ = _id(given)
        if given is not None and id_ not in rows:
            raise InputError(
                f"labelled question {position} is of the entry {given!r}, which is not in the FAQ",
                why=f"its ids are: {', '.join(str(each) for each in list(rows)[:5])}, ...",
                fix="correct the id, or give None where no entry answers",
            )
        texts.append(text)
        found.append(-1 if given is None else rows[id_])
    if not texts:
        raise InputError("no labelled question", fix="give some, or leave labelled out")
    return as_texts(texts, "labelled question", content=True), found


def _id(given: Any) -> str | None:
    """A text or a number as an id; None for all else, which no entry has."""
    if isinstance(given, str):
        return given
    return id_of(given) if not isinstance(given, bool) and isinstance(given, Real) else None
