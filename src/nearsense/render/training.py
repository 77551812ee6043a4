"""What training did as a page, as Markdown, and as the card of the model's folder. Not how it is judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nearsense.evaluation.results import BAND_COLUMNS
from nearsense.render import PROBABLE, Page, of, table
from nearsense.render.markdown import escaped, markdown_table
from nearsense.training_results import Verdict, hundred, p_value, signed

if TYPE_CHECKING:
    from nearsense.evaluation.results import Mistake
    from nearsense.training_results import Change, Judgement, Slice, TrainingReport

LONGEST_TEXT = 160
"""Characters of a text that a table of errors shows; JSON has all."""


def training_page(report: TrainingReport) -> Page:
    """The verdict, figures before and after, and what became worse; as records one line a figure."""
    judged = report.judgement
    tables = [] if judged is None else [changes_page(judged), slices_page(judged, all_of_them=False)]
    calibrated = "" if report.calibration is None else f" {calibration_words(report)}"
    return Page(
        report.to_dict(),
        list(_records(report)),
        groups=[each for each in tables if each.cells] or [Page(title=f"{report.folder}: {report.method}")],
        note=f"{report.sentence}{calibrated} {report.cost}. {' '.join(report.notes)}".strip(),
    )


def changes_page(judged: Judgement) -> Page:
    """Figures before and after."""
    columns = table(
        judged.changes,
        ("figure", of("title")),
        ("on>", lambda each: f"{each.items:,}"),
        ("before>", lambda each: hundred(each.before.value)),
        ("after>", lambda each: hundred(each.after.value)),
        ("difference>", lambda each: signed(each.difference)),
        ("p>", lambda each: p_value(each.p)),
        ("in words", of("verdict.value")),
    )
    return Page(**columns, title=f"{judged.before} before, {judged.after} after, times 100")


def slices_page(judged: Judgement, *, all_of_them: bool = True) -> Page:
    """Parts of the general check set; those that changed, or all of them, the worst change first."""
    chosen = [each for each in judged.slices if all_of_them or each.verdict is not Verdict.NOT_PROVEN]
    columns = table(
        sorted(chosen, key=_change_of),
        ("part", lambda each: f"{each.what} {each.name}"),
        ("pairs>", lambda each: f"{each.pairs:,}"),
        ("before>", lambda each: hundred(each.before)),
        ("after>", lambda each: hundred(each.after)),
        ("difference>", lambda each: f"{100 * (each.after - each.before):+.1f}"),
        ("p, corrected>", lambda each: p_value(each.p)),
        ("in words", of("verdict.value")),
    ) if chosen else {}  # fmt: skip
    return Page(**columns, title="General check set: ROC AUC, times 100")


def _change_of(part: Slice) -> float:
    return part.after - part.before


def calibration_words(report: TrainingReport) -> str:
    """What the carried calibration is of, and how true it is, in a sentence."""
    known = report.calibration
    if known is None:
        return "The folder carries no calibration; probabilities are what other sets of pairs suggest."
    means = PROBABLE.get(known.task, f"calibrated as {known.task!r}")
    return (
        f"The folder carries a calibration: a probability says {means}. It was fitted to {known.labels:,} pairs "
        f"({known.same:,} the same; {known.made_from}), and is off by {hundred(known.ece)} points on average on "
        f"pairs that it had not seen (ECE)."
    )


def _records(report: TrainingReport) -> Iterator[dict[str, Any]]:
    """One flat record a figure."""
    head = {"model": report.folder, "parent": report.parent, "kind": report.kind}
    if report.judgement is None:
        yield {**head, "verdict": None, "sentence": report.sentence}
        return
    for each in report.judgement.changes:
        yield {**head, "part": "held out", "figure": each.name, **_flat(each)}
    for part in report.judgement.slices:
        row: dict[str, Any] = {"items": part.pairs, "before": part.before, "after": part.after}
        row |= {"difference": part.after - part.before, "low": None, "high": None, "p": part.p}
        yield {
            **head,
            "part": f"{part.what} {part.name}",
            "figure": "roc_auc",
            **row,
            "verdict": part.verdict.value,
        }


def _flat(change: Change) -> dict[str, Any]:
    known = change.difference
    return {
        "items": change.items,
        "before": change.before.value,
        "after": change.after.value,
        "difference": known.value,
        "low": known.low,
        "high": known.high,
        "p": change.p,
        "verdict": change.verdict.value,
    }


def errors_page(title: str, mistakes: Sequence[Mistake]) -> Page:
    """The worst errors, the worst first."""
    width = max((len(each.texts) for each in mistakes), default=0)
    texts = ("text", "other text", "third text")[:width]
    cells = [
        (
            f"{each.score:.2f}",
            each.prediction,
            each.truth,
            *map(_cut, each.texts),
            *[""] * (width - len(each.texts)),
        )
        for each in mistakes
    ]
    return Page(columns=("score>", "says", "right is", *texts), cells=cells, title=title)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def training_markdown(report: TrainingReport) -> str:
    """The report as Markdown; its first line says whether the model became better."""
    lines = [f"**{escaped(report.sentence)}**", "", f"It cost {report.cost}.", ""]
    judged = report.judgement
    if judged is not None:
        pages = [changes_page(judged), slices_page(judged), *_stated_pages(judged)]
        pages.append(errors_page(f"Worst errors of {judged.before}, before", judged.errors_before))
        pages.append(errors_page(f"Worst errors of {judged.after}, after", judged.errors_after))
        for each in pages:
            if each.cells:
                lines += [f"## {escaped(each.title)}", "", *markdown_table(each), ""]
    lines += ["## What its probabilities mean", "", escaped(calibration_words(report)), ""]
    lines += ["## How it was trained", "", *markdown_table(facts_page(report)), ""]
    lines += ["## How to use it", "", "```python", *report.usage, "```", ""]
    notes = (*report.notes, *(judged.notes if judged is not None else ()))
    return "\n".join([*lines, *(f"- {escaped(note)}" for note in notes), ""])


def facts_page(report: TrainingReport) -> Page:
    """Where it comes from, and how it was trained."""
    rows = [
        ("parent", f"{report.parent} ({report.parent_fingerprint[:12]})"),
        ("licence of the parent's weights", report.licence or "not stated"),
        ("method", report.method),
        ("loss", report.loss),
        ("examples", f"{report.examples:,} {report.kind}, {report.texts:,} different texts"),
        ("held out", f"{report.held_out:,}"),
        ("steps", f"{report.steps:,}; kept: {report.best_step:,}"),
        ("why it ended", report.stopped),
        ("time", report.cost.split(", ")[0]),
        ("seed", f"{report.seed}"),
        *((name, str(value)) for name, value in report.options.items()),
        ("fingerprint", report.fingerprint),
        ("made by", f"nearsense {report.version}"),
    ]
    return Page(columns=("what", "how"), cells=[row for row in rows if row[1]])


def _stated_pages(judged: Judgement) -> list[Page]:
    """How true the probabilities are before and after, band by band."""
    both = ((judged.before, judged.stated_before), (judged.after, judged.stated_after))
    return [
        Page(columns=BAND_COLUMNS, cells=stated.rows(), title=f"{name}: {stated}")
        for name, stated in both
        if stated is not None
    ]


def model_card(report: TrainingReport, *, languages: Sequence[str] = (), base: str = "") -> str:
    """The README.md of a model's folder: what it is, whether it is better than its parent, how it is used.

    Args:
        report: What training did.
        languages: What the parent was made for, ISO 639-1.
        base: What the hub calls the parent; its name without it.
    """
    kind = "CrossEncoder" if report.cross else "SentenceTransformer"
    facts: dict[str, Any] = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "text-ranking" if report.cross else "sentence-similarity",
        "tags": ["sentence-transformers", "cross-encoder" if report.cross else "feature-extraction", "nearsense"],
        "base_model": base or report.parent,
        **({"license": report.licence.lower()} if report.licence else {}),
        **({"language": list(languages)} if languages else {}),
    }
    head = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]
    judged = report.judgement
    lines = ["---", *head, "---", "", f"# {escaped(report.model)}", "", escaped(report.sentence), ""]
    lines += [f"{report.method.capitalize()} of {escaped(report.parent)}: {report.cost}.", ""]
    if judged is not None:
        lines += ["## Better?", "", *markdown_table(changes_page(judged)), ""]
        worse = slices_page(judged, all_of_them=False)
        if worse.cells:
            lines += ["Parts of the general check set that changed:", "", *markdown_table(worse), ""]
        lines += ["[The whole report](report.md), [with charts](report.html), [as JSON](report.json).", ""]
    lines += ["## Use", "", "```python", *report.usage, "```", ""]
    lines += [f"With sentence-transformers: `{kind}` of this folder gives the same numbers.", ""]
    lines += ["## What its probabilities mean", "", escaped(calibration_words(report)), ""]
    lines += ["## Where it comes from", "", *markdown_table(facts_page(report)), ""]
    return "\n".join(lines)
