"""Packing: every token once, at its place, alone with its own text."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nearsense.encoders.packing import Tokens, pack, place
from turns import in_turn

lengths = st.lists(st.integers(1, 300), min_size=1, max_size=120).map(lambda values: np.array(values, np.int64))


def tokens_of(lengths):
    """Tokens whose ids tell text and place: text * 1000 + place."""
    ids = np.concatenate([text * 1000 + np.arange(length) for text, length in enumerate(lengths)])
    return Tokens(ids.astype(np.int32), lengths)


def requests_of(lengths, batch_tokens=1024):
    n = len(lengths)
    return list(pack(tokens_of(lengths), np.arange(n), np.ones(n, np.float32), batch_tokens))


@given(lengths)
def test_no_two_texts_share_a_token_and_none_leaves_its_row(lengths):
    placed = place(lengths)
    used = set()
    for width, row, start, length in zip(placed.widths, placed.rows, placed.starts, lengths, strict=True):
        cells = {(width, row, column) for column in range(start, start + length)}
        assert start + length <= width
        assert not cells & used
        used |= cells


@given(lengths, st.integers(1, 2048))
def test_each_text_is_in_one_request_with_all_its_tokens(lengths, batch_tokens):
    seen = []
    for request in requests_of(lengths, batch_tokens):
        assert (np.diff(request.begins) > 0).all()
        flat = [array.ravel() for array in (request.ids, request.positions, request.segments)]
        for place_, (item, begin, length) in enumerate(
            zip(request.items, request.begins, request.lengths, strict=True)
        ):
            ids, positions, segments = (array[begin : begin + length] for array in flat)
            assert ids.tolist() == [item * 1000 + i for i in range(lengths[item])]
            assert positions.tolist() == list(range(length))
            assert set(segments.tolist()) == {place_}
            seen.append(item)
        assert (request.segments == -1).sum() == request.segments.size - request.lengths.sum()
    assert sorted(seen) == list(range(len(lengths)))


@given(lengths, st.integers(300, 4096))
def test_no_request_is_larger_than_asked_unless_one_row_is(lengths, batch_tokens):
    for request in requests_of(lengths, batch_tokens):
        assert request.ids.size <= max(batch_tokens, request.ids.shape[1])


@in_turn(("low", "high"), [(5, 30), (40, 80), (17, 20), (3, 256)])
def test_hardly_a_token_is_padding_among_many_texts(low, high):
    lengths = np.random.default_rng(0).integers(low, high, 4000)
    computed = sum(request.ids.size for request in requests_of(lengths))
    assert lengths.sum() / computed > 0.93


@given(st.lists(st.integers(1, 60), min_size=2, max_size=17).map(lambda values: np.array(values, np.int64)))
def test_few_texts_are_in_one_request_or_in_several_of_one_width(lengths):
    requests = requests_of(lengths, 512)
    assert len({request.ids.shape[1] for request in requests}) == 1
    slots = sum(request.ids.size for request in requests)
    assert slots <= 16 or slots < 4 * lengths.sum()


def test_nothing_is_packed_into_nothing():
    empty = Tokens(np.zeros(0, np.int32), np.zeros(0, np.int64))
    assert list(pack(empty, np.zeros(0, np.int64), np.zeros(0, np.float32), 1024)) == []
