"""Standard data sets by their names, from the hub's cache, the hub, or a folder of own copies.

Repositories, revisions and parts are those that the package mteb 2.26.24 names, where a set is one of its own; so
figures compare with published ones. Which files there are is read off the repository's own list, by the words in
their names: `test-00000-of-00001.parquet`, `qrels/test.jsonl`, `test.jsonl.gz` are all "test".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nearsense._progress import Progress
from nearsense.datasets.building import Asked, intents, made_of
from nearsense.datasets.folders import ENDINGS, of_folder, retrieval_of
from nearsense.datasets.folders import beside as with_corpus
from nearsense.datasets.kinds import Dataset, Task
from nearsense.datasets.roles import Roles, roles_of
from nearsense.errors import FileError, InputError, ModelNotFound
from nearsense.files import Table, read_table
from nearsense.files.formats import Format


def named(name: str, asked: Asked, *, data_dir: Path | None = None, progress: Progress = False) -> Dataset:
    """The data set of a name."""
    standard = STANDARD.get(name)
    if data_dir is not None:
        return _own_copy(name, standard, data_dir, asked)
    if standard is None:
        why = f"the names are {', '.join(STANDARD)}"
        fix = "check the spelling, or give a file"
        raise InputError(f"{name} is neither a file, a folder nor a standard data set", why=why, fix=fix)
    folder = _fetched(name, standard, progress)
    parts = parts_of(_files(folder), standard)
    return _built(f"{name} ({standard.part})", standard, folder, parts, asked)


def _own_copy(name: str, standard: Standard | None, data_dir: Path, asked: Asked) -> Dataset:
    folder = data_dir / name
    if folder.is_dir():
        if standard is None:
            return of_folder(folder, asked)
        try:
            parts = parts_of(_files(folder), standard)
        except FileError:  # not as on the hub: as any folder
            return of_folder(folder, replace(asked, task=asked.task or standard.task))
        return _built(f"{name} ({standard.part})", standard, folder, parts, asked)
    beside = sorted(data_dir.glob(f"{name}.*")) if data_dir.is_dir() else []
    file = next((each for each in beside if each.name.removesuffix(".gz").endswith(ENDINGS)), None)
    if file is None:
        what = f"{data_dir} holds no data set {name}" if data_dir.is_dir() else f"there is no folder {data_dir}"
        why = f"there is neither {folder} nor {folder}.jsonl, .csv, ..."
        raise FileError(what, why=why, fix="put a copy there, or leave --data-dir out to ask the hub")
    table = read_table(file, encoding=asked.encoding)
    task = asked.task or (standard.task if standard else None)
    roles = roles_of(table, task, asked.columns, positive=asked.positive)
    return with_corpus(table, roles, file, asked) if roles.task is Task.RETRIEVAL else made_of(table, roles, asked)


def _fetched(name: str, standard: Standard, progress: Progress) -> Path:
    """The folder of a set's snapshot: of the hub's cache where that has all of it, else from the hub."""
    from nearsense.encoders.hub_cache import promises, snapshot
    from nearsense.encoders.places import forbidden

    folder = snapshot(standard.repository, standard.revision, "datasets")
    if folder is not None and _is_whole(folder, standard, promises(folder)):
        return folder
    fix = f"download it and give the folder it lies in: --data-dir DIR, with {name} in DIR/{name}"
    if reason := forbidden(None):
        raise FileError(
            f"{name} ({standard.repository}) is not here", why=f"the hub is not asked: {reason}", fix=fix
        )
    from nearsense.encoders.hub import download_data

    def wanted(files: Sequence[str]) -> list[str]:
        return [file for part in parts_of(files, standard).values() for file in part]

    try:
        return download_data(standard.repository, wanted, standard.revision, progress=progress)
    except ModelNotFound as error:
        raise FileError(f"{name}: {error.what}", why=error.why, fix=fix) from None


def _is_whole(folder: Path, standard: Standard, promised: Mapping[str, object] | None) -> bool:
    """Whether a snapshot has what is needed; another program may have fetched some of its files."""
    from nearsense.encoders.hub_cache import lacking

    try:
        files = set(_files(folder))
        parts = parts_of(sorted(files | set(promised or ())), standard)
    except FileError:
        return False
    return {file for part in parts.values() for file in part} <= files and (
        promised is None or not lacking(folder)
    )


def _files(folder: Path) -> list[str]:
    """The names of all files, as the hub writes them."""
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _built(
    name: str, standard: Standard, folder: Path, parts: Mapping[str, Sequence[str]], asked: Asked
) -> Dataset:
    tables = {role: _joined([_read(folder / file, asked) for file in files]) for role, files in parts.items()}
    judged = tables["judged"]
    if standard.task is Task.RETRIEVAL:
        _require(name, standard, asked.task in (None, Task.RETRIEVAL), asked)
        return replace(retrieval_of(folder, tables["corpus"], tables["queries"], judged), name=name)
    as_clusters = standard.task is Task.INTENTS and asked.task is Task.CLUSTERING
    _require(name, standard, as_clusters or asked.task in (None, standard.task), asked)
    roles = _roles(judged, standard, asked)
    if standard.task is Task.INTENTS and not as_clusters:
        return replace(intents(judged, tables["known"], roles), name=name)
    made = made_of(judged, roles, replace(asked, scale=asked.scale or standard.scale))
    return replace(made, name=name)


def _require(name: str, standard: Standard, suits: bool, asked: Asked) -> None:
    if not suits and asked.task is not None:
        raise InputError(
            f"{name} is a {standard.task.value} data set, not {asked.task.value}",
            fix=f"leave task out, or make it {standard.task.value}",
        )


def _roles(table: Table, standard: Standard, asked: Asked) -> Roles:
    """The columns as they are published; where a copy has others, by their names."""
    task = asked.task or standard.task
    if asked.columns is None and not set(standard.columns) <= set(table.columns):
        return roles_of(table, task, None, positive=asked.positive)
    return roles_of(table, task, asked.columns or standard.columns, positive=asked.positive)


def _read(file: Path, asked: Asked) -> Table:
    table = read_table(file, encoding=asked.encoding)
    if file.name.endswith(".parquet"):
        from nearsense.files.parquet import class_names

        for column, names in class_names(file).items():
            if column in table.columns:
                cells = table.columns[column]
                table.columns[column] = [
                    names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else cell for cell in cells
                ]
    return _unrolled(table)


def _unrolled(table: Table) -> Table:
    """One row of lists is as many rows: so some sets of pairs are published."""
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
    """A published data set."""

    repository: str
    task: Task
    columns: tuple[str, ...] = ()
    revision: str | None = None
    part: str = "test"
    known: str = ""
    folder: str = ""
    scale: tuple[float, float] | None = None
    about: str = ""


_RATED = ("sentence1", "sentence2", "score")
_ALIKE = ("sent1", "sent2", "labels")


def _rated(name: str, revision: str, about: str, scale: tuple[float, float] | None = (0.0, 5.0)) -> Standard:
    return Standard(f"mteb/{name}", Task.GRADED, _RATED, revision, scale=scale, about=about)


def _searched(name: str, revision: str, about: str) -> Standard:
    return Standard(f"mteb/{name}", Task.RETRIEVAL, revision=revision, about=about)


STANDARD: Mapping[str, Standard] = {
    "stsb": _rated("stsbenchmark-sts", "b0fddb56ed78048fa8b90373c8a3cfc37b684831", "STS benchmark"),
    "sick": _rated("sickr-sts", "20a6d6f312dd54037fe07a32d58e5e168867909d", "SICK, relatedness", None),
    "sts12": _rated("sts12-sts", "a0d554a64d88156834ff5ae9920b964011b16384", "STS of 2012"),
    "sts13": _rated("sts13-sts", "7e90230a92c190f1bf69ae9002b8cea547a64cca", "STS of 2013"),
    "sts14": _rated("sts14-sts", "6031580fec1f6af667f0bd2da0a551cf4f0b2375", "STS of 2014"),
    "sts15": _rated("sts15-sts", "ae752c7c21bf194d8b67fd573edf7ae58183cbe3", "STS of 2015"),
    "sts16": _rated("sts16-sts", "4d8694f8f0e0100860b497b999b3dbed754a0513", "STS of 2016"),
    "biosses": _rated("biosses-sts", "d3fb88f8f02e40887cd149695127462bbcf29b4a", "biomedical sentences", None),
    "quora": Standard(
        "nyu-mll/glue",
        Task.LABELLED,
        ("question1", "question2", "label"),
        part="validation",
        folder="qqp",
        about="Quora question pairs; the labels of its test part are not public",
    ),
    "mrpc": Standard(
        "nyu-mll/glue",
        Task.LABELLED,
        ("sentence1", "sentence2", "label"),
        folder="mrpc",
        about="paraphrases from the news",
    ),
    "twitter": Standard(
        "mteb/twittersemeval2015-pairclassification",
        Task.LABELLED,
        _ALIKE,
        "70970daeab8776df92f5ea462b6173c0b46fd2d1",
        about="paraphrases among tweets",
    ),
    "sprint": Standard(
        "mteb/sprintduplicatequestions-pairclassification",
        Task.LABELLED,
        _ALIKE,
        "d66bd1f72af766a5cc4b0ca5e00c162f89e8cc46",
        about="duplicate questions of a forum",
    ),
    "allnli": Standard(
        "sentence-transformers/all-nli",
        Task.TRIPLETS,
        ("anchor", "positive", "negative"),
        folder="triplet",
        about="SNLI and MultiNLI as triplets",
    ),
    "scifact": _searched("scifact", "d56462d0e63a25450459c4f213e49ffdb866f7f9", "claims and abstracts"),
    "nfcorpus": _searched("nfcorpus", "ec0fa4fe99da2ff19ca1214b7966684033a58814", "nutrition and medicine"),
    "fiqa": _searched("fiqa", "27a168819829fe9bcd655c2df245fb19452e8e06", "questions of finance"),
    "scidocs": _searched("scidocs", "f8c2fcf00f625baaa80f62ec5bd9e1fff3b8ae88", "which papers are cited"),
    "askubuntu": Standard(
        "mteb/askubuntudupquestions-reranking",
        Task.RERANK,
        ("query", "positive", "negative"),
        "2000358ca161889fa9c082cb41daa8dcfb161a54",
        about="duplicate questions on Ubuntu",
    ),
    "banking77": Standard(
        "mteb/banking77",
        Task.INTENTS,
        ("text", "label_text"),
        "0fd18e25b25c072e09e0d92ab615fda904d66300",
        known="train",
        about="what customers of a bank want",
    ),
    "clinc150": Standard(
        "clinc/clinc_oos",
        Task.INTENTS,
        ("text", "intent"),
        known="train",
        folder="plus",
        about="150 intents, and texts that are none of them",
    ),
}
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
    return {role: _of_one_form(names) for role, names in found.items()}


def _of_one_form(names: Sequence[str]) -> list[str]:
    """Those in the preferred format; shards in their order."""
    ending = next(each for each in FORMS if any(name.endswith(each) for name in names))
    return sorted(name for name in names if name.endswith(ending))
