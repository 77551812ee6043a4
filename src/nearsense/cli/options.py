"""The options that commands share, each group of them an object. Not what is done with them.

A group is a class whose fields are made by `option`; `takes` gives a command an object of each group.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import click

from nearsense._paths import is_folder, is_url
from nearsense.errors import InputError
from nearsense.kinds import Long, Mode, Precision

if TYPE_CHECKING:
    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.files import Dialect, Table
    from nearsense.render import Page

F = TypeVar("F", bound=Callable[..., Any])


class Option:
    """What a field of a group is: its flags as click has them, and what it is where nothing is typed."""

    def __init__(self, default: Any, *flags: tuple[list[str], dict[str, Any]]) -> None:
        self.default, self.flags = default, flags


class Options:
    """A group of options as they were typed: frozen, its fields made by `option` and `choice`.

    No dataclass: making twenty of those takes as long as the rest of the command needs to start.
    """

    fields: ClassVar[dict[str, Option]] = {}  # those of the class itself first, then those of its bases

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Option)}
        wider = {name: value for base in cls.__bases__ for name, value in vars(base)["fields"].items()}
        cls.fields = own | {name: value for name, value in wider.items() if name not in own}

    def __init__(self, **typed: Any) -> None:
        if unknown := typed.keys() - self.fields.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        self.__dict__.update({name: typed.get(name, each.default) for name, each in self.fields.items()})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} is frozen")

    def but(self, **changes: Any) -> Self:
        """The same options but for these."""
        return type(self)(**self.__dict__ | changes)

    def require(self) -> None:
        """Refuse what cannot be done, before the command begins."""


def _together(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> str | None:
    """An option that takes several with commas takes them typed one by one, too."""
    return ",".join(value) or None


def option(flags: str, said: str, kind: Any = None, *, default: Any = None, many: bool = False, **how: Any) -> Any:
    """A field of a group: its flags and what stands behind them ("-k N"), its help, its type as click has it.

    With nothing behind the flags and no type it is a switch. `many` may be typed several times.
    """
    words = flags.split()
    names = [word for word in words if word.startswith("-")]
    metavar = " ".join(words[len(names) :]) or None
    if metavar is None and kind is None:
        default = bool(default)
        how |= {"is_flag": True, "default": default}
    elif many:
        default = ()
        how |= {"multiple": True}
    elif default is not None:
        how |= {"default": default, "show_default": True}
    return Option(default, (names, how | {"type": kind, "metavar": metavar, "help": said}))


def choice(**meanings: str) -> Any:
    """A field that holds the name of the last flag given, or None: a flag for each name, and its help."""
    return Option(None, *(([f"--{name}"], {"flag_value": name, "help": said}) for name, said in meanings.items()))


def either(flags: str, said: str) -> Any:
    """A field that is True or False by one flag or the other, and None without both."""
    return Option(None, ([flags], {"default": None, "help": said}))


def takes(**groups: type[Options]) -> Callable[[F], Callable[..., Any]]:
    """Give a command the options of these groups; its function gets an object of each, by the name it has here.

    A field that two groups have is one option, as the first of them describes it.
    """
    grouped = {name: each for group in reversed(groups.values()) for name, each in reversed(group.fields.items())}

    def decorate(function: F) -> Callable[..., Any]:
        @wraps(function)
        def call(**typed: Any) -> Any:
            objects = {
                name: group(**{each: typed[each] for each in group.fields}) for name, group in groups.items()
            }
            for each in objects.values():
                each.require()
            return function(**objects, **{name: typed[name] for name in typed.keys() - grouped.keys()})

        command: Callable[..., Any] = call
        for name, each in grouped.items():
            for flags, how in reversed(each.flags):
                command = click.option(*flags, name, **how)(command)
        return command

    return decorate


def _set_device(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A setting, not an argument: whatever the command loads goes there."""
    if value is not None:
        os.environ["NEARSENSE_DEVICE"] = value
    return value


def in_a_folder(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A collection that a command is given, or a file: one in memory cannot be meant."""
    if value == ":memory:":
        why, fix = "it is gone when the command ends", "name a folder: tickets.nearsense"
        raise InputError("a collection in memory is of no use to a command", why=why, fix=fix)
    return value


def _number(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and value != value:
        raise click.BadParameter("nan is no number, nothing could reach it.")
    return value


SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
"""A share of pairs or questions."""

COUNT = click.IntRange(min=1)

LONG = click.Choice([each.value for each in Long])

CORES = "Cores to use.  [default: all]"


def named_columns(typed: str | None, counts: Collection[int], usage: str) -> list[str] | None:
    """The names that --columns lists, as many as there may be; None where nothing was typed."""
    names = None if typed is None else [name.strip() for name in typed.split(",")]
    if names is not None and (not all(names) or len(names) not in counts):
        raise click.UsageError(f"--columns takes {usage}")
    return names


collection_argument = click.argument("collection", callback=in_a_folder)

quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress bar.")

NETWORK = "The collection may lie on a network file system (risky: one writer only)."

network_option = click.option("--network", is_flag=True, help=NETWORK)


class OutputOptions(Options):
    """How a result is written: a table on a terminal and JSON lines in a pipe, unless asked otherwise."""

    form: str | None = choice(json="Write one JSON document.", csv="Write CSV.")

    @property
    def for_a_terminal(self) -> bool:
        """Whether a person looks at a table now: then few lines are better than all."""
        return self.form is None and sys.stdout.isatty()

    def show(self, page: Page) -> None:
        """Write a result to standard output."""
        from nearsense.render import Form, show

        show(page, Form(self.form) if self.form else None)


class ListOptions(OutputOptions):
    """How a list is written: to standard output, or into a file in the format that its name says."""

    output: str | None = option(
        "--output -o OUT", "Write it to a file: .csv, .tsv, .xlsx, .json, .jsonl, .parquet or .md."
    )

    @property
    def for_a_terminal(self) -> bool:
        """Whether a person looks at a table now."""
        return self.output is None and super().for_a_terminal

    @property
    def in_markdown(self) -> bool:
        """Whether the file is for people, as a table on a terminal is."""
        return self.output is not None and self.output.lower().removesuffix(".gz").endswith(".md")

    def require(self) -> None:
        """Refuse a file that cannot be written, or is read."""
        if self.output is not None:
            from nearsense.cli.outputs import require_list

            require_list(self.output)

    def show(self, page: Page) -> None:
        """Write a result into its file, where one was named; to standard output otherwise, or if asked for too."""
        if self.output is not None:
            from nearsense.cli.outputs import say
            from nearsense.render.saving import save

            count = save(page, self.output)
            say(self.output, f"{count:,} row{'s'[: count != 1]}")
        if self.output is None or self.form is not None:
            super().show(page)


class ReadOptions(Options):
    """How a file is read."""

    format: str | None = option("--format NAME", "Format of FILE, where its name does not tell: csv, jsonl, ...")
    encoding: str = option("--encoding NAME", "Encoding of FILE; auto: UTF-8, or what it shows.", default="auto")
    delimiter: str | None = option("--delimiter CHAR", "What parts the fields of a csv: ';', '|', tab, ...")
    quote: str | None = option("--quote CHAR", "What stands around fields of a csv: \", ' or none.")
    header: bool | None = either(
        "--header/--no-header", "Whether the first row names the columns.  [default: what it looks like]"
    )
    skip_uneven: bool = option("--skip-uneven", "Leave lines out that have more or fewer fields than the header.")
    sheet: str | None = option("--sheet NAME", "A workbook's sheet, by its name or its place from 1.")
    records: str | None = option("--records PATH", "Where in a json file its rows are: data.items.")
    sql: str | None = option("--sql QUERY", "What to ask an SQLite or a DuckDB file; it is never changed.")

    @property
    def dialect(self) -> Dialect:
        """How FILE is taken apart, as far as that was said."""
        from nearsense.files import Dialect

        names = ("delimiter", "quote", "header", "skip_uneven", "sheet", "records", "sql")
        return Dialect(**{name: getattr(self, name) for name in names})

    def read(self, file: str) -> Table:
        """A file as a table, or the documents of a collection; - is standard input."""
        from nearsense.files import read_table

        if (is_url(file) or is_folder(file)) and (found := _documents_of(file)) is not None:
            return found
        return read_table(file, format=self.format, encoding=self.encoding, dialect=self.dialect)

    def reading_words(self) -> list[str]:
        """These options as they are typed, for a command that reads a file in the same way."""
        words = []
        for name, each in ReadOptions.fields.items():
            value, flag = getattr(self, name), f"--{name.replace('_', '-')}"
            if value is not None and value != each.default:
                words += [flag if value else "--no-header"] if isinstance(value, bool) else [flag, value]
        return words


def _documents_of(folder: str) -> Table | None:
    """All documents of a collection; None for another folder."""
    from nearsense.store import is_collection

    if not is_collection(folder):
        return None
    from nearsense.collection import open_collection
    from nearsense.collection.documents import table_of

    with open_collection(folder, create=False) as there:
        return table_of(*there.documents(), folder)


class RowOptions(ReadOptions):
    """How a file is read, and which of its rows are meant."""

    where: tuple[str, ...] = option(
        "--where FILTER",
        "Only rows whose columns fit: lang=en, 'year>=2020', 'tag in a,b', or JSON. Several: all.",
        many=True,
    )
    rows: int | None = option("--limit --rows N", "Only the first N rows of FILE, of those that fit.", COUNT)

    @property
    def narrows(self) -> bool:
        """Whether some rows only are meant."""
        return bool(self.where) or self.rows is not None

    def read(self, file: str) -> Table:
        """The rows of a file that are meant."""
        table = ReadOptions.read(self, file)
        chosen = self.chosen(table)
        return table if chosen is None else table.take(chosen)

    def chosen(self, table: Table) -> list[int] | None:
        """The rows of a table that are meant, from 0; None for all."""
        if not self.where:
            return None if self.rows is None else list(range(min(self.rows, len(table))))
        from nearsense.filters import parse_where
        from nearsense.filters.rows import rows_where

        return rows_where(parse_where(self.where), table)[: self.rows]


class DocumentOptions(RowOptions):
    """How a file's rows become documents."""

    text: str | None = option(
        "--text COLUMN",
        "Column with the texts, by name or place; several: title,body.",
        multiple=True,
        callback=_together,
    )
    id_: str | None = option("--id COLUMN", "Column with the ids.")
    skip_empty: bool = option("--skip-empty", "Leave rows without text out, and say how many.")
    strip: str | None = option(
        "--strip KINDS",
        "Take markup out of the texts first: html,urls,quotes or some of them; none says nothing of it."
        "  [default: out of names of clusters only]",
    )

    def words(self) -> list[str]:
        """The options as they are typed, for a command that reads a file in the same way."""
        flags = {"--text": self.text, "--id": self.id_, "--strip": self.strip}
        words = [word for flag, value in flags.items() if value for word in (flag, value)]
        words += self.reading_words()
        words += [word for each in self.where for word in ("--where", each)]
        words += [] if self.rows is None else ["--limit", str(self.rows)]
        return [*words, "--skip-empty"] if self.skip_empty else words


class RunningOptions(Options):
    """How a model runs."""

    precision: str | None = option(
        "--precision",
        "Arithmetic of the model.  [default: auto]",
        click.Choice([each.value for each in Precision]),
    )
    threads: int | None = option("--threads N", CORES, click.IntRange(min=0))
    long: str | None = option("--long", "What happens to texts beyond the model's limit.  [default: warn]", LONG)
    device: str | None = option(
        "--device NAME",
        "Where models run: cpu, cuda, mps, ...; all but cpu need PyTorch.  [default: cpu]",
        callback=_set_device,
    )
    quiet: bool = option("--quiet -q", "No progress bar.")

    @property
    def progress(self) -> bool:
        """Whether progress is shown."""
        return not self.quiet

    def loading(self) -> dict[str, Any]:
        """What of this is said to who loads a model."""
        return {"precision": self.precision, "threads": self.threads, "long": self.long}

    def load_cross(self, name: str) -> CrossEncoder:
        """The second stage of a search, by those options that suit it: pairs are never read in chunks."""
        from nearsense.encoders import load_cross

        long = Long.WARN.value if self.long == Long.CHUNK else self.long
        return load_cross(name, precision=self.precision, threads=self.threads, long=long)


class ModelOptions(RunningOptions):
    """Which model runs, and how."""

    model: str | None = option(
        "--model NAME", "Model name or folder.  [default: all-MiniLM-L6-v2; a collection's own]"
    )
    dimensions: int | None = option(
        "--dimensions N", "Keep the first N numbers of each vector, for models that were trained for it.", COUNT
    )

    def loading(self) -> dict[str, Any]:
        """What of this is said to who loads a model."""
        return RunningOptions.loading(self) | {"dimensions": self.dimensions}

    def load(self) -> Encoder:
        """The encoder that is meant; one that is loaded already is not loaded again."""
        from nearsense.encoders import load

        return load(self.model, **self.loading())


class CorpusOptions(DocumentOptions, ModelOptions):
    """How a file becomes documents with vectors."""


class CollectionOptions(RunningOptions):
    """How a collection that exists is opened by those who encode texts for it."""

    model: str | None = option("--model NAME", "Where its model is.  [default: where it was]")


class SureOptions(Options):
    """How sure the results have to be."""

    calibration: str | None = option(
        "--calibration NAME",
        "What makes a score a probability: paraphrase, question, request, passage, a file, or none.",
    )
    prior: float | None = option("--prior SHARE", "Share of right pairs before scores are seen.", SHARE)
    min_probability: float | None = option(
        "--min-probability P", "Leave out what is less probable.", click.FloatRange(0, 1)
    )

    def arguments(self) -> dict[str, Any]:
        """As arguments of a verb."""
        return {"calibration": self.calibration, "prior": self.prior, "min_probability": self.min_probability}


class NarrowingOptions(SureOptions):
    """How many hits, and which."""

    k: int = option("-k", "How many hits for each query.", COUNT, default=10)
    min_score: float | None = option(
        "--min-score SCORE", "Leave out hits that score less.", float, callback=_number
    )
    where: tuple[str, ...] = option(
        "--where FILTER",
        "Only what fits by its metadata: lang=en, 'year>=2020', 'tag in a,b', or JSON. Several: all.",
        many=True,
    )


class SearchOptions(Options):
    """How a collection is searched, and whether a cross-encoder has the last word."""

    mode: str = option(
        "--mode",
        "By meaning, by words, or by both.",
        click.Choice([each.value for each in Mode]),
        default=Mode.DENSE.value,
    )
    exact: bool = option("--exact", "Compare with every vector instead of asking the index.")
    repeats: bool = option("--repeats", "Show each of several equal texts; else one, and how many there are.")
    rerank: str | None = option(
        "--rerank NAME",
        "A cross-encoder's name or folder: it reads the best hits beside the query and puts them in order.",
    )
    candidates: int | None = option(
        "--candidates N", "How many hits --rerank puts in order.  [default: 100]", COUNT
    )
    network: bool = option("--network", NETWORK)

    def second_stage(self, running: RunningOptions) -> dict[str, Any]:
        """The arguments of a search that are its second stage, the cross-encoder loaded; none without --rerank."""
        if self.rerank is None:
            if self.candidates is not None:
                raise click.UsageError(
                    "--candidates is how many hits --rerank puts in order: give --rerank NAME too"
                )
            return {}
        cross = running.load_cross(self.rerank)
        return {"rerank": cross} if self.candidates is None else {"rerank": cross, "candidates": self.candidates}


class QueryOptions(NarrowingOptions, SearchOptions):
    """What is asked of a collection."""

    all_passages: bool = option("--all-passages", "Let a document count by each of its passages, not by its best.")
    context: int | None = option("--context N", "Show the N passages before and behind each passage, too.", COUNT)
    open_: bool = option("--open", "Only write where each passage stands: file:line, or file#page=3.")


def require_table(file: str, form: str | None = None) -> None:
    """Refuse a folder or a document where a table of texts is wanted, and no format was named."""
    from nearsense.documents.formats import is_document, is_table

    path = Path(file)
    if form is None and not is_table(file) and (is_folder(path) or is_document(path.name)):
        name = shlex.quote(f"{path.resolve().stem}.nearsense")
        why = "a folder or a document is found by its passages, which a collection keeps"
        fix = f"nearsense index create {name} {shlex.quote(file)}"
        raise InputError(f"{file} is no table of texts", why=why, fix=fix)


class PassageOptions(Options):
    """Which files of a folder are read, and how they are split into passages."""

    passages: bool = option("--passages", "Read FILE as a document, not as a table of texts: for txt.")
    ignore: tuple[str, ...] = option(
        "--ignore GLOB", "Leave files out by their path or name: 'drafts/*', '*.bak'. May be repeated.", many=True
    )
    tokens: int | None = option(
        "--tokens N", "The most tokens of a passage.  [default: 256, or what the model reads]", COUNT
    )
    overlap: int | None = option(
        "--overlap N",
        "Tokens of the passage before it that a passage repeats.  [default: 0]",
        click.IntRange(min=0),
    )
    no_headings: bool = option("--no-headings", "Put no headings before passages: only their own text.")

    def splitting(self) -> dict[str, Any]:
        """As arguments of `sync_documents`."""
        headings = False if self.no_headings else None
        known = {"tokens": self.tokens, "overlap": self.overlap, "headings": headings}
        return known | {"ignore": self.ignore or None}

    def words(self) -> list[str]:
        """The options as they are typed."""
        words = [word for glob in self.ignore for word in ("--ignore", glob)]
        for flag, value in (("--tokens", self.tokens), ("--overlap", self.overlap)):
            words += [flag, str(value)] if value is not None else []
        flags = {"--no-headings": self.no_headings, "--passages": self.passages}
        return words + [flag for flag, given in flags.items() if given]

    def meant(self, files: Collection[str]) -> bool:
        """Whether these are documents to be split, not a table of texts."""
        if not files:
            return False
        from nearsense.documents.formats import is_table

        if self.passages or len(files) > 1 or not is_table(*files):
            return True
        if flags := self.words():
            fix = f"add --passages to read {next(iter(files))} as a document"
            raise click.UsageError(f"{flags[0]} is for documents, and this is a table of texts: {fix}")
        return False
