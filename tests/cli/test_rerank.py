"""`nearsense rerank`, `nearsense search --rerank`: against the scores of a cross-encoder of random weights."""

from __future__ import annotations

import csv
import io
import json

import pytest

import nearsense as ns
from nearsense.encoders import load_cross
from nearsense.files import write_vectors
from nearsense.records import Hit, Metric, Origin, Ranking, Results
from nearsense.render import Form, show
from nearsense.render.results import hits_page
from nearsense.reranking import rerank
from turns import in_turn

TEXTS = [
    "the dog and the cat",
    "rain and wind",
    "a king in the house",
    "milk and bread",
    "the moon, the sun",
    "a tree of stone",
    "fire in the water",
]
QUERY = "the queen and the dog"
ROWS = [{"id": f"t{i}", "text": text, "even": i % 2 == 0} for i, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    return hubs.transformer(tmp_path_factory.mktemp("cross") / "judge", "bert", head=True)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


@pytest.fixture
def collection(run, file, tmp_path):
    assert run("index", "create", tmp_path / "texts.nearsense", file, "-q").code == 0
    return tmp_path / "texts.nearsense"


def expected(judge, query=QUERY):
    """Ids by the score of each pair alone, best first, with the scores."""
    model = load_cross(str(judge))
    scores = {row["id"]: float(model.score([(query, row["text"])])[0]) for row in ROWS}
    return dict(sorted(scores.items(), key=lambda each: -each[1]))


def lines(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def is_error(done, *words, code=2):
    assert done.code == code, done
    assert done.err.startswith("error: ")
    assert (len(done.err.splitlines()) <= 3, done.out) == (True, "")
    for word in words:
        assert word in done.err, done.err


def test_texts_come_in_the_order_of_their_pairs_scores(run, file, judge):
    found = lines(run("rerank", QUERY, file, "--cross", judge))
    wanted = expected(judge)
    assert [hit["id"] for hit in found] == list(wanted)
    assert [hit["score"] for hit in found] == pytest.approx(list(wanted.values()), abs=2e-3)
    assert {hit["retrieval_score"] for hit in found} == {None}
    assert {(hit["model"], hit["metric"], hit["query"]) for hit in found} == {("judge", "cross-encoder", QUERY)}
    assert [hit["metadata"]["even"] for hit in found] == [int(hit["id"][1:]) % 2 == 0 for hit in found]
    assert lines(run("rerank", QUERY, file, "--cross", judge, "-k", 2)) == found[:2]


def test_one_json_document_has_the_hits(run, file, judge):
    done = json.loads(run("rerank", QUERY, file, "--cross", judge, "--json").out)
    assert [hit["id"] for hit in done["hits"]] == list(expected(judge))
    assert (done["query"], done["model"], done["retrieved_by"]) == (QUERY, "judge", None)


@pytest.mark.parametrize("form", [(), ("--csv",)])
def test_what_a_search_wrote_is_read_with_its_scores(run, file, judge, form):
    first = {hit["id"]: hit for hit in lines(run("search", file, QUERY))}
    piped = run("search", file, QUERY, *form).out.encode()
    options = ("--format", "csv") if form else ()
    found = lines(run("rerank", QUERY, "-", "--cross", judge, *options, stdin=piped))
    assert [hit["id"] for hit in found] == list(expected(judge))
    for hit in found:
        assert hit["retrieval_score"] == pytest.approx(first[hit["id"]]["score"])
        assert hit["metadata"] == first[hit["id"]]["metadata"]
    assert {(hit["retrieved_by"], hit["retrieval_metric"]) for hit in found} == {("all-MiniLM-L6-v2", "cosine")}
    again = lines(run("search", file, QUERY, "--rerank", judge))
    assert [hit | {"score": 0, "retrieval_score": 0} for hit in again] == [
        hit | {"score": 0, "retrieval_score": 0} for hit in found
    ]


def test_a_column_called_score_is_metadata_like_any_other(run, tmp_path, judge):
    (tmp_path / "reviews.csv").write_text("text,score\nthe dog,5\nthe cat,1\n")
    found = lines(run("rerank", QUERY, tmp_path / "reviews.csv", "--cross", judge))
    assert {hit["retrieval_score"] for hit in found} == {None}
    assert {hit["metadata"]["score"] for hit in found} == {"5", "1"}


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_collection_is_searched_and_reranked(run, collection, judge, mode):
    first = {hit["id"]: hit["score"] for hit in lines(run("search", collection, QUERY, "--mode", mode))}
    found = lines(run("search", collection, QUERY, "--mode", mode, "--rerank", judge, "-k", 3))
    assert [hit["id"] for hit in found] == [id_ for id_ in expected(judge) if id_ in first][:3]
    assert {hit["id"]: hit["retrieval_score"] for hit in found}.items() <= first.items()
    assert lines(run("index", "search", collection, QUERY, "--mode", mode, "--rerank", judge, "-k", 3)) == found


def test_a_file_and_a_collection_give_the_same(run, file, collection, judge):
    options = (QUERY, "rain", "--rerank", judge, "--candidates", 4, "-k", 2, "--json")
    of_file, of_collection = (json.loads(run("search", place, *options).out) for place in (file, collection))
    for mine, other in zip(of_file, of_collection, strict=True):
        assert [hit["id"] for hit in mine["hits"]] == [hit["id"] for hit in other["hits"]]
        assert mine["retrieved_by"] == other["retrieved_by"] == "all-MiniLM-L6-v2"


def test_only_the_candidates_are_put_in_order(run, file, judge):
    first = [hit["id"] for hit in lines(run("search", file, QUERY, "-k", 3))]
    found = [hit["id"] for hit in lines(run("search", file, QUERY, "-k", 2, "--rerank", judge, "--candidates", 3))]
    assert found == [id_ for id_ in expected(judge) if id_ in first][:2]


def test_filters_and_the_least_score_hold(run, collection, judge):
    wanted = expected(judge)
    least = sorted(wanted.values())[len(wanted) // 2]
    words = ("search", collection, QUERY, "--rerank", judge, "--where", "even=true", "--min-score", least - 1e-3)
    even = {row["id"] for row in ROWS if row["even"]}
    assert [hit["id"] for hit in lines(run(*words))] == [
        id_ for id_, score in wanted.items() if id_ in even and score >= least
    ]


def test_csv_has_a_column_for_each_score(run, file, judge):
    rows = list(csv.DictReader(io.StringIO(run("search", file, QUERY, "--rerank", judge, "--csv").out)))
    first = {hit["id"]: hit["score"] for hit in lines(run("search", file, QUERY))}
    assert [row["id"] for row in rows] == list(expected(judge))
    assert [float(row["retrieval_score"]) for row in rows] == pytest.approx([first[row["id"]] for row in rows])
    assert {(row["model"], row["retrieved_by"]) for row in rows} == {("judge", "all-MiniLM-L6-v2")}


def table(hits, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = io.StringIO()
    show(hits_page([hits]), Form.TABLE, out)
    return out.getvalue()


@in_turn(
    ("metric", "words"),
    [
        (Metric.COSINE, "Retrieval: cosine similarity by finder."),
        (Metric.DOT, "Retrieval: dot product by finder."),
        (Ranking.BM25, "Retrieval: BM25."),
        (Ranking.FUSED, "Retrieval: reciprocal rank fusion of BM25 and cosine similarity by finder."),
        (Ranking.CROSS, "Retrieval: cross-encoder by finder."),
    ],
)
def test_a_table_shows_both_scores_and_whose_is_which(monkeypatch, metric, words):
    origin = Origin("judge", "f", Ranking.CROSS, retrieved_by="finder", retrieval_metric=metric)
    shown = table(Results([Hit(1, "x", 9.1234, None, "text", {}, 0.4321)], origin, "q"), monkeypatch)
    assert "# " in shown
    assert "score  retrieval  id" in " ".join(shown.split("\n")).replace("   ", "  ")
    assert "9.1234" in shown
    assert "0.4321" in shown
    assert "Score: the cross-encoder judge" in shown
    assert words in shown


def test_a_table_says_of_what_the_probability_is_and_whose_the_score(monkeypatch):
    origin = Origin("judge", "f", Ranking.CROSS, calibration="passage", prior=0.1)
    shown = table(Results([Hit(1, "x", 9.1234, 0.75, "text", interval=(0.5, 0.9))], origin, "q"), monkeypatch)
    assert "Score: the cross-encoder judge" in shown
    assert "cosine" not in shown.lower()
    assert "that the text answers the query; 0.1 before the score is seen" in shown
    assert "75 %" in shown


def test_a_table_of_texts_has_one_score(monkeypatch):
    from fakes import WordCross

    shown = table(rerank("dog", ["a dog", "a cat"], cross=WordCross()), monkeypatch)
    assert "retrieval" not in shown.lower()
    assert "cross-encoder words" in shown
    assert "Retrieval: what the search gave." in table(
        rerank("dog", [Hit(1, "x", 0.5, None, "a dog")], cross=WordCross()), monkeypatch
    )


def test_a_model_that_is_not_here_is_said_and_nothing_is_written(run, file, collection):
    for words in (
        ("search", file, QUERY, "--rerank", "nobody/has-this"),
        ("search", collection, QUERY, "--rerank", "nobody/has-this", "--mode", "lexical"),
        ("index", "search", collection, QUERY, "--rerank", "nobody/has-this"),
        ("rerank", QUERY, file, "--cross", "nobody/has-this"),
    ):
        is_error(run(*words), "nobody/has-this", "fix: ")


def test_wrong_use_is_three_lines(run, file, judge, tmp_path):
    is_error(run("search", file, QUERY, "--candidates", 5), "--candidates", "--rerank NAME")
    is_error(run("search", file, QUERY, "--rerank", judge, "--candidates", 0), "candidates")
    is_error(run("rerank", QUERY, file), "--cross")
    is_error(run("rerank", QUERY, tmp_path / "none.txt", "--cross", judge), "none.txt")
    is_error(run("rerank", QUERY, file, "--cross", "all-MiniLM-L6-v2"), "is no cross-encoder")
    is_error(run("rerank", " ", file, "--cross", judge), "query 0 is empty")
    is_error(run("rerank", QUERY, file, "--cross", judge, "-k", 0), "-k")


def test_hits_of_several_queries_are_refused(run, file, judge):
    piped = run("search", file, QUERY, "rain").out.encode()
    is_error(run("rerank", QUERY, "-", "--cross", judge, stdin=piped), "the hits of 2 queries")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": "high"}, "line 1: the score 'high' is no number"),
        ({"metadata": "{"}, "line 1: the metadata '{' is no JSON object"),
        ({"metric": "luck"}, "metric"),
        ({"model": "another"}, "more than one model"),
    ],
)
def test_a_damaged_search_is_named(run, file, judge, change, words):
    hits = lines(run("search", file, QUERY))
    hits[0] |= change
    for hit in hits[1:]:
        hit |= change if "metric" in change else {}
    piped = "".join(json.dumps(hit) + "\n" for hit in hits).encode()
    is_error(run("rerank", QUERY, "-", "--cross", judge, stdin=piped), words)


def test_vectors_without_texts_cannot_be_reranked(run, tmp_path, judge):
    write_vectors(tmp_path / "bare.npy", ns.load().encode(TEXTS))
    is_error(run("search", tmp_path / "bare.npy", QUERY, "--rerank", judge), "has no text")


def test_chunks_are_for_the_first_stage_only(run, file, judge):
    assert lines(run("search", file, QUERY, "--rerank", judge, "--long", "chunk")) == lines(
        run("search", file, QUERY, "--rerank", judge)
    )
    is_error(run("rerank", QUERY, file, "--cross", judge, "--long", "chunk"), "not for cross-encoders")


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet", "json", "jsonl"])
def test_what_a_search_wrote_into_a_file_is_reranked_with_its_scores_and_metadata(run, tmp_path, judge, ending):
    (tmp_path / "t.csv").write_text(
        "id,text,lang,model\n7,a late parcel,en,x\n8,the invoice,de,\n9,my parcel,en,y\n"
    )
    assert run("search", tmp_path / "t.csv", "parcel", "-o", tmp_path / f"h.{ending}").code == 0
    wanted = {hit["id"]: hit for hit in lines(run("search", tmp_path / "t.csv", "parcel"))}
    found = lines(run("rerank", "parcel", tmp_path / f"h.{ending}", "--cross", judge))
    assert {hit["id"] for hit in found} == {"7", "8", "9"}
    for hit in found:
        assert hit["retrieval_score"] == pytest.approx(wanted[hit["id"]]["score"])
        own = {name: value for name, value in wanted[hit["id"]]["metadata"].items() if value}
        assert {name: value for name, value in hit["metadata"].items() if value} == own
