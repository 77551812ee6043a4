"""Which model a collection belongs to, and the encoder that is at hand. They are the same, or nothing is done."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._paths import is_folder
from nearsense._progress import Progress
from nearsense._version import __version__
from nearsense.encoders.base import ROLES
from nearsense.errors import InputError, ModelMismatch, ModelNotFound, StoreError, TextTooLong, TruncationWarning
from nearsense.records import Document, Long, Metric, ReadAs, Vectors
from nearsense.vectors.rows import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

RECIPE = ("fingerprint", "dimension", "role", "prompt", "windows", "limit")
"""What decides the vectors of a collection: the model, and how it reads texts."""
COPYING = "copying"
"""The fact by which a collection is known that is being copied, and not whole yet."""
SAMPLE, NEAREST = 2000, 10
"""Documents, and neighbours of each, by which two models are compared."""


def recipe(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the vectors of a collection, of all that it keeps about itself."""
    return {part: facts[part] for part in RECIPE if facts.get(part) is not None}


def differing(some: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """What makes some vectors others than others; nothing where they may lie in one collection.

    Example:
        >>> differing({"fingerprint": "a", "windows": False}, {"fingerprint": "a", "windows": True, "limit": 256})
        ['windows']
    """
    return [part for part in RECIPE if None not in (one := (some.get(part), others.get(part))) and len({*one}) > 1]


def read_as(facts: Mapping[str, Any]) -> ReadAs:
    """How a collection's texts are read."""
    return ReadAs(facts.get("prompt", ""), facts.get("windows", False), facts.get("limit"))


class CollectionModel:
    """The encoder of a collection, loaded when it is first needed: given as one, by name, or the collection's own.

    Messages call the collection by its `name`; `role` is what the texts of a new one are to the model; `loading`
    are options of `load` for a model that is given by name.
    """

    def __init__(self, model: Encoder | str | None, name: str, *, role: str, **loading: Any) -> None:
        if role not in ROLES:
            raise InputError(f"role={role!r} is not known", fix=f"use one of: {', '.join(ROLES)}")
        self._loading = {name: value for name, value in loading.items() if value is not None}
        if self._loading and not (model is None or isinstance(model, str)):
            raise InputError(
                f"{', '.join(self._loading)} given beside an Encoder",
                why="it has been loaded, and knows how it runs",
                fix="give them to ns.load, or give the model's name here",
            )
        self._model, self._name, self._role = model, name, role
        self._encoder: Encoder | None = None
        self.known: Mapping[str, Any] = {}
        """What the collection keeps about its model, as far as this handle has seen."""

    def given(self) -> tuple[Encoder | str | None, dict[str, Any]]:
        """The model as it was given, and the options of `load`."""
        return self._model, dict(self._loading)

    def facts(self) -> dict[str, Any]:
        """What a new collection keeps about its model, and where that and the collection came from, and when."""
        encoder = self.encoder
        source = self._model if isinstance(self._model, str) else encoder.source or encoder.name
        path = Path(source)
        self.known = {
            **self._described(encoder, self._role),
            "source": str(path.resolve()) if is_folder(path) else source,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
        }
        return dict(self.known)

    @staticmethod
    def _described(encoder: Encoder, role: str) -> dict[str, Any]:
        """The model, and how it reads texts of a role."""
        return {
            "model": encoder.name,
            "fingerprint": encoder.fingerprint,
            "dimension": encoder.dimension,
            "role": role,
            "windows": encoder.long is Long.CHUNK,
            "prompt": (encoder.prompts or {}).get(role, ""),
            "limit": encoder.max_tokens if encoder.cuts else None,
        }

    def require(self, facts: Mapping[str, Any]) -> None:
        """Bind to a collection that exists; a model that was named has to be its own, and read as it does."""
        if (copied := facts.get(COPYING)) is not None:
            source = copied["source"]
            why, fix = "not all of it is there", f"finish it: nearsense index copy '{source}' '{self._name}'"
            raise StoreError(f"{self._name} is a copy of {source} that broke off", why=why, fix=fix)
        self.known = facts
        windows = "long" in self._loading and self._loading["long"] == Long.CHUNK
        if "long" in self._loading and windows != facts.get("windows", False):
            raise self._read_otherwise(windows)
        if self._model is not None:
            self._require_same(self.encoder)

    def require_unchanged(self, facts: Mapping[str, Any]) -> None:
        """Refuse to go on where somebody else gave the collection another model, or reads its texts otherwise."""
        require_same_recipe(facts, self.known, self._name)

    def encode_documents(
        self, documents: Sequence[Document], facts: Mapping[str, Any], *, size: int
    ) -> Iterator[Vectors]:
        """The vectors of documents for a collection of some facts, so many at a time; one warning for those cut.

        Where the encoder refuses texts that are too long, it does so before any is encoded.
        """
        policy, role = self.encoder.long, facts["role"]
        if policy is Long.ERROR:
            self._require_short(documents, role)
        options = {"long": Long.HEAD.value} if policy is Long.WARN else {}
        cut = 0
        for start in range(0, len(documents), size):
            part = documents[start : start + size]
            texts = [document.text for document in part]
            vectors = self.encoder.encode(texts, role=role, **options)  # type: ignore[arg-type]
            cut += int(vectors.truncated.sum())
            yield checked_vectors(vectors, facts, len(part), lambda row, part=part: f"document {part[row].id!r}")  # type: ignore[misc]
        if cut and policy is Long.WARN:
            limit = self.encoder.max_tokens
            message = f"{cut:,} of {len(documents):,} texts exceed {limit} tokens; their heads were kept"
            warnings.warn(message, TruncationWarning, stacklevel=5)

    def encode(self, texts: Sequence[str], *, role: str, progress: Progress = False) -> Vectors:
        """Texts to vectors of the collection's model."""
        return self.encoder.encode(texts, role=role, progress=progress)

    def encode_checked(self, texts: Sequence[str], facts: Mapping[str, Any]) -> Vectors:
        """Texts to vectors for a collection of some facts."""
        encoded = self.encode(texts, role=facts["role"])
        return checked_vectors(encoded, facts, len(texts), lambda row: f"the text {texts[row][:40]!r}")

    def map_after(self, facts: Mapping[str, Any]) -> Callable[[Vectors], Vectors] | None:
        """What makes this model's vectors of those of a collection of some facts; None where texts are encoded.

        An adapter does, where the collection is of its parent and reads texts as this does.
        """
        from nearsense.encoders.adapted import AdaptedEncoder

        encoder = self.encoder
        if not isinstance(encoder, AdaptedEncoder) or not encoder.fingerprint:
            return None
        parent = self._described(encoder.parent, facts["role"])
        return None if differing(parent, facts) else encoder.mapped

    def keep_reading_as(self, facts: Mapping[str, Any]) -> None:
        """Read long texts as a collection of some facts does, where nothing was said and that saves encoding."""
        from nearsense.encoders.adapted import AdaptedEncoder

        encoder, windows = self.encoder, facts.get("windows", False)
        said = "long" in self._loading or encoder.long not in (None, Long.WARN)
        if isinstance(encoder, AdaptedEncoder) and windows and not said:
            self._encoder = encoder.with_long(Long.CHUNK)

    def _require_short(self, documents: Sequence[Document], role: str) -> None:
        prompt = (self.encoder.prompts or {}).get(role, "")
        count, limit = self.encoder.count_tokens, self.encoder.max_tokens
        for start in range(0, len(documents), 4096):
            lengths = count([prompt + document.text for document in documents[start : start + 4096]])
            for row in (lengths > limit).nonzero()[0][:1]:
                raise TextTooLong(
                    f"the text of document {documents[start + row].id!r} has {lengths[row]:,} tokens",
                    why=f"the model reads {limit:,} at most, special tokens included",
                    fix='shorten it, or use long="chunk" (all of it, in windows) or long="head" (its head only)',
                )

    @property
    def encoder(self) -> Encoder:
        """The encoder, with the cache of vectors before it."""
        if self._encoder is None:
            from nearsense.cached import cached
            from nearsense.encoders import resolve

            model = self.known.get("source", "all-MiniLM-L6-v2") if self._model is None else self._model
            encoder = self._loaded(model) if isinstance(model, str) else resolve(model)
            if (
                encoder.similarity is not Metric.COSINE
            ):  # what was made for dot products may rank a little otherwise
                encoder = encoder.with_similarity(Metric.COSINE)
            if self.known:
                encoder = self._as_kept(encoder)
                self._require_same(encoder)
            self._encoder = cached(encoder)
        return self._encoder

    def _loaded(self, name: str) -> Encoder:
        from nearsense.encoders import load

        how = {"long": Long.CHUNK.value, **self._loading} if self.known.get("windows") else self._loading
        try:
            return load(name, **how)
        except ModelNotFound as error:
            if self._model is not None:
                raise
            raise ModelNotFound(
                f"{self._name} belongs to {self.known['model']}, which is not here",
                why=error.why,
                fix="give it: ns.open(path, encoder), or --model with its folder",
            ) from None

    def _as_kept(self, encoder: Encoder) -> Encoder:
        """The model, its vectors cut, and long texts read, as those of the collection are."""
        kept, windows = self.known["dimension"], self.known.get("windows", False)
        if encoder.dimension > kept:
            cut = encoder.with_dimensions(kept)
            encoder = cut if cut.fingerprint == self.known["fingerprint"] else encoder
        policy = encoder.long
        if policy is None or (policy is Long.CHUNK) == windows:
            return encoder
        if not isinstance(self._model, (str, type(None))) and policy is not Long.WARN:
            raise self._read_otherwise(not windows)
        return encoder.with_long(Long.CHUNK if windows else Long.WARN)

    def _read_otherwise(self, windows: bool) -> InputError:
        return InputError(
            f"{self._name} {'does not read' if windows else 'reads'} long texts in windows",
            why="vectors of heads and of whole texts would be mixed",
            fix="leave long out, or encode all again: "
            f"nearsense index reembed {self._name} --model NAME --long {'chunk' if windows else 'head'}",
        )

    def _require_same(self, encoder: Encoder) -> None:
        mine = self._described(encoder, self.known["role"])
        parts = differing(mine, self.known)
        if not parts:
            return
        if "fingerprint" not in parts:
            raise ModelMismatch(
                f"{self._name} holds {_in_words(self.known, parts)}; {encoder.name} as it is given makes "
                f"{_in_words(mine, parts)}",
                why="the same text would have two vectors",
                fix="give the model as it was, or encode all again: "
                f"nearsense index reembed {self._name} --model {encoder.name}",
            )
        asked = self._model if isinstance(self._model, str) else encoder.name
        model, mine, theirs = self.known["model"], self.known["fingerprint"][:12], encoder.fingerprint[:12]
        raise ModelMismatch(
            f"{self._name} belongs to {model} ({mine}), not to {encoder.name} ({theirs})",
            why="vectors of two models do not compare; their scores would be noise",
            fix=f"use {model}, or go over: nearsense index reembed {self._name} --model {asked}",
        )


def require_same_recipe(now: Mapping[str, Any], before: Mapping[str, Any], path: str) -> None:
    """Refuse to go on where a collection has another model than it had, or reads its texts in another way."""
    if parts := differing(now, before):
        same = "fingerprint" not in parts
        raise ModelMismatch(
            f"{path} went over from {_in_words(before, parts)} to {_in_words(now, parts)} while it was in use",
            why="the same text has another vector now" if same else "vectors of two models do not compare",
            fix="try again" if path == ":memory:" else "open it again",
        )


def _in_words(facts: Mapping[str, Any], parts: Sequence[str]) -> str:
    """What differs, in words."""
    if "fingerprint" in parts:
        return str(facts["model"])
    if "dimension" in parts:
        return f"vectors of {facts['dimension']} numbers"
    return f"vectors of {facts['role']}s" if parts == ["role"] else f"vectors of {read_as(facts)}"


def checked_vectors(
    vectors: Vectors | NDArray[np.floating],
    facts: Mapping[str, Any],
    count: int | None,
    name: Callable[[int], str],
) -> Vectors:
    """Given vectors as a collection of some facts keeps them: float32, of unit length; `name` says whose a row is.

    A plain array is taken as made by its model. So many there have to be; None for any number, of questions, which
    may have been read otherwise.
    """
    if isinstance(vectors, Vectors):
        vectors.require_made_by(facts["model"], facts["fingerprint"])
        if count is not None:
            _require_read_alike(vectors, facts)
        data, truncated = vectors.data, vectors.truncated
    else:
        data = _array(vectors)
        truncated = np.zeros(data.shape[:1], bool)
    wanted = (len(data) if count is None and data.ndim else count, int(facts["dimension"]))
    if data.shape != wanted:
        raise InputError(
            f"vectors of shape {data.shape} where {wanted} is wanted",
            why=f"the collection's model {facts['model']} makes vectors of {wanted[1]} numbers",
            fix="give one vector a row",
        )
    data = unit_rows(data, lambda row: f"the vector of {name(row)}")
    return Vectors(data, facts["fingerprint"], truncated, facts["model"])


def _require_read_alike(vectors: Vectors, facts: Mapping[str, Any]) -> None:
    """Refuse vectors that the collection would have made otherwise; where nothing was cut, heads are windows."""
    wanted, cut = read_as(facts), bool(vectors.truncated.any())
    given = vectors.read_as or replace(wanted, windows=wanted.windows and not cut)
    limit = wanted.limit if None in (given.limit, wanted.limit) else given.limit
    windows = given.windows or (wanted.windows and not cut)
    if replace(given, windows=windows, limit=limit) != wanted:
        raise ModelMismatch(
            f"vectors of {given} for a collection of {wanted}",
            why="the same text would have two vectors in it",
            fix='encode with the role and the long="..." that the collection has, or leave vectors out',
        )


def _array(vectors: Any) -> NDArray[np.float32]:
    try:
        given = np.asarray(vectors)
        if given.dtype.kind not in "fiu":
            raise TypeError(f"they are of type {given.dtype}")
        with np.errstate(over="ignore"):
            return given.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            "the vectors are no array of numbers",
            why=str(error),
            fix="give an array of shape (n, d), one vector a row",
        ) from None


def agreement(old: NDArray[np.float32], new: NDArray[np.float32]) -> float | None:
    """Of the ten nearest of each of a sample under the old model, the share that the new model finds."""
    from nearsense.vectors.similarity import top_k

    if len(old) <= NEAREST:
        return None
    some = slice(None, None, -(-len(old) // SAMPLE))
    old, new = old[some], new[some]
    before, after = (top_k(each, each, NEAREST + 1).ids for each in (old, new))
    shared = [len((set(before[row]) & set(after[row])) - {row}) for row in range(len(old))]
    return min(1.0, sum(shared) / (NEAREST * len(old)))
