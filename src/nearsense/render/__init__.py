"""Results to what a person or a program reads: table, JSON, JSON lines, CSV. Not where they come from.

A command describes its result once, as a `Page`; `show` writes it in the form that the reader wants: a table on a
terminal, JSON lines in a pipe, or what was asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TextIO

from nearsense.errors import InputError
from nearsense.files.table import json_text
from nearsense.files.writing import csv_cell
from nearsense.records import Comparison, Hit, Matrix, Metric, Origin, Ranking, Results, percent
from nearsense.reports import Info, Reembedding, SyncReport, Verification
from nearsense.tables import print_table, printable
from nearsense.terminal import harmless, steerable

if TYPE_CHECKING:
    from nearsense.explanation import Explanation

Column = tuple[str, Callable[[Any], str]]
"""The head of a column, set flush right where it ends in `>`, and what gives the cell of an item."""


class Form(StrEnum):
    """How a page is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Page:
    """A result, described once for every form."""

    document: Any = None  # the whole as one JSON value
    records: Sequence[Mapping[str, Any]] = ()  # the same as flat records: JSON lines and CSV
    columns: Sequence[str] = ()  # the head of the table; a name that ends in `>` is set flush right
    cells: Sequence[Sequence[str]] = ()  # the rows of the table
    title: str = ""  # a line above the table
    note: str = ""  # a line below it: what a reader has to know
    groups: Sequence[Page] = ()  # pages that are shown one below the other instead: one for each query


def table(items: Sequence[Any], *columns: Column) -> dict[str, Any]:
    """What a Page has of a table with a row an item: `columns` and `cells`."""
    heads, cells = zip(*columns, strict=True)
    return {"columns": heads, "cells": [tuple(cell(item) for cell in cells) for item in items]}


def only_if(shown: object, *columns: Column) -> Sequence[Column]:
    """Columns of a table that is to have them only where there is something to say in them."""
    return columns if shown else ()


def of(name: str) -> Callable[[Any], str]:
    """A cell that shows an attribute, empty for None."""
    value = attrgetter(name)
    return lambda item: str("" if value(item) is None else value(item))


SCORE: Column = ("score>", lambda item: f"{item.score:.4f}")
PROBABILITY: Column = ("probability>", lambda item: likelihood(item.probability, item.interval))
DIFFERS: Column = ("differs", lambda item: ", ".join(item.differs or ()))


def show(page: Page, form: Form | None = None, out: TextIO | None = None) -> None:
    """Write a page.

    Args:
        page: What to write.
        form: How; without it a table on a terminal and JSON lines elsewhere.
        out: Where; standard output without it.
    """
    out = sys.stdout if out is None else out
    form = form or (Form.TABLE if out.isatty() else Form.JSONL)
    _WRITERS[form](page, out)


def comparison_page(comparisons: Results[Comparison], *, single: bool) -> Page:
    """Pairs and their scores; `single` makes one JSON object of the only pair."""
    dicts = comparisons.to_dicts()
    columns = table(
        comparisons,
        SCORE,
        *only_if(any(each.probability is not None for each in comparisons), PROBABILITY),
        ("reading", of("reading.value")),
        *only_if(any(each.differs for each in comparisons), DIFFERS),
        ("a", of("a")),
        ("b", of("b")),
    )
    note = _note(comparisons.origin) + _unsure(comparisons)
    return Page(dicts[0] if single and dicts else dicts, dicts, **columns, note=note)


def hits_page(found: Sequence[Results[Hit]], *, asked: str = "query") -> Page:
    """Hits of one query or of many; `asked` is what the query is called in JSON."""
    every = list(chain.from_iterable(found))
    reranked = any(hit.retrieval_score is not None for hit in every)
    columns: list[Column] = [
        ("#>", of("rank")),
        SCORE,
        *only_if(reranked, ("retrieval>", _retrieval_score)),
        *only_if(any(hit.probability is not None for hit in every), PROBABILITY),
        ("id", of("id")),
        ("text", of("text")),
        *only_if(any(hit.differs for hit in every), DIFFERS),
    ]
    pages = [
        Page(
            {asked: hits.query, "hits": hits.to_dicts(), **hits.origin.to_dict()},
            [{asked: hits.query, **hit.to_dict(), **_made_by(hits.origin)} for hit in hits],
            **table(hits, *columns),
            title=hits.query or "",
        )
        for hits in found
    ]
    note = _note(found[0].origin) + (_retrieval(found[0].origin) if reranked else "") if found else ""
    return Page(
        pages[0].document if len(pages) == 1 else [page.document for page in pages],
        [record for page in pages for record in page.records],
        groups=pages,
        note=note + _unsure(every),
    )


def _retrieval_score(hit: Hit) -> str:
    return "" if hit.retrieval_score is None else f"{hit.retrieval_score:.4f}"


def matrix_page(matrix: Matrix, *, probabilities: bool = False) -> Page:
    """Every text against every other: scores, or how likely two texts mean the same.

    Raises:
        InputError: Probabilities are asked for, and no calibration of the model is known.
    """
    judged = matrix.cells.judged() if probabilities and matrix.cells is not None else (None, {})
    shown = judged[0] if probabilities else matrix.scores
    if shown is None:
        raise InputError(
            f"no calibration is known for {matrix.origin.model}",
            why="without one a score is no probability",
            fix=f"make one from labelled pairs: nearsense calibrate PAIRS --model {matrix.origin.model}",
        )
    names = [str(number) for number in range(1, len(matrix.labels) + 1)]
    values = [[None if value != value else value for value in row] for row in shown.tolist()]
    rows = list(zip(names, matrix.labels, values, strict=True))
    differs = [{"a": row + 1, "b": column + 1, "differs": list(each)} for (row, column), each in judged[1].items()]
    return Page(
        matrix.to_dict() | ({"probabilities": values, "differs": differs} if probabilities else {}),
        [{"label": label, **dict(zip(names, row, strict=True))} for _, label, row in rows],
        columns=("#>", "text", *(f"{name}>" for name in names)),
        cells=[
            (name, label, *("" if value is None else f"{value:.2f}" for value in row)) for name, label, row in rows
        ],
        note=_note(matrix.origin) + _differing(judged[1]),
    )


def _differing(differs: Mapping[tuple[int, int], tuple[str, ...]]) -> str:
    """What differs between the texts of a matrix: of the first few pairs."""
    told = [f"{row + 1} and {column + 1} ({', '.join(each)})" for (row, column), each in differs.items()]
    more = f", and {len(told) - FEW:,} more pairs" if len(told) > FEW else ""
    return f" What differs: {'; '.join(told[:FEW])}{more}." if told else ""


FEW = 5  # pairs of a matrix of which is said below it what differs


def explanation_page(explanation: Explanation) -> Page:
    """The words of two texts, what they contribute, and which is nearest in the other."""
    pages = [
        Page(
            records=[{"of": side.name, **asdict(word), "partner": side.partner(word)} for word in side.words],
            **table(
                side.words,
                ("contribution>", lambda word: f"{word.contribution:+.4f}"),
                ("word", of("text")),
                ("nearest", side.partner),
                ("similarity>", lambda word: f"{word.similarity:.2f}"),
            ),
            title=f"{side.name}: {explanation.score:.4f}, the words of {side.name}",
        )
        for side in explanation.sides
    ]
    remarks = [f"{side.name}: {remark}." for side in explanation.sides for remark in side.remarks]
    return Page(
        explanation.to_dict(),
        [record for page in pages for record in page.records],
        groups=pages,
        note=" ".join([*remarks, *_surely(explanation), explanation.note]),
    )


def _surely(explanation: Explanation) -> list[str]:
    """How sure the score leaves one, and what differs."""
    sure = explanation.unsure and f"No probability: {explanation.unsure}."
    if explanation.probability is not None:
        sure = f"{percent(explanation.probability)} likely to mean the same ({between(explanation.interval)})."
    differs = f"Differs: {', '.join(explanation.differs)}." if explanation.differs else ""
    return [each for each in (sure, differs) if each]


def sync_page(report: SyncReport) -> Page:
    """What a sync did, or would do."""
    known = report.to_dict()
    names = ("added", "changed", "removed", "unchanged", "encoded")
    return Page(
        known,
        [known],
        columns=[f"{name}>" for name in names],
        cells=[[f"{known[name]:,}" for name in names]],
        title="" if report.applied else "What would be:",
    )


def info_page(info: Info) -> Page:
    """What a collection says of itself."""
    known = info.to_dict()
    shown = {
        **known,
        "fields": ", ".join(info.fields),
        "recall": None if info.recall is None else f"{info.recall:.3f}",
        "size": f"{info.size / 1e6:,.1f} MB",
    }
    cells = [(name, f"{value:,}" if isinstance(value, int) else value) for name, value in shown.items() if value]
    return Page(document=known, records=[known], columns=("", "value"), cells=cells)


def verification_page(verification: Verification) -> Page:
    """What is wrong with a collection."""
    lost = [("lost", finding) for finding in verification.findings]
    healed = [("made again", each) for each in verification.healed]
    known = verification.to_dict()
    said = f"{len(lost):,} findings" if lost else "all is well"
    columns = ("", "finding") if lost or healed else ()
    note = f"{verification.documents:,} documents read, {said}."
    return Page(known, [known], columns, [*lost, *healed], note=note)


def reembedding_page(done: Reembedding) -> Page:
    """A collection that went over to another model."""
    known = done.to_dict()
    agreement = "" if done.agreement is None else f"{done.agreement:.0%}"
    columns = ("documents>", "before", "after", "agreement>")
    note = "Agreement: of the ten nearest under the old model, the share that the new one finds."
    return Page(known, [known], columns, [(f"{done.documents:,}", done.before, done.after, agreement)], note=note)


def _made_by(origin: Origin) -> dict[str, Any]:
    known = origin.to_dict()
    names = ("model", "metric", "retrieved_by", "retrieval_metric")
    return {name: known[name] for name in names if name in known}


def likelihood(probability: float | None, interval: tuple[float, float] | None) -> str:
    """A probability and its interval for a reader; nothing where there is none.

    Example:
        >>> likelihood(0.78, (0.55, 0.9)), likelihood(0.995, (0.97, 0.9999))
        ('78 %, 55 to 90', '>99 %, 97 to >99')
    """
    if probability is None or interval is None:
        return "" if probability is None else percent(probability)
    return f"{percent(probability)}, {between(interval).replace(' %', '')}"


def between(interval: tuple[float, float] | None) -> str:
    """An interval of probabilities for a reader; nothing where there is none.

    Example:
        >>> between((0.42, 0.87)), between((0.985, 0.9999))
        ('42 % to 87 %', '98 % to >99 %')
    """
    return "" if interval is None else " to ".join(percent(each) for each in interval)


def _note(origin: Origin) -> str:
    """What a score is, for who reads it, and what the probability is of."""
    if origin.calibration is not None:
        of = PROBABLE.get(origin.calibration, f"calibrated as {origin.calibration!r}")
        score = _NOTES.get(origin.metric, _COSINE).format(model=origin.model)
        return f"{score} Probability: {of}; {origin.prior:.2g} before the score is seen."
    asked = f" They have probabilities after: nearsense models probe {origin.model}"
    said = _NOTES.get(origin.metric, _UNCALIBRATED).format(model=origin.model)
    return said + asked if origin.metric is Metric.COSINE and origin.model.startswith("openai:") else said


def _unsure(results: Iterable[Hit | Comparison]) -> str:
    """Why some have no probability."""
    reasons = dict.fromkeys(each.unsure for each in results if each.unsure)
    return "".join(f" No probability: {reason}." for reason in reasons)


def _retrieval(origin: Origin) -> str:
    """What the score of the first stage is."""
    measure = origin.retrieval_metric
    name = _FOUND_BY.get(measure, measure.value + " by {model}") if measure else "what the search gave"
    return f" Retrieval: {name.format(model=origin.retrieved_by)}."


_COSINE = "Score: cosine similarity by {model}."
PROBABLE = {
    "paraphrase": "that both say the same",
    "question": "that both want the same answer",
    "request": "that both want the same done",
    "passage": "that the text answers the query",
}
_UNCALIBRATED = "Cosine similarity by {model}; scores and readings are uncalibrated."
_NOTES: dict[Metric | Ranking, str] = {
    Ranking.BM25: "BM25: how strongly a text shares the query's words; not between 0 and 1.",
    Ranking.FUSED: "Reciprocal rank fusion of BM25 and cosine similarity by {model}: places, no similarity; "
    "at most 2/61 = 0.0328.",
    Ranking.CROSS: "Score: the cross-encoder {model}; it orders the texts of one query, and compares with "
    "no other model.",
}
_FOUND_BY: dict[Metric | Ranking, str] = {
    Metric.COSINE: "cosine similarity by {model}",
    Metric.DOT: "dot product by {model}",
    Ranking.BM25: "BM25",
    Ranking.FUSED: "reciprocal rank fusion of BM25 and cosine similarity by {model}",
}


def _write_json(page: Page, out: TextIO) -> None:
    out.write(json_text(page.document, indent=2) + "\n")


def _write_jsonl(page: Page, out: TextIO) -> None:
    for record in page.records:
        out.write(json_text(record) + "\n")


def _write_csv(page: Page, out: TextIO) -> None:
    import csv

    names = list(dict.fromkeys(name for record in page.records for name in record))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writerow({name: csv_cell(name) for name in names})
    writer.writerows({name: _flat(value) for name, value in record.items()} for record in page.records)


def _flat(value: Any) -> Any:
    if isinstance(value, str):
        return csv_cell(value)
    return json_text(value) if isinstance(value, (dict, list)) else value


def _write_table(page: Page, out: TextIO) -> None:
    from rich.console import Console

    console = Console(file=steerable(out), highlight=False)
    for each in page.groups or (page,):
        if each.title:
            console.print(printable(each.title), style="bold", markup=False)
        if each.cells:
            print_table(console, each.columns, each.cells)
        elif each.columns:
            console.print("nothing found", style="dim")
    if page.note:
        console.print(harmless(page.note), style="dim", markup=False)


_WRITERS = {Form.TABLE: _write_table, Form.JSON: _write_json, Form.JSONL: _write_jsonl, Form.CSV: _write_csv}
