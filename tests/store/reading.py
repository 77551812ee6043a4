"""What test_readonly.py lets children do: read a collection that they may not write, as others or on a mount."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import nearsense as ns
from fakes import HashEncoder
from nearsense.errors import NearsenseError

Say = Callable[[str], None]


def fill(folder: Path, documents: int = 40, *, build: bool = True) -> None:
    """A collection with one field, and with derived files that lack the last document."""
    with ns.open(folder, HashEncoder()) as made:
        made.add([ns.Document(str(number), f"text number {number}", {"n": number}) for number in range(documents)])
        if build:
            made.build()
        made.add([ns.Document("last", "the last words", {"n": -1})])


def everything(folder: Path, out: Path) -> list[str]:
    """All that reads, as lines that are the same wherever it is done; what goes wrong is a line, too."""
    lines: list[str] = []
    with ns.open(folder, HashEncoder(), create=False) as there:
        for name, ask in {
            "search": lambda: [(hit.id, round(hit.score, 5)) for hit in there.search("text number 7", k=3)],
            "words": lambda: [hit.id for hit in there.search("last", k=1, mode="lexical")],
            "filter": lambda: [hit.id for hit in there.search("text", k=50, where={"n": {"<": 2}})],
            "vectors": lambda: there.nearest(np.ones((1, 16), np.float32), k=1)[0][0].id,
            "similar": lambda: [hit.id for hit in there.similar("3", k=2)],
            "get": lambda: [each and each.text for each in there.get(["last", "none"])],
            "count": lambda: (len(there), there.count({"n": {">=": 30}})),
            "info": lambda: (there.info().documents, there.info().fields, there.info().pending),
            "verify": lambda: (there.verify().ok, there.verify().documents, there.verify().findings),
            "export": lambda: there.export(out / "all.jsonl"),
            "backup": lambda: backed_up(there, out / "copy"),
        }.items():
            try:
                lines.append(f"{name}: {ask()}")
            except NearsenseError as error:
                lines.append(f"{name}: {type(error).__name__} {error.what}")
        for act in (
            lambda: there.add([ns.Document("new", "new")]),
            lambda: there.delete("1"),
            there.build,
            there.compact,
        ):
            try:
                act()
                lines.append("changed")
            except NearsenseError as error:
                lines.append(type(error).__name__)
    return lines


def backed_up(there: ns.Collection, target: Path) -> int:
    """A backup is a collection that can be written."""
    with ns.open(there.backup(target), HashEncoder()) as copy:
        copy.add([ns.Document("more", "more")])
        return len(copy)


def as_somebody_else(say: Say, folder: str, out: str, warm: str) -> None:
    """Read it all as another user; what the program imports late is imported before."""
    logging.getLogger("nearsense").addHandler(logging.StreamHandler(sys.stderr))
    fill(Path(warm) / "c")
    everything(Path(warm) / "c", Path(warm))
    os.setegid(65534)
    os.seteuid(65534)
    for line in everything(Path(folder), Path(out)):
        say(line)


def beside_a_writer(say: Say, folder: str, warm: str, steps: int) -> None:
    """One who may only read goes on reading while the owner writes, closes and opens again."""
    fill(Path(warm) / "c")
    everything(Path(warm) / "c", Path(warm))
    heard, told = os.pipe()
    done, tell = os.pipe()
    if (child := os.fork()) == 0:
        os.close(told)
        os.setegid(65534)
        os.seteuid(65534)
        with ns.open(folder, HashEncoder(), create=False) as there:
            while os.read(heard, 1) == b"x":
                say(f"{len(there)} {there.search('fresh words', k=1)[0].id} {there.verify().ok}")
                os.write(tell, b"x")
        os._exit(0)
    os.close(tell)
    for step in range(steps):
        with ns.open(folder, HashEncoder()) as owner:
            owner.upsert([ns.Document("fresh", f"fresh words {step}"), ns.Document(f"new {step}", "text")])
            if step % 3 == 1:
                owner.compact()
            if step % 2:
                os.write(told, b"x")
                os.read(done, 1)
        if not step % 2:
            os.write(told, b"x")
            os.read(done, 1)
    os.write(told, b".")
    assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    for line in everything(Path(sys.argv[1]), Path(sys.argv[2])):
        print(line)
