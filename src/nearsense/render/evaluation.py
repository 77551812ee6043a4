"""An evaluation to what a person or a program reads: a page for every form, and Markdown. Not HTML.

Figures are shown times 100, as benchmarks do; JSON and CSV have plain fractions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nearsense.evaluation.results import BAND_COLUMNS
from nearsense.render import PROBABLE, Column, Page, of, only_if, table
from nearsense.render.markdown import escaped, markdown_table

if TYPE_CHECKING:
    from nearsense.evaluation import Evaluation, Figure, Mistake, PairedTest, SystemResult

LONGEST_TEXT = 160  # characters of a text that a table of errors shows; JSON has all

NAMES = {"false_accepts@95": "false accepts @95", "auroc": "AUROC", "roc_auc": "ROC AUC", "map": "MAP"}


def evaluation_page(evaluation: Evaluation) -> Page:
    """Systems, how they compare, and the worst errors of each model; as records one line a figure."""
    systems = evaluation.systems
    tables = [_systems(evaluation), _tests(evaluation), *map(_stated, systems), *map(_mistakes, systems)]
    return Page(
        evaluation.to_dict(),
        [record for each in systems for record in _records(evaluation, each)],
        groups=[each for each in tables if each.cells],
        note=" ".join(_notes(evaluation)),
    )


def _notes(evaluation: Evaluation) -> list[str]:
    known = [each for each in evaluation.systems if each.probabilities is not None]
    how = "Figures times 100; in brackets the 95 % interval of the bootstrap over items."
    return [how, *(f"{each.name}: {each.probabilities}." for each in known), *evaluation.notes]


def evaluation_markdown(evaluation: Evaluation) -> str:
    """The same as Markdown."""
    page = evaluation_page(evaluation)
    lines = [f"# {escaped(evaluation.dataset)}", ""]
    for each in page.groups:
        lines += [f"## {escaped(each.title)}", "", *markdown_table(each), ""]
    return "\n".join([*lines, *map(escaped, _notes(evaluation)), ""])


def _systems(evaluation: Evaluation) -> Page:
    systems = evaluation.systems
    figures: list[Column] = [
        (f"{_name(name)}>", lambda system, name=name: f"{100 * system.figures[name].value:.2f}")  # type: ignore[misc]
        for name in systems[0].figures
    ]
    columns = table(
        systems,
        ("system", of("name")),
        *figures,
        ("95 %>", lambda system: _interval(system.figures[evaluation.main])),
        ("seconds>", lambda system: f"{system.seconds:,.2f}"),
        ("texts/s>", lambda system: f"{system.texts_per_second:,.0f}"),
        *only_if(any(each.truncated for each in systems), ("cut>", lambda system: f"{system.truncated:,}")),
    )
    size = f"{evaluation.items:,} items, {systems[0].texts:,} different texts"
    return Page(**columns, title=f"{evaluation.dataset}: {evaluation.task.value}, {size}")


def _tests(evaluation: Evaluation) -> Page:
    columns = (f"{_name(evaluation.main)}>", "95 %>", "p>", "difference")
    cells = [_test(each) for each in evaluation.comparisons]
    return Page(columns=columns, cells=cells, title="Differences, on the same items")


def _test(test: PairedTest) -> tuple[str, ...]:
    value = test.difference
    interval = f"[{100 * value.low:+.2f}, {100 * value.high:+.2f}]"
    return f"{100 * value.value:+.2f}", interval, f"{test.p:.3f}", f"{test.first} less {test.second}"


def _stated(system: SystemResult) -> Page:
    stated = system.probabilities
    if stated is None:
        return Page()
    means = PROBABLE.get(stated.task, f"calibrated as {stated.task!r}")
    return Page(columns=BAND_COLUMNS, cells=stated.rows(), title=f"Probabilities by {system.name}: {means}")


def _mistakes(system: SystemResult) -> Page:
    width = max((len(each.texts) for each in system.mistakes), default=0)
    differing = any(each.differs for each in system.mistakes)
    texts = ("text", "other text", "third text")[:width]
    return Page(
        columns=("score>", "prediction", "truth", *texts, *(("differs",) if differing else ())),
        cells=[(*_mistake(each), *((", ".join(each.differs),) if differing else ())) for each in system.mistakes],
        title=f"Worst errors of {system.name}",
    )


def _mistake(mistake: Mistake) -> tuple[str, ...]:
    texts = (text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…" for text in mistake.texts)
    return f"{mistake.score:.2f}", mistake.prediction, mistake.truth, *texts


def _records(evaluation: Evaluation, system: SystemResult) -> Iterator[dict[str, Any]]:
    """One flat record a figure."""
    known: list[tuple[str, float, float | None, float | None, float | None]] = [
        (name, each.value, each.low, each.high, system.thresholds.get(name))
        for name, each in system.figures.items()
    ]
    if stated := system.probabilities:
        known += [("ece", stated.ece, None, None, None), ("coverage", stated.coverage, None, None, None)]
    for name, value, low, high, threshold in known:
        yield {
            "dataset": evaluation.dataset,
            "task": evaluation.task.value,
            "items": evaluation.items,
            "system": system.name,
            "kind": system.kind.value,
            "figure": name,
            "value": value,
            "low": low,
            "high": high,
            "threshold": threshold,
            "seconds": system.seconds,
            "texts_per_second": system.texts_per_second,
            "truncated": system.truncated,
        }


def _interval(figure: Figure) -> str:
    return f"[{100 * figure.low:.2f}, {100 * figure.high:.2f}]"


def _name(figure: str) -> str:
    return NAMES.get(figure, figure.replace("_", " "))
