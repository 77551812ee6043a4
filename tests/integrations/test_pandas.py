"""Verbs on a column of pandas: what the verbs say, under the labels of the column."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import nearsense as ns

pytest.importorskip("pandas")

import pandas as pd

import nearsense.integrations.pandas
from nearsense.errors import InputError

TEXTS = ["Late parcel", "late parcel!", "I want a refund", "My parcel is täglich late 😀", "Money back, please"]


@pytest.fixture
def column():
    return pd.DataFrame({"text": TEXTS}, index=[*"abcdü"])["text"]


def test_vectors_are_the_librarys(column, encoder):
    assert np.allclose(column.nearsense.encode(encoder), encoder.encode(TEXTS).data, atol=1e-3)
    assert column.iloc[:0].nearsense.encode().shape == (0, 384)


def test_what_is_found_is_called_as_in_the_column(column):
    hits = ns.search("give me my money", TEXTS, k=2)
    found = column.nearsense.search("give me my money", k=2)
    assert found.index.tolist() == [[*"abcdü"][int(hit.id)] for hit in hits]
    assert found["probability"].tolist() == [hit.probability for hit in hits]
    assert column.nearsense.rank("Late parcel").index[0] == "a"
    assert len(column.nearsense.rank("Late parcel")) == 5
    assert len(column.nearsense.rank("Late parcel", k=2)) == 2


def test_duplicates_stand_beside_their_rows(column):
    told = column.nearsense.duplicates()
    assert told.index.tolist() == [*"abcdü"]
    assert told.loc["b", "kept"] == "a"
    kept = ns.duplicates(TEXTS).kept
    assert column.nearsense.dedupe().equals(column.iloc[kept])
    assert column[told["stays"]].equals(column.nearsense.dedupe())


def test_labels_that_repeat_are_no_hindrance():
    column = pd.Series(TEXTS, index=[7, 7, 7, 8, 8])
    assert column.nearsense.dedupe().tolist() == [TEXTS[row] for row in ns.duplicates(TEXTS).kept]


def test_clusters_stand_beside_their_rows(column):
    told = column.nearsense.cluster(k=2)
    assert told.index.tolist() == [*"abcdü"]
    assert told["cluster"].tolist() == ns.cluster(TEXTS, k=2).labels.tolist()
    assert told.loc["a", "cluster"] == told.loc["d", "cluster"] != told.loc["c", "cluster"]


def test_texts_are_compared_with_one_or_with_a_column_by_its_labels(column):
    told = column.nearsense.compare("Late parcel")
    assert told.index.tolist() == [*"abcdü"]
    assert told["score"].tolist() == [each.score for each in ns.compare_pairs([(t, "Late parcel") for t in TEXTS])]
    turned = column.iloc[::-1]
    assert np.allclose(column.nearsense.compare(turned)["score"], 1, atol=1e-2)


def test_what_cannot_be_compared_is_said(column):
    with pytest.raises(InputError, match="type int"):
        column.nearsense.compare(7)
    with pytest.raises(InputError, match="'ü' is missing"):
        column.nearsense.compare(column.iloc[:4])
    with pytest.raises(InputError, match="labels repeat"):
        column.nearsense.compare(pd.Series(["a", "b"], index=["a", "a"]))
    with pytest.raises(InputError, match="missing"):
        pd.Series(["a", None]).nearsense.duplicates()
    with pytest.raises(InputError, match="row 'b' is missing"):
        pd.Series(["a", None], index=["a", "b"]).nearsense.encode()


def test_nothing_is_registered_before_it_is_asked_for():
    code = "import nearsense, sys; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
