"""Pooling against the plain definition, text by text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearsense.encoders.packing import Pooling, pool

DEFINITIONS = {
    Pooling.MEAN: lambda tokens: tokens.mean(axis=0),
    Pooling.MAX: lambda tokens: tokens.max(axis=0),
    Pooling.CLS: lambda tokens: tokens[0],
    Pooling.LAST: lambda tokens: tokens[-1],
    Pooling.MEAN_SQRT: lambda tokens: tokens.sum(axis=0) / len(tokens) ** 0.5,
    Pooling.WEIGHTED_MEAN: lambda tokens: np.average(tokens, axis=0, weights=np.arange(len(tokens)) + 1),
}


@pytest.mark.parametrize("pooling", list(Pooling))
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=20), st.booleans())
def test_each_text_is_pooled_from_its_own_tokens_only(pooling, layout, padded_end):
    gaps, lengths = (np.array(values) for values in zip(*layout, strict=True))
    begins = np.cumsum(gaps) + np.cumsum(lengths) - lengths
    tokens = (
        np.random.default_rng(1).normal(size=(begins[-1] + lengths[-1] + 5 * padded_end, 7)).astype(np.float32)
    )
    expected = [DEFINITIONS[pooling](tokens[b : b + n]) for b, n in zip(begins, lengths, strict=True)]
    np.testing.assert_allclose(pool([pooling], tokens, begins, lengths), expected, rtol=1e-5, atol=1e-6)
