"""calibrate --ask: pairs are shown, a person says whether they mean the same, and every answer is kept at once.

Not which pairs: see calibration/learning.py. The conversation goes to standard error; results go where all go.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._paths import exists
from nearsense.calibration.fitting import LEAST
from nearsense.cli.inputs import typed_lines
from nearsense.errors import FileError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.calibration.learning import Spread
    from nearsense.encoders import Encoder

ENOUGH = 0.2
"""The mean width of the interval of the pairs' probabilities at which no more is asked."""

EVERY = 5
"""Labels between two looks at that width."""

STRATUM = ("stratum", "stratum_pairs")
"""Columns that say of an answer from which part its pair was drawn, and how many pairs that part has."""

_YES, _NO, _SKIP, _UNDO, _QUIT = "ynsuq"
_WORDS = {"yes": _YES, "no": _NO, "skip": _SKIP, "undo": _UNDO, "quit": _QUIT, "1": _YES, "0": _NO}
_HELP = "y: the same, n: not, s: skip, u: undo, q: quit; what is answered is kept"


@dataclass(slots=True)
class Desk:
    """Pairs, and what was said of them so far."""

    pairs: Sequence[tuple[str, str]]  # those that may be asked for
    scores: NDArray[np.float64]  # (n,): what the model gives them
    spread: Spread  # the same by score
    file: str  # where answers are kept
    most: int  # how many labels are asked for at most, those that were there among them
    prove: Sequence[float] = ()  # precisions that the labels shall prove; the pairs are drawn evenly then
    rows: list[dict[str, Any]] = field(default_factory=list)  # the answers as they stand in the file, in order
    skipped: list[int] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)

    def resume(self) -> None:
        """Take up what was answered another time; a file that holds something else is refused."""
        if not exists(self.file) or not Path(self.file).stat().st_size:
            return
        from nearsense.files import read_table

        table = read_table(self.file)
        if not {"a", "b", "label"} <= set(table.columns):
            what = f"{self.file} is there and holds no answers"
            why = f"answers have columns a, b and label; it has {', '.join(table.columns) or 'none'}"
            raise FileError(what, why=why, fix="name another file for the answers: --labels FILE")
        for row in range(len(table)):
            known = {name: column[row] for name, column in table.columns.items()}
            if str(known["label"]) not in ("0", "1"):
                what, why = (
                    f"{table.place(row)}: the label is {known['label']!r}",
                    "an answer is 1 (the same) or 0 (not)",
                )
                raise FileError(what, why=why, fix="correct it, or remove the row")
            self.rows.append(known | {"label": int(known["label"])})

    def lacks(self) -> str:
        """What answers lack for a calibration, in words; empty where they are enough."""
        if len(self.rows) < LEAST:
            return f"{LEAST - len(self.rows)} more"
        return "" if len({row["label"] for row in self.rows}) > 1 else "some that are not all alike"

    def next(self) -> int | None:
        """The pair to ask for; None where no more are needed or there are none."""
        return None if len(self.rows) >= self.most else self.spread.next(self._labelled(), self.skipped)

    def answer(self, pair: int, same: bool) -> None:
        """Keep an answer, in the file too, at once."""
        a, b = self.pairs[pair]
        part = (self.spread.names[self.spread.strata[pair]], self.spread.size(pair))
        self.rows.append({"a": a, "b": b, "label": int(same), **dict(zip(STRATUM, part, strict=True))})
        self.steps.append(("label", pair))
        self._write()

    def skip(self, pair: int) -> None:
        """Leave a pair out this time."""
        self.skipped.append(pair)
        self.steps.append(("skip", pair))

    def undo(self) -> int | None:
        """Forget the last answer; which pair it was of, None where nothing was answered this time."""
        if not self.steps:
            return None
        what, pair = self.steps.pop()
        if what == "skip":
            self.skipped.pop()
        else:
            self.rows.pop()
            self._write()
        return pair

    def width(self) -> float | None:
        """The mean width of the pairs' intervals; None where there are too few labels for any."""
        from nearsense.calibration import learn_calibration
        from nearsense.records import Origin

        scores, labels = self._judged()
        if len(labels) < LEAST or labels.min() == labels.max() or scores.min() == scores.max():
            return None
        low, high = learn_calibration(scores, labels, Origin("", "")).interval(self.scores)
        return float((high - low).mean())

    def proven(self) -> bool:
        """Whether the labels prove what they shall."""
        from nearsense.calibration.threshold import Labelled, at_least_precision

        scores, labels = self._judged()
        try:
            for wanted in self.prove:
                at_least_precision(Labelled(scores, labels), wanted)
        except InputError:
            return False
        return True

    def _judged(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Scores and labels of what was answered of these pairs."""
        import numpy as np

        places = {pair: place for place, pair in enumerate(self.pairs)}
        known = [(places[row["a"], row["b"]], row["label"]) for row in self.rows if (row["a"], row["b"]) in places]
        return self.scores[[place for place, _ in known]], np.array([label for _, label in known], bool)

    def _labelled(self) -> list[int]:
        said = {frozenset((row["a"], row["b"])) for row in self.rows}
        return [place for place, pair in enumerate(self.pairs) if frozenset(pair) in said]

    def _write(self) -> None:
        from nearsense.files import write_table

        if not self.rows:  # the only one was undone
            Path(self.file).unlink(missing_ok=True)
            return
        write_table(self.file, self.rows, columns=["a", "b", "label", *STRATUM])


def require_labels_file(flag: str, file: str, source: str) -> None:
    """Refuse to keep answers where something else is, or in what cannot hold them, before anything costly."""
    from nearsense.cli.outputs import require_targets

    if not file.endswith((".csv", ".tsv", ".jsonl")):
        why = "they are kept as csv, tsv or jsonl"
        raise InputError(f"{file} cannot keep answers", why=why, fix="--labels labels.csv")
    require_targets({flag: file}, {"FILE": source})


def talk(desk: Desk, encoder: Encoder) -> None:
    """Ask until the interval is narrow enough, or there are as many labels as wanted, or no more pairs, or quit.

    Ctrl-C is passed on: what was answered is in the file by then.
    """
    lines, asked, width = typed_lines(), 0, desk.width()
    if desk.rows:
        _say(f"{_counted(desk)} are in {desk.file} already.")
    _say(_HELP)
    pair = desk.next()
    try:
        while pair is not None and (width is None or width > ENOUGH or not desk.proven()):
            _show(desk, pair, width, encoder)
            said = _said(lines)
            if said is None and not asked and not desk.rows and not sys.stdin.isatty():
                raise InputError(
                    "there is nobody to ask",
                    why="standard input is no terminal, and there are no answers in it",
                    fix="run it in a terminal, or give answers: yes | nearsense calibrate --ask FILE",
                )
            asked += 1
            if said is None or said == _QUIT:
                break
            if said == _UNDO:
                before = desk.undo()
                pair = pair if before is None else before
                _say("nothing was answered before" if before is None else "once more:")
                continue
            if said == _SKIP:
                desk.skip(pair)
            else:
                desk.answer(pair, said == _YES)
            if len(desk.rows) % EVERY == 0 and said != _SKIP:
                width = desk.width()
            pair = desk.next()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{_counted(desk)} are kept in {desk.file}", "", "type the same again to go on"
        ) from None
    _say(f"{_counted(desk)} in {desk.file}{'' if width is None else f', the interval is {width:.2f} wide'}.")


def _said(lines: Iterator[str | bytes]) -> str | None:
    """What was answered; None at the end of input. What is no answer is asked again."""
    for typed in lines:
        line = typed.decode("utf-8", "replace") if isinstance(typed, bytes) else typed
        if not sys.stdin.isatty():
            _say("")  # nobody has typed an end of line
        word = line.strip().casefold()
        word = _WORDS.get(word, word)
        if word in (_YES, _NO, _SKIP, _UNDO, _QUIT):
            return word
        _say(f"{line.strip()[:20]!r} is no answer. {_HELP}" if word else _HELP)
        _prompt()
    return None


def _counted(desk: Desk) -> str:
    same = sum(row["label"] for row in desk.rows)
    return f"{len(desk.rows):,} label{'s'[: len(desk.rows) != 1]} ({same:,} the same)"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _prompt() -> None:
    sys.stderr.write("the same? [y/n/s/u/q] ")
    sys.stderr.flush()


def _show(desk: Desk, pair: int, width: float | None, encoder: Encoder) -> None:
    """A pair one text above the other, what one has to itself in bold; what the guard sees differ below it."""
    from rich.console import Console
    from rich.text import Text

    from nearsense.pair_differences import pair_differences
    from nearsense.tables import printable
    from nearsense.terminal import steerable

    a, b = (printable(text) for text in desk.pairs[pair])
    console = Console(file=steerable(sys.stderr), highlight=False)
    told = "" if width is None else f", interval {width:.2f} wide, {ENOUGH:.2f} will do"
    if desk.prove:
        told += f", to be proven: {', '.join(f'{each:.0%}' for each in desk.prove)}"
    console.print(f"\n{len(desk.rows) + 1} of at most {desk.most}{told}", style="dim", markup=False)
    for name, own, other in (("a", a, b), ("b", b, a)):
        line = Text(f"{name}  ", style="dim")
        for piece, alone in _pieces(own, other):
            line.append(piece, style="not dim bold underline" if alone else "not dim")
        console.print(line)
    seen = pair_differences([desk.pairs[pair][0]], [desk.pairs[pair][1]], encoder=encoder)[0]
    if seen:
        console.print(f"differs: {printable(', '.join(map(str, seen)))}", style="dim", markup=False)
    _prompt()


def _pieces(own: str, other: str) -> Iterator[tuple[str, bool]]:
    """The words of a text, and whether the other lacks them there."""
    words, others = own.split(" "), other.split(" ")
    folded = [[word.casefold().strip(".,;:?!") for word in each] for each in (words, others)]
    matched = difflib.SequenceMatcher(None, folded[0], folded[1], autojunk=False)
    for what, begin, end, _, _ in matched.get_opcodes():
        for place in range(begin, end):
            yield words[place], what != "equal"
            if place < len(words) - 1:
                yield " ", False
