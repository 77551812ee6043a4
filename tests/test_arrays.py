"""Vectors and matrices as arrays, arrays as vectors of a model that is named, and two sides against each other."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nearsense as ns
from nearsense.errors import FileError, InputError, ModelMismatch
from nearsense.records import Matrix
from turns import in_turn

TEXTS = ["a cat", "a kitten", "a tax", "a levy"]
OTHERS = ["a small cat", "a fine", "a cat"]


@pytest.fixture(scope="module")
def vectors(encoder):
    return encoder.encode(TEXTS)


def test_vectors_are_an_array(vectors):
    assert np.shares_memory(np.asarray(vectors), vectors.data)
    assert np.array_equal(np.array(vectors), vectors.data)
    assert not np.shares_memory(np.array(vectors), vectors.data)
    assert np.asarray(vectors, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.array(vectors, np.float64, copy=False)
    assert vectors.shape == (4, 384) == np.shape(vectors)
    assert len(vectors) == len(list(vectors)) == 4
    assert all(np.array_equal(row, own) for row, own in zip(vectors, vectors.data, strict=True))
    assert np.allclose(np.dot(vectors, np.transpose(vectors)), vectors.data @ vectors.data.T)


def test_rows_of_vectors_are_taken_as_of_an_array(vectors):
    assert np.array_equal(vectors[1], vectors.data[1])
    assert np.array_equal(vectors[-1], vectors.data[3])
    assert np.array_equal(vectors[np.int64(2)], vectors.data[2])
    for rows in (slice(1, 3), [1, 2], np.array([1, 2]), np.array([False, True, True, False])):
        some = vectors[rows]
        assert (some.model, some.fingerprint) == (vectors.model, vectors.fingerprint)
        assert np.array_equal(some.data, vectors.data[1:3])
        assert len(some.truncated) == 2
    assert len(vectors[[]]) == 0
    for odd in ("a", (0, 1), [[0], [1]], None, [0.5]):
        with pytest.raises(InputError, match="are no rows"):
            vectors[odd]
    with pytest.raises(IndexError):
        vectors[4]


@pytest.mark.parametrize("name", ["v.npy", "v.jsonl", "v.parquet", "v.jsonl.gz"])
def test_vectors_are_saved_and_loaded_bit_for_bit_with_their_model(vectors, tmp_path, name):
    vectors.save(tmp_path / name, ids=list("abcd"), texts=TEXTS)
    for back in (ns.Vectors.load(tmp_path / name), ns.vectors(tmp_path / name)):
        assert np.array_equal(back.data, vectors.data)
        assert (back.model, back.fingerprint, back.read_as) == (
            vectors.model,
            vectors.fingerprint,
            vectors.read_as,
        )


def test_a_file_without_vectors_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("a text\n")
    with pytest.raises(FileError, match="holds no vectors"):
        ns.Vectors.load(tmp_path / "a.txt")
    with pytest.raises(FileError):
        ns.Vectors.load(tmp_path / "nowhere.npy")


# -- arrays of a model that is named


def test_an_array_of_a_model_that_is_here_compares_with_texts(encoder, vectors):
    mine = ns.vectors(vectors.data.astype(np.float64), model="all-MiniLM-L6-v2")
    assert (mine.fingerprint, mine.model) == (encoder.fingerprint, encoder.name)
    assert ns.search_vectors(["kitten"], mine, k=1)[0][0].id == "1"
    assert ns.cluster(TEXTS, 2, vectors=mine).labels.tolist() == ns.cluster(TEXTS, 2).labels.tolist()
    assert ns.vectors(vectors.data.tolist(), model=encoder).shape == (4, 384)


def test_arrays_come_as_numbers_of_any_library(vectors):
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    rows = vectors.data.tolist()
    given = [
        rows,
        [np.array(row) for row in rows],
        pandas.DataFrame(rows),
        pandas.Series(list(vectors)),
        pyarrow.array(rows, pyarrow.list_(pyarrow.float32(), 384)),
        np.asfortranarray(vectors.data),
    ]
    for each in given:
        assert np.array_equal(ns.vectors(each, model="mine").data, vectors.data)


def test_arrays_under_one_name_of_your_own_compare_and_others_do_not():
    one, same = ns.vectors(np.eye(4), model="ada"), ns.vectors(np.eye(4)[::-1], model="ada")
    one.require_same_model(same)
    with pytest.raises(ModelMismatch, match=r"ada .* and babbage"):
        one.require_same_model(ns.vectors(np.eye(4), model="babbage"))
    with pytest.raises(ModelMismatch, match="ada"):
        ns.search_vectors(["a text"], one)
    found = ns.duplicates(
        TEXTS, vectors=ns.vectors(np.eye(4)[[0, 0, 1, 2]], model="ada"), min_score=0.9, guard=False
    )
    assert [each.text for each in found.unique] == ["a cat", "a tax", "a levy"]
    assert ns.map(TEXTS, vectors=one).points.shape == (4, 2)


def test_what_cannot_be_vectors_is_refused(vectors, tmp_path):
    with pytest.raises(InputError, match="nobody says which model") as caught:
        ns.vectors(np.eye(2))
    assert "ns.vectors(array, model=" in caught.value.fix
    for odd, said in (
        ([[1.0, 2.0], [1.0]], "differ in length"),
        ([1.0, 2.0], r"shape \(n, d\)"),
        ([["a"]], "real numbers"),
        ([[1.0, float("nan")]], "row 0 of vectors holds nan"),
        ([[1e300]], "row 0 of vectors holds"),
    ):
        with pytest.raises(InputError, match=said):
            ns.vectors(odd, model="mine")
    with pytest.raises(InputError, match="makes no vectors of 3 numbers"):
        ns.vectors(np.ones((2, 3)), model="all-MiniLM-L6-v2")
    with pytest.raises(InputError, match="no model is named"):
        ns.vectors(np.eye(2), model=" ")
    vectors.save(tmp_path / "v.npy")
    with pytest.raises(ModelMismatch):
        ns.vectors(tmp_path / "v.npy", model="ada")
    np.save(tmp_path / "foreign.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(InputError, match="nobody says"):
        ns.vectors(tmp_path / "foreign.npy")
    assert ns.vectors(tmp_path / "foreign.npy", model="ada").model == "ada"


@in_turn(
    "verb",
    [
        lambda array: ns.cluster(TEXTS, 2, vectors=array),
        lambda array: ns.duplicates(TEXTS, vectors=array),
        lambda array: ns.map(TEXTS, vectors=array),
        lambda array: ns.search_vectors(["a"], array),
        lambda array: ns.drift(TEXTS, TEXTS, vectors=array),
    ],
)
def test_a_plain_array_is_refused_with_how_to_say_whose_it_is(verb):
    with pytest.raises(InputError, match="of type ndarray, not Vectors") as caught:
        verb(np.eye(4, dtype=np.float32))
    assert "ns.vectors(" in caught.value.fix


def test_texts_that_are_vectors_are_told(vectors):
    with pytest.raises(InputError, match="texts are vectors"):
        ns.cluster(vectors, 2)


# -- matrices


def test_a_matrix_is_an_array():
    found = ns.matrix(TEXTS)
    assert np.array_equal(np.asarray(found), found.scores)
    assert found.shape == (4, 4) == np.shape(found)
    assert (len(found), found[0, 1], found[0].tolist()) == (4, found.scores[0, 1], found.scores[0].tolist())
    assert [row.tolist() for row in found] == found.scores.tolist()
    assert np.array_equal(found[:, 1:], found.scores[:, 1:])


def test_two_sides_are_compared_each_with_each(encoder):
    found = ns.similarity(TEXTS, OTHERS)
    assert found.shape == (4, 3)
    assert (found.labels, found.columns) == (tuple(TEXTS), tuple(OTHERS))
    assert np.allclose(found.scores, encoder.encode(TEXTS).data @ encoder.encode(OTHERS).data.T, atol=1e-6)
    assert found[0, 2] == pytest.approx(1, abs=1e-6)
    assert found.to_dict()["columns"] == OTHERS
    square = ns.matrix([*TEXTS, *OTHERS])
    assert np.allclose(found.scores, square.scores[:4, 4:], atol=1e-6)
    assert np.allclose(found.probabilities, square.probabilities[:4, 4:], atol=1e-5)


def test_a_cell_of_two_sides_is_what_compare_tells():
    one, other = ["Meet at 5 pm", "Enable it"], ["Disable it", "Meet at 7 pm", "tea"]
    found = ns.similarity(one, other)
    for row in range(2):
        for column in range(3):
            cell, alone = found.comparison(row, column), ns.compare(one[row], other[column])
            assert (cell.a, cell.b, cell.differs) == (alone.a, alone.b, alone.differs)
            assert cell.score == pytest.approx(alone.score, abs=1e-5)
            assert found.probabilities[row, column] == pytest.approx(alone.probability, abs=1e-3)
    assert {cell for cell, _ in found.differs.items()} == {(0, 1), (1, 0)}
    with pytest.raises(InputError, match=r"no cell \(2, 0\)"):
        found.comparison(2, 0)


@pytest.mark.filterwarnings("ignore::nearsense.LanguageWarning")
def test_a_text_that_the_model_cannot_judge_has_no_probability_on_either_side():
    strange, plain = "\u8fd9\u662f\u4e00\u4e2a\u5305\u88f9\u5728\u54ea\u91cc", "Where is my parcel?"
    both = ns.similarity([strange, plain], [plain, strange]).probabilities
    assert np.isnan(both).tolist() == [[True, False], [False, True]]


def test_sides_are_vectors_arrays_or_texts(encoder, vectors):
    truth = ns.similarity(TEXTS, OTHERS).scores
    others = encoder.encode(OTHERS)
    for a, b in ((vectors, others), (vectors, OTHERS), (vectors.data, others.data), (TEXTS, others)):
        assert np.allclose(ns.similarity(a, b).scores, truth, atol=1e-6)
    assert ns.similarity(vectors, others).labels == ("0", "1", "2", "3")
    assert ns.similarity(np.eye(2), [[1.0, 0.0]]).scores.tolist() == [[1.0], [0.0]]
    with pytest.raises(ModelMismatch):
        ns.similarity(vectors, np.ones((2, 384), np.float32))
    with pytest.raises(ModelMismatch):
        ns.similarity(vectors, ns.vectors(np.ones((2, 384)), model="ada"))
    with pytest.raises(InputError, match="differ in dimension"):
        ns.similarity(np.eye(2), np.eye(3))


def test_a_matrix_as_a_frame_has_the_index_of_each_side():
    pandas = pytest.importorskip("pandas")
    one, other = pandas.Series(TEXTS, index=list("wxyz")), pandas.Series(OTHERS, index=[10, 11, 12])
    table = ns.similarity(one, other).to_frame()
    assert (table.index.tolist(), table.columns.tolist()) == (list("wxyz"), [10, 11, 12])
    assert table.loc["w", 12] == pytest.approx(1, abs=1e-6)
    assert ns.matrix(TEXTS).to_frame().loc["a cat", "a tax"] == ns.matrix(TEXTS)[0, 2]
    with pytest.raises(InputError, match="same label"):
        ns.matrix(["tea", "tea"]).to_frame()


def test_a_matrix_is_saved_and_loaded(tmp_path):
    for found in (ns.matrix(TEXTS), ns.similarity(TEXTS, OTHERS)):
        found.save(tmp_path / "m.npz")
        back = Matrix.load(tmp_path / "m.npz")
        assert np.array_equal(back.scores, found.scores)
        assert (back.labels, back.columns, back.origin) == (found.labels, found.columns, found.origin)
        assert back.comparison(0, 1).b == found.comparison(0, 1).b
    with np.load(tmp_path / "m.npz") as plain:
        assert np.array_equal(plain["scores"], found.scores)
    with pytest.raises(FileError, match=r"written as \.npz"):
        found.save(tmp_path / "m.csv")


def test_what_is_no_matrix_is_refused_and_never_run(tmp_path):
    path = tmp_path / "m.npz"
    with pytest.raises(FileError, match="cannot be read"):
        Matrix.load(path)
    path.write_bytes(b"PK no zip")
    with pytest.raises(FileError, match="holds no matrix"):
        Matrix.load(path)
    np.savez(path, scores=np.array([print], object), about=np.zeros(1, np.uint8))
    with pytest.raises(FileError, match="holds no matrix"):
        Matrix.load(path)
    about = {"labels": ["a"], "columns": None, **ns.types.Origin("m", "f").to_dict()}
    for scores in (np.zeros((2, 2), np.float32), np.zeros((1, 1))):
        np.savez(path, scores=scores, about=np.frombuffer(json.dumps(about).encode(), np.uint8))
        with pytest.raises(FileError, match="damaged"):
            Matrix.load(path)


def test_a_heatmap_of_two_sides_has_both_labels(tmp_path):
    pytest.importorskip("matplotlib")
    figure = ns.heatmap(ns.similarity(TEXTS, OTHERS), tmp_path / "h.png")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert {*TEXTS, *OTHERS} <= {*words}
    assert sum("." in word for word in words) == 12
    many = ns.similarity(TEXTS[:1], [f"a text with the number {n}" for n in range(40)])
    assert ns.heatmap(many).get_size_inches()[0] > 3
