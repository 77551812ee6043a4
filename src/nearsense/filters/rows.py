"""Filters on the rows of a file, by its columns: what they mean is that of a collection's (where.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nearsense.errors import InputError
from nearsense.files.documents import as_numbers
from nearsense.files.table import json_value, names_of
from nearsense.filters.where import Filter, matches, names, require_known, values_of

if TYPE_CHECKING:
    from nearsense.files import Table


def rows_where(where: Filter, table: Table) -> list[int]:
    """The rows of a table, from 0, that a filter lets pass.

    A column of csv or tsv whose cells are all written as numbers is numbers, as in a collection; an empty cell of
    such a column, and what is missing, is no value.

    Raises:
        InputError: A column is not there, or no row passes.

    Example:
        >>> from nearsense.files import Table
        >>> from nearsense.filters import parse_where
        >>> table = Table({"text": ["a", "b"], "year": ["2019", "2024"]}, [2, 3], "a.csv", untyped=True)
        >>> rows_where(parse_where("year>=2020"), table)
        [1]
    """
    asked = names(where)
    columns = {
        name: as_numbers(cells) or cells if table.untyped else cells
        for name, cells in table.columns.items()
        if any(each == name or each.startswith(f"{name}.") for each in asked)
    }

    def fields(row: int) -> dict[str, Any]:
        cells = ((name, json_value(column[row])) for name, column in columns.items())
        return {name: value for name, value in cells if value is not None}

    def known() -> Iterator[str]:
        yield from table.columns
        if not asked.issubset(table.columns):  # fields of objects within cells
            yield from (name for row in range(len(table)) for name, _ in values_of(fields(row)))

    require_known(where, known())
    found = [row for row in range(len(table)) if matches(where, fields(row))]
    if not found:
        what = f"{table.source}: none of {len(table):,} rows passes --where"
        why = f"a number never equals a text, and a text is compared letter for letter; {names_of(table)}"
        raise InputError(
            what, why=why, fix="compare with what the rows hold; --where 'zip=\"01067\"' asks for a text"
        )
    return found
