"""Which encoding a text has that is not UTF-8, by the letters that it would have."""

from __future__ import annotations

_WEST = "äöüßÄÖÜéèêëàâáãåçñíìîïóòôõúùûœæøÉÈÀÂÁÃÅÇÑÍÓÕÚØÆŒ"
_EAST = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻčďěňřšťůžőűăâîșțďľĺŕČŠŽŘŮŐŰ"
_SIGNS = "€„“”\u2019\u201a\u2018«»\u2013—…°§©®¿¡`£½²³µ·№"

CANDIDATES = (
    ("cp1252", _WEST),
    ("cp1250", _EAST + "äöüßÄÖÜé"),
    ("iso-8859-2", _EAST + "äöüßÄÖÜé"),
    ("cp850", _WEST),
    ("mac-roman", _WEST),
)
"""Those in which people save tables, the more frequent first, and the letters that are then in them."""

MOST = 1 << 20


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
            if letter in letters:
                # A small letter within a word, a capital at its beginning.
                score += 1.0 if letter.islower() or not before.islower() else -0.5
            elif letter in _SIGNS:
                score += 0.6 if not (before.isalpha() and after.isalpha()) or letter in "\u2019\u2013" else -1.0
            else:
                score -= 1.0 if inside else 0.3
        if score > most:
            best, most = name, score
    return best
