"""faq: does a FAQ answer these questions, and how sure is it? Not how it knows: see nearsense/faq/."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from nearsense.cli.options import encoder_of, form_of, output_options, quiet_option, source_options
from nearsense.errors import FileError, InputError
from nearsense.records import Long

if TYPE_CHECKING:
    from nearsense.encoders import CrossEncoder
    from nearsense.faq import FAQ, Answer
    from nearsense.records import Hit
    from nearsense.render import Form, Page

T = TypeVar("T")

__all__ = ["COMMANDS"]

UNANSWERED = 1
"""The exit code where a question got no answer."""

FEW = 3
"""Near misses that are shown where nothing else is asked for."""

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.argument("file")
@click.argument("question", nargs=-1)
@click.option("-k", type=click.IntRange(min=1), metavar="N", help="How many candidates to show.  [default: 3]")
@click.option(
    "--precision",
    type=SHARE,
    default=0.9,
    show_default=True,
    help="Which share of the answers shall be right; the rest gets no answer.",
)
@click.option(
    "--prior", type=SHARE, default=0.5, show_default=True, help="Which share of the questions FILE can answer."
)
@click.option("--questions", metavar="FILE", help="Ask all questions of a file too; - is standard input.")
@click.option(
    "--labelled", metavar="FILE", help="Questions with the id of their entry: how sure it is goes by these."
)
@click.option(
    "--interactive", is_flag=True, help="Ask for questions until the end of input; then say what lacked."
)
@click.option("--text", metavar="COLUMN", help="Column with the questions of FILE.")
@click.option("--answer", metavar="COLUMN", help="Column with the answers.")
@click.option("--category", metavar="COLUMN", help="Column with the categories.")
@click.option("--id", "id_", metavar="COLUMN", help="Column with the ids; rows that share one are one entry.")
@source_options
@click.option("--model", metavar="NAME", help="Model name or folder.  [default: all-MiniLM-L6-v2]")
@click.option("--threads", type=click.IntRange(min=0), metavar="N", help="Cores to use.  [default: all]")
@click.option(
    "--long",
    type=click.Choice([each.value for each in Long]),
    help="What happens to answers beyond the model's limit.",
)
@click.option(
    "--rerank",
    metavar="NAME",
    help="A cross-encoder's name or folder: where it prefers another entry, there is no answer.",
)
@quiet_option
@output_options
def faq(
    file: str, question: tuple[str, ...], k: int | None, interactive: bool, form: str | None, **options: Any
) -> None:
    """Answer each QUESTION from the FAQ in FILE, where it is sure enough; else ask back or show what is near.

    FILE has columns question and answer, perhaps phrasings, category, id; or is a collection. Rows with one id, or
    without ids one answer of five words or more, are phrasings of one entry. Where the right one is probably among
    three entries, these are suggested. The exit code is 1 where a question got no answer.

    \b
    Examples:
      nearsense faq faq.csv "When will my package arrive?"
      nearsense faq faq.csv --questions log.txt --csv > answers.csv
      nearsense faq faq.csv --precision 0.99 --text title --answer body "I want my money back"
      nearsense faq faq.csv --interactive
    """
    _require_one_stdin(file, interactive, options)
    if interactive and form and (question or options["questions"]):
        raise click.UsageError(f"--{form} is one document: give questions or --interactive, not both")
    asked = [*question, *_questions(options.pop("questions"))]
    if not asked and not interactive:
        raise click.UsageError("give a question, --questions FILE, or --interactive")
    room, kind = _room(file, options), form_of(form)
    silent = False
    if asked:
        answers = room.answer_many(asked, k or FEW)
        silent = not all(answers)
        _show(answers, room, kind, bool(k))
    if interactive:
        silent |= _talk(room, kind, k)
    if silent:
        click.get_current_context().exit(UNANSWERED)


COMMANDS = (faq,)


def _require_one_stdin(file: str, interactive: bool, options: dict[str, Any]) -> None:
    """Standard input can be read once.

    Raises:
        UsageError: Two want it.
    """
    named = {"FILE": file, "--questions": options["questions"], "--labelled": options["labelled"]}
    readers = [f"{name} -" for name, path in named.items() if path == "-"]
    readers += ["--interactive"] * interactive
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
    """What is read of another file than FILE, to which --format and --encoding do not apply.

    Raises:
        FileError: It cannot be read; what to do about it is said for that file.
    """
    try:
        return read()
    except FileError as error:
        fix = error.fix
        if "--format" in fix:
            fix = f"give {option} a file whose name ends in .csv, .tsv, .json, .jsonl or .txt"
        elif "--encoding" in fix:
            fix = f"save what {option} reads as UTF-8"
        raise FileError(error.what, why=error.why, fix=fix) from error


def _room(file: str, options: dict[str, Any]) -> FAQ:
    """The FAQ that the options describe."""
    from nearsense.cached import cached
    from nearsense.faq import FAQ
    from nearsense.faq.entries import labelled_of, read_items
    from nearsense.store import is_collection

    columns = {"question": options["text"], **{name: options[name] for name in ("answer", "category")}}
    columns = {name: column for name, column in (columns | {"id": options["id_"]}).items() if column}
    source: Any = file
    if is_collection(Path(file)):
        from nearsense.collection import open_collection

        source = open_collection(file, create=False)
        options["model"] = options["model"] or source.info().model
    items = read_items(source, columns, options["format"], options["encoding"])
    given = options["labelled"]
    labelled = None if given is None else _other("--labelled", lambda: labelled_of(given))
    chosen = {name: options[name] for name in ("model", "threads", "long")}
    encoder = encoder_of({**chosen, "dimensions": None, "precision": None})()
    return FAQ(
        items,
        encoder=cached(encoder),
        precision=options["precision"],
        prior=options["prior"],
        labelled=labelled,
        reranker=_cross(options),
        progress=not options["quiet"],
    )


def _cross(options: dict[str, Any]) -> CrossEncoder | None:
    """The cross-encoder that was asked for."""
    from nearsense.cli.options import second_stage

    second = second_stage({**options, "candidates": None, "precision": None})
    return second.get("rerank")


def _talk(room: FAQ, form: Form | None, k: int | None) -> bool:
    """Questions, a line each, until the end of input; whether one got no answer. What lacked comes last."""
    from nearsense.render import Form
    from nearsense.tables import printable

    answers: list[Answer] = []
    unread = False
    whole = form in (Form.JSON, Form.CSV)  # one document, one head: written when all is known
    try:
        for question in _lines():
            try:
                answers.append(room.answer(_text(question), k or FEW))
            except InputError as error:  # of this line: the next may be better
                sys.stderr.write(f"error: {printable(error.what)}\n")
                unread = True
                continue
            if not whole:
                _show(answers[-1:], room, form, bool(k), note=False)
    finally:
        if whole and answers:
            _show(answers, room, form, bool(k))
        if gaps := room.gaps():
            sys.stderr.write("Without an answer:\n" + "".join(f"  {printable(str(gap))}\n" for gap in gaps))
    return unread or not all(answers)


def _lines() -> Iterator[str | bytes]:
    """What is typed, without empty lines; bytes where standard input gives them: some may be no text."""
    source: IO[str] | IO[bytes] = getattr(sys.stdin, "buffer", sys.stdin)
    prompt = "question> " if sys.stdin.isatty() else ""
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        try:
            line: str | bytes = source.readline()
        except OSError as error:
            from nearsense.files import no_input

            raise no_input(error) from error
        if not line:
            if prompt:
                sys.stderr.write("\n")
            return
        if line.strip():
            yield line.strip()


def _text(line: str | bytes) -> str:
    """A line as text.

    Raises:
        InputError: Its bytes are none.
    """
    if isinstance(line, bytes):
        encoding = sys.stdin.encoding or "utf-8"
        try:
            return line.decode(encoding)
        except UnicodeDecodeError as error:
            shown = line[:60].decode("ascii", "backslashreplace")
            raise InputError(f"“{shown}” is not {encoding} at its byte {error.start + 1}: left out") from None
    return line


def _show(answers: list[Answer], room: FAQ, form: Form | None, all_: bool, note: bool = True) -> None:
    from nearsense.render import show

    show(_page(answers, str(room.threshold) if note else "", all_), form)
    sys.stdout.flush()


def _page(answers: list[Answer], note: str, all_: bool) -> Page:
    """Answers for every form; `all_` shows the other candidates of an answer too."""
    from nearsense.render import Page, likelihood

    groups = [
        Page(
            document=None,
            records=(),
            columns=("probability>", "entry", "answer"),
            cells=[
                (
                    likelihood(hit.probability, hit.interval),
                    hit.text or "",
                    hit.metadata["answer"] or "",
                )
                for hit in _shown(each, all_)
            ],
            title=_titled(each),
        )
        for each in answers
    ]
    documents = [each.to_dict() for each in answers]
    return Page(
        document=documents[0] if len(documents) == 1 else documents,
        records=[_record(each) for each in answers],
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


def _titled(answer: Answer) -> str:
    if answer.hit is None:
        asks = " did you mean one of these?" if answer.suggestions else ""
        return f"{answer.question}: no answer, {answer.reason}{asks and ';' + asks}"
    differs = f" (differs: {', '.join(answer.differs)})" if answer.differs else ""
    return answer.question + differs


def _record(answer: Answer) -> dict[str, Any]:
    """An answer as one flat record; the candidates are a list of their own."""
    hit = answer.hit
    return {
        "question": answer.question,
        "outcome": answer.outcome.value,
        "answered": hit is not None,
        "id": hit and hit.id,
        "entry": hit and hit.text,
        "answer": answer.text,
        "category": hit and hit.metadata["category"],
        "probability": answer.probability,
        "interval": None if answer.interval is None else list(answer.interval),
        "threshold": answer.threshold,
        "reason": answer.reason,
        "differs": list(answer.differs),
        "unsure": answer.unsure,
        "suggestions": [_candidate(each) for each in answer.suggestions],
        "candidates": [_candidate(each) for each in answer.candidates],
    }


def _candidate(hit: Hit) -> dict[str, Any]:
    known = hit.to_dict()
    return {
        "id": hit.id,
        "entry": hit.text,
        **{name: known[name] for name in ("probability", "interval", "score", "differs", "unsure")},
    }
