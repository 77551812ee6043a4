"""The model that tests of training begin with: made once, so that it is probed once."""

from __future__ import annotations

import gc

import pytest

from training import made


@pytest.fixture(scope="session")
def parent(_own_cache, tmp_path_factory):
    import sentence_transformers  # noqa: F401 - what it brings along is looked through by no collector of garbage

    gc.freeze()
    return str(made.model(tmp_path_factory.mktemp("models") / "parent"))
