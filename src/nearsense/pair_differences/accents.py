"""Words that differ in their accents alone: two words, or two ways to write one? Not what a model makes of them.

Where an accent makes another letter of the language's alphabet (ä in German, ñ in Spanish, every mark in
Vietnamese), or both words have accents and not the same ones, they are two words. Where it only marks stress, or
the language borrows words without their accents (English), they are one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

__all__ = ["Accents"]

_LETTERS = {
    "de": "äöü", "sv": "åäö", "fi": "åäö", "et": "äöõüšž", "no": "å", "nb": "å", "nn": "å", "da": "å",
    "is": "áéíóúýö", "fo": "áíóúý", "hu": "áéíóöőúüű", "tr": "çğöşüi\u0307", "az": "çğöşü", "tk": "çäňöşüýž",
    "pl": "ąćęńóśźż", "cs": "áčďéěíňóřšťúůýž", "sk": "áäčďéíĺľňóôŕšťúýž", "sl": "čšž", "hr": "čćšž",
    "bs": "čćšž", "sr": "čćšž", "lt": "ąčęėįšųūž", "lv": "āčēģīķļņšūž", "ro": "ăâîșşțţ", "sq": "ëç",
    "es": "ñ", "gl": "ñ", "eu": "ñ", "ca": "ç", "pt": "çãõ", "fr": "çé", "mt": "ċġż", "eo": "ĉĝĥĵŝŭ",
    "cy": "ŵŷ", "mi": "āēīōū", "haw": "āēīōū",
}  # fmt: skip
"""Letters of their own in the alphabet of a language, as they decompose into a letter and marks."""

_TONES = ("vi", "yo", "ig", "zh")
"""Languages in which every mark makes another word."""

_WORDS = """
    andre beyonce bogota brulee cafe cafes chloe cliche cliches cooperate coordinate cordoba cote creme crepe
    curacao debris debut decor deja divoire divorce doppelganger dusseldorf elite emigre entree expose facade
    facades fiance fiancee francois frappe goteborg habitue jalapeno jose koln latte mache malaga malmo
    matinee melee mexico montreal munchen naive naivete negligee noel ole panama papier pate peru pinata
    pique pokemon protege puree quebec regime rene resume resumes reunion risque role rose sao saute sauteed
    senor senora smorgasbord soiree souffle touche uber vis-a-vis voila zoe zurich
"""
_LOANS = frozenset(_WORDS.split())
"""Words that many languages write with and without their accents."""

_STRESS = {"GREEK": "\u0301\u0308\u0344", "CYRILLIC": "\u0300\u0301\u0308"}
"""Marks that writers of a script leave out."""

_POINTED = ("ARABIC", "HEBREW", "SYRIAC")
"""Scripts whose marks are all left out mostly."""


class Accents:
    """Tells which words differ that differ in accents alone.

    Args:
        language: ISO 639-1 of the texts; None: told from the texts.
    """

    def __init__(self, language: str | None = None) -> None:
        self._given = language
        self._told: dict[tuple[str, ...], str] = {}

    def differ(self, a: str, b: str, left: Sequence[str], right: Sequence[str]) -> bool:
        """Whether two words are two, and not two ways to write one.

        Args:
            a: A word without what does not change its sense but for accents.
            b: Another.
            left: The words of the text that the one stands in.
            right: Those of the other text.

        Example:
            >>> accents = Accents()
            >>> text = "Wir wollen die Rechnungen zahlen".split()
            >>> accents.differ("zahlen", "zählen", text, text), accents.differ("cafe", "café", [], [])
            (True, False)
        """
        here, there = _taken_apart(a), _taken_apart(b)
        if here == there:
            return False
        if [base for base, _ in here] != [base for base, _ in there]:
            return True
        changed = [
            (base, mine, others)
            for (base, mine), (_, others) in zip_longest(here, there, fillvalue=("", ""))
            if mine != others
        ]
        known = "".join(base for base, _ in here) in _LOANS
        return any(self._matters(*each, known, left, right) for each in changed)

    def _matters(
        self, base: str, mine: str, others: str, known: bool, left: Sequence[str], right: Sequence[str]
    ) -> bool:
        script = unicodedata.name(base, "").partition(" ")[0]
        if script in _POINTED:
            return False
        if script in _STRESS:
            return not {*mine, *others} <= {*_STRESS[script]} or (script == "CYRILLIC" and base == "\u0456")
        if script != "LATIN":
            return True
        language = self._language(left, right)
        if language == "it" and {mine, others} == {"\u0300", "\u0301"}:
            return False
        if (mine and others) or language in _TONES:
            return language != "en"
        if not language:
            return not known
        letter = unicodedata.normalize("NFC", base + (mine or others))
        return letter in _LETTERS.get(language, "")

    def _language(self, left: Sequence[str], right: Sequence[str]) -> str:
        from nearsense.encoders.telling import told

        if self._given:
            return self._given.lower().partition("-")[0]
        key = (*left, "", *right)
        if key not in self._told:
            self._told[key] = told(f"{' '.join(left)}\n{' '.join(right)}")
        return self._told[key]


def _taken_apart(word: str) -> list[tuple[str, str]]:
    """Each letter with its marks."""
    found: list[tuple[str, str]] = []
    for each in unicodedata.normalize("NFD", word):
        if unicodedata.category(each) == "Mn" and found:
            base, marks = found[-1]
            found[-1] = base, marks + each
        else:
            found.append((each, ""))
    return found
