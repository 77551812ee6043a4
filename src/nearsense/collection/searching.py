"""What a collection answers: documents by their ids, and hits with their probabilities. Not how it changes."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense import filters
from nearsense._progress import Progress
from nearsense.calibration import Background, Calibration, Task, background_of
from nearsense.calibrator import Calibrated, Calibrator
from nearsense.checks import is_whole, positive_int, threshold
from nearsense.collection.documents import checked_ids
from nearsense.collection.engine import Answer, Engine, Facts, Question
from nearsense.collection.model import CollectionModel, checked_vectors, differing, recipe
from nearsense.documents.passages import passage_id, passage_of
from nearsense.errors import InputError, ModelError, ModelMismatch
from nearsense.querylog import Asked
from nearsense.records import CANDIDATES, Document, Hit, Metric, Mode, Origin, Ranking, Results, Vectors, parse
from nearsense.reranking import staged
from nearsense.text import as_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.filters import Filter, Where
    from nearsense.querylog import QueryLog

SAMPLE = 250
"""Documents that are compared with each other to see what random ones score."""
_SCORED: dict[Mode, Metric | Ranking] = {
    Mode.DENSE: Metric.COSINE,
    Mode.LEXICAL: Ranking.BM25,
    Mode.HYBRID: Ranking.FUSED,
}


class Answering:
    """The half of a Collection that is asked."""

    path: Path | str
    """Its folder, or its address without a password."""

    def __init__(self, engine: Engine, log: QueryLog | None = None) -> None:
        self._engine, self._log = engine, log
        self._own: tuple[str, Calibration] | None = None
        self._corpus: tuple[dict[str, Any], int, Background | None] | None = None

    @property
    def log(self) -> QueryLog | None:
        """What was asked of this collection; None where it is not logged. See `ns.open` and `set_log`."""
        return self._log

    @property
    def encoder(self) -> Encoder:
        """The model that makes this collection's vectors, loaded when it is first asked for."""
        return self._engine.model.encoder

    @property
    def calibration(self) -> Calibration | None:
        """What turns this collection's scores into probabilities; None for what comes with its model.

        Set it to what `ns.calibrate` gave, or to None: it is kept with the collection, and every search uses it.

        Raises:
            ModelMismatch: It is of another model.
        """
        return self._own_calibration(self._engine.facts())

    @calibration.setter
    def calibration(self, calibration: Calibration | None) -> None:
        facts, written = self._engine.facts(), None
        if calibration is not None and not isinstance(calibration, Calibration):
            raise InputError(
                f"calibration is of type {type(calibration).__name__}",
                fix="give what ns.calibrate or ns.load_calibration gave, or None",
            )
        if calibration is not None:
            calibration.require(facts["model"], facts["fingerprint"])
            written = json.dumps(calibration.to_dict())
        self._engine.set_facts({"calibration": written}, recipe(facts))

    def get(self, ids: str | Iterable[str]) -> list[Document | None]:
        """The documents with some ids, in their order; None where there is none."""
        wanted = checked_ids(ids)
        documents = self._engine.documents(wanted)
        return [documents.get(each) for each in wanted]

    def browse(self, first: int = 0, count: int = 25) -> list[Document]:
        """Some of the documents, in the order in which they came in.

        What comes before `first` is read over: this is for looking through, not for reading all (`documents`).

        Args:
            first: How many are left out before.
            count: How many at most.

        Raises:
            InputError: A number is below 0.

        Example:
            >>> import nearsense as ns
            >>> with ns.open(":memory:") as shop:
            ...     added = shop.add(["We ship at once.", "Gift cards for all.", "Open on Sundays."])
            ...     [document.text for document in shop.browse(1, 1)]
            ['Gift cards for all.']
        """
        if not (is_whole(first) and is_whole(count)):
            raise InputError(f"first={first!r}, count={count!r}", fix="give whole numbers from 0 up")
        every = (document for documents, _ in self._engine.stored() for document in documents)
        return list(islice(every, first, first + count))

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        min_score: float | None = None,
        mode: str = Mode.DENSE,
        exact: bool = False,
        rerank: CrossEncoder | str | None = None,
        candidates: int = CANDIDATES,
        calibration: Calibrated = None,
        prior: float | None = None,
        min_probability: float | None = None,
        all_passages: bool = False,
        repeats: bool = True,
    ) -> Results[Hit]:
        """The k documents that answer a query best; of a collection of passages, the best passage of each.

        Args:
            query: What is looked for, in plain words.
            k: How many hits at most; at least 1.
            where: Only documents whose metadata fit: `{"lang": "en", "year": {">=": 2020}}`. Where k fit, k are
                found.
            min_score: Leave out hits that score less in the end: with `rerank`, by the cross-encoder's score.
            mode: "dense" by meaning (scores are cosine similarities), "lexical" by words (BM25), "hybrid" by both
                (reciprocal rank fusion; scores are at most 2/61).
            exact: Compare with every vector instead of asking the index.
            rerank: A CrossEncoder or a model's name: it reads the candidates beside the query and puts them in
                order. Hits then have its score, and what the search gave them as `retrieval_score`.
            candidates: How many hits it is given; k where that is more. Only with `rerank`.
            calibration: What turns scores into probabilities: a Calibration, its file, "passage", "question",
                "paraphrase" or "none". Without it the collection's own, or "passage", if it comes with the model.
            prior: The share of the hits that are right before their scores are seen, within (0, 1).
                Without it the calibration's own, or one right text among the nearest 10.
            min_probability: Leave out hits that are less probable, in [0, 1].
            all_passages: Let a document count as often as passages of it are found; else once, by its best one.
            repeats: Let each of several equal texts count; else the best ranked one does, and has the ids of the
                others as `alike`: k texts that differ are found, where there are so many.

        Returns:
            Hits, best first; of those that score alike first the one that is written like the query. Each says
            what differs from the query, which lowers its probability, not its score.

        Raises:
            InputError: The query is empty, k is below 1, the filter is not well formed or names an unknown field.
            ModelMismatch: The model at hand is not the one that made the vectors, or the calibration's.
            ModelNotFound: The cross-encoder is neither here nor to be had; nothing was searched then.
        """
        return self.search_many(
            [query],
            k,
            where=where,
            min_score=min_score,
            mode=mode,
            exact=exact,
            rerank=rerank,
            candidates=candidates,
            calibration=calibration,
            prior=prior,
            min_probability=min_probability,
            all_passages=all_passages,
            repeats=repeats,
        )[0]

    def search_many(
        self,
        queries: Iterable[str],
        k: int = 10,
        *,
        where: Where | None = None,
        min_score: float | None = None,
        mode: str = Mode.DENSE,
        exact: bool = False,
        rerank: CrossEncoder | str | None = None,
        candidates: int = CANDIDATES,
        calibration: Calibrated = None,
        prior: float | None = None,
        min_probability: float | None = None,
        all_passages: bool = False,
        repeats: bool = True,
        progress: Progress = False,
    ) -> list[Results[Hit]]:
        """The k best documents for each of many queries: one list each, in their order. See `search`."""
        texts, chosen = as_texts(queries, "query", content=True), parse(Mode, mode, name="mode")
        stages = staged(rerank, k, candidates, threshold(min_score))
        calibrator = Calibrator(Task.PASSAGE, calibration, prior, min_probability)
        parsed = as_filter(where)
        asked = Asked.now(f"{chosen}+rerank" if stages.cross else chosen, k, parsed, min_probability)

        def ask(model: CollectionModel, progress: Progress) -> Answer:
            vectors = None
            if texts and chosen is not Mode.LEXICAL:
                vectors = model.encode(texts, role="query", progress=progress).data
            question = Question(texts, vectors, stages.depth, chosen, model.known, parsed, stages.floor, exact)
            return self._ranked(question, all_passages, repeats)

        model = self._engine.model
        try:
            answer = ask(model, progress)
        except ModelMismatch:
            with self._engine.reembed_lock:
                current = self._engine.model
            if current is model:
                raise
            model, answer = current, ask(current, False)  # it went over to another meanwhile
        found = stages.finish(_hits(answer, texts, chosen), progress)
        encoder = None if stages.cross or chosen is Mode.LEXICAL or not texts else model.encoder
        return self._judge_and_log(asked, calibrator, found, answer.facts, encoder, stages.cross)

    def nearest(
        self,
        vectors: Vectors | NDArray[np.float32],
        k: int = 10,
        *,
        where: Where | None = None,
        min_score: float | None = None,
        exact: bool = False,
        calibration: Calibrated = None,
        prior: float | None = None,
        min_probability: float | None = None,
        all_passages: bool = False,
    ) -> list[Results[Hit]]:
        """The k nearest documents of each of many vectors, shape (q, d). See `search`."""
        calibrator, parsed = Calibrator(Task.PASSAGE, calibration, prior, min_probability), as_filter(where)
        asked = Asked.now("vector", k, parsed, min_probability)
        checked = checked_vectors(vectors, self._engine.facts(), None, lambda row: f"query {row}")
        made = {"fingerprint": checked.fingerprint, "model": checked.model}
        texts, k, least = [""] * len(checked), positive_int(k, "k"), threshold(min_score)
        question = Question(texts, checked.data, k, Mode.DENSE, made, parsed, least, exact)
        answer = self._ranked(question, all_passages)
        asked = replace(asked, vectors=checked.data)
        return self._judge_and_log(asked, calibrator, _hits(answer, texts, Mode.DENSE), answer.facts)

    search_vectors = nearest

    def similar(
        self,
        id: str,  # noqa: A002 - what it is called everywhere
        k: int = 10,
        *,
        where: Where | None = None,
        min_score: float | None = None,
        calibration: Calibrated = None,
        prior: float | None = None,
        min_probability: float | None = None,
    ) -> Results[Hit]:
        """More like this: the k documents nearest to one of the collection, itself left out.

        Of a collection of passages, `id` names one of them, "guide.md#3", or a document, "guide.md": what is near
        the mean of its passages. Either way other documents are found, each by its best passage.

        Probabilities say whether two documents mean the same: without a calibration "paraphrase" is used.

        Raises:
            InputError: There is no document with that id.
        """
        calibrator = Calibrator(Task.PARAPHRASE, calibration, prior, min_probability)
        if not isinstance(id, str):
            raise InputError(f"the id {id!r} is of type {type(id).__name__}", fix="give one id, a string")
        parsed, k, least = as_filter(where), positive_int(k, "k"), threshold(min_score)

        def near() -> tuple[str, str, Answer]:
            facts = self._engine.facts()
            for documents, vectors in self._engine.stored([id] if self._engine.documents([id]) else self._ids(id)):
                data = vectors.data if len(documents) == 1 else _mean(vectors.data)
                first = documents[0]
                text, of = first.text if len(documents) == 1 else "", document_of(first.id, first.metadata)
                question = Question([text], data, k + 1, Mode.DENSE, facts, parsed, least)
                return text, of, self._ranked(question, False)
            raise InputError(f"there is no document {id!r} in {self.path}", fix="check the id")

        try:
            text, whose, answer = near()
        except ModelMismatch:  # it went over to another model meanwhile
            text, whose, answer = near()
        known = [hit for hit in _hits(answer, [text], Mode.DENSE)[0] if hit.id != id]
        others = [hit for hit in known if document_of(hit.id, hit.metadata) not in (id, whose)][:k]
        hits = Results(
            (replace(hit, rank=rank) for rank, hit in enumerate(others, 1)), _origin(answer, Mode.DENSE), text
        )
        return self._judge_and_log(None, calibrator, [hits], answer.facts, self._reader(answer.facts))[0]

    def passages(self, document: str) -> list[Document]:
        """The passages of a document, in their order; none of what is no document of a collection of passages.

        Args:
            document: The document's id, "guide.md".
        """
        there = self._engine.documents(ids := self._ids(document))
        return [there[each] for each in ids if each in there]

    def neighbours(self, id: str, n: int = 1) -> tuple[list[Document], list[Document]]:  # noqa: A002 - as in similar
        """The n passages before a passage, and the n behind it, in the order of their document.

        Args:
            id: The passage's id, "guide.md#3": a hit's.
            n: How many on each side at most; at least 1.

        Raises:
            InputError: There is no passage with that id, or n is below 1.
        """
        count = positive_int(n, "n")
        found = self.get(id)[0]
        said = None if found is None else passage_of(found.metadata)
        if said is None:
            raise InputError(
                f"there is no passage {id!r} in {self.path}", fix="give the id of a hit, guide.md#3 say"
            )
        at = int(said["number"])
        ids = [passage_id(said["document"], number) for number in range(max(0, at - count), at + count + 1)]
        there = self._engine.documents(ids)
        before, after = ids[: min(at, count)], ids[min(at, count) + 1 :]
        return [there[each] for each in before if each in there], [there[each] for each in after if each in there]

    def locate(self, hit: Hit) -> str | None:
        """Where a hit stands, as programs open it: `notes/guide.md:12`, `notes/guide.pdf#page=3`.

        The path is from where one is, if it lies there. None for what stands in no file.
        """
        known = self._engine.facts().get("passages")
        if hit.place is None or known is None:
            return hit.place
        from nearsense.collection.folders import path_of

        return path_of(known["root"], hit.place)

    def _ids(self, document: str) -> list[str]:
        """The ids of a document's passages."""
        first = passage_id(document, 0)
        known = self._engine.documents([first]).get(first)
        said = None if known is None else passage_of(known.metadata)
        return [] if said is None else [passage_id(document, number) for number in range(int(said["count"]))]

    def _ranked(self, question: Question, all_passages: bool, repeats: bool = True) -> Answer:
        """The best documents for each query; of a collection of passages the best of each, unless all count.

        So many passages, or texts that are repeated, are asked for as it takes to find k documents.
        """
        if all_passages and repeats:
            return self._engine.ranked(question)
        k, depth = question.k, question.k * 3 if self._engine.model.known.get("passages") else question.k
        while True:
            answer = self._engine.ranked(replace(question, k=depth + (not repeats)))
            once = bool(answer.facts.get("passages")) and not all_passages
            if repeats and not once:
                return answer
            found = [_first(ranked, k, once, repeats) for ranked in answer.ranked]
            asked = zip(answer.ranked, found, strict=True)
            if all(enough or len(ranked) < depth for ranked, (_, _, enough) in asked):
                return Answer([best for best, _, _ in found], answer.facts, [alike for _, alike, _ in found])
            depth *= 4

    def _reader(self, facts: Facts) -> Encoder | None:
        """The model, which tells what it does not read; None where it is not to be had."""
        try:
            self._engine.model.require_unchanged(facts)
            return self._engine.model.encoder
        except ModelError:
            return None

    def _own_calibration(self, facts: Facts) -> Calibration | None:
        """What the collection remembers of what its scores mean; None where it is of a model of before."""
        known = facts.get("calibration")
        if known is None:
            return None
        if self._own is None or self._own[0] != known:
            self._own = known, Calibration.from_dict(json.loads(known))
        found = self._own[1]
        return found if found.fingerprint == facts["fingerprint"] else None

    def _background(self, facts: Facts) -> Background | None:
        """What random documents of this collection score; measured anew when it has grown or shrunk by a tenth."""
        documents, made, known = facts["documents"], recipe(facts), self._corpus
        if known is None or differing(known[0], made) or abs(known[1] - documents) * 10 > known[1]:
            scores = background_of(self._engine.sample(SAMPLE), sample=SAMPLE)
            self._corpus = known = made, documents, scores
        return known[2]

    def _judge_and_log(
        self,
        asked: Asked | None,
        calibrator: Calibrator,
        found: list[Results[Hit]],
        facts: Facts,
        encoder: Encoder | None = None,
        cross: CrossEncoder | None = None,
    ) -> list[Results[Hit]]:
        """The hits with their probabilities, by the collection's own calibration where nothing else is said.

        Every verb ends here: where a log is kept, it gets what was `asked`; None for what is no question of
        somebody's own.
        """
        own = self._own_calibration(facts) if calibrator.calibration is None and found else None
        if own is not None and own.fits(found[0].origin):
            calibrator = replace(calibrator, calibration=own)
        background = functools.partial(self._background, facts)
        told = calibrator.hits(found, facts["documents"], background, encoder=encoder, cross=cross)
        if self._log is not None and asked is not None:
            self._log.record(asked, told)
        return told


def document_of(id_: str, metadata: Mapping[str, Any]) -> str:
    """The id of the document that a passage is of; what is no passage is one itself."""
    said = passage_of(metadata)
    return id_ if said is None else str(said["document"])


Alike = dict[str, list[str]]


def _first(
    ranked: list[tuple[Document, float]], k: int, once: bool, repeats: bool
) -> tuple[list[tuple[Document, float]], Alike, bool]:
    """The k best documents, of each its best passage where it counts `once`, of equal texts one but for `repeats`.

    Beside them what equals them, by their ids; and whether more would change nothing: equal texts score alike, so
    the next text that differs is the end of those.
    """
    best: list[tuple[Document, float]] = []
    seen: set[str] = set()
    texts: dict[str, str] = {}
    alike: Alike = {}
    for document, score in ranked:
        whole = document_of(document.id, document.metadata) if once else document.id
        if whole in seen:
            continue
        seen.add(whole)
        if document.text and not repeats and (first := texts.get(document.text)) is not None:
            alike.setdefault(first, []).append(document.id)
        elif len(best) == k:
            return best, alike, True
        else:
            best.append((document, score))
            texts[document.text] = document.id
    return best, alike, len(best) == k and repeats


def _mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The direction of the mean of vectors of shape (n, d), as a row; of a sum of nothing the first's."""
    import numpy as np

    total = vectors.sum(axis=0, keepdims=True)
    length = np.linalg.norm(total)
    return total / length if length > 1e-6 else vectors[:1]


def as_filter(where: Where) -> Filter | None:
    """A filter, parsed; None where everything passes."""
    parsed = filters.parse(where)
    return None if filters.passes_all(parsed) else parsed


def _origin(answer: Answer, mode: Mode) -> Origin:
    return Origin(answer.facts["model"], answer.facts["fingerprint"], _SCORED[mode])


def _hits(answer: Answer, queries: list[str], mode: Mode) -> list[Results[Hit]]:
    origin = _origin(answer, mode)
    return [
        Results(
            [
                Hit(
                    rank,
                    document.id,
                    score,
                    None,
                    document.text,
                    document.metadata,
                    alike=tuple(alike.get(document.id, ())),
                )
                for rank, (document, score) in enumerate(ranked, 1)
            ],
            origin,
            query,
        )
        for query, ranked, alike in zip(queries, answer.ranked, answer.alike or repeat({}), strict=False)
    ]
