"""Which words carry the score of two texts: arithmetic on the model's own vectors, not its reasons.

Where a text's vector is a weighted sum of its tokens', a cosine is a sum too, and each word has an exact share.
Elsewhere words are only laid side by side; `Explanation.exact` says which.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.encoders import Encoder, resolve
from nearsense.records import Origin, as_json
from nearsense.text import as_texts
from nearsense.vectors.rows import ZeroRow, scale_to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders.base import TokenVectors

    Floats = NDArray[np.float64]

__all__ = ["Explanation", "Side", "Word", "explain"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of one of two texts, and what it has to do with the other."""

    text: str  # as it stands in the text: `text[start:end]` of it
    start: int
    end: int
    contribution: float  # its share of the score; below 0, it draws the texts apart
    partner: int | None  # place of the nearest word of the other text; None where that has no words
    similarity: float  # the cosine of the two words' vectors, in [-1, 1]; 0 without a partner


@dataclass(frozen=True, slots=True)
class Explanation:
    """Two texts, their score, and what share of it each word has.

    The score is taken apart twice, once by the words of each text: the contributions of a's words and
    `unexplained_a` add up to the score, and so do those of b.

    Args:
        score: Cosine similarity in [-1, 1], as `compare` gives it.
        exact: Contributions are the terms of a sum that is the score. Otherwise each word got a part of the score
            in proportion to its `similarity`: an orientation, no more.
        words_a: The words of a that the model read, in their order.
        words_b: Those of b.
        unexplained_a: What belongs to no word of a: special tokens and the model's prompt.
        unexplained_b: The same of b.
        truncated_a: Whether the model read only the head of a.
        truncated_b: The same of b.
        a: The one text.
        b: The other.
        origin: What produced this.
        probability: That the two mean the same, as `compare` gives it.
        interval: Between what that lies, nineteen times in twenty.
        differs: What differs between texts that look alike, as `compare` names it.
        unsure: Why there is no probability although a calibration is known.
        because: What made the probability other than its score alone would, in a few words.
    """

    score: float
    exact: bool
    words_a: tuple[Word, ...]
    words_b: tuple[Word, ...]
    unexplained_a: float
    unexplained_b: float
    truncated_a: bool
    truncated_b: bool
    a: str
    b: str
    origin: Origin
    probability: float | None = None
    interval: tuple[float, float] | None = None
    differs: tuple[str, ...] | None = None
    unsure: str | None = None
    because: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[Side, Side]:
        """What is known of a, and of b."""
        return (
            Side("a", self.a, self.words_a, self.words_b, self.unexplained_a, self.truncated_a),
            Side("b", self.b, self.words_b, self.words_a, self.unexplained_b, self.truncated_b),
        )

    @property
    def note(self) -> str:
        """What the contributions are, for who reads them."""
        if self.exact:
            return f"Contributions add up to the cosine by {self.origin.model}: arithmetic, no reasons."
        return f"Contributions follow the similarity of words ({self.origin.model}): no exact shares."

    def __str__(self) -> str:
        lines = [f"{self.score:.4f}  {self.note}"]
        if self.differs:
            lines.append(f"differs: {', '.join(self.differs)}")
        for side in self.sides:
            lines += [f"{side.name}: {side.text}", *_table(side)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        known = as_json(self)
        origin = known.pop("origin")
        return {**known, **origin}

    def to_html(self) -> str:
        """A page of its own: both texts, each word coloured by its contribution. No script."""
        return _PAGE.format(score=f"{self.score:.4f}", body=self._repr_html_())

    def _repr_html_(self) -> str:
        rows = "".join(_html(side) for side in self.sides)
        return f'<div style="font-family:sans-serif">{rows}<p style="opacity:.7">{_safe(self.note)}</p></div>'


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two texts of an explanation."""

    name: str  # "a" or "b"
    text: str
    words: tuple[Word, ...]
    others: tuple[Word, ...]  # the words of the other text
    unexplained: float  # what of the score belongs to no word
    truncated: bool  # whether only its head was read

    def partner(self, word: Word) -> str:
        """The word of the other text that is nearest to a word; empty where there is none."""
        return "" if word.partner is None else self.others[word.partner].text

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be known beside the words: the share of no word, and what was not read."""
        share = f"{self.unexplained:+.4f}  (special tokens)" if abs(self.unexplained) >= 0.00005 else ""
        cut = "(the rest is beyond the model's limit)" if self.truncated else ""
        return tuple(remark for remark in (share, cut) if remark)

    def stretches(self) -> Iterator[tuple[str, Word | None]]:
        """The whole text in pieces: words, and what stands between them with None."""
        end = 0
        for word in self.words:
            if word.start > end:
                yield self.text[end : word.start], None
            yield word.text, word
            end = word.end
        if end < len(self.text):
            yield self.text[end:], None

    def strength(self, word: Word) -> float:
        """A contribution against the largest of the text, in [-1, 1]."""
        largest = max(abs(each.contribution) for each in self.words)
        return word.contribution / largest if largest else 0.0


def explain(a: str, b: str, *, encoder: Encoder | str | None = None) -> Explanation:
    """Which words of two texts carry their score.

    Where the model makes a text's vector by summing its tokens' vectors (mean pooling, most models), the cosine is
    a sum over the tokens of either text, and what a word contributes is the sum over its tokens. Elsewhere the
    score is divided in proportion to how similar each word is to the nearest of the other text, as BERTScore lays
    texts side by side (Zhang et al. 2020). It is arithmetic on the model's vectors, and proves no reason: a
    token's vector holds its neighbours too. See docs/explain.md.

    Args:
        a: A text.
        b: Another.
        encoder: An Encoder or a model's name; the default model without it.

    Returns:
        Explanation; its score, probability and differences are those of `compare`.

    Raises:
        InputError: A text is empty or cannot be encoded.
        UnsupportedModel: The encoder gives vectors of whole texts only, as those of a server do.

    Warns:
        TruncationWarning: A text exceeds the model's limit; words beyond it are not explained.

    Example:
        >>> import nearsense as ns
        >>> explanation = ns.explain("A dog barks.", "The puppy is barking.")
        >>> max(explanation.words_a, key=lambda word: word.contribution).text
        'barks'
        >>> [explanation.words_b[word.partner].text for word in explanation.words_a]
        ['The', 'puppy', 'barking', '.']
    """
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.vectors.similarity import paired_cosine

    texts = [*as_texts([a], "left text", content=True), *as_texts([b], "right text", content=True)]
    found = resolve(encoder)
    left, right = found.tokens(texts)  # what cannot tell them is asked for nothing else
    vectors = found.encode(texts)
    score = float(paired_cosine(vectors.data[:1], vectors.data[1:])[0])
    similarity = similarities(left, right)
    near_a, near_b = nearest(similarity), nearest(similarity.T)
    exact = left.counts is not None and right.counts is not None
    shares_a = terms(left, right) if exact else parts(score, near_a[1])
    shares_b = terms(right, left) if exact else parts(score, near_b[1])
    origin = Origin(found.name, vectors.fingerprint)
    judged = Calibrator(Task.PARAPHRASE).judged(origin, [(texts[0], texts[1])], [score], encoder=found)
    return Explanation(
        score=score,
        exact=exact,
        words_a=_words(texts[0], left, shares_a, *near_a),
        words_b=_words(texts[1], right, shares_b, *near_b),
        unexplained_a=float(shares_a[-1]),
        unexplained_b=float(shares_b[-1]),
        truncated_a=left.truncated,
        truncated_b=right.truncated,
        a=a,
        b=b,
        origin=judged.origin,
        **next(judged.rows()),
    )


def terms(text: TokenVectors, other: TokenVectors) -> Floats:
    """The cosine of two texts as a sum over the words of the first.

    Its vector is v = sum of c t over its tokens t with their counts c, so cos(v, u) = sum of c (t . u) / |v| |u|.

    Both have counts. float64, shape (w + 1,): one term for each of w words, then that of the tokens of no word.
    """
    mine, theirs = _counted(text), _counted(other)
    direction = theirs.sum(axis=0)
    each = mine @ direction / (np.linalg.norm(mine.sum(axis=0)) * np.linalg.norm(direction))
    total = np.zeros(len(text.spans) + 1)
    np.add.at(total, text.words, each)  # -1, no word, is the last place
    return total


def parts(score: float, similarity: Floats) -> Floats:
    """A score divided among words in proportion to how similar each is to its nearest in the other text.

    A similarity below 0 counts as 0. float64, shape (w + 1,): a part for each of w words, then what is left over,
    which is the whole where there are no words.

    Example:
        >>> parts(0.6, np.array([0.9, 0.3, -0.1])).round(2).tolist()
        [0.45, 0.15, 0.0, 0.0]
    """
    if not len(similarity):
        return np.array([score])
    likeness = np.maximum(similarity, 0)
    if not likeness.any():
        likeness = np.ones_like(similarity)
    return np.append(score * likeness / likeness.sum(), 0.0)


def similarities(text: TokenVectors, other: TokenVectors) -> Floats:
    """The cosine of each of w words with each of x others, shape (w, x); 0 where a word has no direction."""
    product: Floats = _directions(text) @ _directions(other).T
    return np.clip(product, -1, 1)


def nearest(similarity: Floats) -> tuple[list[int | None], Floats]:
    """For each row the column of its largest value, and that value; None and 0 where there are no columns.

    Example:
        >>> nearest(np.array([[0.1, 0.7], [0.4, 0.2]]))
        ([1, 0], array([0.7, 0.4]))
    """
    rows, columns = similarity.shape
    if not columns:
        return [None] * rows, np.zeros(rows)
    return [*similarity.argmax(axis=1).tolist()], similarity.max(axis=1)


def _counted(text: TokenVectors) -> Floats:
    """The terms of a text's vector, one a token."""
    counted: Floats = text.vectors * np.asarray(text.counts, np.float64)[:, None]
    return counted


def _directions(text: TokenVectors) -> Floats:
    """The vectors of a text's words, of unit length; a vector of length zero stays."""
    sums = np.zeros((len(text.spans), text.vectors.shape[1]))
    known = text.words >= 0
    np.add.at(sums, text.words[known], text.vectors[known])
    return scale_to_unit(sums, 0, "words", ZeroRow.KEEP)


def _words(
    text: str, found: TokenVectors, shares: Floats, partners: list[int | None], similarity: Floats
) -> tuple[Word, ...]:
    rows = zip(found.spans.tolist(), shares[:-1].tolist(), partners, similarity.tolist(), strict=True)
    return tuple(Word(text[start:end], start, end, *others) for (start, end), *others in rows)


def _table(side: Side) -> Iterator[str]:
    """A line a word: contribution, word, its nearest and how near that is."""
    wide = max((_columns(word.text) for word in side.words), default=0)
    for word in side.words:
        padding = " " * (wide - _columns(word.text))
        line = f"  {word.contribution:+.4f}  {word.text}{padding}  {word.similarity:.2f} {side.partner(word)}"
        yield line.rstrip()
    yield from (f"  {remark}" for remark in side.remarks)


def _columns(text: str) -> int:
    """Columns of a terminal that a text takes."""
    widths = {"W": 2, "F": 2}
    return sum(widths.get(unicodedata.east_asian_width(c), 1) for c in text if not unicodedata.combining(c))


def _html(side: Side) -> str:
    """A text, each word on its colour: blue draws the texts together, orange apart."""
    body = "".join(
        _safe(piece) if word is None else _MARK.format(
            colour="33,118,199" if word.contribution >= 0 else "230,119,0",
            strength=f"{0.6 * abs(side.strength(word)):.2f}",
            title=_safe(f"{word.contribution:+.4f}; nearest: {side.partner(word)} ({word.similarity:.2f})"),
            text=_safe(piece),
        )
        for piece, word in side.stretches()
    )  # fmt: skip
    rest = "".join(f'<small style="opacity:.7"> {_safe(remark)}</small>' for remark in side.remarks)
    return f'<p style="line-height:1.8"><bdi style="white-space:pre-wrap">{body}</bdi>{rest}</p>'


def _safe(text: str) -> str:
    """A text that is only text on a page, without control characters."""
    from html import escape

    return escape("".join("\ufffd" if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text))


_MARK = '<span style="background:rgba({colour},{strength});border-radius:3px" title="{title}">{text}</span>'

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{score} - nearsense explain</title></head>
<body style="max-width:50em;margin:2em auto">
<h1 style="font:1.6em sans-serif">{score}</h1>
{body}
</body>
</html>
"""
