"""Where in a JSON document its rows are: lists within objects, objects by key, pandas' ways, a map of texts.

Not how a row becomes columns, and not which column is what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from shlex import quote
from typing import Any, NamedTuple

from nearsense._notes import tell
from nearsense.errors import FileError
from nearsense.files.judging import words_in
from nearsense.files.names import is_known

PARTS = frozenset(("train", "training", "test", "testing", "dev", "val", "valid", "validation"))
"""Names of lists that are the parts of one data set."""

NAMING = ("name", "title", "label", "heading", "category", "topic", "id")
"""What a group calls itself."""


class Place(NamedTuple):
    """A list of rows in a document: the names on the way to it, and its rows with what they inherit."""

    path: tuple[str, ...]
    rows: list[Any]

    @property
    def typed(self) -> str:
        """As --records takes it."""
        return ".".join(self.path)


def rows_at(source: str, value: Any, path: str) -> list[Any]:
    """The rows at a path that the user named; lists on the way are followed into each of their entries.

    Raises:
        FileError: There is nothing, or no list.
    """
    wanted = tuple(part for part in path.split(".") if part)
    rows = list(_followed(value, wanted, {}, ""))
    if not rows:
        places = [place.typed for place in _places(value) if place.path]
        why = f"its lists are at: {', '.join(places[:8])}" if places else "it has no list of objects"
        fix = f"--records {quote(places[0])}" if places else "leave --records out"
        raise FileError(f"{source} has no rows at {path!r}", why=why, fix=fix)
    return rows


def found_rows(source: str, value: Any) -> list[Any] | None:
    """The rows of a document that is none of the plain kinds; said where they were; None where there are none.

    Raises:
        FileError: Two lists are as likely.
    """
    if isinstance(value, dict):
        for shape in (_by_columns, split_frame, _parts_of, _by_key, _mapped):
            if (rows := shape(value)) is not None:
                return rows
    places = [place for place in _places(value) if place.path]
    if not places:
        return None
    ranked = sorted(places, key=_likeness, reverse=True)
    best = ranked[0]
    near = [
        each for each in ranked if _likeness(each)[0] == _likeness(best)[0] and 2 * len(each.rows) > len(best.rows)
    ]
    if len(near) > 1 and not _within(near):
        choices = [f"--records {quote(each.typed)}" for each in near[:4]]
        why = f"its lists at {' and '.join(each.typed for each in near[:4])} are as likely"
        raise FileError(f"{source}: where are its rows?", why=why, fix=", or ".join(choices), choices=choices)
    tell(f"rows: {len(best.rows):,} at {best.typed}; --records to choose another list")
    return best.rows


def _within(places: Sequence[Place]) -> bool:
    """Whether each of the lists lies in an entry of the one before."""
    paths = sorted((place.path for place in places), key=len)
    return all(longer[: len(path)] == path for path, longer in pairwise(paths))


def _likeness(place: Place) -> tuple[int, int, int]:
    """How much a list is like rows of texts: names that are known, then how many rows."""
    names = {name for row in place.rows[:20] if isinstance(row, dict) for name in _names(row)}
    known = sum(is_known(name) for name in names)
    return int(known > 0), min(known, 2), len(place.rows)


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    for name, cell in row.items():
        if isinstance(cell, str) or (isinstance(cell, list) and cell and isinstance(cell[0], str)):
            yield name
        elif isinstance(cell, dict):
            yield from _names(cell)


def _places(value: Any, path: tuple[str, ...] = (), known: Mapping[str, Any] | None = None) -> list[Place]:
    """Every list of objects, or of texts if there is nothing else, with what its rows inherit."""
    found: list[Place] = []
    if len(path) > 8:
        return found
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        if path:
            found.append(Place(path, list(_followed(value, (), known or {}, path[-1]))))
        for name in dict.fromkeys(name for each in value[:100] for name in each):
            deeper = list(_followed(value, (name,), known or {}, path[-1] if path else ""))
            nested = any(isinstance(row.get(name), list) for row in value)
            if deeper and nested and all(isinstance(each, dict) for each in deeper):
                found.append(Place((*path, name), deeper))
                found += [Place((*path, name, *each.path), each.rows) for each in _places(deeper) if each.path]
    elif isinstance(value, dict):
        for name, each in value.items():
            found += _places(each, (*path, name), known)
    return found


def _followed(value: Any, path: tuple[str, ...], known: Mapping[str, Any], own: str) -> Iterator[Any]:
    """The rows at a path below a value, each with what the objects above it say of themselves."""
    if isinstance(value, list) and (path or all(isinstance(each, dict) for each in value)):
        for each in value:
            yield from _followed(each, path, known, own)
        return
    if isinstance(value, list):
        yield from value
        return
    if not isinstance(value, dict):
        return
    if not path:
        yield {**value, **{name: cell for name, cell in known.items() if name not in value}}
        return
    above = dict(known)
    if own:
        above |= {
            _inherited(name, own): cell for name, cell in value.items() if not isinstance(cell, (dict, list))
        }
    if path[0] in value:
        yield from _followed(value[path[0]], path[1:], above, path[0])


def _inherited(name: str, group: str) -> str:
    """What a field of a group is called in its rows: the name of the categories is the category."""
    if name.casefold() not in NAMING:
        return f"{group}.{name}"
    single = re.sub(r"ies$", "y", group) if group.endswith("ies") else group.removesuffix("s")
    return single if name.casefold() != "id" else f"{single}.id"


def _by_columns(value: dict[str, Any]) -> list[Any] | None:
    """The default of pandas: columns, each an object of cells by row."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return None
    rows = list(columns[0])
    if any(list(column) != rows for column in columns) or not all(name.isdigit() for name in rows):
        return None
    return [{name: column[row] for name, column in value.items()} for row in rows]


def split_frame(value: dict[str, Any]) -> list[Any] | None:
    """The split of pandas: names, and rows of cells."""
    names, rows = value.get("columns"), value.get("data")
    if not isinstance(names, list) or not isinstance(rows, list) or not names:
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return None
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def _parts_of(value: dict[str, Any]) -> list[Any] | None:
    """Several lists of alike objects: each list's name is the category, or the part, of its rows."""
    lists = {name: rows for name, rows in value.items() if isinstance(rows, list) and rows}
    if len(lists) < 2 or not all(isinstance(row, dict) for rows in lists.values() for row in rows):
        return None
    fields = [set().union(*rows) for rows in lists.values()]
    if len(set.intersection(*fields)) * 2 < len(set.union(*fields)):
        return None
    name = "split" if all(each.casefold() in PARTS for each in lists) else "category"
    tell(f"rows: in {len(lists)} lists; their names are the column {name}")
    return [{**({} if name in row else {name: key}), **row} for key, rows in lists.items() for row in rows]


def _by_key(value: dict[str, Any]) -> list[Any] | None:
    """Alike objects by their keys, which are their ids."""
    rows = list(value.values())
    if len(rows) < 2 or not all(isinstance(row, dict) for row in rows):
        return None
    shared = set.intersection(*map(set, rows))
    if not shared or not any(isinstance(row[name], str) for row in rows for name in shared):
        return None
    tell("rows: an object for each key; the keys are the ids")
    return [{**({} if "id" in row else {"id": key}), **row} for key, row in value.items()]


def is_map(value: dict[str, Any]) -> bool:
    """Whether an object is one of texts by texts, questions perhaps, and no record."""
    texts = len(value) > 1 and all(isinstance(cell, str) for cell in value.values())
    return texts and sum(map(words_in, value)) >= 2.5 * len(value) and not any(map(is_known, value))


def _mapped(value: dict[str, Any]) -> list[Any] | None:
    """Texts by texts: questions and what is answered."""
    if not is_map(value):
        return None
    tell("rows: a text for each key; the keys are the column question, the texts answer")
    return [{"question": key, "answer": cell} for key, cell in value.items()]
