r"""Where a text may be cut: after its sentences, in any script; not a parser of language.

A sentence ends at . ! ? and the brackets and quotation marks behind it, where white space follows and what comes
next may begin one; at the full stops of other scripts everywhere; at an empty line. It does not end after "e.g.",
"Fig.", "Dr.", a single letter as in "J. Smith", or where a small letter follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(
    r"(?<![.!?\u2026])(?P<point>[.!?\u2026]++)(?P<after>[\"')\]\u00bb\u2019\u201d]*)(?=\s|$)"
    r"|[\u3002\uff01\uff1f\uff0e\u0964\u06d4\u061f]+[\u300d\u300f\u201d\u2019)\uff09]*"
    r"|\n\s*\n"
)
_WORD = re.compile(r"[\w.]*$")
_ABBREVIATIONS = (
    "al approx art bd bzw ca cf ch co corp dept dr e.g ed eds eq eqs etc evtl ex fig figs ggf hr i.e inc jr ltd"
    " max min mr mrs ms nr no nos p.ex pp prof ref refs resp sec sect sog sr st str tab u.a usw vgl vol vols vs"
    " z.b d.h a.m p.m u.s s.o s.u"
)
_SHORT = frozenset(_ABBREVIATIONS.split())


def sentence_ends(text: str) -> Iterator[int]:
    """The places after each sentence of a text, its end last; none for an empty text.

    Example:
        >>> [*sentence_ends("See Fig. 3. It rains, e.g. today. Really?")]
        [11, 33, 41]
    """
    last = 0
    for match in _END.finditer(text):
        if match["point"] is not None and not _ends(text, match):
            continue
        end = match.start() if match[0].isspace() else match.end()
        if end > last and not text[last:end].isspace():
            last = end
            yield end
    if last < len(text) and not text[last:].isspace():
        yield len(text)


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether a sentence ends at a point, a question mark and the like."""
    follows = text[match.end() : match.end() + 80].lstrip()[:1]
    if follows.islower():
        return False
    if match["point"] != "." or match["after"]:
        return True
    found = _WORD.search(text[max(0, match.start() - 24) : match.start()])
    word = found[0] if found else ""
    if len(word) == 1 and word.isalpha() and word.isupper():
        return False  # an initial
    return word.lower().lstrip(".") not in _SHORT
