"""Cases in one test: none is passed over, none hides another, and what fails is named."""

from __future__ import annotations

import os

import pytest

from turns import in_turn


def test_every_case_is_tried_and_the_one_that_fails_is_named():
    tried = []

    @in_turn("number, word", [(1, "a"), (2, "b"), (3, "c")])
    def odd(number, word):
        tried.append(word)
        assert number % 2

    with pytest.raises(AssertionError) as caught:
        odd()
    assert tried == ["a", "b", "c"]
    assert caught.value.__notes__ == ["where number = 2, word = 'b'"]


def test_all_that_fail_are_named_and_an_exception_is_a_failure_too():
    @in_turn("number", [0, 1, 2])
    @in_turn("other", [1, 0])
    def divided(number, other):
        assert number / other >= 1

    with pytest.raises(ExceptionGroup, match="3 of 3 cases") as caught:
        divided()
    notes = [each.__notes__[-1] for each in caught.value.exceptions]
    assert notes == ["where number = 0", "where number = 1", "where number = 2"]
    assert isinstance(caught.value.exceptions[2], ZeroDivisionError)
    assert caught.value.exceptions[2].__notes__ == ["where other = 0", "where number = 2"]


@in_turn("turn", ["first", "second"])
def test_a_case_has_a_folder_and_a_monkeypatch_of_its_own(turn, tmp_path, monkeypatch):
    assert list(tmp_path.iterdir()) == []
    assert "NEARSENSE_TURN" not in os.environ
    (tmp_path / turn).touch()
    monkeypatch.setenv("NEARSENSE_TURN", turn)


def test_cases_with_marks_are_not_for_it():
    with pytest.raises(AssertionError, match="parametrize"):
        in_turn("number", [pytest.param(1, marks=pytest.mark.slow)])(lambda number: None)
