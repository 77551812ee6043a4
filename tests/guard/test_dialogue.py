"""One request told from the two sides of who asks and who answers, beside opposites that stay what they are."""

from __future__ import annotations

from nearsense import guard
from turns import in_turn

SAME = [
    ("en", "Can I buy a gift card?", "Do you sell gift cards?"),
    ("en", "where to buy your shoes", "Where do you sell your shoes?"),
    ("en", "Is it possible to buy vouchers?", "Do you sell vouchers?"),
    ("en", "Can I borrow a bike?", "Do you lend bikes?"),
    ("en", "When do we receive the invoice?", "When do you send the invoice?"),
    ("en", "send me the invoice", "When do I receive the invoice?"),
    ("en", "Where can I learn to sail?", "Do you teach sailing?"),
    ("en", "Can I take piano lessons?", "Do you give piano lessons?"),
    ("en", "Can I sell you my used phone?", "Do you buy used phones?"),
    ("en", "Can I request a refund?", "Do you offer a refund?"),
    ("en", "Can I come to your office?", "Can I go to your office?"),
    ("de", "Wann bekomme ich die Rechnung?", "Wann schicken Sie die Rechnung?"),
    ("es", "¿Puedo comprar una tarjeta regalo?", "¿Venden tarjetas regalo?"),
    ("fr", "Puis-je acheter une carte cadeau ?", "Vendez-vous des cartes cadeaux ?"),
    ("it", "Quando ricevo la fattura?", "Quando inviate la fattura?"),
]
OTHER = [
    ("en", "Do you buy used phones?", "Do you sell used phones?"),
    ("en", "Can I buy a used phone?", "Can I sell my used phone?"),
    ("en", "How do I send money?", "How do I receive money?"),
    ("en", "Can I lend my card to a friend?", "Can I borrow a card from a friend?"),
    ("en", "How do I sell a gift card?", "How do you buy a gift card?"),
    ("en", "Does my bank send the money?", "Do you receive the money?"),
    ("en", "How do I enable the alarm?", "Do you disable the alarm?"),
    ("en", "Can I pick up my order?", "Do you deliver my order?"),
    ("en", "Do I accept the terms?", "Do you reject the terms?"),
    ("en", "When does the train come?", "When does the train go?"),
    ("en", "Do I come from the station?", "Do I go to the station?"),
    ("de", "Wann erhalte ich die Rechnung?", "Wann sende ich die Rechnung?"),
]


def kinds(language, a, b, dialogue):
    [found] = guard.differences_many([a], [b], language=language, dialogue=dialogue)
    return [each.kind for each in found]


@in_turn(("language", "a", "b"), SAME)
def test_what_one_asks_to_get_is_what_the_other_is_asked_to_give(language, a, b):
    assert kinds(language, a, b, dialogue=False) == ["antonym"]  # of two strangers it is an opposite
    assert kinds(language, a, b, dialogue=True) == kinds(language, b, a, dialogue=True) == []


@in_turn(("language", "a", "b"), OTHER)
def test_opposites_of_one_side_stay_opposites(language, a, b):
    assert kinds(language, a, b, dialogue=True) == kinds(language, a, b, dialogue=False)
    assert "antonym" in kinds(language, a, b, dialogue=True)


def test_all_else_that_differs_is_still_named():
    [found] = guard.differences_many(["Can I buy 2 gift cards?"], ["Do you sell 3 gift cards?"], dialogue=True)
    assert [str(each) for each in found] == ["number: 2 → 3"]
