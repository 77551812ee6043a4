"""drift: is what comes in still like what came before? For a look now and then, and for a check every day."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense._paths import exists, is_folder, is_url
from nearsense.cli.options import COUNT, SHARE, CorpusOptions, OutputOptions, network_option, option, takes
from nearsense.errors import InputError

if TYPE_CHECKING:
    from nearsense.monitoring import Drift, Names
    from nearsense.querylog import LoggedQuery
    from nearsense.records import Vectors

SPAN = re.compile(r"\d+(\.\d+)?[smhdw]")
REPORTS = (".html", ".json")
TABLES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
DAY = 86_400.0


class DriftOptions(CorpusOptions):
    """What is compared with what, how surely, and what is written."""

    against: str = option(
        "--against REFERENCE",
        "The reference: a file, a collection, or 7d: the days before in COLLECTION's log.",
        required=True,
    )
    queries: bool = option("--queries", "Of collections what was asked, by their logs, not their documents.")
    since: str = option("--since WHEN", "What is new in a log: from when on, 1d or 2026-11-30.", default="1d")
    same_weekday: bool = option("--same-weekday", "Of the reference's log only the weekdays of the new queries.")
    texts_only: bool = option("--texts-only", "Of a log the questions alone, not what was answered.")
    level: float = option("--level SHARE", "The chance of a false alarm, at most.", SHARE, default=0.02)
    copies: str = option(
        "--copies", "Whether copies of a text count once or each.", click.Choice(["once", "each"]), default="once"
    )
    sample: int = option("--sample N", "Rows of a side that are looked at, at most.", COUNT, default=10_000)
    watch: str | None = option(
        "--watch FILE", "Remember this check there: then --level holds for all checks in --period days."
    )
    period: float = option(
        "--period DAYS", "How long the level of a watch lasts.", click.FloatRange(min=0, min_open=True), default=30
    )
    seed: int = option("--seed", "Of what is drawn by chance.", click.IntRange(min=0), default=0)
    report: str | None = option("--output -o FILE", "Write a report: .html with plots, or .json.")
    texts: str | None = option("--texts FILE", "Write the new texts of the topics that moved: csv, jsonl, ...")
    silent: bool = option("--exit-zero", "Exit with 0 on drift too.")


@dataclass(frozen=True, slots=True)
class Source:
    """One side as it was read."""

    given: Any
    vectors: Vectors | None
    ids: list[str]
    texts: list[str]


@click.command()
@click.argument("current", metavar="FILE|COLLECTION")
@takes(options=DriftOptions)
@network_option
@takes(output=OutputOptions)
def drift(current: str, options: DriftOptions, network: bool, output: OutputOptions) -> None:
    """Say whether the texts of FILE are still like those of a reference, and what moved.

    Compared are what texts are about, their languages, lengths and written forms; of the log of a collection also
    scores, what got no answer, and how true probabilities are. All at once: --level is the chance of a false alarm
    of all tests together, with --watch of all checks in 30 days. Exits with 1 on drift, else with 0.

    \b
    Examples:
      nearsense drift today.csv --against lastmonth.csv -o report.html
      nearsense drift tickets.nearsense --against 28d --since 1d --watch tickets.watch --json
      nearsense drift today.csv --against tickets.nearsense --texts topics.csv
    """
    from nearsense.cli.outputs import leave, write_text
    from nearsense.files import write_table
    from nearsense.monitoring import actions
    from nearsense.monitoring.steps import drift as drifted
    from nearsense.render.drift import drift_page, texts_rows

    _require(current, options)
    now, before = _sides(current, options, network)
    found = drifted(
        now.given,
        before.given,
        encoder=_encoder(now, before, options),
        vectors=now.vectors,
        reference_vectors=before.vectors,
        level=options.level,
        copies=options.copies,
        sample=options.sample,
        watch=options.watch,
        period=options.period,
        seed=options.seed,
        progress=options.progress,
    )
    names = _names(current, options)
    todo = actions(found, names)
    if options.report is not None:
        write_text(options.report, _report(found, current, options, names))
    if options.texts is not None:
        rows = texts_rows(found, now.ids, now.texts)
        write_table(options.texts, rows, columns=["id", "question", "answer", "topic", "change"])
    output.show(drift_page(found, todo))
    alarm = found.drifted if found.check is None else found.check.alarm
    if alarm and not options.silent:
        leave()


COMMANDS = (drift,)


def _require(current: str, options: DriftOptions) -> None:
    """Refuse what does not go together, or cannot be written, before anything is read."""
    from nearsense.cli.outputs import require_targets
    from nearsense.store import is_collection

    if current == "-" == options.against:
        raise click.UsageError("both sides are standard input: name a file for one of them")
    if (options.where or options.rows) and (
        SPAN.fullmatch(options.against) or any(is_collection(name) for name in (current, options.against))
    ):
        raise click.UsageError("--where and --limit are for files: of a collection all is compared")
    for flag, path, endings in (("-o", options.report, REPORTS), ("--texts", options.texts, TABLES)):
        if path is not None and Path(path).suffix.lower() not in endings:
            raise click.UsageError(f"{flag} {path}: it is one of {', '.join(endings)}")
    reference = None if SPAN.fullmatch(options.against) else options.against
    written = {"-o": options.report, "--texts": options.texts, "--watch": options.watch}
    require_targets(written, {"FILE": current, "--against": reference})


def _sides(current: str, options: DriftOptions, network: bool) -> tuple[Source, Source]:
    if SPAN.fullmatch(options.against) and not exists(options.against):
        return _of_spans(current, options)
    return tuple(_of(name, options, network) for name in (current, options.against))  # type: ignore[return-value]


def _of(name: str, options: DriftOptions, network: bool) -> Source:
    from nearsense.cli.inputs import read_corpus
    from nearsense.collection import open_collection
    from nearsense.store import is_collection

    if is_collection(name) and options.queries:
        return _logged([*_log(name).entries(since=options.since if name != options.against else None)], options)
    if is_collection(name):
        with open_collection(name, create=False, network=network) as there:
            documents, vectors = there.documents()
        texts = [document.text for document in documents]
        return Source(documents, vectors, [document.id for document in documents], texts)
    corpus = read_corpus(name, options)
    ids, texts = [each.id for each in corpus.documents], [each.text for each in corpus.documents]
    if corpus.stored is not None and not any(texts):
        return Source(corpus.stored, None, ids, [])
    stored = corpus.stored if corpus.stored is not None and options.model is None else None
    return Source(corpus.documents, stored, ids, texts)


def _log(name: str) -> Any:
    from nearsense.querylog import open_log

    return open_log(name)


def _of_spans(current: str, options: DriftOptions) -> tuple[Source, Source]:
    """The newest entries of a log, and those of the days before."""
    from nearsense.querylog import moment
    from nearsense.store import is_collection

    if not (is_url(current) or is_folder(current)):
        raise InputError(
            f"--against {options.against} is a part of a log, and {current} has none",
            why="only a collection, or the folder of a log, knows when something was asked",
            fix=f"nearsense drift COLLECTION --against {options.against}",
        )
    begin = moment(options.since)
    assert begin is not None
    passed = time.time() - float(moment(options.against) or 0.0)
    entries = [*_log(current).entries(since=begin - passed)]
    new, old = [each for each in entries if each.time >= begin], [each for each in entries if each.time < begin]
    if not new or not old:
        which = f"the last {options.since}" if not new else f"the {options.against} before"
        add = "" if not is_collection(current) else f"; is it on? nearsense log {current} --on"
        raise InputError(
            f"{current}: nothing was asked in {which}",
            why="two samples are compared",
            fix=f"wait, or take longer: --since 7d --against 28d{add}",
        )
    if options.same_weekday:
        days = {time.localtime(each.time).tm_wday for each in new}
        old = [each for each in old if time.localtime(each.time).tm_wday in days]
    return _logged(new, options), _logged(old, options)


def _logged(entries: list[LoggedQuery], options: DriftOptions) -> Source:
    texts = [each.query or "" for each in entries]
    if options.texts_only:
        known = [text for text in texts if text.strip()]
        return Source(known, None, [str(row) for row in range(len(known))], known)
    return Source(entries, None, [str(row) for row in range(len(entries))], texts)


def _encoder(now: Source, before: Source, options: DriftOptions) -> Any:
    """The model for texts without vectors: the one that was named, else that of the other side's vectors."""
    if options.model is not None or (now.vectors is None) == (before.vectors is None):
        return options.load()
    stored = now.vectors if now.vectors is not None else before.vectors
    assert stored is not None
    usual = options.load()
    return usual if stored.fingerprint == usual.fingerprint else options.but(model=stored.model).load()


def _names(current: str, options: DriftOptions) -> Names:
    from nearsense.monitoring import Names
    from nearsense.store import is_collection

    collection = next((name for name in (current, options.against) if is_collection(name)), None)
    rest = [*options.words(), *(["--queries"] if options.queries else [])]
    rest += ["--since", options.since] if options.since != "1d" else []
    rest += ["--model", options.model] if options.model is not None else []
    return Names(current, options.against, collection, rest)


def _report(found: Drift, current: str, options: DriftOptions, names: Names) -> str:
    from nearsense.files.table import json_text
    from nearsense.monitoring import actions

    todo = actions(found, names)
    if str(options.report).lower().endswith(".json"):
        return json_text(found.to_dict() | {"actions": [each.to_dict() for each in todo]}, indent=2) + "\n"
    from nearsense.monitoring.watching import open_watch
    from nearsense.pages.drift import drift_html

    history = open_watch(options.watch, options.level, options.period).checks if options.watch else ()
    title = "standard input" if current == "-" else Path(current).name
    against = Path(options.against).name
    return drift_html(found, f"Drift: {title} against {against}", todo=todo, history=history)
