"""Series, frames, Arrow, data sets, files: every verb takes them, and results go back by the index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from nearsense.columns import frame_of
from nearsense.corpus import as_documents
from nearsense.errors import FileError, InputError
from nearsense.training.examples import read_examples
from turns import in_turn

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
datasets = pytest.importorskip("datasets")

TEXTS = [
    "The parcel is late.",
    "The exchange rate is wrong.",
    "My parcel has not come.",
    "Which exchange rate do you use?",
    "Where is my parcel?",
]
GROUPS = [0, 1, 0, 1, 0]
COLUMNS = {"review": TEXTS, "stars": [1, 2, 3, 4, 5]}


def frame(index=None):
    return pandas.DataFrame(COLUMNS, index=index)


MADE = {
    "list": lambda: TEXTS,
    "tuple": lambda: tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "keys of a dict": lambda: dict.fromkeys(TEXTS).keys(),
    "numpy": lambda: np.array(TEXTS),
    "numpy objects": lambda: np.array(TEXTS, object),
    "Series": lambda: pandas.Series(TEXTS),
    "Series of objects": lambda: pandas.Series(TEXTS, dtype=object),
    "Series of categories": lambda: pandas.Series(TEXTS, dtype="category"),
    "Series of Arrow": lambda: pandas.Series(TEXTS, dtype="string[pyarrow]"),
    "pandas Index": lambda: pandas.Index(TEXTS),
    "polars Series": lambda: polars.Series(TEXTS),
    "Arrow array": lambda: pyarrow.array(TEXTS),
    "Arrow dictionary": lambda: pyarrow.array(TEXTS).dictionary_encode(),
    "Arrow chunks": lambda: pyarrow.chunked_array([TEXTS[:2], TEXTS[2:]]),
    "data set's column": lambda: datasets.Dataset.from_dict(COLUMNS)["review"],
}
FRAMES = {
    "pandas": frame,
    "polars": lambda: polars.DataFrame(COLUMNS),
    "Arrow table": lambda: pyarrow.table(COLUMNS),
    "Arrow batch": lambda: pyarrow.RecordBatch.from_pydict(COLUMNS),
    "data set": lambda: datasets.Dataset.from_dict(COLUMNS),
    "dict": lambda: COLUMNS,
    "records": lambda: [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
}


@in_turn("make", MADE.values())
def test_texts_come_in_any_column(make):
    found = ns.cluster(make(), k=2)
    assert found.labels.tolist() == GROUPS
    assert found.ids == ["0", "1", "2", "3", "4"]
    assert [hit.text for hit in ns.search("money exchange", make(), k=1)] == [
        ns.search("money exchange", TEXTS)[0].text
    ]


@in_turn("make", FRAMES.values())
def test_texts_come_in_a_column_of_any_frame_and_the_others_travel_along(make):
    assert ns.cluster(make(), k=2, text="review").labels.tolist() == GROUPS
    best = ns.search("My parcel has not come", make(), k=1, text="review")[0]
    assert (best.id, best.metadata) == ("2", {"stars": 3})


@in_turn("make", [*FRAMES.values()][:-1])
def test_a_frame_without_a_column_is_refused_with_its_columns_named_and_a_line_to_paste(make):
    with pytest.raises(InputError, match="which of its columns") as caught:
        ns.duplicates(make())
    assert "review, stars" in caught.value.why
    assert caught.value.fix == "name it: text='review'"
    with pytest.raises(InputError, match="review, stars"):
        ns.load().encode(make())


def test_a_column_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(InputError, match="no column 'reviews'") as caught:
        ns.cluster(frame(), text="reviews")
    assert caught.value.fix == "did you mean 'review'?"
    with pytest.raises(InputError, match="names a column, and texts are a list"):
        ns.cluster(TEXTS, text="review")
    with pytest.raises(InputError, match="two columns are called 'a'"):
        ns.cluster(pandas.DataFrame([["x", "y"]], columns=["a", "a"]), text="a")
    with pytest.raises(InputError, match="holds no rows yet"):
        ns.cluster(polars.LazyFrame(COLUMNS), text="review")


VERBS = {
    "cluster": lambda texts, **how: ns.cluster(texts, 2, **how).ids,
    "assign": lambda texts, **how: ns.cluster(TEXTS, 2).assign(texts, **how).ids,
    "duplicates": lambda texts, **how: [each.id for each in ns.duplicates(texts, **how).unique],
    "against": lambda texts, **how: [each.id for each in ns.duplicates(texts, against=["Hello."], **how).unique],
    "map": lambda texts, **how: [each.id for each in ns.map(texts, layout="pca", **how).documents],
    "search": lambda texts, **how: sorted(hit.id for hit in ns.search("parcel", texts, **how)),
    "search_many": lambda texts, **how: sorted(hit.id for hit in ns.search_many(["parcel"], texts, **how)[0]),
    "search_vectors": lambda texts, **how: sorted(
        hit.id for hit in ns.search_vectors(["parcel"], ns.load().encode(TEXTS), documents=texts, **how)[0]
    ),
    "rank": lambda texts, **how: sorted(hit.id for hit in ns.rank("parcel", texts, **how)),
    "rerank": lambda texts, **how: sorted(hit.id for hit in ns.rerank("parcel", texts, encoder=Length(), **how)),
    "matrix": lambda texts, **how: ns.matrix(texts, **how).to_frame("pandas").index.tolist(),
    "similarity": lambda texts, **how: ns.similarity(texts, texts, **how).to_frame("pandas").index.tolist(),
    "collection": lambda texts, **how: kept(texts, **how),
    "drift": lambda texts, **how: list(ns.monitoring.samples.read_side(texts, None, "current", **how).ids),
}


class Length:
    """A cross-encoder for which longer texts go better together."""

    name, fingerprint, max_tokens = "length", "1", 512

    def score(self, pairs, **options):
        return np.array([len(text) for _, text in pairs], np.float32)


def kept(texts, **how):
    notes = ns.open(":memory:")
    assert notes.add(texts, **how) == len(TEXTS)
    assert notes.sync(texts, **how).unchanged == len(TEXTS)
    assert notes.upsert(texts, **how) == len(TEXTS)
    return [document.id for document in notes.documents()[0]]


LABELS = ["a17", "b4", "c0", "d", "e5"]


@in_turn("verb", VERBS.values())
def test_every_verb_takes_a_series_and_a_frame_and_the_index_are_the_ids(verb):
    __import__("nearsense.monitoring.samples")
    series = pandas.Series(TEXTS, index=LABELS)
    assert verb(series) == LABELS
    assert verb(frame(LABELS), text="review") == LABELS


def test_background_calibrate_and_distill_take_frames_too():
    many = pandas.DataFrame(
        {"t": [f"The {colour} car number {n}." for n in range(30) for colour in ("red", "blue")]}
    )
    assert ns.background(many, text="t").false_positives(0.5) == ns.background(many["t"]).false_positives(0.5)
    with pytest.raises(InputError, match="60 texts are too few"):
        ns.distill(None, many, text="t", output="nowhere")
    rows = [(f"I like {n}.", f"I am fond of {n}.", 1) for n in range(20)]
    rows += [(f"I like {n}.", f"Trains to {n} are late.", 0) for n in range(20)]
    labelled = pandas.DataFrame(rows, columns=["one", "other", "same"])
    by_frame = ns.calibrate(labelled, columns=("one", "other", "same"))
    assert by_frame.probability(0.8) == ns.calibrate(rows).probability(0.8)
    moved = ns.adapt(labelled, columns=("one", "other"), share=0.5)
    assert moved.probability(0.8) == ns.adapt([row[:2] for row in rows], share=0.5).probability(0.8)


def test_pairs_come_in_two_columns_and_go_back_by_the_index():
    given = [("It is raining.", "Rain is falling."), ("I like tea.", "The bus is late.")]
    pairs = pandas.DataFrame(given, columns=["a", "b"], index=["x", "y"])
    found = ns.compare_pairs(pairs, columns=("a", "b"))
    assert [each.score for each in found] == [each.score for each in ns.compare_pairs(given)]
    assert found.to_frame().index.tolist() == ["x", "y"]
    assert found[1:].to_frame().index.tolist() == ["y"]
    some = ns.compare_pairs(pairs[::-1], columns=("a", "b"), min_probability=0.5)
    assert some.to_frame()["a"].to_dict() == {"x": "It is raining."}
    with pytest.raises(InputError, match="which 2 columns are the pair") as caught:
        ns.compare_pairs(pairs)
    assert caught.value.fix == "name them: columns=('a', 'b')"
    with pytest.raises(InputError, match="no column 'c'"):
        ns.compare_pairs(pairs, columns=("a", "c"))
    pairs.loc["y", "b"] = None
    with pytest.raises(InputError, match="right text of row 'y' is"):
        ns.compare_pairs(pairs, columns=("a", "b"))


def test_data_sets_examples_and_faqs_are_read_off_the_columns_of_a_frame():
    graded = pandas.DataFrame({"a": ["a dog"] * 3, "b": ["a hound", "a cat", "a debt"], "score": [5, 2, 0]})
    for rows in (graded, polars.from_dicts(graded.to_dict("records")), pyarrow.table(graded)):
        assert ns.read_dataset(rows).pairs == ns.read_dataset(graded).pairs
        assert ns.read_dataset(rows).task.value == "graded"
        assert str(read_examples(rows).kind) == "graded"
    questions = pandas.DataFrame(
        {
            "question": ["How do I return a product?", "How long does shipping take?", "When will it be here?"],
            "answer": ["Within 30 days, by post.", "Two days.", None],
            "stars": [1, 2, 3],
        },
        index=[40, 41, 42],
    )
    faq = ns.FAQ(questions)
    assert faq.answer("When will my package arrive?").text == "Two days."
    assert [item.id for item in faq.items] == ["40", "41", "42"]
    assert ns.FAQ(questions.to_dict("list")).items[0].metadata == {"stars": 1}
    with pytest.raises(InputError, match="is of type str"):
        ns.FAQ({"question": "How?", "answer": "So."})


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="'b' has 1 rows, the texts have 2"):
        as_documents({"a": ["x", "y"], "b": ["z"]}, "a")


def test_several_columns_are_joined_without_those_that_are_empty():
    tickets = pandas.DataFrame({"title": ["Late", None, ""], "body": ["Where is it?", "Refund me.", "Thanks."]})
    for texts in (tickets, polars.from_pandas(tickets)):
        found = as_documents(texts, ["title", "body"])
        assert [each.text for each in found] == ["Late\nWhere is it?", "Refund me.", "Thanks."]
        assert found[0].metadata == {"title": "Late", "body": "Where is it?"}
    with pytest.raises(InputError, match="text of row 1 is"):
        as_documents(tickets.assign(body=["a", None, "b"]), ["title", "body"])
    with pytest.raises(InputError, match="of type int"):
        as_documents(pandas.DataFrame({"a": ["x"], "b": [3]}), ["a", "b"])


@in_turn("missing", [None, np.nan, pandas.NA, pandas.NaT])
def test_a_cell_without_a_text_is_named_by_its_row(missing):
    cells = pandas.Series([*TEXTS[:3], missing], index=["p", "q", "r", 17], dtype=object)
    with pytest.raises(InputError, match=r"text of row 17 is (None|missing)") as caught:
        ns.cluster(cells)
    assert caught.value.fix == "leave such rows out: series.dropna()"
    with pytest.raises(InputError, match=r"text of row 17 is (None|missing)") as caught:
        ns.cluster(cells.to_frame("review"), text="review")
    assert caught.value.fix == "leave such rows out: df.dropna(subset=['review'])"
    with pytest.raises(InputError, match="text of row 17"):
        ns.load().encode(cells)
    assert len(ns.cluster(cells.dropna(), 1).labels) == 3


def test_a_number_an_empty_text_and_half_a_character_are_named_by_their_rows():
    for bad, said in ((4, "of type int"), (" ", "is empty"), ("\ud800", "lone surrogate")):
        with pytest.raises(InputError, match=f"text of row 'x' .*{said}"):
            ns.search("tea", pandas.Series(["a", bad], index=["w", "x"], dtype=object))
    with pytest.raises(InputError, match="text 1 is missing"):
        ns.search("tea", ["a", float("nan")])
    with pytest.raises(InputError, match="text 1 is None") as caught:
        ns.search("tea", polars.Series(["a", None]))
    assert caught.value.fix == "leave such rows out: series.drop_nulls()"


# -- and back


INDEXES = {
    "default": pandas.RangeIndex(5),
    "strings": pandas.Index(LABELS, name="ticket"),
    "whole numbers": pandas.Index([70, 3, 12, 9, 41]),
    "dates": pandas.date_range("2026-01-01", periods=5),
    "repeated": pandas.Index(["a", "b", "a", "b", "a"]),
    "number and its text": pandas.Index([1, "1", 2, "2", 3], dtype=object),
}


@in_turn("index", INDEXES.values())
def test_clusters_go_back_with_the_same_index(index):
    rows = frame(index)
    found = ns.cluster(rows, 2, text="review")
    rows["cluster"] = found.labels
    assert rows["cluster"].tolist() == GROUPS
    back = found.to_frame()
    pandas.testing.assert_index_equal(back.index, index)
    assert back["cluster"].tolist() == GROUPS
    assert back["label"].tolist() == [found[group].label for group in GROUPS]
    assert back["strength"].between(0, 1).all()


@in_turn("index", INDEXES.values())
def test_duplicates_go_back_with_the_same_index(index):
    rows = frame(index)
    rows["review"] = ["Late parcel", "late parcel", "I want a refund", "Late parcel", "Good tea"]
    found = ns.duplicates(rows, text="review")
    back = found.to_frame()
    pandas.testing.assert_index_equal(back.index, index)
    assert back["stays"].tolist() == [True, False, True, False, True]
    assert back["kept"].tolist() == [index[row] for row in (0, 0, 2, 0, 4)]
    assert back["tier"].isna().tolist() == [True, False, True, False, True]
    pandas.testing.assert_frame_equal(rows[back["stays"].to_numpy()], rows.iloc[found.kept])
    assert found.pairs.to_frame()["left"].isin([index[0], index[1]]).all()


@in_turn("index", INDEXES.values())
def test_hits_lead_back_to_the_rows_that_were_found(index):
    rows = frame(index)
    for hits in (
        ns.search("exchange rate", rows, k=2, text="review"),
        ns.rank("exchange rate", rows["review"], k=2),
    ):
        back = hits.to_frame()
        assert back["text"].tolist() == [hit.text for hit in hits]
        assert {*back.index} <= {*index}
        if index.is_unique:
            assert rows.loc[back.index, "review"].tolist() == back["text"].tolist()
            assert back.index.name == index.name
        assert "id" not in back


def test_a_filtered_frame_finds_its_rows_again():
    rows = frame()
    some = rows[rows.stars >= 3]
    found = ns.cluster(some, 2, text="review")
    assert found.ids == ["2", "3", "4"]
    rows["cluster"] = found.to_frame()["cluster"]
    assert rows["cluster"].isna().tolist() == [True, True, False, False, False]
    joined = rows.drop(columns="cluster").join(found.to_frame())
    assert joined["cluster"].dropna().tolist() == found.labels.tolist()
    assert found.split(0, 1).to_frame().index.isin(some.index).all()


def test_an_index_of_several_levels_is_refused_with_what_to_do():
    rows = frame(pandas.MultiIndex.from_tuples([("a", n) for n in range(5)], names=["shop", "day"]))
    for texts, how in ((rows, {"text": "review"}), (rows["review"], {})):
        with pytest.raises(InputError, match="2 levels: shop, day") as caught:
            ns.cluster(texts, **how)
        assert "reset_index" in caught.value.fix


def test_frames_of_other_libraries_come_back_as_such():
    found = ns.cluster(polars.DataFrame(COLUMNS), 2, text="review")
    assert isinstance(found.to_frame(), polars.DataFrame)
    whole = polars.DataFrame(COLUMNS).hstack(found.to_frame())
    assert whole["cluster"].to_list() == GROUPS
    table = ns.search("parcel", pyarrow.table(COLUMNS), text="review", k=2).to_frame()
    assert isinstance(table, pyarrow.Table)
    assert {"id", "text", "score"} <= {*table.column_names}
    assert isinstance(found.to_frame("arrow"), pyarrow.Table)
    assert isinstance(ns.cluster(TEXTS, 2).to_frame(), pandas.DataFrame)
    with pytest.raises(InputError, match="library='excel'"):
        found.to_frame("excel")


def test_documents_with_ids_of_their_own_are_called_by_them():
    documents = [ns.Document(f"T-{row}", text) for row, text in enumerate(TEXTS)]
    assert ns.cluster(documents, 2).to_frame().index.tolist() == [f"T-{row}" for row in range(5)]
    assert ns.map(TEXTS, layout="pca").to_frame().columns.tolist() == ["x", "y", "cluster", "label"]
    assert ns.cluster(TEXTS, 2).to_frame().index.equals(pandas.RangeIndex(5))


def test_nothing_found_is_an_empty_frame():
    hits = ns.search("exchange", pandas.Series(TEXTS, index=LABELS), min_score=0.99)
    assert len(hits) == 0
    assert hits.to_frame().empty


def test_values_of_other_columns_are_json():
    rows = pandas.DataFrame(
        {
            "t": ["a", "b"],
            "when": pandas.to_datetime(["2026-01-01", None]),
            "n": np.array([1, 2], np.int32),
            "x": pandas.array([True, None], dtype="boolean"),
            7: [0.5, float("nan")],
        }
    )
    first, second = as_documents(rows, "t")
    assert first.metadata == {"when": "2026-01-01T00:00:00", "n": 1, "x": True, "7": 0.5}
    assert second.metadata == {"when": None, "n": 2, "x": None, "7": None}
    assert ns.open(":memory:").add(rows, text="t") == 2


def test_a_column_of_ids_names_the_documents_of_a_collection():
    notes = ns.open(":memory:")
    notes.add(polars.DataFrame({"key": [7, 8], "t": ["a dog", "a cat"]}), text="t", id="key")
    assert [each.id for each in notes.documents()[0]] == ["7", "8"]
    with pytest.raises(InputError, match="share the id '7'"):
        notes.upsert(polars.DataFrame({"key": [7, 7], "t": ["a", "b"]}), text="t", id="key")


# -- files


def test_a_path_is_a_file_of_texts(tmp_path):
    file = tmp_path / "reviews.csv"
    file.write_text("id,review,stars\n" + "".join(f"r{n},{text},{n}\n" for n, text in enumerate(TEXTS)))
    for path in (file, str(file)):
        found = ns.cluster(path, 2, text="review")
        assert (found.labels.tolist(), found.ids[0]) == (GROUPS, "r0")
    assert ns.search("parcel", file, k=1)[0].metadata["stars"] in ("0", "2", "4")
    joined = as_documents(file, ["review", "stars"])
    assert joined[0].text == f"{TEXTS[0]}\n0"
    with pytest.raises(FileError, match="no column 'body'"):
        ns.cluster(file, text="body")


def test_one_string_is_the_name_of_a_file_and_never_silently_a_text():
    with pytest.raises(InputError, match="there is no file 'Where is my parcel") as caught:
        ns.search("parcel", "Where is my parcel?")
    assert "list of one" in caught.value.fix
    with pytest.raises(FileError, match=r"nowhere\.csv does not exist"):
        ns.cluster(Path("nowhere.csv"))
    assert len(ns.load().encode("a text for a model is one text")) == 1


def test_pairs_of_a_file(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("left,right,other\na cat,a kitten,x\na tax,a levy,y\n")
    assert [each.b for each in ns.compare_pairs(file)] == ["a kitten", "a levy"]
    assert [each.b for each in ns.compare_pairs(file, columns=("left", "other"))] == ["x", "y"]


# -- making frames


def test_no_library_is_imported_to_recognise_what_came():
    code = """
import sys, nearsense as ns
from nearsense.corpus import as_documents
as_documents(["a"]); as_documents({"t": ["a"]}, "t")
print(*{"pandas", "polars", "pyarrow", "datasets", "torch"} & {*sys.modules})"""
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        == []
    )


def test_what_is_not_installed_is_said_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ns.errors.MissingExtra, match="polars") as caught:
        frame_of({"a": [1]}, "polars", None)
    assert "nearsense[polars]" in caught.value.fix
