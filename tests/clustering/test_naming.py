"""Names: what is distinctive, as people write it, without stop words and never twice."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest

import nearsense as ns
from cluster_made import TOPICS, texts
from nearsense.clustering.naming import cluster_names, phrases_of, weights
from nearsense.stopwords import known_languages, languages_of, stop_words
from turns import in_turn

GIVEN = [
    "The exchange rate is wrong",
    "wrong exchange rate for my card",
    "What exchange rate do you use?",
    "I lost my card",
    "a stolen card",
    "the stolen card",
]
LABELS = np.array([0, 0, 0, 1, 1, 1])


def named(given, labels, clusters=None, **options):
    labels = np.asarray(labels)
    return cluster_names(phrases_of(given, **options), labels, clusters or int(labels.max()) + 1)


def test_weights_are_those_of_the_formula():
    phrases = phrases_of(GIVEN, "en")
    cluster, phrase, share, weight = weights(phrases, LABELS, 2)
    words = [
        {"exchang", "rate", "wrong"}, {"wrong", "exchang", "rate", "card"}, {"exchang", "rate"},
        {"lost", "card"}, {"card", "stolen"}, {"stolen", "card"},
    ]  # fmt: skip
    average = sum(map(len, words)) / 2
    frequency = Counter(word for each in words for word in each)
    found = {
        (c, phrases.spelling[p]): (s, w)
        for c, p, s, w in zip(cluster.tolist(), phrase.tolist(), share.tolist(), weight.tolist(), strict=True)
    }
    for (c, spelling), word in {
        (0, "rate"): "rate",
        (0, "wrong"): "wrong",
        (1, "card"): "card",
        (0, "card"): "card",
    }.items():
        tf = sum(word in each for each, label in zip(words, LABELS, strict=True) if label == c) / 3
        weighed = tf * math.log(1 + average / frequency[word])
        assert found[c, "card" if word == "card" else spelling] == pytest.approx((tf, weighed))


def test_a_pair_that_stands_together_names_a_cluster():
    assert [name.label for name in named(GIVEN, LABELS)] == ["exchange rate", "stolen card"]


def test_a_pair_does_not_reach_over_punctuation_or_stop_words():
    spelling = phrases_of(["rate, card; the rate of cards", "rate. card! rate of card"]).spelling
    assert not [each for each in spelling if " " in each]


def test_inflections_are_one_word_and_the_usual_spelling_is_shown():
    found = phrases_of(["Cards and PINs", "two cards", "The PINs", "my PINs of a card"])
    assert set(found.spelling) == {"cards", "PINs"}


def test_a_capital_at_the_beginning_is_no_spelling():
    assert "parcel" in phrases_of(["Parcel is late", "Parcel was late", "Late is my parcel"]).spelling


def test_no_two_names_are_equal_even_if_the_texts_are():
    found = named(["lost card here"] * 6, [0, 0, 1, 1, 2, 2])
    assert len({name.label for name in found}) == 3
    assert all("card" in name.label for name in found)


def test_rows_of_the_same_words_in_another_order_are_no_other_name():
    found = named(["alpha beta", "alpha beta", "beta alpha", "beta alpha"], [0, 0, 1, 1])
    assert {frozenset(name.label.replace(",", "").split()) for name in found} != {frozenset({"alpha", "beta"})}


@in_turn("text", ["12 34 56", "?!", "🙂🙂", "what is it", "the", "2024"])
def test_what_has_no_words_gets_a_number(text):
    (name,) = named([text, text], [0, 0])
    assert name.label == "cluster 0"
    assert name.keywords == ()


def test_digits_name_nothing_alone_but_stand_beside_a_word():
    (name, _) = named(["covid 19 news", "covid 19 cases", "10 20 dogs", "dogs 30"], [0, 0, 1, 1])
    assert "covid 19" in name.label
    assert not any(re.fullmatch(r"[\d\s]+", keyword) for keyword in name.keywords)


def test_noise_has_no_name_and_counts_in_what_is_common():
    found = named([*GIVEN, "nothing else", "card card"], [*LABELS, -1, -1])
    assert [name.label for name in found] == ["exchange rate", "stolen card"]


@in_turn(
    ("given", "language", "stop"),
    [
        (["Il pacco non è arrivato", "Dove è il mio pacco?", "la carta è stata rubata"], "it", "non"),
        (["Das Paket ist nicht da", "Wo ist mein Paket?"], "de", "nicht"),
        (["Le colis n'est pas arrivé", "Où est mon colis ?"], "fr", "pas"),
        (["El paquete no ha llegado", "¿Dónde está mi paquete?"], "es", "no"),
        (["Het pakket is niet aangekomen", "Waar is mijn pakket?"], "nl", "niet"),
        (["O pacote não chegou", "Onde está o meu pacote?"], "pt", "não"),
    ],
)
def test_the_language_is_found_by_its_stop_words(given, language, stop):
    found = phrases_of(given)
    assert found.languages == (language,)
    assert stop not in found.spelling
    assert any(word.lower().startswith(("pac", "pak", "paq", "col")) for word in found.spelling)


def test_texts_of_two_languages_lose_the_stop_words_of_both():
    given = ["where is my parcel and the card", "dove è il mio pacco e la carta"] * 3
    assert set(phrases_of(given).languages) == {"en", "it"}


NOUNS = [("kortti", "poissa"), ("paketti", "myöhässä"), ("kurssi", "väärin"), ("salasana", "hukassa")]


def test_texts_of_many_languages_lose_the_stop_words_of_all():
    given = [
        "the card and the rate",
        "la carta e il tasso di cambio",
        "die Karte und der Kurs",
        "le taux et la carte",
    ]
    others = ["карта и курс валюты сегодня", "moja karta zaginęła wczoraj rano"] * 4
    assert set(phrases_of(given + others).languages) == {"en", "it", "de", "fr"}


def test_a_language_without_a_list_is_spared_what_stands_everywhere():
    given = [f"sekä {noun} sitten {verb}" for noun, verb in NOUNS for _ in range(3)]  # fmt: skip
    labels = np.repeat(np.arange(4), 3)
    found = named(given, labels)
    assert phrases_of(given).languages == ()
    assert not {"sekä", "sitten"} & {word for name in found for word in name.keywords}


def test_scripts_without_spaces_have_names_too():
    found = named(["東京の天気", "東京の天気", "銀行口座", "銀行口座"], [0, 0, 1, 1])
    assert found[0].label != found[1].label
    assert all(set(name.label) & set("東京天気銀行口座") for name in found)


def test_chinese_names_are_of_words_that_share_no_character():
    given = ["今天汇率如何", "今天汇率多少", "卡片丢失怎么办", "卡片丢失了"]
    found = named(given, [0, 0, 1, 1])
    for name in found:
        words = name.label.split(", ")
        assert all(len(word) == 2 for word in words)
        assert len(set("".join(words))) == 2 * len(words)


def test_marks_on_letters_do_not_cut_words():
    assert "हिन्दी" in phrases_of(["हिन्दी भाषा", "हिन्दी भाषा"]).spelling


def test_every_list_is_in_small_letters_and_a_word_has_its_parts_in_it():
    for code in known_languages():
        for word in stop_words(code):
            assert word == word.lower()
    assert {"don", "t", "doesn", "ve"} <= stop_words("en")
    assert languages_of({}) == ()


def test_topics_are_named_by_their_words():
    given, topics = texts()
    labels = np.array([sorted(TOPICS).index(topic) for topic in topics])
    for number, name in enumerate(named(given, labels)):
        said = set(" ".join(TOPICS[sorted(TOPICS)[number]]).split())
        assert set(re.findall(r"\w+", name.label)) <= said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "k"), [("banking77/train", 77), ("clinc150/train", None), ("headlines/abc-2003", None)]
)
def test_no_name_holds_a_stop_word_or_repeats_another(data, name, k):
    given = [row["text"] for row in data(name)]
    for options in [{}] if k is None else [{}, {"k": k}]:
        clusters = ns.cluster(given, **options)
        for level in (clusters, clusters.themes):
            labels = [cluster.label.lower() for cluster in level]
            assert len(set(labels)) == len(labels)
            assert not [label for label in labels if set(re.findall(r"\w+", label)) & stop_words("en")]
            assert not [label for label in labels if label.startswith("cluster ") or "#" in label]


FEED = (
    'Profit of the bank rose &lt;A HREF="http://www.example.com/FullQuote.aspx?t=B{} target=/q"&gt;B.N&lt;/A&gt;',
    '<p>The bank, it said, lost a profit &amp; fell</p><br><a href="https://example.com/fullquote.aspx?t={}">more</a>',
    "quot;Profit quot; of a bank lt href http www example com fullquote aspx ticker gt {}",
    "The bank was sold, see https://example.com/fullquote.aspx?id={} or www.example.com/fullquote.aspx",
)
FOLLOW_UPS = (
    "The parcel was late.\n\nOn Mon, Ann <ann@example.com> wrote:\n> Profit of the bank number {}\n> fullquote",
    "My parcel is lost &nbsp; http://example.com/track.php?id={}&amp;href=1",
    "<div class='mail'>A late parcel</div> <!-- track {} --> ann@example.com",
    "parcel nbsp came late http www example com track php {}",
)
MARKUP = {
    "lt",
    "gt",
    "amp",
    "quot",
    "nbsp",
    "href",
    "http",
    "www",
    "example",
    "com",
    "aspx",
    "php",
    "fullquote",
    "br",
}


def test_no_name_comes_from_markup():
    given = [text.format(number) for texts in (FEED, FOLLOW_UPS) for text in texts for number in range(5)]
    labels = np.repeat([0, 1], len(given) // 2)
    for name in named(given, labels):
        assert name.keywords
        assert not MARKUP & {word for keyword in name.keywords for word in keyword.lower().split()}
    first, second = named(given, labels)
    assert "bank" in first.label
    assert "parcel" in second.label


def test_names_may_be_made_of_markup_where_that_is_wanted():
    given = ["<table> or <div>?", "a <table> in a <div>", "<b> or <i>", "no <b> but <i>, <b>"]
    words = {word for name in named(given, [0, 0, 1, 1], markup=()) for word in name.keywords}
    assert {"table", "div"} & words
    assert not {"table", "div"} & {word for name in named(given, [0, 0, 1, 1]) for word in name.keywords}
