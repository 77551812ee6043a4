"""The script and the language of a single text: ranges of code points, the commonest words, and the library."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from functools import cache

WORDS = 3  # words in small letters that a text must have: without them it is a name, a product or a title

_WORD = re.compile(
    r"(?<![\w@/.\\#$:=<>\[\](){}-])[^\W\d_]+(?:['\u2019-][^\W\d_]+)*(?=[\s,;:!?\u2026\"'\u00bb\u201d)]|\.\s|\.?\Z)"
)
_INNER_CAPITAL = re.compile(r"[^\W\d_A-Z][A-Z]")

_OTHER_CODES = {"iw": "he", "jw": "jv", "zh-Hant": "zh", "sr-ME": "sr", "nn": "no", "co": "it"}
"""Codes of the library under which models are not listed: old ones, variants, and Corsican, for which it takes
3 % of short Italian sentences."""


def guess(text: str) -> tuple[str, int]:
    """The language, ISO 639-1, that the library is sure of, else `""`, and the letters on which that rests.

    Only running words count: what holds a digit, a slash, an at sign or a capital inside is an address, code or a
    product.

    >>> guess("Wo ist bitte der nächste Bahnhof?")
    ('de', 27)
    >>> guess("Samsung Galaxy S24 Ultra")[0], guess("https://www.example.it/notizie")[0]
    ('', '')
    """
    words = [word for word in _WORD.findall(text) if not _INNER_CAPITAL.search(word)]
    letters = sum(map(len, words))
    if sum(not word[0].isupper() for word in words) < WORDS:
        return "", letters
    detect = _library()
    return (detect(" ".join(words)) if detect else ""), letters


@cache
def _library() -> Callable[[str], str] | None:
    """The library's verdict as a function; None where it is not installed. Loading takes 2 ms and 2 MB."""
    try:
        import pycld2
    except ImportError:
        return None

    def detect(words: str) -> str:
        sure, _, ((_, code, _, _), *_) = pycld2.detect(words, isPlainText=True)
        return _OTHER_CODES.get(code, code) if sure and code != "un" else ""

    return detect


_RANGES = (
    (0x0041, 0x024F, "Latin"),
    (0x0250, 0x02AF, "Latin"),
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0531, 0x058F, "Armenian"),
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x077F, "Arabic"),
    (0x08A0, 0x08FF, "Arabic"),
    (0x0900, 0x097F, "Devanagari"),
    (0x0980, 0x09FF, "Bengali"),
    (0x0A00, 0x0A7F, "Gurmukhi"),
    (0x0A80, 0x0AFF, "Gujarati"),
    (0x0B00, 0x0B7F, "Oriya"),
    (0x0B80, 0x0BFF, "Tamil"),
    (0x0C00, 0x0C7F, "Telugu"),
    (0x0C80, 0x0CFF, "Kannada"),
    (0x0D00, 0x0D7F, "Malayalam"),
    (0x0D80, 0x0DFF, "Sinhala"),
    (0x0E00, 0x0E7F, "Thai"),
    (0x0E80, 0x0EFF, "Lao"),
    (0x0F00, 0x0FFF, "Tibetan"),
    (0x1000, 0x109F, "Myanmar"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Hangul"),
    (0x1200, 0x139F, "Ethiopic"),
    (0x1780, 0x17FF, "Khmer"),
    (0x1C90, 0x1CBF, "Georgian"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "Greek"),
    (0x3040, 0x30FF, "Kana"),
    (0x3130, 0x318F, "Hangul"),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7AF, "Hangul"),
    (0xF900, 0xFAFF, "Han"),
    (0xFB1D, 0xFB4F, "Hebrew"),
    (0xFB50, 0xFDFF, "Arabic"),
    (0xFE70, 0xFEFF, "Arabic"),
    (0xFF66, 0xFF9F, "Kana"),
    (0x20000, 0x323AF, "Han"),
)
"""First and last code point of what is used in running text; letters elsewhere count for no script."""

_STARTS = tuple(first for first, _, _ in _RANGES)

LANGUAGES_OF = {
    "Greek": ("el",),
    "Cyrillic": ("ru", "uk", "bg", "sr", "be", "mk", "mn", "kk", "ky", "tg", "tt", "ba", "uz", "az", "bs"),
    "Armenian": ("hy",),
    "Hebrew": ("he", "yi"),
    "Arabic": ("ar", "fa", "ur", "ps", "sd", "ug", "ku", "ks"),
    "Devanagari": ("hi", "mr", "ne", "sa"),
    "Bengali": ("bn", "as"),
    "Gurmukhi": ("pa",),
    "Gujarati": ("gu",),
    "Oriya": ("or",),
    "Tamil": ("ta",),
    "Telugu": ("te",),
    "Kannada": ("kn",),
    "Malayalam": ("ml",),
    "Sinhala": ("si",),
    "Thai": ("th",),
    "Lao": ("lo",),
    "Tibetan": ("bo", "dz"),
    "Myanmar": ("my",),
    "Georgian": ("ka",),
    "Hangul": ("ko",),
    "Ethiopic": ("am", "ti"),
    "Khmer": ("km",),
    "Kana": ("ja",),
    "Han": ("zh", "ja"),
}
"""The languages, ISO 639-1, that are written in a script, the most likely first; Latin is written by too many."""


def main_script(text: str) -> str:
    """The script of more than half of the letters, or `""`: no letters, or no script has that many.

    A text with kana is Japanese whatever its share of Han characters. One letter of another script than Latin is a
    symbol (π, Ω), not a text.
    """
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else ""
    counts: Counter[str] = Counter()
    for character, times in Counter(text).items():
        if character.isalpha():
            counts[_script(ord(character))] += times
    if counts["Kana"]:
        counts["Kana"] += counts.pop("Han", 0)
    script, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
    enough = 2 * most > counts.total() and (most > 1 or script in ("Latin", "Han"))
    return script if enough else ""


def _script(point: int) -> str:
    place = bisect_right(_STARTS, point) - 1
    if place < 0:
        return ""
    _, last, script = _RANGES[place]
    return script if point <= last else ""


_TABLE = """
    en: a about after all am an and any are as at be because been before being but by can could did do does for
      from get had has have he her here him his how i if in into is it its just like me more my no not of on one
      or our out over she should so some than that the their them then there these they this those to too up us
      was we were what when where which who why will with would you your
    af: die het nie is en vir van hy sy my ons jy aan dit hulle sal dat kan nou baie wat waar
    ca: el la els les de del que i en un una per amb no és més aquest aquesta com està són ha però molt ens
    cs: je se na že to si do ve za ale jsem jsou nebo jako který která co kde kdy byl bylo není má už jak
      můj pro
    da: og er det at en et den til på af med for ikke jeg har der som han hun vi du kan skal vil var hvor
      hvad fra
    de: der die das und ist nicht ich ein eine einen einem einer zu zum zur mit auf für von dem den des es
      sie er wir ihr im am sind wird werden wurde hat haben kann wie was wo wenn auch aus bei nach mein
      meine
    es: el la los las de del que y en un una por para con no es se su lo mi te me le como está son fue ha
      pero muy más cuando donde qué esta este yo tu al
    et: on ei ja see ta ma et oli ka kui mis kes kas mu sa oma aga nad selle ole
    fi: on ja ei se että hän oli minä en olen joka mutta niin mitä kun ovat tämä minun sinä voi ole missä
      kuinka
    fr: le la les de des du un une et est que qui dans pour pas sur avec il elle je vous nous ce cette sont
      au aux en ne se mon ma mes tu son sa ses plus par où comment à été
    hr: je se na da i u su za ne sam od li što kako gdje nije ali bi kao ima mi te to koji koja
    hu: a az és nem hogy van egy is ez ki volt meg csak mit de én vagy ha el kell hol mint mi nagyon
    id: yang dan di ini itu dengan untuk tidak dari ke saya ada adalah akan pada kami kita dia apa bagaimana
      sudah
    is: og að er ekki það ég í á en við sem hann þú til var um með hún hvað hvar hafa mér þetta
    it: il lo la i gli le di del della dei delle che e è in un una per con non si sono ha ho mi ti ci come
      dove al alla da dal nel nella sul sulla questo questa più anche mio mia se cosa
    lt: ir yra kad aš tai jis ne su į kaip buvo iš ar mano kur bet ji mes jūs šis už
    lv: ir un es tas ka nav uz no kas ar par viņš vai man mans bet kā tu viņa šis
    nl: de het een en van is dat niet in ik op te zijn met voor die er aan hij zij naar om wat waar hoe mijn
      ze je deze ook maar bij uit door wordt kan heeft hebben was
    no: og er det at en et den til på av med for ikke jeg har der som han hun vi du kan skal vil var hvor
      hva fra
    pl: jest nie się na to że do jak z w co jestem czy są ale dla tego po mnie mi gdzie kiedy mój moja o
      przez był
    pt: o a os as de do da dos das que e em um uma para por com não é se no na meu minha eu ele ela como
      está são foi mais mas onde ao você isso
    ro: și este nu în pe la cu o un să de din că care am mai ce sunt pentru dar eu unde cum lui mea
    sk: je sa na že to si do vo za ale som sú alebo ako ktorý čo kde kedy bol bolo nie má už môj pre
    sl: je in se na da so ne za sem v ki to bi kaj kako ali ni kje pa moj od kot
    sq: është nuk në dhe të një për me që nga jam kjo ky do si ku unë ka por
    sv: och är det att en ett den till på av med för inte jag har där som han hon vi du kan ska vill var hur
      vad från
    tl: ang ng sa na ay mga ako hindi ko siya si ito at mo kung ka naman may para
    tr: bir ve bu için ne çok ben var da de mi değil olarak nas\u0131l daha gibi kadar o en sen benim nerede ile
    vi: là và của có không tôi một này cho với được các những người trong đã bạn khi như ở thì anh nào
"""
_WORDS = {
    code: frozenset(words.split()) for code, words in re.findall(r"(\w+): ((?:(?!\w+:).)*)", _TABLE, re.DOTALL)
}

LISTED = tuple(code for code in _WORDS if code != "en")  # the languages other than English that have a list


def small_words(language: str) -> frozenset[str]:
    """Those of a language, ISO 639-1; none where they are not listed."""
    return _WORDS.get(language, frozenset())
