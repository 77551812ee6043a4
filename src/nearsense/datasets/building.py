"""A table whose columns are known, as a data set. Not which columns: see roles.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nearsense.datasets import cells
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
from nearsense.datasets.roles import NEGATIVE_NAMES, Roles
from nearsense.errors import FileError
from nearsense.files import Table

TRAINING = ("train", "training", "known", "reference")
TESTING = ("test", "testing", "val", "valid", "validation", "dev", "eval", "trial")
"""What the parts of a data set are called, those to be judged in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user said of a data set."""

    task: Task | None = None
    columns: tuple[str, ...] | None = None
    scale: tuple[float, float] | None = None
    positive: str | None = None
    format: str | None = None
    encoding: str = "utf-8"


def made_of(table: Table, roles: Roles, asked: Asked) -> Dataset:
    """The data set in a table."""
    if len(table) < LEAST:
        raise FileError(
            f"{table.source} has {len(table)} row{'s'[: len(table) != 1]}",
            why="nothing can be measured on so few",
            fix=f"give {LEAST} or more",
        )
    return _BUILDERS[roles.task](table, roles, asked)


def intents(tests: Table, known: Table | None, roles: Roles) -> Intents:
    """Texts to be judged and, where there are some, those whose labels are known."""
    texts, labels = cells.texts(tests, roles.columns[0]), _scoped(cells.names(tests, roles.columns[1]))
    if known is None:
        return Intents(name=tests.source, texts=texts, labels=labels, notes=(ALONE,))
    pairs = zip(cells.texts(known, roles.columns[0]), _scoped(cells.names(known, roles.columns[1])), strict=True)
    kept = [(text, label) for text, label in pairs if label is not None]
    left = len(known) - len(kept)
    strange = {label for label in labels if label} - {label for _, label in kept}
    notes = [f"{left:,} texts of the known part are out of scope and were left out of it."] if left else []
    if strange:
        notes.append(f"{len(strange):,} labels have no known text: {', '.join(sorted(strange)[:5])}.")
    return Intents(
        name=tests.source,
        texts=texts,
        labels=labels,
        known=[text for text, _ in kept],
        known_labels=tuple(label for _, label in kept),
        notes=tuple(notes),
    )


ALONE = "There is one part only: each text looks for its nearest among all others (leave-one-out)."


def _scoped(labels: list[str]) -> list[str | None]:
    return [None if label.casefold() in cells.STRANGERS else label for label in labels]


def _graded(table: Table, roles: Roles, asked: Asked) -> Dataset:
    scores = cells.scores(table, roles.columns[2], asked.scale)
    return GradedPairs(
        name=table.source, pairs=_pairs(table, roles), scores=scores, scale=asked.scale, truth=roles.columns[2]
    )


def _labelled(table: Table, roles: Roles, asked: Asked) -> Dataset:
    labels, words = cells.truths(table, roles.columns[2], asked.positive)
    return LabelledPairs(
        name=table.source, pairs=_pairs(table, roles), labels=labels, words=words, truth=roles.columns[2]
    )


def _pairs(table: Table, roles: Roles) -> list[tuple[str, str]]:
    left, right = (cells.texts(table, name) for name in roles.columns[:2])
    return list(zip(left, right, strict=True))


def _triplets(table: Table, roles: Roles, asked: Asked) -> Dataset:
    columns = [cells.texts(table, name) for name in roles.columns]
    return Triplets(name=table.source, triplets=list(zip(*columns, strict=True)), truth=roles.columns[1])


def _rerank(table: Table, roles: Roles, asked: Asked) -> Dataset:
    """Queries with a right candidate and a wrong one; of others nothing can be said."""
    queries, candidates, labels = [], [], []
    asked_for = cells.texts(table, roles.columns[0])
    for row, query in enumerate(asked_for):
        texts, right = _candidates(table, row, roles.columns[1], roles.columns[2])
        if any(right) and not all(right):
            queries.append(query)
            candidates.append(texts)
            labels.append(right)
    left = len(asked_for) - len(queries)
    if len(queries) < LEAST:
        raise FileError(
            f"{table.source}: {len(queries)} of {len(asked_for):,} queries have right and wrong candidates",
            why="an order shows where there are both",
            fix=f"give {LEAST} such queries or more",
        )
    were = "1 query was left out: all its" if left == 1 else f"{left:,} queries were left out: all their"
    notes = (f"{were} candidates are right, or none is.",) if left else ()
    return Rerank(
        name=table.source,
        queries=queries,
        candidates=candidates,
        labels=labels,
        notes=notes,
        truth=roles.columns[2],
    )


def _candidates(table: Table, row: int, first: str, second: str) -> tuple[list[str], list[bool]]:
    """One row's candidates with their labels, or its right ones and its wrong ones, as the columns' names say."""
    left, right = cells.listed(table, row, first), cells.listed(table, row, second)
    if second.casefold() in NEGATIVE_NAMES:
        left, truths = [*left, *right], [True] * len(left) + [False] * len(right)
    elif len(left) != len(right):
        raise FileError(
            f"{table.place(row)}: {len(left):,} candidates, {len(right):,} labels",
            why="there is one label for each",
            fix="correct the row",
        )
    else:
        truths = [cells.relevance(table, row, label) for label in right]
    for place, text in enumerate(left, 1):
        if not isinstance(text, str) or not text.strip():
            raise FileError(
                f"{table.place(row)}: candidate {place} is {str(text)[:40]!r}",
                why="a candidate is a text",
                fix="correct the row",
            )
    return left, truths


def _intents(table: Table, roles: Roles, asked: Asked) -> Dataset:
    """All rows, or, where a column says so, those to be judged and those that are known."""
    if roles.split is None:
        return intents(table, None, roles)
    parts = [name.casefold() for name in cells.names(table, roles.split, "part")]
    known = [row for row, part in enumerate(parts) if part in TRAINING]
    tests = next((name for name in TESTING if name in parts), None)
    if not known or tests is None:
        raise FileError(
            f"{table.source}: column {roles.split!r} does not part the rows into train and test",
            why=f"it says {', '.join(sorted(set(parts))[:6])}",
            fix=f"write {TRAINING[0]} for the known texts and {TESTING[0]} for those to be judged",
        )
    judged = [row for row, part in enumerate(parts) if part == tests]
    return intents(_some(table, judged), _some(table, known), roles)


def _clustering(table: Table, roles: Roles, asked: Asked) -> Dataset:
    texts, labels = cells.texts(table, roles.columns[0]), cells.names(table, roles.columns[1])
    return Clustering(name=table.source, texts=texts, labels=labels)


def _some(table: Table, rows: list[int]) -> Table:
    columns = {name: [column[row] for row in rows] for name, column in table.columns.items()}
    return Table(columns, [table.lines[row] for row in rows], table.source, None, table.unit, table.untyped)


_BUILDERS: dict[Task, Callable[[Table, Roles, Asked], Dataset]] = {
    Task.GRADED: _graded,
    Task.LABELLED: _labelled,
    Task.TRIPLETS: _triplets,
    Task.RERANK: _rerank,
    Task.INTENTS: _intents,
    Task.CLUSTERING: _clustering,
}
