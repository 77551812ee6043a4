"""What a server serves: collections, FAQs and models that its operator named, opened once. Nothing else can be.

Names that come with a request are looked up here and nowhere else: they are keys of these tables, never paths, and
nothing is fetched or opened for a name that is not there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nearsense._paths import is_url
from nearsense.errors import FileError, InputError, ModelMismatch, StoreError, UnsupportedModel
from nearsense.server.errors import Refused, not_found
from nearsense.server.jobs import Jobs
from nearsense.server.metrics import Metrics
from nearsense.server.queue import EncodingQueue
from nearsense.server.requests import NAME
from nearsense.server.settings import ServerSettings
from nearsense.server.work import Pool

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.faq import FAQ
    from nearsense.reports import Info

__all__ = ["Service", "served_name"]

T = TypeVar("T")

SEARCHES = 2
"""Threads that search: Python runs in one of them at a time, and more of them wait for each other."""


class Service:
    """Everything that requests are answered from, opened once and shared by all of them.

    A name that there is none of is Refused wherever it is asked for; one that is taken is an InputError where
    something is to be served by it.

    Args:
        settings: How the server runs.
        models: Encoders by name; the first is the one that answers where none is named.
        crosses: Cross-encoders by name, that put hits in order where a request names one.

    Attributes:
        collections: Collections by name, each with its model behind the queue of texts.
        faqs: FAQs by name.
        faq_files: The files of those that were made of one.
        pool: The threads that run verbs.
        searches: Those that run what is short, and has a query encoded first.
        slow: The thread that runs what looks through a whole collection.
        metrics: What is counted.
        jobs: What changes collections.
        open: Whether requests are taken; False from when a shutdown began.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        models: Mapping[str, Encoder] | None = None,
        crosses: Mapping[str, CrossEncoder] | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.models: dict[str, Encoder] = {}
        self.crosses = dict(crosses or {})
        self.collections: dict[str, Collection] = {}
        self.faqs: dict[str, FAQ] = {}
        self.metrics.watch(self.models, self.collections)
        self.faq_files: dict[str, Path] = {}
        self.pool = Pool(settings.threads, settings.waiting)
        self.searches = Pool(SEARCHES, settings.waiting, "search")
        self.slow = Pool(1, 8, "slow")
        self.open = True
        self._queues: dict[tuple[Any, ...], EncodingQueue] = {}
        self._lock = threading.RLock()
        for name, encoder in (models or {}).items():
            self.add_model(name, encoder)
        self.jobs = Jobs()

    @classmethod
    def of(
        cls,
        settings: ServerSettings,
        *,
        collections: Iterable[str | os.PathLike[str]] = (),
        faqs: Iterable[str | os.PathLike[str]] = (),
        labelled: str | None = None,
        models: Iterable[str] = (),
        network: bool = False,
    ) -> Service:
        """Open what an operator has named.

        Args:
            settings: How the server runs; collections of its `folder` are served, too.
            collections: Folders of collections that exist, or their addresses.
            faqs: Files of questions and answers.
            labelled: A file of questions with the id of their entry, by which each FAQ learns how sure it is.
            models: Names or folders of models, cross-encoders among them; without any the collections' own, or
                the default model.
            network: Whether collections may lie on a network file system.

        Raises:
            InputError: Two have the same name, or a file is no FAQ.
            FileError: The folder for collections cannot be made, or is a file.
            CollectionNotFound: A collection is not there.
            ModelNotFound: A model is neither here nor to be had.
        """
        service = cls(settings)
        try:
            for name in models:
                service.load_model(name)
            paths = [str(path) if is_url(path) else Path(path) for path in collections]
            if settings.folder is not None:
                _require_folder(settings.folder)
                from nearsense.store import is_collection

                known = {path.resolve() for path in paths if isinstance(path, Path)}
                found = sorted(path for path in settings.folder.iterdir() if not path.is_symlink())
                paths += [path for path in found if is_collection(path) and path.resolve() not in known]
            for path in paths:
                service.add_collection(path, network=network)
            if not service.models and not service.collections:
                service.load_model(None)
            for file in faqs:
                service.add_faq(str(file) if is_url(file) else Path(file), labelled)
        except BaseException:
            service.close()
            raise
        return service

    # -- what is served

    def collection(self, name: str | None = None) -> Collection:
        """A collection by its name; without one the only one, or the first."""
        return _named(self.collections, name, "collection")

    def faq(self, name: str | None = None) -> FAQ:
        """A FAQ by its name; without one the first."""
        return _named(self.faqs, name, "faq")

    def encoder(self, name: str | None = None) -> Encoder:
        """A model by its name, behind its queue and the embedding cache; without a name the first."""
        from nearsense.cached import cached

        return cached(self.queue_of(name).encoder())

    def queue_of(self, name: str | None = None) -> EncodingQueue:
        """The queue of texts of a model; without a name of the first."""
        return self.queue(_named(self.models, name, "model"))

    def cross(self, name: str) -> CrossEncoder:
        """A cross-encoder by its name."""
        if name not in self.crosses:
            raise not_found("model", name, self.crosses, called="cross-encoder")
        return self.crosses[name]

    def crowded(self, coming: int = 0, pool: Pool | None = None) -> float:
        """Seconds after which who asks for little is told to come again; 0 where there is room in some queue.

        Args:
            coming: How many requests were let in that neither queue nor pool have seen yet.
            pool: Of whose threads one has to answer it; None: of none.
        """
        if pool is not None and pool.room <= coming:
            return 1.0
        late, _, queue = min(
            ((queue.refusal(coming), number, queue) for number, queue in enumerate(self._queues.values())),
            default=(0.0, 0, None),
        )
        if late and queue is not None:
            self.metrics.refused(queue.name, "overloaded")
        return late

    def infos(self) -> dict[str, Info | StoreError]:
        """What each collection says of itself; of one that cannot be read, the error: the others answer still."""
        found: dict[str, Info | StoreError] = {}
        for name in list(self.collections):
            try:
                found[name] = self.ask(name, lambda collection: collection.info())
            except StoreError as error:
                found[name] = error
        return found

    def ask(self, name: str | None, verb: Callable[[Collection], T]) -> T:
        """What a verb makes of a collection; one that went over to another model meanwhile is opened anew."""
        collection = self.collection(name)
        try:
            return verb(collection)
        except ModelMismatch:
            return verb(self._opened_anew(collection))

    # -- what is added

    def queue(self, encoder: Encoder) -> EncodingQueue:
        """The queue before an encoder: one for all that makes the same vectors."""
        vectors = (encoder.fingerprint or id(encoder), encoder.dimension, encoder.similarity, encoder.precision)
        key = (*vectors, encoder.long, encoder.max_tokens)
        with self._lock:
            if key not in self._queues:
                self._queues[key] = EncodingQueue(encoder, self.settings, self.metrics)
            return self._queues[key]

    def add_model(self, name: str, encoder: Encoder) -> None:
        """Serve a model by a name."""
        with self._lock:
            _require_free(self.models | self.crosses, name, "model")
            self.models[name] = encoder

    def load_model(self, name: str | None) -> None:
        """Load a model, or a cross-encoder, and serve it by its own name."""
        from nearsense.encoders import load, load_cross

        try:
            encoder = load(name)
        except UnsupportedModel as error:
            try:
                cross = load_cross(name or "")
            except UnsupportedModel:
                raise error from None
            _require_free(self.models | self.crosses, cross.name, "model")
            self.crosses[cross.name] = cross
            return
        self.add_model(encoder.name, encoder)

    def add_collection(
        self, path: Path | str, *, name: str | None = None, network: bool = False, encoder: Encoder | None = None
    ) -> Collection:
        """Open a collection that exists, its model behind the queue, and serve it by its folder's name.

        Without an `encoder` its model is loaded by its own name.

        Raises:
            InputError: The name is taken, or no name that a URL could hold.
            CollectionNotFound: It is not there.
        """
        from nearsense.collection import open_collection
        from nearsense.encoders.cache import uncached
        from nearsense.store.postgres import without_secrets

        chosen = served_name(path) if name is None else name
        with self._lock:
            _require_free(self.collections, chosen, "collection")
            path = without_secrets(path) if isinstance(path, str) else path
            with open_collection(path, encoder, create=False, network=network) as own:
                encoder = uncached(own.encoder)
            queued = self.queue(encoder).encoder()
            log = self.settings.log or None
            opened = open_collection(path, queued, create=False, network=network, log=log)
            self.collections[chosen] = opened
            if encoder.name not in self.models:
                self.models[encoder.name] = encoder
        return opened

    def add_faq(self, file: Path | str, labelled: str | None = None) -> FAQ:
        """Read a FAQ from a file, or a collection, and serve it by its name, as sure as labels say.

        Args:
            file: A file, or a collection: its folder, or its address, which a string is.
            labelled: A file of questions with the id of their entry.

        Raises:
            InputError: The name is taken, or the file is no FAQ.
        """
        from nearsense.cached import cached
        from nearsense.collection import open_collection
        from nearsense.faq import FAQ
        from nearsense.faq.entries import labelled_of
        from nearsense.querylog import HASHED, open_log
        from nearsense.store import is_collection
        from nearsense.store.postgres import without_secrets

        name = served_name(file)
        _require_free(self.faqs, name, "FAQ")
        log, said = None, self.settings.log
        file = without_secrets(file) if isinstance(file, str) else file
        if said:
            place = file if isinstance(file, str) else file.with_name(f"{file.name}.queries")
            log = open_log(place, hashed=said == HASHED)
        pairs = None if labelled is None else labelled_of(labelled)
        encoder = cached(self.queue_of().encoder())
        with open_collection(file, create=False) if is_collection(file) else nullcontext(str(file)) as items:
            self.faqs[name] = faq = FAQ(items, encoder=encoder, labelled=pairs, log=log)
        if isinstance(file, Path) and not is_collection(file):
            self.faq_files[name] = file
        return faq

    def warm(self) -> None:
        """Have the first requests wait for nothing: models are compiled, calibrations read."""
        from nearsense.compare import compare

        for queue in self._queues.values():
            queue.warm()
        for name in self.models:
            compare("Where is my parcel?", "My parcel is late.", encoder=self.encoder(name))

    def stop(self) -> None:
        """Say from now on that no more requests should come; those that do are answered."""
        self.open = False

    def close(self) -> None:
        """Give everything back; what was accepted is finished first."""
        self.open = False
        self.jobs.close()
        self.pool.close()
        self.searches.close()
        self.slow.close()
        for queue in self._queues.values():
            queue.close()
        for collection in self.collections.values():
            collection.close()
        for faq in self.faqs.values():
            if faq.log is not None:
                faq.log.close()

    def _opened_anew(self, stale: Collection) -> Collection:
        with self._lock:
            name = next((name for name, each in self.collections.items() if each is stale), None)
            if name is None:
                raise Refused(409, "model_mismatch", "the collection went over to another model", fix="try again")
            del self.collections[name]
            try:
                return self.add_collection(stale.path, name=name)
            except BaseException:
                self.collections[name] = stale
                raise


def _require_folder(folder: Path) -> None:
    """Make the folder for collections where it is missing; say at once where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if folder.exists() else error.strerror or str(error)
        raise FileError(
            f"{folder} cannot hold collections", why=why, fix="name a folder: --folder rooms"
        ) from None


def served_name(path: Path | str) -> str:
    """What a file or a folder is called by those who ask: its name without the ending, or that in an address.

    Raises:
        InputError: No URL could hold it.

    Example:
        >>> served_name(Path("/data/support.nearsense"))
        'support'
    """
    import re

    if isinstance(path, str):
        from nearsense.store.postgres import parse_address

        return parse_address(path).collection
    name = path.resolve().name.split(".")[0]
    if not re.fullmatch(NAME, name):
        why = "requests name it: letters, digits, - and _, at most 100"
        raise InputError(f"{path} has no name that a request could say: {name!r}", why=why, fix="rename it")
    return name


def _named(table: Mapping[str, T], name: str | None, kind: str) -> T:
    if name is None:
        for first in table.values():
            return first
        what = f"this server has no {kind}"
        raise Refused(
            404, f"{kind}_not_found", what, fix=f"the operator names a {kind} when the server is started"
        )
    if name not in table:
        raise not_found(kind, name, table)
    return table[name]


def _require_free(table: Mapping[str, Any], name: str, kind: str) -> None:
    if name in table:
        why = "requests would not say which is meant"
        raise InputError(f"there are two {kind}s called {name}", why=why, fix="rename one of them")
