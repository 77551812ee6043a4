"""Which column is the text, the pair, the label, where the names that are looked for first do not tell.

By its name in eight languages (names.py), else by what it holds (judging.py). What is found is said in a line;
where two are as likely, the error has a line to type for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from nearsense._notes import tell
from nearsense.errors import FileError
from nearsense.files.judging import Content, Portrait, is_missing, portrait
from nearsense.files.names import TEXT_NAMES, called, spelled, together
from nearsense.files.table import Table, names_of

CLEAR = 1.5
"""How many times as much like a text as the next a column has to be."""

HEADS = frozenset(TEXT_NAMES.index(name) for name in ("title", "subject"))
"""What stands above a text: taken where there is no other."""

DEEPEST = 4


def spread(table: Table) -> Table:
    """The same rows with what is nested in their cells as columns of their own: `review.text`."""
    columns = table.columns
    for _ in range(DEEPEST):
        nested = [name for name, cells in columns.items() if any(isinstance(cell, dict) for cell in cells)]
        if not nested:
            break
        opened: dict[str, list[Any]] = {}
        for name, cells in columns.items():
            if name not in nested:
                opened.setdefault(name, cells)
                continue
            rest = [None if isinstance(cell, dict) else cell for cell in cells]
            if any(cell is not None for cell in rest):
                opened.setdefault(name, rest)
            for key in dict.fromkeys(key for cell in cells if isinstance(cell, dict) for key in cell):
                inner = [cell.get(key) if isinstance(cell, dict) else None for cell in cells]
                opened.setdefault(f"{name}.{key}", inner)
        columns = opened
    return table if columns is table.columns else replace(table, columns=columns, anew=True)


def text_of(
    table: Table, taken: Collection[str | None] = (), flag: str = "--text", *, quiet: bool = False
) -> str | None:
    """The column of texts by its name in some language, else by what it holds; said, and None where there is none.

    Raises:
        FileError: Several are as likely.
    """
    looks = {name: portrait(cells) for name, cells in table.columns.items() if name not in taken}
    texts = [name for name, look in looks.items() if look.content is Content.TEXTS]
    words = [name for name, look in looks.items() if look.content in (Content.TEXTS, Content.LABELS)]
    fits = {name: fit for name in words if (fit := called(name, "text")) is not None}
    if any(name in texts for name in fits):
        fits = {name: fit for name, fit in fits.items() if name in texts}
    whole = {name: fit.rank for name, fit in fits.items() if fit.fit == 2}
    chosen = [name for name, rank in whole.items() if rank == min(whole.values())]
    if not chosen:
        chosen = [name for name, fit in fits.items() if fit.rank not in HEADS] or [*fits]
    if not chosen:
        chosen = texts or words
    if not chosen:
        return None
    found = _clearest(table, looks, chosen, flag)
    if not quiet:
        tell(f"text: {'' if found.startswith('column ') else 'column '}{found}; {flag} to choose another")
    return found


def _clearest(table: Table, looks: dict[str, Portrait], names: Sequence[str], flag: str) -> str:
    """The one that is most like a text by far."""
    ranked = sorted(names, key=lambda name: -looks[name].weight)
    near = [name for name in ranked if looks[name].weight * CLEAR >= looks[ranked[0]].weight]
    if len(near) > 1:
        raise unclear(table, "which column is the text?", near, flag)
    return near[0]


def unclear(table: Table, question: str, near: Sequence[str], flag: str) -> FileError:
    """Several columns are as likely: a line to type for each."""
    from shlex import quote

    words = [f"{flag} {quote(name)}" for name in near[:4]]
    why = f"{' and '.join(near[:4])} are as likely; {names_of(table)}"
    return FileError(f"{table.source}: {question}", why=why, fix=", or ".join(words), choices=words)


def role_of(
    table: Table,
    role: str,
    fits: Callable[[Portrait, Sequence[Any]], bool],
    taken: Collection[str | None] = (),
) -> str | None:
    """The column that a role's words name and whose cells fit it: by its whole name before by a word of it."""
    found = []
    for place, (name, cells) in enumerate(table.columns.items()):
        fit = None if name in taken else called(name, role)
        if fit is not None and fits(portrait(cells), cells):
            found.append((-fit.fit, fit.rank, place, name))
    return min(found)[3] if found else None


def is_labels(look: Portrait, cells: Sequence[Any]) -> bool:
    """Whether a column's cells are a few values, again and again."""
    values = {str(cell) for cell in cells if not is_missing(cell)}
    if look.content is Content.NUMBERS:
        return 1 < len(values) <= max(2, min(20, len(cells) // 4))
    return len(values) > 1 and (
        look.content is Content.LABELS or (look.content is Content.TEXTS and len(cells) < 4)
    )


def is_numbers(look: Portrait, _cells: Sequence[Any]) -> bool:
    """Whether a column holds numbers."""
    return look.content is Content.NUMBERS


def is_key(look: Portrait, cells: Sequence[Any]) -> bool:
    """Whether every row has a value of its own."""
    plain = all(isinstance(cell, (str, int, float)) and not is_missing(cell) for cell in cells)
    return plain and look.words <= 3 and len({str(cell) for cell in cells}) == len(cells)


def id_of(table: Table, taken: Collection[str | None] = ()) -> str | None:
    """The column that names each row, by its words in some language, if no value of it occurs twice."""
    return role_of(table, "id", is_key, taken)


def named_pair(table: Table) -> tuple[str, str] | None:
    """Two columns of texts whose names say that they go together."""
    looks = {name: portrait(cells) for name, cells in table.columns.items()}
    words = [name for name, look in looks.items() if look.content in (Content.TEXTS, Content.LABELS)]
    return next(_couples(words), None)


def pair_of(table: Table) -> tuple[str, str] | None:
    """Two columns of texts that go together: by their names, else the only two; said. None where there are none.

    Raises:
        FileError: There are more than two, and their names do not tell.
    """
    found = named_pair(table)
    if found is None:
        looks = {name: portrait(cells) for name, cells in table.columns.items()}
        texts = [name for name, look in looks.items() if look.content is Content.TEXTS and not _is_said_of(name)]
        if len(texts) > 2:
            ranked = sorted(texts, key=lambda name: -looks[name].weight)
            likely = [(ranked[0], other) for other in ranked[1:3]]
            listed = [",".join(sorted(each, key=texts.index)) for each in likely]
            raise unclear(table, "which two columns are the pair?", listed, "--columns")
        if len(texts) < 2:
            return None
        found = (texts[0], texts[1])
    tell(f"pair: columns {found[0]} and {found[1]}; --columns to choose others")
    return found


def _is_said_of(name: str) -> bool:
    """Whether a name as a whole is one of a label, a score or an id."""
    return any(called(name, role, by_word=False) for role in ("label", "truth", "score", "id"))


def _couples(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs among the names: one name with two endings or two beginnings, then those that go together."""
    split = {name: spelled(name) for name in names}
    for left, right in together("endings"):
        for name, words in split.items():
            for other, others in split.items():
                if len(words) < 2 or len(words) != len(others):
                    continue
                if words[:-1] == others[:-1] and (words[-1], others[-1]) == (left, right):
                    yield name, other
                if words[1:] == others[1:] and (words[0], others[0]) == (left, right):
                    yield name, other
    whole = {" ".join(spelled(name)): name for name in names}
    for left, right in together("names"):
        if left in whole and right in whole:
            yield whole[left], whole[right]
