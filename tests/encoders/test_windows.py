"""Windows cover a long text, overlap, and leave short ones alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nearsense.encoders.packing import OVERLAP, heads, windows

texts = st.lists(st.integers(0, 2000), min_size=1, max_size=20)


@given(texts, st.integers(2, 300))
def test_windows_cover_each_text_without_a_gap_and_overlap_enough(lengths, limit):
    lengths = np.array(lengths)
    starts = np.cumsum(lengths) - lengths
    spans = windows(starts, lengths, limit)
    assert (spans.lengths <= limit).all()
    for text, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        mine = spans.owners == text
        begins, ends = spans.starts[mine] - start, (spans.starts + spans.lengths)[mine] - start
        assert begins[0] == 0
        assert ends[-1] == length
        assert (ends[:-1] - begins[1:] >= int(limit * OVERLAP)).all()


@given(texts, st.integers(2, 300))
def test_the_shares_of_a_text_add_up_to_one(lengths, limit):
    lengths = np.array(lengths)
    spans = windows(np.cumsum(lengths) - lengths, lengths, limit)
    np.testing.assert_allclose(np.bincount(spans.owners, spans.shares), 1, rtol=1e-5)


def test_heads_are_the_first_tokens():
    spans = heads(np.array([0, 5]), np.array([5, 500]), 100)
    assert (spans.starts.tolist(), spans.lengths.tolist()) == ([0, 5], [5, 100])
