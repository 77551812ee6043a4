"""What a model does not read of two texts, and texts that it was not made for: asked of the verbs."""

from __future__ import annotations

import time

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.guard import differences_many
from nearsense.pair_differences import pair_differences, unfamiliar
from nearsense.pair_differences.unread import unread_differences
from nearsense.records import Long, Reading
from turns import in_turn

pytestmark = pytest.mark.filterwarnings(
    "ignore::nearsense.LanguageWarning",
    "ignore::nearsense.UnknownTextWarning",
    "ignore::nearsense.TruncationWarning",
)

LONG = "q7" * 60
UNREAD = {
    "an emoji": ("The light is 🟢 now", "The light is 🔴 now"),
    "a newer emoji, which the normalizer deletes": ("We are 🤣 about it", "We are 🥺 about it"),
    "a flag": ("Delivery to 🇮🇹 costs more", "Delivery to 🇪🇸 costs more"),
    "a flag of a region": ("Born in 🏴󠁧󠁢󠁥󠁮󠁧󠁿 in May", "Born in 🏴󠁧󠁢󠁳󠁣󠁴󠁿 in May"),
    "a key": ("Press ⌘ and drag", "Press ⌃ and drag"),
    "a key that touches a letter": ("What does ⌘C do?", "What does ⌥C do?"),
    "a chess piece": ("White moves ♘ to f3", "White moves ♗ to f3"),
    "a word of 120 characters": (f"the key {LONG}", f"the key {LONG[:-1]}8"),
    "two such words and another word": (f"my key is {LONG}a today", f"my key was {LONG}b yesterday"),
    "a script beside the words": ("He said გამარჯობა to me", "He said მადლობა to me"),
    "letters of private use": ("The icon \ue0a1 opens it", "The icon \ue0b2 opens it"),
    "an emoji among other changes": ("I loved the first film 😀", "We all loved that film so much 😡"),
    "two signs that change places": ("The 🔴 door is left, the 🟢 right", "The 🟢 door is left, the 🔴 right"),
    "a sign that only one text has": ("The plan is free ❌", "The plan is free"),
    "a German umlaut": ("Wir wollen die Rechnungen zahlen", "Wir wollen die Rechnungen zählen"),
    "a Spanish ñ": ("El cliente tiene cinco años", "El cliente tiene cinco anos"),
    "a Spanish past": ("Ella trabajo en la tienda", "Ella trabajó en la tienda"),
    "a Vietnamese tone": ("Tôi muốn mua bò ở đây", "Tôi muốn mua bơ ở đây"),
    "words that are nothing but tones": ("ma", "mã"),
    "a Swedish å": ("Jag har en hal i skon", "Jag har en hål i skon"),
    "a Hungarian length": ("A kor nagyon szép volt", "A kór nagyon szép volt"),
    "a French acute": ("Le marche est ouvert le lundi", "Le marché est ouvert le lundi"),
    "another accent": ("Le pêcheur est dans la maison", "Le pécheur est dans la maison"),
    "a German noun": ("Wir kaufen Äpfel", "Wir kaufen Apfel"),
    "a German noun with its article": ("Die Äpfel", "Die Apfel"),
    "a German noun alone": ("Zähler", "Zahler"),
    "a Spanish word with a capital": ("Los Años nuevos", "Los Anos nuevos"),
    "a voiced kana": ("これはかです", "これはがです"),
    "a Cyrillic breve": ("Это мой дом", "Это мои дом"),
}
SAME = {
    "café in English": ("We met in a café at the port", "We met in a cafe at the port"),
    "résumé in English": ("Please attach your résumé here", "Please attach your resume here"),
    "a city in English": ("Is the hotel in Zürich open?", "Is the hotel in Zurich open?"),
    "a café alone": ("café", "cafe"),
    "a Spanish name in English": ("The El Niño effect is strong", "The El Nino effect is strong"),
    "a Portuguese city in English": ("São Paulo flights are cheap", "Sao Paulo flights are cheap"),
    "a composer": ("Dvořák symphony", "Dvorak symphony"),
    "a Turkish name in English": ("President Erdoğan spoke in Ankara", "President Erdogan spoke in Ankara"),
    "a Turkish name in a question": ("Who is Recep Tayyip Erdoğan?", "Who is Recep Tayyip Erdogan?"),
    "a Turkish name alone": ("Erdoğan", "Erdogan"),
    "a band": ("Mötley Crüe tickets", "Motley Crue tickets"),
    "a band alone": ("Mötley Crüe", "Motley Crue"),
    "a German name with its e": ("Thomas Müller scored a goal", "Thomas Mueller scored a goal"),
    "two German names": ("Jürgen Klopp met Jörg Haider", "Juergen Klopp met Joerg Haider"),
    "a German name of a capital Umlaut": ("Özil left Arsenal", "Ozil left Arsenal"),
    "a German name alone": ("Jürgen Klopp", "Jurgen Klopp"),
    "a singer": ("Beyoncé tour dates", "Beyonce tour dates"),
    "a Serbian name": ("Novak Đoković won", "Novak Djokovic won"),
    "a Polish town": ("Kraków old town", "Krakow old town"),
    "a Czech name": ("Antonín Dvořák symphony", "Antonin Dvorak symphony"),
    "a Spanish name alone": ("Nicolás Maduro", "Nicolas Maduro"),
    "a Turkish club": ("Fenerbahçe beat Galatasaray", "Fenerbahce beat Galatasaray"),
    "two letters of a name": ("Hakan Çalhanoğlu", "Hakan Calhanoglu"),
    "a Danish name": ("Søren Kierkegaard books", "Soren Kierkegaard books"),
    "a sign of degrees": ("It is 5℃ outside", "It is 5°C outside"),
    "a Roman numeral": ("Read chapter Ⅳ again", "Read chapter IV again"),
    "stress that Spanish drops": ("El libro esta en la mesa", "El libro está en la mesa"),
    "a text typed without accents": ("J'ai ete debite deux fois", "J'ai été débité deux fois"),
    "composed and not": ("Où est la clé de l'hôtel ?", "Ou\u0300 est la cle\u0301 de l'ho\u0302tel ?"),
    "a soft hyphen": ("The cooper\u00adation works", "The cooperation works"),
    "a zero-width space": ("The cooper\u200bation works", "The cooperation works"),
    "how an emoji is drawn": ("We love it ❤\ufe0f", "We love it ❤"),
    "a sign that touches a word": ("So great👍", "So great 👍"),
    "a sign at another place": ("👍 for the service", "for the service 👍"),
    "a mark that is drawn otherwise": ("Parking on site ✓", "Parking on site ✅"),
    "wide letters": ("ＳＡＬＥ ends on Friday", "SALE ends on Friday"),
    "quotation marks": ("It’s “new” and boxed", 'It\'s "new" and boxed'),
    "Arabic vowels": ("كتاب", "كِتاب"),
}
SIGNS = {
    "stars": ("My stay: ★★★★☆", "My stay: ★★☆☆☆"),
    "an arrow": ("The trail goes ← at the lake", "The trail goes → at the lake"),
    "less for greater": ("Heat until T < 80 at the core", "Heat until T > 80 at the core"),
    "a set": ("The set A ∩ B is listed", "The set A ∪ B is listed"),
    "a Greek letter": ("The α version is out", "The β version is out"),
    "nothing but stars": ("★★★★★", "★☆☆☆☆"),
    "stars, one of them less": ("★★★☆☆", "★★☆☆☆"),
    "nothing but an arrow": ("↑", "↓"),
    "nothing but a face": (":)", ":("),
    "a face of punctuation": ("The room was fine :)", "The room was fine :("),
}


def unread(a: str, b: str, encoder: ns.Encoder) -> list[str]:
    return [str(each) for each in pair_differences([a], [b], encoder=encoder)[0] if each.kind == "unread"]


@in_turn("pair", UNREAD.values())
def test_what_the_model_does_not_read_is_named_and_never_means_the_same(pair):
    for a, b in (pair, pair[::-1]):
        found = ns.compare(a, b)
        assert any(each.startswith("unread: ") for each in found.differs)
        assert found.reading not in (Reading.SAME, Reading.PROBABLY_SAME)
        assert found.probability is None or found.probability <= 0.5


@in_turn("pair", UNREAD.values())
def test_what_the_model_does_not_read_drops_no_row(pair):
    assert len(ns.duplicates([*pair, "something else"], min_probability=0.5).unique) == 3
    assert len(ns.duplicates([*pair, "something else"], min_score=0.3).unique) == 3


@in_turn("pair", SAME.values())
def test_what_is_written_in_two_ways_differs_in_nothing(pair):
    assert ns.compare(*pair).differs == ()
    assert ns.compare(*pair[::-1]).differs == ()


@in_turn("pair", SIGNS.values())
def test_another_sign_is_named_though_the_model_reads_it(pair):
    found = ns.compare(*pair)
    assert [each.partition(":")[0] for each in found.differs] == ["sign"]
    assert found.probability < 0.9
    assert len(ns.duplicates(list(pair)).unique) == 2


@in_turn(
    ("a", "b"),
    [
        ("Settings → Privacy", "Settings > Privacy"),
        ("T ≥ 80", "T >= 80"),
        ("a ≠ b", "a != b"),
        ("if (n!=1) stop", "if (n≠1) stop"),
        ("fine :-)", "fine :)"),
        ("• one", "- one"),
    ],
)
def test_signs_that_are_only_drawn_otherwise_do_not_differ(a, b):
    assert ns.compare(a, b).differs == ()


@in_turn(
    ("a", "b"),
    [
        ("left door", "right door"),
        ("front door", "rear door"),
        ("old man", "young man"),
        ("fast car", "slow car"),
        ("left van door", "right van door"),
        ("black men shoes", "white men shoes"),
        ("Left rear door handle", "Right rear door handle"),
        ("red toy car", "blue toy car"),
        ("red hat", "blue hat"),
        ("dos prompt enabled", "dos prompt disabled"),
        ("con latte", "senza latte"),
        ("Das ist die linke Hand", "Das ist die rechte Hand"),
        ("mit Zucker", "ohne Zucker"),
        ("Die linke Hand", "Die rechte Hand"),
        ("robe rouge", "robe bleue"),
        ("camicia rossa", "camicia blu"),
        ("rote Jacke", "blaue Jacke"),
        ("zapato izquierdo", "zapato derecho"),
        ("La porta destra", "La porta sinistra"),
    ],
)
def test_a_few_words_are_read_in_their_language_though_one_is_a_small_word_of_another(a, b):
    assert len(pair_differences([a], [b])[0]) == 1


def test_a_difference_is_told_as_it_is_written_from_the_left_to_the_right(encoder):
    assert unread("Press ⌘+S, please", "Press ⌥+S, please", encoder) == ["unread: ⌘ → ⌥"]
    assert unread("Rechnungen: Zahlen!", "Rechnungen: Zählen!", encoder) == ["unread: Zahlen → Zählen"]
    assert unread("It is ❌", "It is", encoder) == ["unread: ❌"]
    assert unread("The 🚀 plan", "The gold plan", encoder) == ["unread: 🚀 → gold"]
    assert unread("✅ Order shipped", "The order has been shipped", encoder) == ["unread: ✅"]
    assert unread("❌ Payment declined", "Your payment was declined", encoder) == ["unread: ❌"]
    assert unread("Moved to Monday ✅", "We have moved it to Monday", encoder) == ["unread: ✅"]


def test_a_pair_with_an_unread_difference_is_as_probable_as_before_its_score_at_most():
    for prior in (0.1, 0.5, 0.9):
        found = ns.compare("The light is 🟢 now", "The light is 🔴 now", prior=prior)
        assert found.probability <= prior + 1e-9


def test_texts_that_differ_beyond_the_limit_only_are_told_apart_where_the_model_is_not_to_read_them(encoder):
    begin = "the same words again and again " * 60
    a, b = f"{begin} and the end is good", f"{begin} and the end is bad"
    assert unread(a, b, encoder) == ["unread: good → bad"]
    assert len(unread(f"one more {a}", b, encoder)) == 1
    assert unread(f"one more {a}", a, encoder) == []
    assert unread(a, b, encoder.with_long(Long.CHUNK)) == []


def test_a_long_word_that_both_texts_have_is_no_difference(encoder):
    assert unread(f"the key {LONG} works", f"my key {LONG} works well", encoder) == []


def test_an_encoder_that_does_not_tell_what_it_reads_is_known_by_equal_vectors():
    class Blind(HashEncoder):
        def _vector(self, text):
            return super()._vector("".join(each for each in text if each.isascii()))

    found = ns.compare("great 👍 work", "great 👎 work", encoder=Blind())
    assert found.differs == ("unread: 👍 → 👎",)
    assert ns.compare("great 👍 work", "great 👎 play", encoder=Blind()).differs == ()


def test_rows_of_stored_vectors_are_read_as_well(encoder):
    texts = ["Wo kann ich zahlen?", "Wo kann ich zählen?", "The 🔴 light blinks", "The 🟢 light blinks twice"]
    vectors = encoder.encode(texts)
    found = ns.duplicates(texts, vectors=vectors, min_score=0.6)
    assert len(found.unique) == 4
    assert {each.differs[-1] for each in found.pairs} == {"unread: zahlen → zählen", "unread: 🔴 → 🟢"}


def test_looking_for_what_is_unread_takes_a_fraction_of_what_the_guard_takes(encoder):
    words = [
        f"{begin}{end}" for begin in ("walk", "talk", "look", "jump", "play") for end in ("", "s", "ed", "ing")
    ]
    rng = np.random.default_rng(0)
    lefts, rights = ([" ".join(rng.permutation(words)[:12]) for _ in range(4000)] for _ in range(2))
    unread_differences(lefts[:10], rights[:10], encoder)
    times = []
    for look in (lambda: unread_differences(lefts, rights, encoder), lambda: differences_many(lefts, rights)):
        begin = time.process_time()
        look()
        times.append(time.process_time() - begin)
    assert times[0] < times[1] / 3


def test_a_false_difference_is_rare_in_pairs_that_mean_the_same(encoder, data):
    for name in ("stsb/en-train", "stsb/it-train", "stsb/pt-train", "stsb/de-train"):
        rows = [row for row in data(name) if row["score"] == 5]
        found = pair_differences([row["a"] for row in rows], [row["b"] for row in rows], encoder=encoder)
        assert sum(any(each.kind in ("unread", "sign") for each in pair) for pair in found) <= 0.01 * len(rows)


FOREIGN = {
    "zh": "我的包裹在哪里？",
    "ja": "荷物はどこですか",
    "ko": "소포는 어디에 있습니까?",
    "ru": "Где моя посылка?",
    "ar": "أين الطرد الخاص بي؟",
    "el": "Πού είναι το δέμα μου;",
    "th": "พัสดุของฉันอยู่ที่ไหน",
    "de": "Wo ist denn mein Paket, das ich bestellt habe?",
    "it": "Dove si trova il pacco che ho ordinato ieri?",
    "fr": "Où est le colis que j'ai commandé hier ?",
    "vi": "Gói hàng của tôi đang ở đâu vậy?",
}


@in_turn("language", FOREIGN)
def test_a_text_in_a_language_that_the_model_was_not_made_for_gets_no_probability(language):
    found = ns.compare(FOREIGN[language], "Where is my parcel?")
    assert (found.probability, found.interval, found.reading) == (None, None, Reading.UNKNOWN)
    assert "all-MiniLM-L6-v2 is English only; try paraphrase-multilingual" in found.unsure
    assert found.to_dict()["unsure"] == found.unsure
    assert found.unsure in str(found)


def test_a_text_is_the_same_as_itself_in_every_language():
    for text in FOREIGN.values():
        assert ns.compare(text, text).probability > 0.9


@in_turn(
    "text",
    [
        "La Traviata",
        "Samsung Galaxy S24 Ultra",
        "MG-3650 XL",
        "Café de la Paix",
        "x = y[0]",
        "Tokyo stocks open lower",
        "Wolfgang Amadeus Mozart",
        "three killed in rio de janeiro gang violence",
        "How do I say obrigado?",
        "okay",
    ],
)
def test_names_products_and_english_with_foreign_words_keep_their_probability(text):
    found = ns.compare(text, "Where is my parcel?")
    assert found.unsure is None
    assert found.probability is not None


def test_single_english_texts_are_hardly_ever_taken_for_foreign(encoder, data):
    for name in ("banking77/train", "clinc150/val", "stsb/en-dev", "quora/dev", "headlines/abc-2003"):
        rows = data(name)[:4000]
        texts = list(dict.fromkeys(row[key] for row in rows for key in ("text", "a", "b") if row.get(key)))
        wrong = sum(unfamiliar([text], encoder)[0] is not None for text in texts)
        assert wrong < 0.002 * len(texts), name


def test_most_single_foreign_sentences_are_known_and_nearly_all_among_others(encoder, data):
    for language in ("de", "it", "nl", "pt"):
        texts = [row["a"] for row in data(f"stsb/{language}-dev")][:500]
        alone = sum(unfamiliar([text], encoder)[0] is not None for text in texts)
        together = sum(each is not None for each in unfamiliar(texts, encoder))
        assert alone > 0.6 * len(texts)
        assert together > 0.95 * len(texts)


def test_among_italian_texts_a_short_one_is_italian_and_an_english_one_is_not(encoder):
    texts = [
        "Domani vado al mercato con mia sorella",
        "Ieri sono andato dalla zia",
        "Va bene",
        "Where is the station?",
    ]
    assert [each is not None for each in unfamiliar(texts, encoder)] == [True, True, True, False]
    assert unfamiliar(["Va bene"], encoder, among=texts[:3]) != [None]
    assert unfamiliar(["Va bene"], encoder) == [None]


REVIEWS = [
    "这个手机很好用，电池很耐用",
    "这个耳机声音不好，退货了",
    "快递很快，包装完好",
    "衣服质量太差，洗一次就破了",
    "鞋子很舒服，尺码合适",
    "电影很无聊，浪费时间",
    "餐厅的服务员态度很差",
    "酒店房间干净，位置方便",
    "客服回复很慢，问题没解决",
    "屏幕有划痕，要求换货",
    "书的内容很有意思，推荐",
    "味道不错，下次还来",
    "这个手机不好用，电池不耐用",
    "这个耳机声音很好，不退货",
    "价格便宜，值得购买",
]


def test_of_chinese_reviews_none_goes_by_its_vector_and_equal_ones_do():
    found = ns.duplicates([*REVIEWS, REVIEWS[0], f"{REVIEWS[-1]}！"])
    assert [each.value for each, count in found.tiers.items() if count] == ["exact", "normalized"]
    assert len(found.unique) == len(REVIEWS)


ITALIAN = [
    "Dove si trova il pacco che ho ordinato ieri?",
    "Dove si trova il pacco che avevo ordinato ieri?",
    "Vorrei sapere come si cambia la password del mio conto",
]


def test_in_an_unknown_language_rows_go_by_their_vectors_only_where_that_is_asked_for():
    with pytest.warns(ns.errors.LanguageWarning, match="2 rows stay that are near others.*Italian.*multilingual"):
        found = ns.duplicates(ITALIAN, min_score=0.8)
    assert len(found.unique) == 3
    pair = found.pairs[0]
    assert (pair.probability, pair.interval) == (None, None)
    assert "Italian" in pair.unsure
    assert pair.to_dict()["unsure"] == pair.unsure
    assert len(ns.duplicates(ITALIAN, min_score=0.8, any_language=True).unique) == 2


def test_a_model_that_names_no_languages_is_taken_at_its_word():
    assert unfamiliar([*FOREIGN.values()], HashEncoder()) == [None] * len(FOREIGN)


FORMS = {
    "wide": ("ＳＡＬＥ ends on Friday", "SALE ends on Friday"),
    "mathematical": ("𝐇𝐞𝐥𝐥𝐨 my friend", "Hello my friend"),
    "a ligature": ("The ﬁle was oﬃcial", "The file was official"),
    "Chinese punctuation": ("价格便宜，值得购买", "价格便宜，值得购买！"),
    "case and space": ("  HOW do I pay ", "how do I pay?"),
}


@in_turn("pair", FORMS.values())
def test_texts_that_are_equal_but_for_their_form_mean_the_same_whatever_the_model_reads(pair):
    found = ns.compare(*pair)
    assert (found.differs, found.reading) == ((), Reading.SAME)


def test_without_a_calibration_a_pair_that_is_not_read_is_no_near_duplicate():
    found = ns.compare("The light is 🟢 now", "The light is 🔴 now", calibration="none")
    assert (found.probability, found.reading) == (None, Reading.UNKNOWN)
    assert ns.compare("It is late", "It is very late", calibration="none").reading is not Reading.UNKNOWN


@in_turn(
    ("text", "foreign"),
    [
        ("iPhone 13 手机壳很好用", True),
        ("このiPhoneは良い", True),
        ("What does 我家小哥 mean?", False),
        ("I bought 手机壳 yesterday", False),
        ("π is about 3.14", False),
    ],
)
def test_a_text_is_foreign_where_most_of_what_it_says_is(encoder, text, foreign):
    assert (unfamiliar([text], encoder)[0] is not None) is foreign
