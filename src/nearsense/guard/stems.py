"""A word to the stem that its inflections share, by a language's own table. Not linguistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["stemmer"]


def stemmer(table: Mapping[str, Any]) -> Callable[[str], str]:
    r"""A function that stems lower-case words by the `[stems]` of a language.

    Example:
        >>> stem = stemmer({"least": 3, "steps": "s: \ned: ing:", "doubles": True, "irregular": "buy bought"})
        >>> stem("stopped"), stem("stops"), stem("bought")
        ('stop', 'stop', 'buy')
    """
    least, doubles = int(table.get("least", 3)), bool(table.get("doubles", False))
    steps = [
        [tuple(rule.split(":")) for rule in line.split()]
        for line in str(table.get("steps", "")).strip().splitlines()
    ]

    def regular(word: str) -> str:
        for step in steps:
            for ending, instead in step:
                if word.endswith(ending) and len(word) - len(ending) >= least:
                    word = word[: len(word) - len(ending)] + instead
                    break
        if doubles and len(word) > least and word[-1] == word[-2]:
            word = word[:-1]
        return word

    lemmas: dict[str, str] = {}
    for line in (str(table.get("irregular", "")) + "\n" + str(table.get("same", ""))).splitlines():
        lemma, *forms = line.split() or [""]
        stem = lemmas.get(lemma) or regular(lemma)
        for form in (lemma, *forms):
            lemmas.setdefault(form, stem)
            lemmas.setdefault(regular(form), stem)

    def stemmed(word: str) -> str:
        found = lemmas.get(word)
        if found is None:
            found = regular(word)
            found = lemmas.get(found, found)
        return found

    return stemmed
