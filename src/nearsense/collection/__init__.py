"""Collections: documents that last, and are found by meaning. Begin with collection.py."""

from nearsense.collection.collection import Collection
from nearsense.collection.opening import open_collection

__all__ = ["Collection", "open_collection"]
