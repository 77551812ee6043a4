"""A file, a folder or the name of a published set as a data set. Not what is measured on it: see evaluation.

Which published sets there are stands in standard.toml; they come from the hub's cache, the hub, or a folder of own
copies. Which files a set has is read off the repository's own list, by the words in their names:
`test-00000-of-00001.parquet`, `qrels/test.jsonl`, `test.jsonl.gz` are all "test".
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nearsense._paths import exists, is_file, is_folder
from nearsense._progress import Progress
from nearsense.columns import is_frame
from nearsense.corpus import Frame, table_of
from nearsense.datasets.folders import ENDINGS, build_retrieval, of_table, read_folder
from nearsense.datasets.kinds import Dataset, Task
from nearsense.datasets.roles import Request, build, build_intents, require_task, roles_of
from nearsense.errors import FileError, InputError, ModelNotFound
from nearsense.files import Table, read_table
from nearsense.files.dialect import PLAIN, Dialect
from nearsense.files.formats import Format
from nearsense.files.streams import AUTO
from nearsense.records import parse


def read_dataset(
    source: str | os.PathLike[str] | Dataset | Frame | Table,
    *,
    task: str | None = None,
    columns: Sequence[str] | None = None,
    scale: tuple[float, float] | None = None,
    positive: str | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = AUTO,
    dialect: Dialect = PLAIN,
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
        source: A file of any format that nearsense reads, "-" for standard input, a folder, a frame (of pandas,
            polars, Arrow, datasets), or the name of a standard set: those of `STANDARD` are fetched from the hub
            once, and then kept in its cache.
        task: One of the table, where the columns leave a choice.
        columns: The columns in the order of the table, where their names do not tell.
        scale: The least and the greatest score of graded pairs; those that occur without it.
        positive: The label of labelled pairs that means the same, where there are others than yes and no.
        format: The file's, where its name does not tell.
        encoding: The file's, where it is not UTF-8 and does not show it.
        dialect: How the file is taken apart, where its content does not tell.
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
        dialect,
    )
    if isinstance(source, Dataset):
        require_task(source.name, request, source.task)
        return source
    if isinstance(source, Table):
        roles = roles_of(source, request.task, request.columns, positive=request.positive)
        return of_table(source, roles, Path(source.source), request)
    if is_frame(source):
        table = table_of(source)
        return build(table, roles_of(table, request.task, request.columns, positive=request.positive), request)
    if not isinstance(source, (str, os.PathLike)) or not str(source):
        what = f"{source!r} is no data set"
        raise InputError(what, why="a file, a folder or a name is needed", fix="name one: pairs.csv")
    path, name = Path(source), str(source)
    is_name = name != "-" and not {os.sep, "/", "."} & set(name)
    if is_name and (data_dir is not None or not exists(path)):
        standard = STANDARD.get(name)
        if data_dir is not None:
            return _own_copy(name, standard, Path(data_dir), request)
        if standard is None:
            what = f"{name} is neither a file, a folder nor a standard data set"
            why = f"the names are {', '.join(STANDARD)}"
            raise InputError(what, why=why, fix="check the spelling, or give a file")
        return _built(name, standard, _fetched(name, standard, progress), request)
    if is_folder(path):
        return read_folder(path, request)
    table = read_table(source, format=request.format, encoding=request.encoding, dialect=dialect)
    roles = roles_of(table, request.task, request.columns, positive=request.positive)
    return of_table(table, roles, path, request)


def _range(scale: tuple[float, float]) -> tuple[float, float]:
    """The least and the greatest score there can be, as the user said it."""
    low, high = map(float, scale)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"range={low:g},{high:g}", why="a range is two numbers, the lesser first", fix="try 0,5")
    return low, high


def _own_copy(name: str, standard: Standard | None, data_dir: Path, request: Request) -> Dataset:
    """The data set of a name in a folder of own copies: a folder there, or a file."""
    folder = data_dir / name
    if is_folder(folder):
        if standard is None:
            return read_folder(folder, request)
        try:
            parts_of(_files(folder), standard)
        except FileError:  # not as on the hub: as any folder
            return read_folder(folder, replace(request, task=request.task or standard.task))
        return _built(name, standard, folder, request)
    beside = sorted(data_dir.glob(f"{name}.*")) if is_folder(data_dir) else []
    file = next((each for each in beside if each.name.removesuffix(".gz").endswith(ENDINGS)), None)
    if file is None:
        what = f"{data_dir} holds no data set {name}" if is_folder(data_dir) else f"there is no folder {data_dir}"
        why = f"there is neither {folder} nor {folder}.jsonl, .csv, ..."
        raise FileError(what, why=why, fix="put a copy there, or leave --data-dir out to ask the hub")
    table = read_table(file, encoding=request.encoding)
    task = request.task or (standard.task if standard else None)
    roles = roles_of(table, task, request.columns, positive=request.positive)
    return of_table(table, roles, file, request)


def _fetched(name: str, standard: Standard, progress: Progress) -> Path:
    """The folder of a set's snapshot: of the hub's cache where that has all of it, else from the hub."""
    from nearsense.encoders.hub import promises, snapshot
    from nearsense.encoders.places import offline_reason

    folder = snapshot(standard.repository, standard.revision, "datasets")
    if folder is not None and _is_whole(folder, standard, promises(folder)):
        return folder
    fix = f"download it and give the folder it lies in: --data-dir DIR, with {name} in DIR/{name}"
    if reason := offline_reason(None):
        what = f"{name} ({standard.repository}) is not here"
        raise FileError(what, why=f"the hub is not asked: {reason}", fix=fix)
    from nearsense.encoders.hub import download_data

    def wanted(files: Sequence[str]) -> list[str]:
        return [file for part in parts_of(files, standard).values() for file in part]

    try:
        return download_data(standard.repository, wanted, standard.revision, progress=progress)
    except ModelNotFound as error:
        raise FileError(f"{name}: {error.what}", why=error.why, fix=fix) from None


def _is_whole(folder: Path, standard: Standard, promised: Mapping[str, object] | None) -> bool:
    """Whether a snapshot has what is needed; another program may have fetched some of its files."""
    from nearsense.encoders.hub import missing_files

    try:
        files = set(_files(folder))
        parts = parts_of(sorted(files | set(promised or ())), standard)
    except FileError:
        return False
    return {file for part in parts.values() for file in part} <= files and (
        promised is None or not missing_files(folder)
    )


def _files(folder: Path) -> list[str]:
    """The names of all files, as the hub writes them."""
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if is_file(file))


def _built(name: str, standard: Standard, folder: Path, request: Request) -> Dataset:
    """The data set in a folder that has the files of a published one."""
    name, parts = f"{name} ({standard.part})", parts_of(_files(folder), standard)
    tables = {role: _joined([_read(folder / file, request) for file in files]) for role, files in parts.items()}
    judged = tables["judged"]
    if standard.task is Task.RETRIEVAL:
        require_task(name, request, Task.RETRIEVAL)
        return replace(build_retrieval(folder, tables["corpus"], tables["queries"], judged), name=name)
    as_clusters = standard.task is Task.INTENTS and request.task is Task.CLUSTERING
    if not as_clusters:
        require_task(name, request, standard.task)
    columns: Sequence[str] | None = request.columns or standard.columns
    if request.columns is None and not set(standard.columns) <= set(judged.columns):
        columns = None  # a copy with columns of its own: by their names
    roles = roles_of(judged, request.task or standard.task, columns, positive=request.positive)
    if standard.task is Task.INTENTS and not as_clusters:
        return replace(build_intents(judged, tables["known"], roles), name=name)
    made = build(judged, roles, replace(request, scale=request.scale or standard.scale))
    return replace(made, name=name)


def _read(file: Path, request: Request) -> Table:
    """One file of a published set, numbers of classes as their names."""
    table = read_table(file, encoding=request.encoding)
    if file.name.endswith(".parquet"):
        from nearsense.files.parquet import class_names

        for column, names in class_names(file).items():
            if column in table.columns:
                known = dict(enumerate(names))
                table.columns[column] = [known.get(cell, cell) for cell in table.columns[column]]
    return _unrolled(table)


def _unrolled(table: Table) -> Table:
    """The rows of a table that has them as lists in its only row: so some sets of pairs are published."""
    lists = [column[0] for column in table.columns.values() if len(table) == 1 and isinstance(column[0], list)]
    if len(lists) < 2 or len({len(each) for each in lists}) > 1:
        return table
    columns = {name: column[0] for name, column in table.columns.items() if isinstance(column[0], list)}
    rows = list(range(1, len(lists[0]) + 1))
    return Table(columns, rows, table.source, None, "entry", table.untyped)


def _joined(tables: Sequence[Table]) -> Table:
    """Shards, one below the other."""
    first = tables[0]
    if len(tables) == 1:
        return first
    columns = {name: [cell for each in tables for cell in each.columns[name]] for name in first.columns}
    return Table(columns, [line for each in tables for line in each.lines], first.source, None, first.unit)


@dataclass(frozen=True, slots=True)
class Standard:
    """A published data set: its repository on the hub, what is asked, and where in it that stands.

    `columns` are in the order of the task, none for a corpus with queries; `revision` is a commit, None the
    newest; `part` is judged, `known` the part whose labels are known, for intents; `folder` is where its files lie
    within the repository; `scale` the range of its scores; `about` says in a few words what it is.
    """

    repository: str
    task: Task
    columns: tuple[str, ...] = ()
    revision: str | None = None
    part: str = "test"
    known: str = ""
    folder: str = ""
    scale: tuple[float, float] | None = None
    about: str = ""


def _standard(fields: dict[str, Any]) -> Standard:
    """A row of standard.toml."""
    values: Any = {name: tuple(each) if isinstance(each, list) else each for name, each in fields.items()}
    return Standard(**values | {"task": Task(fields["task"])})


_ROWS = tomllib.loads(Path(__file__).with_name("standard.toml").read_text("utf-8"))
STANDARD: Mapping[str, Standard] = {name: _standard(fields) for name, fields in _ROWS.items()}
"""Each set by its name."""

FORMS = tuple(
    f".{each.value}{packed}"
    for each in (Format.JSONL, Format.CSV, Format.TSV, Format.PARQUET)
    for packed in ("", ".gz", ".zst")
)
"""Files of rows; where a part is there in several forms, the first of these is taken."""


def parts_of(files: Sequence[str], standard: Standard) -> dict[str, list[str]]:
    """Which files hold which part of a data set: "judged", "known", "corpus", "queries"."""
    within = f"{standard.folder}/" if standard.folder else ""
    rows = [name for name in files if name.startswith(within) and name.endswith(FORMS)]
    named = {name: set(re.split(r"[/._-]+", name.removeprefix(within).casefold())) for name in rows}
    if standard.task is not Task.RETRIEVAL:
        wanted = {"judged": standard.part} | ({"known": standard.known} if standard.known else {})
        found = {role: [name for name in rows if part in named[name]] for role, part in wanted.items()}
    else:
        corpus = [name for name in rows if "corpus" in named[name]]
        queries = [name for name in rows if named[name] & {"queries", "query"} and name not in corpus]
        judged = [name for name in rows if standard.part in named[name] and name not in (*corpus, *queries)]
        own = [name for name in queries if standard.part in named[name]]
        found = {"judged": judged, "corpus": corpus, "queries": own or queries}
    for role, names in found.items():
        if not names:
            part = {"judged": standard.part, "known": standard.known}.get(role, role)
            why = f"its files are {', '.join(list(files)[:8]) or 'none'}"
            fix = "give a file of it: nearsense evaluate FILE"
            raise FileError(f"no file of {standard.repository} holds its part {part!r}", why=why, fix=fix)
        ending = next(each for each in FORMS if any(name.endswith(each) for name in names))
        found[role] = sorted(name for name in names if name.endswith(ending))  # shards in their order
    return found
