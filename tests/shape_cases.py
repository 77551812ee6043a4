"""Files as people have them, with what is true of each (files/shapes): read as the first command reads them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearsense._notes import told_to
from nearsense.datasets.roles import roles_of
from nearsense.errors import NearsenseError
from nearsense.faq.entries import read_items
from nearsense.files import Dialect, documents, read_table

FOLDER = Path(__file__).parent / "files" / "shapes"


def cases(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """What is true of each file."""
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]


@dataclass
class Read:
    """What a command made of a file: how many rows, the first and the last text, what it took for what."""

    rows: int
    first: str
    last: str
    columns: tuple[str, ...]
    said: list[str]


def read(path: Path, command: str, words: Sequence[str] = ()) -> Read:
    """Read a file as a command does, with options as they are typed."""
    typed = dict(zip(words[::2], words[1::2], strict=False))
    how = Dialect(
        delimiter=typed.get("--delimiter"),
        quote=typed.get("--quote"),
        sheet=typed.get("--sheet"),
        records=typed.get("--records"),
        sql=typed.get("--sql"),
        skip_uneven="--skip-uneven" in words,
    )
    said: list[str] = []
    with told_to(said.append):
        if command == "faq":
            items = read_items(path, dialect=how)
            last = [items[-1].question, *items[-1].phrasings][-1]
            return Read(len(items), items[0].question, last, ("question",), said)
        encoding = typed.get("--encoding", "auto")
        table = read_table(path, dialect=how, encoding=encoding, format=typed.get("--format"))
        if command == "evaluate":
            columns = roles_of(table, None, None).columns
            cells = table.columns[columns[0]]
            return Read(len(table), cells[0].strip(), cells[-1].strip(), columns, said)
        made = documents(table, skip_empty="--skip-empty" in words, text=typed.get("--text"))
        found = made.items[0].text.strip(), made.items[-1].text.strip()
        return Read(len(table), *found, (made.text,), said)


def outcome(case: dict[str, Any], folder: Path = FOLDER) -> tuple[str, str]:
    """ "works", "asks" with a line that works, "told" with a reason, or "wrong"; and what was read or said."""
    path = folder / case["file"]
    try:
        found = read(path, case["command"])
    except NearsenseError as error:
        for choice in error.choices:
            try:
                read(path, case["command"], shlex.split(choice))
            except NearsenseError as again:
                return "wrong", f"{choice}: {again.what}"
        return ("asks" if error.choices else "told"), f"{error.what}; {error.fix}"
    rows = [case["rows"], *case.get("also_ok_rows", [])]
    if case["command"] == "faq":
        rows.append(case["rows"] - case.get("empty_texts", 0))
    told = found.rows in case.get("also_ok_rows", ()) and found.said
    if told:
        return "told", "; ".join(found.said)
    if path.suffix == ".txt" and found.rows in case.get("also_ok_rows", ()):
        return "works", f"{found.rows} lines"
    right = found.rows in rows and is_one_of(found.first, case, "first") and is_one_of(found.last, case, "last")
    return (
        "works" if right else "wrong"
    ), f"{', '.join(found.columns)}: {found.rows} rows, {found.first!r}, {found.last!r}"


def is_one_of(text: str, case: dict[str, Any], which: str) -> bool:
    """Whether a text is the one that is true, or as good."""
    return text in (case[which], case.get(f"also_{which}"))
