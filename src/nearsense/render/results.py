"""What verbs, collections and calibrations give, as pages. Clusters and evaluations have files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from nearsense.documents.passages import joined, own_text
from nearsense.errors import InputError
from nearsense.records import Comparison, Document, Hit, Matrix, Metric, Origin, Ranking, Results, percent
from nearsense.render import (
    DIFFERS,
    PROBABILITY,
    PROBABLE,
    SCORE,
    Column,
    Page,
    between,
    more_of,
    of,
    only_if,
    table,
)
from nearsense.reports import FolderReport, Info, ModelChange, Reembedding, SyncReport, Verification

if TYPE_CHECKING:
    from nearsense.adapters import Adapter
    from nearsense.calibration import Background, Calibration, Threshold
    from nearsense.deduplication import Duplicates
    from nearsense.deduplication.result import Dropped
    from nearsense.explanation import Explanation


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


def hits_document(
    hits: Results[Hit],
    *,
    asked: str = "query",
    around: Mapping[str, tuple[Sequence[Document], Sequence[Document]]] | None = None,
) -> dict[str, Any]:
    """Hits of one query as JSON values; arguments as of `hits_page`."""
    return {asked: hits.query, "hits": [_told(hit, around or {}) for hit in hits], **hits.origin.to_dict()}


def hits_page(
    found: Sequence[Results[Hit]],
    *,
    asked: str = "query",
    around: Mapping[str, tuple[Sequence[Document], Sequence[Document]]] | None = None,
) -> Page:
    """Hits of one query or of many; `asked` is what the query is called in JSON.

    `around` has, by a hit's id, the passages that stand before and behind it.
    """
    more = around or {}
    every = list(chain.from_iterable(found))
    repeated = any(hit.alike for hit in every)
    reranked = any(hit.retrieval_score is not None for hit in every)
    columns: list[Column] = [
        ("#>", of("rank")),
        SCORE,
        *only_if(reranked, ("retrieval>", _retrieval_score)),
        *only_if(any(hit.probability is not None for hit in every), PROBABILITY),
        ("place", lambda hit: hit.place or hit.id) if any(hit.place for hit in every) else ("id", of("id")),
        ("text", lambda hit: _with_neighbours(hit, more)),
        *only_if(repeated, ("times>", lambda hit: f"{1 + len(hit.alike):,}")),
        *only_if(any(hit.differs for hit in every), DIFFERS),
    ]
    pages = [
        Page(
            hits_document(hits, asked=asked, around=more),
            [{asked: hits.query, **_told(hit, more), **_made_by(hits.origin)} for hit in hits],
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
        note=note + _unsure(every) + (_TIMES if repeated else ""),
    )


_TIMES = " Times: so many texts are equal to this one; --repeats shows each."


def _told(hit: Hit, around: Mapping[str, tuple[Sequence[Document], Sequence[Document]]]) -> dict[str, Any]:
    """A hit as JSON values; a passage with its place, and what stands around it where that was asked for."""
    told = hit.to_dict() | ({} if hit.place is None else {"place": hit.place})
    if hit.id in around:
        before, after = ([own_text(each) for each in side] for side in around[hit.id])
        told |= {"before": before, "after": after}
    return told


def _with_neighbours(hit: Hit, around: Mapping[str, tuple[Sequence[Document], Sequence[Document]]]) -> str:
    """A hit's text, of a passage its beginning; behind it the passages around it where they were asked for."""
    if hit.id not in around:
        words = " ".join((hit.text or "").split()) if hit.place else hit.text or ""
        return words if hit.place is None or len(words) <= BEGINNING else f"{words[:BEGINNING]}..."
    before, after = around[hit.id]
    own, sides = Document(hit.id, hit.text or "", hit.metadata), (("before", before), ("after", after))
    return " ".join([own_text(own), *(f"[{name}:] {joined([*side])}" for name, side in sides if side)])


def _retrieval_score(hit: Hit) -> str:
    return "" if hit.retrieval_score is None else f"{hit.retrieval_score:.4f}"


def matrix_page(matrix: Matrix, *, probabilities: bool = False) -> Page:
    """Every text against every other: scores, or how likely two texts mean the same, which a calibration knows."""
    judged = matrix.cells.judged() if probabilities and matrix.cells is not None else (None, {})
    shown = judged[0] if probabilities else matrix.scores
    if shown is None:
        what = f"no calibration is known for {matrix.origin.model}"
        fix = f"make one from labelled pairs: nearsense calibrate PAIRS --model {matrix.origin.model}"
        raise InputError(what, why="without one a score is no probability", fix=fix)
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


BEGINNING = 200
"""Characters of a passage that a table shows."""

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


def sync_page(report: SyncReport | FolderReport) -> Page:
    """What a sync did, or would do."""
    known = report.to_dict()
    order = ("added", "changed", "moved", "removed", "unchanged", "passages", "encoded")
    names = [name for name in order if name in known]
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


def model_change_page(change: ModelChange) -> Page:
    """What another model would find: a row a query that moves, the figures under it."""
    columns = ("stay>", "query", "before", "after")
    cells = [
        (f"{each.overlap:.0%}", each.query, ", ".join(each.before), ", ".join(each.after)) for each in change.moved
    ]
    lines = str(change).splitlines()
    figures = [*lines[:2], *lines[2 + len(change.moved) :]]
    return Page(change.to_dict(), [change.to_dict()], columns, cells, note="\n".join(figures))


def adapter_page(adapter: Adapter) -> Page:
    """A map that was learnt: what it brings, measured, and the verdict."""
    known = adapter.to_dict()
    cells = [(f"{strength:g}", f"{figure:.4f}") for strength, figure in adapter.by_strength.items()]
    return Page(known, [known], ("strength>", f"{adapter.figure}>"), cells, note=str(adapter))


def _made_by(origin: Origin) -> dict[str, Any]:
    known = origin.to_dict()
    names = ("model", "metric", "retrieved_by", "retrieval_metric")
    return {name: known[name] for name in names if name in known}


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
    from nearsense.calibration.threshold import in_ten

    values = (threshold.reached, threshold.reached_low, threshold.reached_high, threshold.recall)
    short = threshold.falls_short
    return (
        threshold.asked.replace("_", " "),
        f"{threshold.value:g}",
        *(f"{value:.4f}" for value in (threshold.score, threshold.low, threshold.high)),
        *("" if value is None else f"{value:.1%}" for value in values),
        "" if short is None else in_ten(short),
    )


TIER: Column = ("tier", of("tier.value"))
_TEXT: Column = ("text", of("text"))


def pairs_page(
    found: Duplicates, limit: int | None, *, ids: str = "id", shown: bool = True, listed: bool = True
) -> Page:
    """Pairs of rows, surest first; at most `limit`. In the table a text that several rows have stands once.

    `ids` is what their ids are, "line" say. The table is made only where it is to be `shown`, the pairs of all
    rows where they are to be `listed`: they may be millions.
    """
    pairs = (found.pairs if limit is None else found.best(limit)) if listed else ()
    dicts = [each.to_dict() for each in pairs]
    texts = found.alike(limit) if shown else []
    columns = table(
        texts,
        *only_if(found.probabilities is not None, ("probability>", lambda each: PROBABILITY[1](each.pair))),
        ("score>", lambda each: SCORE[1](each.pair)),
        ("tier", of("pair.tier.value")),
        *only_if(any(each.pair.differs for each in texts), ("differs", lambda each: DIFFERS[1](each.pair))),
        # Where there are no texts the ids stand in their place.
        *only_if(
            any(each.pair.a for each in texts),
            (f"{ids} a", lambda each: _listed(each.left)),
            (f"{ids} b", lambda each: _listed(each.right)),
        ),
        ("a", lambda each: each.pair.a or _listed(each.left)),
        ("b", lambda each: (each.pair.b if each.distinct else _SAME) if each.pair.a else _listed(each.right)),
    )
    more = found.texts_alike - len(texts) if shown else 0
    note = more_of(more, "lines", "--limit N") + _duplicates_note(found)
    return Page(dicts, dicts, **columns, note=note)


_SAME = "= the same text"


def _listed(ids: Sequence[str]) -> str:
    """The first of some ids, and how many more there are."""
    more = f" and {len(ids) - LISTED:,} more" if len(ids) > LISTED else ""
    return ", ".join(ids[:LISTED]) + more


LISTED = 3  # ids of rows of one text that a table shows


def _by_text(dropped: Sequence[Dropped]) -> list[tuple[Dropped, list[str]]]:
    """The first of those that have one text and give way to the same row, with the ids of all of them."""
    found: dict[Any, tuple[Dropped, list[str]]] = {}
    for each in dropped:
        found.setdefault((each.text or each.id, each.kept), (each, []))[1].append(each.id)
    return list(found.values())


def _first(column: Column) -> Column:
    """A column of what `_by_text` gives."""
    head, cell = column
    return head, lambda each: cell(each[0])


def groups_page(found: Duplicates, limit: int | None, *, ids: str = "id") -> Page:
    """Groups, largest first; at most `limit`. In the table a text that several rows have stands once."""
    groups = found.groups[:limit]
    name = "" if ids == "id" else f"{ids} "
    columns = (*map(_first, (PROBABILITY, SCORE, TIER)), (ids, lambda each: _listed(each[1])), _first(_TEXT))
    pages = [
        Page(
            **table(_by_text(group.dropped), *columns),
            title=f"{name}{group.kept.id}: {group.kept.text}" if group.kept.text else group.kept.id,
        )
        for group in groups
    ]
    records = [
        {"group": number, **each.to_dict(), "kept_text": group.kept.text}
        for number, group in enumerate(groups, 1)
        for each in group.dropped
    ]
    heads = [] if pages else [head for head, _ in columns]
    note = more_of(len(found.groups) - len(groups), "groups", "--limit N") + _duplicates_note(found)
    return Page([group.to_dict() for group in groups], records, heads, groups=pages, note=note)


def dropped_page(found: Duplicates, limit: int | None, *, written: bool, ids: str = "id") -> Page:
    """The rows that go, or would; in the table a text that several rows have stands once."""
    dropped = found.dropped
    texts = _by_text(dropped)
    shown = texts[:limit]
    dicts = [each.to_dict() for each in dropped]
    known = {name: value for name, value in found.to_dict().items() if name != "groups"}
    tiers = ", ".join(f"{count:,} {tier.value}" for tier, count in found.tiers.items())
    stay, go = ("stay", "go") if written else ("would stay", "would go")
    columns = table(
        shown,
        (ids, lambda each: _listed(each[1])),
        _first(_TEXT),
        _first(("reason", of("reason"))),
        _first(("stays", of("kept"))),
        *only_if(any(each.differs for each in dropped), _first(DIFFERS)),
    )
    return Page(
        {**known, "written": written, "rows_dropped": dicts},
        dicts,
        **columns,
        title=f"{len(found.rows.documents):,} rows: {len(found.kept):,} {stay}, {len(dropped):,} {go} ({tiers})",
        note=more_of(len(texts) - len(shown), "lines", "--limit N") + _duplicates_note(found),
    )


def _duplicates_note(found: Duplicates) -> str:
    """What was asked, and what the figures are."""
    line = f"Pairs of {found.threshold}. Score: cosine similarity by {found.origin.model}."
    if found.probabilities is None:
        return line
    return f"{line} Probability: that both say the same; {found.probabilities.prior:.2g} before the score is seen."


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
