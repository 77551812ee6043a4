"""A table on a terminal of any width: which columns there is room for, and how wide each is. Not what they say.

What was found stays: texts, ids, what differs, and how probable it is while texts can be read beside it. Other
figures go first, then remarks (reading, tier, reason); how many columns are not shown is said. Widths are those of
the terminal, where a Chinese letter or an emoji takes two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

__all__ = ["Row", "one_line", "print_table", "printable", "shown_columns"]

Row = Sequence[str]

LONGEST_CELL = 500
"""Characters of a text that a table shows; the other forms give all."""

COMFORTABLE, READABLE, LEAST, NARROWEST = 24, 16, 12, 4
"""Columns of the terminal for a text: before there are figures beside it, before there is a probability, at least,
where nothing else fits."""

TIGHT = 60
"""Columns of the terminal below which no space is spent on air."""

DIFFERS, PROBABILITY = "differs", "probability>"
REMARKS = ("reading", "tier", "reason", "stays", "prediction", "truth", "domain", "comes from")
"""Columns that go before texts, ids and what differs do, and after all figures."""

NAMES = ("model",)
"""Columns that keep the room they need: a name is not broken."""

ONE_LINE = ("exemplar",)
"""Columns whose texts end where the line does."""

BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown_columns(columns: Sequence[str], naturals: Sequence[int], width: int) -> list[int]:
    """The places of the columns that a terminal so wide shows, of their names and how wide each is by itself.

    A name that ends in `>` is of figures, which are never wrapped.

    Example:
        >>> shown_columns(["#>", "score>", "id", "text"], [1, 6, 6, 70], 80)
        [0, 1, 2, 3]
        >>> shown_columns(["#>", "score>", "id", "text"], [1, 6, 6, 70], 20)
        [2, 3]
    """
    figures = [place for place, name in enumerate(columns) if name.endswith(">")]
    remarks = [place for place, name in enumerate(columns) if name in (DIFFERS, *REMARKS)]
    texts = [place for place in range(len(columns)) if place not in {*figures, *remarks}]
    gap, room_of_all = (3, width + 1) if width >= TIGHT else (2, width + 2)  # no gap before the first; two edges
    shown: list[int] = []

    def wide(place: int, text: int) -> int:
        whole = place in figures or columns[place] in NAMES
        return gap + (naturals[place] if whole else min(naturals[place], text))

    def add(places: Sequence[int], text: int, before: int) -> bool:
        """Show as many of some columns as there is room for beside those before; the first of all always."""
        room = room_of_all - sum(wide(place, before) for place in shown)
        for place in places:
            room -= wide(place, text)
            if shown and room < 0:
                return False
            shown.append(place)
        return True

    add(texts[::-1], NARROWEST, NARROWEST)  # what stands last is read first where space is short
    add([place for place in remarks if columns[place] == DIFFERS], LEAST, LEAST)
    likely = [place for place in figures if columns[place] == PROBABILITY]
    others = [place for place in figures if columns[place] != PROBABILITY]
    if add(likely, 0, READABLE) and add(others, 0, COMFORTABLE):
        add([place for place in remarks if columns[place] != DIFFERS], LEAST, COMFORTABLE)
    return sorted(shown)


def print_table(console: Any, columns: Sequence[str], cells: Sequence[Row]) -> None:
    """Print the columns of some rows that there is room for; how many there is none for is said."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    heads = [printable(name.removesuffix(">")) for name in columns]
    rows = [[printable(cell) for cell in row] for row in cells]
    naturals = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    shown = shown_columns(columns, naturals, console.width)
    tight: dict[str, Any] = {"padding": (0, 1, 0, 0), "show_edge": False} if console.width < TIGHT else {}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", **tight)
    texts = [place for place in shown if columns[place] in ONE_LINE]
    room = console.width - (2 if tight else 3) * (len(shown) - 1)
    room -= sum(
        naturals[place] if columns[place].endswith(">") else min(naturals[place], COMFORTABLE)
        for place in shown
        if place not in texts
    )
    for place in shown:
        figures, whole = columns[place].endswith(">"), place in texts
        table.add_column(
            Text(heads[place]),
            justify="right" if figures else "left",
            width=min(naturals[place], max(room // len(texts), LEAST)) if whole else None,
            no_wrap=figures or whole,
            overflow="ellipsis" if whole else "fold",
        )
    for row in rows:
        table.add_row(*(Text(row[place]) for place in shown))
    console.print(table)
    if more := len(columns) - len(shown):
        console.print(f"{more:,} more column{'s'[: more > 1]}: --csv or --json shows all", style="dim")


def printable(text: str) -> str:
    """A text as a table shows it: on one line, and not longer than a person reads there."""
    return one_line(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…")


def one_line(text: str) -> str:
    """A text on one line, without characters that steer a terminal or the direction of writing."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in BIDI else c for c in text)
