"""Errors, types, settings and texts: the ground that everything stands on."""

from __future__ import annotations

import builtins
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nearsense as ns
from nearsense import errors
from nearsense._optional import require
from nearsense.corpus import as_documents
from nearsense.errors import InputError, MissingExtra, ModelMismatch, NearsenseError
from nearsense.records import Comparison, Document, Hit, Origin, Precision, Reading, Results, Vectors, parse
from nearsense.settings import Settings, load_settings
from nearsense.text import as_texts
from turns import in_turn

ERRORS = [name for name in errors.__all__ if issubclass(getattr(errors, name), NearsenseError)]
WARNINGS = [name for name in errors.__all__ if name not in ERRORS]


@in_turn("name", ERRORS)
def test_every_error_says_what_why_and_fix_and_survives_pickling(name):
    error = getattr(errors, name)("what", why="why", fix="fix")
    assert isinstance(error, NearsenseError)
    assert str(error) == "what\nwhy: why\nfix: fix"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.what, again.why, again.fix) == (type(error), "what", "why", "fix")


def test_the_drawn_tree_is_the_tree():
    assert all(name in errors.__doc__ for name in errors.__all__)
    assert all(getattr(errors, name).__bases__ == (UserWarning,) for name in WARNINGS)
    above = {0: NearsenseError}
    for line in errors.__doc__.splitlines():
        drawn = re.match(r"    ([│├└─ ]*)(\w+) +(?:\((\w+)\) +)?\S", line)
        if drawn and drawn[1]:
            depth, kind = len(drawn[1]) // 4, getattr(errors, drawn[2])
            expected = (above[depth - 1], *([getattr(builtins, drawn[3])] if drawn[3] else []))
            assert kind.__bases__ == expected
            above[depth] = kind
    assert len(above) == 3


def test_a_missing_extra_is_an_import_error_that_says_what_to_install():
    with pytest.raises(MissingExtra, match="reading moon rocks needs the package no_such_thing") as caught:
        require("no_such_thing.deep", extra="moon", purpose="reading moon rocks")
    assert isinstance(caught.value, ImportError)
    assert caught.value.fix == "pip install 'nearsense[moon]'"


@in_turn(
    ("score", "words"),
    [
        (1.0, "near-duplicate or paraphrase"), (0.90, "near-duplicate or paraphrase"), (0.8999, "highly similar"),
        (0.70, "highly similar"), (0.50, "somewhat related"), (0.30, "weakly related"), (0.2999, "unrelated"),
        (-1.0, "unrelated"),
    ],
)  # fmt: skip
def test_the_five_bands_begin_where_the_tutorials_say(score, words):
    assert Reading.of(score) == words


def test_a_word_that_is_not_known_is_answered_with_those_that_are():
    with pytest.raises(InputError, match="use one of: auto, f32, bf16"):
        parse(Precision, "f64", name="precision")


def vectors(n=2, fingerprint="a" * 64, model="one"):
    return Vectors(np.eye(n, dtype=np.float32), fingerprint, np.zeros(n, np.bool_), model)


def test_vectors_of_two_models_do_not_meet_and_both_are_named():
    with pytest.raises(ModelMismatch, match=r"one \(aaaaaaaaaaaa\) and two \(bbbbbbbbbbbb\)"):
        vectors().require_same_model(vectors(fingerprint="b" * 64, model="two"))


@pytest.mark.parametrize("data", [np.zeros((2, 2)), np.zeros(2, np.float32)])
def test_vectors_are_float32_of_two_dimensions(data):
    with pytest.raises(InputError, match="float32 of shape"):
        Vectors(data, "f", np.zeros(2, np.bool_))


ORIGIN = Origin("model", "f" * 64)


def test_vectors_of_an_unknown_model_meet_nobody():
    with pytest.raises(ModelMismatch, match="no fingerprint"):
        vectors(fingerprint="").require_same_model(vectors(fingerprint=""))


def test_a_part_of_the_results_still_knows_its_origin():
    results = Results([Hit(rank, str(rank), 0.5, None, "x", {}) for rank in (1, 2, 3)], ORIGIN, "query")
    assert [hit.rank for hit in results[:2]] == [1, 2]
    assert (results[:2].origin, results[:2].query, results[-1].rank) == (ORIGIN, "query", 3)


def test_results_are_frozen_and_print_themselves():
    comparison = Comparison(0.7595, None, Reading.HIGH, None, "a", "b", ORIGIN)
    hit = Hit(1, "7", 0.5, None, "text", {"year": 2020})
    assert str(comparison) == "0.7595  highly similar (uncalibrated)"
    assert str(hit) == "  1  0.5000  text"
    for result in (comparison, hit, Document("1", "x")):
        with pytest.raises((AttributeError, TypeError)):
            result.id = "other"


def test_a_list_of_results_becomes_a_data_frame_and_a_table_for_notebooks():
    pandas = pytest.importorskip("pandas")
    results = Results([Hit(1, "7", 0.5, None, "<b>", {})], ORIGIN, "query")
    pandas.testing.assert_frame_equal(results.to_pandas(), pandas.DataFrame(results.to_dicts()))
    assert "&lt;b&gt;" in results._repr_html_()
    assert "<b>" not in results._repr_html_()


def test_settings_come_from_defaults_then_file_then_environment_then_flags(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('precision = "f32"\nthreads = 3\nmodel = "from-file"\n')
    environment = {"NEARSENSE_CONFIG": str(file), "NEARSENSE_THREADS": "5", "NEARSENSE_LONG": "head"}
    settings = load_settings(environment=environment, threads=7)
    assert settings.precision is Precision.F32
    assert (settings.model, settings.threads, settings.long) == ("from-file", 7, "head")
    assert load_settings(environment={}) == Settings()


@in_turn(
    ("text", "words"),
    [("colour = 1", "'colour' is not known"), ("threads = -1", "whole number"), ("= 3", "cannot be read"),
     ('precision = "f8"', "auto, f32, bf16"), ('model = " "', "no model is named")],
)  # fmt: skip
def test_a_setting_that_is_wrong_says_where_it_was_read(tmp_path, text, words):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_settings(file, environment={})
    assert str(file) in str(caught.value)
    assert words in str(caught.value)


@in_turn(
    ("texts", "words"),
    [
        (["a", None], "text 1 is None"),
        (["a", float("nan")], r"text 1 is missing \(NaN\)"),
        ([b"bytes"], "text 0 is of type bytes"),
        (["ok", "half \ud83d pair"], "text 1 holds a lone surrogate at character 5"),
    ],
)
def test_an_item_that_is_no_text_is_named(texts, words):
    with pytest.raises(InputError, match=words):
        as_texts(texts)


@given(st.lists(st.text()))
def test_every_unicode_text_passes_unchanged(texts):
    assert as_texts(texts) == texts


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["a", " \t"], "text 1 is empty"),
        ([Document("x", "a"), Document("x", "b")], "documents 0 and 1 share the id 'x'"),
        ([Document("", "a")], "document 0 has the id ''"),
    ],
)
def test_a_corpus_that_could_not_be_answered_from_is_refused(items, words):
    with pytest.raises(InputError, match=words):
        as_documents(items)


def test_the_public_names_are_sorted_and_there():
    assert sorted(ns.__all__) == ns.__all__
    assert [name for name in ns.__all__ if not hasattr(ns, name)] == []
