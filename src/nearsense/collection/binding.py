"""Which model a collection belongs to, and the encoder that is at hand. They are the same, or nothing is done."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._progress import Progress
from nearsense._version import __version__
from nearsense.encoders.base import ROLES
from nearsense.errors import InputError, ModelMismatch, ModelNotFound, TextTooLong, TruncationWarning
from nearsense.records import Document, Long, Metric, ReadAs, Vectors

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["Binding", "differing", "read_as", "recipe", "require_same_recipe"]

RECIPE = ("fingerprint", "dimension", "role", "prompt", "windows", "limit")
"""What decides the vectors of a collection: the model, and how it reads texts."""


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


class Binding:
    """The encoder of a collection, loaded when it is first needed.

    Args:
        model: An Encoder, a name or a folder; None for the collection's own.
        role: What the texts of a new collection are to the model.
        loading: Options of `load`, for a model that is given by name.
    """

    def __init__(self, model: Encoder | str | None, *, role: str, **loading: Any) -> None:
        if role not in ROLES:
            raise InputError(f"role={role!r} is not known", fix=f"use one of: {', '.join(ROLES)}")
        self._loading = {name: value for name, value in loading.items() if value is not None}
        if self._loading and not (model is None or isinstance(model, str)):
            raise InputError(
                f"{', '.join(self._loading)} given beside an Encoder",
                why="it has been loaded, and knows how it runs",
                fix="give them to ns.load, or give the model's name here",
            )
        self._model, self._role = model, role
        self._encoder: Encoder | None = None
        self._known: Mapping[str, Any] = {}

    def given(self) -> tuple[Encoder | str | None, dict[str, Any]]:
        """The model as it was given, and the options of `load`: what makes such a binding again."""
        return self._model, dict(self._loading)

    def facts(self) -> dict[str, Any]:
        """What a new collection keeps about its model."""
        encoder = self.encoder
        self._known = {**self._described(encoder, self._role), **self._source(encoder)}
        return dict(self._known)

    def _source(self, encoder: Encoder) -> dict[str, Any]:
        """Where the model came from, and when."""
        source = self._model if isinstance(self._model, str) else encoder.source or encoder.name
        path = Path(source)
        return {
            "source": str(path.resolve()) if path.is_dir() else source,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
        }

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

    def require(self, facts: Mapping[str, Any], path: Path) -> None:
        """Bind to a collection that exists; a model that was named has to be its own.

        Raises:
            ModelMismatch: It is not.
            InputError: It shall read long texts in another way than the collection does.
        """
        self._known, self._path = facts, path
        windows = "long" in self._loading and self._loading["long"] == Long.CHUNK
        if "long" in self._loading and windows != facts.get("windows", False):
            raise self._read_otherwise(windows)
        if self._model is not None:
            self._require_same(self.encoder)

    def require_unchanged(self, facts: Mapping[str, Any], path: Path) -> None:
        """Refuse to go on where somebody else gave the collection another model, or reads its texts otherwise.

        Raises:
            ModelMismatch: Somebody did.
        """
        require_same_recipe(facts, self._known, path)

    def encode(self, texts: Sequence[str], *, role: str, progress: Progress = False) -> Vectors:
        """Texts to vectors of the collection's model.

        Raises:
            ModelMismatch: The model at hand is not the one that made the collection.
        """
        return self.encoder.encode(texts, role=role, progress=progress)

    def encode_documents(self, documents: Sequence[Document], *, role: str, size: int) -> Iterator[Vectors]:
        """The vectors of documents, so many at a time; one warning for all texts that were cut.

        Raises:
            TextTooLong: A text exceeds the limit and the encoder refuses such; before any is encoded.
        """
        policy = self.encoder.long
        if policy is Long.ERROR:
            self._require_short(documents, role)
        options = {"long": Long.HEAD.value} if policy is Long.WARN else {}
        cut = 0
        for start in range(0, len(documents), size):
            texts = [document.text for document in documents[start : start + size]]
            vectors = self.encoder.encode(texts, role=role, **options)  # type: ignore[arg-type]
            cut += int(vectors.truncated.sum())
            yield vectors
        if cut and policy is Long.WARN:
            limit = self.encoder.max_tokens
            message = f"{cut:,} of {len(documents):,} texts exceed {limit} tokens; their heads were kept"
            warnings.warn(message, TruncationWarning, stacklevel=3)

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

            model = self._known.get("source", "all-MiniLM-L6-v2") if self._model is None else self._model
            encoder = _for_cosine(self._loaded(model) if isinstance(model, str) else resolve(model))
            if self._known:
                encoder = self._as_kept(encoder)
                self._require_same(encoder)
            self._encoder = cached(encoder)
        return self._encoder

    def _loaded(self, name: str) -> Encoder:
        from nearsense.encoders import load

        how = {"long": Long.CHUNK.value, **self._loading} if self._known.get("windows") else self._loading
        try:
            return load(name, **how)
        except ModelNotFound as error:
            if self._model is not None:
                raise
            raise ModelNotFound(
                f"{self._path} belongs to {self._known['model']}, which is not here",
                why=error.why,
                fix="give it: ns.open(path, encoder), or --model with its folder",
            ) from None

    def _as_kept(self, encoder: Encoder) -> Encoder:
        """The model, its vectors cut, and long texts read, as those of the collection are.

        Raises:
            InputError: An Encoder was given that was told to read long texts in another way.
        """
        kept, windows = self._known["dimension"], self._known.get("windows", False)
        if encoder.dimension > kept:
            cut = encoder.with_dimensions(kept)
            encoder = cut if cut.fingerprint == self._known["fingerprint"] else encoder
        policy = encoder.long
        if policy is None or (policy is Long.CHUNK) == windows:
            return encoder
        if not isinstance(self._model, (str, type(None))) and policy is not Long.WARN:
            raise self._read_otherwise(not windows)
        return encoder.with_long(Long.CHUNK if windows else Long.WARN)

    def _read_otherwise(self, windows: bool) -> InputError:
        return InputError(
            f"{self._path} {'does not read' if windows else 'reads'} long texts in windows",
            why="vectors of heads and of whole texts would be mixed",
            fix="leave long out, or encode all again: "
            f"nearsense index reembed {self._path} --model NAME --long {'chunk' if windows else 'head'}",
        )

    def _require_same(self, encoder: Encoder) -> None:
        mine = self._described(encoder, self._known["role"])
        parts = differing(mine, self._known)
        if not parts:
            return
        if "fingerprint" not in parts:
            raise ModelMismatch(
                f"{self._path} holds {_told(self._known, parts)}; {encoder.name} as it is given makes "
                f"{_told(mine, parts)}",
                why="the same text would have two vectors",
                fix="give the model as it was, or encode all again: "
                f"nearsense index reembed {self._path} --model {encoder.name}",
            )
        asked = self._model if isinstance(self._model, str) else encoder.name
        model, mine, theirs = self._known["model"], self._known["fingerprint"][:12], encoder.fingerprint[:12]
        raise ModelMismatch(
            f"{self._path} belongs to {model} ({mine}), not to {encoder.name} ({theirs})",
            why="vectors of two models do not compare; their scores would be noise",
            fix=f"use {model}, or go over: nearsense index reembed {self._path} --model {asked}",
        )


def _for_cosine(encoder: Encoder) -> Encoder:
    """The encoder with vectors of unit length: a collection compares by cosine.

    Of models that are meant for dot products the order of hits can differ a little from the one intended.
    """
    return encoder if encoder.similarity is Metric.COSINE else encoder.with_similarity(Metric.COSINE)


def require_same_recipe(now: Mapping[str, Any], before: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on where a collection has another model than it had, or reads its texts in another way.

    Raises:
        ModelMismatch: It does.
    """
    if parts := differing(now, before):
        same = "fingerprint" not in parts
        raise ModelMismatch(
            f"{path} went over from {_told(before, parts)} to {_told(now, parts)} while it was in use",
            why="the same text has another vector now" if same else "vectors of two models do not compare",
            fix="open it again",
        )


def _told(facts: Mapping[str, Any], parts: Sequence[str]) -> str:
    """What differs, in words."""
    if "fingerprint" in parts:
        return str(facts["model"])
    if "dimension" in parts:
        return f"vectors of {facts['dimension']} numbers"
    return f"vectors of {facts['role']}s" if parts == ["role"] else f"vectors of {read_as(facts)}"
