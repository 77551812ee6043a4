"""Text that a model was not made for is noticed; text that it was made for never is."""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
import warnings

import pytest

from nearsense.encoders import languages
from nearsense.encoders.catalog import LANGUAGES
from nearsense.encoders.languages import (
    LANGUAGES_OF,
    NAMES,
    Finding,
    LanguageCheck,
    LanguageWarning,
    find_foreign,
    main_script,
    sentence,
    suggestion,
)
from turns import in_turn

TICKETS = {
    "it": "Non riesco ad accedere al conto|Il pagamento è stato rifiutato due volte|Come cambio la mia password?",
    "de": "Ich kann mich nicht anmelden|Die Zahlung wurde zweimal abgelehnt|Wie ändere ich mein Passwort?",
    "fr": "Je n'arrive pas à me connecter|Le paiement a été refusé deux fois|Comment changer mon mot de passe ?",
    "es": "No puedo entrar en mi cuenta|El pago ha sido rechazado dos veces|¿Cómo cambio mi contraseña?",
    "nl": "Ik kan niet inloggen op mijn account|De betaling is twee keer geweigerd|Hoe wijzig ik mijn wachtwoord?",
    "pt": "Não consigo entrar na minha conta|O pagamento foi recusado duas vezes|Como mudo a minha senha?",
    "pl": "Nie mogę zalogować się na konto|Płatność została dwukrotnie odrzucona|Jak zmienić swoje hasło?",
    "tr": "Bir türlü hesaba giriş yapamıyorum|Ödeme iki kez reddedildi lütfen|Şifremi nasıl değiştiririm acaba?",
    "sv": "Jag kan inte logga in på mitt konto|Betalningen nekades två gånger|Hur byter jag mitt lösenord?",
    "fi": "En pysty kirjautumaan tililleni|Maksu hylättiin kaksi kertaa|Miten voin vaihtaa salasanani?",
    "hu": "Nem tudok belépni a fiókomba|A fizetést kétszer is elutasították|Hogyan változtatom meg a jelszavam?",
    "vi": "Tôi không thể đăng nhập vào tài khoản|Thanh toán bị từ chối hai lần|Làm sao để đổi mật khẩu?",
}
SCRIPTS = {
    "ru": "Не могу войти",
    "el": "Δεν μπορώ να μπω",
    "he": "אני לא יכול להיכנס",
    "ar": "لا أستطيع الدخول",
    "hi": "मैं लॉग इन नहीं कर पा रहा",
    "th": "เข้าสู่ระบบไม่ได้",
    "ko": "로그인이 안 돼요",
    "ja": "ログインできません",
    "zh": "我无法登录",
    "ka": "ვერ შევდივარ",
    "hy": "Չեմ կարող մուտք գործել",
    "bn": "আমি লগ ইন করতে পারছি না",
}
HARMLESS = {
    "names": "Marco Rossi|Giulia Bianchi|Müller, Jürgen|de la Cruz, María|Jan van den Berg|Zoë Núñez",
    "small names": "marco rossi|giulia bianchi|jose garcia|anna svensson|pierre dubois",
    "products": "Bosch Akkuschrauber 18V|IKEA BILLY|Nestlé KitKat|Haribo Goldbären|Levi's 501|LG OLED55C1",
    "places": "Zürich|São Paulo|Kraków|Reykjavík|İstanbul|Via Roma 12, Torino",
    "code": "for i in range(len(xs)):|SELECT id FROM users|kubectl get pods -n kube-system|return null; // a b c",
    "addresses": "https://www.example.it/notizie/politica|m.rossi@posta.example|/usr/bin|C:\\Programme\\Neu",
    "numbers": "12|3.50 €|2024-01-01|+39 06 1234567|1e-5",
    "symbols": "π|Ω = 5|α-helix and β-sheet|😀😀|→|½",
    "nothing": "| |\n|\x00|\ud800|\ufdd0",
    "chat": "lol thx|omg wtf|gonna b l8|pls halp|ok|hi",
    "borrowed": "risotto ai funghi|a croissant, please|zeitgeist|Where can I see La Traviata in Milano?",
}


@pytest.fixture(autouse=True)
def _nobody_was_warned(monkeypatch):
    monkeypatch.setattr(LanguageCheck, "_warned", set())


def warned(check, *calls):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for texts in calls:
            check(texts)
    return [str(each.message) for each in seen if each.category is LanguageWarning]


@in_turn("language", TICKETS)
def test_three_short_sentences_are_enough(language):
    finding = find_foreign(TICKETS[language].split("|"), ["en"])
    assert finding is not None
    assert (finding.language, finding.texts) == (language, 3)
    assert finding.share > 0.6


@in_turn("language", TICKETS)
def test_who_was_made_for_a_language_is_not_warned_of_it(language):
    texts = TICKETS[language].split("|")
    assert find_foreign(texts, [language]) is None
    assert find_foreign(texts, LANGUAGES["parallel"]) is None


@in_turn("language", SCRIPTS)
def test_a_script_is_sure_for_one_short_text(language):
    assert find_foreign([SCRIPTS[language]], ["en"]) == Finding(1.0, language, 1)
    assert find_foreign([SCRIPTS[language]], ["en", language]) is None


def test_without_the_library_scripts_are_still_seen(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycld2", None)
    languages._library.cache_clear()
    languages.guess.cache_clear()
    try:
        assert find_foreign([SCRIPTS["ru"], SCRIPTS["ja"], SCRIPTS["ja"]], ["en"]) == Finding(2 / 3, "ja", 3)
        assert find_foreign(TICKETS["it"].split("|"), ["en"]) is None
    finally:
        languages._library.cache_clear()
        languages.guess.cache_clear()


@in_turn("kind", HARMLESS)
def test_what_is_no_sentence_is_no_language(kind):
    texts = HARMLESS[kind].split("|")
    assert find_foreign(texts, ["en"]) is None
    assert [text for text in texts if find_foreign([text], ["en"])] == []


def test_every_character_can_be_read():
    step = 97  # a prime, so that all blocks and all places in them are met
    for point in range(0, 0x110000, step):
        languages.guess(f"ciao come {chr(point) * 2} stai amico mio")
        main_script(chr(point))


def test_one_short_text_says_nothing_but_a_long_one_does():
    assert find_foreign(["Mi dispiace molto"], ["en"]) is None
    long = "Non riesco ad accedere al mio conto e il pagamento di ieri è stato rifiutato due volte"
    assert find_foreign([long], ["en"]) == Finding(1.0, "it", 1)


def test_below_a_fifth_nothing_is_said():
    english = ["My card has not arrived yet", "Where can I change my password?"] * 50
    german = TICKETS["de"].split("|") * 10
    assert find_foreign(english + german[:20], ["en"]) is None
    finding = find_foreign(english + german, ["en"])
    assert finding is not None
    assert finding.share == pytest.approx(30 / 130, abs=0.02)


def test_many_languages_are_a_mixture():
    texts = [text for language in ("it", "de", "fi", "pl", "tr", "fr") for text in TICKETS[language].split("|")]
    finding = find_foreign(texts, ["en"])
    assert finding is not None
    assert finding.language == ""
    assert "in several other languages" in sentence(finding, "m", ["en"])


def test_a_sample_is_spread_over_all_texts_and_always_the_same():
    texts = ["My card has not arrived yet"] * 600 + TICKETS["de"].split("|") * 200
    finding = find_foreign(texts, ["en"], sample=100)
    assert finding == find_foreign(texts, ["en"], sample=100)
    assert finding is not None
    assert finding.texts == 100
    assert finding.share == pytest.approx(0.5, abs=0.05)


def test_no_texts_and_no_languages_say_nothing():
    assert find_foreign([], ["en"]) is None
    assert find_foreign(TICKETS["de"].split("|"), []) is None


def test_the_sentence_names_what_was_seen_the_model_and_what_to_try():
    said = sentence(Finding(0.41, "it", 200), "all-MiniLM-L6-v2", ["en"], "paraphrase-multilingual-MiniLM-L12-v2")
    assert said == (
        "41 % of these texts look Italian; all-MiniLM-L6-v2 is English only; "
        "try paraphrase-multilingual-MiniLM-L12-v2"
    )
    assert (
        sentence(Finding(1.0, "ru", 1), "m", ["de", "en"])
        == "this text looks Russian; m is for English and German"
    )
    assert sentence(Finding(0.5, "eu", 9), "m", ["de"] * 50) == (
        "50 % of these texts look Basque; m is for 50 other languages"
    )


def test_a_suggestion_knows_the_language_and_is_another_model():
    from nearsense.encoders.catalog import card_of

    assert suggestion("it", "all-MiniLM-L6-v2", ["en"]) == "paraphrase-multilingual-MiniLM-L12-v2"
    for language in ("eu", "sw", "it", "ru"):
        name = suggestion(language, "paraphrase-multilingual-MiniLM-L12-v2", LANGUAGES["parallel"])
        assert name != "paraphrase-multilingual-MiniLM-L12-v2"
        assert language in card_of(name).languages
    assert suggestion("xx", "m", ["en"]) == ""


def test_a_model_is_warned_of_once():
    check, twin = (LanguageCheck("all-MiniLM-L6-v2", ("en",)) for _ in range(2))
    german = TICKETS["de"].split("|")
    assert warned(check, german, german, TICKETS["it"].split("|")) == [
        "100 % of these texts look German; all-MiniLM-L6-v2 is English only; "
        "try paraphrase-multilingual-MiniLM-L12-v2"
    ]
    assert warned(twin, german) == []
    assert len(warned(LanguageCheck("another", ("en",)), german)) == 1


def test_single_queries_add_up():
    said = warned(LanguageCheck("m", ("en",)), *[[text] for text in TICKETS["de"].split("|")])
    assert len(said) == 1


def test_off_is_off_and_unknown_languages_are_silent():
    german = TICKETS["de"].split("|")
    assert warned(LanguageCheck("m", ("en",), on=False), german) == []
    assert warned(LanguageCheck("m", ()), german) == []


def test_after_many_texts_the_check_is_content(monkeypatch):
    monkeypatch.setattr(languages, "PATIENCE", 10)
    check = LanguageCheck("m", ("en",))
    assert warned(check, ["My card has not arrived yet"] * 10, TICKETS["de"].split("|")) == []


def test_many_threads_warn_once():
    check = LanguageCheck("m", ("en",))
    german, start = TICKETS["de"].split("|") * 20, threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(5):
            check(german)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [each.category for each in seen] == [LanguageWarning]


def test_a_look_costs_little():
    def milliseconds(texts):
        times = []
        for _ in range(9):
            start = time.thread_time()
            find_foreign(texts, ["en"])
            times.append(1000 * (time.thread_time() - start))
        return statistics.median(times)

    milliseconds(["My card has not arrived yet"])
    assert milliseconds(["My card has not arrived yet"]) < 5
    assert milliseconds(["My card has not arrived yet, where is it?"] * 10_000) < 30
    assert milliseconds(["Не могу войти в личный кабинет " * 1000] * 200) < 100


def test_every_language_of_a_script_has_a_name():
    assert {language for of in LANGUAGES_OF.values() for language in of} - {"dz", "ks"} <= set(NAMES)


ENGLISH = {
    "banking77/train": "text",
    "clinc150/train": "text",
    "headlines/abc-2003": "text",
    "quora/dev": "a",
    "clustering/trec-questions-train": "text",
    "clustering/tweet2472": "text",
    "stsb/en-dev": "a",
    "sick/train": "a",
    "scifact/corpus": "title",
    "tatoeba/main10": "eng",
}


@in_turn("name", ENGLISH)
def test_real_english_is_english_in_any_batch(data, name):
    texts = [row[ENGLISH[name]] for row in data(name)]
    draw = random.Random(0)
    for size, batches in ((1, 300), (3, 100), (10, 50), (200, 3)):
        for _ in range(batches):
            batch = draw.sample(texts, size)
            assert find_foreign(batch, ["en"]) is None, batch


@in_turn("name", ["stsb/it-dev", "stsb/de-dev", "stsb/nl-dev", "stsb/pt-dev"])
def test_real_translations_are_seen_in_batches_of_ten(data, name):
    texts = [row["a"] for row in data(name)]
    draw = random.Random(0)
    for _ in range(50):
        finding = find_foreign(draw.sample(texts, 10), ["en"])
        assert finding is not None
        assert finding.language == name[5:7]


CODES = "deu:de fra:fr ita:it nld:nl pol:pl por:pt spa:es tur:tr swe:sv fin:fi ces:cs hun:hu ron:ro cat:ca vie:vi"
CODES += " est:et lit:lt lvs:lv rus:ru ukr:uk ell:el heb:he ara:ar hin:hi jpn:ja cmn:zh kor:ko tha:th"


def test_short_real_sentences_are_seen_in_batches_of_twenty(data):
    sentences: dict[str, list[str]] = {}
    for row in data("tatoeba/main10") + data("tatoeba/others"):
        sentences.setdefault(row["lang"], []).append(row["text"])
    draw, missed = random.Random(0), []
    for pair in CODES.split():
        of, language = pair.split(":")
        for _ in range(10):
            finding = find_foreign(draw.sample(sentences[of], 20), ["en"])
            if finding is None or finding.language != language:
                missed.append((language, finding))
    assert missed == []
