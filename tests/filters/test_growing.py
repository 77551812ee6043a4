"""filters.growing: what readers see while rows are added. That its answers are right: see test_columns.py."""

import operator
import sys
import threading

import numpy as np
import pytest

from nearsense.errors import InputError
from nearsense.filters import GrowingColumns
from turns import in_turn


def test_an_older_reader_sees_the_rows_it_knows():
    tail = GrowingColumns()
    tail.extend({"n": i, "tags": [i, i + 1]} for i in range(100))
    before = tail.mask({"tags": {">=": 50}}, 60)
    tail.extend({"n": i, "later": True} for i in range(100, 300))
    np.testing.assert_array_equal(tail.mask({"tags": {">=": 50}}, 60), before)
    assert before.tolist() == [i >= 49 for i in range(60)]
    assert not tail.mask({"later": True}, 100).any()
    assert tail.mask({"later": True}).sum() == 200
    assert tail.mask({}, 0).shape == (0,)


@in_turn("op", ["<", "<=", ">", ">="])
@in_turn("bound", [50, 49.5, 2**53, float(2**53), 2.0**60, 2**53 + 1, -(2**60)])
def test_a_few_large_integers_among_many_numbers_compare_exactly(op, bound):
    numbers = [
        *range(100),
        2**53,
        2**53 + 1,
        2**53 + 2,
        2**60,
        2**60 + 1,
        -(2**60) - 1,
        10**400,
        0.25,
        float("inf"),
    ]
    tail = GrowingColumns()
    tail.extend({"n": number} for number in numbers)
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[op]
    assert tail.mask({"n": {op: bound}}).tolist() == [compare(number, bound) for number in numbers]


@pytest.mark.parametrize("n", [-1, 2])
def test_rows_that_are_not_there_cannot_be_asked_for(n):
    tail = GrowingColumns()
    tail.extend([{}])
    with pytest.raises(InputError, match=f"n={n}: there are 1 rows"):
        tail.mask({}, n)


def test_rows_are_added_all_or_none():
    tail = GrowingColumns()
    tail.extend([{"a": 1}])
    with pytest.raises(InputError, match='"b" holds a value of type set'):
        tail.extend([{"a": 2}, {"b": {1}}])
    assert len(tail) == 1
    assert tail.fields == ("a",)
    tail.extend([{"a": 3}])
    assert tail.mask({"a": {">": 1}}).tolist() == [False, True]


def test_readers_beside_a_writer_always_see_whole_rows():
    tail, total, wrong, done = GrowingColumns(), 6_000, [], threading.Event()

    def read():
        while not done.is_set():
            n = len(tail)
            try:
                masks = [
                    tail.mask({"n": {"<": 10**9}}, n),
                    tail.mask({"s": {">=": ""}}, n),
                    tail.mask({"t": "x"}, n),
                ]
                masks += [tail.mask({"n": n - 1}, n)[-1:], tail.mask({"n": {"exists": True}}, n)]
                wrong.extend(mask for mask in masks if not mask.all())
            except Exception as error:
                wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for i in range(0, total, 3):
            tail.extend({"n": j, "s": str(j), "t": ["x", j]} for j in range(i, i + 3))
    finally:
        done.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(interval)
    assert wrong == []
    assert tail.mask({"n": {"<": 10**9}}).sum() == total
