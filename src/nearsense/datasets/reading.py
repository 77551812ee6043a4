"""A file, a folder or a name as a data set. Not what is measured on it: see evaluation."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from nearsense._progress import Progress
from nearsense.datasets.building import Request, require_task
from nearsense.datasets.folders import of_table, read_folder
from nearsense.datasets.kinds import Dataset, Task
from nearsense.datasets.published import standard_dataset
from nearsense.datasets.roles import roles_of
from nearsense.errors import InputError
from nearsense.files import read_table
from nearsense.records import parse


def read_dataset(
    source: str | os.PathLike[str] | Dataset,
    *,
    task: str | None = None,
    columns: Sequence[str] | None = None,
    scale: tuple[float, float] | None = None,
    positive: str | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = "utf-8",
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = False,
) -> Dataset:
    """Read something to measure models on; what is asked of them is read off the columns.

    | task | columns |
    | --- | --- |
    | graded | two texts and a number: `a,b,score`, `sentence1,sentence2,score`, ... |
    | labelled | two texts and one of two labels: `a,b,label`, `question1,question2,is_duplicate`, ... |
    | triplets | `anchor,positive,negative` |
    | retrieval | a folder with `corpus.*` (id, title, text) and `queries.*` (id, query, rel), or BEIR's layout |
    | rerank | `query,candidates,labels`: lists; or `query,positive,negative` with lists |
    | intents | `text,label`; a column `split`, or a folder with `train.*` and `test.*`; else leave-one-out |
    | clustering | the same, where it is asked for |

    Args:
        source: A file of any format that nearsense reads, "-" for standard input, a folder, or the name of a
            standard set: those of `STANDARD` are fetched from the hub once, and then kept in its cache.
        task: One of the table, where the columns leave a choice.
        columns: The columns in the order of the table, where their names do not tell.
        scale: The least and the greatest score of graded pairs; those that occur without it.
        positive: The label of labelled pairs that means the same, where there are others than yes and no.
        format: The file's, where its name does not tell.
        encoding: The file's.
        data_dir: A folder with own copies of standard sets, by their names; the hub is not asked then.
        progress: How to show a download from the hub: True for a bar on stderr.

    Returns:
        One of `GradedPairs`, `LabelledPairs`, `Triplets`, `Retrieval`, `Rerank`, `Intents` and `Clustering`.

    Raises:
        FileError: The columns suit no task, or a cell is not what its column should hold; file, line and columns
            are named.
        InputError: There is nothing of that name, an option is not known, or nothing can be measured: labels of
            one class, constant scores, fewer than 3 items.

    Example:
        >>> from nearsense.files import write_table
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "pairs.csv"
        >>> texts = [("a dog", "a hound", 5), ("a dog", "a cat", 2), ("a dog", "a debt", 0)]
        >>> _ = write_table(file, [{"a": a, "b": b, "score": score} for a, b, score in texts])
        >>> read_dataset(file).task.value
        'graded'
    """
    request = Request(
        None if task is None else parse(Task, task, name="task"),
        None if columns is None else tuple(columns),
        None if scale is None else _range(scale),
        positive,
        format,
        encoding,
    )
    if isinstance(source, Dataset):
        require_task(source.name, request, source.task)
        return source
    if not isinstance(source, (str, os.PathLike)) or not str(source):
        what = f"{source!r} is no data set"
        raise InputError(what, why="a file, a folder or a name is needed", fix="name one: pairs.csv")
    path, name = Path(source), str(source)
    is_name = name != "-" and not {os.sep, "/", "."} & set(name)
    if is_name and (data_dir is not None or not path.exists()):
        own = None if data_dir is None else Path(data_dir)
        return standard_dataset(name, request, data_dir=own, progress=progress)
    if path.is_dir():
        return read_folder(path, request)
    table = read_table(source, format=request.format, encoding=request.encoding)
    roles = roles_of(table, request.task, request.columns, positive=request.positive)
    return of_table(table, roles, path, request)


def _range(scale: tuple[float, float]) -> tuple[float, float]:
    low, high = map(float, scale)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"range={low:g},{high:g}", why="a range is two numbers, the lesser first", fix="try 0,5")
    return low, high
