"""Question pairs, encoded once for all who ask."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def quora_vectors(data, encoder):
    """The rows, and the vectors of both sides."""
    rows = data("quora/dev")
    return rows, *(encoder.encode([row[side] for row in rows]).data for side in "ab")
