"""Words that differ in their accents alone: two words, or two ways to write one? Not what a model makes of them.

Where an accent makes another letter of the language's alphabet (ä in German, ñ in Spanish, every mark in
Vietnamese), or both words have accents and not the same ones, they are two words. Where it only marks stress, or
the language borrows words without their accents (English), they are one, unless both are words that are listed.
Who leaves out all accents of a text leaves them out by habit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from nearsense.encoders.languages import LISTED, language_of, small_words
from nearsense.encoders.words import essence

_LETTERS = {
    "de": "äöü", "sv": "åäö", "fi": "åäö", "et": "äöõüšž", "no": "å", "nb": "å", "nn": "å", "da": "å",
    "is": "áéíóúýö", "fo": "áíóúý", "hu": "áéíóöőúüű", "tr": "çğöşüi\u0307", "az": "çğöşü", "tk": "çäňöşüýž",
    "pl": "ąćęńóśźż", "cs": "áčďéěíňóřšťúůýž", "sk": "áäčďéíĺľňóôŕšťúýž", "sl": "čšž", "hr": "čćšž",
    "bs": "čćšž", "sr": "čćšž", "lt": "ąčęėįšųūž", "lv": "āčēģīķļņšūž", "ro": "ăâîșşțţ", "sq": "ëç",
    "es": "ñ", "gl": "ñ", "eu": "ñ", "ca": "ç", "pt": "çãõ", "fr": "çé", "mt": "ċġż", "eo": "ĉĝĥĵŝŭ",
    "cy": "ŵŷ", "mi": "āēīōū", "haw": "āēīōū",
}  # fmt: skip
"""Letters of their own in the alphabet of a language, as they decompose into a letter and marks."""

_TONES = ("vi", "yo", "ig", "zh")  # languages in which every mark makes another word
_WORDS = """
    aarhus almodovar andre angstrom applique apropos asuncion attache attaches bartok belem beyonce bezier
    bjork bogota brasilia bronte brulee cabare cabaret cafe cafes canape cancun cezanne chateau chloe citroen
    cliche cliches consomme cooperate coordinate cordoba cortege cote coup creme crepe croute curacao dali
    debris debussy debut decor deja detat detre diaz divoire divorce doeuvre doppelganger dusseldorf dvorak
    eclair eclat elan elite emigre emigree ennui entree erdos etude expose facade facades faure fernandez
    fete fiance fiancee fiancees flambe francois frappe garcia gdansk gerard godel gomez gonzalez goteborg
    gruyere haagen haagendazs habitue helene hernandez hors ingenue jalapeno janacek jimenez jose koln krakow
    latte lodz loeil lopez lycee mache maitre malaga malmo manana maranhao martinez matinee medellin melange
    melee menage merida mexico michele miro mobius montreal motorhead muller munchen munoz naive naivete
    negligee nestle nino noel nunez ole panama papier pate penelope perez peru piece pinata pique poincare
    pokemon precis protege puree quebec quebecois raison ramirez rechauffe regime rene renee resume resumes
    retrousse reunion reykjavik risque rodriguez role rontgen rosario rose roue saens sanchez sao saute
    sauteed schroder schrodinger seance senor senora skoda smorgasbord sobriquet soiree souffle soupcon suede
    tete therese touche tourism trompe tromso uber vinaigrette vis-a-vis voila zoe zurich
"""
_LOANS = frozenset(_WORDS.split())  # words that many languages write with and without their accents
_TWO_WORDS = """
    es: animo calculo calle continuo de deposito ejercito el habito limite mama mamas medico mi papa
      papas practico publica publico se si te termino transito tu vario
    it: casino da e gia la li meta ne papa papas pero principi sara se si te
    pt: avo baba coco da de duvida e fabrica forma maio medico musica pais para por publico sabia secretaria sera
    fr: cote cotes des du foret forets jeune jeunes la mat mur murs pres roder sur sure tache taches tacher
    ca: be deu dona es fora mes mon net os pel sec seu sol son te us ve venen vos
"""
"""Words without accents whose letters with an accent are another word, so common that they are listed."""
_PAIRS = {
    code: frozenset(words.split()) for code, words in re.findall(r"(\w\w): ([^:]*)(?=\s\w\w:|\Z)", _TWO_WORDS)
}

_ENDINGS = {"es": ("o", "e", "ra", "ran", "ras"), "it": ("o",)}
"""Ends of verbs whose accent is another time or person: trabajo and trabajó, parlo and parlò."""

_CARELESS = ("es", "it", "pt", "fr", "ca", "gl", "ro")  # languages that many write without any accents
_QUOTES = "\"'([{\u201c\u201e\u2018\u00ab\u00bf\u00a1"
_STOPS = ".,;:!?\"')]}\u201d\u2019\u00bb"
_SHORT = 3  # letters up to which a word alone is a syllable and no name
_OF_NOUNS = frozenset("äöü")  # letters of German, where a word alone has a capital as nouns have
_STRESS = {"GREEK": "\u0301\u0308\u0344", "CYRILLIC": "\u0300\u0301\u0308"}
"""Marks that writers of a script leave out."""

_POINTED = ("ARABIC", "HEBREW", "SYRIAC")  # scripts whose marks are all left out mostly


class Accents:
    """Tells which words differ that differ in accents alone; without the texts' language it is told from them."""

    def __init__(self, language: str | None = None) -> None:
        self._language = language
        self._languages: dict[tuple[str, ...], str] = {}

    @staticmethod
    def only(a: str, b: str) -> bool:
        """Whether two words differ in accents, and in nothing else but case."""
        here, there = _taken_apart(a.casefold()), _taken_apart(b.casefold())
        return here != there and [base for base, _ in here] == [base for base, _ in there]

    def differ(self, a: str, b: str, left: Sequence[str], right: Sequence[str]) -> bool:
        """Whether two words, stripped of what does not change their sense, are two; `left`, `right`: their texts.

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
        plain = "".join(base for base, _ in here)
        if all(not (mine and others) for _, mine, others in changed) and self._named(a, b, left, right, changed):
            return False
        return any(self._matters(*each, plain, left, right) for each in changed)

    def _named(
        self, a: str, b: str, left: Sequence[str], right: Sequence[str], changed: Sequence[tuple[str, str, str]]
    ) -> bool:
        """Whether two words are a name that English, or nothing but names, stands around: Erdoğan, Mötley Crüe."""
        if self._language and not self._language.lower().startswith("en"):
            return False
        own = {essence(word) for word in (*a.split(), *b.split())}
        names = [word.lstrip(_QUOTES) for word in (*left, *right) if essence(word) in own]
        others = [word for word in (*left, *right) if essence(word) not in own and any(map(str.isalpha, word))]
        if not names or not all(name[:1].isupper() for name in names):
            return False
        running = {word.strip(_STOPS) for word in others if word[0].islower()}
        foreign = frozenset().union(*map(small_words, LISTED)) - small_words("en")
        if not foreign.isdisjoint(essence(word) for word in others) or not all(map(str.isascii, running)):
            return False
        if running:
            return language_of(" ".join(others)) in ("", "en")
        if min(len(left), len(right)) > 1:
            return not any(word.endswith(tuple(_STOPS)) for words in (left, right) for word in words[:-1])
        letters = {unicodedata.normalize("NFC", base + (mine or others)) for base, mine, others in changed}
        return len(a) > _SHORT and letters.isdisjoint(_OF_NOUNS)

    def _matters(
        self, base: str, mine: str, others: str, plain: str, left: Sequence[str], right: Sequence[str]
    ) -> bool:
        """Whether a letter with other marks, or none, makes another word of one that is so written without any."""
        script = unicodedata.name(base, "").partition(" ")[0]
        if script in _POINTED:
            return False
        if script in _STRESS:
            return not {*mine, *others} <= {*_STRESS[script]} or (script == "CYRILLIC" and base == "\u0456")
        if script != "LATIN":
            return True
        language = self._language_of(left, right)
        if language == "it" and {mine, others} == {"\u0300", "\u0301"}:
            return False
        if (mine and others) or language in _TONES:
            return language != "en"  # who writes one accent or another there writes a foreign word
        if language not in _LETTERS and language not in ("en", "it"):
            return plain not in _LOANS
        letter = unicodedata.normalize("NFC", base + (mine or others))
        if language in _CARELESS and letter != "ñ" and _habit(left, right):
            return False
        if letter in _LETTERS.get(language, "") or plain in _PAIRS.get(language, ()):
            return True
        return plain.endswith(_ENDINGS.get(language, ())) and plain.endswith(base)

    def _language_of(self, left: Sequence[str], right: Sequence[str]) -> str:
        if self._language:
            return self._language.lower().partition("-")[0]
        key = (*left, "", *right)
        if key not in self._languages:
            self._languages[key] = language_of(f"{' '.join(left)}\n{' '.join(right)}")
        return self._languages[key]


def _habit(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether one of two texts has no accent at all where the other has several."""
    here, there = (
        sum(not word.isascii() and any(map(str.isalpha, word)) for word in words) for words in (left, right)
    )
    return min(here, there) == 0 and max(here, there) > 1


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
