"""What a model sees of each word of a text: which tokens, and whether it knows them. Not what a word means."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nearsense.encoders.words import Pieces, words_of

__all__ = ["Seen", "essence", "one_sign", "seen"]

_RAISED = frozenset(("<super>", "<sub>", "<fraction>"))
_SILENT = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")
_DRAWN = {
    **dict.fromkeys("→➔➜➝➞⇒⟶⮕▸►", ">"),
    **dict.fromkeys("←⇐⟵◂◄", "<"),
    **dict.fromkeys("✓✔☑✅", "✓"),
    **dict.fromkeys("✗✘✖☒❌", "✗"),
    **dict.fromkeys("★⭐🌟", "★"),
    **dict.fromkeys("♥❤", "♥"),
    **{"≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "≠": "!=", "\u2212": "-", "\u00d7": "x", "≈": "~"},
    **dict.fromkeys("☎📞☏", "☎"),
}
_AS_DRAWN = str.maketrans(_DRAWN)

_JOINERS = "\u034f\ufe0e\ufe0f"


@dataclass(frozen=True, eq=False)
class Seen:
    """The w words of a text as a model sees them.

    Args:
        words: As they are written. What leaves no token at all is a word too.
        tokens: The token ids of each; empty where the model's normalizer leaves nothing of it.
        known: Whether the model has tokens for it: not where one is the unknown token, or where there is none.
        begin: The first word that the model reads.
        end: The one after the last: less than w where the text is longer than the model's limit.
    """

    words: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    known: tuple[bool, ...]
    begin: int
    end: int

    @cached_property
    def essences(self) -> tuple[str, ...]:
        """Each word without what does not change its sense; empty for punctuation."""
        return tuple(map(essence, self.words))

    @property
    def cut(self) -> bool:
        """Whether the model does not read all of it."""
        return self.begin > 0 or self.end < len(self.words)


def one_sign(text: str) -> str:
    """A text in which signs that are only drawn otherwise are one: → and >, ✓ and ✅, ≥ and >=."""
    return text if text.isascii() else text.translate(_AS_DRAWN)


def essence(word: str) -> str:
    """A word without what does not change its sense: case, Unicode form, punctuation, invisible characters.

    Accents stay; so do signs, emoji, characters of private use and raised digits.

    Example:
        >>> essence("«Ｗord»,"), essence("10²"), essence("e\u0301t\u00ade\u0301") == essence("été")
        ('word', '10²', True)
    """
    if word.isascii():
        return "".join(each for each in word.casefold() if each.isalnum() or each in "$+<=>^`|~")
    composed = unicodedata.normalize("NFC", one_sign(word))
    plain = "".join(
        each
        if unicodedata.decomposition(each).split(" ", 1)[0] in _RAISED
        else unicodedata.normalize("NFKC", each)
        for each in composed
    )
    return unicodedata.normalize("NFC", "".join(each for each in plain.casefold() if _speaks(each)))


def _speaks(character: str) -> bool:
    kind = unicodedata.category(character)
    if kind in _SILENT:  # the letters of regional flags are format characters
        return "\U000e0020" <= character < "\U000e007f"
    return kind[0] != "P" and character not in _JOINERS and not "\U000e0100" <= character <= "\U000e01ef"


def seen(text: str, ids: Sequence[int], pieces: Pieces, unknown: int | None, span: tuple[int, int]) -> Seen:
    """Join the tokens of a text's words, and find what of the text left no token.

    Args:
        text: What was tokenized.
        ids: Its tokens.
        pieces: Where they stand in it.
        unknown: The token that stands for what no token is known for.
        span: The first token that the model reads, and the one after the last.
    """
    owners, spans = words_of(text, pieces)
    tokens: list[list[int]] = [[] for _ in spans]
    for owner, token in zip(owners.tolist(), ids, strict=True):
        if owner >= 0:
            tokens[owner].append(token)
    first = int(pieces.starts[span[0]]) if span[0] > 0 else 0
    last = int(pieces.starts[span[1]]) if span[1] < len(ids) else len(text)
    words: list[str] = []
    of_words: list[tuple[int, ...]] = []
    known: list[bool] = []
    begin = end = at = 0
    for (start, stop), own in zip([*spans.tolist(), (len(text), len(text))], [*tokens, []], strict=True):
        found: list[tuple[int, int, str, tuple[int, ...]]] = [
            (place, place + len(word), word, ()) for place, word in _left_over(text, at, start)
        ]
        if stop > start:
            found.append((start, stop, text[start:stop], tuple(own)))
        for place, after, word, ids_ in found:
            words.append(word)
            of_words.append(ids_)
            known.append(bool(ids_) and unknown not in ids_)
            begin += place < first
            end += after <= last
        at = max(at, stop)
    return Seen(tuple(words), tuple(of_words), tuple(known), min(begin, len(words)), min(end, len(words)))


def _left_over(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The words between two words of which the tokenizer made nothing, though they say something."""
    while start < end:
        if text[start].isspace():
            start += 1
            continue
        stop = start
        while stop < end and not text[stop].isspace():
            stop += 1
        if essence(text[start:stop]):
            yield start, text[start:stop]
        start = stop
