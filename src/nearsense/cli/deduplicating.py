"""duplicates, dedupe: what is said twice in a file, and the file without it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import (
    LOADING,
    document_options,
    encoder_of,
    form_of,
    model_options,
    output_options,
    probability_options,
    sure_options,
)

if TYPE_CHECKING:
    from nearsense.deduplication import Duplicates
    from nearsense.encoders import Encoder
    from nearsense.files.writing import Original
    from nearsense.records import Document, Vectors

__all__ = ["COMMANDS"]

FINDINGS = 1
"""The exit code of --fail where there are pairs."""

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


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have."""
    options = (
        click.option(
            "--against", metavar="ARCHIVE", help="Compare with this file's rows too; they never go themselves."
        ),
        click.option(
            "--min-score",
            type=click.FloatRange(-1, 1),
            metavar="SCORE",
            help="How near, as cosine similarity, instead of how probable.",
        ),
        click.option(
            "--allow-differing", is_flag=True, help='Group pairs too that differ in a figure, a name, a "not".'
        ),
        click.option(
            "--any-language",
            is_flag=True,
            help="Trust scores of texts in languages that the model was not made for.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            help="Show N at most.  [default: 20 on a terminal, else all]",
        ),
        click.option(
            "--max-memory",
            metavar="SIZE",
            callback=_bytes,
            help="What the search of near pairs may use: 2GB.  [default: half of what is free]",
        ),
        click.option(
            "--resume",
            metavar="FILE",
            help="Keep there what is found; after an interruption the same command goes on from it.",
        ),
        click.option(
            "--approximate", is_flag=True, help="For millions of rows: find most pairs, and say what share."
        ),
        sure_options,
        document_options,
        model_options,
        output_options,
    )
    for option in reversed(options):
        function = option(function)
    return function


_KEEP = "Which row of a group stays: first, longest, shortest, complete, newest:COLUMN."


@click.command()
@click.argument("file")
@click.option("--groups", is_flag=True, help="Show groups instead: a row that stays, and those it stands for.")
@click.option(
    "--nearest",
    type=click.IntRange(min=1),
    metavar="K",
    help="Look at the K nearest of each row only; without a threshold these are the pairs.",
)
@click.option("--keep", default="first", show_default=True, metavar="POLICY", help=_KEEP)
@click.option("--fail", is_flag=True, help="Exit with 1 where there are any.")
@_shared
def duplicates(file: str, groups: bool, fail: bool, form: str | None, limit: int | None, **options: Any) -> None:
    """Find what is said twice in FILE: pairs of rows, surest first.

    Rows are equal, or equal but for case, space and punctuation, or say the same in other words: 90 % probable
    unless another threshold is said. What differs between texts that look alike is named. FILE may be - for
    standard input, or hold vectors that `nearsense encode` wrote.

    \b
    Examples:
      nearsense duplicates tickets.csv
      nearsense duplicates questions.csv --text title --min-probability 0.95 --groups
      nearsense duplicates test.csv --against train.csv --fail
      nearsense duplicates phrases.txt --nearest 1
      nearsense duplicates reviews.csv --csv > pairs.csv
    """
    from nearsense.render import show
    from nearsense.render.duplicates import groups_page, pairs_page

    _require_apart(file, options)
    found = _found(_Side.of(file, options), options)
    page = groups_page if groups else pairs_page
    show(page(found, _limit(limit, form, None if groups else len(found))), form_of(form))
    if fail and len(found):
        click.get_current_context().exit(FINDINGS)


@click.command()
@click.argument("file")
@click.option("-o", "--output", metavar="OUT", help="Write the rows that stay; without it nothing is written.")
@click.option("--dropped", metavar="FILE", help="Write the rows that go, with the reason: .jsonl, .csv, ...")
@click.option("--keep", default="first", show_default=True, metavar="POLICY", help=_KEEP)
@click.option(
    "--target",
    type=click.IntRange(min=0),
    metavar="N",
    help="Take the highest threshold that leaves at most N rows.",
)
@_shared
def dedupe(
    file: str,
    output: str | None,
    dropped: str | None,
    target: int | None,
    form: str | None,
    limit: int | None,
    **options: Any,
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
      nearsense dedupe tickets.csv --target 1000 -o sample.csv
    """
    from nearsense.render import show
    from nearsense.render.duplicates import dropped_page

    _require_apart(file, options, output, dropped)
    side = _Side.of(file, options)
    for path in (output, dropped):
        _require_writable(path)
    if output is not None:
        side.original.target_format(output)
    if target is not None and options["min_score"] is None and options["min_probability"] is None:
        options["min_probability"] = LOWEST
    found = _found(side, options)
    if target is not None:
        found = found.target(target)
    if dropped is not None:
        from nearsense.files import write_table

        names = list(_EMPTY)
        write_table(dropped, ({n: d[n] for n in names} for d in found.dropped.to_dicts()), columns=names)
    if output is None:
        show(dropped_page(found, _limit(limit, form, None), written=False), form_of(form))
        return
    gone = {side.rows[row] for row in set(range(len(side.rows))) - set(found.kept.tolist())}
    side.original.copy(output, [row for row in range(len(side.original.table)) if row not in gone])
    tiers = ", ".join(f"{count:,} {tier.value}" for tier, count in found.tiers.items())
    sys.stderr.write(f"{output}: {len(found.kept):,} rows stay, {len(gone):,} went ({tiers}); {found.threshold}\n")


COMMANDS = (duplicates, dedupe)

_EMPTY = ("id", "kept", "tier", "score", "probability", "interval", "reason", "differs", "text")
"""The columns of --dropped."""


@dataclass(frozen=True, slots=True)
class _Side:
    """A file's rows as documents, with vectors where the file holds some."""

    original: Original
    documents: list[Document]
    rows: list[int]
    vectors: Vectors | None

    @classmethod
    def of(cls, file: str, options: dict[str, Any], *, archive: bool = False) -> _Side:
        """Read a file; of an archive only its name tells the format, and columns are taken where it has them."""
        from nearsense.cli.corpus import vectors_of
        from nearsense.files import documents, has_texts
        from nearsense.files.writing import Original
        from nearsense.records import Document

        form = None if archive else options["format"]
        original = Original(file, format=form, encoding=options["encoding"])
        table = original.table
        text, id_ = options["text"], options["id_"]
        if archive:
            text, id_ = (name if name in table.columns else None for name in (text, id_))
        stored = vectors_of(table, text)
        if stored is not None and not has_texts(table, text):
            ids = table.columns.get("id") or range(len(table))
            return cls(original, [Document(str(each), "") for each in ids], list(range(len(table))), stored)
        found = documents(table, text=text, id=id_, skip_empty=options["skip_empty"])
        if found.skipped:
            few = f"{found.skipped:,} of {len(table):,} rows without text"
            sys.stderr.write(f"warning: {table.source}: {few} are not compared\n")
        vectors = None if stored is None else stored.take(found.rows)
        column = options["keep"].partition(":")[2]
        if not archive and column in (found.id, found.text):  # ids that rise tell which row is newer
            cells = table.columns[column]
            items = [
                replace(each, metadata={**each.metadata, column: cells[row]})
                for each, row in zip(found.items, found.rows, strict=True)
            ]
            return cls(original, items, found.rows, vectors)
        return cls(original, found.items, found.rows, vectors)


def _found(side: _Side, options: dict[str, Any]) -> Duplicates:
    """The duplicates that the options describe."""
    from nearsense.cached import cached
    from nearsense.deduplication import duplicates as duplicates_

    if options["min_score"] is not None and options["min_probability"] is not None:
        raise click.UsageError("--min-score and --min-probability are two thresholds: give one of them")
    others = None if options["against"] is None else _Side.of(options["against"], options, archive=True)
    model = {name: options[name] for name in ("model", *LOADING)}
    load = encoder_of(model)
    sides = [each for each in (side, others) if each is not None]
    vectors = [_fitting(each, options["model"], load) for each in sides]
    return duplicates_(
        side.documents,
        vectors=vectors[0],
        against=None if others is None else others.documents,
        against_vectors=None if others is None else vectors[1],
        min_score=options["min_score"],
        keep=options["keep"],
        allow_differing=options["allow_differing"],
        any_language=options["any_language"],
        encoder=cached(load()) if options["model"] is not None or any(each is None for each in vectors) else None,
        max_memory=options["max_memory"],
        nearest=options.get("nearest"),
        resume=options["resume"],
        approximate=options["approximate"],
        progress=not options["quiet"],
        **probability_options(options),
    )


def _fitting(side: _Side, model: str | None, load: Callable[[], Encoder]) -> Vectors | None:
    """Stored vectors, unless another model is asked for and there are texts to encode."""
    stored = side.vectors
    if stored is None or model is None or stored.fingerprint == load().fingerprint:
        return stored
    if not any(document.text for document in side.documents):
        stored.require_made_by(load().name, load().fingerprint)
    return None


def _limit(limit: int | None, form: str | None, total: int | None) -> int | None:
    """How many are shown: on a terminal few, elsewhere all.

    Raises:
        TooLargeError: All are too many.
    """
    from nearsense.deduplication.result import LARGEST
    from nearsense.errors import TooLargeError

    if limit is None and form is None and sys.stdout.isatty():
        return SHOWN
    if limit is None and total is not None and total > LARGEST:
        raise TooLargeError(
            f"{total:,} pairs of rows are too many for one list",
            why=f"at most {LARGEST:,} are written at once",
            fix="--limit 1000, --groups, or a higher --min-probability",
        )
    return limit


def _require_apart(
    file: str, options: dict[str, Any], output: str | None = None, dropped: str | None = None
) -> None:
    """Refuse to write over what is read, two things into one, and a file as its own archive.

    Raises:
        UsageError: One would.
    """
    against, resume = options["against"], options["resume"]
    if file == "-" == against:
        raise click.UsageError("FILE and --against both read standard input: give one of them a file")
    if against is not None and _same(file, against):
        raise click.UsageError(f"--against {against} is FILE itself, and every row of it would go: leave it out")
    if resume is not None and not Path(resume).parent.is_dir():
        raise click.UsageError(f"--resume {resume}: there is no folder {Path(resume).parent}")
    read = {"FILE": file, "--against": against}
    written = {"-o": output, "--dropped": dropped, "--resume": resume}
    for flag, path in written.items():
        for name, other in read.items():
            if path not in (None, "-") and other not in (None, "-") and _same(str(path), str(other)):
                raise click.UsageError(
                    f"{flag} {path} is {name} itself, and what went would be gone for good: write another file"
                )
    for (one, path), (two, other) in combinations(written.items(), 2):
        if path is not None and other is not None and _same(path, other):
            raise click.UsageError(f"{one} and {two} are both {path}: name two files")


def _same(a: str, b: str) -> bool:
    return a == b or Path(a).resolve() == Path(b).resolve()


def _require_writable(path: str | None) -> None:
    """Refuse a file that cannot be written before anything is computed.

    Raises:
        FileError: Its folder is not there, or its extension is not known.
    """
    from nearsense.files import require_place
    from nearsense.files.formats import format_of

    if path is None or path == "-":
        return
    format_of(path, None)
    require_place(path)
