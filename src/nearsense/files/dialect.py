"""How a file is to be taken apart, as a user says it, where its content does not tell."""

from __future__ import annotations

from dataclasses import dataclass

from nearsense.errors import InputError

QUOTES = {"double": '"', "single": "'", "none": ""}


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""What was said of a file; None, "" and False where nothing was.

    Args:
        delimiter: What stands between the fields of a csv file; `tab` and `\t` are a tab.
        quote: What stands around fields: `"`, `'`, or `none`.
        header: Whether the first row names the columns.
        skip_uneven: Leave records out that have more or fewer fields than the header.
        sheet: Of a workbook: a sheet's name, or its place from 1.
        records: Of a json file: where its rows are, as `path.to.list`.
        sql: Of a database: what to ask it.

    Raises:
        InputError: A delimiter or a quotation mark is no single character.
    """

    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    skip_uneven: bool = False
    sheet: str | None = None
    records: str | None = None
    sql: str | None = None

    def __post_init__(self) -> None:
        delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(self.delimiter or "", self.delimiter)
        quote = QUOTES.get(self.quote or "", self.quote)
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n\0"'):
            what, why = f"the delimiter is {self.delimiter!r}", "it is one character, or tab"
            raise InputError(what, why=why, fix="--delimiter ';'")
        if quote and (len(quote) != 1 or quote in "\r\n\0" or quote == delimiter):
            what, why = f"the quotation mark is {self.quote!r}", "it is one character, or none"
            raise InputError(what, why=why, fix="--quote none")
        object.__setattr__(self, "delimiter", delimiter)
        object.__setattr__(self, "quote", quote)


PLAIN = Dialect()
"""Nothing was said."""
