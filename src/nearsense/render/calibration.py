"""What a calibration learnt, and which scores it answers with. How a page is written: __init__.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nearsense.calibration.threshold import in_ten
from nearsense.render import Page

if TYPE_CHECKING:
    from nearsense.calibration import Background, Calibration, Threshold


def calibration_page(calibration: Calibration, thresholds: Sequence[Threshold]) -> Page:
    """A calibration and the thresholds that were asked for; else what some scores mean."""
    figures, prior = calibration.figures, calibration.prior or 0.5
    known: dict[str, Any] = {
        "model": calibration.model,
        "task": calibration.task,
        "prior": prior,
        "form": calibration.curve.form.value,
        "made_from": calibration.made_from,
        **figures.to_dict(),
    }
    scores = [row / 10 for row in range(10, -1, -1)]
    lows, highs = calibration.interval(scores)
    probable = [
        {"score": score, "probability": calibration.probability(score), "low": low, "high": high}
        for score, low, high in zip(scores, lows.tolist(), highs.tolist(), strict=True)
    ]
    asked = [threshold.to_dict() for threshold in thresholds]
    note = (
        f"{figures.labels:,} labels, {figures.same:,} the same; on labels not seen the calibration error is "
        f"{figures.ece:.3f}, the Brier score {figures.brier:.3f}. Prior {prior:.2g}. low, high: 95 %."
    ) + "".join(f" {str(each)[:1].upper()}{str(each)[1:]}." for each in thresholds if each.labels is not None)
    return Page(
        document={**known, "thresholds": asked, "probabilities": probable},
        records=asked or probable,
        columns=_THRESHOLD if thresholds else ("score>", "probability>", "low>", "high>"),
        cells=[_threshold_cells(each) for each in thresholds]
        or [tuple(f"{value:.3f}" for value in row.values()) for row in probable],
        title=f"{calibration.model}, {calibration.task}: {calibration.curve.form.value} curve",
        note=note,
    )


def background_page(background: Background, rates: Sequence[float]) -> Page:
    """How rarely random pairs of a corpus reach a score."""
    found = [(rate, *background.score_at(rate)) for rate in rates]
    rows = [dict(zip(("false_positives", "score", "low", "high"), each, strict=True)) for each in found]
    return Page(
        document={**background.to_dict(), "thresholds": rows},
        records=rows,
        columns=("false positives>", "score>", "low>", "high>"),
        cells=[(f"{rate:g}", *(f"{value:.4f}" for value in rest)) for rate, *rest in found],
        title=f"{background.texts:,} texts, {background.model}",
        note="The share of random pairs that score so much. It is no probability of meaning the same; "
        "for that, label 30 pairs.",
    )


_THRESHOLD = ("asked", "value>", "score>", "low>", "high>", "reached>", "from>", "to>", "recall>", "short>")


def _threshold_cells(threshold: Threshold) -> tuple[str, ...]:
    values = (threshold.reached, threshold.reached_low, threshold.reached_high, threshold.recall)
    short = threshold.falls_short
    return (
        threshold.asked.replace("_", " "),
        f"{threshold.value:g}",
        *(f"{value:.4f}" for value in (threshold.score, threshold.low, threshold.high)),
        *("" if value is None else f"{value:.1%}" for value in values),
        "" if short is None else in_ten(short),
    )
