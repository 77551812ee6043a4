"""The frozen types that cross rooms: what goes in, what comes out. Not how any of it is computed.

Inside, arrays and whole batches travel (`Vectors`, `Neighbours`); at a door, one frozen dataclass per kind of
result. Every result, or the list it comes in, knows its `Origin` (model, metric, version), prints itself, and has
`to_dict()`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, SupportsIndex, TypeVar, cast, overload

import numpy as np

from nearsense._version import __version__
from nearsense.arrays import Neighbours, ReadAs, Vectors, files, shown
from nearsense.columns import Given, frame_of
from nearsense.errors import InputError
from nearsense.kinds import CANDIDATES, Long, Metric, Mode, Precision, Ranking, Reading, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CANDIDATES",
    "Cells",
    "Comparison",
    "Document",
    "Hit",
    "Long",
    "Matrix",
    "Metric",
    "Mode",
    "Neighbours",
    "Origin",
    "Precision",
    "Ranking",
    "ReadAs",
    "Reading",
    "Results",
    "Vectors",
    "as_json",
    "parse",
    "percent",
    "shown",
]


def require_names(metadata: Mapping[Any, Any], whose: str) -> None:
    """Refuse metadata in which two names of one object are different in Python and one in JSON."""
    waiting: list[Any] = [metadata]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        inside: Iterable[Any] = each
        if isinstance(each, Mapping):
            if any(type(name) is not str for name in each):
                _require_different(each, whose)
            inside = each.values()
        for value in inside:
            if isinstance(value, (dict, list, tuple, Mapping)) and id(value) not in seen:
                seen.add(id(value))
                waiting.append(value)


def _require_different(names: Iterable[Any], whose: str) -> None:
    known: dict[str, Any] = {}
    for name in names:
        written = json_name(name)
        if written in known:
            raise InputError(
                f"{whose}: the names {shown(known[written])} and {shown(name)} are one in JSON",
                why="one of their two values would be lost",
                fix="rename one of them, and name fields by strings",
            )
        known[written] = name


def json_name(name: object) -> str:
    """How JSON writes the name of a field.

    Example:
        >>> [json_name(name) for name in ("a", 1, None, True, 0.5)]
        ['a', '1', 'null', 'true', '0.5']
    """
    if isinstance(name, str):
        return str.__str__(name)
    if name is None or isinstance(name, bool):
        return {None: "null", True: "true", False: "false"}[name]
    try:
        return str(name)
    except ValueError:  # a number of thousands of digits
        return hex(name) if isinstance(name, int) else type(name).__name__


def as_json(record: object, names: str = "") -> dict[str, Any]:
    """The fields of a frozen record as JSON values; or what it has under these names, in their order."""
    chosen = names.split() or [each.name for each in fields(record)]  # type: ignore[arg-type]
    return {name: _json_value(getattr(record, name)) for name in chosen}


class Record:
    """A frozen record that is written as its fields are."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


def finite_json(value: Any) -> Any:
    """What JSON can say: None for a number that is not finite.

    Example:
        >>> finite_json({"value": float("nan"), "others": [0.5, float("inf")]})
        {'value': None, 'others': [0.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite_json(each) for name, each in value.items()}
    return [finite_json(each) for each in value] if isinstance(value, (list, tuple)) else value


_PLAIN = frozenset({str, int, float, bool, type(None)})


def _json_value(value: Any) -> Any:
    """What JSON knows, made of records, enumerations, arrays and mappings."""
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return as_json(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {
            _json_value(name) if isinstance(name, str) else str(name): _json_value(each)
            for name, each in value.items()
        }
    if isinstance(value, (tuple, list)):
        return [_json_value(each) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Document:
    """One text with its id and whatever else is known of it. Plain strings become Documents by themselves.

    Args:
        id: Any non-empty string, unique within a corpus.
        text: The text to be found by its meaning.
        metadata: Further fields, JSON values; they travel with the hit.

    Raises:
        InputError: The metadata are no mapping, or two names in them are one in JSON, as 1 and "1" are: a value
            would be lost.
    """

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.metadata:
            if not isinstance(self.metadata, Mapping):
                raise InputError(
                    f"the metadata of document {shown(self.id)} are {shown(self.metadata, 40)}",
                    why="metadata are fields with names",
                    fix='give {"field": value}, or leave them out',
                )
            require_names(self.metadata, f"the metadata of document {shown(self.id)}")

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class Origin:
    """What produced a result; of hits that a cross-encoder put in order also what had found them, and how.

    Args:
        model: The model's name.
        fingerprint: Its fingerprint.
        metric: What the scores are.
        version: The version of nearsense.
        retrieved_by: The model that had found the hits.
        retrieval_metric: What its scores were.
        calibration: What the probabilities say ("paraphrase", "question", "passage", or a name of one's own).
        prior: The share of same pairs that they assume.
    """

    model: str
    fingerprint: str
    metric: Metric | Ranking = Metric.COSINE
    version: str = __version__
    retrieved_by: str | None = None
    retrieval_metric: Metric | Ranking | None = None
    calibration: str | None = None
    prior: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what found the hits is part of it where the metric is "cross-encoder"."""
        retrieval = " retrieved_by retrieval_metric" if self.metric is Ranking.CROSS else ""
        return as_json(self, f"model fingerprint metric version calibration prior{retrieval}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two texts and how near they are in sense.

    Args:
        score: Cosine similarity in [-1, 1].
        probability: That the two mean the same, in [0, 1]; None where no calibration of the model is known.
        reading: The probability in words, or the score where there is none.
        differs: What differs between texts that look alike: "number: 15 → 51"; empty where nothing was seen, None
            where nobody has looked.
        a: The one text.
        b: The other.
        origin: What produced this.
        interval: Between what the probability lies, nineteen times in twenty.
        unsure: Why there is no probability though a calibration is known: the model was not made for the language
            of the texts.
        because: What made the probability other than its score alone would: "the same text", "what differs",
            "how these 200 pairs score".
    """

    score: float
    probability: float | None
    reading: Reading
    differs: tuple[str, ...] | None
    a: str
    b: str
    origin: Origin
    interval: tuple[float, float] | None = None
    unsure: str | None = None
    because: tuple[str, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether there is a probability."""
        return self.probability is not None

    def __str__(self) -> str:
        certainty = _certainty(self.probability) if self.unsure is None else self.unsure
        line = f"{self.score:.4f}  {self.reading.value} ({certainty})"
        return f"{line}; differs: {', '.join(self.differs)}" if self.differs else line

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        named = "score probability interval reading calibrated unsure because differs a b"
        return as_json(self, named) | self.origin.to_dict()


@dataclass(frozen=True, slots=True)
class Hit:
    """One text that was found.

    Args:
        rank: From 1, best first.
        id: The document's id; for a list of plain strings its position from 0.
        score: Similarity to the query, or what a cross-encoder gave; higher is closer.
        probability: That it means the same, or answers the query, in [0, 1]; None where no calibration is known.
        text: The document's text; None where only its vector is known.
        metadata: The document's further fields.
        retrieval_score: What the search gave, where a cross-encoder gave `score`.
        interval: Between what the probability lies, nineteen times in twenty.
        differs: What differs between the query and a text that looks like it: "antonym: enable → disable"; empty
            where nothing was seen, None where nobody has looked.
        unsure: Why there is no probability although a calibration is known: a language that the model was not made
            for, say.
        because: What made the probability other than its score alone would: "the same text", "what differs".
        alike: The ids of others with the very same text, where equal texts were to count once.
    """

    rank: int
    id: str
    score: float
    probability: float | None
    text: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retrieval_score: float | None = None
    interval: tuple[float, float] | None = None
    differs: tuple[str, ...] | None = None
    unsure: str | None = None
    because: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()

    @property
    def place(self) -> str | None:
        """Where a passage stands: `guide.md:12` by its line, `guide.pdf#page=3` by its page, or its document.

        None for what is no passage.
        """
        said = self.metadata.get("passage")
        if not isinstance(said, Mapping) or "document" not in said:
            return None
        where = f":{said['line']}" if "line" in said else f"#page={said['page']}" if "page" in said else ""
        return f"{said['document']}{where}"

    def __str__(self) -> str:
        sure = "" if self.probability is None else f"{percent(self.probability):>5}  "
        line = f"{self.rank:>3}  {self.score:.4f}  {sure}{self.id if self.text is None else self.text}"
        return f"{line}; differs: {', '.join(self.differs)}" if self.differs else line

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        names = "rank id score retrieval_score probability interval differs unsure because text metadata"
        return as_json(self, f"{names} alike" if self.alike else names)


class Cells(Protocol):
    """What is known of the pairs of a matrix beyond their scores, computed when it is asked for."""

    def comparison(self, row: int, column: int) -> Comparison:
        """The two texts of a cell, compared."""
        ...  # pragma: no cover

    def judged(self) -> tuple[NDArray[np.float32] | None, Mapping[tuple[int, int], tuple[str, ...]]]:
        """The probabilities of all cells, and what differs in those that differ, row below column."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Every text against every other, or against those of another side. It is an array: of its scores.

    Args:
        scores: float32, shape (n, m); symmetric where both sides are the same.
        labels: One a row: the texts.
        origin: What produced this.
        cells: What else is known of each pair; None of a matrix that was made by hand, or read from a file.
        columns: One a column: the texts of the other side; None where both sides are the same.
    """

    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    origin: Origin
    cells: Cells | None = field(default=None, repr=False)
    columns: tuple[str, ...] | None = None
    given: tuple[Given, Given] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.scores)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """As numpy takes it: `np.asarray(matrix)` is `scores`."""
        return np.array(self.scores, dtype, copy=copy)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return iter(self.scores)

    def __getitem__(self, at: Any) -> Any:
        """As of `scores`: `matrix[0]` is a row, `matrix[0, 1]` a number."""
        return self.scores[at]

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns there are."""
        return self.scores.shape

    def to_frame(self, library: str | None = None) -> Any:
        """The scores with their labels: the index that came with the texts, else the texts.

        Args:
            library: "pandas", "polars" or "arrow"; without it that of the texts that came, else pandas. Frames of
                the other two have no index, and the rows' labels in a first column, "text".

        Raises:
            MissingExtra: The library is not installed.
        """
        sides = self.labels, self.labels if self.columns is None else self.columns
        rows, names = sides if self.given is None else map(_labels, self.given, sides)
        columns: dict[Any, Any] = {name: self.scores[:, place] for place, name in enumerate(map(_plain, names))}
        given = None if self.given is None else self.given[0]
        if len(columns) < self.shape[1]:
            what = "two columns of the matrix have the same label"
            raise InputError(what, why="a frame's columns are told apart by them", fix="np.asarray(matrix)")
        if (library or (given and given.library) or "pandas") != "pandas":
            columns = {"text": [str(row) for row in rows]} | {str(name): cells for name, cells in columns.items()}
        return frame_of(columns, library, given, rows)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write scores, labels and origin as .npz, which `np.load` reads.

        Raises:
            FileError: It cannot be written, or its name ends in something else.
        """
        about = {"labels": self.labels, "columns": self.columns, **self.origin.to_dict()}
        files().write_matrix(path, self.scores, about)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Matrix:
        """Read what `save` wrote. What differs and probabilities are not in it: they are asked of `compare_pairs`.

        Raises:
            FileError: It cannot be read, or holds no matrix.
        """
        return cast("Matrix", files().read_matrix(path))

    @property
    def probabilities(self) -> NDArray[np.float32] | None:
        """That two texts mean the same, as `compare` tells it: float32, shape (n, m), computed now.

        None where no calibration is known, NaN where the model cannot judge a pair. What differs lowers the
        100,000 most probable pairs; beyond those nobody looks.
        """
        return None if self.cells is None else self.cells.judged()[0]

    @property
    def differs(self) -> Mapping[tuple[int, int], tuple[str, ...]]:
        """What differs between texts that look alike, by row and column; computed now.

        Of the 100,000 pairs that are most probable to mean the same, and not below 1 %; of a text against itself
        and its like only where the column is the higher one.
        """
        return {} if self.cells is None else self.cells.judged()[1]

    def comparison(self, row: int, column: int) -> Comparison:
        """Two of the texts with score, probability, interval and what differs, as `compare` tells it.

        Args:
            row: The one text, from 0.
            column: The other.

        Raises:
            InputError: There is no such text.
        """
        others = self.labels if self.columns is None else self.columns
        n, m = len(self.labels), len(others)
        if not (0 <= row < n and 0 <= column < m):
            ends = f"rows go from 0 to {n - 1}, columns to {m - 1}"
            raise InputError(f"there is no cell ({row}, {column})", fix=ends)
        if self.cells is not None:
            return self.cells.comparison(row, column)
        score = float(self.scores[row, column])
        return Comparison(score, None, Reading.of(score), None, self.labels[row], others[column], self.origin)

    def __str__(self) -> str:
        width = max((len(label[:40]) for label in self.labels), default=0)
        return "\n".join(
            f"{label[:40]:<{width}}  " + " ".join(f"{score:7.4f}" for score in row)
            for label, row in zip(self.labels, self.scores, strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return (
            as_json(self, "labels scores" if self.columns is None else "labels columns scores")
            | self.origin.to_dict()
        )


class Result(Protocol):
    """What every kind of result can do."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        ...  # pragma: no cover


R = TypeVar("R", bound=Result)


class Results(list[R], Generic[R]):
    """A list of results that knows what produced it; in all else a plain list.

    Args:
        items: The results.
        origin: What produced them.
        query: The text they answer, where there is one.
    """

    given: Given | None = None
    """How the rows that they speak of are called where they came from."""

    def __init__(self, items: Iterable[R], origin: Origin, query: str | None = None) -> None:
        super().__init__(items)
        self.origin, self.query = origin, query

    @overload
    def __getitem__(self, index: SupportsIndex) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Results[R]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> R | Results[R]:
        """An item, or a part that still knows its origin."""
        if isinstance(index, slice):
            part = Results(list(self)[index], self.origin, self.query)
            part.given = self.given
            if self.given is not None and self.given.ids is None:
                part.given = self.given.take(range(len(self))[index])
            return part
        return super().__getitem__(index)

    def __str__(self) -> str:
        return "\n".join(str(item) for item in self)

    def _repr_html_(self) -> str:
        """As a table, for notebooks."""
        from html import escape

        rows = [item.to_dict() for item in self]
        names = self._fields(rows)
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row.get(name)))}</td>" for name in names) + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _fields(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """What the results say besides their common origin."""
        made, names = self.origin.to_dict(), dict.fromkeys(name for row in rows for name in row)
        return [name for name in names if name not in made]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each result as JSON values."""
        return [item.to_dict() for item in self]

    def to_frame(self, library: str | None = None) -> Any:
        """As a frame, one row a result, called as the rows that were given.

        Where a Series or a frame of pandas came in, its index leads back: hits have the labels of the rows that
        were found, so that `df.loc[hits.to_frame().index]` are those rows; comparisons have the index itself.

        Args:
            library: "pandas", "polars" or "arrow"; without it that of the texts that came, else pandas.

        Raises:
            MissingExtra: The library is not installed.
        """
        rows, given = [item.to_dict() for item in self], self.given or Given()
        columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in self._fields(rows)}
        for name in ("left", "right", "kept"):
            if name in columns:
                columns[name] = given.labels(columns[name])
        index = None
        if given.ids is None:
            index = given.index if rows or given.index is None else given.index[:0]
        elif "id" in columns and (index := given.index_of(columns["id"])) is not None:
            if (library or given.library or "pandas") == "pandas":
                del columns["id"]
            else:
                columns["id"] = given.labels(columns["id"])
        return frame_of(columns, library, given, index)

    def to_pandas(self) -> Any:
        """As a DataFrame, one row a result.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from nearsense._optional import require

        return require("pandas", extra="pandas", purpose="to_pandas()").DataFrame(self.to_dicts())


def _labels(given: Given, texts: Sequence[str]) -> Any:
    """What the rows of a side are called: by their index, else by their texts."""
    return texts if given.index is None else given.index


def _plain(label: Any) -> Any:
    """A label as Python has it."""
    return label.item() if isinstance(label, np.generic) else label


def _certainty(probability: float | None) -> str:
    return "uncalibrated" if probability is None else f"{percent(probability)} likely to mean the same"


def percent(probability: float) -> str:
    """A probability for a reader: never rounded to certainty.

    Example:
        >>> percent(0.913), percent(0.9999), percent(0.0001)
        ('91 %', '>99 %', '<1 %')
    """
    if probability > 0.99:
        return ">99 %"
    return "<1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
