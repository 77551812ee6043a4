"""An entry more in the file that a FAQ was made of: read back before it is written, written aside, then renamed.

The file stays as its owner wrote it: a row is added, no other byte changes. Which row that is, is found by trying:
what does not read back as the entries before and the new one is not taken.
"""

from __future__ import annotations

import csv
import json
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from nearsense.errors import FileError, InputError
from nearsense.faq.entries import FAQItem, columns_found, plain, read_items
from nearsense.files import Table, read_table
from nearsense.files.formats import Compression, Format, compression_of, format_of
from nearsense.files.names import FAQ_NAMES
from nearsense.files.streams import atomic_write

DELIMITERS = ",;\t|"
KEPT = ["question", "answer", "category", "id"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A file of a FAQ as it will be.

    Args:
        path: The file.
        before: What it holds now.
        after: What it will hold.
        items: The entries that are in it then.
    """

    path: Path
    before: bytes
    after: bytes
    items: list[FAQItem]

    def write(self) -> None:
        """Put it in the place of the file.

        Raises:
            FileError: It cannot be written, or somebody else has changed the file meanwhile; it is as it was then.
        """
        if self.path.read_bytes() != self.before:
            what, why = f"{self.path.name} has been changed meanwhile", "what was changed would be lost"
            raise FileError(what, why=why, fix="try again")
        with atomic_write(self.path) as stream:
            stream.write(self.after)


def draft_with(path: Path, entry: FAQItem) -> Draft:
    """A FAQ's file with an entry more; with the id of one that is there, it is one more way to ask that.

    Args:
        path: The file: jsonl, csv, tsv, or json with a list of entries; UTF-8.
        entry: What is added; without an id it gets one, where the file has a column of ids.

    Raises:
        InputError: The file has no place for what the entry says, or the question is there already.
        FileError: The file cannot be read, or not be written so that it reads back.
    """
    form = format_of(str(path), None)
    if form not in (Format.JSONL, Format.CSV, Format.TSV, Format.JSON) or compression_of(path.name) is not (
        Compression.NONE
    ):
        what, why = f"{path.name} cannot be written back", "entries are added to jsonl, csv, tsv and json"
        raise FileError(what, why=why, fix="convert it, and start the server with that file")
    if not path.is_file():
        what, why = f"{path.name} is not there any more", "it was when the server was started"
        raise FileError(what, why=why, fix="put it back")
    known = _items(path, form)
    content = path.read_bytes()
    asked = {plain(text): item for item in known for text in (item.question, *item.phrasings)}
    for text in (entry.question, *entry.phrasings):
        if (other := asked.get(plain(text))) is not None:
            what = f"{text!r} is asked already, by the entry {other.id!r}"
            raise InputError(what, why="a question with two entries has no right answer", fix="edit that entry")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        why, fix = "it is not UTF-8", "save it as UTF-8, and start the server anew"
        raise FileError(f"{path.name} cannot be written back", why=why, fix=fix) from None
    table = read_table(path, format=form.value)
    row = _row(table, entry)
    for candidate in _candidates(text, row, table, form):
        items = _read_back(candidate, form)
        if items is not None and _holds(items, known, entry):
            return Draft(path, content, candidate.encode(), items)
    why = "with the new row it does not read back as the entries that it had and the new one"
    raise FileError(f"{path.name} cannot be written back", why=why, fix="add the entry with an editor")


def _items(path: Path, form: Format) -> list[FAQItem]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they were given when the server was started
        return read_items(path, format=form.value)


def _row(table: Table, entry: FAQItem) -> dict[str, Any]:
    """The entry in the columns of the file."""
    names = columns_found(table, dict.fromkeys(FAQ_NAMES), wider=True)
    said = {name: getattr(entry, name) for name in KEPT} | {"phrasings": list(entry.phrasings) or None}
    if names["id"] and said["id"] is None:
        said["id"] = _new_id(table.columns[names["id"]])
    for name, value in said.items():
        if value is not None and names[name] is None:
            fix = f"leave it out, or give the file a column {name}"
            raise InputError(f"the file of this FAQ has no column for the {name}", why="it would be lost", fix=fix)
    return {column: said[name] for name, column in names.items() if column and said[name] is not None}


def _new_id(taken: list[Any]) -> str | int:
    """An id like those that are there: the next number where all are numbers."""
    numbers = [str(cell) for cell in taken if cell is not None]
    if numbers and all(each.isascii() and each.isdigit() for each in numbers):
        following = max(map(int, numbers)) + 1
        return following if any(isinstance(cell, int) for cell in taken) else str(following)
    return uuid.uuid4().hex[:12]


def _candidates(text: str, row: Mapping[str, Any], table: Table, form: Format) -> Iterator[str]:
    """What the file may be with the row, the likeliest first."""
    end = "\r\n" if "\r\n" in text else "\n"
    begun = text if text.endswith(("\n", "\r")) else text + end
    if form is Format.JSONL:
        yield begun + json.dumps(row, ensure_ascii=False) + end
    elif form is Format.JSON:
        whole = text.rstrip()
        body = whole.removesuffix("]").rstrip()
        if whole.endswith("]"):
            added = json.dumps(row, ensure_ascii=False)
            yield f"{body},{end}  {added}{end}]{text[len(whole) :] or end}"
    else:
        header = text.lstrip("\ufeff").splitlines()[0]
        signs = "\t" if form is Format.TSV else sorted(DELIMITERS, key=header.count, reverse=True)
        cells = [_cell(row.get(name)) for name in table.columns]
        for sign in signs:
            written = StringIO()
            csv.writer(written, delimiter=sign, lineterminator="").writerow(cells)
            yield begun + written.getvalue() + end


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _read_back(content: str, form: Format) -> list[FAQItem] | None:
    """The entries of a content; None where it is no FAQ."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"faq.{form.value}"
        file.write_bytes(content.encode())
        try:
            return _items(file, form)
        except InputError:
            return None


def _holds(items: list[FAQItem], known: list[FAQItem], entry: FAQItem) -> bool:
    """Whether the entries are those that were known, and the new question; perhaps as a phrasing of one."""
    by_question = {plain(item.question): item for item in items}
    for item in known:
        now = by_question.get(plain(item.question))
        if now is None or (now.answer, now.category, now.id) != (item.answer, item.category, item.id):
            return False
        if not {*map(plain, item.phrasings)} <= {*map(plain, now.phrasings)}:
            return False
    added = next(
        (each for each in items if plain(entry.question) in map(plain, (each.question, *each.phrasings))), None
    )
    if added is None or not 0 <= len(items) - len(known) <= 1:
        return False
    asked = {*map(plain, (added.question, *added.phrasings))}
    return {*map(plain, entry.phrasings)} <= asked and entry.answer in (None, added.answer)
