"""Which examples one step learns from: all of them, by seed, and no right one among the wrong ones."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearsense.training.preparing import apart, of_classes, plain

KEYS = st.lists(st.integers(0, 6), min_size=1, max_size=60)


@given(count=st.integers(1, 50), size=st.integers(1, 9), epochs=st.integers(1, 3), seed=st.integers(0, 9))
def test_every_example_is_there_once_an_epoch(count, size, epochs, seed):
    plan = plain(count, size, epochs, seed)
    assert Counter(row for batch in plan for row in batch) == dict.fromkeys(range(count), epochs)
    assert max(map(len, plan)) <= size


@given(keys=KEYS, size=st.integers(2, 9), seed=st.integers(0, 9))
def test_no_two_of_a_batch_hang_together_and_only_those_that_fit_nowhere_are_left_out(keys, size, seed):
    plan = apart(keys, size, 1, seed)
    for batch in plan:
        assert 2 <= len(batch) <= size + max(1, len(keys) // size)
        assert len({keys[row] for row in batch}) == len(batch)
    seen = [row for batch in plan for row in batch]
    assert len(seen) == len(set(seen))
    left = Counter(keys[row] for row in set(range(len(keys))) - set(seen))
    assert len(left) <= 1, "two of different groups would have made a batch"


@given(labels=KEYS, size=st.integers(4, 12), each=st.integers(2, 4), seed=st.integers(0, 9))
def test_pieces_of_a_class_are_of_it_whole_and_once_in_a_batch(labels, size, each, seed):
    sizes = Counter(labels)
    plan = of_classes(labels, size, each, 1, seed)
    for batch in plan:
        owners = [labels[piece[0]] for piece in batch]
        assert len(set(owners)) == len(owners)
        for piece, owner in zip(batch, owners, strict=True):
            assert {labels[row] for row in piece} == {owner}
            assert len(set(piece)) == len(piece) == min(each, sizes[owner])
    if len(sizes) > 1 and max(sizes.values()) <= each:
        assert {row for batch in plan for piece in batch for row in piece} == set(range(len(labels)))


@pytest.mark.parametrize("make", [lambda seed: plain(40, 8, 2, seed), lambda seed: apart(range(40), 8, 2, seed)])
def test_the_order_follows_from_the_seed_and_differs_between_epochs(make):
    assert make(3) == make(3) != make(4)
    half = len(make(3)) // 2
    assert make(3)[:half] != make(3)[half:]
