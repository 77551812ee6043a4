"""Texts in a language or script that a model was not made for: their scores say nothing. Not what to do then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearsense.encoders import CrossEncoder, Encoder

__all__ = ["unfamiliar"]


def unfamiliar(
    texts: Sequence[str], encoder: Encoder | CrossEncoder, *, among: Sequence[str] | None = None
) -> list[str | None]:
    """For each text why the model cannot judge it: a language or script it was not made for. None: it can.

    Judged by each text alone and by all together: a short text that alone could be anything is Italian among
    Italian ones. Of a model that does not say for which languages it was made nothing is said.

    Args:
        texts: Strings.
        encoder: The model.
        among: All that they are some of, a corpus say; without it they are all.

    Returns:
        For each text a reason such as "this text looks Chinese; all-MiniLM-L6-v2 is English only; try ...".

    Example:
        >>> import nearsense as ns
        >>> english, chinese = unfamiliar(["Where is my parcel?", "我的包裹在哪里？"], ns.load())
        >>> english is None, chinese
        (True, 'this text looks Chinese; all-MiniLM-L6-v2 is English only;
        try paraphrase-multilingual-MiniLM-L12-v2')
    """
    languages = encoder.languages
    if not languages:
        return [None] * len(texts)
    from nearsense.encoders.languages import Finding, foreign_languages, sentence, suggestion

    reasons: dict[str, str] = {}
    found = foreign_languages(texts, languages, among=among)
    for language in {each for each in found if each}:
        better = suggestion(language, encoder.name, languages)
        reasons[language] = sentence(Finding(1.0, language, 1), encoder.name, languages, better)
    return [reasons[each] if each else None for each in found]
