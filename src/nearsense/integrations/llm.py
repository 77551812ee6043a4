"""The models that are here, for the command `llm`: `llm embed-models`, `llm embed-multi`, `llm similar`.

`llm` finds this file by itself where nearsense is installed beside it. A model is loaded when it first encodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nearsense._optional import require

require("llm", extra="llm", purpose="nearsense.integrations.llm")

from llm import EmbeddingModel, hookimpl  # noqa: E402

from nearsense.errors import InputError  # noqa: E402

__all__ = ["NearsenseEmbeddingModel", "register_embedding_models"]


@hookimpl  # type: ignore[untyped-decorator]
def register_embedding_models(register: Callable[..., None]) -> None:
    """Tell `llm` of every model that is on this machine and makes vectors: nothing is loaded, nothing fetched.

    Args:
        register: What `llm` gives to be told of a model.
    """
    from nearsense.encoders.folder import installed

    for name in sorted({folder.name for folder in installed() if not folder.scores_pairs}):
        register(NearsenseEmbeddingModel(name))


class NearsenseEmbeddingModel(EmbeddingModel):  # type: ignore[misc]
    """A model of nearsense as `llm` calls it: `nearsense/all-MiniLM-L6-v2`.

    `llm` does not say which texts are queries. A model that has to know reads all of them as queries, as for texts
    that are compared with each other.

    Args:
        name: The model's name or folder.

    Example:
        >>> model = NearsenseEmbeddingModel("all-MiniLM-L6-v2")
        >>> model.model_id, len(model.embed("I forgot my login"))
        ('nearsense/all-MiniLM-L6-v2', 384)
    """

    batch_size = 2048

    def __init__(self, name: str) -> None:
        self.name, self.model_id = name, f"nearsense/{name}"

    def embed_batch(self, items: Iterable[str | bytes], **_options: Any) -> Iterator[list[float]]:
        """The vectors of texts, one after the other.

        Args:
            items: The texts.

        Raises:
            InputError: An item is no text.
        """
        from nearsense.encoders import load, symmetric_role
        from nearsense.integrations._shared import as_lists

        texts = [_text(item) for item in items]
        encoder = load(self.name, offline=True)
        yield from as_lists(encoder, texts, symmetric_role(encoder))


def _text(item: str | bytes) -> str:
    if isinstance(item, bytes):
        raise InputError("a file of bytes has no vector here", why="the models read texts", fix="no --binary")
    return item
