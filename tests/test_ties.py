"""Of texts that a model reads alike the query's own comes first, in every verb and however many tie."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from nearsense.records import Vectors
from nearsense.ties import first_among_equals, order_ties
from samples import some_of
from turns import in_turn

pytestmark = pytest.mark.filterwarnings(
    "ignore::nearsense.LanguageWarning", "ignore::nearsense.UnknownTextWarning"
)

ALIKE = {
    "coloured signs": [f"What does the {sign} light mean?" for sign in "🟢🔴🟡🔵🟣⚪⚫🟠"],
    "flags": [f"Is Köln {flag} served?" for flag in ("🇩🇪", "🇫🇷", "🇮🇹", "🇪🇸", "🇵🇱")],
    "keys": [f"What does {key}C do?" for key in "⌘⌥⎋⇪"],
    "thumbs": [f"great {sign}" for sign in "👍👎🤞🖖"],
    "German umlauts": ["Wie kann ich die Rechnungen zahlen?", "Wie kann ich die Rechnungen zählen?"],
    "Spanish tildes": ["¿Cuántos anos tiene?", "¿Cuántos años tiene?"],
    "Vietnamese tones": ["ma", "má", "mà", "mả", "mã", "mạ"],
    "long words": [f"key {letter * 120}" for letter in "abcd"],
    "a script it does not know": ["ሰላም", "ደህና", "እንጀራ", "ቡና"],
}


@pytest.fixture(
    scope="module", params=some_of(ALIKE, "coloured signs", "German umlauts", "Vietnamese tones", "long words")
)
def alike(request):
    return ALIKE[request.param]


def test_every_text_finds_itself_first_in_search_and_rank(encoder, alike):
    corpus = ["Where is my parcel?", *alike, "Something else altogether."]
    found = ns.search_many(alike, corpus, k=1, encoder=encoder)
    assert [hits[0].text for hits in found] == alike
    assert [ns.rank(text, corpus, k=1, encoder=encoder)[0].text for text in alike] == alike
    assert [ns.rank(text, corpus, encoder=encoder)[0].text for text in alike] == alike


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_every_text_finds_itself_first_in_a_collection(encoder, alike, mode, tmp_path):
    with ns.open(tmp_path / "c.nearsense", encoder) as there:
        there.add(["Where is my parcel?", *alike[: len(alike) // 2]])
        there.build(index="exact")
        there.add([ns.Document(f"later {at}", text) for at, text in enumerate(alike[len(alike) // 2 :])])
        found = there.search_many(alike, k=1, mode=mode)
        assert [hits[0].text for hits in found] == alike
        assert [hits[0].text for hits in there.search_many(alike, k=1, mode=mode, exact=True)] == alike


def test_by_words_alone_the_own_text_wins_a_tie_too(tmp_path):
    texts = [f"Press {key} to copy" for key in "⌘⌥⎋⇪⌃"]
    with ns.open(tmp_path / "c.nearsense", HashEncoder()) as there:
        there.add(texts)
        assert [there.search(text, k=1, mode="lexical")[0].text for text in texts] == texts


def test_the_same_text_is_most_similar(encoder, alike, tmp_path):
    with ns.open(tmp_path / "c.nearsense", encoder) as there:
        there.add([*alike, alike[-1]])
        found = there.similar(str(len(alike) - 1), k=1)
        assert [hit.id for hit in found] == [str(len(alike))]


@in_turn("k", [1, 2, 10, 49])
@in_turn("at", [0, 30, 51, 119])
def test_the_own_text_is_among_the_k_however_many_tie(encoder, k, at, tmp_path):
    texts = [f"Is {chr(0x1F600 + number)} allowed here?" for number in range(120)]
    hits = ns.search(texts[at], texts, k=k, encoder=encoder)
    assert hits[0].text == texts[at]
    assert len({hit.id for hit in hits}) == k
    with ns.open(tmp_path / "c.nearsense", encoder) as there:
        there.add(texts)
        assert there.search(texts[at], k=k)[0].text == texts[at]


@in_turn(
    "typed",
    [
        "what does the 🔴 light mean",
        "What does the 🔴 light mean?",
        "WHAT DOES THE 🔴 LIGHT MEAN?",
        " What does the 🔴 light mean ? ",
    ],
)
def test_what_is_written_like_the_query_wins_over_what_is_not(encoder, typed):
    assert (
        ns.search(typed, ALIKE["coloured signs"], k=1, encoder=encoder)[0].text == "What does the 🔴 light mean?"
    )


@in_turn("mode", ["dense", "hybrid", "lexical"])
@in_turn("k", [1, 5, 40])
def test_a_filter_that_lets_few_pass_ends_the_search_for_more(tmp_path, mode, k):
    texts = [f"Is {chr(0x1F600 + number)} allowed here?" for number in range(60)]
    documents = [ns.Document(str(at), text, {"even": at % 2 == 0}) for at, text in enumerate(texts)]
    with ns.open(tmp_path / "c.nearsense", Rough(0.0)) as there:
        there.add(documents)
        hits = there.search(texts[50], k=k, mode=mode, where={"even": True})
        assert hits[0].text == texts[50]
        assert len(hits) == min(k, 30)
        assert texts[51] not in [hit.text for hit in there.search(texts[51], k=k, mode=mode, where={"even": True})]


class Rough:
    """Reads plain letters only, and rounds coarsely: no two vectors of a text are quite the same."""

    name, fingerprint, dimension, max_tokens = "rough", "ab" * 32, 16, 256

    def __init__(self, noise):
        self.noise, self.exact, self.random = noise, HashEncoder(16), np.random.default_rng(0)

    def encode(self, texts, **options):
        texts = [texts] if isinstance(texts, str) else list(texts)
        plain = self.exact.encode(["".join(c for c in text if c.isascii()) for text in texts]).data
        noisy = plain + self.random.normal(size=plain.shape) * self.noise
        data = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
        return Vectors(data, self.fingerprint, np.zeros(len(texts), bool), self.name)


@in_turn("noise", [0.0, 1e-7, 1e-5, 1e-3])
def test_rounding_decides_nothing(noise, tmp_path):
    texts = [f"How is {chr(0x1F600 + number)} meant?" for number in range(60)]
    rough = Rough(noise)
    for hits, text in zip(ns.search_many(texts, texts, k=3, encoder=rough), texts, strict=True):
        assert hits[0].text == text
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    with ns.open(tmp_path / "c.nearsense", rough) as there:
        there.add(texts)
        assert [hits[0].text for hits in there.search_many(texts, k=1)] == texts


def test_elsewhere_the_order_stays_that_of_the_scores_and_of_the_corpus(encoder):
    texts = ["the dog runs", "a cat sleeps", "the dog runs", "dogs are running", "stock prices fell"]
    vectors = encoder.encode(texts)
    scores = vectors.data @ encoder.encode(["a running dog"]).data[0]
    hits = ns.search("a running dog", texts, k=5, encoder=encoder)
    assert [int(hit.id) for hit in hits] == np.argsort(-scores.round(5), kind="stable").tolist()


def test_a_cross_encoder_that_reads_texts_alike_puts_the_own_one_first():
    class Blind(WordCross):
        @staticmethod
        def judge(query, text):
            return 0.5

    texts = ["first 🔴", "second", "first 🟢", "first"]
    for text in texts:
        hits = ns.rerank(text, texts, cross=Blind(), k=2)
        assert hits[0].text == text
    assert [hit.text for hit in ns.rerank("none of them", texts, cross=Blind())] == texts


def test_what_is_not_near_is_never_moved_up():
    order = first_among_equals([5, 5, 0, 5, 0], np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    assert order.tolist() == [0, 1, 2, 3, 4]


def test_no_text_is_read_where_no_two_score_alike():
    def ask(which, depth):
        return [(np.arange(depth), np.linspace(1, 0, depth)) for _ in which]

    def never(rows):
        raise AssertionError("no text is needed")

    found = order_ties(["a", "b"], 3, 20, ask, never)
    assert [rows.tolist() for rows, _ in found] == [[0, 1, 2]] * 2


def test_a_hit_that_was_found_is_still_frozen(encoder):
    hit = ns.search("great 👍", ALIKE["thumbs"], k=1, encoder=encoder)[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        hit.differs = ()
