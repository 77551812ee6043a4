"""What a FAQ is made of: entries with phrasings and answers, read from records, files, collections; and labels."""

from __future__ import annotations

import contextlib
import json
import tempfile
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from nearsense._notes import tell
from nearsense.checks import is_number
from nearsense.columns import is_frame
from nearsense.corpus import Frame, table_of
from nearsense.documents.formats import is_table
from nearsense.errors import FileError, InputError
from nearsense.files import Table, read_table
from nearsense.files.columns import id_of as key_of
from nearsense.files.columns import is_key, role_of
from nearsense.files.dialect import PLAIN, Dialect
from nearsense.files.judging import Content, Portrait, is_missing, portrait
from nearsense.files.names import FAQ_NAMES as COLUMNS
from nearsense.files.streams import AUTO
from nearsense.files.table import columns_of, find_column, json_value, names_of, require_column
from nearsense.records import Document, as_json, require_names, shown
from nearsense.text import as_texts

TELLING = 5  # words from which on an answer tells which entry it is of. "Yes." is the answer to many questions


@dataclass(frozen=True, slots=True)
class FAQItem:
    """An entry of a FAQ.

    Args:
        question: As it stands in the FAQ.
        answer: What is answered; None where only the question is known.
        phrasings: Other ways to ask the same.
        category: Under which heading it stands.
        id: Unique within the FAQ; its position (from 0) or line without it. A whole number becomes a string.
        metadata: Further fields; they travel with the hit.

    Raises:
        InputError: A field is of another type, or the id is empty.
    """

    question: str
    answer: str | None = None
    phrasings: Sequence[str] = ()
    category: str | None = None
    id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given: Any = self.id
        if not isinstance(given, bool) and isinstance(given, Integral):
            object.__setattr__(self, "id", str(given))
        optional = (("answer", self.answer), ("category", self.category), ("id", self.id))
        for name, value in (("question", self.question), *(each for each in optional if each[1] is not None)):
            if not isinstance(value, str):
                raise InputError(f"a{'n' * (name in _VOWELS)} {name} is {value!r}", fix=f"give a string as {name}")
        if self.id is not None and (not self.id or self.id.isspace()):
            raise InputError("an id is empty", fix="leave it out, or give a string")
        if not isinstance(self.metadata, Mapping):
            raise InputError(f"the metadata are {shown(self.metadata)}", fix='give a dict: {"link": ...}')
        require_names(self.metadata, f"the metadata of the entry {shown(self.question)}")
        object.__setattr__(self, "phrasings", _listed(self.phrasings))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "id question answer phrasings category metadata")


_VOWELS = ("answer", "id")


def _listed(phrasings: Any) -> tuple[str, ...]:
    """Phrasings as a tuple of strings."""
    if isinstance(phrasings, (str, bytes, Mapping)) or not isinstance(phrasings, Iterable):
        why, fix = "they are a list of questions", 'give a list: ["..."]'
        raise InputError(f"phrasings are {phrasings!r}", why=why, fix=fix)
    listed = tuple(phrasings)
    for each in listed:
        if not isinstance(each, str):
            raise InputError(f"a phrasing is {each!r}", fix="give strings as phrasings")
    return listed


@dataclass(frozen=True, slots=True)
class Row:
    """An item before it is known to which entry it belongs."""

    item: FAQItem
    place: str  # where it stands, for messages: "faq.csv, line 3", "item 2"
    number: str  # the id of an entry that has none: its number in a column of those, the line, or the position


def entries(rows: Iterable[Row], error: type[InputError] = InputError) -> list[FAQItem]:
    """Entries with an id each: rows that share an id are phrasings of one, and the first gives its question.

    Without ids, so are rows of one answer, if it has at least five words: a warning says how many were joined.
    `error` is raised, with both places, where a question is empty, two entries ask the same, the rows of an entry
    answer differently, or there is no entry at all.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    if not groups:
        raise error("the FAQ has no entry", fix="give at least one question")
    if joined := sum(len(group) - 1 for (by, _), group in groups.items() if by == "answer"):
        warnings.warn(
            f"{joined:,} row{'s have' if joined > 1 else ' has'} the answer of another and no id: taken as "
            "further phrasings of its question; give ids if they are entries of their own",
            stacklevel=5,
        )
    asked: dict[str, tuple[int, str]] = {}
    ids: dict[str, str] = {}
    return [_joined(place, group, asked, ids, error) for place, group in enumerate(groups.values())]


def _key(row: Row) -> tuple[str, str]:
    """What rows of one entry share."""
    if row.item.id is not None:
        return "id", row.item.id
    words = (row.item.answer or "").split()
    if not words:
        return "row", row.number
    answer = " ".join(words)
    return ("answer", answer) if len(words) >= TELLING else ("both", f"{answer}\n{plain(row.item.question)}")


def _joined(
    number: int,
    group: list[Row],
    asked: dict[str, tuple[int, str]],
    ids: dict[str, str],
    error: type[InputError],
) -> FAQItem:
    """One entry of its rows; `asked` and `ids` know those of the entries before."""
    first, phrasings = group[0], dict[str, str]()
    for row in group:
        for text in (row.item.question, *row.item.phrasings):
            known = _checked(text, row, error)
            other, place = asked.setdefault(known, (number, row.place))
            if other != number:
                raise error(
                    f"{place} and {row.place} ask the same: {text!r}",
                    why="a question with two entries has no right answer",
                    fix="remove one, or give both the same id: then they are one entry",
                )
            phrasings.setdefault(known, text)
    question, *others = phrasings.values()
    id_ = first.number if first.item.id is None else first.item.id
    if id_ in ids:
        why, fix = "one has it by its position, the other by name", "give all entries an id, or none"
        raise error(f"{ids[id_]} and {first.place} share the id {id_!r}", why=why, fix=fix)
    ids[id_] = first.place
    metadata = {name: value for row in reversed(group) for name, value in row.item.metadata.items()}
    answer, category = _agreed(group, "answer", error), _agreed(group, "category", error)
    return FAQItem(question, answer, tuple(others), category, id_, metadata)


def plain(text: str) -> str:
    r"""A question without what makes no difference: case, white space, how letters with accents are composed.

    Example:
        >>> plain(" Caf\u00e9?"), plain("CAFE\u0301?") == plain("caf\u00e9?")
        ('café?', True)
    """
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", text).casefold().split()))


def _checked(text: str, row: Row, error: type[InputError]) -> str:
    """A question as `plain` has it."""
    if not text or text.isspace():
        why, fix = "an entry is found by its question", "write the question, or remove the entry"
        raise error(f"{row.place}: a question is empty", why=why, fix=fix)
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        why = "it is no character of a text, it comes from a broken conversion"
        raise error(f"{row.place}: a question holds NUL or half a surrogate pair", why=why, fix="remove it")
    return plain(text)


def _agreed(group: list[Row], name: str, error: type[InputError]) -> str | None:
    """What the rows of an entry say; they may be silent, but not differ."""
    said: Row | None = None
    for row in group:
        value = getattr(row.item, name)
        if value is None:
            continue
        said = said or row
        first = getattr(said.item, name)
        if value != first:
            raise error(
                f"{said.place} and {row.place} are one entry and give two of {name}: "
                f"{str(first)[:40]!r}, {str(value)[:40]!r}",
                why=f"they share the id {row.item.id!r}",
                fix=f"write the {name} once, or give them different ids",
            )
    return None if said is None else str(getattr(said.item, name))


@runtime_checkable
class Exports(Protocol):
    """What of a Collection is needed here."""

    def export(self, path: str | Path, *, vectors: bool = True) -> int:
        """Write all documents into a file."""
        ...  # pragma: no cover

    def info(self) -> Any:
        """Which model it was made with, among others."""
        ...  # pragma: no cover


Source = Iterable[str | FAQItem | Document | Mapping[str, Any]] | str | Path | Exports | Frame | Table
"""What a FAQ can be made of."""


def read_items(
    source: Source,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = AUTO,
    dialect: Dialect = PLAIN,
) -> list[FAQItem]:
    """The entries of whatever a FAQ can be made of: items, a file, a Collection; errors name an item by its place.

    `columns` are what the columns of a file or record are called, where not as in `COLUMNS`. A warning says where
    rows were joined because they have one answer, or none has one though there are columns nothing is known of.
    """
    found = _entries_of(source, columns, format, encoding, dialect)
    unused = list(dict.fromkeys(name for item in found for name in item.metadata))
    ready = isinstance(source, (list, tuple)) and all(isinstance(each, FAQItem) for each in source)
    if unused and not ready and not any(item.answer for item in found):
        warnings.warn(
            f"no entry has an answer; columns that were taken for metadata: {', '.join(map(str, unused))}; name "
            'the one with the answers: --answer COLUMN, or columns={"answer": ...}',
            stacklevel=3,
        )
    return found


def _entries_of(
    source: Source,
    columns: Mapping[str, str] | None,
    format: str | None,  # noqa: A002 - the flag's name
    encoding: str,
    dialect: Dialect,
) -> list[FAQItem]:
    if unknown := {*(columns or {})} - {*COLUMNS}:
        raise InputError(f"columns={sorted(unknown)[0]!r} is not known", fix=f"use one of: {', '.join(COLUMNS)}")
    wanted: dict[str, str | None] = {**dict.fromkeys(COLUMNS), **(columns or {})}
    if isinstance(source, Exports):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "collection.jsonl"
            source.export(path, vectors=False)
            table = replace(read_table(path), source="collection", unit="document")
        return entries(_rows_of_table(table, {**wanted, "question": wanted["question"] or "text"}))
    if isinstance(source, Table):
        return entries(_rows_of_table(source, wanted, wider=True), FileError)
    if is_frame(source):
        return entries(_rows_of_table(table_of(source), wanted))
    if isinstance(source, (str, Path)):
        if format is None and not is_table(str(source)):
            return entries(_rows_of_document(source), FileError)
        table = read_table(str(source), format=format, encoding=encoding, dialect=dialect)
        return entries(_rows_of_table(table, wanted, wider=True), FileError)
    return entries(_rows(source, wanted))


def _rows_of_document(source: str | Path) -> Iterator[Row]:
    """Questions and answers as they are written in a document."""
    from nearsense.faq.written import asked_in

    for each in asked_in(source):
        yield Row(FAQItem(each.question, each.answer, category=each.category), each.place, each.number)


def _rows(source: Any, wanted: Mapping[str, str | None]) -> Iterator[Row]:
    """Items of a list, each by its kind."""
    if not isinstance(source, Iterable):
        fix = 'give [{"question": ..., "answer": ...}], a DataFrame, or a path'
        raise InputError(f"a FAQ cannot be made of {type(source).__name__}", fix=fix)
    for position, each in enumerate(source):
        place, number = f"item {position}", str(position)
        if isinstance(each, str):
            yield Row(FAQItem(each), place, number)
        elif isinstance(each, FAQItem):
            yield Row(each, place, number)
        elif isinstance(each, Document):
            own = {name: value for name, value in each.metadata.items() if name not in ("question", "id")}
            yield _row_of_record({"question": each.text, **own}, wanted, place, number, each.id)
        elif isinstance(each, Mapping):
            yield _row_of_record(each, wanted, place, number)
        else:
            raise InputError(
                f"{place} is of type {type(each).__name__}",
                why="an entry is a string, a record, a Document or a FAQItem",
                fix='give {"question": ..., "answer": ...}',
            )


def _row_of_record(
    record: Mapping[str, Any], wanted: Mapping[str, str | None], place: str, number: str, id_: str | None = None
) -> Row:
    row = next(_rows_of_table(Table(columns_of([record]), [int(number)], place, unit="item"), wanted))
    item = row.item if id_ is None else replace(row.item, id=id_)
    return Row(item, place if item.id is None else f"{place} ({item.id})", number)


def _rows_of_table(table: Table, wanted: Mapping[str, str | None], *, wider: bool = False) -> Iterator[Row]:
    names = columns_found(table, wanted, wider=wider)
    taken = {name for name in names.values() if name}
    key = _key_column(table, names) if wider else None
    left = 0
    for row in range(len(table)):
        cells: dict[str, Any] = {what: table.columns[name][row] if name else None for what, name in names.items()}
        metadata = {name: json_value(column[row]) for name, column in table.columns.items() if name not in taken}
        if wider:
            asked = _asked(cells)
            if (
                not asked
                and (isinstance(cells["phrasings"], list) or isinstance(cells["question"], list))
                and (not isinstance(cells["question"], str))
            ):
                left += 1
                continue
            if asked:
                cells |= {"question": asked[0], "phrasings": asked[1:]}
            if names["answer"] not in COLUMNS["answer"] and isinstance(cells["answer"], list):
                metadata[str(names["answer"])] = json_value(cells["answer"])  # any of them would do
                cells["answer"] = next(iter(cells["answer"]), None)
        try:
            item = FAQItem(
                question="" if is_missing(cells["question"]) else cells["question"],  # refused later, by its place
                answer=_said(cells["answer"]),
                phrasings=_phrasings(cells["phrasings"]),
                category=_said(cells["category"]),
                id=None if is_missing(cells["id"]) else id_of(cells["id"]),
                metadata=metadata,
            )
        except InputError as error:
            raise FileError(f"{table.place(row)}: {error.what}", why=error.why, fix=error.fix) from None
        place = table.place(row) if item.id is None else f"{table.place(row)} ({item.id})"
        yield Row(item, place, id_of(table.columns[key][row]) if key else str(table.lines[row]))
    if left:
        tell(f"left out: {left:,} entr{'y' if left == 1 else 'ies'} without a question")


def _key_column(table: Table, names: Mapping[str, str | None]) -> str | None:
    """The column that numbers the rows where nothing says which are one entry, as a search of the file has it."""
    wider = table.anew or find_column(table, COLUMNS["question"]) is None
    return key_of(table, [names["question"]]) if names["id"] is None and wider else None


def _asked(cells: Mapping[str, Any]) -> list[str]:
    """All ways to ask that a row has, where its question is a list or stands in its phrasings alone."""
    question = cells["question"]
    if isinstance(question, str) and not is_missing(question):
        return []
    listed = question if isinstance(question, list) else _phrasings(cells["phrasings"]) if question is None else ()
    return [each for each in listed if isinstance(each, str) and not is_missing(each)]


def columns_found(table: Table, wanted: Mapping[str, str | None], *, wider: bool = False) -> dict[str, str | None]:
    """Which column is what: by the names that are looked for first; `wider`: else by other names and by cells."""
    found: dict[str, str | None] = {}
    for what, names in COLUMNS.items():
        asked = wanted.get(what)
        if asked is not None:
            asked = require_column(table, asked, f"name one of them for the {what}")
        found[what] = asked or find_column(table, names)
    if wider:
        _look_wider(table, found)
    if found["question"] is None and len(table.columns) == 1:
        found["question"] = next(iter(table.columns))
    if found["question"] is None and not (wider and found["phrasings"]):
        fix = 'name it: --text COLUMN, or columns={"question": ...}'
        raise FileError(f"{table.source}: which column is the question?", why=names_of(table), fix=fix)
    for what in ("id", "category", "phrasings", "answer"):
        if found["question"] and found[what] == found["question"] and wanted.get(what) is None:
            found[what] = None
    return found


def _look_wider(table: Table, found: dict[str, str | None]) -> None:
    """Fill in the question and the answer by other names for them; else by which of two texts asks."""
    before = dict(found)
    for what in ("question", "answer", "phrasings"):
        if found[what] is None:
            found[what] = role_of(table, what, _is_said, [each for each in found.values() if each])
    if found["phrasings"] is None:
        found["phrasings"] = role_of(table, "question", _is_listed, [each for each in found.values() if each])
    looks = {name: portrait(cells) for name, cells in table.columns.items() if name not in found.values()}
    texts = [name for name, look in looks.items() if look.content is Content.TEXTS]
    if found["question"] is None and found["phrasings"] is None and texts:
        texts.sort(key=lambda each: -looks[each].asking)
        if len(texts) == 1 or looks[texts[0]].asking > looks[texts[1]].asking + 0.25:
            found["question"] = texts.pop(0)
    if found["answer"] is None and before["question"] is None and found["question"] and texts:
        found["answer"] = max(texts, key=lambda each: looks[each].weight)
    if found["category"] is None:
        found["category"] = role_of(table, "heading", _is_said, [each for each in found.values() if each])
    if found["id"] is None and found["question"] is None:
        found["id"] = role_of(table, "label", is_key, [each for each in found.values() if each])
    if new := [f"{what} {name}" for what, name in found.items() if name and name != before[what]]:
        tell(f"columns: {', '.join(new)}; --text, --answer to choose others")


def _is_said(look: Portrait, _cells: Sequence[Any]) -> bool:
    """Whether a column holds texts, or lists of them."""
    return look.content in (Content.TEXTS, Content.LABELS) or _is_listed(look, _cells)


def _is_listed(_look: Portrait, cells: Sequence[Any]) -> bool:
    return any(isinstance(cell, list) and all(isinstance(each, str) for each in cell) for cell in cells)


def _said(cell: Any) -> str | None:
    if is_missing(cell):
        return None
    value = json_value(cell)
    if isinstance(value, list):
        return "\n".join(str(each) for each in value) or None
    return value if isinstance(value, str) else str(value)


def id_of(cell: Any) -> str:
    """An id as a string: 7 and 7.0 are '7'."""
    value = json_value(cell)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _phrasings(cell: Any) -> tuple[str, ...]:
    """A list; or in a text, as csv has it, a JSON list, or parts between | or line ends."""
    if cell is None or is_missing(cell):
        return ()
    if isinstance(cell, str):
        if cell.lstrip().startswith("["):
            with contextlib.suppress(ValueError, RecursionError):
                cell = json.loads(cell)
        if isinstance(cell, str):
            parts = cell.replace("\r", "\n").replace("|", "\n").split("\n")
            return tuple(part.strip() for part in parts if part.strip())
    return cast("tuple[str, ...]", json_value(cell))


def labelled_of(path: str) -> list[tuple[str, str | None]]:
    """Questions with the id of their entry, from a file; an empty id is a stranger's."""
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

    Each is given with the id of its entry; numbers are taken as the ids that they are written as.
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
        id_ = given if isinstance(given, str) else None
        if is_number(given):
            id_ = id_of(given)
        if given is not None and id_ not in rows:
            raise InputError(
                f"labelled question {position}, {shown(text)}, is of the entry {given!r}, which is not in the FAQ",
                why=f"its ids are: {', '.join(str(each) for each in list(rows)[:5])}, ...; without a column "
                "of ids (id, entry) they are lines",
                fix="correct the id, give none where no entry answers, or name the FAQ's column: --id COLUMN",
            )
        texts.append(text)
        found.append(-1 if given is None else rows[id_])
    if not texts:
        raise InputError("no labelled question", fix="give some, or leave labelled out")
    return as_texts(texts, "labelled question", content=True), found
