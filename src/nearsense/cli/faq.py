"""faq: does a FAQ answer these questions, and how sure is it? Not how it knows: see nearsense/faq/."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nearsense.cli.options import (
    CORES,
    COUNT,
    LONG,
    SHARE,
    ListOptions,
    ModelOptions,
    Options,
    RowOptions,
    in_a_folder,
    option,
    takes,
)
from nearsense.errors import FileError, InputError

if TYPE_CHECKING:
    from nearsense.faq import FAQ, Answer
    from nearsense.records import Hit
    from nearsense.render import Page

T = TypeVar("T")

FEW = 3
"""Near misses that are shown where nothing else is asked for."""


class FaqOptions(RowOptions):
    """What is asked, how sure an answer has to be, and how the rows of FILE become entries."""

    k: int | None = option("-k N", "How many candidates to show.  [default: 3]", COUNT)
    precision: float = option(
        "--precision", "Which share of the answers shall be right; the rest gets no answer.", SHARE, default=0.9
    )
    prior: float = option("--prior", "Which share of the questions FILE can answer.", SHARE, default=0.5)
    questions: str | None = option("--questions FILE", "Ask all questions of a file too; - is standard input.")
    labelled: str | None = option(
        "--labelled FILE", "Questions with the id of their entry: how sure it is goes by these."
    )
    log: str | None = option("--log FOLDER", "Log what is asked there: see nearsense log.")
    interactive: bool = option("--interactive", "Ask for questions until the end of input; then say what lacked.")
    text: str | None = option("--text COLUMN", "Column with the questions of FILE.")
    answer: str | None = option("--answer COLUMN", "Column with the answers.")
    category: str | None = option("--category COLUMN", "Column with the categories.")
    id_: str | None = option("--id COLUMN", "Column with the ids; rows that share one are one entry.")


class FaqModelOptions(Options):
    """Which models answer, and how they run."""

    model: str | None = option("--model NAME", "Model name or folder.  [default: all-MiniLM-L6-v2]")
    threads: int | None = option("--threads N", CORES, click.IntRange(min=0))
    long: str | None = option("--long", "What happens to answers beyond the model's limit.", LONG)
    rerank: str | None = option(
        "--rerank NAME", "A cross-encoder's name or folder: where it prefers another entry, there is no answer."
    )
    quiet: bool = option("--quiet -q", "No progress bar.")


@click.command()
@click.argument("file", callback=in_a_folder)
@click.argument("question", nargs=-1)
@takes(options=FaqOptions, models=FaqModelOptions, output=ListOptions)
def faq(
    file: str,
    question: tuple[str, ...],
    options: FaqOptions,
    models: FaqModelOptions,
    output: ListOptions,
) -> None:
    """Answer each QUESTION from the FAQ in FILE, where it is sure enough; else ask back or show what is near.

    FILE has columns question and answer, perhaps phrasings, category, id; or is a collection. Rows with one id, or
    without ids one answer of five words or more, are phrasings of one entry. Where the right one is probably among
    three entries, these are suggested. The exit code is 1 where a question got no answer.

    \b
    Examples:
      nearsense faq faq.csv "When will my package arrive?"
      nearsense faq faq.csv --questions log.txt -o answers.xlsx
      nearsense faq faq.csv --precision 0.99 --text title --answer body "I want my money back"
      nearsense faq faq.csv --interactive
    """
    from nearsense.cli.arguments import require_order
    from nearsense.cli.outputs import leave

    require_order(file, question, "question")
    _require_one_stdin(file, options)
    whole = f"--{output.form}" if output.form else "-o OUT" if output.output else ""
    if options.interactive and whole and (question or options.questions):
        raise click.UsageError(f"{whole} is one document: give questions or --interactive, not both")
    questions = [*question, *_questions(options.questions)]
    if not questions and not options.interactive:
        raise click.UsageError("give a question, --questions FILE, or --interactive")
    room = _faq(file, options, models)
    silent = False
    try:
        if questions:
            answers = room.answer_many(questions, options.k or FEW)
            silent = not all(answers)
            _show(answers, room, output, bool(options.k))
        if options.interactive:
            silent |= _talk(room, output, options.k)
    finally:
        if room.log is not None:
            room.log.flush()
    if silent:
        leave()


COMMANDS = (faq,)


def _require_one_stdin(file: str, options: FaqOptions) -> None:
    """Standard input can be read once."""
    named = {"FILE": file, "--questions": options.questions, "--labelled": options.labelled}
    readers = [f"{name} -" for name, path in named.items() if path == "-"]
    readers += ["--interactive"] * options.interactive
    if len(readers) > 1:
        raise click.UsageError(f"{readers[0]} and {readers[1]} both read standard input: give one of them a file")


def _questions(file: str | None) -> list[str]:
    """The questions of a file."""
    if file is None:
        return []
    from nearsense.files import documents, read_table

    table = _other("--questions", lambda: read_table(file))
    return [document.text for document in documents(table, skip_empty=True).items]


def _other(option: str, read: Callable[[], T]) -> T:
    """What is read of another file than FILE; errors name no --format and no --encoding, which are FILE's."""
    try:
        return read()
    except FileError as error:
        fix = error.fix
        if "--format" in fix:
            fix = f"give {option} a file whose name ends in .csv, .tsv, .json, .jsonl or .txt"
        elif "--encoding" in fix:
            fix = f"save what {option} reads as UTF-8"
        raise FileError(error.what, why=error.why, fix=fix) from error


def _faq(file: str, options: FaqOptions, models: FaqModelOptions) -> FAQ:
    """The FAQ that the options describe."""
    from nearsense.cached import cached
    from nearsense.faq import FAQ
    from nearsense.faq.entries import labelled_of, read_items
    from nearsense.store import is_collection

    named = {"question": options.text, "answer": options.answer, "category": options.category, "id": options.id_}
    columns = {name: column for name, column in named.items() if column}
    source: Any = file
    name, log = models.model, options.log
    if is_collection(file):
        from nearsense.collection import open_collection

        source = open_collection(file, create=False)
        name, log = name or source.info().model, log or source.log
    elif options.narrows:
        source = options.read(file)
    items = read_items(source, columns, options.format, options.encoding, options.dialect)
    given = options.labelled
    labelled = None if given is None else _other("--labelled", lambda: labelled_of(given))
    model = ModelOptions(model=name, threads=models.threads, long=models.long, quiet=models.quiet)
    return FAQ(
        items,
        encoder=cached(model.load()),
        precision=options.precision,
        prior=options.prior,
        labelled=labelled,
        reranker=None if models.rerank is None else model.load_cross(models.rerank),
        progress=model.progress,
        log=log,
    )


def _talk(room: FAQ, output: ListOptions, k: int | None) -> bool:
    """Questions, a line each, until the end of input; whether one got no answer. What lacked comes last."""
    from nearsense.cli.inputs import typed_lines
    from nearsense.tables import printable

    prompt = "question> " if sys.stdin.isatty() else ""
    answers: list[Answer] = []
    unread = False
    whole = output.form is not None or output.output is not None  # one document: written when all is known
    try:
        for line in typed_lines(prompt):
            if not line.strip():
                continue
            try:
                answers.append(room.answer(_text(line.strip()), k or FEW))
            except InputError as error:  # of this line: the next may be better
                sys.stderr.write(f"error: {printable(error.what)}\n")
                unread = True
                continue
            if not whole:
                _show(answers[-1:], room, output, bool(k), note=False)
        sys.stderr.write("\n" * bool(prompt))
    finally:
        if whole and answers:
            _show(answers, room, output, bool(k))
        if gaps := room.gaps():
            sys.stderr.write("Without an answer:\n" + "".join(f"  {printable(str(gap))}\n" for gap in gaps))
    return unread or not all(answers)


def _text(line: str | bytes) -> str:
    """A line as text; bytes that are none are refused."""
    if isinstance(line, bytes):
        encoding = sys.stdin.encoding or "utf-8"
        try:
            return line.decode(encoding)
        except UnicodeDecodeError as error:
            shown = line[:60].decode("ascii", "backslashreplace")
            raise InputError(f"“{shown}” is not {encoding} at its byte {error.start + 1}: left out") from None
    return line


def _show(answers: list[Answer], room: FAQ, output: ListOptions, all_: bool, note: bool = True) -> None:
    output.show(answers_page(answers, str(room.threshold) if note else "", all_))
    sys.stdout.flush()


def answers_page(answers: list[Answer], note: str, all_: bool) -> Page:
    """Answers for every form; `all_` shows the other candidates of an answer too."""
    from nearsense.render import Page, likelihood

    groups = [
        Page(
            document=None,
            records=(),
            columns=("probability>", "entry", "answer"),
            cells=[
                (likelihood(hit.probability, hit.interval), hit.text or "", hit.metadata["answer"] or "")
                for hit in _shown(each, all_)
            ],
            title=_title(each),
        )
        for each in answers
    ]
    documents = [each.to_dict() for each in answers]
    return Page(
        document=documents[0] if len(documents) == 1 else documents,
        records=[_record(each) for each in answers],
        rows=[_record(each) | _listed(each) for each in answers],
        columns=(),
        cells=(),
        groups=groups,
        note=note[:1].upper() + note[1:],
    )


def _shown(answer: Answer, all_: bool) -> Iterable[Hit]:
    """The entries that a table shows."""
    if answer.hit is not None:
        return answer.candidates if all_ else [answer.hit]
    return answer.candidates if all_ else answer.suggestions or answer.candidates


def _title(answer: Answer) -> str:
    if answer.hit is None:
        asks = " did you mean one of these?" if answer.suggestions else ""
        return f"{answer.question}: no answer, {answer.reason}{asks and ';' + asks}"
    differs = f" (differs: {', '.join(answer.differs)})" if answer.differs else ""
    return answer.question + differs


def _record(answer: Answer) -> dict[str, Any]:
    """An answer as one flat record; the candidates are a list of their own."""
    from nearsense.records import as_json

    hit = answer.hit
    entry = {
        "id": hit and hit.id,
        "entry": hit and hit.text,
        "answer": answer.text,
        "category": hit and hit.metadata["category"],
    }
    others = {
        name: [{"id": each.id, "entry": each.text, **as_json(each, _CANDIDATE)} for each in hits]
        for name, hits in (("suggestions", answer.suggestions), ("candidates", answer.candidates))
    }
    first, judged = "question outcome answered", "probability interval threshold reason differs unsure"
    return as_json(answer, first) | entry | as_json(answer, judged) | others


def _listed(answer: Answer) -> dict[str, str]:
    """The other entries of an answer as a spreadsheet has them, a cell of text each."""
    from nearsense.records import percent

    def told(hit: Hit) -> str:
        return str(hit.text) if hit.probability is None else f"{hit.text} ({percent(hit.probability)})"

    lists = {"suggestions": answer.suggestions, "candidates": answer.candidates}
    return {name: " | ".join(map(told, hits)) for name, hits in lists.items()}


_CANDIDATE = "probability interval score differs unsure"
