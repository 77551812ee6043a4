"""What people did already becomes examples: verdicts, hits that were taken, phrasings of a FAQ."""

from __future__ import annotations

import json

import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.datasets import read_dataset
from nearsense.errors import InputError
from nearsense.querylog import open_log
from nearsense.training.examples import Kind
from nearsense.training.labels import examples_from

DOCUMENTS = {
    "T-1": "The dashboard freezes after login",
    "T-2": "Please refund my last invoice",
    "T-3": "Late parcel",
}


def rows_of(examples):
    return list(zip(*examples.texts, strict=True))


def written(path, records):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        names = list(records[0])
        path.write_text(
            "\n".join([",".join(names), *(",".join(str(r[n]) for n in names) for r in records)]) + "\n"
        )
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_verdicts_of_the_map_are_labels_whatever_score_stands_beside_them(tmp_path, kind):
    """The columns are those that pages/map/review.js writes."""
    verdicts = [
        {
            "text1": f"one {row}",
            "text2": f"two {row}",
            "label": row % 2,
            "id1": row,
            "id2": 50,
            "score": 0.9 - row / 50,
        }
        for row in range(12)
    ]
    file = written(tmp_path / f"labels.{kind}", verdicts)
    found = examples_from(file)
    assert found.kind is Kind.LABELLED
    assert rows_of(found) == [(each["text1"], each["text2"]) for each in verdicts]
    assert list(found.truth) == [bool(each["label"]) for each in verdicts]


def test_the_columns_of_the_map_s_export_are_those(tmp_path):
    from importlib.resources import files

    script = (files("nearsense.pages") / "map" / "review.js").read_text()
    for column in ("{text1: texts()", "text2: texts()", "right], label, id1: ids()", "id2: ids()", "score: facts"):
        assert column in script


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_answers_of_calibrate_ask_are_labels(tmp_path, ending, encoder):
    from nearsense.calibrating import pairs_to_judge
    from nearsense.calibration.learning import spread_over
    from nearsense.cli.label import Desk

    texts = [f"Where is parcel {row}?" for row in range(20)] + [f"Refund invoice {row}" for row in range(20)]
    pairs, scores = pairs_to_judge(texts, encoder=HashEncoder())
    file = tmp_path / f"labels.{ending}"
    desk = Desk(pairs, scores, spread_over(scores), str(file), 40)
    for place in range(24):
        desk.answer(desk.next(), place % 3 == 0)
    found = examples_from(file)
    assert found.kind is Kind.LABELLED
    assert rows_of(found) == [(row["a"], row["b"]) for row in desk.rows]
    assert list(found.truth) == [bool(row["label"]) for row in desk.rows]


def test_graded_pairs_stay_graded_beside_a_label_of_several_kinds(tmp_path):
    records = [
        {"a": f"x {row}", "b": f"y {row}", "score": row / 3, "label": ["entailment", "neutral", "other"][row % 3]}
        for row in range(12)
    ]
    assert type(read_dataset(written(tmp_path / "sick.jsonl", records))).__name__ == "GradedPairs"


@pytest.fixture
def tickets(tmp_path):
    """A collection that was searched, and of which hits were taken."""
    place = tmp_path / "tickets.nearsense"
    with ns.open(place, HashEncoder(), log=True) as there:
        there.add([ns.Document(id_, text) for id_, text in DOCUMENTS.items()])
        for query, taken in [("my screen is frozen", "T-1"), ("money back", "T-2"), ("nothing of that", None),
                             ("money back", "T-2"), ("where is it", "T-3")]:  # fmt: skip
            hits = there.search(query)
            if taken:
                there.log.choose(hits, taken)
        there.delete(["T-3"])
    return place


TAKEN = [("my screen is frozen", DOCUMENTS["T-1"]), ("money back", DOCUMENTS["T-2"])]


def test_hits_that_were_taken_are_positives_of_the_collection(tickets):
    for source in (tickets, str(tickets), tickets.with_name("tickets.nearsense.queries")):
        found = examples_from(source)
        assert (found.kind, found.searching) == (Kind.POSITIVES, True)
        assert rows_of(found) == TAKEN
        assert any("4 of 5 queries have a hit that was taken" in note for note in found.notes)
        assert any("1 of them took what is not there any more" in note for note in found.notes)


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
@pytest.mark.parametrize("documents", ["collection", "file", "texts"])
def test_an_exported_log_needs_the_texts_that_its_ids_are_of(tickets, tmp_path, ending, documents):
    file = tmp_path / f"queries.{ending}"
    open_log(tickets).export(file)
    records = [{"id": id_, "text": text} for id_, text in DOCUMENTS.items() if id_ != "T-3"]
    given = {
        "collection": tickets,
        "file": written(tmp_path / "docs.jsonl", records),
        "texts": {each["id"]: each["text"] for each in records},
    }[documents]
    assert rows_of(examples_from(file, documents=given)) == TAKEN
    with pytest.raises(InputError, match="the text of no hit that was taken is known") as found:
        examples_from(file)
    assert "--documents" in found.value.fix


def test_a_faq_s_log_says_the_entries_questions_itself(tmp_path):
    items = [{"question": "How do I return a product?", "answer": "By post."},
             {"question": "How long does shipping take?", "answer": "Two days."}]  # fmt: skip
    log = open_log(tmp_path / "faq.queries")
    faq = ns.FAQ(items, encoder=HashEncoder(), log=log)
    for question in ("return a product", "shipping take how long"):
        answer = faq.answer(question)
        log.choose(question, answer.candidates[0])
    log.close()
    found = examples_from(tmp_path / "faq.queries")
    assert rows_of(found) == [
        ("return a product", "How do I return a product?"),
        ("shipping take how long", "How long does shipping take?"),
    ]


def test_a_faq_with_phrasings_is_classes_of_what_is_asked(tmp_path):
    file = written(tmp_path / "faq.jsonl", [
        {"id": "returns", "question": "How do I return it?", "answer": "Post.", "phrasings": ["send it", "back"]},
        {"id": "ship", "question": "How long?", "answer": "Two days.", "phrasings": ["delivery time"]},
        {"id": "alone", "question": "Do you sell cards?", "answer": "No.", "phrasings": []},
    ])  # fmt: skip
    found = examples_from(file)
    assert found.kind is Kind.CLASSES
    assert list(zip(found.texts[0], found.truth, strict=True)) == [
        ("How do I return it?", "returns"), ("send it", "returns"), ("back", "returns"), ("How long?", "ship"),
        ("delivery time", "ship"),
    ]  # fmt: skip
    assert any("1 entries have one phrasing only" in note for note in found.notes)
    assert examples_from(file, kind="positives", columns=("question", "answer")).kind is Kind.POSITIVES


def test_a_log_in_which_nobody_took_a_hit_says_how_it_is_told(tmp_path):
    with ns.open(tmp_path / "c.nearsense", HashEncoder(), log=True) as there:
        there.add(["a text"])
        there.search("a query")
    with pytest.raises(InputError, match="no hit was taken in 1 queries") as found:
        examples_from(tmp_path / "c.nearsense")
    assert "log.choose(hits, hits[0])" in found.value.fix


def test_a_hashed_log_and_a_collection_without_one_are_refused(tmp_path):
    with ns.open(tmp_path / "c.nearsense", HashEncoder(), log="hashed") as there:
        there.add(["a text"])
        hits = there.search("a query")
        there.log.choose(hits, hits[0])
    with pytest.raises(InputError, match="is hashed"):
        examples_from(tmp_path / "c.nearsense")
    ns.open(tmp_path / "d.nearsense", HashEncoder()).close()
    with pytest.raises(InputError, match="has no query log") as found:
        examples_from(tmp_path / "d.nearsense")
    assert found.value.fix == f"nearsense log {tmp_path / 'd.nearsense'} --on"


def test_all_else_is_read_as_before(tmp_path):
    assert examples_from([("a", "b", 0.5), ("c", "d", 0.1), ("e", "f", 0.3)]).kind is Kind.GRADED
    rows = [{"text": f"a {row}", "label": "pq"[row % 2]} for row in range(6)]
    assert examples_from(written(tmp_path / "x.csv", rows)).kind is Kind.CLASSES
