"""An open collection: its store, its model, the latest snapshot, and who keeps the derived files in order."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nearsense._forks import lock
from nearsense.calibration import Background as CorpusScores
from nearsense.calibration import Calibration, background_of
from nearsense.collection.background import Background, limit
from nearsense.collection.binding import Binding, differing, recipe, require_same_recipe
from nearsense.collection.derive import GENERATIONS, Cancelled, derive
from nearsense.collection.snapshot import Snapshot, refreshed
from nearsense.errors import InputError, NearsenseError
from nearsense.store import Reader, Writer, is_collection, open_store
from nearsense.store.generations import DamagedGeneration

__all__ = ["LARGE", "Live"]

T = TypeVar("T")
log = logging.getLogger("nearsense")

RETRIES = 3
SAMPLE = 250
"""Documents that are compared with each other to see what random ones score."""

LARGE = 100_000
"""Documents beyond which a search makes missing derived files first, instead of reading everything."""


class Live:
    """What the methods of a Collection share.

    Args:
        path: The collection's folder.
        binding: Its model.
        create: Make it if it is missing.
        network: Allow a network file system.
        accept_losses: Go on where commits were lost.
    """

    def __init__(
        self, path: Path, binding: Binding, *, create: bool, network: bool, accept_losses: bool = False
    ) -> None:
        self.path, self.binding = path, binding
        if create and not is_collection(path):
            binding.facts()  # a model that cannot be loaded leaves no empty collection behind
        self.store = open_store(path, create=create, network=network, accept_losses=accept_losses)
        try:
            with self.store.reading() as reader:
                facts = reader.state().facts
            if "fingerprint" not in facts:
                facts = binding.facts()
                with self.store.writing() as writer:
                    facts = writer.state().facts if "fingerprint" in writer.state().facts else facts
                    writer.set_facts(facts)
            binding.require(facts, path)
        except BaseException:
            self.store.close()
            raise
        self.generations = self.store.folder / GENERATIONS
        self.going_over = lock()
        self._snapshot: Snapshot | None = None
        self._calibration: tuple[str, Calibration] | None = None
        self._corpus: tuple[dict[str, Any], int, CorpusScores | None] | None = None
        self._distrusted: str | None = None
        self._guard = lock()
        self._background = Background(self._build_if_needed)

    def close(self) -> None:
        """Give everything back; a build that is going on is given up."""
        self._background.close()
        self.store.close()

    def facts(self) -> dict[str, Any]:
        """What the collection keeps about itself."""
        with self.store.reading() as reader:
            return reader.state().facts

    def bound(self) -> tuple[Binding, dict[str, Any]]:
        """The model and what the collection keeps about it; they agree.

        Raises:
            ModelMismatch: Another process gave the collection another model, or another way of reading.
        """
        with self.going_over:
            facts = self.facts()
            self.binding.require_unchanged(facts, self.path)
            return self.binding, facts

    def calibration(self) -> Calibration | None:
        """What the collection remembers of what its scores mean; None where it is of a model of before."""
        facts = self.facts()
        known = facts.get("calibration")
        if known is None:
            return None
        if self._calibration is None or self._calibration[0] != known:
            self._calibration = known, Calibration.from_dict(json.loads(known))
        found = self._calibration[1]
        return found if found.fingerprint == facts["fingerprint"] else None

    def remember(self, calibration: Calibration | None) -> None:
        """Keep a calibration with the collection; None forgets it.

        Raises:
            ModelMismatch: It is of another model.
        """
        if calibration is not None and not isinstance(calibration, Calibration):
            raise InputError(
                f"calibration is of type {type(calibration).__name__}",
                fix="give what ns.calibrate or ns.load_calibration gave, or None",
            )
        with self.changing() as writer:
            facts = writer.state().facts
            if calibration is not None:
                calibration.require(facts["model"], facts["fingerprint"])
            writer.set_facts({"calibration": None if calibration is None else json.dumps(calibration.to_dict())})

    def documents(self) -> int:
        """How many documents there are."""
        with self.store.reading() as reader:
            return reader.state().documents

    def corpus(self) -> CorpusScores | None:
        """What random documents of this collection score; measured anew when it has grown or shrunk by a tenth."""
        with self.seen() as (_, snapshot):
            documents, made = snapshot.state.documents, recipe(snapshot.state.facts)
            known = self._corpus
            if known is None or differing(known[0], made) or abs(known[1] - documents) * 10 > known[1]:
                self._corpus = known = made, documents, background_of(snapshot.sample(SAMPLE), sample=SAMPLE)
        return known[2]

    @contextlib.contextmanager
    def changing(self, facts: Mapping[str, Any] | None = None) -> Iterator[Writer]:
        """A change, when it is one's turn.

        Args:
            facts: The collection still has to have the model that these tell of, and to read as they do.
        """
        with self.store.writing() as writer:
            if facts is not None:
                require_same_recipe(writer.state().facts, facts, self.path)
            yield writer

    def overdue(self) -> bool:
        """Whether so much changed that derived files should be made."""
        with self.store.reading() as reader:
            (changes, rows), generation = reader.pending(), reader.generation()
        return changes > limit(rows) or (generation is not None and generation.name == self._distrusted)

    def settle(self) -> None:
        """After a change: have the derived files made in the background, if it is time."""
        if self.overdue():
            self._background.ask()

    @contextlib.contextmanager
    def seen(self) -> Iterator[tuple[Reader, Snapshot]]:
        """A reader and the snapshot of just what it sees."""
        while True:
            with self.store.reading() as reader:
                snapshot = self._snapshot_of(reader)
                if snapshot is not None:
                    yield reader, snapshot
                    return

    def seen_by(self, writer: Writer) -> Snapshot:
        """The snapshot that a writer changes; nobody else writes meanwhile."""
        with self._guard:
            self._snapshot = refreshed(writer, self._snapshot, self.generations, self._distrusted)
            return self._snapshot

    def _snapshot_of(self, reader: Reader) -> Snapshot | None:
        """None where another thread has seen more than this reader."""
        with self._guard:
            known = self._snapshot
            if known is not None and known.state.sequence > reader.sequence():
                return None
            self._snapshot = refreshed(reader, known, self.generations, self._distrusted)
            snapshot = self._snapshot
        if snapshot.changes > limit(len(snapshot.frozen) if snapshot.frozen else 0):
            self._have_it_made()
        return snapshot

    def healed(self, action: Callable[[], T]) -> T:
        """Do it; where derived files are damaged, do without them, and have them made again."""
        if self._snapshot is None:
            self._prepare()
        for _ in range(RETRIES):
            used = self._in_use()
            try:
                return action()
            except DamagedGeneration as error:
                with self._guard:
                    self._snapshot = None
                if used == self._in_use():  # else it was replaced by a newer one in the middle of this
                    done = "it is done without" if self.store.readonly else "the index is made again"
                    log.warning("%s (%s); %s", error.what, error.why, done)
                    self._do_without(used)
        return action()

    def _in_use(self) -> str | None:
        with self.store.reading() as reader:
            generation = reader.generation()
        return generation.name if generation else None

    def _do_without(self, generation: str | None) -> None:
        """Answer from the database until there is a new generation; where much is in it, make that first."""
        self._distrusted = generation
        with self.store.reading() as reader:
            documents = reader.state().documents
        if documents > LARGE:
            with contextlib.suppress(NearsenseError):
                derive(self.store)
        else:
            self._have_it_made()

    def _have_it_made(self) -> None:
        """The derived files, in the background; where nothing may be written, searches do without."""
        if not self.store.readonly:
            self._background.ask()

    def _prepare(self) -> None:
        """Before the first look into a large collection without derived files: make them, if they can be made."""
        with self.store.reading() as reader:
            large = reader.pending()[0] > LARGE
        if large:
            with contextlib.suppress(NearsenseError):
                derive(self.store)

    def _build_if_needed(self) -> None:
        if self.overdue():
            with contextlib.suppress(Cancelled):
                derive(self.store, wait=False, cancelled=self._background.stopping)
