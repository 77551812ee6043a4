"""The first command without an option works on files in the shapes that people have, or has a line that does."""

from __future__ import annotations

import shape_cases
from turns import in_turn

CASES = shape_cases.cases()
MAY_ASK = [case for case in CASES if case.get("ambiguous") or case.get("messy") or case.get("empty_texts")]


@in_turn("case", CASES)
def test_a_file_is_read_as_a_person_would_or_the_way_on_is_said(case):
    result, detail = shape_cases.outcome(case)
    allowed = {"works"} if case not in MAY_ASK else {"works", "asks", "told"}
    assert result in allowed, (result, detail, case)


def test_nearly_all_of_them_work_without_an_option():
    works = [case["file"] for case in CASES if shape_cases.outcome(case)[0] == "works"]
    assert len(works) >= 0.85 * len(CASES)
