"""What training did as one HTML page: the verdict, then figures, what was lost, the way there, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.evaluation.results import BAND_COLUMNS
from nearsense.pages.parts import Curve, Interval, curves, intervals, key, page, plain, section, table
from nearsense.render.training import calibration_words, changes_page, errors_page, facts_page, slices_page
from nearsense.training_results import Verdict, duration, hundred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nearsense.render import Page
    from nearsense.training_results import Judgement, Point, TrainingReport

__all__ = ["training_html"]

CORNERS = 500
"""Points of a curve, at most."""


def training_html(report: TrainingReport) -> str:
    """A report as one page that needs nothing else: no script, no font, no request.

    Example:
        >>> from nearsense.training_results import TrainingReport
        >>> html = training_html(TrainingReport(model="mine", folder="mine", fingerprint="", parent="theirs",
        ...     parent_fingerprint="", kind="classes", examples=770, texts=770))
        >>> html.startswith("<!doctype html>"), "http:" in html, "nobody knows" in html
        (True, False, True)
    """
    judged = report.judgement
    body = [_head(report)]
    if judged is not None:
        body += [_changes(judged), _general(judged)]
    body += [*_learning(report.curve), _meaning(report, judged)]
    if judged is not None:
        body.append(_errors(judged))
    return page(f"{report.model}: {report.method}", [*body, _usage(report), _origin(report), _foot(report)])


def _head(report: TrainingReport) -> str:
    judged = report.judgement
    facts = [
        ("time", duration(report.seconds), ""),
        ("examples", f"{report.examples:,}", f"{report.texts:,} different texts"),
        ("steps", f"{report.steps:,}", f"kept: {report.best_step:,}" if report.best_step else ""),
        ("held out", f"{report.held_out:,}", ""),
    ]
    verdict = ""
    if judged is not None:
        verdict = judged.verdict.value.replace(" ", "-")
        main = judged.main
        value = f"{hundred(main.before.value)} → {hundred(main.after.value)}"
        facts.insert(0, (main.title, value, f"on {main.items:,}"))
    shown = "".join(
        f"<div><dt>{plain(name)}</dt><dd>{plain(value)} <small>{plain(more)}</small></dd></div>"
        for name, value, more in facts
    )
    lead = f"{report.method} of {report.parent}, on {report.examples:,} {report.kind} examples"
    said = f'<p class="verdict {verdict}">{plain(report.sentence)}</p>'
    title = f'<h1>{plain(report.model)}</h1>\n<p class="lead">{plain(lead)}</p>'
    return f'<header>\n{said}\n{title}\n<dl class="facts">{shown}</dl>\n</header>'


def _table(known: Page, *, marked: list[int] | None = None) -> str:
    return table(known.title, known.columns, known.cells, marked=marked or [])


def _changes(judged: Judgement) -> str:
    rows = []
    for each in judged.changes:
        for when, figure, colour in (("before", each.before, "words"), ("after", each.after, "a")):
            low, high = 100 * figure.low, 100 * figure.high
            rows.append(Interval(f"{each.title}, {when}", 100 * figure.value, low, high, colour))
    chart = intervals(rows, title="Figures before and after", axis="times 100, with the 95 % interval")
    lead = (
        "The same examples before and after, none of which training saw. A change counts where the interval of "
        "the difference leaves 0 out, and a paired test agrees."
    )
    listed = _table(changes_page(judged), marked=[0])
    return section("Did it get better?", f"<figure>{chart}</figure>", listed, lead=lead)


def _general(judged: Judgement) -> str:
    if not judged.slices:
        return ""
    order = sorted(judged.slices, key=lambda each: each.after - each.before)
    marked = [row for row, each in enumerate(order) if each.verdict is Verdict.WORSE]
    lead = (
        "Pairs that come with nearsense and have nothing to do with your data: how well do scores tell what says "
        "the same from what does not? The p-values are corrected for all parts that are looked at."
    )
    return section("What did it lose elsewhere?", _table(slices_page(judged), marked=marked), lead=lead)


def _learning(points: tuple[Point, ...]) -> Iterator[str]:
    charts = [
        _curve(points, ("loss", "held_loss"), ("loss", "loss on what is held out"), "Loss over the steps", "loss"),
        _curve(points, ("figure",), ("figure on what is held out",), "The figure over the steps", "figure"),
    ]
    drawn = "".join(f"<figure>{each}</figure>" for each in charts if each)
    yield section("The way there", f'<div class="grid">{drawn}</div>' if drawn else "")


def _curve(
    points: tuple[Point, ...], names: tuple[str, ...], titles: tuple[str, ...], title: str, axis: str
) -> str:
    """What was written down over the steps; nothing where that is less than a line."""
    lines = []
    for name, said, colour in zip(names, titles, ("a", "b dash"), strict=False):
        known = [(each.step, value) for each in points if (value := getattr(each, name)) is not None]
        known = [each for each in known if np.isfinite(each[1])]
        if len(known) > 1:
            rows = np.unique(np.linspace(0, len(known) - 1, min(len(known), CORNERS)).astype(int))
            steps, values = np.array(known, np.float64)[rows].T
            lines.append(Curve(said, steps, values, colour))
    if not lines:
        return ""
    last = max(float(each.x.max()) for each in lines)
    low, high = min(float(each.y.min()) for each in lines), max(float(each.y.max()) for each in lines)
    room = (high - low) * 0.06 or 0.5
    y_range = low - room, high + room
    chart = curves(lines, title=title, axes=("steps", axis), x_range=(0.0, last), y_range=y_range)
    return chart + key((each.name, each.colour) for each in lines)


def _meaning(report: TrainingReport, judged: Judgement | None) -> str:
    """What its probabilities are, and whether they hold."""
    parts = [f"<p>{plain(calibration_words(report))}</p>"]
    known = [] if judged is None else [
        (name, stated, colour)
        for name, stated, colour in (
            (f"{judged.before}, before", judged.stated_before, "words"),
            (f"{judged.after}, after", judged.stated_after, "a"),
        )
        if stated is not None
    ]  # fmt: skip
    if known and judged is not None:
        lines = []
        for name, stated, colour in known:
            x, y = (np.array([getattr(band, axis) for band in stated.bands]) for axis in ("stated", "share"))
            lines.append(Curve(name, x, y, colour, dotted=True))
        axes = ("stated probability", "share that is the same")
        chart = curves(lines, title="Stated probabilities against what was true", axes=axes, diagonal=True)
        drawn = key((line.name, line.colour) for line in lines)
        parts.append(f"<figure>{chart}{drawn}<figcaption>{plain(judged.pairs)}.</figcaption></figure>")
        parts += [table(f"{name}: {stated}.", BAND_COLUMNS, stated.rows()) for name, stated, _ in known]
    return section("Do its probabilities hold?", *parts, lead="On the dashed line probabilities are true.")


def _errors(judged: Judgement) -> str:
    both = (
        errors_page(f"{judged.before}, before", judged.errors_before),
        errors_page(f"{judged.after}, after", judged.errors_after),
    )
    parts = [f'<div class="errors">{_table(each)}</div>' for each in both if each.cells]
    lead = "The worst errors before and after, the worst first. They may be errors of the data."
    return section("Where it is wrong", *parts, lead=lead)


def _usage(report: TrainingReport) -> str:
    lines = "\n".join(report.usage)
    return section("How to use it", f"<pre>{plain_lines(lines)}</pre>")


def plain_lines(text: str) -> str:
    """Lines of text as HTML that shows them as they are."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _origin(report: TrainingReport) -> str:
    return section("Where it comes from", _table(facts_page(report)))


def _foot(report: TrainingReport) -> str:
    judged = report.judgement
    notes = (*report.notes, *(judged.notes if judged is not None else ()))
    said = "".join(f"<p>{plain(note)}</p>" for note in notes)
    return f"<footer>{said}<p>Made by nearsense {plain(report.version)}.</p></footer>"
