"""What an entry of a FAQ is, and how rows become entries: phrasings joined, clashes refused. Not the reading."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from nearsense.errors import InputError
from nearsense.types import require_names, shown

__all__ = ["FAQItem", "Row", "entries", "plain"]

TELLING = 5
"""Words from which on an answer tells which entry it is of. "Yes." is the answer to many questions."""


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
        for name, value in (("question", self.question), *self._said()):
            if not isinstance(value, str):
                raise InputError(f"a{'n' * (name in _VOWELS)} {name} is {value!r}", fix=f"give a string as {name}")
        if self.id is not None and (not self.id or self.id.isspace()):
            raise InputError("an id is empty", fix="leave it out, or give a string")
        if not isinstance(self.metadata, Mapping):
            raise InputError(f"the metadata are {shown(self.metadata)}", fix='give a dict: {"link": ...}')
        require_names(self.metadata, f"the metadata of the entry {shown(self.question)}")
        object.__setattr__(self, "phrasings", _listed(self.phrasings))

    def _said(self) -> list[tuple[str, Any]]:
        """What may be left out and is not."""
        named = (("answer", self.answer), ("category", self.category), ("id", self.id))
        return [(name, value) for name, value in named if value is not None]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "id": self.id,
            "question": self.question,
            "answer": self.answer,
            "phrasings": list(self.phrasings),
            "category": self.category,
            "metadata": dict(self.metadata),
        }


_VOWELS = ("answer", "id")


def _listed(phrasings: Any) -> tuple[str, ...]:
    """Phrasings as a tuple of strings."""
    if isinstance(phrasings, (str, bytes, Mapping)) or not isinstance(phrasings, Iterable):
        raise InputError(
            f"phrasings are {phrasings!r}", why="they are a list of questions", fix='give a list: ["..."]'
        )
    listed = tuple(phrasings)
    for each in listed:
        if not isinstance(each, str):
            raise InputError(f"a phrasing is {each!r}", fix="give strings as phrasings")
    return listed


@dataclass(frozen=True, slots=True)
class Row:
    """An item before it is known to which entry it belongs.

    Args:
        item: What was given.
        place: Where it stands, for messages: "faq.csv, line 3", "item 2".
        number: The id of an entry that has none: the line, or the position from 0.
    """

    item: FAQItem
    place: str
    number: str


def entries(rows: Iterable[Row], error: type[InputError] = InputError) -> list[FAQItem]:
    """Rows that share an id are phrasings of one entry; the first gives its question.

    Without ids, so are rows of one answer, if it has at least five words: a warning says how many were joined.

    Args:
        rows: What was given, in order.
        error: The error to raise.

    Returns:
        Entries with an id each; `phrasings` has each once, and not the question again.

    Raises:
        InputError: A question is empty, two entries ask the same, an entry's rows answer differently, or there is
            no entry at all. Both places are named.

    Example:
        >>> made = entries([Row(FAQItem("Where is it?", id="t"), "item 0", "0"),
        ...                 Row(FAQItem("Track my order", "See the mail.", id="t"), "item 1", "1")])
        >>> made[0].question, made[0].phrasings
        ('Where is it?', ('Track my order',))
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
        raise error(
            f"{ids[id_]} and {first.place} share the id {id_!r}",
            why="one has it by its position, the other by name",
            fix="give all entries an id, or none",
        )
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
        raise error(
            f"{row.place}: a question is empty",
            why="an entry is found by its question",
            fix="write the question, or remove the entry",
        )
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise error(
            f"{row.place}: a question holds NUL or half a surrogate pair",
            why="it is no character of a text, it comes from a broken conversion",
            fix="remove it",
        )
    return plain(text)


def _agreed(group: list[Row], name: str, error: type[InputError]) -> str | None:
    """What the rows of an entry say; they may be silent, but not differ."""
    said: Row | None = None
    for row in group:
        value = getattr(row.item, name)
        if value is None:
            continue
        if said is not None and getattr(said.item, name) != value:
            raise error(
                f"{said.place} and {row.place} are one entry and give two of {name}: "
                f"{str(getattr(said.item, name))[:40]!r}, {str(value)[:40]!r}",
                why=f"they share the id {row.item.id!r}",
                fix=f"write the {name} once, or give them different ids",
            )
        said = said or row
    return None if said is None else str(getattr(said.item, name))
