"""Which columns of a file make which kind of data set. Not what stands in their cells: see cells.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nearsense.datasets.cells import number, words
from nearsense.datasets.kinds import Task
from nearsense.errors import FileError
from nearsense.files import Table
from nearsense.files.columns import PAIR_NAMES, TEXT_NAMES
from nearsense.files.streams import lookalike
from nearsense.files.table import is_missing

TRIPLET_NAMES = (
    ("anchor", "positive", "negative"),
    ("query", "positive", "negative"),
    ("query", "pos", "neg"),
    ("anchor", "pos", "neg"),
    ("premise", "entailment", "contradiction"),
)
QUERY_NAMES = ("query", "question", "anchor")
CANDIDATE_NAMES = ("candidates", "documents", "passages", "answers", "texts")
RIGHT_NAMES = ("labels", "relevance", "judgements", "relevant")
POSITIVE_NAMES = ("positive", "pos", "positives")
NEGATIVE_NAMES = ("negative", "neg", "negatives")
SCORE_NAMES = ("score", "similarity", "similarity_score", "relatedness", "relatedness_score", "rating", "gold")
LABEL_NAMES = (
    "label", "gold_label", "is_duplicate", "duplicate", "is_paraphrase", "paraphrase", "is_match", "match", "same",
    "nli", "entailment", "class",
)  # fmt: skip
CLASS_NAMES = ("label", "intent", "category", "class", "topic", "cluster", "target", "tag", "label_text")
QRELS_NAMES = ("rel", "relevant", "judgements", "qrels", "relevant_ids")
SPLIT_NAMES = ("split", "part", "fold", "set")
ID_NAMES = ("id", "_id", "uuid", "guid", "index")

NEEDED: dict[Task, str] = {
    Task.GRADED: "two columns of texts (a, b) and one of numbers (score)",
    Task.LABELLED: "two columns of texts (a, b) and one of two labels (label)",
    Task.TRIPLETS: "three columns of texts (anchor, positive, negative)",
    Task.RETRIEVAL: "a folder with corpus.* (id, text) and queries.* (id, query, rel)",
    Task.RERANK: "a query, and lists of candidates and labels (query, candidates, labels)",
    Task.INTENTS: "a column of texts and one of labels (text, label)",
    Task.CLUSTERING: "a column of texts and one of labels (text, label)",
}
"""What each task takes, for errors."""

KNOWN = ("a,b,score", "a,b,label", "anchor,positive,negative", "query,candidates,labels", "text,label")
"""What columns may be called, for errors."""

PAIRS = (Task.GRADED, Task.LABELLED)
LABELS = (Task.INTENTS, Task.CLUSTERING)


@dataclass(frozen=True, slots=True)
class Roles:
    """A task and the columns for it."""

    task: Task
    columns: tuple[str, ...]
    split: str | None = None


def roles_of(
    table: Table, task: Task | None, columns: Sequence[str] | None, *, positive: str | None = None
) -> Roles:
    """The task that a file's columns are made for, and which they are."""
    if positive is not None and task is None:
        task = Task.LABELLED
    if columns is not None:
        return _named(table, task, [_require(table, name) for name in columns])
    for looked_for, find in _FINDERS:
        if task is None or task in looked_for:
            found = find(table, task)
            if found is not None:
                return found
    raise _unsuited(table, task)


def _named(table: Table, task: Task | None, columns: list[str]) -> Roles:
    """The columns are said; the task follows from how many they are and what stands in them."""
    chosen = tuple(columns)
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None:
        raise FileError(f"{table.source}: column {twice!r} is named twice", fix="name each column once")
    if task is None:
        task = _guess(table, chosen)
    if task is None or len(chosen) != {Task.INTENTS: 2, Task.CLUSTERING: 2}.get(task, 3):
        raise _unsuited(table, task, chosen)
    return Roles(task, chosen, _known(table, SPLIT_NAMES) if task is Task.INTENTS else None)


def _guess(table: Table, columns: tuple[str, ...]) -> Task | None:
    if len(columns) == 2:
        return Task.INTENTS
    if len(columns) != 3:
        return None
    if any(isinstance(cell, (list, tuple)) for cell in table.columns[columns[1]][:5]):
        return Task.RERANK
    last = table.columns[columns[2]]
    if words(last) and len(set(map(str, last))) > MANY:
        return Task.TRIPLETS
    return _kind_of_pairs(table, columns[2])


MANY = 20
"""Different texts in a column of labels, at most; where there are more it is a column of texts."""


def _kind_of_pairs(table: Table, column: str) -> Task:
    """Graded by numbers of more than two values, else labelled."""
    cells = [cell for cell in table.columns[column] if not is_missing(cell)]
    if words(cells):
        return Task.GRADED if column.casefold() in SCORE_NAMES else Task.LABELLED
    values, name = {number(cell) for cell in cells}, column.casefold()
    if None in values and name in LABEL_NAMES:  # true beside 1
        return Task.LABELLED
    return Task.GRADED if len(values) > 2 or (len(values) == 1 and name in SCORE_NAMES) else Task.LABELLED


def _triplets(table: Table, task: Task | None) -> Roles | None:
    for wanted in TRIPLET_NAMES:
        found = [_known(table, [name]) for name in wanted]
        if all(found) and not _holds_lists(table, found[1]):
            return Roles(Task.TRIPLETS, tuple(name for name in found if name))
    return None


def _rerank(table: Table, task: Task | None) -> Roles | None:
    query = _known(table, QUERY_NAMES)
    if query is None:
        return None
    candidates, right = _known(table, CANDIDATE_NAMES), _known(table, RIGHT_NAMES)
    if candidates is not None and right is not None:
        return Roles(Task.RERANK, (query, candidates, right))
    good, bad = _known(table, POSITIVE_NAMES), _known(table, NEGATIVE_NAMES)
    if good is not None and bad is not None and (_holds_lists(table, good) or _holds_lists(table, bad)):
        return Roles(Task.RERANK, (query, good, bad))
    return None


def _retrieval(table: Table, task: Task | None) -> Roles | None:
    query, right = _known(table, (*QUERY_NAMES, "text")), _known(table, QRELS_NAMES)
    return None if query is None or right is None else Roles(Task.RETRIEVAL, (query, right))


def _pairs(table: Table, task: Task | None) -> Roles | None:
    for names in PAIR_NAMES:
        left, right = (_known(table, [name]) for name in names)
        if left is not None and right is not None:
            truth = _truth(table, task, {left, right})
            if truth is None:
                return None
            return Roles(task or _kind_of_pairs(table, truth), (left, right, truth))
    return None


def _truth(table: Table, task: Task | None, texts: set[str]) -> str | None:
    """The column with the score or the label: by its name, or the only one that is left."""
    orders = {Task.GRADED: (SCORE_NAMES,), Task.LABELLED: (LABEL_NAMES, SCORE_NAMES)}
    for names in orders.get(task, (SCORE_NAMES, LABEL_NAMES)) if task else (SCORE_NAMES, LABEL_NAMES):
        found = _known(table, [name for name in names if name not in texts])
        if found is not None:
            return found
    left = [name for name in table.columns if name not in texts and name.casefold() not in ID_NAMES]
    return left[0] if len(left) == 1 else None


def _labelled_texts(table: Table, task: Task | None) -> Roles | None:
    label = _known(table, CLASS_NAMES)
    if label is None:
        return None
    text = _known(table, [name for name in TEXT_NAMES if name != label.casefold()])
    if text is None:
        others = [name for name in table.columns if name != label and words(table.columns[name])]
        if len(others) != 1:
            return None
        text = others[0]
    return Roles(task or Task.INTENTS, (text, label), _known(table, SPLIT_NAMES))


_FINDERS = (
    ((Task.RERANK,), _rerank),
    ((Task.TRIPLETS,), _triplets),
    ((Task.RETRIEVAL,), _retrieval),
    (PAIRS, _pairs),
    (LABELS, _labelled_texts),
)
"""Which kinds a file is tried for, in this order."""


def _unsuited(table: Table, task: Task | None, columns: tuple[str, ...] = ()) -> FileError:
    have = f"its columns are {', '.join(table.columns)}" if table.columns else "it has no columns"
    said = f" as {', '.join(columns)}" if columns else ""
    if task is not None:
        return FileError(
            f"{table.source}: no {task.value} data set{said}",
            why=f"{have}; needed: {NEEDED[task]}",
            fix="name the columns: --columns NAME,NAME,...",
        )
    return FileError(
        f"{table.source}: what is to be evaluated{said}? {have}",
        why=f"known are {'; '.join(KNOWN)}; or a folder with corpus.* and queries.*",
        fix="rename the columns, or name them in that order: --columns a,b,score",
    )


def _require(table: Table, name: str) -> str:
    if name in table.columns:
        return name
    near = lookalike(name, list(table.columns))
    raise FileError(
        f"{table.source} has no column {name!r}",
        why=f"its columns are {', '.join(table.columns)}",
        fix=f"did you mean {near!r}?" if near else "name some of them: --columns NAME,NAME,...",
    )


def _known(table: Table, names: Sequence[str]) -> str | None:
    folded = {column.casefold(): column for column in reversed(table.columns)}
    return next((name if name in table.columns else folded[name] for name in names if name in folded), None)


def _holds_lists(table: Table, column: str | None) -> bool:
    return column is not None and any(
        isinstance(cell, (list, tuple)) or (isinstance(cell, str) and cell.lstrip().startswith("["))
        for cell in table.columns[column][:5]
    )
