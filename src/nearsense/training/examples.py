"""What a model learns from, of one of six kinds, read off the columns. Not how it learns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nearsense._paths import is_file
from nearsense.columns import is_frame
from nearsense.corpus import Frame, table_of
from nearsense.datasets.folders import of_table
from nearsense.datasets.kinds import (
    Clustering,
    Dataset,
    GradedPairs,
    Intents,
    LabelledPairs,
    Rerank,
    Retrieval,
    Task,
    Triplets,
    require_texts,
)
from nearsense.datasets.reading import read_dataset
from nearsense.datasets.roles import (
    ALONE,
    NO,
    YES,
    Request,
    build,
    find_roles,
    labels_in,
)
from nearsense.errors import FileError, InputError
from nearsense.files import Table, read_table
from nearsense.files.dialect import PLAIN, Dialect
from nearsense.files.names import LABEL_NAMES, PAIR_NAMES, QRELS_NAMES, RIGHT_NAMES, SCORE_NAMES
from nearsense.files.streams import AUTO
from nearsense.files.table import find_column, find_columns, names_of, require_column, texts_in
from nearsense.records import parse, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Kind(StrEnum):
    """What is known of some texts."""

    GRADED = "graded"
    """Two texts, and how near they are in sense: a number."""
    LABELLED = "labelled"
    """Two texts, and whether they mean the same."""
    ENTAILMENT = "entailment"
    """Two texts, and one of several labels of how the second follows from the first."""
    TRIPLETS = "triplets"
    """A text, one that is near to it and one that is not."""
    POSITIVES = "positives"
    """Two texts that belong together; all others are taken not to."""
    CLASSES = "classes"
    """A text and its label."""


WIDTHS = {
    Kind.GRADED: 2, Kind.LABELLED: 2, Kind.ENTAILMENT: 2, Kind.TRIPLETS: 3, Kind.POSITIVES: 2, Kind.CLASSES: 1,
}  # fmt: skip
"""How many columns of texts each kind has; all but triplets and positives have one more, of what is true."""

ENTAILMENT_LABELS = ("contradiction", "neutral", "entailment")
"""The labels of natural language inference, from far to near."""

_NUMBERED = {"0": "entailment", "1": "neutral", "2": "contradiction"}
"""How SNLI, MultiNLI and GLUE number them; -1 is where annotators did not agree."""

_UNDECIDED = ("-", "-1", "")

_TOGETHER = (
    ("anchor", "positive"), ("query", "positive"), ("question", "answer"), ("query", "answer"),
    ("question", "passage"), ("query", "document"), ("question", "document"),
)  # fmt: skip
"""What two columns of texts that belong together are called; those of pairs too, where no column says more."""

_PASSAGES = ("answer", "passage", "document", "positive", "context")
"""Second columns that are found, where first ones ask."""

_TASKS = {
    Kind.GRADED: Task.GRADED, Kind.LABELLED: Task.LABELLED, Kind.TRIPLETS: Task.TRIPLETS,
    Kind.CLASSES: Task.INTENTS,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Examples:
    """n examples of one kind, in columns. Made by `read_examples`, or by hand.

    Args:
        kind: What is known of the texts.
        texts: The columns of texts, n each: (a, b), (anchor, positive, negative) or (text,); see `WIDTHS`.
        truth: What is known, n of them: graded a float in [0, 1], labelled a bool, entailment and classes a label;
            empty for triplets and positives.
        labels: What can be true. Entailment: the labels, from far to near where that is known; classes: the labels
            in the order in which they appear; labelled: what the file calls "different" and "same".
        searching: The first column are queries, the others what is found: models with prompts read them so.
        scale: The least and the greatest score of graded pairs, as the file has them.
        name: What they are called in messages and reports.
        notes: What a reader of figures has to know: rows left out, say.

    Example:
        >>> examples = Examples(kind=Kind.POSITIVES, texts=(("a dog", "rain"), ("a hound", "wet weather")))
        >>> len(examples), examples.take([1]).rows()
        (2, [('rain', 'wet weather')])
    """

    kind: Kind
    texts: tuple[Sequence[str], ...]
    truth: Sequence[Any] = ()
    labels: tuple[str, ...] = ()
    searching: bool = False
    scale: tuple[float, float] | None = None
    name: str = "examples"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.texts) != WIDTHS[self.kind]:
            what = f"{self.name}: {len(self.texts)} columns of texts"
            raise InputError(what, why=f"{self.kind.value} have {WIDTHS[self.kind]}", fix="give as many")
        object.__setattr__(self, "texts", tuple(tuple(column) for column in self.texts))
        object.__setattr__(self, "truth", tuple(self.truth))
        sizes = {len(column) for column in self.texts}
        if self.kind not in (Kind.TRIPLETS, Kind.POSITIVES):
            sizes.add(len(self.truth))
        if len(sizes) > 1:
            what = f"{self.name}: columns of {', '.join(map(str, sorted(sizes)))} entries"
            raise InputError(what, why="they belong together one by one", fix="give as many in each")
        for column in self.texts:
            require_texts(self.name, "text", column)
        if not self.labels and self.kind in (Kind.CLASSES, Kind.ENTAILMENT):
            object.__setattr__(self, "labels", tuple(dict.fromkeys(self.truth)))

    def __len__(self) -> int:
        return len(self.texts[0])

    def __repr__(self) -> str:
        return f"Examples({self.name}, {len(self):,} {self.kind.value})"

    def rows(self) -> list[tuple[str, ...]]:
        """The texts of each example."""
        return list(zip(*self.texts, strict=True))

    def take(self, rows: Iterable[int] | NDArray[np.int64]) -> Examples:
        """Some of the examples, in the order given; what can be true stays."""
        chosen = [int(row) for row in rows]
        texts = tuple(tuple(column[row] for row in chosen) for column in self.texts)
        return replace(self, texts=texts, truth=tuple(self.truth[row] for row in chosen) if self.truth else ())

    def distinct_texts(self) -> list[str]:
        """All texts, each once, in the order in which they appear."""
        return list(dict.fromkeys(text for row in zip(*self.texts, strict=True) for text in row))

    def dataset(self) -> Dataset:
        """The same as a data set that models are measured on.

        Positives become queries and a corpus of all second texts; classes find their nearest among the others;
        entailment is graded by how near its labels are.

        Raises:
            InputError: Nothing can be measured on them: too few, only one thing is true, or labels of entailment
                that say no order.
        """
        rows: Any = self.rows()  # as many texts as the kind has
        match self.kind:
            case Kind.GRADED:
                return GradedPairs(name=self.name, pairs=rows, scores=self.truth)
            case Kind.LABELLED:
                words = cast("tuple[str, str]", self.labels or ("0", "1"))
                return LabelledPairs(name=self.name, pairs=rows, labels=self.truth, words=words)
            case Kind.ENTAILMENT:
                if not set(self.labels) <= set(ENTAILMENT_LABELS):
                    why = f"its labels are {', '.join(self.labels[:6])}"
                    raise InputError(f"{self.name}: no label says which pairs are near", why=why)
                scores = [float(ENTAILMENT_LABELS.index(label)) for label in self.truth]
                return GradedPairs(name=self.name, pairs=rows, scores=scores)
            case Kind.TRIPLETS:
                return Triplets(name=self.name, triplets=rows)
            case Kind.POSITIVES:
                ids = {text: str(number) for number, text in enumerate(dict.fromkeys(self.texts[1]))}
                judged: dict[str, dict[str, float]] = {}
                for query, text in rows:
                    judged.setdefault(query, {})[ids[text]] = 1.0
                found: dict[str, Any] = {"queries": list(judged), "judgements": list(judged.values())}
                return Retrieval(name=self.name, corpus={id_: text for text, id_ in ids.items()}, **found)
            case Kind.CLASSES:
                return Intents(name=self.name, texts=self.texts[0], labels=self.truth)


def read_examples(
    source: str | os.PathLike[str] | Dataset | Examples | Iterable[Sequence[Any]] | Frame | Table,
    *,
    kind: str | None = None,
    columns: Sequence[str] | None = None,
    positive: str | None = None,
    scale: tuple[float, float] | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = AUTO,
    dialect: Dialect = PLAIN,
) -> Examples:
    """Examples of a file, a folder, a data set or of tuples in memory; their kind follows from the columns.

    | kind | columns |
    | --- | --- |
    | graded | two texts and a number: `a,b,score` |
    | labelled | two texts and one of two labels: `a,b,label` |
    | entailment | two texts and entailment, neutral or contradiction: `premise,hypothesis,label` |
    | triplets | `anchor,positive,negative` |
    | positives | two texts and nothing else: `question,answer`, `anchor,positive`, `a,b` |
    | classes | `text,label` |

    Retrieval data sets become positives, those for reranking triplets; of a data set with a part whose labels are
    known it is that part.

    Args:
        source: A file that nearsense reads, a folder or a name of `read_dataset`, a frame, a Dataset, or tuples
            such as `("a", "b", 0.8)`; two texts alone are positives, unless `kind` says classes.
        kind: One of the table, where the columns leave a choice.
        columns: The columns in the order of the table, where their names do not tell.
        positive: The label of labelled pairs that means the same, where there are others than yes and no.
        scale: The least and the greatest score of graded pairs; those that occur without it.
        format: The file's, where its name does not tell.
        encoding: The file's, where it is not UTF-8 and does not show it.
        dialect: How the file is taken apart, where its content does not tell.

    Raises:
        FileError: The columns suit no kind, or a cell is not what its column should hold; file, line and columns
            are named.
        InputError: There is nothing of that name, or nothing can be learnt: labels of one class, constant scores.

    Example:
        >>> read_examples([("a dog", "a hound", 0.9), ("a dog", "a cat", 0.4), ("a dog", "rain", 0.0)])
        Examples(examples, 3 graded)
    """
    if isinstance(source, Examples):
        return source
    wanted = None if kind is None else parse(Kind, kind, name="kind")
    task = None if wanted is None else _TASKS.get(wanted)
    if isinstance(source, Dataset):
        return _of_dataset(source)
    path = Path()
    if isinstance(source, Table):
        table, path = source, Path(source.source)
    elif is_frame(source):
        table = table_of(source)
    elif not isinstance(source, (str, os.PathLike)):
        table = _table(cast("Iterable[Sequence[Any]]", source), wanted)
    elif str(source) == "-" or is_file(Path(source)):
        table, path = read_table(source, format=format, encoding=encoding, dialect=dialect), Path(source)
    else:
        how: dict[str, Any] = {"positive": positive, "scale": scale, "encoding": encoding, "dialect": dialect}
        return _of_dataset(read_dataset(source, task=task, columns=columns, **how))
    named = None if columns is None else tuple(columns)
    return _of_table(table, path, wanted, Request(task, named, scale, positive, format, encoding, dialect))


def _table(source: Iterable[Sequence[Any]], kind: Kind | None) -> Table:
    """Tuples in memory as a table with the names that files have."""
    rows = list(source)
    for place, row in enumerate(rows, 1):
        if isinstance(row, (str, bytes)) or not isinstance(row, Sequence) or len(row) not in (2, 3):
            what = f"example {place} is {shown(row)}"
            why = "an example is two texts, three, two texts and what is true of them, or a text and its label"
            raise InputError(what, why=why, fix='give tuples: [("a text", "another", 0.8), ...], or a file')
    widths = sorted({len(row) for row in rows})
    if len(widths) != 1:
        what = f"examples of {' and '.join(map(str, widths)) or 'no'} entries"
        raise InputError(what, why="all examples have the same parts", fix='give ("a", "b", 0.8) for each')
    cells = [list(column) for column in zip(*rows, strict=True)]
    if kind is Kind.CLASSES:
        names: tuple[str, ...] = ("text", "label")
    elif widths == [2]:
        names = ("a", "b")
    elif kind is Kind.TRIPLETS or (kind is None and _are_texts(cells[2])):
        names = ("anchor", "positive", "negative")
    else:
        scored = kind is None and any(isinstance(each, float) for each in cells[2])
        names = ("a", "b", "score" if scored else "label")
    columns = dict(zip(names, cells, strict=True))
    return Table(columns, list(range(1, len(rows) + 1)), "examples", unit="example")


def _are_texts(cells: Sequence[Any]) -> bool:
    """Whether a third column is one of texts: words of which most occur once, and that are no labels."""
    words = {cell for cell in cells if isinstance(cell, str)}
    known = {*YES, *NO, *ENTAILMENT_LABELS}
    return 2 * len(words) > len(cells) and not all(word.casefold() in known for word in words)


def _of_table(table: Table, path: Path, kind: Kind | None, request: Request) -> Examples:
    """Entailment and positives are read here; what else there is, data sets can be too."""
    columns = request.columns
    if columns is not None:
        fix = "name some of them: --columns NAME,NAME,..."
        columns = tuple(require_column(table, name, fix) for name in columns)
    if kind in (None, Kind.ENTAILMENT) and (found := _entailment_columns(table, columns, kind)):
        return _entailment(table, found)
    if kind in (None, Kind.POSITIVES) and (found := _positive_columns(table, columns, kind)):
        searching = found[1].casefold() in _PASSAGES
        return Examples(kind=Kind.POSITIVES, texts=_texts(table, found), searching=searching, name=table.source)
    roles = None
    if kind not in (Kind.ENTAILMENT, Kind.POSITIVES):
        roles = find_roles(table, request.task, columns, positive=request.positive)
    if roles is None:
        raise _teaches_nothing(table, kind, columns)
    made = of_table(table, roles, path, request) if path.name else build(table, roles, request)
    return _of_dataset(made)


_COLUMNS = {
    Kind.GRADED: "a,b,score", Kind.LABELLED: "a,b,label", Kind.ENTAILMENT: "premise,hypothesis,label",
    Kind.TRIPLETS: "anchor,positive,negative", Kind.POSITIVES: "question,answer", Kind.CLASSES: "text,label",
}  # fmt: skip
"""What columns of each kind may be called, for errors."""


def _teaches_nothing(table: Table, kind: Kind | None, columns: tuple[str, ...] | None) -> FileError:
    """Why nothing can be learnt from the columns, or not what was asked for."""
    said = f" as {', '.join(columns)}" if columns else ""
    what = f"{table.source}: what is to be learnt from it{said}?"
    known = "; ".join(f"{names} ({each.value})" for each, names in _COLUMNS.items())
    if kind is not None:
        what, known = f"{table.source}: no {kind.value} examples{said}", _COLUMNS[kind]
    fix = f"rename the columns, or name them in that order: --columns {_COLUMNS[kind or Kind.GRADED]}"
    return FileError(what, why=f"{names_of(table)}; known are {known}", fix=fix)


def _entailment_columns(
    table: Table, columns: tuple[str, ...] | None, kind: Kind | None
) -> tuple[str, ...] | None:
    """Two texts and a label of inference: by its words, or by its numbers where the texts are so called."""
    if columns is None:
        pair = next(find_columns(table, PAIR_NAMES), None)
        label = find_column(table, LABEL_NAMES) if pair else None
        if pair is None or label is None or (kind is None and find_column(table, SCORE_NAMES)):
            return None
        columns = (*pair, label)
    if len(columns) != 3:
        return None
    found = {str(cell).strip().casefold() for cell in table.columns[columns[2]]}
    named = found - set(_UNDECIDED) <= set(ENTAILMENT_LABELS) and "neutral" in found
    numbered = columns[1].casefold() == "hypothesis" and found - set(_UNDECIDED) == set(_NUMBERED)
    return columns if kind is Kind.ENTAILMENT or named or numbered else None


def _entailment(table: Table, columns: tuple[str, ...]) -> Examples:
    """Labels in one spelling; rows on which nobody agreed are left out."""
    decided = [row for row, cell in enumerate(table.columns[columns[2]]) if str(cell).strip() not in _UNDECIDED]
    notes: tuple[str, ...] = ()
    if left := len(table) - len(decided):
        notes = (f"{left:,} rows without a decided label were left out.",)
        chosen = {name: [column[row] for row in decided] for name, column in table.columns.items()}
        table = Table(chosen, [table.lines[row] for row in decided], table.source, None, table.unit, table.untyped)
    truth = labels_in(table, columns[2])
    if set(truth) <= set(_NUMBERED):
        truth = [_NUMBERED[label] for label in truth]
    if {label.casefold() for label in truth} <= set(ENTAILMENT_LABELS):
        truth = [label.casefold() for label in truth]
    found = set(truth)
    labels = tuple(label for label in ENTAILMENT_LABELS if label in found)
    return Examples(
        kind=Kind.ENTAILMENT,
        texts=_texts(table, columns[:2]),
        truth=truth,
        labels=labels if len(labels) == len(found) else tuple(sorted(found)),
        name=table.source,
        notes=notes,
    )


def _positive_columns(table: Table, columns: tuple[str, ...] | None, kind: Kind | None) -> tuple[str, ...] | None:
    """Two texts that belong together, where no other column says more of them."""
    if columns is not None:
        return columns if kind is Kind.POSITIVES and len(columns) == 2 else None
    found = next(find_columns(table, (*_TOGETHER, *PAIR_NAMES)), None)
    if found is None or kind is Kind.POSITIVES:
        return found
    said = (*LABEL_NAMES, *SCORE_NAMES, *QRELS_NAMES, *RIGHT_NAMES, "negative", "neg", "negatives")
    others = {name.casefold() for name in table.columns} - {name.casefold() for name in found}
    return None if others & set(said) else found


def _texts(table: Table, columns: Sequence[str]) -> tuple[list[str], ...]:
    fix = "complete it, or remove the row"
    return tuple(texts_in(table, name, fix, "name the columns: --columns") for name in columns)


RIGHTS = 4
"""Wrong candidates that stand beside each right one in triplets made of candidates."""


def _of_dataset(data: Dataset) -> Examples:
    """What can be learnt from a data set."""
    named: dict[str, Any] = {"name": data.name, "notes": tuple(note for note in data.notes if note != ALONE)}
    if isinstance(data, GradedPairs):
        low, high = data.scale or (0.0, 1.0)
        truth = [(score - low) / (high - low) for score in data.scores]
        return Examples(kind=Kind.GRADED, texts=_columns(data.pairs, 2), truth=truth, scale=(low, high), **named)
    if isinstance(data, LabelledPairs):
        named |= {"truth": [bool(label) for label in data.labels], "labels": data.words}
        return Examples(kind=Kind.LABELLED, texts=_columns(data.pairs, 2), **named)
    if isinstance(data, Triplets):
        return Examples(kind=Kind.TRIPLETS, texts=_columns(data.triplets, 3), **named)
    if isinstance(data, Retrieval):
        judged = zip(data.queries, data.judgements, strict=True)
        pairs = [(query, data.corpus[id_]) for query, found in judged for id_, grade in found.items() if grade > 0]
        return Examples(kind=Kind.POSITIVES, texts=_columns(pairs, 2), searching=True, **named)
    if isinstance(data, Rerank):
        triplets = []
        for query, texts, labels in zip(data.queries, data.candidates, data.labels, strict=True):
            wrong = [text for text, label in zip(texts, labels, strict=True) if not label]
            rights = [text for text, label in zip(texts, labels, strict=True) if label]
            triplets += [(query, right, other) for right in rights for other in wrong[:RIGHTS]]
        return Examples(kind=Kind.TRIPLETS, texts=_columns(triplets, 3), searching=True, **named)
    assert isinstance(data, (Intents, Clustering))
    texts, labels_of = data.texts, data.labels
    if isinstance(data, Intents) and data.known is not None:
        texts, labels_of = data.known, data.known_labels
    kept = [(text, label) for text, label in zip(texts, labels_of, strict=True) if label is not None]
    classes = [label for _, label in kept]
    return Examples(kind=Kind.CLASSES, texts=([text for text, _ in kept],), truth=classes, **named)


def _columns(rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], ...]:
    """Rows as columns, also where there are none."""
    return tuple([row[place] for row in rows] for place in range(width))
