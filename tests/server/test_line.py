"""Who is next: the fair order of texts of many requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nearsense.server.line import Line, Waiting

TURN = 10


def waiting(*sizes, kind="a"):
    return Waiting([f"text {number}" for number in range(len(sizes))], list(sizes), kind)


def taken(pieces):
    return [(piece.request, piece.first, piece.last) for piece in pieces]


def test_requests_leave_in_the_order_in_which_they_came():
    line, requests = Line(TURN), [waiting(4), waiting(4), waiting(4)]
    for request in requests:
        line.add(request)
    assert taken(line.take(8)) == [(requests[0], 0, 1), (requests[1], 0, 1)]
    assert taken(line.take(8)) == [(requests[2], 0, 1)]
    assert not line


def test_a_large_request_does_not_keep_a_small_one_waiting():
    line, large, small = Line(TURN), waiting(*[5] * 1000), waiting(5)
    line.add(large)
    line.add(small)
    assert taken(line.take(40))[:2] == [(large, 0, 2), (small, 0, 1)]


def test_a_request_that_waits_alone_fills_a_batch():
    line, large = Line(TURN), waiting(*[5] * 1000)
    line.add(large)
    assert taken(line.take(40)) == [(large, 0, 8)]


def test_a_text_longer_than_a_batch_goes_alone():
    line, long, short = Line(TURN), waiting(100), waiting(2)
    line.add(long)
    line.add(short)
    assert taken(line.take(40)) == [(long, 0, 1)]
    assert taken(line.take(40)) == [(short, 0, 1)]


def test_nobody_is_passed_over_by_a_shorter_text():
    line, first, long, short = Line(50), waiting(30), waiting(20), waiting(5)
    for request in (first, long, short):
        line.add(request)
    assert taken(line.take(40)) == [(first, 0, 1)]
    assert taken(line.take(40)) == [(long, 0, 1), (short, 0, 1)]


def test_kinds_take_turns_and_never_mix():
    line, a, b = Line(TURN), [waiting(9, 9, 9), waiting(9)], [waiting(9, 9, kind="b")]
    for request in (*a, *b):
        line.add(request)
    kinds = []
    while line:
        pieces = line.take(9)
        kinds.append({piece.request.kind for piece in pieces})
    assert kinds == [{"a"}, {"b"}, {"a"}, {"b"}, {"a"}, {"a"}]


@pytest.mark.parametrize("gone", [0, 1])
def test_what_leaves_takes_its_tokens_along(gone):
    line, request = Line(TURN), waiting(4, 9)
    line.add(request)
    if gone:
        line.take(4)
    assert line.tokens == (9 if gone else 13)
    assert line.remove(request)
    assert (line.tokens, line.ahead, len(line)) == (0, 0, 0)
    assert not line.remove(request)


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=40), min_size=1, max_size=20))
def test_who_asks_for_little_waits_for_a_turn_of_each_of_the_others_at_most(others):
    line, small = Line(TURN), waiting(3)
    for sizes in others:
        line.add(waiting(*sizes))
    line.add(small)
    ahead = line.ahead
    before = 0
    while small.tokens:
        before += sum(piece.tokens for piece in line.take(40) if piece.request is not small)
    longest = max(max(sizes) for sizes in others)
    assert before <= sum(max(TURN, min(sum(sizes), longest)) for sizes in others) + 40
    assert ahead == 3 + sum(min(sum(sizes), TURN) for sizes in others)


class Lines(RuleBasedStateMachine):
    """Requests come, go and are taken: no text is lost, told twice or out of its order."""

    def __init__(self):
        super().__init__()
        self.line, self.waits = Line(TURN), {}

    @rule(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12), kind=st.sampled_from("abc"))
    def comes(self, sizes, kind):
        request = waiting(*sizes, kind=kind)
        self.line.add(request)
        self.waits[request] = 0

    @precondition(lambda self: self.waits)
    @rule(data=st.data())
    def leaves(self, data):
        request = data.draw(st.sampled_from(list(self.waits)))
        assert self.line.remove(request)
        del self.waits[request]

    @precondition(lambda self: self.waits)
    @rule(room=st.integers(1, 50))
    def is_taken(self, room):
        pieces = self.line.take(room)
        assert pieces
        assert len({piece.request.kind for piece in pieces}) == 1
        assert sum(piece.tokens for piece in pieces) <= room or (
            len(pieces) == 1 and pieces[0].last - pieces[0].first == 1
        )
        for piece in pieces:
            assert piece.first == self.waits[piece.request] < piece.last
            assert piece.tokens == sum(piece.request.sizes[piece.first : piece.last])
            self.waits[piece.request] = piece.last
            if piece.last == len(piece.request.texts):
                del self.waits[piece.request]

    @invariant()
    def counts(self):
        left = [sum(request.sizes[done:]) for request, done in self.waits.items()]
        assert (self.line.tokens, self.line.ahead) == (sum(left), sum(min(each, TURN) for each in left))
        assert (len(self.line), bool(self.line)) == (len(left), bool(left))


TestLines = Lines.TestCase
