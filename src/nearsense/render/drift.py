"""A drift as a table, as records and as JSON. As a page: pages/drift.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nearsense.monitoring.watching import RULE
from nearsense.records import percent
from nearsense.render import Page, of, only_if, table

if TYPE_CHECKING:
    from nearsense.monitoring import Action, Drift, Group, Topic


def drift_page(drift: Drift, todo: Sequence[Action] = ()) -> Page:
    """The tests as a table, what moved below it, and what to do; as records one of each test, topic and action."""
    tests = Page(
        **table(
            drift.tests,
            ("compared", of("name")),
            ("p>", lambda test: f"{test.adjusted:.4f}"),
            ("alone>", lambda test: f"{test.p:.4f}"),
            ("size>", lambda test: f"{test.measure} {test.value:.3g}"),
            ("texts>", lambda test: f"{test.n:,}"),
            ("verdict", lambda test: "drifted" if test.drifted else "-"),
        ),
        title=drift.verdict,
    )
    groups = [tests]
    if drift.topics:
        groups.append(Page(**_topics(drift.topics), title="what moved"))
    if drift.groups:
        groups.append(Page(**_groups(drift.groups), title="languages and written forms"))
    if todo:
        columns = (("what", of("what")), ("why", of("why")), ("type", of("command")))
        groups.append(Page(**table(todo, *columns), title="what to do"))
    document = drift.to_dict() | {"actions": [each.to_dict() for each in todo]}
    return Page(document, list(_records(drift, todo)), groups=groups, note=" ".join(_notes(drift)))


def _topics(topics: Sequence[Topic]) -> dict[str, Any]:
    known = any(topic.unanswered is not None for topic in topics)
    return table(
        topics,
        ("topic", lambda topic: topic.label + ("" if topic.sure else " (not certain)")),
        ("change", of("change")),
        ("before>", lambda topic: f"{100 * topic.share_before:.1f} %"),
        ("now>", lambda topic: f"{100 * topic.share:.1f} %"),
        ("points>", lambda topic: f"{100 * topic.low:+.1f} to {100 * topic.high:+.1f}"),
        ("p>", lambda topic: f"{topic.p:.4f}"),
        *only_if(known, ("unanswered>", lambda each: "" if each.unanswered is None else percent(each.unanswered))),
        ("example", lambda topic: "".join(topic.examples[:1])),
    )


def _groups(groups: Sequence[Group]) -> dict[str, Any]:
    return table(
        groups,
        ("group", lambda group: group.name or "not known"),
        ("of", of("test")),
        ("before>", lambda group: f"{100 * group.share_before:.1f} %"),
        ("now>", lambda group: f"{100 * group.share:.1f} %"),
        ("p>", lambda group: f"{group.p:.4f}"),
    )


def _records(drift: Drift, todo: Sequence[Action]) -> Iterator[dict[str, Any]]:
    """One flat record after the other, each with what it is."""
    whole = drift.to_dict()
    yield {"kind": "drift"} | {name: whole[name] for name in ("drifted", "level", "p", "verdict")}
    if whole["watch"] is not None:
        yield {"kind": "watch"} | whole["watch"]
    for kind in ("tests", "topics", "groups", "repeated"):
        for each in whole[kind]:
            yield {"kind": kind.removesuffix("s")} | each
    for action in todo:
        yield {"kind": "action"} | action.to_dict()


def _notes(drift: Drift) -> Iterator[str]:
    yield from drift.notes
    if drift.repeated:
        yield f"{len(drift.repeated):,} texts are repeated far more on one side: --json shows them."
    if drift.check is not None:
        yield f"Check {drift.check.number:,} of the watch, which may spend {drift.check.level:.2g}: {RULE}."


def texts_rows(drift: Drift, ids: Sequence[str], texts: Sequence[str]) -> list[dict[str, Any]]:
    """The current texts of topics that moved: a row a text, with its topic and an empty column for an answer."""
    places = dict(zip(ids, texts, strict=True))
    return [
        {
            "id": id_,
            "question": places.get(id_, ""),
            "answer": "",
            "topic": topic.label,
            "change": topic.change.value,
        }
        for topic in drift.topics
        for id_ in topic.ids
    ]
