"""What an assistant is given as tools: a verb, told in lines that say when not to trust it, and as JSON values.

Not the protocol by which it asks: see mcp.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nearsense.errors import InputError
from nearsense.records import Hit, Results, percent
from nearsense.reports import Info

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.faq import Answer
    from nearsense.server.service import Service

MOST_HITS = 50
"""More of them fill a model's context, and say no more."""

MOST_TOKENS = 16_000

TRUSTED = 0.5
"""From which probability on a hit rather answers than not."""

Query = Annotated[str, Field(min_length=1, description="What is looked for, in plain words.")]
Text = Annotated[str, Field(min_length=1, description="A text.")]
Id = Annotated[str, Field(min_length=1, description="The document's id: a hit's.")]
Hits = Annotated[int, Field(ge=1, le=MOST_HITS, description="How many at most.")]
Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS, description="How many tokens the passages may have.")]
Mode = Annotated[
    Literal["dense", "lexical", "hybrid"],
    Field(description='By meaning, by words ("lexical": codes, names), or by both.'),
]
Filter = Annotated[
    dict[str, Any] | None,
    Field(description='Only documents that fit: {"lang": "en", "year": {">=": 2020}}. `stats` names them.'),
]
Name = Annotated[str | None, Field(description="Its name; only needed where there are several.")]


@dataclass(frozen=True, slots=True)
class Told:
    """What a tool says: lines for a model to read, and the same as JSON values for a program."""

    text: str
    values: dict[str, Any]


class Tools:
    """The verbs over what a server has opened, by the names that its operator gave.

    What a verb's arguments and docstring say is what an assistant is told of it; the protocol refuses what its
    arguments do not allow.

    Args:
        service: What is served.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def search(
        self, query: Query, k: Hits = 5, where: Filter = None, mode: Mode = "dense", collection: Name = None
    ) -> Told:
        """Find the documents of a collection that answer a query best, by meaning.

        Each hit has its probability and what differs from the query; the note says whether the best may be used.
        """

        def found(name: str, room: Collection) -> Told:
            hits = room.search(query, k, where=where, mode=mode)
            note = _judged(hits, "answers the query")
            if not hits and where is not None and not room.count(where):
                fields = ", ".join(room.info().fields) or "none"
                note = f"No document passes the filter. Fields to filter by: {fields}."
            head = f"{len(hits)} of {len(room):,} documents in {name}"
            return _told(head, note, hits, query=query, collection=name)

        return self._of(collection, found)

    def similar(self, id: Id, k: Hits = 5, collection: Name = None) -> Told:  # noqa: A002 - what it is called
        """Find documents that mean the same as one of the collection: repeats, variants, related ones."""

        def found(name: str, room: Collection) -> Told:
            if room.get(id)[0] is None and not room.passages(id):
                raise InputError(f"there is no document {id!r} in {name}", fix="give the id of a hit of search")
            hits = room.similar(id, k)
            note = _judged(hits, f"means the same as {id}")
            return _told(f"{len(hits)} documents of {name} like {id}", note, hits, id=id, collection=name)

        return self._of(collection, found)

    def compare(self, a: Text, b: Text) -> Told:
        """Tell whether two texts mean the same: the probability with its interval, and what differs."""
        from nearsense.compare import compare

        found = compare(a, b, encoder=self._service.encoder())
        return Told(str(found), found.to_dict())

    def faq(self, question: Query, faq: Name = None) -> Told:
        """Answer a question from the FAQ, where that is sure enough.

        Else there are questions to ask back, or no answer at all: then say so, and do not make one up.
        """
        name = chosen(self._service.faqs, faq, "FAQ")
        found = self._service.faqs[name].answer(question)
        return Told(_answered(found), {"faq": name} | found.to_dict())

    def context(self, query: Query, tokens: Tokens = 1500, where: Filter = None, collection: Name = None) -> Told:
        """Get the passages that a question is best answered from, with their sources to cite.

        The note says how likely it is that the answer is among them.
        """
        from nearsense.prompt_context import context

        def found(name: str, room: Collection) -> Told:
            made = context(query, room, tokens, where=where)
            note = _judged(room.search(query, 1, where=where), "answers the query")
            values = {"note": note, "collection": name} | made.to_dict()
            return Told(f"{note}\n\n{made.text}" if made.excerpts else note, values)

        return self._of(collection, found)

    def stats(self) -> Told:
        """List the collections and FAQs: names, sizes, fields to filter by."""
        faqs, found = self._service.faqs, self._service.infos()
        about = {
            name: {n: v for n, v in room.to_dict().items() if n != "path"}
            for name, room in found.items()
            if isinstance(room, Info)
        }
        entries = {name: {"entries": len(room), "model": room.encoder.name} for name, room in faqs.items()}
        lines = [
            f"collection {name}: {each['documents']:,} documents, model {each['model']}, "
            f"fields: {', '.join(each['fields']) or 'none'}"
            for name, each in about.items()
        ]
        lines += [f"collection {name} cannot be read" for name in found if name not in about]
        lines += [
            f"FAQ {name}: {each['entries']:,} entries, model {each['model']}" for name, each in entries.items()
        ]
        return Told("\n".join(lines) or "nothing is served", {"collections": about, "faqs": entries})

    def _of(self, collection: str | None, verb: Callable[[str, Collection], Told]) -> Told:
        """What is told of a collection, which has its model behind the queue."""
        name = chosen(self._service.collections, collection, "collection")
        return self._service.ask(name, lambda room: verb(name, room))


def chosen(known: Mapping[str, object], name: str | None, kind: str) -> str:
    """One of several by its name; the only one without."""
    if name is None and len(known) == 1:
        return next(iter(known))
    if name is None or name not in known:
        what = f"there are several {kind}s" if name is None else f"there is no {kind} {name!r}"
        raise InputError(what, fix=f"give one of: {', '.join(known) or 'none is served'}")
    return name


def _judged(found: Results[Hit], what: str) -> str:
    """Whether one of the hits may be trusted, in one or two sentences."""
    if not found:
        return "Nothing was found."
    known = [hit for hit in found if hit.probability is not None]
    if not known:
        why = found[0].unsure or "no probability is known here, and scores alone do not say that a hit is right"
        return f"Do not rely on these hits: {why}."
    best = max(known, key=lambda hit: hit.probability or 0.0)
    likely = f"hit {best.rank} {what} with a probability of {percent(best.probability or 0.0)}"
    differs = f"; it differs ({', '.join(best.differs)})" if best.differs else ""
    if (best.probability or 0.0) >= TRUSTED:
        return f"The most probable, {likely}{differs}."
    return f"None of them is likely to be right: {likely}{differs}. Rather say that nothing was found."


def _told(head: str, note: str, found: Results[Hit], **asked: str) -> Told:
    """Hits, a line each with probability and what differs, below what is to be thought of them."""
    lines = [f"{head}. {note}", *map(_line, found)]
    values = asked | {"note": note, "hits": found.to_dicts()} | found.origin.to_dict()
    return Told("\n".join(lines), values)


def _line(hit: Hit) -> str:
    """One hit as a line of its own, whatever its text holds."""
    sure = "" if hit.probability is None else f"{percent(hit.probability)}, "
    differs = f" [differs: {', '.join(hit.differs)}]" if hit.differs else ""
    text = " ".join((hit.text or "").split())
    return f"{hit.rank}. ({sure}score {hit.score:.3f}) {hit.place or hit.id}: {text}{differs}"


def _answered(found: Answer) -> str:
    """What a FAQ says: the answer and how sure it is, what to ask back, or that there is none."""
    sure = "unknown" if found.probability is None else percent(found.probability)
    differs = f" It differs: {', '.join(found.differs)}." if found.differs else ""
    if found.hit is not None:
        return f"{found.text or found.hit.text}\n(answer to “{found.hit.text}”, probability {sure}.{differs})"
    asks = "".join(f"\n- {hit.text}" for hit in found.suggestions)
    if asks:
        return f"No sure answer ({found.reason}). Ask back whether one of these is meant:{asks}"
    return f"No answer ({found.reason}). Say so; do not make one up."
