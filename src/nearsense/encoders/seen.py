"""What a model sees of each word of a text: which tokens, and whether it knows them. Not what a word means."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from nearsense.encoders.words import Pieces, words_of

__all__ = ["Seen", "essence", "joined", "one_sign", "seen"]

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
    """The w words of a text as a model sees them.

    Args:
        words: As they are written. What leaves no token at all is a word too.
        tokens: The token ids of each; empty where the model's normalizer leaves nothing of it.
        known: Whether the model has tokens for it: not where one is the unknown token, or where there is none.
        essences: Each without what does not change its sense; empty for punctuation.
        begin: The first word that the model reads.
        end: The one after the last: less than w where the text is longer than the model's limit.
    """

    words: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    known: tuple[bool, ...]
    essences: tuple[str, ...]
    begin: int
    end: int

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

    Example:
        >>> essence("«Ｗord»,"), essence("10²"), essence("e\u0301t\u00ade\u0301") == essence("été")
        ('word', '10²', True)
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


def seen(text: str, ids: Sequence[int], pieces: Pieces, unknown: int | None) -> Seen:
    """Join the tokens of a text's words, and find what of the text left no token.

    Args:
        text: What was tokenized.
        ids: Its tokens.
        pieces: Where they stand in it.
        unknown: The token that stands for what no token is known for.
    """
    owners, spans = words_of(text, pieces)
    tokens: list[list[int]] = [[] for _ in spans]
    for owner, token in zip(owners.tolist(), ids, strict=True):
        if owner >= 0:
            tokens[owner].append(token)
    found: list[tuple[str, tuple[int, ...]]] = []
    at = 0
    for (start, stop), own in zip([*spans.tolist(), (len(text), len(text))], [*tokens, []], strict=True):
        found += [(word, ()) for word in _left_over(text, at, start)]
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


def joined(parts: Sequence[Seen], limit: int | None, *, left: bool) -> Seen:
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


def _left_over(text: str, start: int, end: int) -> Iterator[str]:
    """The words between two words of which the tokenizer made nothing, though they say something."""
    return (word for word in text[start:end].split() if essence(word))
