"""duplicates, dedupe: what is said twice in a file, and the file without it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from nearsense.cli.options import COUNT, CorpusOptions, ListOptions, OutputOptions, SureOptions, option, takes
from nearsense.errors import InputError

if TYPE_CHECKING:
    from nearsense.cli.inputs import Corpus
    from nearsense.deduplication import Duplicates
    from nearsense.files.writing import Original

SHOWN = 20
"""What a terminal is shown where nothing is said."""

LOWEST = 0.5
"""The least probability down to which --target looks where nothing is said."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def _bytes(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?)?b?", value.strip().lower())
    if not found:
        raise click.BadParameter(f"{value!r} is no size: 2GB, 500MB, 4GiB.")
    return int(float(found[1]) * _UNITS[found[2] or ""])


class SameOptions(SureOptions, CorpusOptions):
    """Which rows are the same, and how they are looked for."""

    against: str | None = option(
        "--against ARCHIVE", "Compare with this file's rows too; they never go themselves."
    )
    across: bool = option("--across", "Only pairs of a row of FILE with one of ARCHIVE, none within FILE.")
    fail: bool = option("--fail", "Exit with 1 where there are any.")
    min_score: float | None = option(
        "--min-score SCORE", "How near, as cosine similarity, instead of how probable.", click.FloatRange(-1, 1)
    )
    allow_differing: bool = option(
        "--allow-differing", 'Group pairs too that differ in a figure, a name, a "not".'
    )
    any_language: bool = option(
        "--any-language", "Trust scores of texts in languages that the model was not made for."
    )
    within_column: str | None = option(
        "--within COLUMN", "Rows are the same only where they have the same in this column, a label say."
    )
    limit: int | None = option("--limit --show N", "Show N at most.  [default: 20 on a terminal, else all]", COUNT)
    rows: int | None = option("--rows N", "Only the first N rows of FILE, of those that fit.", COUNT)
    max_memory: int | None = option(
        "--max-memory SIZE",
        "What the search of near pairs may use: 2GB.  [default: half of what is free]",
        callback=_bytes,
    )
    resume: str | None = option(
        "--resume FILE", "Keep there what is found; after an interruption the same command goes on from it."
    )
    approximate: bool = option("--approximate", "For millions of rows: find most pairs, and say what share.")


keep_option = click.option(
    "--keep",
    default="first",
    show_default=True,
    metavar="POLICY",
    help="Which row of a group stays: first, longest, shortest, complete, newest:COLUMN.",
)


@click.command()
@click.argument("file")
@click.option("--groups", is_flag=True, help="Show groups instead: a row that stays, and those it stands for.")
@click.option(
    "--nearest",
    type=COUNT,
    metavar="K",
    help="Look at the K nearest of each row only; without a threshold these are the pairs.",
)
@keep_option
@takes(options=SameOptions, output=ListOptions)
def duplicates(
    file: str,
    groups: bool,
    nearest: int | None,
    keep: str,
    options: SameOptions,
    output: ListOptions,
) -> None:
    """Find what is said twice in FILE: pairs of rows, surest first.

    Rows are equal, or equal but for case, space and punctuation, or say the same in other words: 90 % probable
    unless another threshold is said. What differs between texts that look alike is named. FILE may be - for
    standard input, hold vectors that `nearsense encode` wrote, or be a collection, also one of passages.

    \b
    Examples:
      nearsense duplicates tickets.csv
      nearsense duplicates questions.csv --text title --min-probability 0.95 --groups
      nearsense duplicates test.csv --against train.csv --across --fail
      nearsense duplicates phrases.txt --nearest 1
      nearsense duplicates reviews.csv -o pairs.xlsx
      nearsense duplicates notes.nearsense --groups
    """
    from nearsense.cli.outputs import leave
    from nearsense.render.results import groups_page, pairs_page

    _require_apart(file, options, {"-o": output.output})
    _, corpus, _ = _rows_of(file, options, keep=keep)
    found = _duplicates(corpus, keep, options, nearest)
    limit = _limit(options.limit, output, None if groups else len(found))
    if groups:
        output.show(groups_page(found, limit, ids=_called(corpus)))
    else:
        seen = output.for_a_terminal
        shown = seen or output.in_markdown
        output.show(pairs_page(found, limit, ids=_called(corpus), shown=shown, listed=not seen))
    if options.fail and len(found):
        leave()


@click.command()
@click.argument("file")
@click.option(
    "-o", "--output", "target", metavar="OUT", help="Write the rows that stay; without it nothing is written."
)
@click.option("--dropped", metavar="FILE", help="Write the rows that go, with the reason: .jsonl, .csv, ...")
@keep_option
@click.option(
    "--target",
    "most",
    type=click.IntRange(min=0),
    metavar="N",
    help="Take the highest threshold that leaves at most N rows.",
)
@takes(options=SameOptions, output=OutputOptions)
def dedupe(
    file: str,
    target: str | None,
    dropped: str | None,
    keep: str,
    most: int | None,
    options: SameOptions,
    output: OutputOptions,
) -> None:
    """Leave one row of each group of rows of FILE that say the same.

    Without -o nothing is written: you see what would go, and why. With it OUT gets the rows that stay, all their
    columns as they were. A row goes only where it was compared with the very row that stays and the two say the
    same, 90 % probable unless another threshold is said; and never where they differ in a figure, a name, a "not".

    \b
    Examples:
      nearsense dedupe tickets.csv
      nearsense dedupe tickets.csv -o clean.csv --dropped dropped.jsonl
      nearsense dedupe reviews.parquet -o clean.parquet --keep newest:date --min-probability 0.95
      nearsense dedupe new.csv --against archive.csv -o unseen.csv
      nearsense dedupe test.csv --against train.csv --across --fail
      nearsense dedupe labelled.csv --within label -o clean.xlsx
      nearsense dedupe tickets.csv --target 1000 -o sample.csv
    """
    from nearsense.cli.outputs import leave, say
    from nearsense.files import require_table_target, write_table
    from nearsense.render.results import dropped_page

    _require_apart(file, options, {"-o": target, "--dropped": dropped})
    if dropped is not None:
        require_table_target(dropped)
    original, corpus, places = _rows_of(file, options, keep=keep)
    if original is None:
        why = "no copy of one is written; its documents are deleted by their ids"
        name = shlex.quote(file)
        fix = f"nearsense duplicates {name} --groups   (then: nearsense index delete {name} ID)"
        raise InputError(f"{file} is a collection, dedupe is for files", why=why, fix=fix)
    if target is not None:
        original.target_format(target)
    if most is not None and options.min_score is None and options.min_probability is None:
        options = options.but(min_probability=LOWEST)
    found = _duplicates(corpus, keep, options)
    if most is not None:
        found = found.target(most)
    if dropped is not None:
        rows = ({name: row[name] for name in DROPPED} for row in found.dropped.to_dicts())
        write_table(dropped, rows, columns=DROPPED)
    if target is None:
        limit = _limit(options.limit, output, None)
        output.show(dropped_page(found, limit, written=False, ids=_called(corpus)))
        if options.fail and len(found.kept) < len(corpus.rows):
            leave()
        return
    gone = {places[corpus.rows[row]] for row in set(range(len(corpus.rows))) - set(found.kept.tolist())}
    staying = [row for row in places if row not in gone]
    original.copy(target, staying)
    tiers = ", ".join(f"{count:,} {tier.value}" for tier, count in found.tiers.items())
    say(target, f"{len(staying):,} rows stay, {len(gone):,} went ({tiers}); {found.threshold}")
    if options.fail and gone:
        leave()


COMMANDS = (duplicates, dedupe)

DROPPED = ["id", "kept", "tier", "score", "probability", "interval", "reason", "differs", "text"]
"""The columns of --dropped."""


def _called(corpus: Corpus) -> str:
    """What the ids of the rows are called: lines of the file, or their numbers, where no column has any."""
    return corpus.table.unit if corpus.columns[1] is None and corpus.columns[0] is not None else "id"


def _rows_of(
    file: str, options: SameOptions, *, keep: str = "", archive: bool = False
) -> tuple[Original | None, Corpus, Sequence[int]]:
    """A file that can be copied, those of its rows that are meant as documents, and their places in the file.

    Or a collection, of which no copy is made so.

    Of an archive only its name tells the format, columns are taken where it has them, and all rows are meant. The
    columns by which rows are kept apart, and kept, are part of a document's metadata, also where they give the
    texts or the ids.
    """
    from nearsense.cli.inputs import read_corpus
    from nearsense.files.table import require_column
    from nearsense.files.writing import Original
    from nearsense.store import is_collection

    original = None
    if is_collection(file):
        table = options.but(where=(), rows=None).read(file)
    else:
        form = None if archive else options.format
        original = Original(file, format=form, encoding=options.encoding, dialect=options.dialect)
        table = original.table
    if archive:
        text, id_ = (name if name in table.columns else None for name in (options.text, options.id_))
        options = options.but(text=text, id_=id_, where=(), rows=None)
    chosen = options.chosen(table)
    table = table if chosen is None else table.take(chosen)
    corpus = read_corpus(table, options, fate="are not compared")
    within = options.within_column
    if within is not None:
        within = require_column(table, within, "name one of them: --within COLUMN")
    for column in {keep.partition(":")[2], within} & {*corpus.columns} - {None, ""}:
        cells = table.columns[str(column)]
        items = [
            replace(each, metadata={**each.metadata, str(column): cells[row]})
            for each, row in zip(corpus.documents, corpus.rows, strict=True)
        ]
        corpus = replace(corpus, documents=items)
    return original, corpus, range(len(table)) if chosen is None else chosen


def _duplicates(
    corpus: Corpus,
    keep: str,
    options: SameOptions,
    nearest: int | None = None,
) -> Duplicates:
    """The duplicates that the options describe."""
    from nearsense.cached import cached
    from nearsense.deduplication import duplicates as duplicates_
    from nearsense.files.table import column_at

    if options.min_score is not None and options.min_probability is not None:
        raise click.UsageError("--min-score and --min-probability are two thresholds: give one of them")
    archive = None if options.against is None else _rows_of(options.against, options, archive=True)[1]
    corpora = [each for each in (corpus, archive) if each is not None]
    vectors = [each.fitting(options, "keep" if options.model is None else "encode") for each in corpora]
    encodes = options.model is not None or any(each is None for each in vectors)
    return duplicates_(
        corpus.documents,
        vectors=vectors[0],
        against=None if archive is None else archive.documents,
        against_vectors=None if archive is None else vectors[1],
        within=not options.across,
        min_score=options.min_score,
        keep=keep,
        allow_differing=options.allow_differing,
        any_language=options.any_language,
        encoder=cached(options.load()) if encodes else None,
        max_memory=options.max_memory,
        nearest=nearest,
        only_within=options.within_column and column_at(corpus.table, options.within_column),
        resume=options.resume,
        approximate=options.approximate,
        progress=options.progress,
        **options.arguments(),
    )


def _limit(limit: int | None, output: OutputOptions, total: int | None) -> int | None:
    """How many are shown: on a terminal few, elsewhere all, unless these are too many."""
    from nearsense.deduplication.result import LARGEST
    from nearsense.errors import TooLargeError

    if limit is None and output.for_a_terminal:
        return SHOWN
    if limit is None and total is not None and total > LARGEST:
        raise TooLargeError(
            f"{total:,} pairs of rows are too many for one list",
            why=f"at most {LARGEST:,} are written at once",
            fix="--limit 1000, --groups, or a higher --min-probability",
        )
    return limit


def _require_apart(file: str, options: SameOptions, written: dict[str, str | None]) -> None:
    """Refuse to write over what is read, two things into one, and a file as its own archive."""
    from nearsense.cli.outputs import require_targets, same_file

    if options.across and options.against is None:
        raise click.UsageError("--across without --against: name the file that FILE is compared with")
    if file == "-" == options.against:
        raise click.UsageError("FILE and --against both read standard input: give one of them a file")
    if options.against is not None and same_file(file, options.against):
        raise click.UsageError(
            f"--against {options.against} is FILE itself, and every row of it would go: leave it out"
        )
    read = {"FILE": file, "--against": options.against, "--calibration": options.calibration}
    require_targets({**written, "--resume": options.resume}, read)
