"""`nearsense models`: the list, its order, and the measurement."""

from __future__ import annotations

import csv
import io
import json
import os
import time

import pytest

import nearsense as ns
from nearsense.cli.models import KINDS, TASKS
from nearsense.cli.models.bench import LONG, QUERY, SENTENCE, _rate, measured
from nearsense.encoders.catalog import CATALOG, Kind, Task, card_of
from nearsense.encoders.recommend import recommend
from nearsense.settings import load_settings
from turns import in_turn


def listed(run, *words):
    done = run("models", *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_the_list_has_every_model_and_those_that_are_here_first(run):
    found = listed(run)
    assert {each["name"] for each in found} >= {card.name for card in CATALOG}
    here = [each["here"] for each in found]
    assert here == sorted(here, reverse=True)


def test_what_is_here_has_a_path_and_what_is_not_a_way_to_get_it(run):
    for each in listed(run):
        assert bool(each["path"]) is each["here"]
        assert bool(each["install"]) is not each["here"]


def test_the_facts_are_those_of_the_catalogue(run):
    for each in listed(run, "--kind", "static"):
        card = card_of(each["name"])
        assert each["dimension"] == card.dimension
        assert each["languages"] == list(card.languages)
        assert each["sts"]["value"] == card.sts.value
        assert each["sts"]["source"] == card.sts.source


@in_turn("kind", KINDS)
def test_a_kind_keeps_its_models_only(run, kind):
    found = listed(run, "--kind", kind)
    assert {each["name"] for each in found} >= {card.name for card in CATALOG if card.kind.value == kind}
    assert {each["kind"] for each in found} == {kind}


def test_the_options_name_the_tasks_and_kinds_that_there_are():
    assert tuple(task.value for task in Task) == TASKS
    assert tuple(kind.value for kind in Kind) == KINDS


@in_turn("task", TASKS)
@in_turn("prefer", ["quality", "speed"])
def test_a_task_gives_the_order_of_recommend(run, task, prefer):
    found = [each["name"] for each in listed(run, "--task", task, "--prefer", prefer, "--language", "en")]
    assert found == [card.name for card in recommend(task, ["en"], prefer)]


def test_several_languages_are_all_known_to_each_model(run):
    found = listed(run, "--language", "de", "--language", "ja")
    assert found
    assert all({"de", "ja"} <= set(each["languages"]) for each in found)
    assert {each["name"] for each in found} == {
        card.name for card in CATALOG if {"de", "ja"} <= set(card.languages) and card.tasks
    }


def test_here_leaves_out_what_is_not_here(run):
    found = listed(run, "--task", "similarity", "--here")
    assert "all-MiniLM-L6-v2" in [each["name"] for each in found]
    assert all(each["here"] for each in found)


def test_nothing_that_fits_is_an_empty_list(run):
    assert listed(run, "--task", "rerank", "--language", "is") == []


def test_an_unknown_language_is_refused_with_the_known_ones(run):
    done = run("models", "--language", "xx")
    assert done.code == 2
    assert "'xx'" in done.err
    assert "known are af" in done.err


def test_an_unknown_task_is_wrong_use(run):
    done = run("models", "--task", "poetry")
    assert done.code == 2
    assert "duplicates" in done.err


def test_csv_has_a_row_a_model(run):
    rows = list(csv.DictReader(io.StringIO(run("models", "--csv").out)))
    assert len(rows) >= len(CATALOG)
    assert rows[0]["name"] == "all-MiniLM-L6-v2"


def test_the_table_says_that_nothing_was_measured(monkeypatch):
    from nearsense.cli.models import models_page
    from nearsense.render import Form, show

    monkeypatch.setenv("COLUMNS", "220")
    out = io.StringIO()
    show(models_page("similarity", ["en"]), Form.TABLE, out)
    text = " ".join(out.getvalue().split())
    assert "STS and search (retrieval) are figures that the models' makers or benchmarks published" in text
    assert "nothing was measured here" in text
    assert "nearsense models pull NAME" in text
    assert "not here: set OPENAI_API_KEY" in text


def test_figures_of_another_measure_are_marked(monkeypatch):
    from nearsense.cli.models import models_page

    cells = {row[0]: row[3:5] for row in models_page().cells}
    assert cells["all-MiniLM-L6-v2"] == ("78.9", "42.9")
    assert cells["multi-qa-mpnet-base-dot-v1"] == ("66.8*", "57.6*")
    assert cells["bge-m3"] == ("", "")


def test_languages_are_counted_where_they_are_many():
    from nearsense.cli.models import models_page

    page = models_page()
    place = page.columns.index("lang>")
    cells = {row[0]: row[place] for row in page.cells}
    assert (cells["all-MiniLM-L6-v2"], cells["bge-reranker-base"]) == ("en", "2")
    assert cells["multilingual-e5-small"] == str(len(card_of("multilingual-e5-small").languages))


# bench


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("nearsense.cli.models.bench.SECONDS", 0.02)
    monkeypatch.setattr("nearsense.cli.models.bench.RUNS", 3)


def test_the_texts_of_the_measurement_are_as_long_as_is_said(encoder):
    from tokenizers import Tokenizer

    from nearsense.encoders.folder import find

    tokenizer = Tokenizer.from_file(str(find("all-MiniLM-L6-v2").tokenizer))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    short, long = SENTENCE.format(123), " ".join(SENTENCE.format(number) for number in range(LONG))
    assert len(tokenizer.encode(short).ids) == pytest.approx(16, abs=2)
    assert len(tokenizer.encode(long).ids) == pytest.approx(128, abs=8)
    assert len(tokenizer.encode(QUERY).ids) < 10


@pytest.mark.slow
def test_bench_measures_and_says_on_what(run, quick):
    done = run("models", "bench", "all-MiniLM-L6-v2", "--threads", "1", "--json")
    (found,) = json.loads(done.out)
    assert found["measured"] is True
    assert found["short_per_second"] > found["long_per_second"] > 0
    assert 0 < found["first_answer_seconds"] < 60
    assert found["processor"]
    assert found["threads"] == 1
    assert found["precision"] in ("bf16", "f32")


@pytest.mark.parametrize("per_second", [500, 20_000])
def test_the_rate_of_a_model_of_known_speed_is_found(quick, per_second):
    rate = _rate(lambda texts: time.sleep(len(texts) / per_second), sentences=1)
    assert rate == pytest.approx(per_second, rel=0.3)


@pytest.mark.slow
def test_bench_agrees_with_a_clock(quick):
    found = measured("all-MiniLM-L6-v2", load_settings(offline=True))
    encoder = ns.load("all-MiniLM-L6-v2")
    texts = [SENTENCE.format(number) for number in range(512)]
    encoder.encode(texts)
    start = time.perf_counter()
    encoder.encode(texts)
    rate = len(texts) / (time.perf_counter() - start)
    assert 1 / 4 < found["short_per_second"] / rate < 4  # the machine may be shared
    assert found["threads"] == len(os.sched_getaffinity(0))


def test_bench_of_a_model_that_is_not_here_names_how_to_get_it(run):
    done = run("models", "bench", "potion-base-2M")
    assert done.code == 2
    assert "nearsense models pull potion-base-2M" in done.err
    assert done.out == ""


def test_bench_asks_no_server(run):
    done = run("models", "bench", "openai:text-embedding-3-small")
    assert done.code == 2
    assert "runs on a server" in done.err


@pytest.mark.parametrize("words", [["models"], ["models", "bench"]])
def test_help_has_examples(run, words):
    done = run(*words, "--help")
    assert f"nearsense {' '.join(words)}" in done.out.partition("Examples:")[2]
