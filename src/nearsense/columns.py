"""Columns and frames of pandas, polars, Arrow, datasets, numpy: read by what they can do, made where asked for.

None of these is imported to be recognised. Not what is wrong with a text in them: corpus.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nearsense._optional import require
from nearsense.errors import InputError

LIBRARIES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}
"""What frames can be made of, and the package of each."""

SHOWN, LONG = 20, 60
"""Columns that a message names, and characters of a name."""


class Given:
    """How the rows that were given are called, and in whose frames they came.

    `index` is that of a Series, a label a row; None where there was none. `ids` are those of the documents made of
    the rows; None where results stand in the rows' own order.
    """

    def __init__(self, library: str = "", index: Any = None, ids: Sequence[str] | None = None) -> None:
        self.library, self.index, self.ids = library, index, ids
        self._rows: dict[str, int] | None = None

    def take(self, rows: Sequence[int]) -> Given:
        """Of some of the rows, in their order."""
        index = None if self.index is None else self.index.take(list(rows))
        return Given(self.library, index, None if self.ids is None else [self.ids[row] for row in rows])

    def labels(self, ids: Iterable[Any]) -> list[Any]:
        """What the index calls the rows of some ids; ids that it does not know stay."""
        if self.index is None or self.ids is None:
            return list(ids)
        if self._rows is None:
            self._rows = {id_: row for row, id_ in enumerate(self.ids)}
        return [self.index[self._rows[id_]] if id_ in self._rows else id_ for id_ in ids]

    def index_of(self, ids: Sequence[str]) -> Any:
        """The part of the index that the rows of some ids have; None where there is no index."""
        self.labels(())
        known = self._rows or {}
        rows = [known[id_] for id_ in ids if id_ in known]
        return None if self.index is None or len(rows) < len(ids) else self.index.take(rows)

    @property
    def whole_index(self) -> Any:
        """That of all rows: the index that came, else the ids where they do more than count."""
        counted = self.ids is None or all(id_ == str(row) for row, id_ in enumerate(self.ids))
        return self.index if self.index is not None or counted else list(self.ids or ())


def is_frame(items: object) -> bool:
    """Whether this is a table with named columns: iterating it gives names, or rows, and no texts."""
    kind = type(items)  # not the thing itself: some would have to be read to say what columns they have
    return isinstance(items, Mapping) or hasattr(kind, "column_names") or hasattr(kind, "columns")


def names_of(frame: Any) -> list[Any]:
    """The names of its columns.

    Raises:
        InputError: It holds no rows yet.
    """
    if hasattr(type(frame), "collect") and not hasattr(type(frame), "to_dict"):
        raise InputError(
            f"a {type(frame).__name__} holds no rows yet", why="it is a plan to read them", fix="frame.collect()"
        )
    if isinstance(frame, Mapping):
        return list(frame)
    return list(getattr(frame, "column_names", None) or frame.columns)


def list_names(names: Sequence[Any]) -> str:
    """Columns for a message: of many the first twenty, of long ones the beginning."""
    more = len(names) - SHOWN
    short = [name if len(name) <= LONG else f"{name[:LONG]}..." for name in map(str, names[:SHOWN])]
    return ", ".join(short) + (f" and {more:,} more" if more > 0 else "")


def column_of(frame: Any, name: Any) -> Any:
    """A column by its name, as its library has it.

    Raises:
        InputError: There is none of that name, or there are two.
    """
    names = names_of(frame)
    if name not in names:
        from difflib import get_close_matches

        near = get_close_matches(str(name), list(map(str, names)), n=1)
        fix = f"did you mean {near[0]!r}?" if near else "name one of them"
        raise InputError(f"there is no column {name!r}", why=f"the columns are: {list_names(names)}", fix=fix)
    try:
        found = frame[name]
        if not hasattr(found, "__len__") and hasattr(frame, "__arrow_c_stream__"):
            found = _arrow(frame)[name]
    except (TypeError, AttributeError):
        found = _arrow(frame)[name]
    if is_frame(found):
        raise InputError(
            f"two columns are called {name!r}", why="a column is chosen by its name", fix="rename one of them"
        )
    return found


def cells_in(frame: Any, name: Any) -> list[Any]:
    """The cells of a column by its name.

    Raises:
        InputError: There is no such column, or it is none.
    """
    column = column_of(frame, name)
    cells = cells_of(column)
    if cells is None:
        what = f"the column {name!r} is of type {type(column).__name__}"
        raise InputError(what, why="a column holds a cell for each row", fix=f"give a list: {{{name!r}: [...]}}")
    return cells


def _arrow(frame: Any) -> Any:
    """Whatever hands out its columns by Arrow's protocol, as a table of pyarrow."""
    return require("pyarrow", extra="parquet", purpose=f"reading a {type(frame).__name__}").table(frame)


def cells_of(items: Any) -> list[Any] | None:
    """The cells of a column as Python has them; None where this is no collection of things."""
    if isinstance(items, (list, tuple)):
        return list(items)
    if isinstance(items, (str, bytes)):
        return None
    for way in ("to_pylist", "to_list", "tolist"):
        if callable(method := getattr(items, way, None)):
            found = method()
            return found if isinstance(found, list) else None
    try:
        return list(items)
    except TypeError:
        return None


def index_of(items: Any) -> Any:
    """The index of a Series or frame: one label a row; None where there is none.

    Raises:
        InputError: Its labels are of several levels.
    """
    index = getattr(items, "index", None)
    if index is None or callable(index) or not hasattr(index, "take"):
        return None
    if getattr(index, "nlevels", 1) > 1:
        raise InputError(
            f"the index has {index.nlevels} levels: {list_names(index.names)}",
            why="an id is one value, a label of such an index is several",
            fix="df.reset_index() makes columns of them; their order leads back",
        )
    return index


def library_of(items: object) -> str:
    """Whose Series or frame this is: "pandas", "polars", "arrow"; empty for what is of none."""
    package = type(items).__module__.partition(".")[0]
    return next((name for name, module in LIBRARIES.items() if module == package), "")


def is_absent(cell: Any) -> bool:
    """Whether a cell holds no value: None, NaN, pandas' NA and NaT."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, float) and cell != cell


def frame_of(columns: Mapping[str, Any], library: str | None, given: Given | None, index: Any = None) -> Any:
    """A frame of some columns: of the library asked for, else of that which came in, else of pandas.

    Raises:
        InputError: Frames of that name are not made.
        MissingExtra: The library is not installed.
    """
    chosen = library or (given.library if given is not None else "") or "pandas"
    if chosen not in LIBRARIES:
        raise InputError(f"library={library!r} is not known", fix=f"use one of: {', '.join(LIBRARIES)}")
    extra = {"arrow": "parquet"}.get(chosen, chosen)
    module = require(LIBRARIES[chosen], extra=extra, purpose="to_frame()")
    if chosen == "pandas":
        return module.DataFrame(dict(columns), index=index)
    make: Callable[..., Any] = module.DataFrame if chosen == "polars" else module.table
    return make({name: column if hasattr(column, "dtype") else list(column) for name, column in columns.items()})
