"""What both engines with a database behind them do alike: by one moment that is read, one change in one's turn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from nearsense._progress import Progress
from nearsense.collection.engine import Batch, Engine, Facts, require_new
from nearsense.collection.model import CollectionModel, require_same_recipe
from nearsense.collection.reembedding import reembed
from nearsense.records import Document
from nearsense.reports import Reembedding

T = TypeVar("T")


class LastingEngine(Engine):
    """An engine over a store, whose readers and writers are those of `store/tables.py` or `postgres_tables.py`."""

    @abstractmethod
    def read(self, action: Callable[[Any], T]) -> T:
        """What an action makes of one moment, a reader; it may be asked more than once."""

    @abstractmethod
    def change(self, action: Callable[[Any], int]) -> int:
        """Change something by a writer, once: all of it is kept, or nothing. The action may be called again."""

    @abstractmethod
    def prepared(self, batch: Batch) -> Callable[[Any], object]:
        """What puts a batch into a change; what takes time is done before it is one's turn."""

    @abstractmethod
    def schedule_build(self) -> None:
        """Have what makes searching fast made in the background, if it is time."""

    def begin(self) -> None:
        """Give the collection its first facts where it has none, and see that its model is this engine's."""
        facts = self.read(lambda reader: reader.state().facts)
        if "fingerprint" not in facts:
            own = self.model.facts()

            def begin(writer: Any) -> int:
                if "fingerprint" not in writer.state().facts:
                    writer.begin(own)
                return 0

            self.change(begin)
            facts = self.read(lambda reader: reader.state().facts)
        self.model.require(facts)

    def set_facts(self, facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        def replace(writer: Any) -> int:
            require_same_recipe(writer.state().facts, recipe, self.name)
            writer.set_facts(facts)
            return 0

        self.change(replace)

    def write(self, batches: Iterable[Batch], recipe: Mapping[str, Any], *, replace: bool) -> None:
        for batch in batches:
            insert = self.prepared(batch)

            def put(writer: Any, batch: Batch = batch, insert: Callable[[Any], object] = insert) -> int:
                require_same_recipe(writer.state().facts, recipe, self.name)
                there = writer.positions(document.id for document in batch.documents)
                if not replace:
                    require_new(batch.documents, there, self.name)
                elif there:
                    writer.remove(sorted(there.values()))
                insert(writer)
                return len(batch.documents)

            self.change(put)
        self.schedule_build()

    def facts(self) -> Facts:
        state = self.read(lambda reader: reader.state())
        return {**state.facts, "documents": state.documents}

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        def find(reader: Any) -> dict[str, Document]:
            found = reader.documents([*reader.positions(ids).values()])
            return {document.id: document for document in found.values()}

        return self.read(find)

    def reembed(self, model: CollectionModel, progress: Progress) -> Reembedding:
        return reembed(self, model, progress)
