"""`context`: the passages that answer a question, as a text that fits a prompt. No prompt, and no model asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nearsense.checks import positive_int
from nearsense.documents.passages import joined, own_text, passage_of
from nearsense.documents.splitting import SEPARATOR, counter
from nearsense.errors import InputError
from nearsense.records import Document, Hit, Origin, as_json

if TYPE_CHECKING:
    import os

    from nearsense.collection import Collection
    from nearsense.filters import Where

DEPTH = 64
"""Passages that are asked for at first; more where they leave room."""

__all__ = ["Context", "Excerpt", "context"]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of one document: passages that follow each other, as one text.

    Args:
        number: From 1: as which the text refers to it.
        document: The document's id.
        place: Where it begins: `guide.md:12`, `guide.pdf#page=3`.
        headings: The path of headings under which it begins.
        text: What stands there, nothing twice.
        ids: The passages that it is made of.
        score: Of the best of them.
    """

    number: int
    document: str
    place: str
    headings: tuple[str, ...]
    text: str
    ids: tuple[str, ...]
    score: float

    @property
    def source(self) -> str:
        """The line above it: number, place and headings."""
        return f"[{self.number}] {self.place}{f' ({SEPARATOR.join(self.headings)})' if self.headings else ''}"

    def __str__(self) -> str:
        return f"{self.source}\n{self.text}"


@dataclass(frozen=True, slots=True)
class Context:
    """What a question's best passages say, ready to stand in a prompt. `str(context)` is the text.

    Args:
        query: The question.
        excerpts: Documents in the order of their best passages, the excerpts of each in its own order.
        tokens: How many tokens `text` has.
        origin: What produced this.
    """

    query: str
    excerpts: tuple[Excerpt, ...]
    tokens: int
    origin: Origin

    @property
    def text(self) -> str:
        """The excerpts, a line with the source above each, an empty line between two."""
        return "\n\n".join(map(str, self.excerpts))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the excerpts stand, in their order."""
        return tuple(excerpt.place for excerpt in self.excerpts)

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "query text excerpts tokens") | self.origin.to_dict()


def context(
    query: str,
    collection: Collection | str | os.PathLike[str],
    tokens: int = 2000,
    *,
    k: int | None = None,
    where: Where | None = None,
    mode: str = "dense",
    min_score: float | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> Context:
    """The passages of a collection that answer a question best, as one text for a prompt, with their sources.

    Passages are taken best first, as long as they fit; one that does not leaves its room to the next. Those that
    follow each other in their document become one excerpt, in which nothing stands twice.

    Args:
        query: The question.
        collection: A Collection, or its folder.
        tokens: How many tokens the text may have, the lines with the sources included.
        k: How many passages at most; None for as many as fit.
        where: Only documents whose metadata fit, as in `Collection.search`.
        mode: "dense", "lexical" or "hybrid", as there.
        min_score: Leave out passages that score less.
        count_tokens: How the model that reads the prompt counts the tokens of a text; None for how the
            collection's own model does.

    Returns:
        A Context; without excerpts where nothing was found, or nothing fits.

    Raises:
        InputError: The query is empty, or `tokens` is below 1.

    Example:
        >>> import tempfile, pathlib, nearsense as ns
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "plants.txt").write_text("Water the plants on Mondays.")
        >>> _ = (folder / "bank.txt").write_text("The bank closes at four.")
        >>> notes = ns.open(":memory:")
        >>> _ = notes.sync_documents(folder)
        >>> print(context("When do flowers get water?", notes, tokens=100, k=1))
        [1] plants.txt:1
        Water the plants on Mondays.
    """
    if isinstance(collection, str) or hasattr(collection, "__fspath__"):
        from nearsense.collection import open_collection

        with open_collection(collection, create=False) as opened:
            return context(
                query, opened, tokens, k=k, where=where, mode=mode, min_score=min_score, count_tokens=count_tokens
            )
    room, most = positive_int(tokens, "tokens"), None if k is None else positive_int(k, "k")
    count = _counting(collection, count_tokens)
    depth, asked = most or DEPTH, 0
    chosen: list[Hit] = []
    excerpts: list[Excerpt] = []
    while True:
        hits = collection.search(query, depth, where=where, mode=mode, min_score=min_score, all_passages=True)
        for hit in hits[asked:]:
            tried = _excerpts([*chosen, hit])
            if sum(count(f"{each}\n\n") for each in tried) <= room:
                chosen.append(hit)
                excerpts = tried
        asked, full = len(hits), len(chosen) < len(hits)
        if asked < depth or most is not None or full:
            break
        depth *= 4
    made = Context(query, tuple(excerpts), 0, hits.origin)
    return Context(query, made.excerpts, count(made.text) if excerpts else 0, hits.origin)


def _counting(collection: Collection, own: Any) -> Callable[[str], int]:
    known: dict[str, int] = {}
    if own is not None and not callable(own):
        fix = "give a function: lambda text: len(text.split())"
        raise InputError(f"count_tokens={own!r} counts nothing", fix=fix)
    of_model = counter(collection.encoder) if own is None else None

    def count(text: str) -> int:
        if text not in known:
            known[text] = int(own(text) if of_model is None else of_model([text])[0])
        return known[text]

    return count


def _excerpts(hits: Sequence[Hit]) -> list[Excerpt]:
    """Hits, best first, as excerpts: by document, and in the order of each."""
    documents: dict[str, list[Hit]] = {}
    for hit in hits:
        said = passage_of(hit.metadata)
        documents.setdefault(hit.id if said is None else str(said["document"]), []).append(hit)
    runs: list[list[Hit]] = []
    for own in documents.values():
        ordered = sorted(own, key=_number)
        for before, hit in zip([None, *ordered], ordered, strict=False):
            if before is not None and _number(hit) == _number(before) + 1:
                runs[-1].append(hit)
            else:
                runs.append([hit])
    return [_excerpt(number, run) for number, run in enumerate(runs, 1)]


def _number(hit: Hit) -> int:
    said = passage_of(hit.metadata)
    return -2 if said is None else int(said["number"])


def _excerpt(number: int, run: Sequence[Hit]) -> Excerpt:
    first, said = run[0], passage_of(run[0].metadata)
    passages = [Document(hit.id, hit.text or "", hit.metadata) for hit in run]
    text = own_text(passages[0]) if len(passages) == 1 else joined(passages)
    ids, score = tuple(hit.id for hit in run), max(hit.score for hit in run)
    if said is None:
        return Excerpt(number, first.id, first.id, (), text, ids, score)
    headings = tuple(map(str, said.get("headings", ())))
    return Excerpt(number, str(said["document"]), first.place or first.id, headings, text, ids, score)
