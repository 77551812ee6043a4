"""A drift as one HTML page: the verdict, what moved, how sure that is, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.monitoring.results import SAID
from nearsense.monitoring.topics import Change
from nearsense.monitoring.watching import RULE
from nearsense.pages.parts import (
    Curve,
    Interval,
    curves,
    distributions,
    intervals,
    key,
    page,
    plain,
    section,
    table,
)
from nearsense.records import percent

if TYPE_CHECKING:
    from nearsense.monitoring import Action, Check, Drift, DriftTest, Topic

__all__ = ["drift_html"]

NOW, BEFORE = "b", "a"  # colours of the sides
LEAST_P = 1e-4  # the lowest p-value that the history shows

SPREADS = {
    "scores": ("Top scores", "score of the best hit"),
    "length": ("Length", "characters of a text"),
    "probabilities": ("Probabilities", "probability of the best hit"),
}


def drift_html(
    drift: Drift,
    title: str = "Drift",
    *,
    sides: tuple[str, str] = ("current", "reference"),
    todo: Sequence[Action] | None = None,
    history: Sequence[Check] = (),
) -> str:
    """What `drift` gave as one page that needs nothing else: no script, no font, no request.

    Args:
        drift: The result.
        title: The heading.
        sides: What the current side and the reference are called.
        todo: What to do; None for what `actions` says.
        history: The checks of its watch, for a plot of them.

    Example:
        >>> import nearsense as ns
        >>> html = drift_html(ns.drift(["a dog", "a cat"], ["a debt", "a loan"]))
        >>> html.startswith("<!doctype html>"), "http:" in html
        (True, False)
    """
    from nearsense.monitoring import actions

    chosen = actions(drift) if todo is None else todo
    return page(
        title,
        [
            _head(drift, title, sides),
            _todo(chosen),
            _topics(drift),
            _tests(drift),
            _groups(drift),
            _spreads(drift, sides),
            _calibration(drift),
            _repeated(drift),
            _watched(drift, history),
            _foot(drift),
        ],
    )


def _head(drift: Drift, title: str, sides: tuple[str, str]) -> str:
    facts = [
        ("verdict", "drift" if drift.drifted else "no drift", f"p {drift.p:.3g}, level {drift.level:.2g}"),
        (sides[0], f"{drift.rows[0]:,}", f"{drift.units[0]:,} different"),
        (sides[1], f"{drift.rows[1]:,}", f"{drift.units[1]:,} different"),
    ]
    shown = "".join(
        f"<div><dt>{plain(name)}</dt><dd>{plain(value)} <small>{plain(more)}</small></dd></div>"
        for name, value, more in facts
    )
    notes = "".join(f"<p>{plain(note)}</p>" for note in drift.notes)
    return f'<header>\n<h1>{plain(title)}</h1>\n<p class="lead">{plain(drift.verdict)}</p>\n' + (
        f'<dl class="facts">{shown}</dl>\n{notes}</header>'
    )


def _todo(chosen: Sequence[Action]) -> str:
    if not chosen:
        return ""
    rows = [(each.what, each.why, each.command) for each in chosen]
    return section("What to do", table("Suggestions, and what to type.", ["what", "why", "command"], rows))


def _topics(drift: Drift) -> str:
    if not drift.topics:
        return ""
    rows = [
        Interval(
            each.label or "(vectors)",
            100 * (each.share - each.share_before),
            100 * each.low,
            100 * each.high,
            NOW if each.share >= each.share_before else BEFORE,
        )
        for each in drift.topics
    ]
    chart = intervals(rows, title="How far the share of each topic moved", axis="percentage points, 95 % interval")
    listed = table(
        "Counts are of different texts. p is corrected for all topics.",
        ["topic", "change", "before>", "now>", "difference>", "p>", "certain", "unanswered>"],
        [_topic(each) for each in drift.topics],
        marked=[place for place, each in enumerate(drift.topics) if each.sure],
    )
    lead = "Groups of texts near in sense, made of both sides together, whose shares are not what they were."
    examples = [
        f"<h3>{plain(each.label or each.change.value)}</h3><ul>{shown}</ul>"
        for each in drift.topics
        if (shown := "".join(f"<li>{plain(text)}</li>" for text in each.examples))
    ]
    return section("What moved", f"<figure>{chart}</figure>", listed, *examples, lead=lead)


def _topic(topic: Topic) -> list[str]:
    return [
        topic.label or "-",
        topic.change.value,
        f"{100 * topic.share_before:.1f} % ({topic.reference:,})",
        f"{100 * topic.share:.1f} % ({topic.current:,})",
        f"{100 * topic.low:+.1f} to {100 * topic.high:+.1f}",
        f"{topic.p:.3g}",
        "yes" if topic.sure else "no",
        "" if topic.unanswered is None else percent(topic.unanswered),
    ]


def _tests(drift: Drift) -> str:
    lead = "Each p-value is corrected for all tests: where both sides are alike, the chance that any speaks is"
    return section(
        "What was compared",
        table(
            "alone: the p-value without the correction. In brackets: now and before, or a 95 % interval.",
            ["compared", "what it looks at", "p>", "alone>", "size of the difference>", "texts>", "verdict"],
            [_test(each) for each in drift.tests],
            marked=[place for place, each in enumerate(drift.tests) if each.drifted],
        ),
        lead=f"{lead} {drift.level:.2g} at most.",
    )


def _test(test: DriftTest) -> list[str]:
    size = f"{test.measure} {test.value:.3g}"
    if "psi" in test.more:
        size += f", PSI {test.more['psi']:.3g}"
    if test.current is not None and test.reference is not None:
        size += f" ({test.current:.3g}, {test.reference:.3g})"
    elif "low" in test.more:
        size += f" ({test.more['low']:.3g} to {test.more['high']:.3g})"
    verdict = "drifted" if test.drifted else "not certain"
    return [
        test.name,
        SAID.get(test.name, ""),
        f"{test.adjusted:.3g}",
        f"{test.p:.3g}",
        size,
        f"{test.n:,}",
        verdict,
    ]


def _groups(drift: Drift) -> str:
    if not drift.groups:
        return ""
    rows = [
        [
            each.name or "not known",
            each.test,
            f"{100 * each.share_before:.1f} %",
            f"{100 * each.share:.1f} %",
            f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
            f"{each.p:.3g}",
        ]
        for each in drift.groups
    ]
    columns = ["group", "of", "before>", "now>", "difference>", "p>"]
    return section("Languages and written forms", table("Those whose shares moved.", columns, rows))


def _spreads(drift: Drift, sides: tuple[str, str]) -> str:
    figures = []
    for each in drift.spreads:
        both = np.concatenate([each.current, each.reference])
        low, high = (float(value) for value in np.quantile(both, [0.0, 0.99]))
        room = (high - low) * 0.02 or 0.5
        title, axis = SPREADS[each.name]
        chart = distributions(
            [(sides[1], each.reference, BEFORE), (sides[0], each.current, NOW)],
            (low - room, high + room),
            title=title,
            axis=axis,
        )
        figures.append(f"<figure>{chart}<figcaption>{plain(title)}</figcaption></figure>")
    if not figures:
        return ""
    legend = key([(sides[1], BEFORE), (sides[0], NOW)])
    return section("How numbers are spread", legend, f'<div class="grid">{"".join(figures)}</div>')


def _calibration(drift: Drift) -> str:
    if not drift.calibration:
        return ""
    rows = [
        [
            name,
            f"{each['labels']:,.0f}",
            percent(each["stated"]),
            percent(each["accepted"]),
            f"{each['ece']:.3f}",
        ]
        for name, each in drift.calibration.items()
    ]
    return section(
        "Calibration",
        table(
            "Of queries whose choice is known: the mean probability of the best hit, and how often it was taken.",
            ["side", "labels>", "stated>", "accepted>", "calibration error>"],
            rows,
        ),
    )


def _repeated(drift: Drift) -> str:
    if not drift.repeated:
        return ""
    rows = [
        [
            each.text or "-",
            f"{each.reference:,}",
            f"{each.current:,}",
            f"{100 * each.share_before:.1f} %",
            f"{100 * each.share:.1f} %",
        ]
        for each in drift.repeated
    ]
    columns = ["text", "before>", "now>", "before>", "now>"]
    lead = "Copies count once, as one program may have sent them all; where each is somebody's own, count each."
    return section("Repeated texts", table("How often, and which share of all rows.", columns, rows), lead=lead)


def _watched(drift: Drift, history: Sequence[Check]) -> str:
    check = drift.check
    if check is None:
        return ""
    parts = []
    if len(history) > 1:
        x = np.array([each.number for each in history], np.float64)
        heights = np.array([-np.log10(max(each.p, LEAST_P)) for each in history])
        allowed = np.array([-np.log10(max(each.level, LEAST_P)) for each in history])
        chart = curves(
            [Curve("what a check may spend", x, allowed, "words"), Curve("p", x, heights, NOW, dotted=True)],
            title="The checks of this watch",
            axes=("check", "-log10 of p: an alarm lies above the grey line"),
            x_range=(float(x[0]), float(x[-1])),
            y_range=(0.0, -np.log10(LEAST_P) * 1.02),
        )
        parts.append(f"<figure>{chart}</figure>")
    rows = [
        [str(each.number), each.at, f"{each.p:.3g}", f"{each.level:.2g}", "alarm" if each.alarm else "-"]
        for each in [*history[-10:]] or [check]
    ]
    parts.append(table("The last checks.", ["check", "made>", "p>", "may spend>", "outcome"], rows))
    return section("The watch", *parts, lead=f"Rule: {RULE}.")


def _foot(drift: Drift) -> str:
    model = f"model {drift.origin.model or '-'} {drift.origin.fingerprint[:12]}"
    said = f"nearsense {drift.origin.version}, {model}, seed {drift.seed}"
    changes = ", ".join(each.value for each in Change)
    return (
        f"<footer>{plain(said)}. A topic is {plain(changes)}; new and gone: a tenth or less on one side.</footer>"
    )
