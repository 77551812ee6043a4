"""Cells that a spreadsheet would take for a formula, made texts, where that is asked for. Not how csv is written.

Excel, LibreOffice and Google Sheets run a cell that begins with = + - or @ (after a tab or a line end, too),
wherever its text came from. An apostrophe before it makes it a text. That changes data, so it is not done unasked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["csv_cell", "escaping", "formulas_escaped"]

_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?\s*%?")

_on: ContextVar[bool] = ContextVar("formulas escaped", default=False)


@contextmanager
def formulas_escaped(on: bool = True) -> Iterator[None]:
    """Write csv and tsv within the block so that no cell is a formula."""
    token = _on.set(on)
    try:
        yield
    finally:
        _on.reset(token)


def escaping() -> bool:
    """Whether that is asked for."""
    return _on.get()


def csv_cell(text: str) -> str:
    """A cell as it is written; numbers stay numbers.

    Example:
        >>> with formulas_escaped():
        ...     csv_cell("=1+1"), csv_cell("-5.2"), csv_cell("a=b")
        ("'=1+1", '-5.2', 'a=b')
        >>> csv_cell("=1+1")
        '=1+1'
    """
    if not _on.get() or not _FORMULA.match(text) or _NUMBER.fullmatch(text.strip(" ")):
        return text
    return f"'{text}"
