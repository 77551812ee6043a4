"""Every kind of index against the exact scan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

from nearsense import metrics
from nearsense.errors import FileError, InputError
from nearsense.index import (
    ArrayRows,
    Choice,
    ExactIndex,
    Kind,
    build,
    choose,
    open_index,
    parse_kind,
    recall,
    write_faiss,
)
from nearsense.index.faiss import PLANS
from turns import in_turn

N, D, K = 12_000, 32, 10
EXACT = (Kind.EXACT, Kind.FLAT_IP, Kind.FLAT_L2)
APPROXIMATE = [kind for kind in Kind if kind not in EXACT]


def vectors(n, d=D, seed=0):
    if not n:
        return np.empty((0, d), np.float32)
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((300, d))
    return metrics.normalize(centres[rng.integers(0, len(centres), n)] + rng.standard_normal((n, d)))


ROWS = ArrayRows(vectors(N))
QUERIES = vectors(100, seed=1)


@cache
def built(kind):
    return build(kind, ROWS)


def hits(found, truth):
    pairs = zip(found.ids.tolist(), truth.ids.tolist(), strict=True)
    return np.mean([len(set(a) & set(b)) / len(set(b)) for a, b in pairs])


def same(a, b):
    np.testing.assert_array_equal(a.ids, b.ids)
    np.testing.assert_array_equal(a.scores, b.scores)
    np.testing.assert_array_equal(a.counts, b.counts)


def share(selectivity):
    allowed = np.zeros(N, bool)
    allowed[
        np.random.default_rng(5).permutation(N)[: selectivity if selectivity > 1 else round(selectivity * N)]
    ] = True
    return allowed


@in_turn("kind", EXACT)
@in_turn("q", [1, 100])
def test_the_exact_kinds_are_exact(kind, q):
    same(built(kind).search(QUERIES[:q], K), ExactIndex(ROWS).search(QUERIES[:q], K))


@pytest.mark.parametrize("kind", ["flat-ip", "flat-l2"])
def test_exact_kinds_find_equals_in_the_order_of_rows(kind):
    rows = ArrayRows(np.repeat(vectors(500), 100, axis=0))
    same(
        build(kind, rows).search(rows.take(np.arange(0, 50_000, 5000)), 5),
        ExactIndex(rows).search(rows.take(np.arange(0, 50_000, 5000)), 5),
    )


@in_turn("kind", APPROXIMATE)
def test_the_other_kinds_find_nearly_all(kind):
    found, truth = built(kind).search(QUERIES, K), ExactIndex(ROWS).search(QUERIES, K)
    assert hits(found, truth) >= 0.95
    agree = found.ids == truth.ids
    np.testing.assert_array_equal(found.scores[agree], truth.scores[agree])
    assert (np.diff(found.scores, axis=1) <= 0).all()


@in_turn("kind", Kind)
def test_one_query_is_answered_as_among_many(kind):
    same(built(kind).search(QUERIES[7:8], K), _part(built(kind).search(QUERIES, K), slice(7, 8)))


@in_turn("kind", Kind)
@in_turn("selectivity", [0, 2, 0.01, 0.1, 0.25, 0.9, 1.0])
def test_where_k_allowed_rows_exist_k_are_found(kind, selectivity):
    allowed = share(selectivity)
    found, truth = (index.search(QUERIES, K, allowed=allowed) for index in (built(kind), ExactIndex(ROWS)))
    np.testing.assert_array_equal(found.counts, truth.counts)
    assert allowed[found.ids[found.ids >= 0]].all()
    assert hits(found, truth) >= (1 if kind in EXACT else 0.95)


@in_turn("kind", Kind)
def test_allowed_rows_far_from_the_query_are_found_all_the_same(kind):
    truth = ExactIndex(ROWS)
    allowed = (ROWS.block(0, N) @ QUERIES[0]) < -0.1
    assert allowed.sum() > 1000
    found = built(kind).search(QUERIES[:1], K, allowed=allowed)
    assert found.counts.tolist() == [K]
    if kind not in {Kind.HNSW, Kind.IVF_PQ, Kind.IVF_PQ_FAST}:  # these find k, not always the nearest
        assert hits(found, truth.search(QUERIES[:1], K, allowed=allowed)) >= 0.9


@in_turn("kind", Kind)
@in_turn("k", [1, 300, N + 5])
def test_any_k_is_served(kind, k):
    found, truth = (index.search(QUERIES[:3], k) for index in (built(kind), ExactIndex(ROWS)))
    np.testing.assert_array_equal(found.counts, truth.counts)
    assert hits(found, truth) >= 0.95


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("n", [0, 1, 30, 2500])
def test_any_number_of_rows_is_served(kind, n, tmp_path, capfd):
    rows = ArrayRows(vectors(n))
    index = build(kind, rows)
    found, truth = index.search(QUERIES, K), ExactIndex(rows).search(QUERIES, K)
    np.testing.assert_array_equal(found.counts, truth.counts)
    assert hits(found, truth) >= 0.9
    index.save(tmp_path / "index")
    same(open_index(kind, tmp_path / "index", rows).search(QUERIES, K), found)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "d"),
    [
        *((kind, 37) for kind in APPROXIMATE if kind != "ivf-pq"),
        pytest.param("ivf-pq", 30, marks=pytest.mark.slow),
        *(
            pytest.param(kind, d, marks=pytest.mark.slow)
            for kind in APPROXIMATE
            if kind != "ivf-pq"
            for d in (2, 30)
        ),
    ],
)
def test_any_dimension_is_served(kind, d):
    rows = ArrayRows(vectors(10_000 if kind == "ivf-pq" else 2500, d))
    queries = vectors(50, d, seed=1)
    assert hits(build(kind, rows).search(queries, K), ExactIndex(rows).search(queries, K)) >= 0.9


@in_turn("kind", [kind for kind in Kind if kind is not Kind.EXACT])
def test_what_was_saved_answers_the_same(kind, tmp_path):
    built(kind).save(tmp_path / "an index.faiss")
    opened = open_index(kind, tmp_path / "an index.faiss", ROWS)
    assert opened.kind == kind
    same(opened.search(QUERIES, K), built(kind).search(QUERIES, K))
    same(*(index.search(QUERIES, K, allowed=share(0.25)) for index in (opened, built(kind))))


@pytest.mark.parametrize("kind", ["pq-fast", "ivf-pq-fast"])
def test_codes_are_small_and_hold_no_vectors(kind, tmp_path):
    built(kind).save(tmp_path / "index")
    assert (tmp_path / "index").stat().st_size < N * D * 4 / 4


@in_turn("kind", Kind)
def test_threads_find_what_one_finds_alone(kind):
    index = built(kind)
    asked = [(QUERIES[i : i + 5], share(0.25) if i % 2 else None) for i in range(0, 100, 5)]
    alone = [index.search(queries, K, allowed=allowed) for queries, allowed in asked]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda ask: index.search(ask[0], K, allowed=ask[1]), asked))
    for a, b in zip(alone, together, strict=True):
        same(a, b)


def test_a_seed_gives_the_same_index_again(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build("ivf-pq-fast", ArrayRows(vectors(3000)), seed=seed).save(tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_a_file_of_other_vectors_or_another_kind_is_refused(tmp_path):
    file = tmp_path / "index"
    built("pq-fast").save(file)
    with pytest.raises(InputError, match="number of vectors: 12000, expected 11999"):
        open_index("pq-fast", file, ArrayRows(vectors(N - 1)))
    with pytest.raises(InputError, match="dimension: 32, expected 16"):
        open_index("pq-fast", file, ArrayRows(vectors(N, 16)))
    with pytest.raises(InputError, match="kind: IndexPQFastScan, expected IndexHNSWFlat"):
        open_index("hnsw", file, ROWS)
    file.write_bytes(b"no index")
    with pytest.raises(FileError, match="cannot be read"):
        open_index("pq-fast", file, ROWS)
    with pytest.raises(FileError, match="cannot be read"):
        open_index("pq-fast", tmp_path / "missing", ROWS)
    with pytest.raises(InputError, match="has no file"):
        open_index("pq-fast", None, ROWS)
    with pytest.raises(FileError, match="cannot be written"):
        built("pq-fast").save(tmp_path / "no" / "folder")


def test_every_kind_has_a_name_and_a_plan():
    assert {"exact", *PLANS} == {kind.value for kind in Kind}
    with pytest.raises(InputError, match="use one of: exact, flat-ip"):
        parse_kind("annoy")


@in_turn(("n", "kind"), [(0, "exact"), (20_000, "exact"), (100_000, "pq-fast"), (10_000_000, "ivf-pq-fast")])
def test_the_kind_follows_the_number_of_vectors(n, kind):
    chosen = choose(n, 384)
    assert isinstance(chosen, Choice)
    assert chosen.kind == kind
    assert chosen.why.startswith(f"{n:,} vectors of dimension 384: ")


def test_recall_is_what_a_count_by_hand_says():
    index = built("ivf-flat")
    own = np.sort(np.random.default_rng(0).choice(N, 200, replace=False, shuffle=False))
    queries = ROWS.take(own)
    exact, found = ((each.search(queries, K + 1)).ids for each in (ExactIndex(ROWS), index))
    by_hand = [len(set(a) & set(b) - {me}) / K for a, b, me in zip(exact, found, own, strict=True)]
    assert recall(index, ROWS) == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_recall_knows_a_bad_index():
    class Blind:
        kind = "blind"

        def search(self, queries, k, *, allowed=None):
            return ExactIndex(ROWS).search(-queries, k)

    assert recall(Blind(), ROWS) == 0
    assert recall(built("flat-l2"), ROWS) == 1
    assert recall(build("pq-fast", ArrayRows(vectors(1))), ArrayRows(vectors(1))) == 1


def test_vectors_that_are_written_in_parts_are_read_by_faiss(tmp_path):
    faiss = pytest.importorskip("faiss")
    with (tmp_path / "x.faiss").open("wb") as stream:
        write_faiss(stream, (ROWS.block(*part) for part in ((0, 40), (40, 41), (41, 100))))
    found = faiss.read_index(str(tmp_path / "x.faiss")).search(QUERIES[:4], 5)[1]
    np.testing.assert_array_equal(found, ExactIndex(ArrayRows(ROWS.block(0, 100))).search(QUERIES[:4], 5).ids)


def _part(found, part):
    return type(found)(found.ids[part], found.scores[part], found.counts[part])
