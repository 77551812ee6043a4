"""Which encoding a text has that is not UTF-8, by the letters that it would have."""

from __future__ import annotations

_WEST = "äöüßÄÖÜéèêëàâáãåçñíìîïóòôõúùûœæøÉÈÀÂÁÃÅÇÑÍÓÕÚØÆŒ"
_EAST = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻčďěňřšťůžőűăâîșțďľĺŕČŠŽŘŮŐŰ"
_SIGNS = "€„“”\u2019\u201a\u2018«»\u2013—…°§©®¿¡`£½²³µ·№"

_CYRILLIC = "".join(map(chr, range(0x410, 0x450))) + "\u0401\u0451\u0404\u0454\u0406\u0456\u0407\u0457"
_GREEK = "ΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩάέήίαβγδεζηθικλμνξοπρςστυφχψωόύώ"

CANDIDATES = (
    ("cp1252", _WEST),
    ("cp1250", _EAST + "äöüßÄÖÜé"),
    ("iso-8859-2", _EAST + "äöüßÄÖÜé"),
    ("cp850", _WEST),
    ("mac-roman", _WEST),
    ("cp1251", _CYRILLIC),
    ("koi8-r", _CYRILLIC),
    ("cp866", _CYRILLIC),
    ("cp1253", _GREEK),
)
"""Those in which people save tables, the more frequent first, and the letters that are then in them."""

MOST = 1 << 20

_FREQUENT = "\u043e\u0435\u0430\u0438\u043d\u0442\u0441\u0440\u03b1\u03bf\u03b9\u03b5\u03c4\u03c3\u03bd\u03b7"
"""Letters of other scripts by which their encodings are told apart."""

_OTHER_SCRIPTS = "\u0370"
"""From here on letters are not of Latin script."""


def _is_latin(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()


def guessed(content: bytes) -> str:
    r"""The encoding in which the bytes above 127 are letters within words, and signs elsewhere.

    Example:
        >>> guessed("Größe; café".encode("cp1252")), guessed("zażółć gęślą jaźń".encode("cp1250"))
        ('cp1252', 'cp1250')
    """
    best, most = "latin-1", float("-inf")
    for name, letters in CANDIDATES:
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        score = 0.0
        for place, letter in enumerate(text):
            if letter < "\x80":
                continue
            before, after = text[place - 1 : place], text[place + 1 : place + 2]
            inside = before.isalpha() or after.isalpha()
            if letter in letters and letter >= _OTHER_SCRIPTS and (_is_latin(before) or _is_latin(after)):
                score -= 1.0  # no word is of two scripts
            elif letter in letters:
                score += 0.3 * (letter.lower() in _FREQUENT)
                # A small letter within a word, a capital at its beginning.
                first = not before.isalpha()
                score += 1.0 if letter.islower() or first else 0.7 if before.isupper() else -0.5
            elif letter in _SIGNS:
                score += 0.6 if not (before.isalpha() and after.isalpha()) or letter in "\u2019\u2013" else -1.0
            else:
                score -= 1.0 if inside else 0.3
        if score > most:
            best, most = name, score
    return best
