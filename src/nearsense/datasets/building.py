"""A table whose columns are known, as a data set. Not which columns: see roles.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nearsense.datasets.kinds import (
    LEAST,
    Clustering,
    Dataset,
    GradedPairs,
    Intents,
    LabelledPairs,
    Rerank,
    Task,
    Triplets,
)
from nearsense.datasets.roles import (
    NEGATIVE_NAMES,
    STRANGERS,
    Roles,
    labels_in,
    list_at,
    relevance_at,
    scores_in,
    truths_in,
)
from nearsense.errors import FileError, InputError
from nearsense.files import Table
from nearsense.files.table import texts_in

TRAINING = ("train", "training", "known", "reference")
TESTING = ("test", "testing", "val", "valid", "validation", "dev", "eval", "trial")
"""What the parts of a data set are called, those to be judged in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user said of a data set."""

    task: Task | None = None
    columns: tuple[str, ...] | None = None
    scale: tuple[float, float] | None = None
    positive: str | None = None
    format: str | None = None
    encoding: str = "utf-8"


def build(table: Table, roles: Roles, request: Request) -> Dataset:
    """The data set in a table."""
    if len(table) < LEAST:
        what = f"{table.source} has {len(table)} row{'s'[: len(table) != 1]}"
        raise FileError(what, why="nothing can be measured on so few", fix=f"give {LEAST} or more")
    return _BUILDERS[roles.task](table, roles, request)


def require_task(name: str, request: Request, task: Task) -> None:
    """Refuse a data set of another task than was asked for."""
    if request.task not in (None, task):
        fix = f"leave task out, or make it {task.value}"
        raise InputError(f"{name} is a {task.value} data set, not {request.task.value}", fix=fix)


def build_intents(tests: Table, known: Table | None, roles: Roles) -> Intents:
    """Texts to be judged and, where there are some, those whose labels are known."""
    texts, labels = _labelled(tests, roles)
    if known is None:
        return Intents(name=tests.source, texts=texts, labels=labels, notes=(ALONE,))
    scoped = [(text, label) for text, label in zip(*_labelled(known, roles), strict=True) if label is not None]
    left = len(known) - len(scoped)
    strange = {label for label in labels if label} - {label for _, label in scoped}
    notes = [f"{left:,} texts of the known part are out of scope and were left out of it."] if left else []
    if strange:
        notes.append(f"{len(strange):,} labels have no known text: {', '.join(sorted(strange)[:5])}.")
    return Intents(
        name=tests.source,
        texts=texts,
        labels=labels,
        known=[text for text, _ in scoped],
        known_labels=tuple(label for _, label in scoped),
        notes=tuple(notes),
    )


ALONE = "There is one part only: each text looks for its nearest among all others (leave-one-out)."


def _texts(table: Table, column: str) -> list[str]:
    return texts_in(table, column, "complete it, or remove the row", "name the columns: --columns")


def _labelled(table: Table, roles: Roles) -> tuple[list[str], list[str | None]]:
    """Texts with their labels; None for those that belong to none."""
    labels = labels_in(table, roles.columns[1])
    return _texts(table, roles.columns[0]), [None if each.casefold() in STRANGERS else each for each in labels]


def _graded_pairs(table: Table, roles: Roles, request: Request) -> Dataset:
    scores, truth = scores_in(table, roles.columns[2], request.scale), roles.columns[2]
    return GradedPairs(
        name=table.source, pairs=_pairs(table, roles), scores=scores, scale=request.scale, truth=truth
    )


def _labelled_pairs(table: Table, roles: Roles, request: Request) -> Dataset:
    pairs, truth = _pairs(table, roles), roles.columns[2]
    labels, words = truths_in(table, truth, request.positive)
    return LabelledPairs(name=table.source, pairs=pairs, labels=labels, words=words, truth=truth)


def _pairs(table: Table, roles: Roles) -> list[tuple[str, str]]:
    left, right = (_texts(table, name) for name in roles.columns[:2])
    return list(zip(left, right, strict=True))


def _triplets(table: Table, roles: Roles, request: Request) -> Dataset:
    columns = [_texts(table, name) for name in roles.columns]
    return Triplets(name=table.source, triplets=list(zip(*columns, strict=True)), truth=roles.columns[1])


def _rerank(table: Table, roles: Roles, request: Request) -> Dataset:
    """Queries with a right candidate and a wrong one; of others nothing can be said."""
    queries, candidates, labels = [], [], []
    asked_for = _texts(table, roles.columns[0])
    for row, query in enumerate(asked_for):
        texts, right = _candidates(table, row, roles.columns[1], roles.columns[2])
        if any(right) and not all(right):
            queries.append(query)
            candidates.append(texts)
            labels.append(right)
    left = len(asked_for) - len(queries)
    if len(queries) < LEAST:
        what = f"{table.source}: {len(queries)} of {len(asked_for):,} queries have right and wrong candidates"
        raise FileError(what, why="an order shows where there are both", fix=f"give {LEAST} such queries or more")
    were = "1 query was left out: all its" if left == 1 else f"{left:,} queries were left out: all their"
    notes = (f"{were} candidates are right, or none is.",) if left else ()
    name, truth = table.source, roles.columns[2]
    return Rerank(name=name, queries=queries, candidates=candidates, labels=labels, notes=notes, truth=truth)


def _candidates(table: Table, row: int, first: str, second: str) -> tuple[list[str], list[bool]]:
    """One row's candidates with their labels, or its right ones and its wrong ones, as the columns' names say."""
    left, right = list_at(table, row, first), list_at(table, row, second)
    if second.casefold() in NEGATIVE_NAMES:
        left, truths = [*left, *right], [True] * len(left) + [False] * len(right)
    elif len(left) != len(right):
        what = f"{table.place(row)}: {len(left):,} candidates, {len(right):,} labels"
        raise FileError(what, why="there is one label for each", fix="correct the row")
    else:
        truths = [relevance_at(table, row, label) for label in right]
    for place, text in enumerate(left, 1):
        if not isinstance(text, str) or not text.strip():
            what = f"{table.place(row)}: candidate {place} is {str(text)[:40]!r}"
            raise FileError(what, why="a candidate is a text", fix="correct the row")
    return left, truths


def _intents(table: Table, roles: Roles, request: Request) -> Dataset:
    """All rows, or, where a column says so, those to be judged and those that are known."""
    if roles.split is None:
        return build_intents(table, None, roles)
    parts = [name.casefold() for name in labels_in(table, roles.split, of_parts=True)]
    known = [row for row, part in enumerate(parts) if part in TRAINING]
    tests = next((name for name in TESTING if name in parts), None)
    if not known or tests is None:
        what = f"{table.source}: column {roles.split!r} does not part the rows into train and test"
        fix = f"write {TRAINING[0]} for the known texts and {TESTING[0]} for those to be judged"
        raise FileError(what, why=f"it says {', '.join(sorted(set(parts))[:6])}", fix=fix)
    judged = [row for row, part in enumerate(parts) if part == tests]
    return build_intents(_some(table, judged), _some(table, known), roles)


def _clustering(table: Table, roles: Roles, request: Request) -> Dataset:
    texts, labels = _texts(table, roles.columns[0]), labels_in(table, roles.columns[1])
    return Clustering(name=table.source, texts=texts, labels=labels)


def _some(table: Table, rows: list[int]) -> Table:
    columns = {name: [column[row] for row in rows] for name, column in table.columns.items()}
    return Table(columns, [table.lines[row] for row in rows], table.source, None, table.unit, table.untyped)


_BUILDERS: dict[Task, Callable[[Table, Roles, Request], Dataset]] = {
    Task.GRADED: _graded_pairs,
    Task.LABELLED: _labelled_pairs,
    Task.TRIPLETS: _triplets,
    Task.RERANK: _rerank,
    Task.INTENTS: _intents,
    Task.CLUSTERING: _clustering,
}
