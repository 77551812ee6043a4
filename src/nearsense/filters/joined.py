"""Two filters typed as one: `status=open and lang=en`. Refused with both written apart; they are never a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from nearsense.errors import InputError
from nearsense.filters.mistyped import OTHER_SIGNS, corrected, option, written

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_JOIN = re.compile(r"\s(and|or)\s+(?:not\s+)?|\s*(&&|\|\||;|,)\s*|\s*(&|\|)\s*", re.IGNORECASE)
_OR = ("or", "||", "|")


def refuse_joined(text: str, read: Callable[[str], tuple[str, str, str] | None]) -> None:
    """Refuse a text that is two filters."""
    for left, join, right in _splits(text):
        first, second = _filter(left, read), _filter(right, read)
        if first is None or second is None:
            continue
        listed = first[1].endswith("in") and join == ","  # tag in a,b=c
        sentence = " " in second[0].strip() and second[1][-1].isalpha()  # name=rock and a lot of roll in it
        address = join in "&|" and "?" in first[2]  # url=https://example.org/?a=1&b=2
        if listed or sentence or address:
            continue
        whole = read(text)
        meant = (
            ""
            if whole is None
            else f"; if the value is meant: {option(written(whole[0], whole[1], json.dumps(whole[2])))}"
        )
        both = " ".join(option(each) for part in (left, right) for each in _right(part.strip(), read))
        if join.lower() in _OR:
            both = f"--where '{{\"or\": [{_json(first)}, {_json(second)}]}}'"
        raise InputError(
            f"{json.dumps(text, ensure_ascii=False)} is two filters",
            why="each --where takes one; all of them have to fit",
            fix=both + meant,
        )


def _filter(part: str, read: Callable[[str], tuple[str, str, str] | None]) -> tuple[str, str, str] | None:
    """A part that is a filter, also one with the operator of another language."""
    found = read(part)
    other = corrected(part, read) if found is None and OTHER_SIGNS.search(part) else None
    return read(other[1][0]) if other else found


def _right(part: str, read: Callable[[str], tuple[str, str, str] | None]) -> list[str]:
    """A part as it is to be typed."""
    found = corrected(part, read)
    return found[1] if found else [part]


def _splits(text: str) -> Iterator[tuple[str, str, str]]:
    """What stands at the left and at the right of each word that joins, and that word; not inside of quotes."""
    bare = _QUOTED.sub(lambda found: "x" * len(found.group()), text)
    for found in _JOIN.finditer(bare):
        yield text[: found.start()], next(filter(None, found.groups())), text[found.end() :]


def _json(part: tuple[str, str, str]) -> str:
    name, op, value = part
    if op.endswith("exists"):
        return json.dumps({name: {"exists": op == "exists"}})
    try:
        read = json.loads(value)
    except ValueError:
        read = [item.strip() for item in value.split(",")] if op.endswith("in") else value
    return json.dumps({name: read if op in ("=", "==") else {op: read}}, ensure_ascii=False)
