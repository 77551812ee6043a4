"""The FAQ itself: made of items once, then asked. The parts are in the files beside this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from nearsense._progress import Progress
from nearsense.checks import is_number, positive_int
from nearsense.encoders import CrossEncoder, Encoder, resolve, resolve_cross
from nearsense.errors import InputError
from nearsense.faq.answers import Answer, Candidates, Gap, Outcome, OwnQuestions, Unanswered, hits_of, reason_of
from nearsense.faq.certainty import (
    AnswerThreshold,
    Rehearsal,
    best_scores_of,
    choose_threshold,
    entry_probabilities,
    features,
    intervals,
    rehearse,
)
from nearsense.faq.entries import Exports, FAQItem, Source, read_items, rows_of
from nearsense.faq.nearness import GONE, Questions, Reader
from nearsense.querylog import Asked, QueryLog, open_log
from nearsense.records import Document, Hit, Origin, Results
from nearsense.reranking import rerank_many
from nearsense.text import as_texts
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Int64 = NDArray[np.int64]

NEAR_MISSES = 3  # candidates that an answer comes with
RAREST = 1e-6  # the least prior: beyond it no evidence is strong enough
LISTED = 3  # entries that are suggested at most

LIKELY = 0.4
"""How likely the FAQ has to know the answer, to suggest entries: below it most questions are strangers'."""

HELD = 0.9
"""How likely one of them has to be the right one, if the FAQ has it: above what is promised, for FAQs differ."""

RERANKED = 10  # entries that a cross-encoder reads beside a question
SAME, SAME_AT_LEAST = (
    0.999,
    0.99,
)  # how probable an entry is at least whose question was asked; where its interval begins
BLOCK = 256  # questions that are compared at once


class FAQ:
    """Questions with answers, that answers other questions where it is sure enough, and else says that it is not.

    Where it is not, it asks back ("did you mean") with three entries at most, if the right one is probably among
    them.

    An entry may have several phrasings. From them, and from what its questions score when their own entry is left
    out, the FAQ learns how sure it can be; without them it goes by what other FAQs taught.

    Args:
        items: Records with question, answer, phrasings, category, id; or FAQItems, Documents (the answer in their
            metadata), strings; or a frame or the path of a file with such columns; or a Collection. Rows that
            share an id, or without ids an answer of five words or more, are phrasings of one entry.
        encoder: An Encoder or a model's name; the default model, or the collection's, without it.
        precision: Which share of the answers shall be right; the threshold is chosen for it.
        prior: Which share of the questions the FAQ can answer, from 1e-6.
        labelled: Questions as users ask them with the id of their entry, None for none: how sure the FAQ is, and
            its threshold, go by these.
        strangers: Questions that it shall not answer; they join those that come with the package.
        reranker: A CrossEncoder or a model's name, that reads the best entries beside each question and orders
            them: where it prefers another one, there is no answer but both are suggested.
        columns: What columns are called: `{"question": "title", "answer": "body"}`.
        format: Of a file whose name does not tell.
        encoding: Of a file.
        log: Where what is asked is logged: a folder of its own, or a QueryLog, `collection.log` or one of
            `ns.querylog.open_log`. Without it nothing is.
        progress: True for a bar on stderr, or a function called with (done, total).

    Raises:
        InputError: An item cannot be an entry, two entries ask the same, or a number is out of its range.
        FileError: The file cannot be read, or one of its lines cannot be an entry.

    Example:
        >>> import nearsense as ns
        >>> faq = ns.FAQ([{"question": "How do I return a product?", "answer": "Within 30 days, by post."},
        ...               {"question": "How long does shipping take?", "answer": "Two days."}])
        >>> faq.answer("When will my package arrive?").text
        'Two days.'
        >>> print(faq.answer("What is the capital of France?").hit)
        None
    """

    def __init__(
        self,
        items: Source,
        *,
        encoder: Encoder | str | None = None,
        precision: float = 0.9,
        prior: float = 0.5,
        labelled: Iterable[tuple[str, str | None]] | None = None,
        strangers: Iterable[str] = (),
        reranker: CrossEncoder | str | None = None,
        columns: Mapping[str, str] | None = None,
        format: str | None = None,  # noqa: A002 - the flag's name
        encoding: str = "auto",
        log: QueryLog | str | os.PathLike[str] | None = None,
        progress: Progress = False,
    ) -> None:
        self.prior = _share(prior, "prior", RAREST)
        wanted = _share(precision, "precision")
        self.items = read_items(items, columns, format, encoding)
        known = None if labelled is None else rows_of(labelled, self.items)
        self.log = log if log is None or isinstance(log, QueryLog) else open_log(log)
        foreign = as_texts(strangers, "stranger", content=True)
        if encoder is None and isinstance(items, Exports):
            encoder = str(items.info().model)
        self.encoder = resolve(encoder)
        self._cross = None if reranker is None else resolve_cross(reranker)
        self._texts = [text for item in self.items for text in (item.question, *item.phrasings)]
        self._reader = Reader(self.encoder, [*self._texts, *(item.answer or "" for item in self.items)])
        book = self._reader.phrasebook(self.items, progress)
        self._worded = book.words is not None
        outside = self._reader.strangers(foreign, self._worded)
        taught = None
        self._strangers, self._labelled = foreign, None if known is None else _pairs_of(known, self.items)
        if known is not None:
            taught = self._reader.questions(known[0], self._worded), np.array(known[1], np.int64)
        self._rehearsal = rehearse(book, outside, self._reader.spread, taught, progress)
        self._own = OwnQuestions(self._texts)
        self._origin = Origin(self.encoder.name, self.encoder.fingerprint)
        self._unanswered = Unanswered()
        self.threshold: AnswerThreshold = choose_threshold(self._rehearsal, wanted, self.prior)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        entries = f"{len(self):,} entr{'y' if len(self) == 1 else 'ies'}"
        return f"FAQ({entries}, {len(self._texts):,} phrasings, {self.encoder.name}, {self.threshold})"

    def __getstate__(self) -> NoReturn:
        raise TypeError("a FAQ cannot be pickled or copied: make another of the same items, FAQ(faq.items)")

    @property
    def rehearsal(self) -> Rehearsal:
        """What the FAQ knows of itself: how it compares, its curves, the questions that it asked itself."""
        return self._rehearsal

    @property
    def unanswered(self) -> dict[str, int]:
        """Questions that got no answer and how often they were asked, the most frequent first.

        10,000 different ones at most, of each its first 1,000 characters.
        """
        return self._unanswered.counts()

    def match(self, question: str, k: int = 5) -> Results[Hit]:
        """The k entries that are most likely meant, whether or not one is likely enough to answer.

        Args:
            question: In plain words.
            k: How many at most.

        Returns:
            One hit an entry, best first: `text` is its question; the metadata have `answer`, `category` and
            `phrasing`, the one of its phrasings that is nearest.

        Raises:
            InputError: The question is empty, or k is below 1.
        """
        return self.match_many([question], k)[0]

    def match_many(self, questions: Iterable[str], k: int = 5) -> list[Results[Hit]]:
        """As `match`, for many questions, encoded together.

        Args:
            questions: In plain words.
            k: How many entries of each at most.

        Raises:
            InputError: A question is empty, or k is below 1.
        """
        found = self._candidates(questions, positive_int(k, "k"))
        return hits_of(found, self._origin, self.prior, self.encoder)

    def answer(self, question: str, k: int = NEAR_MISSES) -> Answer:
        """The answer, or none with the near misses; a question without one is kept in `unanswered`.

        Args:
            question: In plain words.
            k: How many candidates come with it at most.

        Raises:
            InputError: The question is empty, or k is below 1.
        """
        return self.answer_many([question], k)[0]

    def answer_many(self, questions: Iterable[str], k: int = NEAR_MISSES) -> list[Answer]:
        """As `answer`, for many questions, encoded together.

        Args:
            questions: In plain words.
            k: How many candidates come with each at most.

        Raises:
            InputError: A question is empty, or k is below 1.
        """
        wanted = positive_int(k, "k")
        asked = Asked.now("faq", wanted, named=True)
        found = self._candidates(questions, max(wanted, LISTED))
        hits = hits_of(found, self._origin, self.prior, self.encoder)
        answers = [self._answer(own, each, wanted) for own, each in zip(hits, found, strict=True)]
        if self.log is not None:
            self.log.record(asked, hits, [answer.answered for answer in answers])
        return answers

    def with_items(self, items: Source, *, progress: Progress = False) -> FAQ:
        """The same FAQ with other entries: its model, what it was taught, its log, what was asked in vain stay.

        Args:
            items: All entries, as for a FAQ.
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            Another FAQ; this one is as it was.

        Raises:
            InputError: As for a FAQ; or an entry is missing that labelled questions are of.

        Example:
            >>> import nearsense as ns
            >>> faq = ns.FAQ(["How long does shipping take?"])
            >>> faq.answer("Do you sell gift cards?").hit, len(faq.unanswered)
            (None, 1)
            >>> more = faq.with_items([*faq.items, {"question": "Do you sell gift cards?", "answer": "Yes."}])
            >>> more.answer("do you sell gift cards").text, len(more.unanswered)
            ('Yes.', 0)
        """
        made = FAQ(
            items,
            encoder=self.encoder,
            precision=self.threshold.wanted,
            prior=self.prior,
            labelled=self._labelled,
            strangers=self._strangers,
            reranker=self._cross,
            log=self.log,
            progress=progress,
        )
        made._unanswered = self._unanswered.without(lambda question: made._own.find(question) is not None)
        return made

    def gaps(self, min_score: float = 0.5) -> list[Gap]:
        """What people ask and the FAQ does not answer, grouped by meaning, the most asked first.

        Args:
            min_score: The least cosine similarity between a group's most central question and the rest.

        Raises:
            InputError: `min_score` is no number from -1 to 1.

        Example:
            >>> import nearsense as ns
            >>> faq = ns.FAQ(["How long does shipping take?"])
            >>> none = faq.answer_many(["Do you sell gift cards?", "can I buy a gift card", "Tell me a joke"])
            >>> [gap.count for gap in faq.gaps()]
            [2, 1]
        """
        return self._unanswered.gaps(min_score)

    def _candidates(self, questions: Iterable[str], k: int) -> list[Candidates]:
        """The k best entries of each question."""
        texts = as_texts(questions, "question", content=True)
        if not texts:
            return []
        asked = self._reader.questions(texts, self._worded)
        found = []
        for part in blocks(len(texts), BLOCK):
            found += self._candidates_of_block(texts[part], asked.take(part), k)
        return found

    def _candidates_of_block(self, texts: list[str], asked: Questions, k: int) -> list[Candidates]:
        scored, curves, scale = self._rehearsal.near.scored(asked), self._rehearsal.curves, self._rehearsal.scale
        scores, best = scored.scores, best_scores_of(scored, np.full(len(asked), -1))
        x = best.features(scale)
        few = scores.shape[1] <= LISTED
        fourth = np.full(len(scores), GONE) if few else np.partition(scores, -LISTED - 1)[:, -LISTED - 1]
        listed = curves.among_three(features(best.first, fourth, scale, best.least))
        sure = np.column_stack([*curves.probabilities(x, self.prior), *curves.spreads(x), listed])
        columns = texts, asked.vectors, scores, self._orders(texts, scores), sure.tolist()
        return [self._candidates_of(*each, k) for each in zip(*columns, strict=True)]

    def _orders(self, questions: list[str], scores: Float32) -> list[tuple[Int64, int]]:
        """The entries of each question, (n,), best first, and which would be first by the vectors alone."""
        orders = np.argsort(-scores, axis=1, kind="stable")
        firsts = orders[:, 0].tolist()
        if self._cross is not None:
            texts = [" ".join(filter(None, (item.question, item.answer))) for item in self.items]
            read = [[Document(str(row), texts[row]) for row in own[:RERANKED].tolist()] for own in orders]
            reranked = rerank_many(questions, read, encoder=self._cross, calibration="none")
            for own, hits in zip(orders, reranked, strict=True):
                own[: len(hits)] = [int(hit.id) for hit in hits]
        return list(zip(orders, firsts, strict=True))

    def _candidates_of(
        self,
        question: str,
        vector: Float32,
        scores: Float32,
        ordered: tuple[Int64, int],
        sure: Sequence[float],
        k: int,
    ) -> Candidates:
        """The k best entries; first of all the one that has the question itself among its phrasings.

        `sure` is that the FAQ knows, that its best entry is it, the standard errors of both, and that it is one of
        the best three.
        """
        order, first = ordered
        know, right, *spreads, listed = sure
        chances = know * entry_probabilities(-np.sort(-scores), right, self._rehearsal.scale.unit)
        if order[0] != first:  # the cross-encoder and the vectors disagree: as likely the one as the other
            chances[:2] = chances[:2].mean()
        between = intervals(chances[:k], know, (spreads[0], spreads[1]))
        rows = list(zip(order[:k].tolist(), chances[:k].tolist(), between, strict=True))
        own = self._own.find(question)
        if own is not None:
            rows = self._own_first(own[0], order, chances, rows)
        entries, likely, ends = map(list, zip(*rows[:k], strict=True))
        near = [self._rehearsal.near.phrasing(vector, entry) for entry in entries]
        phrasings = [self._texts[row] for row, _ in near]
        if own is not None:
            phrasings[0] = self._texts[own[0]]
        return Candidates(
            question,
            vector,
            [self.items[entry] for entry in entries],
            phrasings,
            [float(scores[entry]) for entry in entries],
            [cosine for _, cosine in near],
            likely,
            ends,
            None if own is None else own[1],
            know,
            1.0 if len(scores) <= LISTED else listed,
        )

    def _own_first(self, row: int, order: Int64, chances: NDArray[np.float64], rows: list[Row]) -> list[Row]:
        """The candidates where one has the question itself: it is first, and little is left for the others."""
        entry = int(self._rehearsal.near.book.owner[row])
        mine = float(chances[order.tolist().index(entry)])
        chance = max(mine, SAME, self.threshold.probability)
        left = (1 - chance) / max(1 - mine, 1 - chance)
        others = [
            (each, p * left, (low * left, max(high * left, p * left)))
            for each, p, (low, high) in rows
            if each != entry
        ]
        return [(entry, chance, (min(SAME_AT_LEAST, chance), 1.0)), *others]

    def _answer(self, hits: Results[Hit], found: Candidates, k: int) -> Answer:
        best, least = hits[0], self.threshold.probability
        hit = best if best.probability is not None and best.probability >= least else None
        suggestions = () if hit else self._suggestions(hits, found)
        if hit is None:
            self._unanswered.add(found.question, found.vector)
        return Answer(
            found.question,
            hit,
            best.probability,
            least,
            Results(hits[:k], hits.origin, hits.query),
            reason_of(hits, least, found.own),
            best.differs or (),
            best.interval,
            best.unsure,
            Outcome.ANSWER if hit else Outcome.DID_YOU_MEAN if suggestions else Outcome.NONE,
            suggestions,
        )

    def _suggestions(self, hits: Results[Hit], found: Candidates) -> tuple[Hit, ...]:
        """The entries to ask back with; none where the right one is not likely among them.

        What differs makes it less likely that the FAQ knows; what the model cannot read is not suggested.
        """
        lost = sum(found.chances) - sum(hit.probability or 0.0 for hit in hits)
        if hits[0].unsure or found.known - lost < LIKELY or found.listed < HELD:
            return ()
        return tuple(
            hit
            for hit in hits[:LISTED]
            if not hit.unsure
            and hit.score > self._rehearsal.scale.outside
            and not any(each.startswith("unread: ") for each in hit.differs or ())
        )


Row = tuple[int, float, tuple[float, float]]
"""An entry, its probability and the interval of that."""


def _pairs_of(known: tuple[list[str], list[int]], items: Sequence[FAQItem]) -> list[tuple[str, str | None]]:
    """Labelled questions again with the ids of their entries."""
    return [(text, None if row < 0 else items[row].id) for text, row in zip(*known, strict=True)]


def _share(value: float, name: str, least: float = 0.0) -> float:
    if not is_number(value) or not 0 < value < 1 or value < least:
        between = f"from {least:g} to below 1" if least else "between 0 and 1"
        raise InputError(f"{name}={value!r} is out of range", fix=f"give a share {between}: {name}=0.5")
    return float(value)
