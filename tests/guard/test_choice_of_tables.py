"""The guard reads a pair by the tables of its own language, whatever the language of the caller."""

from __future__ import annotations

import warnings

import pytest

import nearsense as ns
from turns import in_turn

NEAR_MISSES = [
    ("Riesco ad accedere al mio conto", "Non riesco ad accedere al mio conto", "negation: Non"),
    ("Ich kann mich anmelden", "Ich kann mich nicht anmelden", "negation: nicht"),
    ("Mi pedido ha llegado", "Mi pedido no ha llegado", "negation: no"),
    ("Comment activer le mode avion ?", "Comment désactiver le mode avion ?", "antonym: activer → désactiver"),
    ("Wie schalte ich das Gerät ein?", "Wie schalte ich das Gerät aus?", "antonym: ein → aus"),
    ("Der Kurs beginnt im März", "Der Kurs beginnt im Mai", "date: März → Mai"),
    ("El curso dura tres semanas", "El curso dura seis semanas", "number: tres semanas → seis semanas"),
    ("Le câble fait trois mètres", "Le câble fait trois centimètres", "unit: trois mètres → trois centimètres"),
    ("Devi firmare il modulo", "Puoi firmare il modulo", "modality: Devi → Puoi"),
    ("How do I enable alerts?", "How do I disable alerts?", "antonym: enable → disable"),
]


@pytest.fixture(autouse=True)
def _without_the_language_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.LanguageWarning)
        yield


@in_turn(("a", "b", "named"), NEAR_MISSES)
def test_a_single_pair_is_read_in_its_own_language(a, b, named):
    assert named in (ns.compare(a, b).differs or ())


def test_pairs_of_many_languages_in_one_call_are_each_read_in_their_own():
    found = ns.compare_pairs([(a, b) for a, b, _ in NEAR_MISSES])
    assert [named in (each.differs or ()) for each, (_, _, named) in zip(found, NEAR_MISSES, strict=True)] == [
        True
    ] * len(NEAR_MISSES)


def test_what_no_word_decides_is_read_as_the_other_pairs_of_the_call():
    many = [(a, b) for a, b, named in NEAR_MISSES if named in ("negation: Non", "modality: Devi → Puoi")]
    alone = ns.compare("Porta aperta", "Porta chiusa").differs
    beside = ns.compare_pairs([*many, ("Porta aperta", "Porta chiusa")])[-1].differs
    assert beside == ("antonym: aperta → chiusa",)
    assert alone in ((), beside)


@in_turn(
    ("a", "b"),
    [
        ("Der Hund jagt die Katze", "Die Katze wird von dem Hund gejagt"),
        ("L'uragano ha distrutto il tetto", "Il tetto è stato distrutto dall'uragano"),
        ("El viaje dura media hora", "El viaje dura 30 minutos"),
        ("Le colis pèse dix kilos", "Le colis pèse 10 kg"),
        ("Ich habe zwei Konten", "Ich habe 2 Konten"),
        ("Ce n'est pas impossible", "C'est possible"),
    ],
)
def test_one_thing_in_two_dresses_is_no_difference_in_any_language(a, b):
    assert not ns.compare(a, b).differs


@pytest.mark.parametrize("micro", ["\u00b5", "\u03bc"])  # the sign, and the Greek letter
def test_a_microgram_is_no_milligram_however_it_is_typed(micro):
    assert ns.compare(f"Take 5 {micro}g a day", "Take 5 mg a day").differs == (f"unit: 5 {micro}g → 5 mg",)
    assert ns.compare(f"Take 5 {micro}g a day", "Take 5 mcg a day").differs == ()
