"""What could be done about a drift, with the command to type. Not whether there is one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearsense.encoders.languages import NAMES, suggestion
from nearsense.monitoring.results import Action
from nearsense.monitoring.topics import Change
from nearsense.records import percent

if TYPE_CHECKING:
    from nearsense.monitoring.results import Drift

MUCH = 0.2
"""Share of the current side in topics that are new from which on a model is worth teaching them."""

UNANSWERED = 0.5  # share of a topic's questions without an answer, from which on answers are missing
OFF = 0.05
"""How far stated probabilities may be from what is accepted, on average."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the sides are called where commands are typed."""

    current: str = "current.csv"
    reference: str = "reference.csv"
    collection: str | None = None
    rest: Sequence[str] = ()  # further words of the command that was typed

    def again(self, *words: str) -> str:
        """The same comparison with further options."""
        return _line("drift", self.current, "--against", self.reference, *self.rest, *words)

    @property
    def target(self) -> str:
        """The collection."""
        return self.collection or "COLLECTION"


def actions(drift: Drift, names: Names | None = None) -> list[Action]:
    """What speaks for what, the most pressing first; nothing where there is no drift."""
    called = Names() if names is None else names
    if not drift.drifted:
        return []
    spoke = {test.name for test in drift.tests if test.drifted}
    found = [*_answers(drift, called), *_language(drift, called, spoke), *_calibration(drift, called, spoke)]
    found += _teaching(drift, called)
    if not found and "form" in spoke:
        forms = ", ".join(group.name for group in drift.groups if group.test == "form") or "how texts are written"
        why = f"texts are written otherwise ({forms}): another client, channel or export"
        found.append(Action("look at the source", why, called.again("-o", "report.html")))
    if not found and spoke & {"scores", "unanswered"} and not spoke & {"vectors", "classifier", "topics"}:
        why = "answers are other ones and the questions are not: the documents, the model or a threshold changed"
        found.append(Action("look at the collection", why, _line("index", "info", called.target)))
    return found or [Action("look", "what moved is in the report", called.again("-o", "report.html"))]


def _line(*words: str) -> str:
    return shlex.join(["nearsense", *words])


def _answers(drift: Drift, names: Names) -> list[Action]:
    grown = [topic for topic in drift.topics if topic.change in (Change.NEW, Change.GREW)]
    missing = [topic for topic in grown if topic.unanswered is not None and topic.unanswered >= UNANSWERED]
    unknown = [topic for topic in grown if topic.unanswered is None and topic.change is Change.NEW]
    if missing:
        said = "; ".join(f"{topic.label} ({percent(topic.unanswered or 0)} unanswered)" for topic in missing[:5])
        why = f"questions come that have no answer: {said}. Write an answer beside each topic's first question"
    elif unknown:
        why = f"new: {'; '.join(topic.label for topic in unknown[:5])}. If these are questions, they want answers"
    else:
        return []
    return [Action("add FAQ entries", why, names.again("--texts", "topics.csv"))]


def _language(drift: Drift, names: Names, spoke: set[str]) -> list[Action]:
    if "language" not in spoke:
        return []
    more = [group for group in drift.groups if group.test == "language" and group.low > 0 and group.name != "en"]
    known = [group for group in more if group.name in NAMES]
    if not known:
        return []
    said = ", ".join(f"{NAMES[each.name]} ({percent(each.share)})" for each in known[:3])
    model = suggestion(known[0].name, drift.origin.model, ("en",)) or "MODEL"
    command = _line("index", "reembed", names.target, "--model", model)
    return [Action("re-embed", f"more texts in {said}: take a model that reads it", command)]


def _calibration(drift: Drift, names: Names, spoke: set[str]) -> list[Action]:
    now = drift.calibration.get("current")
    off = now is not None and abs(now["stated"] - now["accepted"]) > OFF
    if "calibration" not in spoke and not (off and spoke & {"scores", "unanswered", "vectors", "topics"}):
        return []
    if now is not None:
        said = f"{percent(now['stated'])} stated, {percent(now['accepted'])} accepted of {now['labels']:,.0f} hits"
    else:
        said = "probabilities do not hold as they did"
    target = names.collection or "mine.json"
    return [Action("recalibrate", said, _line("calibrate", "--ask", names.current, "-o", target))]


def _teaching(drift: Drift, names: Names) -> list[Action]:
    share = sum(topic.share - topic.share_before for topic in drift.topics if topic.sure and topic.low > 0)
    if share < MUCH:
        return []
    why = f"{percent(share)} of the texts are on topics that grew: pairs of them would teach the model"
    return [Action("fine-tune", why, _line("train", "pairs.csv", "-o", "mymodel"))]
