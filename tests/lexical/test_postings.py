"""Postings: against counting by hand, on files, while they grow."""

from __future__ import annotations

import threading
import warnings
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nearsense as ns
from fakes import HashEncoder
from nearsense.errors import InputError
from nearsense.lexical import GrowingPostings, Postings, postings, terms
from nearsense.lexical.postings import term_hash
from turns import in_turn

TEXTS = ["a red car", "", "Red, red wine", "東京の猫", "wine " * 300]
some_texts = st.lists(
    st.lists(st.sampled_from(["red", "car", "cars", "wine", "the", "猫", "東京"])).map(" ".join), max_size=30
)


def counted(texts):
    """The truth: for each term its rows and counts, by plain counting."""
    found = defaultdict(dict)
    for row, text in enumerate(texts):
        for term, count in Counter(terms(text)).items():
            found[term][row] = count
    return found


def same(searchable, texts):
    truth = counted(texts)
    for term in [*truth, "nowhere"]:
        found = searchable.find(term)
        assert dict(zip(found.rows.tolist(), found.counts.tolist(), strict=True)) == truth.get(term, {})
        assert np.all(np.diff(found.rows.astype(np.int64)) > 0)
    assert searchable.lengths.tolist() == [len(terms(text)) for text in texts]
    assert len(searchable) == len(texts)


@given(some_texts, st.integers(1, 9))
def test_built_postings_are_what_counting_gives_however_often_a_build_sorts(texts, batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "_BATCH", batch)
        same(Postings.build(iter(texts)), texts)


@given(some_texts, st.data())
def test_growing_postings_are_what_counting_gives_for_the_first_m_rows(texts, data):
    growing = GrowingPostings()
    cut = data.draw(st.integers(0, len(texts)))
    growing.extend(texts[:cut])
    before = growing.first(cut)
    growing.extend(texts[cut:])
    same(before, texts[:cut])
    m = data.draw(st.integers(0, len(texts)))
    same(growing.first(m), texts[:m])


def test_readers_see_their_rows_and_no_others_while_a_writer_adds():
    texts = [f"common {row % 7} {'odd' if row % 2 else 'even'} {'x ' * (row % 5)}" for row in range(5_000)]
    truth, growing, wrong = counted(texts), GrowingPostings(), []
    writer = threading.Thread(target=growing.extend, args=(texts,))

    def read():
        while writer.is_alive():
            m = len(growing)
            seen = growing.first(m)
            for term in ("common", "odd", "x", "3"):
                found = seen.find(term)
                expected = {row: count for row, count in truth[term].items() if row < m}
                if dict(zip(found.rows.tolist(), found.counts.tolist(), strict=True)) != expected:
                    wrong.append((m, term))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in (writer, *readers):
        thread.start()
    for thread in (writer, *readers):
        thread.join()
    assert wrong == []
    same(growing.first(5_000), texts)


def test_no_more_rows_can_be_seen_than_there_are():
    growing = GrowingPostings()
    growing.extend(["a"])
    with pytest.raises(InputError, match="the first 2 of 1 texts"):
        growing.first(2)


def test_arrays_come_back_from_memory_maps_without_a_copy(tmp_path):
    for name, array in Postings.build(TEXTS).arrays().items():
        np.save(tmp_path / f"{name}.npy", array)
    maps = {file.stem: np.load(file, mmap_mode="r") for file in tmp_path.glob("*.npy")}
    opened = Postings.from_arrays(maps)
    same(opened, TEXTS)
    assert all(np.shares_memory(opened.arrays()[name], maps[name]) for name in maps if name != "analysis")


def test_arrays_hold_small_numbers_and_no_text():
    arrays = Postings.build(TEXTS).arrays()
    kinds = {name: array.dtype.name for name, array in arrays.items()}
    assert kinds == {
        "hashes": "uint64",
        "offsets": "int64",
        "rows": "int32",
        "counts": "uint16",
        "lengths": "uint16",
        "analysis": "int64",
    }
    assert b"wine" not in b"".join(array.tobytes() for array in arrays.values())


def test_no_texts_make_empty_postings():
    empty = Postings.build([])
    same(empty, [])
    same(Postings.from_arrays(empty.arrays()), [])


def test_postings_that_were_stemmed_otherwise_are_refused():
    arrays = Postings.build(TEXTS).arrays()
    with pytest.raises(InputError, match="another version"):
        Postings.from_arrays(arrays | {"analysis": arrays["analysis"] - 1})


@pytest.mark.parametrize("of_old", [{}, {"analysis": np.array([1])}])
def test_a_collection_makes_postings_of_another_version_again(tmp_path, monkeypatch, of_old):
    ours = Postings.arrays

    def theirs(self):
        return {name: array for name, array in ours(self).items() if name != "analysis"} | of_old

    monkeypatch.setattr(Postings, "arrays", theirs)
    with ns.open(tmp_path / "old.ns", HashEncoder()) as collection:
        collection.add(["a red car", "a blue bike", "red wine"])
        collection.build()
    monkeypatch.undo()
    with ns.open(tmp_path / "old.ns", HashEncoder()) as collection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [hit.text for hit in collection.search("wines", mode="lexical")] == ["red wine"]


def test_a_missing_array_is_named():
    arrays = Postings.build(TEXTS).arrays()
    del arrays["rows"]
    with pytest.raises(InputError, match="without rows"):
        Postings.from_arrays(arrays)


@in_turn("name", ["hashes", "offsets", "rows", "counts"])
def test_arrays_that_do_not_fit_together_are_refused(name):
    arrays = Postings.build(TEXTS).arrays()
    with pytest.raises(InputError, match="do not fit together"):
        Postings.from_arrays(arrays | {name: arrays[name][:-1]})


def test_hashes_are_those_of_blake2b_on_every_machine():
    # echo -n password | b2sum --length 64, bytes read from the last to the first
    assert term_hash("password") == 0xF522524F09E516A3
    assert term_hash("猫") == int.from_bytes(bytes.fromhex(B2SUM_CAT), "little")


B2SUM_CAT = "3825438160567439"
