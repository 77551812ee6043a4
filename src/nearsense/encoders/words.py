"""The words of a text: which tokens are pieces of each, and whether the model knows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


NO_WORD = -1
"""The word of tokens that are no part of the text: special ones, those of a prompt, those without a character."""

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that put no spaces between words, as the names of their characters begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Where each of a text's t tokens stands in the text; int64, shape (t,) each."""

    starts: NDArray[np.int64]  # the first character
    ends: NDArray[np.int64]  # the one after the last
    words: NDArray[np.int64]  # which of the tokenizer's words it is a piece of


def words_of(text: str, pieces: Pieces, prompt: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The word of each token, int64, shape (t,), -1 for none, and the words' characters, shape (w, 2).

    The tokenizer's words are divided further before and after punctuation, symbols, and characters of scripts that
    put no spaces between words. Marks that a tokenizer throws away belong to the character before them. Characters
    are counted from the prompt's end.

    >>> pieces = Pieces(np.array([0, 3, 5]), np.array([3, 5, 6]), np.array([0, 0, 0]))
    >>> owners, spans = words_of("lower!", pieces)
    >>> owners.tolist(), spans.tolist()
    ([0, 0, 1], [[0, 5], [5, 6]])
    """
    owners = np.full(len(pieces.starts), NO_WORD, np.int64)
    spans: list[list[int]] = []
    last = -1
    for place, (start, end, word) in enumerate(
        zip(pieces.starts.tolist(), pieces.ends.tolist(), pieces.words.tolist(), strict=True)
    ):
        start, end = _trimmed(text, max(start, prompt), end)
        if start >= end:
            continue
        if spans and word == last and _joins(text, spans[-1][1], start):
            spans[-1][1] = max(end, spans[-1][1])
        else:
            spans.append([start, end])
        owners[place], last = len(spans) - 1, word
    for place, span in enumerate(spans):
        limit = spans[place + 1][0] if place + 1 < len(spans) else len(text)
        while span[1] < limit and _is_mark(text[span[1]]):
            span[1] += 1
    return owners, np.array(spans, np.int64).reshape(-1, 2) - prompt


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without white space at either end."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _joins(text: str, end: int, start: int) -> bool:
    """Whether what ends and what starts here are parts of one word."""
    if start < end:  # several tokens of one character
        return True
    before, after = text[end - 1], text[start]
    if _is_mark(after) or ZERO_WIDTH_JOINER in (before, after):
        return True
    return all((_is_mark(each) or each.isalnum()) and not _is_unspaced(each) for each in (before, after))


def _is_mark(character: str) -> bool:
    """Whether it changes the one before: accents, vowel signs, variants and skin tones of emoji."""
    return not character.isascii() and unicodedata.category(character) in ("Mn", "Mc", "Me", "Sk")


def _is_unspaced(character: str) -> bool:
    return not character.isascii() and unicodedata.name(character, "").startswith(UNSPACED)


ZERO_WIDTH_JOINER = "\u200d"


_RAISED = frozenset(("<super>", "<sub>", "<fraction>"))
_SILENT = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")
_DRAWN = {
    **dict.fromkeys("→➔➜➝➞⇒⟶⮕▸►", ">"),
    **dict.fromkeys("←⇐⟵◂◄", "<"),
    **dict.fromkeys("✓✔☑✅", "✓"),
    **dict.fromkeys("✗✘✖☒❌", "✗"),
    **dict.fromkeys("★⭐🌟", "★"),
    **dict.fromkeys("♥❤", "♥"),
    **{"≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "\u2212": "-", "\u00d7": "x", "≈": "~"},
    **dict.fromkeys("☎📞☏", "☎"),
}
_AS_DRAWN = str.maketrans(_DRAWN)

_JOINERS = "\u034f\ufe0e\ufe0f"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The w words of a text as a model sees them."""

    words: tuple[str, ...]  # as they are written; what leaves no token at all is a word too
    tokens: tuple[tuple[int, ...], ...]  # ids; none where the model's normalizer leaves nothing of it
    known: tuple[bool, ...]  # whether the model has tokens for it, none of them the unknown one
    essences: tuple[str, ...]  # without what does not change its sense; nothing for punctuation
    begin: int  # the first word that the model reads
    end: int  # the one after the last: less than w where the text is longer than the limit

    @property
    def cut(self) -> bool:
        """Whether the model does not read all of it."""
        return self.begin > 0 or self.end < len(self.words)


def one_sign(text: str) -> str:
    """A text in which signs that are only drawn otherwise are one: → and >, ✓ and ✅, ≥ and >=, != and ≠."""
    return (text if text.isascii() else text.translate(_AS_DRAWN)).replace("!=", "≠")


def essence(word: str) -> str:
    """A word without what does not change its sense: case, Unicode form, punctuation, invisible characters.

    Accents stay; so do signs, emoji, characters of private use and raised digits.
    """
    if word.isascii() and "!=" not in word:
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


def seen_words(text: str, ids: Sequence[int], pieces: Pieces, unknown: int | None) -> Seen:
    """Join the tokens of a text's words, and find what of the text left no token."""
    owners, spans = words_of(text, pieces)
    tokens: list[list[int]] = [[] for _ in spans]
    for owner, token in zip(owners.tolist(), ids, strict=True):
        if owner >= 0:
            tokens[owner].append(token)
    found: list[tuple[str, tuple[int, ...]]] = []
    at = 0
    for (start, stop), own in zip([*spans.tolist(), (len(text), len(text))], [*tokens, []], strict=True):
        found += [(word, ()) for word in text[at:start].split() if essence(word)]
        if stop > start:
            behind = text[start - 1 : start + 1] == "!="  # which tokenizers part
            found.append((text[start - behind : stop], tuple(own)))
        at = max(at, stop)
    return Seen(
        tuple(word for word, _ in found),
        tuple(own for _, own in found),
        tuple(bool(own) and unknown not in own for _, own in found),
        tuple(essence(word) for word, _ in found),
        0,
        len(found),
    )


def join_seen(parts: Sequence[Seen], limit: int | None, *, left: bool) -> Seen:
    """The parts of one text end to end, where a model reads `limit` tokens: the first ones, or the last."""
    begin, end = 0, sum(len(part.words) for part in parts)
    if limit is not None:
        sizes = [len(tokens) for part in parts for tokens in part.tokens]
        if sum(sizes) > limit:
            room = 0
            for size in accumulate(reversed(sizes) if left else sizes):
                if size > limit:
                    break
                room += 1
            begin, end = (end - room, end) if left else (0, room)
    return Seen(
        tuple(chain.from_iterable(part.words for part in parts)),
        tuple(chain.from_iterable(part.tokens for part in parts)),
        tuple(chain.from_iterable(part.known for part in parts)),
        tuple(chain.from_iterable(part.essences for part in parts)),
        begin,
        end,
    )
