"""Which model a collection belongs to, and the encoder that is at hand. They are the same, or nothing is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._progress import Progress
from nearsense._version import __version__
from nearsense.errors import ModelMismatch
from nearsense.types import Vectors

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["Binding"]


class Binding:
    """The encoder of a collection, loaded when it is first needed.

    Args:
        model: An Encoder, a name or a folder; None for the collection's own.
        role: What the texts of a new collection are to the model.
    """

    def __init__(self, model: Encoder | str | None, *, role: str) -> None:
        from nearsense.encoders.base import ROLES
        from nearsense.errors import InputError

        if role not in ROLES:
            raise InputError(f"role={role!r} is not known", fix=f"use one of: {', '.join(ROLES)}")
        self._model, self._role = model, role
        self._encoder: Encoder | None = None
        self._known: Mapping[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        """What a new collection keeps about its model."""
        encoder = self.encoder
        source = self._model if isinstance(self._model, str) else encoder.name
        path = Path(source)
        self._known = {
            "model": encoder.name,
            "source": str(path.resolve()) if path.is_dir() else source,
            "fingerprint": encoder.fingerprint,
            "dimension": encoder.dimension,
            "role": self._role,
            "prompt": getattr(encoder, "prompts", {}).get(self._role, ""),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
        }
        return dict(self._known)

    def require(self, facts: Mapping[str, Any], path: Path) -> None:
        """Bind to a collection that exists; a model that was named has to be its own.

        Raises:
            ModelMismatch: It is not.
        """
        self._known, self._path = facts, path
        if self._model is not None:
            self._require_same(self.encoder)

    def require_unchanged(self, facts: Mapping[str, Any], path: Path) -> None:
        """Refuse to go on where somebody else gave the collection another model.

        Raises:
            ModelMismatch: Somebody did.
        """
        if facts["fingerprint"] != self._known["fingerprint"]:
            raise ModelMismatch(
                f"{path} went over from {self._known['model']} to {facts['model']} while it was open here",
                why="vectors of two models do not compare",
                fix="open it again",
            )

    def encode(self, texts: Sequence[str], *, role: str, progress: Progress = False) -> Vectors:
        """Texts to vectors of the collection's model.

        Raises:
            ModelMismatch: The model at hand is not the one that made the collection.
        """
        return self.encoder.encode(texts, role=role, progress=progress)

    @property
    def encoder(self) -> Encoder:
        """The encoder, with the cache of vectors before it."""
        if self._encoder is None:
            from nearsense.cached import cached
            from nearsense.encoders import resolve

            encoder = resolve(self._known.get("source") if self._model is None else self._model)
            if self._known:
                self._require_same(encoder)
            self._encoder = cached(encoder)
        return self._encoder

    def _require_same(self, encoder: Encoder) -> None:
        if encoder.fingerprint == self._known["fingerprint"]:
            return
        model, mine, theirs = self._known["model"], self._known["fingerprint"][:12], encoder.fingerprint[:12]
        raise ModelMismatch(
            f"{self._path} belongs to {model} ({mine}), not to {encoder.name} ({theirs})",
            why="vectors of two models do not compare; their scores would be noise",
            fix=f"use {model}, or go over: nearsense index reembed {self._path} --model {_spoken(self._model, encoder)}",
        )


def _spoken(model: Encoder | str | None, encoder: Encoder) -> str:
    """What a user would type for a model."""
    return model if isinstance(model, str) else encoder.name
