"""Counts how far a call walks through the house: files of the package that it enters, and calls within them.

    python scripts/count_walks.py

Five calls by the default model, each made twice and counted the second time, when everything is loaded; what is
counted is what Python enters on the calling thread, a generator once for each value. The commit before: see git.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType

import nearsense as ns
from nearsense.cli import main

SOURCES = str(Path(ns.__file__).parent) + os.sep
THINGS = ("parcel", "invoice", "password", "account", "refund", "delivery", "voucher", "address")
TEXTS = [
    text
    for thing in THINGS
    for text in (
        f"Where is my {thing}?",
        f"My {thing} has not come.",
        f"How do I change the {thing}?",
        f"Please cancel the {thing}.",
        f"The {thing} is wrong.",
    )
]


def walk(call: Callable[[], object]) -> tuple[set[str], int, int]:
    """Files of the package that a call enters, steps from one file to another, and calls within it."""
    call()
    files: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCES):
            files.append(frame.f_code.co_filename.removeprefix(SOURCES))

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return {*files}, sum(a != b for a, b in pairwise(files)), len(files)


def command(*words: str) -> None:
    """A command as it is typed, its output thrown away."""
    before, sys.argv = sys.argv, ["nearsense", *words]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            main()
    finally:
        sys.argv = before


def walks(folder: Path) -> dict[str, Callable[[], object]]:
    """What is counted; the texts, the collection and the FAQ are made before."""
    table = folder / "texts.csv"
    table.write_text("id,text\n" + "".join(f"{row},{text}\n" for row, text in enumerate(TEXTS)))
    collection = ns.open(folder / "collection")
    collection.add(ns.Document(str(row), text, {"row": row}) for row, text in enumerate(TEXTS))
    faq = ns.FAQ([{"question": text, "answer": f"{row}"} for row, text in enumerate(TEXTS[::5])])
    return {
        "ns.search, 4 texts": lambda: ns.search("a lost parcel", TEXTS[:4]),
        "Collection.search with a filter": lambda: collection.search("a lost parcel", where={"row": {"<": 20}}),
        "ns.duplicates, 5 texts": lambda: ns.duplicates(TEXTS[:5]),
        "nearsense cluster, 40 rows": lambda: command("cluster", str(table)),
        "FAQ.answer": lambda: faq.answer("where is the parcel"),
    }


if __name__ == "__main__":
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
    print(f"{'call':<34}{'files':>6}{'steps':>7}{'calls':>8}")
    with tempfile.TemporaryDirectory() as place:
        for name, call in walks(Path(place)).items():
            files, steps, calls = walk(call)
            print(f"{name:<34}{len(files):>6}{steps:>7}{calls:>8}")
            if "-v" in sys.argv:
                print(*sorted(files), sep="\n")
