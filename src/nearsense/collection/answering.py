"""What a collection answers: documents by their ids, and hits with their probabilities. Not how it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress
from nearsense.calibration import Calibration, Task
from nearsense.calibrator import Calibrated, Calibrator
from nearsense.checks import positive_int
from nearsense.collection.answers import answers, as_score
from nearsense.collection.checks import checked_ids, checked_vectors
from nearsense.collection.live import Live
from nearsense.errors import InputError, ModelError, ModelMismatch
from nearsense.records import CANDIDATES, Document, Hit, Mode, Results, Vectors, parse
from nearsense.reranking import staged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.filters import Where

__all__ = ["Answering"]


class Answering:
    """The half of a Collection that is asked."""

    path: Path
    _live: Live

    @property
    def calibration(self) -> Calibration | None:
        """What turns this collection's scores into probabilities; None for what comes with its model.

        Set it to what `ns.calibrate` gave, or to None: it is kept with the collection, and every search uses it.

        Raises:
            ModelMismatch: It is of another model.
        """
        return self._live.calibration()

    @calibration.setter
    def calibration(self, calibration: Calibration | None) -> None:
        self._live.remember(calibration)

    def get(self, ids: str | Iterable[str]) -> list[Document | None]:
        """The documents with some ids, in their order; None where there is none."""
        wanted = checked_ids(ids)
        with self._live.store.reading() as reader:
            positions = reader.positions(wanted)
            documents = reader.documents(list(positions.values()))
        return [documents[positions[each]] if each in positions else None for each in wanted]

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
    ) -> Results[Hit]:
        """The k documents that answer a query best.

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
        progress: Progress = False,
    ) -> list[Results[Hit]]:
        """The k best documents for each of many queries: one list each, in their order. See `search`."""
        from nearsense.text import as_texts

        texts, chosen = as_texts(queries, "query", content=True), parse(Mode, mode, name="mode")
        stages = staged(rerank, k, candidates, as_score(min_score))
        calibrator = Calibrator(Task.PASSAGE, calibration, prior, min_probability)

        def asked(vectors: Vectors | None, made: Mapping[str, Any]) -> list[Results[Hit]]:
            return self._live.healed(
                lambda: answers(
                    self._live,
                    texts,
                    vectors,
                    made,
                    stages.depth,
                    where=where,
                    min_score=stages.floor,
                    mode=chosen,
                    exact=exact,
                )
            )

        if chosen is Mode.LEXICAL or not texts:
            return self._with_probabilities(
                calibrator, stages.finish(asked(None, {}), progress), cross=stages.cross
            )
        binding, facts = self._live.bound()
        try:
            found = asked(binding.encode(texts, role="query", progress=progress), facts)
        except ModelMismatch:
            if binding is self._live.binding:
                raise
            binding, facts = self._live.bound()  # it went over to another meanwhile
            found = asked(binding.encode(texts, role="query"), facts)
        found = stages.finish(found, progress)
        return self._with_probabilities(calibrator, found, None if stages.cross else binding.encoder, stages.cross)

    def search_vectors(
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
    ) -> list[Results[Hit]]:
        """The k nearest documents of each of many vectors, shape (q, d). See `search`."""
        calibrator = Calibrator(Task.PASSAGE, calibration, prior, min_probability)
        return self._with_probabilities(
            calibrator, self._nearest(vectors, k, where=where, min_score=min_score, exact=exact)
        )

    def _nearest(
        self,
        vectors: Vectors | NDArray[np.float32],
        k: int,
        *,
        where: Where | None,
        min_score: float | None,
        exact: bool = False,
        made: Mapping[str, Any] | None = None,
        text: str = "",
    ) -> list[Results[Hit]]:
        """As `search_vectors`, without probabilities.

        `made` tells how the collection read texts when it made the vectors, `text` is what they are of.
        """
        asked = checked_vectors(vectors, self._live.facts(), None, lambda row: f"query {row}")
        texts = [text] * len(asked)
        made = {"fingerprint": asked.fingerprint, "model": asked.model} if made is None else made
        return self._live.healed(
            lambda: answers(
                self._live, texts, asked, made, k, where=where, min_score=min_score, mode=Mode.DENSE, exact=exact
            )
        )

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

        Probabilities say whether two documents mean the same: without a calibration "paraphrase" is used.

        Raises:
            InputError: There is no document with that id.
        """
        calibrator = Calibrator(Task.PARAPHRASE, calibration, prior, min_probability)

        def near() -> tuple[str, Results[Hit]]:
            text, vector, made = self._one(id)
            depth = positive_int(k, "k") + 1
            found = self._nearest(vector, depth, where=where, min_score=min_score, made=made, text=text)
            return text, found[0]

        try:
            text, found = near()
        except ModelMismatch:  # it went over to another model meanwhile
            text, found = near()
        others = [hit for hit in found if hit.id != id][:k]
        ranked = (replace(hit, rank=rank) for rank, hit in enumerate(others, 1))
        return self._with_probabilities(calibrator, [Results(ranked, found.origin, text)], self._reader())[0]

    def _reader(self) -> Encoder | None:
        """The model, which tells what it does not read; None where it is not to be had."""
        try:
            return self._live.bound()[0].encoder
        except ModelError:
            return None

    def _one(self, id_: str) -> tuple[str, Vectors, dict[str, Any]]:
        """A document's text and vector, and what the collection kept about itself at that moment."""
        with self._live.store.reading() as reader:
            position = reader.positions(checked_ids(id_)).get(id_)
            if position is None:
                raise InputError(f"there is no document {id_!r} in {self.path}", fix="check the id")
            facts, cut = reader.state().facts, reader.truncated_at([position])
            vector = Vectors(reader.vectors([position]), facts["fingerprint"], cut, facts["model"])
            return reader.documents([position])[position].text, vector, facts

    def _with_probabilities(
        self,
        calibrator: Calibrator,
        found: list[Results[Hit]],
        encoder: Encoder | None = None,
        cross: CrossEncoder | None = None,
    ) -> list[Results[Hit]]:
        """The hits with their probabilities, by the collection's own calibration where nothing else is said."""
        own = self._live.calibration() if calibrator.calibration is None and found else None
        if own is not None and own.fits(found[0].origin):
            calibrator = replace(calibrator, calibration=own)
        return calibrator.hits(found, self._live.documents(), self._live.corpus, encoder=encoder, cross=cross)
