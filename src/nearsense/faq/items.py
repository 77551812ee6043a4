"""What an entry of a FAQ is, and how rows become entries: phrasings joined, clashes refused. Not the reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nearsense.errors import InputError

__all__ = ["FAQItem", "Row", "entries"]


@dataclass(frozen=True, slots=True)
class FAQItem:
    """An entry of a FAQ.

    Args:
        question: As it stands in the FAQ.
        answer: What is answered; None where only the question is known.
        phrasings: Other ways to ask the same.
        category: Under which heading it stands.
        id: Unique within the FAQ; its position (from 0) or line without it.
        metadata: Further fields; they travel with the hit.
    """

    question: str
    answer: str | None = None
    phrasings: Sequence[str] = ()
    category: str | None = None
    id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

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
    """Rows that share an id, or without ids an answer, are phrasings of one entry; the first gives its question.

    Args:
        rows: What was given, in order.
        error: The error to raise.

    Returns:
        Entries with an id each; `phrasings` has each once, and not the question again.

    Raises:
        InputError: A question is empty, two entries ask the same, an entry's rows answer differently, or there is
            no entry at all. Both places are named.

    Example:
        >>> made = entries([Row(FAQItem("Where is it?", "See the mail."), "item 0", "0"),
        ...                 Row(FAQItem("Track my order", "See the mail."), "item 1", "1")])
        >>> made[0].question, made[0].phrasings
        ('Where is it?', ('Track my order',))
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    if not groups:
        raise error("the FAQ has no entry", fix="give at least one question")
    asked: dict[str, tuple[int, str]] = {}
    ids: dict[str, str] = {}
    return [_joined(place, group, asked, ids, error) for place, group in enumerate(groups.values())]


def _key(row: Row) -> tuple[str, str]:
    """What rows of one entry share."""
    if row.item.id is not None:
        return "id", row.item.id
    return ("answer", " ".join(row.item.answer.split())) if row.item.answer else ("row", row.number)


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
            plain = _plain(text, row, error)
            other, place = asked.setdefault(plain, (number, row.place))
            if other != number:
                raise error(
                    f"{place} and {row.place} ask the same: {text!r}",
                    why="a question with two entries has no right answer",
                    fix="remove one, or give both the same id: then they are one entry",
                )
            phrasings.setdefault(plain, text)
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


def _plain(text: str, row: Row, error: type[InputError]) -> str:
    """A question without what makes no difference."""
    if not isinstance(text, str) or not text or text.isspace():
        what = "a question is empty" if isinstance(text, str) else f"a question is {text!r}"
        raise error(
            f"{row.place}: {what}",
            why="an entry is found by its question",
            fix="write the question, or remove the entry",
        )
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise error(
            f"{row.place}: a question holds NUL or half a surrogate pair",
            why="it is no character of a text, it comes from a broken conversion",
            fix="remove it",
        )
    return " ".join(text.casefold().split())


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
