"""An evaluation as one HTML page: figures, how sure they are, where scores lie, and the worst errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets import Task
from nearsense.evaluation import LOWER_IS_BETTER, Kind
from nearsense.evaluation.results import BAND_COLUMNS
from nearsense.pages.parts import (
    Curve,
    Interval,
    curves,
    distributions,
    intervals,
    key,
    page,
    plain,
    points,
    section,
    table,
)  # fmt: skip
from nearsense.render import PROBABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.evaluation import Evaluation, Figure, PairedTest, SystemResult

    Floats = NDArray[np.float64]

__all__ = ["evaluation_html"]

MODELS = ("a", "c", "d")  # the colours of models; words alone are grey
SPREAD_UP_TO = 6  # systems whose scores are drawn
DOTS = 1500  # pairs in a cloud of dots, at most; of more a sample is drawn
PARTS = 10  # of probabilities, in a reliability diagram

NAMES = {
    "false_accepts@95": "false accepts at 95 %", "auroc": "AUROC", "roc_auc": "ROC AUC", "map": "MAP",
    "spearman": "Spearman", "pearson": "Pearson", "ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "map@100": "MAP@100",
    "v_measure": "V-measure", "best_f1": "best F1",
}  # fmt: skip


def evaluation_html(evaluation: Evaluation) -> str:
    """What `evaluate` gave as one page that needs nothing else: no script, no font, no request.

    Example:
        >>> from nearsense.datasets import GradedPairs
        >>> from nearsense.evaluation import evaluate
        >>> pairs = [("a dog", "a hound"), ("a dog", "a cat"), ("a dog", "a debt"), ("he ran", "he was running")]
        >>> html = evaluation_html(evaluate(None, GradedPairs(pairs=pairs, scores=[4.5, 2, 0, 5])))
        >>> html.startswith("<!doctype html>"), "://" in html
        (True, False)
    """
    systems = sorted(evaluation.systems, key=lambda each: _ORDER[each.kind])
    colours = _colours(systems)
    return page(
        f"{_short(evaluation.dataset)}: {evaluation.task.value}",
        [
            _head(evaluation),
            _figures(evaluation, systems, colours),
            _tests(evaluation),
            _spread(evaluation, systems),
            *_DRAWN.get(evaluation.task, lambda *_: ())(evaluation, systems, colours),
            _stated([each for each in systems if each.probabilities], colours),
            _cost(systems),
            *_mistakes(systems),
            _foot(evaluation),
        ],
    )


_ORDER = {Kind.MODEL: 0, Kind.FUSION: 1, Kind.POOLING: 2, Kind.BASELINE: 3}


def _colours(systems: Sequence[SystemResult]) -> dict[str, str]:
    names = [each.name for each in systems if each.kind is Kind.MODEL]
    models = {name: MODELS[place % len(MODELS)] for place, name in enumerate(names)}
    fused = {each.name: "b" for each in systems if each.kind is Kind.FUSION}
    return {each.name: (models | fused).get(each.name, "words") for each in systems}


def _head(evaluation: Evaluation) -> str:
    first = evaluation.system()
    figure = first.figures[evaluation.main]
    facts = [
        (f"{_name(evaluation.main)} of {first.name}", f"{100 * figure.value:.1f}", _interval(figure)),
        (_ITEMS[evaluation.task], f"{evaluation.items:,}", ""),
        ("different texts", f"{first.texts:,}", ""),
        ("texts a second", f"{first.texts_per_second:,.0f}", ""),
    ]
    shown = "".join(
        f"<div><dt>{plain(name)}</dt><dd>{plain(value)} <small>{plain(more)}</small></dd></div>"
        for name, value, more in facts
    )
    said = _QUESTIONS[evaluation.task]
    title, whole = plain(_short(evaluation.dataset)), plain(evaluation.dataset)
    place = "" if title == whole else f"<br>{whole}"
    lead = f'<p class="lead">{said}{place}</p>'
    return f'<header>\n<h1>{title}</h1>\n{lead}\n<dl class="facts">{shown}</dl>\n</header>'


def _short(dataset: str) -> str:
    """The last two parts of a path, without the endings of a file."""
    *folders, last = [part for part in dataset.split("/") if part] or [dataset]
    return " / ".join([*folders[-1:], last.partition(".")[0] or last])


_ITEMS = {
    Task.GRADED: "pairs", Task.LABELLED: "pairs", Task.TRIPLETS: "triplets", Task.RETRIEVAL: "queries",
    Task.RERANK: "queries", Task.INTENTS: "texts", Task.CLUSTERING: "texts",
}  # fmt: skip

_QUESTIONS = {
    Task.GRADED: "Pairs of texts and how near they are in sense: how well do similarities follow?",
    Task.LABELLED: "Pairs of texts that mean the same, or do not: how well do similarities part them?",
    Task.TRIPLETS: "A text, one near to it and one that is not: is the right one nearer?",
    Task.RETRIEVAL: "Queries and a corpus: do the documents that answer stand first?",
    Task.RERANK: "Queries, each with its candidates: do the right ones stand first?",
    Task.INTENTS: "Texts with labels: does the nearest known text have the right one?",
    Task.CLUSTERING: "Texts with labels: do clusters, made without them, agree with them?",
}


def _figures(evaluation: Evaluation, systems: Sequence[SystemResult], colours: dict[str, str]) -> str:
    names = list(systems[0].figures)
    main = evaluation.main
    rows = []
    for each in systems:
        figure = each.figures[main]
        low, high = 100 * figure.low, 100 * figure.high
        rows.append(Interval(each.name, 100 * figure.value, low, high, colours[each.name]))
    chart = intervals(rows, title=f"{_name(main)} of each system", axis=f"{_name(main)}, times 100")
    lower = " False accepts are the better the fewer they are." if LOWER_IS_BETTER & set(names) else ""
    listed = table(
        "Figures times 100, in brackets the 95 % interval of the bootstrap over items." + lower,
        ["system", *(f"{_name(name)}>" for name in names)],
        [[each.name, *(_with_interval(each.figures[name]) for name in names)] for each in systems],
        marked=[place for place, each in enumerate(systems) if each.kind is Kind.MODEL],
    )
    thresholds = _thresholds(systems)
    return section("Figures", f"<figure>{chart}</figure>", listed, thresholds)


def _thresholds(systems: Sequence[SystemResult]) -> str:
    models = [each for each in systems if each.thresholds and each.kind is Kind.MODEL]
    if not models:
        return ""
    names = list(models[0].thresholds)
    rows = [[each.name, *(f"{each.thresholds[name]:.3f}" for name in names)] for each in models]
    return table(
        "The score from which on that figure is reached.", ["model", *(f"{_name(n)}>" for n in names)], rows
    )


def _tests(evaluation: Evaluation) -> str:
    if not evaluation.comparisons:
        return ""
    caption = f"Differences of {_name(evaluation.main)} times 100, on the same resamples."
    columns = ["first", "second", "difference>", "95 %>", "p>", "in words"]
    listed = table(caption, columns, [_test(each) for each in evaluation.comparisons])
    return section("Is one better than another?", listed)


def _test(test: PairedTest) -> list[str]:
    value = test.difference
    sure = value.low > 0 or value.high < 0
    said = ("the first is better" if value.value > 0 else "the second is better") if sure else "not certain"
    interval = f"{100 * value.low:+.1f} to {100 * value.high:+.1f}"
    return [test.first, test.second, f"{100 * value.value:+.1f}", interval, f"{test.p:.3f}", said]


def _spread(evaluation: Evaluation, systems: Sequence[SystemResult]) -> str:
    """The scores of each system, by what is true."""
    drawn = [each for each in systems if len(each.scores)][:SPREAD_UP_TO]
    if not drawn:
        return ""
    groups = _groups(evaluation, drawn[0].labels)
    figures = "".join(_one_spread(evaluation, each) for each in drawn)
    lead = "The less the outlines overlap, the better the scores tell them apart. Each outline has the same area."
    legend = key((name, colour) for name, _, colour in groups)
    return section("Where the scores lie", legend, f'<div class="grid">{figures}</div>', lead=lead)


def _one_spread(evaluation: Evaluation, system: SystemResult) -> str:
    known = _groups(evaluation, system.labels)
    groups = [(name, system.scores[rows], colour) for name, rows, colour in known if rows.any()]
    low, high = float(system.scores.min()), float(system.scores.max())
    room = (high - low) * 0.02 or 0.5
    chart = distributions(
        groups,
        (low - room, high + room),
        title=f"Scores of {system.name}",
        axis="score",
        marks=[(_name(name), value) for name, value in system.thresholds.items() if name == "best_f1"],
    )
    return f"<figure><h3>{plain(system.name)}</h3>{chart}</figure>"


def _groups(evaluation: Evaluation, labels: Floats) -> list[tuple[str, NDArray[np.bool_], str]]:
    """Names, rows and colours of what should have different scores."""
    if evaluation.task is Task.GRADED:
        low, high = evaluation.scale or (float(labels.min()), float(labels.max()))
        third = (high - low) / 3
        first, second = low + third, high - third
        return [
            (f"rated under {first:.2g}", labels < first, "b"),
            (f"{first:.2g} to {second:.2g}", (labels >= first) & (labels < second), "words"),
            (f"{second:.2g} and more", labels >= second, "a"),
        ]
    no, yes = evaluation.words or _CLASSES.get(evaluation.task, ("wrong", "right"))
    if evaluation.words and yes.isdigit():
        no, yes = f"labelled {no}: different", f"labelled {yes}: the same"
    return [(no, labels <= 0, "b"), (yes, labels > 0, "a")]


_CLASSES = {
    Task.TRIPLETS: ("the negative", "the positive"),
    Task.RETRIEVAL: ("no answer, among the first ten", "an answer"),
    Task.INTENTS: ("out of scope", "in scope"),
}


def _labelled(evaluation: Evaluation, systems: Sequence[SystemResult], colours: dict[str, str]) -> Iterator[str]:
    strokes = _strokes(systems, colours)
    lines = [_precision_recall(each, strokes[each.name]) for each in reversed(systems)]
    chart = curves(
        lines,
        title="Precision and recall at every threshold",
        axes=("recall: share of same pairs that are found", "precision"),
        level=float(np.mean(systems[0].labels)),
    )
    words = "The level line is what chance reaches."
    yield section(
        "Precision and recall",
        f"<figure>{chart}{key(strokes.items())}<figcaption>{words}</figcaption></figure>",
        lead="With a higher threshold fewer pairs are found, and more of them are right.",
    )
    yield _reliability([each for each in systems if each.kind is Kind.MODEL], colours)


def _strokes(systems: Sequence[SystemResult], colours: dict[str, str]) -> dict[str, str]:
    """Colours of lines; those that share one differ in their dashes."""
    seen: dict[str, int] = {}
    strokes = {}
    for each in systems:
        colour = colours[each.name]
        place = seen[colour] = seen.get(colour, -1) + 1
        thin = " thin" if each.kind in (Kind.BASELINE, Kind.POOLING) else ""
        strokes[each.name] = colour + thin + _DASHES[place % len(_DASHES)]
    return strokes


_DASHES = ("", " dash", " dotted", " mixed")


def _precision_recall(system: SystemResult, colour: str) -> Curve:
    order = np.argsort(-system.scores, kind="stable")
    found = np.cumsum(system.labels[order])
    last = np.flatnonzero(np.append(np.diff(system.scores[order]) != 0, True))  # equal scores fall together
    recall, precision = found[last] / found[-1], found[last] / (last + 1)
    if len(last) > _CORNERS:
        kept = np.unique(np.append(np.searchsorted(recall, np.linspace(0, 1, _CORNERS)), len(last) - 1))
        kept = kept[kept < len(last)]
        recall, precision = recall[kept], precision[kept]
    return Curve(system.name, recall, precision, colour)


_CORNERS = 300  # points of a curve


def _reliability(models: Sequence[SystemResult], colours: dict[str, str]) -> str:
    """Whether probabilities, learnt from nine tenths of the labels, hold on the tenth that was left out."""
    from nearsense.calibration.fitting import LEAST

    able = [each for each in models if min(each.labels.sum(), (1 - each.labels).sum()) >= LEAST / 2]
    if not able:
        return ""
    lines, said = [], []
    for system in able:
        line, error = _reliability_curve(system, colours[system.name])
        lines.append(line)
        said.append(f"{system.name}: off by {100 * error:.1f} points on average (ECE)")
    axes = ("probability that a pair means the same", "share that does")
    return section(
        "Can the scores be turned into probabilities?",
        _beside_diagonal(lines, "Probabilities against what was true", axes, f"{'; '.join(said)}."),
        lead="A curve was fitted to nine tenths of these pairs and asked about the tenth that was left out, "
        "ten times. On the dashed line probabilities are true. They hold for pairs of this kind, and of no other.",
    )


def _beside_diagonal(lines: Sequence[Curve], title: str, axes: tuple[str, str], said: str = "") -> str:
    """Curves, of which those that are true lie on the diagonal."""
    chart = curves(lines, title=title, axes=axes, diagonal=True)
    caption = f"<figcaption>{plain(said)}</figcaption>" if said else ""
    return f"<figure>{chart}{key((line.name, line.colour) for line in lines)}{caption}</figure>"


def _reliability_curve(system: SystemResult, colour: str) -> tuple[Curve, float]:
    """Probability and share of same pairs in parts of equal size, and the mean distance of both."""
    from nearsense.calibration.fitting import fit

    bounded = bool(np.abs(system.scores).max() <= 1.0 + 1e-6)
    known = fit(system.scores, (system.labels > 0).astype(np.float64), bounded=bounded).predictions
    parts = np.array_split(np.argsort(known, kind="stable"), min(PARTS, max(2, len(known) // 20)))
    x = np.array([known[rows].mean() for rows in parts])
    y = np.array([system.labels[rows].mean() for rows in parts])
    sizes = np.array([len(rows) for rows in parts])
    return Curve(system.name, x, y, colour, dotted=True), float(np.average(np.abs(x - y), weights=sizes))


def _stated(models: Sequence[SystemResult], colours: dict[str, str]) -> str:
    """Whether the probabilities hold that nearsense gives without these labels."""
    known = [(each.name, each.probabilities) for each in models if each.probabilities is not None]
    if not known:
        return ""
    lines = []
    for name, stated in known:
        x, y = (np.array([getattr(band, axis) for band in stated.bands]) for axis in ("stated", "share"))
        lines.append(Curve(name, x, y, colours[name], dotted=True))
    means = PROBABLE.get(known[0][1].task, f"calibrated as {known[0][1].task!r}")
    axes = (f"probability {means}", "share that is the same")
    return section(
        "Do the stated probabilities hold?",
        _beside_diagonal(lines, "Stated probabilities against what was true", axes),
        *(table(f"{name}: {stated}.", BAND_COLUMNS, stated.rows()) for name, stated in known),
        lead="What nearsense says of these pairs without their labels, all pairs looked at together. On the "
        "dashed line probabilities are true.",
    )


def _graded(evaluation: Evaluation, systems: Sequence[SystemResult], colours: dict[str, str]) -> Iterator[str]:
    figures = "".join(_cloud(evaluation, each, colours) for each in systems if each.kind is Kind.MODEL)
    yield section(
        "Score against truth", f'<div class="grid">{figures}</div>', lead="Each dot is a pair; best is a line."
    )


def _cloud(evaluation: Evaluation, system: SystemResult, colours: dict[str, str]) -> str:
    rows = np.arange(len(system.scores))
    if len(rows) > DOTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, DOTS, replace=False))
    low, high = evaluation.scale or (float(system.labels.min()), float(system.labels.max()))
    least, most = float(system.scores.min()), float(system.scores.max())
    room, gap = (high - low) * 0.04, (most - least) * 0.04 or 0.5
    chart = points(
        system.labels[rows],
        system.scores[rows],
        title=f"Scores of {system.name} against those of the data",
        axes=("score of the data", "score of the model"),
        x_range=(low - room, high + room),
        y_range=(least - gap, most + gap),
        colour=colours[system.name],
    )
    sample = f" A sample of {DOTS:,} of {len(system.scores):,} pairs." if len(system.scores) > DOTS else ""
    return f"<figure>{chart}<figcaption>{plain(system.name)}.{sample}</figcaption></figure>"


def _ranked(evaluation: Evaluation, systems: Sequence[SystemResult], colours: dict[str, str]) -> Iterator[str]:
    """How the main figure is spread over the queries."""
    drawn = [each for each in systems if len(each.values)][:SPREAD_UP_TO]
    name = _name(evaluation.main)
    figures = "".join(
        f"<figure><h3>{plain(each.name)}</h3>"
        + distributions(
            [(each.name, each.values, colours[each.name])],
            (0.0, 1.0),
            title=f"{name} of each query, {each.name}",
            axis=f"{name} of a query",
            bins=20,
        )
        + f"<figcaption>{_extremes(evaluation, each.values)}</figcaption></figure>"
        for each in drawn
    )
    yield section("Query by query", f'<div class="grid">{figures}</div>' if figures else "")


def _extremes(evaluation: Evaluation, values: Floats) -> str:
    perfect, nothing = 100 * float(np.mean(values > 1 - 1e-9)), 100 * float(np.mean(values < 1e-9))
    said = f"{perfect:.0f} % of the queries in perfect order"
    none = f", {nothing:.0f} % without an answer among the first ten"
    return f"{said}{none if evaluation.task is Task.RETRIEVAL else ''}."


_DRAWN = {Task.LABELLED: _labelled, Task.GRADED: _graded, Task.RETRIEVAL: _ranked, Task.RERANK: _ranked}
"""What is drawn for some tasks only."""


def _cost(systems: Sequence[SystemResult]) -> str:
    rows = []
    for each in systems:
        cut = f"{each.truncated:,}" if each.kind in (Kind.MODEL, Kind.POOLING) else ""
        spent = f"{each.seconds:,.2f}", f"{each.texts:,}", f"{each.texts_per_second:,.0f}"
        rows.append([each.name, *spent, cut])
    columns = ["system", "seconds>", "texts>", "texts a second>", "texts cut>"]
    caption = (
        "Encoding and comparing; loading a model is not counted. Cut are texts that a model cannot read whole."
    )
    return section("What it cost", table(caption, columns, rows))


def _mistakes(systems: Sequence[SystemResult]) -> Iterator[str]:
    parts = [f'<div class="errors">{_listed(each)}</div>' for each in systems if each.mistakes]
    lead = "The worst errors, the worst first. They may be errors of the data."
    yield section("Where it is wrong", *parts, lead=lead)


def _listed(system: SystemResult) -> str:
    width = max(len(each.texts) for each in system.mistakes)
    columns = ["score>", "says", "right is", *("text", "other text", "third text")[:width]]
    rows = []
    for each in system.mistakes:
        gap = [""] * (width - len(each.texts))
        rows.append([f"{each.score:.2f}", each.prediction, each.truth, *each.texts, *gap])
    return table(f"Worst errors of {system.name}", columns, rows)


def _foot(evaluation: Evaluation) -> str:
    notes = "".join(f"<p>{plain(note)}</p>" for note in evaluation.notes)
    made = f"Made by nearsense {evaluation.version} in {evaluation.seconds:,.1f} seconds."
    models = "; ".join(
        f"{each.name} {each.fingerprint[:12]}" for each in evaluation.systems if each.kind is Kind.MODEL
    )
    return f"<footer>{notes}<p>{plain(made)} Models and their fingerprints: {plain(models)}.</p></footer>"


def _with_interval(figure: Figure) -> str:
    if not figure.defined:
        return "-"
    return f"{100 * figure.value:.1f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _interval(figure: Figure) -> str:
    if not figure.defined:
        return "not defined"
    return f"{100 * figure.low:.1f} to {100 * figure.high:.1f}"


def _name(figure: str) -> str:
    return NAMES.get(figure, figure.replace("_", " "))
