"""What the scores of a model mean: where its bands lie, on the probe and by its calibrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense.errors import InputError
from nearsense.records import Metric, Origin, Ranking, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nearsense.calibration import Background, Calibration
    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.probing import Probed

__all__ = ["bands_of", "corpus_of", "in_words"]

SHARES = {"one_in_ten": 0.1, "half": 0.5, "nine_in_ten": 0.9}
"""Shares of same pairs whose scores are shown."""


def bands_of(model: Encoder | CrossEncoder) -> dict[str, Any]:
    """The bands of a model as JSON values: levels of the probe, and for each task the scores of some shares.

    Nothing is sent anywhere: a model on a server has bands once it was tried on request.
    """
    from nearsense.calibration import Task, shipped
    from nearsense.calibrator import NEAREST, Calibrator
    from nearsense.encoders import is_encoder
    from nearsense.probing import probed

    metric = Metric.COSINE if is_encoder(model) else Ranking.CROSS
    origin, tasks = Origin(model.name, model.fingerprint, metric), {}
    for task in Task:
        found = Calibrator(task).of(origin, model)
        if found is not None:
            here = found.here(expected=1 / NEAREST if task is Task.PASSAGE else None)
            known = {name: _score(here, share) for name, share in SHARES.items()}
            by = "probe" if shipped(origin, task) is None else "shipped"
            tasks[task.value] = {"from": by, "expected": round(here.prior or here.share, 4), **known}
    tried = {name: probed(model, passages=name == "passages") for name in ("pairs", "passages")}
    return {
        "probe": {name: None if each is None else _levels(each) for name, each in tried.items()},
        "tasks": tasks,
    }


def corpus_of(model: Encoder, background: Background) -> dict[str, Any]:
    """How far the probe is from a corpus, as JSON values: what random pairs of both score, and what that moves."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.probing import probed

    found, tried = Calibrator(Task.PARAPHRASE).of(Origin(model.name, model.fingerprint), model), probed(model)
    low, middle, high = background.random
    known: dict[str, Any] = {"texts": background.texts, "random": list(background.random)}
    if tried is not None and tried.random is not None:
        bottom, level, top = tried.random
        known |= {"probe": list(tried.random), "apart": (middle - level) / max((top - bottom) / 2, 1e-6)}
    if found is not None and found.population is not None:
        known["half"] = _score(found.here(random=(middle, (high - low) / _TENTH_TO_NINETIETH)), 0.5)
    return known


_TENTH_TO_NINETIETH = 2.563
"""Standard deviations between these percentiles of a normal distribution."""


def in_words(bands: dict[str, Any], corpus: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The bands as rows of a table: what, and what is to be said of it."""
    from nearsense.render import PROBABLE

    rows = [_unrelated(name, levels) for name, levels in bands["probe"].items() if levels is not None]
    for task, each in bands["tasks"].items():
        by = "comes with these weights" if each["from"] == "shipped" else "by the probe"
        scores = [f"{words} at {each[name]:.2f}" for name, words in _WORDS.items() if each[name] is not None]
        said = f"{PROBABLE[task]}: {', '.join(scores)}; {percent(each['expected'])} are expected to; {by}"
        rows.append((task, said))
    if not bands["tasks"]:
        rows.append(("probabilities", _why_none(bands["probe"])))
    return rows if corpus is None else [*rows, ("your texts", _distance(corpus))]


_WORDS = {"half": "half", "nine_in_ten": "nine of ten", "one_in_ten": "one of ten"}


def _unrelated(name: str, levels: dict[str, Any]) -> tuple[str, str]:
    _, middle, end = levels["levels"]["unrelated"]
    what = "unrelated texts" if name == "pairs" else "a question and unrelated text"
    return (
        what,
        f"{end:.2f} is where unrelated ends: 95 of 100 such pairs score less, half of them under {middle:.2f}",
    )


def _why_none(probe: dict[str, Any]) -> str:
    if any(each is not None for each in probe.values()):
        return "none: on the probe it does not tell what says the same from what is unrelated"
    return "none: it was not tried on the probe; nearsense models probe NAME tries it"


def _distance(corpus: dict[str, Any]) -> str:
    low, middle, high = corpus["random"]
    said = f"random pairs of {corpus['texts']:,} texts score {middle:.2f} ({low:.2f} to {high:.2f})"
    if "probe" not in corpus:
        return said
    bottom, level, top = corpus["probe"]
    more, less = ("more", "less") if corpus["apart"] > 0 else ("less", "more")
    alike = abs(corpus["apart"]) < _ALIKE
    means = "alike, so the bands hold" if alike else f"yours have {more} in common, so a score says {less}"
    half = corpus.get("half")
    moved = (
        f"; where nearsense sees 50 pairs of them, half are paraphrases at {half:.2f}" if half is not None else ""
    )
    return f"{said}, those of the probe {level:.2f} ({bottom:.2f} to {top:.2f}): {means}{moved}"


_ALIKE = 0.5
"""Half of a spread: medians that are no farther apart are alike."""


def _levels(tried: Probed) -> dict[str, Any]:
    levels = {name: list(each) for name, each in tried.levels.items()}
    random = None if tried.random is None else list(tried.random)
    return {"language": tried.language, "pairs": tried.pairs, "levels": levels, "random": random}


def _score(calibration: Calibration, share: float) -> float | None:
    """The score at which a single pair is so probable; None where none is, or every one."""
    try:
        found = calibration.threshold(min_probability=share).score
    except InputError:
        return None
    return round(found, 4) if _possible(found, calibration.reference.tolist()) else None


def _possible(score: float, reference: Sequence[float]) -> bool:
    """Whether a model can give such a score: those between 0 and 1 stay there."""
    return not (min(reference) >= 0 and max(reference) <= 1) or 0 <= score <= 1
