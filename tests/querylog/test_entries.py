"""What a log holds after what was asked: each verb once, as it was answered; nothing unless asked for."""

from __future__ import annotations

import copy
import inspect
import json
import os
import pickle
import stat
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from nearsense.collection.searching import Answering
from nearsense.filters import as_where, parse
from nearsense.querylog import moment
from turns import in_turn

TEXTS = [
    ns.Document("red", "a red apple", {"lang": "en", "year": 2020}),
    ns.Document("green", "a green pear", {"lang": "en", "year": 2024}),
    ns.Document("blue", "eine blaue Birne", {"lang": "de", "year": 2024}),
]


@pytest.fixture
def fruit(tmp_path):
    with ns.open(tmp_path / "fruit.nearsense", HashEncoder(), log=True) as made:
        made.add(TEXTS)
        yield made


def entries(collection, **which):
    return list(collection.log.entries(**which))


def test_nothing_is_logged_unless_somebody_asks_for_it(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder()) as made:
        made.add(TEXTS)
        made.search("a red apple")
        assert made.log is None
    assert [each.name for each in tmp_path.iterdir()] == ["c"]


def test_an_entry_says_what_was_asked_and_what_came_of_it(fruit):
    before = time.time()
    hits = fruit.search("a red apple", k=2, where={"lang": "en"})
    (entry,) = entries(fruit)
    assert entry.query == "a red apple"
    assert len(entry.digest) == 32
    assert entry.mode == "dense"
    assert entry.k == 2
    assert entry.where == {"lang": "en"}
    assert entry.ids == tuple(hit.id for hit in hits)
    assert entry.scores == pytest.approx([hit.score for hit in hits], abs=1e-6)
    assert entry.probabilities == tuple(hit.probability for hit in hits)
    assert before <= entry.time <= time.time()
    assert 0 < entry.latency < time.time() - before + 0.1
    assert entry.model == hits.origin.fingerprint
    assert entry.chosen is None


ASKED = {
    "search": (lambda c: c.search("apple"), 1),
    "search_many": (lambda c: c.search_many(["apple", "pear", "apple"]), 3),
    "nearest": (lambda c: c.nearest(HashEncoder().encode(["apple", "pear"])), 2),
    "search_vectors": (lambda c: c.search_vectors(HashEncoder().encode(["apple"])), 1),
    "similar": (lambda c: c.similar("red"), 0),
    "get": (lambda c: c.get("red"), 0),
}


@pytest.mark.parametrize("verb", ASKED)
def test_each_verb_is_logged_once_a_query(fruit, verb):
    ask, count = ASKED[verb]
    ask(fruit)
    assert len(entries(fruit)) == count


def test_no_verb_that_answers_is_forgotten():
    verbs = {
        name
        for name, value in vars(Answering).items()
        if inspect.isfunction(value) and not name.startswith("_") and "log" not in name
    }
    verbs -= {"passages", "neighbours", "locate", "browse"}  # where a hit stands, what there is: nothing is asked
    assert verbs == set(ASKED)


def test_many_queries_share_the_time_of_their_call(fruit):
    begin = time.perf_counter()
    fruit.search_many(["apple"] * 10)
    took = time.perf_counter() - begin
    assert sum(entry.latency for entry in entries(fruit)) <= took


def test_the_mode_tells_lexical_hybrid_vectors_and_a_second_stage_apart(fruit):
    for mode in ("lexical", "hybrid"):
        fruit.search("apple", mode=mode)
    fruit.nearest(HashEncoder().encode(["apple"]))
    fruit.search("apple", rerank=WordCross())
    modes = [(entry.mode, entry.query) for entry in entries(fruit)]
    assert modes == [("lexical", "apple"), ("hybrid", "apple"), ("vector", None), ("dense+rerank", "apple")]


def test_without_probabilities_a_hit_is_an_answer_and_no_hit_is_none(fruit):
    fruit.search("apple")
    fruit.search("apple", min_score=1.5)
    assert [entry.answered for entry in entries(fruit)] == [True, False]
    assert [entry.ids for entry in entries(fruit, unanswered=True)] == [()]


@pytest.mark.parametrize(
    ("asked", "least", "answered"),
    [("Where is my parcel?", None, True), ("The recipe of a chocolate cake.", None, False)],
)
def test_with_probabilities_an_answer_is_one_that_is_probable_enough(tmp_path, asked, least, answered):
    with ns.open(tmp_path / "c", log=True) as made:
        made.add(["Your parcel is where the tracking number says.", "We ship within two days."])
        hits = made.search(asked, min_probability=least)
        (entry,) = entries(made)
        best = max(hit.probability for hit in hits)
        assert entry.answered == answered == (best >= 0.5)
        made.search(asked, min_probability=best - 0.001)
        made.search(asked, min_probability=min(1.0, best + 0.001))
        assert [entry.answered for entry in entries(made)][1:] == [True, False]


def test_at_most_ten_hits_and_two_thousand_characters_are_kept(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder(), log=True) as made:
        made.add([f"text {number}" for number in range(30)])
        made.search("word " * 1000, k=30)
        (entry,) = entries(made)
        assert len(entry.ids) == len(entry.scores) == len(entry.probabilities) == 10
        assert len(entry.query) == 2001
        assert entry.query.endswith("…")
        assert made.log.forget("word " * 1000) == 1


# -- which


def test_entries_are_chosen_by_time(fruit):
    fruit.search("apple")
    assert len(entries(fruit, since="1h")) == len(entries(fruit, since=time.time() - 5)) == 1
    assert len(entries(fruit, until="1h")) == len(entries(fruit, since=time.time() + 5)) == 0
    today = datetime.now().date().isoformat()
    assert len(entries(fruit, since=today, until=today)) == 1
    assert len(entries(fruit, since=datetime.now(UTC) - timedelta(minutes=1))) == 1
    assert len(entries(fruit, since=timedelta(minutes=1))) == 1


def test_times_are_said_as_people_say_them():
    now = time.time()
    for said, seconds in {"30s": 30, "10m": 600, "24h": 86_400, "7d": 7 * 86_400, "2w": 14 * 86_400}.items():
        assert moment(said) == pytest.approx(now - seconds, abs=5)
    day = datetime(2026, 11, 30)
    assert moment("2026-11-30") == day.timestamp()
    assert moment("2026-11-30", end=True) == pytest.approx((day + timedelta(days=1)).timestamp(), abs=1e-3)
    assert moment("2026-11-30T14:00", end=True) == datetime(2026, 11, 30, 14).timestamp()
    assert moment("2026-11-30T14:00+02:00") == datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
    assert moment(1e9) == 1e9


@pytest.mark.parametrize("said", ["yesterday", "7 days", "2026-13-01", "-3d", ""])
def test_what_is_no_time_is_refused_with_what_would_be_one(fruit, said):
    with pytest.raises(ns.errors.InputError, match="is no time"):
        entries(fruit, since=said)


def test_a_clock_that_goes_backwards_breaks_nothing(fruit, monkeypatch):
    real = time.time
    for step in (0, -3600, 60, -86_400):
        monkeypatch.setattr(time, "time", lambda step=step: real() + step)
        hits = fruit.search(f"apple {step}")
        fruit.log.choose(hits, hits[0])
        fruit.log.flush()
    monkeypatch.setattr(time, "time", real)
    found = entries(fruit)
    assert [entry.query for entry in found] == ["apple 0", "apple -3600", "apple 60", "apple -86400"]
    assert all(entry.chosen == entry.ids[0] for entry in found)
    assert [entry.query for entry in entries(fruit, since="30m")] == ["apple 0", "apple 60"]


FILTERS = [
    {"lang": "en"},
    {"year": {">=": 2020, "<": 2023}},
    {"lang": {"in": ["de", "fr"]}, "year": {"!=": 1}},
    {"lang": {"not in": ["de", "fr"]}},
    {"or": [{"lang": "de"}, {"not": {"year": 2020}}]},
    {"and": [{"year": {">": 1}}, {"year": 5}]},
    {"and": [{"lang": "de", "year": 1}, {"lang": {"exists": True}}]},
    {"\\and": 5, "\\\\x": None, "flag": True, "off": False},
    {"lang": {"exists": False}},
]


@in_turn("where", FILTERS)
def test_a_parsed_filter_has_a_json_form_that_reads_as_the_same(where):
    written = json.loads(json.dumps(as_where(parse(where))))
    assert parse(written) == parse(where)


# -- the hit that was taken


def test_the_hit_that_was_taken_is_told_by_results_by_text_or_by_entry(fruit):
    hits = fruit.search("a red apple")
    fruit.log.choose(hits, hits[1])
    fruit.search("a green pear")
    fruit.log.choose("A green pear", "green")
    fruit.search("a green pear")
    assert [entry.chosen for entry in entries(fruit)] == [hits[1].id, "green", None]
    first = entries(fruit)[0]
    fruit.log.choose(first, "blue")
    assert [entry.chosen for entry in entries(fruit)] == ["blue", "green", None]


def test_a_choice_that_was_written_before_its_query_still_finds_it(fruit, tmp_path):
    other = ns.querylog.open_log(tmp_path / "fruit.nearsense")  # another process, which is faster
    fruit.search("a red apple")
    other.choose("a red apple", "red")
    other.flush()
    assert [entry.chosen for entry in entries(fruit)] == ["red"]


def test_a_choice_without_a_text_or_an_id_is_refused(fruit):
    hits = fruit.nearest(HashEncoder().encode(["apple"]))[0]
    with pytest.raises(ns.errors.InputError, match="do not know their query"):
        fruit.log.choose(ns.types.Results(hits, hits.origin), hits[0])
    with pytest.raises(ns.errors.InputError, match="has no id"):
        fruit.log.choose("apple", "")


# -- whose it is, and where


def test_the_files_are_for_their_owner_alone_and_lie_beside_the_collection(fruit, tmp_path):
    (tmp_path / "fruit.nearsense").chmod(0o777)
    fruit.search("apple")
    fruit.log.flush()
    folder = tmp_path / "fruit.nearsense.queries"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {each.name for each in folder.iterdir()} == {"00000001.log", "key", "lock"}
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}


def test_a_pickled_or_copied_collection_logs_into_the_same_log(fruit):
    for again in (pickle.loads(pickle.dumps(fruit)), copy.copy(fruit)):
        with again:
            again.search("apple")
    assert [entry.query for entry in entries(fruit)] == ["apple", "apple"]
    log = pickle.loads(pickle.dumps(fruit.log))
    assert (log.path, log.hashed, len(list(log))) == (fruit.log.path, False, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="another system")
def test_a_forked_child_logs_what_it_was_asked_and_its_parent_what_it_was(fruit):
    fruit.search("parent before")
    child = os.fork()
    if not child:
        fruit.search("child")
        fruit.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    fruit.search("parent after")
    assert sorted(entry.query for entry in entries(fruit)) == ["child", "parent after", "parent before"]


def test_a_number_of_hits_may_be_one_of_numpy(fruit):
    fruit.search("apple", k=np.int64(2))
    assert [entry.k for entry in entries(fruit)] == [2]


def test_a_collection_remembers_that_it_is_logged(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder()) as made:
        made.add(TEXTS)
        made.set_log("hashed")
        made.search("apple")
    with ns.open(tmp_path / "c", HashEncoder()) as again:
        again.search("pear")
        assert [entry.query for entry in entries(again)] == [None, None]
    with ns.open(tmp_path / "c", HashEncoder(), log=False) as silent:
        assert silent.log is None
    with ns.open(tmp_path / "c", HashEncoder()) as again:
        again.set_log(False)
        assert again.log is None
    with ns.open(tmp_path / "c", HashEncoder()) as again:
        assert again.log is None
    assert len(list(ns.querylog.open_log(tmp_path / "c"))) == 2


def test_a_collection_in_memory_keeps_no_log():
    with pytest.raises(ns.errors.InputError, match="in memory keeps no log"):
        ns.open(":memory:", HashEncoder(), log=True)
    with ns.open(":memory:", HashEncoder(), log=False) as made:
        assert made.log is None
        with pytest.raises(ns.errors.InputError, match="in memory keeps no log"):
            made.set_log(True)


@in_turn("said", ["yes", 1.5, "plain", b"hashed"])
def test_what_says_nothing_about_a_log_is_refused(tmp_path, said):
    with pytest.raises(ns.errors.InputError, match="log="):
        ns.open(tmp_path / "c", HashEncoder(), log=said)
    assert not (tmp_path / "c").exists()


def test_vectors_that_are_equal_have_one_digest(fruit):
    vectors = HashEncoder().encode(["apple", "pear", "apple"])
    fruit.nearest(np.asarray(vectors.data))
    first, second, third = (entry.digest for entry in entries(fruit))
    assert first == third != second
