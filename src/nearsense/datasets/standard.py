"""Standard data sets by their names: where each lies on the hub, and which of its files are used. No network.

Repositories, revisions and parts are those that the package mteb 2.26.24 names, where a set is one of its own; so
figures compare with published ones. Which files there are is read off the repository's own list, by the words in
their names: `test-00000-of-00001.parquet`, `qrels/test.jsonl`, `test.jsonl.gz` are all "test". What no list here
could be compared with: the file names of glue, all-nli and clinc_oos at their newest revision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nearsense.datasets.kinds import Task
from nearsense.errors import FileError
from nearsense.files.formats import Format


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

ENDINGS = tuple(
    f".{each.value}{packed}"
    for each in (Format.JSONL, Format.CSV, Format.TSV, Format.PARQUET)
    for packed in ("", ".gz", ".zst")
)
"""Files of rows; where a part is there in several forms, the first of these is taken."""


def parts_of(files: Sequence[str], standard: Standard) -> dict[str, list[str]]:
    """Which files hold which part of a data set: "judged", "known", "corpus", "queries"."""
    within = f"{standard.folder}/" if standard.folder else ""
    rows = [name for name in files if name.startswith(within) and name.endswith(ENDINGS)]
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
            raise FileError(
                f"no file of {standard.repository} holds its part {part!r}",
                why=f"its files are {', '.join(list(files)[:8]) or 'none'}",
                fix="give a file of it: nearsense evaluate FILE",
            )
    return {role: _of_one_form(names) for role, names in found.items()}


def _of_one_form(names: Sequence[str]) -> list[str]:
    """Those in the preferred format; shards in their order."""
    ending = next(each for each in ENDINGS if any(name.endswith(each) for name in names))
    return sorted(name for name in names if name.endswith(ending))
