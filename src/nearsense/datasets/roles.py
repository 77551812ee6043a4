"""Which columns of a file make which kind of data set; their cells: scores, labels, grades, lists; the set."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearsense._notes import tell
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
from nearsense.errors import FileError, InputError
from nearsense.files import Table, names
from nearsense.files.columns import is_labels, is_numbers, named_pair, role_of, text_of
from nearsense.files.dialect import PLAIN, Dialect
from nearsense.files.judging import Content, is_missing, numbers_of, portrait
from nearsense.files.streams import AUTO
from nearsense.files.table import find_column, find_columns, first_repeated, names_of, require_column, texts_in
from nearsense.records import shown

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

_FLAG = "--columns NAME,NAME,..."


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
    found = find_roles(table, task, columns, positive=positive)
    if found is None:
        raise _unsuited(table, Task.LABELLED if positive is not None and task is None else task, columns or ())
    return found


def find_roles(
    table: Table, task: Task | None, columns: Sequence[str] | None, *, positive: str | None = None
) -> Roles | None:
    """As `roles_of`; None where the columns suit no task, or not the one that was asked for."""
    if positive is not None and task is None:
        task = Task.LABELLED
    if columns is not None:
        fix = f"name some of them: {_FLAG}"
        return _named(table, task, tuple(require_column(table, name, fix) for name in columns))
    found = (find(table, task) for looked_for, find in _FINDERS if task is None or task in looked_for)
    return next((each for each in found if each is not None), None)


def _named(table: Table, task: Task | None, chosen: tuple[str, ...]) -> Roles | None:
    """The columns are said; the task follows from how many they are and what stands in them."""
    if (twice := first_repeated(chosen)) is not None:
        raise FileError(f"{table.source}: column {twice!r} is named twice", fix="name each column once")
    if task is None:
        task = _guess(table, chosen)
    if task is None or len(chosen) != {Task.INTENTS: 2, Task.CLUSTERING: 2}.get(task, 3):
        return None
    return Roles(task, chosen, find_column(table, names.SPLIT_NAMES) if task is Task.INTENTS else None)


def _guess(table: Table, columns: tuple[str, ...]) -> Task | None:
    """The task for which columns in this order are made, as far as their number and cells tell."""
    if len(columns) == 2:
        return Task.INTENTS
    if len(columns) != 3:
        return None
    if any(isinstance(cell, (list, tuple)) for cell in table.columns[columns[1]][:5]):
        return Task.RERANK
    last = table.columns[columns[2]]
    if mostly_words(last) and len(set(map(str, last))) > MANY:
        return Task.TRIPLETS
    return _kind_of_pairs(table, columns[2])


MANY = 20
"""Different texts in a column of labels, at most; where there are more it is a column of texts."""


def _kind_of_pairs(table: Table, column: str) -> Task:
    """Graded by numbers of more than two values, else labelled."""
    cells = [cell for cell in table.columns[column] if not is_missing(cell)]
    if mostly_words(cells) and portrait(cells).content is Content.NUMBERS:
        return Task.GRADED  # 3,5
    if mostly_words(cells):
        return Task.GRADED if column.casefold() in names.SCORE_NAMES else Task.LABELLED
    values, name = {number(cell) for cell in cells}, column.casefold()
    if None in values and name in names.LABEL_NAMES:  # true beside 1
        return Task.LABELLED
    return Task.GRADED if len(values) > 2 or (len(values) == 1 and name in names.SCORE_NAMES) else Task.LABELLED


def _triplet_columns(table: Table, task: Task | None) -> Roles | None:
    found = (each for each in find_columns(table, names.TRIPLET_NAMES) if not _holds_lists(table, each[1]))
    return next((Roles(Task.TRIPLETS, each) for each in found), None)


def _rerank_columns(table: Table, task: Task | None) -> Roles | None:
    query = find_column(table, names.QUERY_NAMES)
    if query is None:
        return None
    candidates, right = find_column(table, names.CANDIDATE_NAMES), find_column(table, names.RIGHT_NAMES)
    if candidates is not None and right is not None:
        return Roles(Task.RERANK, (query, candidates, right))
    good, bad = find_column(table, names.POSITIVE_NAMES), find_column(table, names.NEGATIVE_NAMES)
    if good is not None and bad is not None and (_holds_lists(table, good) or _holds_lists(table, bad)):
        return Roles(Task.RERANK, (query, good, bad))
    return None


def _retrieval_columns(table: Table, task: Task | None) -> Roles | None:
    query, right = find_column(table, (*names.QUERY_NAMES, "text")), find_column(table, names.QRELS_NAMES)
    return None if query is None or right is None else Roles(Task.RETRIEVAL, (query, right))


def _pair_columns(table: Table, task: Task | None) -> Roles | None:
    texts = next(find_columns(table, names.PAIR_NAMES), ())
    truth = _truth(table, task, set(texts)) if texts else None
    return None if truth is None else Roles(task or _kind_of_pairs(table, truth), (*texts, truth))


def _truth(table: Table, task: Task | None, texts: set[str]) -> str | None:
    """The column with the score or the label: by its name, or the only one that is left."""
    orders = {
        None: (names.SCORE_NAMES, names.LABEL_NAMES),
        Task.GRADED: (names.SCORE_NAMES,),
        Task.LABELLED: (names.LABEL_NAMES, names.SCORE_NAMES),
    }
    for order in orders[task]:
        found = find_column(table, [name for name in order if name not in texts])
        if found is not None:
            return found
    left = [name for name in table.columns if name not in texts and name.casefold() not in names.INDEX_NAMES]
    return left[0] if len(left) == 1 else None


def _label_columns(table: Table, task: Task | None) -> Roles | None:
    label = find_column(table, names.CLASS_NAMES)
    if label is None:
        return None
    text = find_column(table, [name for name in names.TEXT_NAMES if name != label.casefold()])
    if text is None:
        others = [name for name in table.columns if name != label and mostly_words(table.columns[name])]
        if len(others) != 1:
            return None
        text = others[0]
    return Roles(task or Task.INTENTS, (text, label), find_column(table, names.SPLIT_NAMES))


def _wider_pair_columns(table: Table, task: Task | None) -> Roles | None:
    """Two texts by their names in some language, or the only two there are, and what is said of them."""
    texts: tuple[str, ...] = next(find_columns(table, names.PAIR_NAMES), ()) or named_pair(table) or ()
    looks = {name: portrait(cells) for name, cells in table.columns.items()}
    if not texts:
        texts = tuple(name for name, look in looks.items() if look.content is Content.TEXTS)
    if len(texts) != 2:
        return None
    known = [*texts, find_column(table, names.INDEX_NAMES)]
    truth = role_of(table, "score", is_numbers, known) if task is not Task.LABELLED else None
    truth = truth or role_of(table, "truth", is_labels, known) or role_of(table, "score", is_numbers, known)
    if truth is None:
        said = [name for name, look in looks.items() if name not in known and is_labels(look, table.columns[name])]
        graded = [name for name, look in looks.items() if name not in known and look.content is Content.NUMBERS]
        truth = next((found[0] for found in (said, graded) if len(found) == 1), None)
    if truth is None:
        return None
    return _told(Roles(task or _kind_of_pairs(table, truth), (*texts, truth)))


def _told(roles: Roles) -> Roles:
    """Roles that were found by other names than those that are looked for first: said."""
    tell(f"columns: {', '.join(roles.columns)}; --columns to choose others")
    return roles


def _wider_label_columns(table: Table, task: Task | None) -> Roles | None:
    """A text and a label by their names in some language, else by what the columns hold."""
    label = find_column(table, names.CLASS_NAMES) or role_of(table, "label", is_labels)
    if label is None:
        looks = {name: portrait(cells) for name, cells in table.columns.items()}
        labels = [name for name, look in looks.items() if look.content is Content.LABELS]
        few = [name for name in labels if is_labels(looks[name], table.columns[name])]
        label = few[0] if len(few) == 1 else None
    if label is None:
        return None
    text = find_column(table, [name for name in names.TEXT_NAMES if name != label.casefold()])
    text = text or text_of(table, [label], "--columns", quiet=True)
    if text is None:
        return None
    return _told(Roles(task or Task.INTENTS, (text, label), find_column(table, names.SPLIT_NAMES)))


_FINDERS = (
    ((Task.RERANK,), _rerank_columns),
    ((Task.TRIPLETS,), _triplet_columns),
    ((Task.RETRIEVAL,), _retrieval_columns),
    ((Task.GRADED, Task.LABELLED), _pair_columns),
    ((Task.INTENTS, Task.CLUSTERING), _label_columns),
    ((Task.GRADED, Task.LABELLED), _wider_pair_columns),
    ((Task.INTENTS, Task.CLUSTERING), _wider_label_columns),
)
"""Which kinds a file is tried for, in order: the last by names in other languages, and by what columns hold."""


def _unsuited(table: Table, task: Task | None, columns: Sequence[str]) -> FileError:
    """Why the columns suit no task, or not the one that was asked for."""
    have, said = names_of(table), f" as {', '.join(columns)}" if columns else ""
    if task is not None:
        what = f"{table.source}: no {task.value} data set{said}"
        return FileError(what, why=f"{have}; needed: {NEEDED[task]}", fix=f"name the columns: {_FLAG}")
    why = f"known are {'; '.join(KNOWN)}; or a folder with corpus.* and queries.*"
    fix = "rename the columns, or name them in that order: --columns a,b,score"
    return FileError(f"{table.source}: what is to be evaluated{said}? {have}", why=why, fix=fix)


def _holds_lists(table: Table, column: str) -> bool:
    """Whether a column's first cells have a list, or one written as JSON."""
    return any(
        isinstance(cell, (list, tuple)) or (isinstance(cell, str) and cell.lstrip().startswith("["))
        for cell in table.columns[column][:5]
    )


YES = (
    "1", "true", "yes", "same", "duplicate", "paraphrase", "match", "equivalent", "similar", "positive",
    "entailment", "y", "t",
)  # fmt: skip
NO = (
    "0", "-1", "false", "no", "different", "not_duplicate", "not duplicate", "non-duplicate", "not_paraphrase",
    "not", "no_match", "not_equivalent", "not equivalent", "dissimilar", "negative", "n", "f", "unrelated",
)  # fmt: skip
"""What people write for the same and for different, in any case."""

OUT_OF_SCOPE = ("oos", "out_of_scope", "out-of-scope", "out of scope", "outofscope", "ood", "none", "no_intent")
"""Labels of texts that belong to no class, in any case."""


def scores_in(table: Table, column: str, scale: tuple[float, float] | None) -> list[float]:
    """The cells of a column as numbers, each within the scale where one is stated."""
    found = []
    cells = table.columns[column]
    if any(isinstance(cell, str) and number(cell) is None for cell in cells):  # 3,5 perhaps
        written = numbers_of([cell for cell in cells if isinstance(cell, str)])
        cells = [written.get(cell, cell) if isinstance(cell, str) else cell for cell in cells]
    for row, cell in enumerate(cells):
        value = number(cell)
        if value is None or not math.isfinite(value):
            what = f"{table.place(row)}: the score in column {column!r} is {_shown(cell)}"
            why = "a score is a number" if value is None else "it has no place in an order"
            fix = "correct it, remove the row, or name another column: --columns LEFT,RIGHT,SCORE"
            raise FileError(what, why=why, fix=fix)
        if scale is not None and not scale[0] <= value <= scale[1]:
            low, high = scale
            what = f"{table.place(row)}: the score {value:g} is outside of the range {low:g} to {high:g}"
            fix = f"correct it, or state the range that holds: --range {min(low, value):g},{max(high, value):g}"
            raise FileError(what, why=f"that is the range that was stated for column {column!r}", fix=fix)
        found.append(value)
    return found


def truths_in(table: Table, column: str, positive: str | None) -> tuple[list[bool], tuple[str, str]]:
    """The cells of a column as yes or no, and what the file calls no and yes."""
    labels = labels_in(table, column)
    found = sorted(set(labels))
    if positive is not None:
        yes = next((label for label in found if label.casefold() == positive.casefold()), "")
        if yes not in found:
            what = f"{table.source}: column {column!r} has no label {positive!r}"
            fix = f"name one of them: --positive {found[0]}"
            raise FileError(what, why=f"its labels are {_few(found)}", fix=fix)
        others = [label for label in found if label != yes]
        return [label == yes for label in labels], (others[0] if len(others) == 1 else f"not {yes}", yes)
    if len(found) == 1:
        return [found[0].casefold() not in NO] * len(labels), (found[0], found[0])
    if len(found) == 2:
        numbers = [number(label) for label in found]
        if None not in numbers:
            no, yes = sorted(found, key=float)
            return [label == yes for label in labels], (no, yes)
        for no, yes in (found, found[::-1]):
            if no.casefold() in NO or yes.casefold() in YES:
                return [label == yes for label in labels], (no, yes)
    if len(found) > 2 and all(label.casefold() in (*YES, *NO) for label in found):  # true beside 1
        return [label.casefold() in YES for label in labels], ("no", "yes")
    what = f"{table.source}: column {column!r} has {len(found):,} labels: {_few(found)}"
    grades = [grade for grade in map(number, found) if grade is not None]
    if len(grades) == len(found) > 2 and (len(found) > 3 or any(grade % 1 for grade in grades)):  # 3: NLI, perhaps
        most, least = max(grades), min(grades)
        fix = f"nearsense evaluate {shlex.quote(table.source)} --same-from {least + 0.8 * (most - least):g}"
        raise FileError(what, why="they are grades, and pairs are labelled as the same or not", fix=fix)
    fix = f"name it: --positive {next((label for label in found if label.casefold() in YES), found[0])}"
    raise FileError(what, why="pairs are the same or not: which label means the same?", fix=fix)


_NO_LABEL = "without a label there is no right or wrong"


def labels_in(table: Table, column: str, *, of_parts: bool = False) -> list[str]:
    """The cells of a column as labels, or as names of parts: texts, or numbers as they are written."""
    kind, why = ("part", "every row belongs to a part") if of_parts else ("label", _NO_LABEL)
    for row, cell in enumerate(table.columns[column]):
        if is_missing(cell) or isinstance(cell, (list, dict)):
            what = f"{table.place(row)}: the {kind} in column {column!r} is {_shown(cell)}"
            raise FileError(what, why=why, fix="fill it in, or remove the row")
    return [_label(cell) for cell in table.columns[column]]


def list_at(table: Table, row: int, column: str) -> list[Any]:
    """A cell that is a list, or a text that says one as JSON."""
    cell = table.columns[column][row]
    value = _parsed(cell)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        why = "each query comes with the list of its candidates"
        fix = "write jsonl with lists, or JSON in the cell"
        raise FileError(f"{table.place(row)}: column {column!r} holds {_shown(cell)}, no list", why=why, fix=fix)
    return list(value)


def grades_at(table: Table, row: int, column: str) -> dict[str, float]:
    """Which documents answer a query: grades by id, or a list of ids that all count 1."""
    cell = table.columns[column][row]
    value = _parsed(cell)
    if isinstance(value, (list, tuple, np.ndarray)):
        return {_label(each): 1.0 for each in value}
    if not isinstance(value, Mapping):
        why = "it says which documents answer the query"
        fix = 'write an object such as {"document id": 1}, or a list of ids'
        raise FileError(f"{table.place(row)}: column {column!r} holds {_shown(cell)}", why=why, fix=fix)
    found = {}
    for document, grade in value.items():
        if grade is None:  # parquet: a column for each name, empty where a row has none
            continue
        known = number(grade)
        if known is None or not math.isfinite(known) or known < 0:
            what = f"{table.place(row)}: the grade of document {document!r} is {_shown(grade)}"
            raise FileError(what, why="a grade is a number from 0", fix="correct it")
        found[str(document)] = known
    return found


def mostly_words(column: Sequence[Any]) -> bool:
    """Whether most cells of a column are texts that are no numbers."""
    present = [cell for cell in column if not is_missing(cell)]
    textual = sum(isinstance(cell, str) and number(cell) is None for cell in present)
    return bool(present) and 2 * textual > len(present)


def number(cell: Any) -> float | None:
    """A cell as a number; None where it is none."""
    if isinstance(cell, (bool, np.bool_, int, float, np.number)):
        return float(cell)
    try:
        return float(cell) if isinstance(cell, str) and cell.strip() and "_" not in cell else None
    except ValueError:
        return None


def relevance_at(table: Table, row: int, cell: Any) -> bool:
    """A label within a list as right or wrong: a grade, or one of the words for yes and no."""
    value = number(cell)
    if value is None and isinstance(cell, str):
        value = _TRUE_OR_FALSE.get(cell.strip().casefold())
    if value is None or math.isnan(value):
        why = "it is 1 (right) or 0; true and false, yes and no mean the same"
        fix = "correct the row; call the columns positive and negative where both are lists of texts"
        raise FileError(f"{table.place(row)}: {_shown(cell)} is no label of a candidate", why=why, fix=fix)
    return value > 0


_TRUE_OR_FALSE = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


def _parsed(cell: Any) -> Any:
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _label(cell: Any) -> str:
    """A label or an id as a text: 3 for 3.0, and no white space around it."""
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell)).lower()
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def _shown(cell: Any) -> str:
    if is_missing(cell):
        return "nan" if isinstance(cell, (float, np.floating)) else "empty"
    return shown(cell)


def _few(found: list[str]) -> str:
    return ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")


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
    encoding: str = AUTO
    dialect: Dialect = PLAIN


def build(table: Table, roles: Roles, request: Request) -> Dataset:
    """The data set in a table."""
    if len(table) < LEAST:
        what = f"{table.source} has {len(table)} row{'s'[: len(table) != 1]}"
        raise FileError(what, why="nothing can be measured on so few", fix=f"give {LEAST} or more")
    name, columns = table.source, roles.columns
    match roles.task:
        case Task.GRADED:
            scores, scale = scores_in(table, columns[2], request.scale), request.scale
            pairs = _rows(table, columns[:2])
            return GradedPairs(name=name, pairs=pairs, scores=scores, scale=scale, truth=columns[2])
        case Task.LABELLED:
            pairs = _rows(table, columns[:2])
            labels, words = truths_in(table, columns[2], request.positive)
            return LabelledPairs(name=name, pairs=pairs, labels=labels, words=words, truth=columns[2])
        case Task.TRIPLETS:
            return Triplets(name=name, triplets=_rows(table, columns), truth=columns[1])
        case Task.CLUSTERING:
            return Clustering(name=name, texts=_texts(table, columns[0]), labels=labels_in(table, columns[1]))
        case Task.INTENTS:
            return _intents(table, roles)
        case _:
            return _rerank(table, roles)


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
    return _texts(table, roles.columns[0]), [None if each.casefold() in OUT_OF_SCOPE else each for each in labels]


def _rows(table: Table, columns: Sequence[str]) -> list[Any]:
    """The texts of each row in some columns, as a tuple."""
    return list(zip(*(_texts(table, name) for name in columns), strict=True))


def _rerank(table: Table, roles: Roles) -> Rerank:
    """Queries with a right candidate and a wrong one; of others nothing can be said."""
    queries, candidates, labels = [], [], []
    asked_for = _texts(table, roles.columns[0])
    for row, query in enumerate(asked_for):
        texts, right = _candidates(table, row, *roles.columns[1:])
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
    if second.casefold() in names.NEGATIVE_NAMES:
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


def _intents(table: Table, roles: Roles) -> Intents:
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
    return build_intents(table.take(judged), table.take(known), roles)
