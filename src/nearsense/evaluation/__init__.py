"""How good models are on somebody's own data, beside what words alone reach. Not the formulas: see metrics.

`evaluate` is the verb. systems.py is what is measured; judging.py turns scores into figures, for each kind of data
set; results.py is what comes out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress
from nearsense.datasets import Dataset, GradedPairs, LabelledPairs, Retrieval, Task, read_dataset
from nearsense.datasets.kinds import LEAST, whole
from nearsense.encoders import Encoder, is_encoder, load, resolve, symmetric_role
from nearsense.errors import InputError
from nearsense.evaluation.judging import JUDGES, Outcome
from nearsense.evaluation.probabilities import judged_probabilities, labels_of
from nearsense.evaluation.results import (
    FIGURES,
    LOWER_IS_BETTER,
    MAIN,
    Band,
    Evaluation,
    Figure,
    Kind,
    Mistake,
    PairedTest,
    Stated,
    SystemResult,
    figure_of,
    limits,
    require_figure,
)
from nearsense.evaluation.suspicions import suspicions
from nearsense.evaluation.systems import BM25, CachedFinder, Fusion, Model, System, baselines_for
from nearsense.metrics import resample_counts
from nearsense.metrics.resampling import p_of_equality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.calibrator import Calibrated
    from nearsense.corpus import Frame

    Floats = NDArray[np.float64]

__all__ = [
    "FIGURES",
    "LOWER_IS_BETTER",
    "MAIN",
    "Band",
    "Evaluation",
    "Figure",
    "Kind",
    "Mistake",
    "PairedTest",
    "Stated",
    "SystemResult",
    "evaluate",
    "require_figure",
]

WARMING = ["the first text takes longer than others"]  # encoded before anything is timed
POOLINGS = ("cls", "mean")  # what is set beside a model's own pooling, where that is asked for


def evaluate(
    models: Encoder | str | Iterable[Encoder | str] | None,
    dataset: str | os.PathLike[str] | Dataset | Frame,
    *,
    task: str | None = None,
    columns: Sequence[str] | None = None,
    scale: tuple[float, float] | None = None,
    positive: str | None = None,
    calibration: Calibrated = None,
    same_from: float | None = None,
    baselines: bool | str = True,
    errors: int = 10,
    limit: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress = False,
) -> Evaluation:
    """Measure models on a data set: figures with intervals, beside what words alone reach, and the worst errors.

    Args:
        models: An Encoder, a model's name, or several of these; None is the default model.
        dataset: A file, a folder, a frame, the name of a standard set, or what `read_dataset` gave.
        task: What is asked, where the columns leave a choice: see `read_dataset`.
        columns: The columns, where their names do not tell: see `read_dataset`.
        scale: The range of the scores of graded pairs.
        positive: The label of labelled pairs that means the same.
        calibration: Whose probabilities are judged, of pairs: as for `compare_pairs`; "none" for none.
        same_from: Of graded pairs the score from which on they are the same, so that probabilities can be judged.
        baselines: What is set beside the models: True for Jaccard, TF-IDF and BM25, False for nothing,
            `"pooling"` for these and the same models with CLS and mean pooling.
        errors: How many of the worst errors of each model to list.
        limit: Judge a sample of at most so many items.
        resamples: Of the bootstrap, behind every interval and every p-value.
        seed: Of the sample and of the resamples.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        An Evaluation; its figures are fractions.

    Raises:
        FileError: The file is not in order; file, line and columns are named.
        InputError: Nothing can be measured on the data, or an option is not known or no number of its kind.
        ModelMismatch: The calibration is of another model.
        ModelNotFound: A model is neither here nor to be had; nothing was measured then.

    Example:
        >>> import nearsense as ns
        >>> pairs = [("a dog", "a hound"), ("a dog", "a cat"), ("a dog", "a debt"), ("he ran", "he was running")]
        >>> result = ns.evaluate(None, GradedPairs(name="four", pairs=pairs, scores=[4.5, 2, 0, 5]))
        >>> [system.name for system in result.systems]
        ['all-MiniLM-L6-v2', 'Jaccard', 'TF-IDF words', 'TF-IDF characters']
        >>> round(result.figure("spearman").value, 2), round(result.figure("spearman", "Jaccard").value, 2)
        (1.0, -0.77)
    """
    _require_known(baselines, errors, resamples, limit, seed)
    data = read_dataset(dataset, task=task, columns=columns, scale=scale, positive=positive)
    data = data if limit is None else data.sample(limit, seed)
    labels, calibration, unjudged = labels_of(data, calibration, same_from)
    encoders = _encoders_of(models)
    for encoder in encoders:
        encoder.encode(WARMING, role=symmetric_role(encoder))
    begin = time.perf_counter()
    systems, notes = _systems(encoders, data, baselines, progress)
    outcomes = [JUDGES[data.task](data, system) for system in systems]
    drawn = _resample(data, outcomes, resamples, seed)
    own_models = [each for each in systems if isinstance(each, Model) and each.kind is Kind.MODEL]
    stated: dict[str, Stated] = {}
    if labels:
        stated, unjudged = judged_probabilities(getattr(data, "pairs", ()), labels, own_models, calibration)
    results = [
        replace(_result(system, outcome, own, errors), probabilities=stated.get(system.name))
        for system, outcome, own in zip(systems, outcomes, drawn, strict=True)
    ]
    main = MAIN[data.task]
    notes += [*unjudged, *_undefined_figures(results)]
    warnings = suspicions(data, results, outcomes)
    if data.task is Task.CLUSTERING:
        notes.append("k-means of ns.cluster with as many groups as labels.")
    return Evaluation(
        dataset=data.name,
        task=data.task,
        items=len(data),
        main=main,
        systems=tuple(results),
        comparisons=tuple(
            _comparisons(results, [own[main] for own in drawn], main, centred=main in outcomes[0].centred)
        ),
        notes=(*warnings, *data.notes, *notes),
        warnings=tuple(warnings),
        seconds=time.perf_counter() - begin,
        scale=data.scale if isinstance(data, GradedPairs) else None,
        words=data.words if isinstance(data, LabelledPairs) else None,
    )


def _require_known(baselines: bool | str, errors: int, resamples: int, limit: int | None, seed: int) -> None:
    for value, name, least in ((resamples, "resamples", 1), (errors, "errors", 0), (seed, "seed", 0)):
        whole(value, name, least)
    if limit is not None:
        whole(limit, "limit", LEAST)
    if not isinstance(baselines, bool) and baselines != "pooling":
        raise InputError(f"baselines={baselines!r} is not known", fix='use True, False or "pooling"')


def _encoders_of(models: Encoder | str | Iterable[Encoder | str] | None) -> list[Encoder]:
    if models is None or isinstance(models, str) or is_encoder(models):
        return [resolve(models)]
    if not isinstance(models, Iterable):
        why = "a name or an Encoder is needed"
        raise InputError(f"{models!r} is no model", why=why, fix="give None for the default")
    found = [resolve(each) for each in models]
    if not found:
        raise InputError("no model to evaluate", fix="name one, or give None for the default model")
    return found


def _systems(
    encoders: Sequence[Encoder], data: Dataset, baselines: bool | str, progress: Progress
) -> tuple[list[System], list[str]]:
    """What is measured, in the order in which it is shown, and what is to be said of what is not."""
    names = _distinct_names(encoders)
    models: list[System] = [Model(*each, progress=progress) for each in zip(encoders, names, strict=True)]
    others = encoders if baselines == "pooling" else []
    pooled = [each for encoder in others for each in _other_poolings(encoder, progress)]
    words, notes = baselines_for(data.task, _characters(data)) if baselines else ([], [])
    if not isinstance(data, Retrieval):
        return [*models, *pooled, *words], notes
    finders = [CachedFinder(each) for each in models]
    search: list[System] = [CachedFinder(each) if isinstance(each, BM25) else each for each in words]
    fused = [Fusion(model, search[0]) for model in finders] if search else []
    return [*finders, *fused, *pooled, *search], notes


def _distinct_names(encoders: Sequence[Encoder]) -> list[str]:
    """The models' names; a number behind those that occur again."""
    names: list[str] = []
    for encoder in encoders:
        again = sum(name == encoder.name or name.startswith(f"{encoder.name} (") for name in names)
        names.append(f"{encoder.name} ({again + 1})" if again else encoder.name)
    return names


def _other_poolings(encoder: Encoder, progress: Progress) -> list[Model]:
    """The same model with other poolings than its own."""
    name = encoder.source or encoder.name
    others = [(pooling, load(name, pooling=pooling)) for pooling in POOLINGS]
    return [
        Model(other, f"{encoder.name}, {pooling} pooling", Kind.POOLING, progress=progress)
        for pooling, other in others
        if other.fingerprint != encoder.fingerprint
    ]


def _characters(data: Dataset) -> int:
    """How many characters are in the texts of a data set."""
    total, open_ = 0, [getattr(data, name) for name in _TEXTS if getattr(data, name, None)]
    while open_:
        each = open_.pop()
        if isinstance(each, str):
            total += len(each)
        else:
            open_.extend(each.values() if isinstance(each, Mapping) else each)
    return total


_TEXTS = ("pairs", "triplets", "queries", "candidates", "corpus", "texts", "known")


def _resample(data: Dataset, outcomes: Sequence[Outcome], resamples: int, seed: int) -> list[dict[str, Floats]]:
    """Each figure of each system as it is, and then of each resample: the same resamples for all.

    Items are drawn in the order of what they say, so that an interval does not depend on the order of a file.
    """
    n = outcomes[0].n
    items = list(zip(*(getattr(data, name) for name in data.rows), strict=True)) if n == len(data) else []
    places = np.argsort(sorted(range(len(items)), key=lambda row: repr(items[row]))) if items else np.arange(n)
    found: list[dict[str, list[Floats]]] = [{name: [] for name in each.figures} for each in outcomes]
    for drawn in chain([np.ones((1, n))], resample_counts(n, resamples, seed)):
        counts = drawn[:, places]
        for own, outcome in zip(found, outcomes, strict=True):
            for name, statistic in outcome.figures.items():
                own[name].append(statistic(counts))
    return [{name: np.concatenate(each) for name, each in own.items()} for own in found]


def _result(system: System, outcome: Outcome, drawn: Mapping[str, Floats], errors: int) -> SystemResult:
    timing = system.timing
    return SystemResult(
        name=system.name,
        kind=system.kind,
        figures={
            name: figure_of(each, limits(name), centred=name in outcome.centred) for name, each in drawn.items()
        },
        thresholds=outcome.thresholds,
        seconds=timing.seconds,
        texts=timing.texts,
        texts_per_second=timing.texts_per_second,
        truncated=timing.truncated,
        fingerprint=system.fingerprint,
        mistakes=_mistakes(system, outcome, errors) if system.kind is Kind.MODEL and errors else (),
        scores=outcome.scores,
        labels=outcome.labels,
        values=outcome.values,
    )


def _mistakes(system: System, outcome: Outcome, errors: int) -> tuple[Mistake, ...]:
    """The worst errors, and what differs between the texts of pairs: it explains most of them."""
    from nearsense.pair_differences import pair_differences

    found = outcome.mistakes(errors)
    pairs = [each.texts for each in found if len(each.texts) == 2]
    encoder = system.encoder if isinstance(system, Model) else None
    seen = iter(pair_differences([pair[0] for pair in pairs], [pair[1] for pair in pairs], encoder=encoder))
    return tuple(
        replace(each, differs=tuple(map(str, next(seen)))) if len(each.texts) == 2 else each for each in found
    )


def _undefined_figures(results: Sequence[SystemResult]) -> list[str]:
    """Which figures are not there, and why."""
    lacking: dict[tuple[str, ...], list[SystemResult]] = {}
    for each in results:
        if names := tuple(name for name, figure in each.figures.items() if not figure.defined):
            lacking.setdefault(names, []).append(each)
    notes = []
    for names, systems in lacking.items():
        equal = all(len(each.scores) and np.ptp(each.scores) < EQUAL for each in systems)
        constant = "all scores are equal, and nothing correlates with a constant"
        why = constant if equal else "the scores do not give it"
        listed = ", ".join(each.name for each in systems)
        notes.append(f"No {' and no '.join(names)} of {listed}: {why}; left out of the differences.")
    return notes


EQUAL = 1e-6  # scores that lie no farther apart are equal but for rounding


def _comparisons(
    results: Sequence[SystemResult], drawn: Sequence[Floats], main: str, *, centred: bool
) -> list[PairedTest]:
    """Each model against each other, and against the best of the baselines; those without the figure aside.

    Over the same resamples; p as in `metrics.paired_bootstrap`.
    """
    able = [(row, each.kind) for row, each in enumerate(results) if each.figures[main].defined]
    models = [row for row, kind in able if kind is Kind.MODEL]
    words = [row for row, kind in able if kind is Kind.BASELINE]
    pairs = list(combinations(models, 2))
    if words:
        best = max(words, key=lambda row: float(drawn[row][0]))
        pairs += [(model, best) for model in models]
    low, high = limits(main)
    tests = []
    for first, second in pairs:
        differences = drawn[first] - drawn[second]
        others = differences[1:][~np.isnan(differences[1:])]
        if centred:
            others = others + (differences[0] - others.mean())
        value = figure_of(differences, (low - high, high - low), centred=centred)
        p = p_of_equality(others)
        tests.append(PairedTest(results[first].name, results[second].name, main, value, p))
    return tests
