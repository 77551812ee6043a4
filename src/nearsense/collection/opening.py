"""The way into a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearsense.collection.binding import Binding
from nearsense.collection.collection import Collection

if TYPE_CHECKING:
    import os

    from nearsense.encoders import Encoder

__all__ = ["open_collection"]


def open_collection(
    path: str | os.PathLike[str],
    model: str | Encoder | None = None,
    *,
    create: bool = True,
    role: str = "passage",
    network: bool = False,
    accept_losses: bool = False,
    precision: str | None = None,
    threads: int | None = None,
    long: str | None = None,
    dimensions: int | None = None,
) -> Collection:
    """Open a collection, and make it if it is missing.

    Args:
        path: Its folder, say "tickets.nearsense".
        model: An Encoder, a name or a folder; for a collection that exists None is its own model. A collection
            belongs to the model that it was made with; `reembed` changes that.
        create: Make it if it is missing.
        role: What its texts are to the model: "passage", or "query" where they are questions like those that will
            be asked. Kept from when it is made.
        network: Allow a network file system, whose locks and durable writes often do not hold.
        accept_losses: Go on from what is there, where a damaged log has lost commits; else that is refused.
        precision: In what arithmetic the model runs, as in `load`; not for an Encoder, which knows it.
        threads: Cores to use, as in `load`.
        long: What happens to texts beyond the model's limit, as in `load`.
        dimensions: Of a new collection's vectors, as in `load`; one that exists knows its own.

    Raises:
        ModelMismatch: `model` is not the collection's; the message names both.
        CollectionNotFound: It is missing and `create` is False, or the path holds something else.
        DamagedCollection: It has lost what it had acknowledged.
        StoreError: It cannot be opened.

    Example:
        >>> import tempfile, nearsense as ns
        >>> notes = ns.open(tempfile.mkdtemp() + "/notes.nearsense")
        >>> notes.add(["Water the plants.", "Call the bank."])
        2
        >>> notes.search("a phone call", k=1)[0].text
        'Call the bank.'
        >>> notes.close()
    """
    loading = {"dimensions": dimensions, "precision": precision, "threads": threads, "long": long}
    how = {"create": create, "network": network, "accept_losses": accept_losses}
    return Collection(path, Binding(model, role=role, **loading), **how)
