"""What columns are called: the names that are looked for first, and the words for the same in eight languages.

The words stand in names.toml, which is read where none of the names is there. Not what is in a column: see
judging.py.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, NamedTuple

TEXT_NAMES = (
    "text", "sentence", "question", "content", "body", "description", "message", "review", "comment", "title",
    "query", "passage", "document", "abstract", "summary", "subject", "utterance", "sentence1", "text1",
    "question1",
)  # fmt: skip
ID_NAMES = ("id", "_id", "uuid", "guid", "doc_id", "document_id")
PAIR_NAMES = (
    ("a", "b"), ("text1", "text2"), ("text_a", "text_b"), ("sentence1", "sentence2"), ("sentence_a", "sentence_b"),
    ("question1", "question2"), ("premise", "hypothesis"), ("query", "passage"), ("left", "right"),
)  # fmt: skip
"""What columns may be called: the first name that a table has, in any case, is taken."""

TRIPLET_NAMES = (
    ("anchor", "positive", "negative"),
    ("query", "positive", "negative"),
    ("query", "pos", "neg"),
    ("anchor", "pos", "neg"),
    ("premise", "entailment", "contradiction"),
)
QUERY_NAMES = ("query", "question", "anchor")
CANDIDATE_NAMES = ("candidates", "documents", "passages", "answers", "texts")
RIGHT_NAMES = ("labels", "relevance", "judgements", "relevant")
POSITIVE_NAMES = ("positive", "pos", "positives")
NEGATIVE_NAMES = ("negative", "neg", "negatives")
SCORE_NAMES = ("score", "similarity", "similarity_score", "relatedness", "relatedness_score", "rating", "gold")
LABEL_NAMES = (
    "label", "gold_label", "is_duplicate", "duplicate", "is_paraphrase", "paraphrase", "is_match", "match", "same",
    "nli", "entailment", "class",
)  # fmt: skip
CLASS_NAMES = ("label", "intent", "category", "class", "topic", "cluster", "target", "tag", "label_text")
QRELS_NAMES = ("rel", "relevant", "judgements", "qrels", "relevant_ids")
SPLIT_NAMES = ("split", "part", "fold", "set")
INDEX_NAMES = ("id", "_id", "uuid", "guid", "index")

FAQ_NAMES: dict[str, tuple[str, ...]] = {
    "question": ("question", "query", "text", "utterance", "phrasing", "title", "sentence"),
    "answer": ("answer", "answers", "response", "reply"),
    "phrasings": ("phrasings", "variants", "alternatives", "similar_questions"),
    "category": ("category", "topic", "section", "domain"),
    "id": ("id", "_id", "uuid", "entry", "faq_id"),
}
"""What the columns of a FAQ may be called; the first name that is there, in any case, is taken."""

FIRST: dict[str, tuple[str, ...]] = {
    "text": TEXT_NAMES,
    "id": ID_NAMES,
    "label": CLASS_NAMES,
    "truth": LABEL_NAMES,
    "score": SCORE_NAMES,
    "query": QUERY_NAMES,
    "question": FAQ_NAMES["question"],
    "answer": FAQ_NAMES["answer"],
    "phrasings": FAQ_NAMES["phrasings"],
    "heading": FAQ_NAMES["category"],
    "date": ("date",),
}
"""Each role's names in the order of preference; names.toml says what else each of them is called."""


class Called(NamedTuple):
    """How well a name fits a role: 2 as a whole, 1 by one of its words; the place of what it means in `FIRST`."""

    fit: int
    rank: int


def spelled(name: str) -> list[str]:
    """The words of a column's name: plain letters in lower case.

    Example:
        >>> spelled("reviewText"), spelled("Réponse_1"), spelled("Größe (cm)")
        (['review', 'text'], ['reponse', '1'], ['grosse', 'cm'])
    """
    apart = re.sub(r"(?<=[a-z\u00df-\u00ff])(?=[A-Z\u00c0-\u00de])", " ", name)
    plain = unicodedata.normalize("NFKD", apart.replace("ł", "l").replace("Ł", "L")).casefold()
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.findall(r"[^\W\d_]+|\d+", kept)


@cache
def _table() -> dict[str, Any]:
    import tomllib
    from pathlib import Path

    return tomllib.loads(Path(__file__).with_name("names.toml").read_text("utf-8"))


def _listed(words: str) -> list[str]:
    return [" ".join(spelled(word)) for word in words.split(",")]


@cache
def _words(role: str) -> dict[str, int]:
    """Every name of a role as it is spelled, and the place of what it means."""
    first = FIRST[role]
    found = {" ".join(spelled(name)): rank for rank, name in enumerate(first)}
    for meaning, languages in _table().get(role, {}).items():
        for words in languages.values():
            for word in _listed(words):
                found.setdefault(word, first.index(meaning))
    return found


@cache
def _aside() -> tuple[frozenset[str], frozenset[str]]:
    said = _table()["aside"]
    either = frozenset(_listed(said["either"]))
    return either, either | frozenset(_listed(said["last"]))


COMPOUND = 4
"""Letters that the end of a compound has at least: Kundenkommentar, but not every word that ends in "a"."""
SHORT = frozenset(("nr", "id"))
"""Those that may be shorter: Ticketnr."""


def called(name: str, role: str, *, by_word: bool = True) -> Called | None:
    """How a column's name fits a role; None where it does not.

    Example:
        >>> called("Kommentar", "text"), called("review_text", "text"), called("comment_id", "text")
        (Called(fit=2, rank=8), Called(fit=1, rank=0), None)
    """
    words, known = spelled(name), _words(role)
    if not words:
        return None
    for whole in (" ".join(words), " ".join(words).removesuffix("s")):
        if whole in known:
            return Called(2, known[whole])
    if not by_word or (role in ("text", "question", "answer") and says_otherwise(words)):
        return None
    ranks = [
        rank
        for word in words
        for each, rank in known.items()
        if word in (each, f"{each}s") or (word.endswith(each) and (len(each) >= COMPOUND or each in SHORT))
    ]
    return Called(1, min(ranks)) if ranks else None


def says_otherwise(words: list[str]) -> bool:
    """Whether a name says that what it names lies beside a text: comment_id, review date."""
    either, last = _aside()
    return words[0] in either or words[-1] in last


def is_known(name: str) -> bool:
    """Whether a name as a whole is one that columns have, in any role and language."""
    words = " ".join(spelled(name))
    if not words:
        return False
    others = (*QRELS_NAMES, *SPLIT_NAMES, *CANDIDATE_NAMES, *RIGHT_NAMES, *POSITIVE_NAMES, *NEGATIVE_NAMES)
    joined = name.strip().casefold()
    if joined in others or any(joined in names for names in (*PAIR_NAMES, *TRIPLET_NAMES, *FAQ_NAMES.values())):
        return True
    return words in _aside()[1] or any(words in _words(role) for role in FIRST)


def together(how: str) -> list[tuple[str, str]]:
    """Two that go together, as "endings" of names that are one but for this, or as whole "names" as spelled."""
    return [(left, right) for left, right in _table()["pairs"][how]]
