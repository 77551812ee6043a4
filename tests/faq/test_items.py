"""Rows become entries: phrasings joined, clashes and gaps refused with their place."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from nearsense.faq import FAQItem
from nearsense.faq.entries import labelled_of, read_items
from nearsense.files import documents, read_table
from turns import in_turn


def test_rows_with_one_id_are_phrasings_of_one_entry(tmp_path):
    file = tmp_path / "faq.tsv"
    file.write_text("id\tquestion\tanswer\na\tWhere is it?\tHere.\nb\tWho?\tMe.\na\tWhich place?\t\n")
    first, second = read_items(str(file))
    assert (first.id, first.question, first.phrasings, first.answer) == (
        "a",
        "Where is it?",
        ("Which place?",),
        "Here.",
    )
    assert (second.id, second.phrasings) == ("b", ())


def test_a_sheet_under_a_title_numbers_its_entries_as_a_search_of_it_does(tmp_path):
    sheets = pytest.importorskip("xlsxwriter")
    pytest.importorskip("python_calamine")
    file, here = tmp_path / "faq.xlsx", "Here on the second floor."
    rows = [["Questions, March"], [], ["No.", "Question", "Answer"]]
    rows += [[101, "Where is it?", here], [102, "Which place?", here], [103, "Who?", "Me."]]
    with sheets.Workbook(file) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    with pytest.warns(UserWarning, match="^1 row has the answer of another and no id"):
        first, second = read_items(str(file))
    searched = {document.text: document.id for document in documents(read_table(str(file))).items}
    assert (first.id, second.id) == (searched["Where is it?"], searched["Who?"]) == ("101", "103")
    assert first.phrasings == ("Which place?",)


def test_rows_with_one_long_answer_are_phrasings_where_there_are_no_ids_and_that_is_said(tmp_path):
    file, here = tmp_path / "faq.csv", "Here on the second floor."
    file.write_text(f"Question,Answer,topic\nWhere is it?,{here},place\nWhich place?,{here},place\nWho?,Me.,\n")
    with pytest.warns(UserWarning, match="^1 row has the answer of another and no id") as said:
        first, second = read_items(file)
    assert len(said) == 1
    assert (first.id, first.phrasings, first.category) == ("2", ("Which place?",), "place")
    assert (second.id, second.category) == ("4", None)


def test_a_short_answer_joins_no_rows_but_those_that_ask_the_same():
    asked = ("Do you ship to France?", "Can I pay by card?", "do you ship to FRANCE?")
    items = read_items([{"question": question, "answer": "Yes."} for question in asked])
    assert [(item.question, item.phrasings) for item in items] == [(asked[0], ()), (asked[1], ())]


def test_rows_with_one_answer_and_two_ids_are_two_entries():
    assert len(read_items([{"id": n, "question": f"q{n}", "answer": "same"} for n in range(3)])) == 3


@in_turn("cell", [["b", "c"], '["b", "c"]', "b | c", "b\nc\n"])
def test_phrasings_may_be_a_list_or_written_as_one(cell):
    (item,) = read_items([{"question": "a", "phrasings": cell}])
    assert item.phrasings == ("b", "c")


def test_the_same_phrasing_twice_is_kept_once():
    (item,) = read_items([{"question": "A b?", "phrasings": ["a  B?", "c"]}])
    assert item.phrasings == ("c",)


def test_other_columns_are_metadata():
    (item,) = read_items([{"question": "a", "answer": "b", "link": "http://x", "stars": 3}])
    assert item.metadata == {"link": "http://x", "stars": 3}


def test_entries_without_any_answer_name_the_columns_that_may_hold_it(tmp_path):
    file = tmp_path / "faq.csv"
    file.write_text("frage,gegenrede,link\na b?,Yes.,x\nc d?,No.,y\n")
    with pytest.warns(UserWarning, match="metadata: gegenrede, link; name the one with the answers") as said:
        found = read_items(file, {"question": "frage"})
    assert len(said) == 1
    assert read_items(found) == found
    assert len(read_items(file, {"question": "frage", "answer": "gegenrede"})) == 2
    assert len(read_items([{"id": "a", "question": "only questions"}])) == 1


def test_columns_are_named_where_they_are_called_otherwise(tmp_path):
    file = tmp_path / "faq.jsonl"
    file.write_text('{"ask": "a", "say": "b", "text": "c"}\n')
    (item,) = read_items(str(file), {"question": "ask", "answer": "say"})
    assert (item.question, item.answer, item.metadata) == ("a", "b", {"text": "c"})
    with pytest.raises(ns.errors.FileError, match="no column 'aks'") as error:
        read_items(str(file), {"question": "aks"})
    assert "ask" in error.value.fix


@in_turn(
    ("items", "said"),
    [
        (["a", "b", " A "], "item 0 and item 2 ask the same"),
        (
            [{"id": "x", "question": "a"}, {"id": "y", "question": "b", "phrasings": ["a"]}],
            r"\(x\) and item 1 \(y\)",
        ),
        (["a", ""], "item 1: a question is empty"),
        ([{"question": None, "answer": "x"}], "item 0: a question is empty"),
        ([{"question": 7}], "a question is 7"),
        ([FAQItem("a", phrasings=[" "])], "item 0: a question is empty"),
        ([{"question": "a", "phrasings": 5}], "item 0: phrasings are 5"),
        ([{"question": "a", "phrasings": ["b", 3]}], "item 0: a phrasing is 3"),
        ([{"question": "a", "phrasings": {"b": "c"}}], "item 0: phrasings are {'b': 'c'}"),
        (["caf\u00e9", "cafe\u0301"], "item 0 and item 1 ask the same"),
        (["a\ud800"], "half a surrogate"),
        ([], "no entry"),
        ([3], "item 0 is of type int"),
        ([{"answer": "a", "link": "b"}], "which column is the question"),
        (
            [{"id": "x", "question": "a", "answer": "1"}, {"id": "x", "question": "b", "answer": "2"}],
            "two of answer",
        ),
        ([{"id": "1", "question": "a"}, "b"], "share the id '1'"),
        ({"question": "a"}, "is of type str"),
        (3, "cannot be made of int"),
    ],
)
def test_what_cannot_be_an_entry_is_refused_by_its_place(items, said):
    with pytest.raises(ns.errors.InputError, match=said):
        read_items(items)


@in_turn(
    ("fields", "said"),
    [
        ({"question": None}, "a question is None"),
        ({"answer": 5}, "an answer is 5"),
        ({"phrasings": "abc"}, "phrasings are 'abc'"),
        ({"phrasings": None}, "phrasings are None"),
        ({"phrasings": ["b", None]}, "a phrasing is None"),
        ({"category": 1}, "a category is 1"),
        ({"id": ""}, "an id is empty"),
        ({"id": ["a"]}, "an id is "),
        ({"id": True}, "an id is True"),
        ({"metadata": None}, "the metadata are None"),
    ],
)
def test_an_item_of_the_wrong_types_is_refused_when_it_is_made(fields, said):
    with pytest.raises(ns.errors.InputError, match=said):
        FAQItem(**{"question": "a", **fields})


def test_a_number_as_id_is_that_string():
    assert (FAQItem("a", id=0).id, FAQItem("a", id=np.int64(7)).id) == ("0", "7")
    (item,) = read_items([FAQItem("a b", id=5), FAQItem("c d", id="5")])
    assert (item.id, item.phrasings) == ("5", ("c d",))


@pytest.mark.parametrize("value", ["5", "true"])
def test_phrasings_that_are_no_list_are_refused_by_their_line(tmp_path, value):
    file = tmp_path / "faq.jsonl"
    file.write_text(f'{{"question": "a"}}\n{{"question": "b", "phrasings": {value}}}\n')
    with pytest.raises(ns.errors.FileError, match="line 2: phrasings are"):
        read_items(str(file))


@in_turn(
    ("content", "said"),
    [
        ("question,answer\na,x\n,y\n", "faq.csv, line 3: a question is empty"),
        ("question,answer\na,x\nb,y\nA,z\n", "line 2 and .*line 4 ask the same: 'A'"),
        ("question,answer\n", "no entry|holds"),
        ("one,two\na,b\n", "which column is the question"),
    ],
)
def test_what_cannot_be_an_entry_of_a_file_is_refused_by_its_line(tmp_path, content, said):
    file = tmp_path / "faq.csv"
    file.write_text(content)
    with pytest.raises(ns.errors.FileError, match=said):
        read_items(str(file))


def test_labelled_questions_come_from_a_file_with_empty_cells_for_strangers(tmp_path):
    file = tmp_path / "asked.csv"
    file.write_text("question,id\nwhere,a\nwhat,\n")
    assert labelled_of(str(file)) == [("where", "a"), ("what", None)]
    file.write_text("question,other\nwhere,a\n")
    with pytest.raises(ns.errors.FileError, match="no column with the entry"):
        labelled_of(str(file))


def test_a_faq_with_other_entries_keeps_what_it_was_told_and_forgets_what_it_can_answer_now(tmp_path):
    shop = ns.FAQ(
        [
            {
                "question": "How long does shipping take?",
                "answer": "Two days by post in most cases.",
                "id": "ship",
            },
            {
                "question": "How do I return a product?",
                "answer": "Within 30 days, by post, for free.",
                "id": "back",
            },
        ],
        precision=0.8,
        prior=0.3,
        labelled=[("when does it arrive", "ship"), ("tell me a joke", None)],
        log=tmp_path / "asked",
    )
    assert not any(shop.answer_many(["Do you sell gift cards?", "What is the capital of France?"]))
    more = shop.with_items([*shop.items, FAQItem("Do you sell gift cards?", "Yes.", id="gift")])
    assert (more.threshold.wanted, more.prior, more.log, more.encoder) == (0.8, 0.3, shop.log, shop.encoder)
    assert more.answer("do you sell gift cards?").text == "Yes."
    assert list(more.unanswered) == ["What is the capital of France?"]
    assert list(shop.unanswered) == ["Do you sell gift cards?", "What is the capital of France?"]
    with pytest.raises(ns.errors.InputError, match="is of the entry 'ship', which is not in the FAQ"):
        shop.with_items([shop.items[1]])


def test_many_questions_are_matched_as_each_alone_and_nothing_is_kept_of_them():
    shop = ns.FAQ(["How long does shipping take?", "How do I return a product?", "Do you sell gift cards?"])
    asked = ["sending something back", "gift card", "the weather"]
    found = shop.match_many(asked, 2)
    for question, hits in zip(asked, found, strict=True):
        alone = shop.match(question, 2)
        assert [hit.id for hit in hits] == [hit.id for hit in alone]
        assert [hit.probability for hit in hits] == pytest.approx([hit.probability for hit in alone], abs=2e-3)
    assert shop.match_many([]) == []
    assert not shop.unanswered
