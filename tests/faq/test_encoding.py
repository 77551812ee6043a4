"""What a FAQ reads: words where it can, and strangers in its own language."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from faq_shop import ASKED, WORDINGS, shop
from nearsense.cached import cached
from nearsense.faq import nearness
from nearsense.faq.nearness import Reader, outsiders
from turns import in_turn

FAQS = {
    "de": ["Wann habt ihr geöffnet?", "Kann ich bei euch auch mit der Karte zahlen?"],
    "es": ["¿Cuándo está abierta la tienda?", "¿Puedo pagar con la tarjeta?"],
    "fr": ["Quels sont les horaires de la boutique ?", "Est-ce que je peux payer par carte ?"],
    "it": ["Quali sono gli orari del negozio?", "Posso pagare con la carta?"],
    "nl": ["Wanneer zijn jullie open?", "Kan ik hier met een pas betalen?"],
    "pt": ["Quando é que a loja está aberta?", "Posso pagar com o cartão?"],
    "en": ["When are you open?", "Can I pay by card?"],
}


@in_turn("language", FAQS)
def test_strangers_are_in_the_language_of_the_faq(language):
    assert Reader(HashEncoder(), FAQS[language]).outsiders == outsiders(language)
    others = {text for other in FAQS if other != language for text in outsiders(other)}
    assert len(set(outsiders(language)) - others) >= 40


def test_strangers_are_english_where_no_list_fits():
    assert Reader(HashEncoder(), ["Milloin olette avoinna?", "Voiko kortilla maksaa?"]).outsiders == outsiders()
    assert Reader(HashEncoder(), []).outsiders == outsiders("en") == outsiders("xx")


def test_words_are_compared_where_each_entry_has_one_phrasing(encoder, monkeypatch):
    items = shop(WORDINGS[0])
    book = ns.FAQ(items, encoder=encoder).rehearsal.near.book
    assert len(book.words.starts) == len(book.asked.starts) == len(items)
    assert np.allclose(np.linalg.norm(book.words.vectors, axis=1), 1, atol=1e-4)
    several = [{**items[0], "phrasings": ["return it"]}, *items[1:]]
    assert ns.FAQ(several, encoder=encoder).rehearsal.near.book.words is None
    assert ns.FAQ(items, encoder=HashEncoder(16)).rehearsal.near.book.words is None
    monkeypatch.setattr(nearness, "MOST_WORDS", 20)
    assert ns.FAQ(items, encoder=encoder).rehearsal.near.book.words is None


def test_stop_words_and_signs_are_no_words_unless_nothing_else_is_there(encoder):
    reader = Reader(encoder, FAQS["en"])
    texts = ["Where is the sofa?", "sofa", "Where is it?", "?!", "a sofa, an armchair"]
    assert reader.words(texts).counts.tolist() == [1, 1, 4, 2, 2]


def test_a_cache_before_the_encoder_changes_nothing(encoder):
    items = shop(WORDINGS[1])
    plain, kept = (ns.FAQ(items, encoder=each).answer_many(list(ASKED)) for each in (encoder, cached(encoder)))
    assert [each.probability for each in kept] == pytest.approx([each.probability for each in plain], abs=1e-3)


def test_own_strangers_join_those_of_the_package(encoder):
    mine = ["Do you sell umbrellas?", "Who is your landlord?"]
    few, more = (
        ns.FAQ(shop(WORDINGS[0]), encoder=encoder, strangers=some).rehearsal.outside for some in ([], mine)
    )
    assert len(few) < len(more) <= len(few) + len(mine)


@pytest.mark.slow
@pytest.mark.parametrize("words", [True, False])
def test_words_bring_the_right_entry_up(encoder, made_faqs, words, monkeypatch):
    if not words:
        monkeypatch.setattr(nearness, "MOST_WORDS", 0)
    first, asked = 0, 0
    for rows in made_faqs.values():
        entries = [{**row, "id": str(n)} for n, row in enumerate(row for row in rows if "question" in row)]
        faq = ns.FAQ([{k: e[k] for k in ("id", "question", "answer")} for e in entries], encoder=encoder)
        for entry in entries:
            asked += len(entry["asked"])
            first += sum(faq.match(text, 1)[0].id == entry["id"] for text in entry["asked"])
    assert first / asked >= (0.745 if words else 0.7)


@pytest.fixture(scope="module")
def made_faqs():
    """The English FAQs that were written for the fit, by name."""
    import json

    path = Path(__file__).parents[2] / "benchmarks" / "made_faqs.jsonl"
    found: dict[str, list[dict]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "language" not in row:
            found.setdefault(row["faq"], []).append(row)
    return found


@pytest.mark.slow
def test_another_model_is_put_on_the_same_scale():
    folder = Path(os.environ.get("NEARSENSE_MODELS", "/nowhere")) / "multilingual-e5-small-4bit"
    if not folder.exists():
        pytest.skip("NEARSENSE_MODELS names no folder with multilingual-e5-small-4bit")
    faq = ns.FAQ(FAQS["it"], encoder=ns.load(str(folder)))
    asked = faq.answer_many(["a che ora aprite la mattina?", "accettate il bancomat?"])
    assert [each.candidates[0].id for each in asked] == ["0", "1"]
    strangers = faq.answer_many(outsiders("it"))
    assert np.mean([bool(each) for each in strangers]) <= 0.05
