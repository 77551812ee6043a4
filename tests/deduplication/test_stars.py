"""Star groups: against the slow way, whatever the order; chains keep both ends."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deduplication.brute import stars_of
from nearsense.deduplication.grouping import stars
from turns import in_turn

NOTHING = np.empty(0, np.int64)


def starred(n, edges, strength, content, fixed=None):
    ends = np.array(sorted(edges), np.int64).reshape(-1, 2)
    near = np.array([strength(i, j) for i, j in ends.tolist()], np.float32)
    return stars(n, ends[:, 0], ends[:, 1], near, np.array(content, np.uint64), fixed)


graphs = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1])),
        st.permutations(range(n)),
        st.integers(1, 3),
    )
)


@settings(deadline=None)
@given(graphs)
def test_stars_are_those_of_the_slow_way_on_any_graph(graph):
    n, edges, content, levels = graph

    def strength(i, j):
        return float((i * 7 + j * 7) % levels)

    found = starred(n, edges, strength, content)
    assert found.centre.tolist() == stars_of(n, edges, strength, content)


@settings(deadline=None)
@given(graphs)
def test_whoever_of_the_free_stays_no_two_that_stay_are_near_and_each_other_is_near_its_own(graph):
    n, edges, content, _ = graph
    found = starred(n, edges, lambda i, j: 1.0, content)
    near = edges | {(j, i) for i, j in edges}
    for free in np.flatnonzero(found.free).tolist():
        group = [node for node in range(n) if found.centre[node] == found.centre[free] and node != free]
        assert all((free, node) in near for node in group)
        others = [node for node in np.flatnonzero(found.free).tolist() if found.centre[node] != found.centre[free]]
        assert not any((free, other) in near for other in others)
    assert found.free[found.centre].all()


@settings(deadline=None)
@given(graphs, st.permutations(range(14)))
def test_numbering_decides_nothing(graph, shuffled):
    n, edges, content, _ = graph
    place = [new for new in shuffled if new < n]
    moved = {tuple(sorted((place[i], place[j]))) for i, j in edges}
    there = [0] * n
    for node in range(n):
        there[place[node]] = content[node]
    found, again = (starred(n, e, lambda i, j: 1.0, c) for e, c in ((edges, content), (moved, there)))
    assert [place[centre] for centre in found.centre.tolist()] == [int(again.centre[place[i]]) for i in range(n)]
    assert [bool(each) for each in found.free] == [bool(again.free[place[i]]) for i in range(n)]


@in_turn("length", range(3, 13))
@in_turn("seed", range(5))
def test_a_chain_keeps_both_ends(length, seed):
    content = np.random.default_rng(seed).permutation(length).tolist()
    found = starred(length, {(i, i + 1) for i in range(length - 1)}, lambda i, j: 1.0, content)
    assert found.centre[0] == 0
    assert found.centre[-1] == length - 1
    assert found.free[[0, -1]].all()


def test_what_is_fixed_stays_and_drops_what_is_near():
    fixed = np.array([False, False, False, True])
    found = starred(4, {(0, 3), (0, 1), (1, 2)}, lambda i, j: 1.0, range(4), fixed)
    assert found.centre.tolist() == [3, 1, 1, 3]
    assert not found.free[0]


def test_nothing_is_grouped_as_nothing():
    assert stars(0, NOTHING, NOTHING, np.empty(0, np.float32), np.empty(0, np.uint64)).centre.tolist() == []


def test_a_long_path_takes_few_rounds():
    n = 200_000
    content = np.random.default_rng(0).integers(0, 2**63, n).astype(np.uint64)
    i = np.arange(n - 1)
    found = stars(n, i, i + 1, np.ones(n - 1, np.float32), content)
    stays = found.centre == np.arange(n)
    assert not (stays[:-1] & stays[1:]).any()
    assert (~stays[1:-1] <= (stays[:-2] | stays[2:])).all()
