"""What docs/adding-a-model.md says is true: its example is run, and gives the vectors of sentence-transformers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns

hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-model.md"


def test_the_example_of_an_architecture_gives_the_vectors_of_sentence_transformers(tmp_path, monkeypatch):
    from nearsense.encoders import transformer

    texts = ["the dog", "a cat and a king in the rain", "water " * 30, "xyz"]
    monkeypatch.setitem(hubs.ARCHITECTURES, "albert", (hubs.transformers.AlbertConfig, hubs.wordpiece, 0))
    folder = hubs.transformer(tmp_path / "model", "albert", embedding_size=16)
    theirs = hubs.reference(folder, texts, normalize_embeddings=True)
    assert "albert" not in transformer.ARCHITECTURES
    monkeypatch.setattr(transformer, "ARCHITECTURES", dict(transformer.ARCHITECTURES))
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {})
    encoder = ns.load(str(folder), precision="f32")
    assert encoder._engine.__class__.__name__ == "Runner"
    ours = encoder.encode(texts, long="head").data
    assert np.vecdot(ours, theirs).min() >= 0.99999
