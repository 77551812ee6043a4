"""What texts from the web hold beside their words: tags and entities, links, quoted mail. Found, and taken out.

Not documents: a page, a mail with its parts. These are texts in which some markup was left, so what is not surely
markup stays: "a <b and c> d", `List<String>`, "Dear <name>", "AT&T".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import unescape

from nearsense.records import parse, percent


class Markup(StrEnum):
    """What can be taken out of a text."""

    HTML = "html"  # tags, comments, scripts; entities become the characters that they stand for
    URLS = "urls"  # links and addresses of mail
    QUOTES = "quotes"  # what a mail repeats of the one before


EVERY = tuple(Markup)
NONE = "none"

NOTICED = 0.05
"""The share of texts with markup above which it is worth a line."""

SAMPLE = 2_000  # texts that are looked at, spread evenly over all


def parse_markup(kinds: str | Iterable[str]) -> tuple[Markup, ...]:
    """The kinds in "html,urls", or in a list of names; "none" and an empty list are no kind.

    Raises:
        InputError: A kind is not known.

    Example:
        >>> parse_markup("urls, html")
        (<Markup.HTML: 'html'>, <Markup.URLS: 'urls'>)
    """
    names = kinds.split(",") if isinstance(kinds, str) else list(kinds)
    names = [name.strip() for name in names if name.strip() and name.strip() != NONE]
    chosen = {parse(Markup, name, name="strip") for name in names}
    return tuple(kind for kind in Markup if kind in chosen)


def strip_markup(text: str, kinds: str | Iterable[str] = EVERY) -> str:
    r"""A text without what it holds beside its words; as it is where it holds none of that, or nothing else.

    Args:
        text: The text.
        kinds: Of "html", "urls", "quotes".

    Raises:
        InputError: A kind is not known.

    Example:
        >>> strip_markup("See <b>https://example.org/a?b=1</b> &amp; reply")
        'See & reply'
        >>> strip_markup("Thanks!\n\nOn Mon, Ann <ann@example.org> wrote:\n> Is it ready?", "quotes")
        'Thanks!'
        >>> strip_markup("List<String> of R&D, 1 < 2")
        'List<String> of R&D, 1 < 2'
    """
    return _stripped(text, parse_markup(kinds)) or text


def words_alone(texts: Iterable[str], kinds: Sequence[Markup] = EVERY) -> list[str]:
    """Each text without markup of these kinds, as `strip_markup` does, but empty where there was nothing else."""
    return [_stripped(text, kinds) for text in texts]


def _stripped(text: str, kinds: Sequence[Markup]) -> str:
    left = text
    if Markup.HTML in kinds:
        left = _without_html(left)
    if Markup.QUOTES in kinds:
        left = _without_quotes(left)
    if Markup.URLS in kinds:
        left = _without_urls(left)
    if left is text or left == text:
        return text
    return _EMPTY_LINES.sub("\n\n", _ENDS.sub("\n", _SPACES.sub(" ", left))).strip()


@dataclass(frozen=True, slots=True)
class Found:
    """How many of n texts hold markup, of any kind and of each; where there are many, of a sample."""

    texts: int  # all there are
    looked_at: int
    any: int
    each: dict[Markup, int]

    def __str__(self) -> str:
        """What is told of it, with the option that takes it out."""
        said = {Markup.HTML: "tags or entities", Markup.URLS: "links", Markup.QUOTES: "quoted mail"}
        kinds = [kind for kind, count in self.each.items() if count]
        if self.looked_at == self.texts:
            many = f"{self.any:,} of {self.texts:,} texts hold"
            parts = [f"{said[kind]} ({self.each[kind]:,})" for kind in kinds]
        else:
            many = f"about {percent(self.any / self.looked_at)} of {self.texts:,} texts hold"
            parts = [said[kind] for kind in kinds]
        return f"{many} {', '.join(parts)}; --strip {','.join(kinds)} takes that out, --strip none keeps it unsaid"


def find_markup(texts: Sequence[str]) -> Found | None:
    """How much markup texts hold; None where it is a twentieth of them or less."""
    step = max(1, -(-len(texts) // SAMPLE))
    sample = texts[::step]
    each = dict.fromkeys(Markup, 0)
    any_ = 0
    for text in sample:
        held = [kind for kind in Markup if _stripped(text, (kind,)) != text]
        any_ += bool(held)
        for kind in held:
            each[kind] += 1
    return Found(len(texts), len(sample), any_, each) if any_ > NOTICED * len(sample) else None


_SPACES = re.compile(r"[ \t\u00a0]{2,}")
_ENDS = re.compile(r" ?\n ?")
_EMPTY_LINES = re.compile(r"\n{3,}")


# Tags and entities

_NAME = re.compile(r"\S+")

_BLOCKS = frozenset(
    _NAME.findall(
        "address article aside blockquote body br caption center dd details dialog dir div dl doctype dt fieldset "
        "figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe legend li link "
        "main menu meta nav noframes noscript o:p object ol optgroup option p pre section select summary table "
        "tbody td template textarea tfoot th thead title tr ul"
    )
)
"""Elements of HTML that part the words around them."""

_INLINE = frozenset(
    _NAME.findall(
        "a abbr acronym applet area audio b base basefont bdi bdo big button canvas cite code col colgroup data "
        "datalist del dfn em embed font i img input ins kbd label map mark meter nobr output param picture "
        "progress q rp rt ruby s samp small source span strike strong sub sup svg time track tt u var video wbr"
    )
)

_TAG = re.compile(
    r"""<(?:/|!(?=doctype))?([a-z][a-z0-9]*(?::p)?)  # the name
    (\s(?:[^<>"']|"[^"]{0,500}"|'[^']{0,500}')*+)?/?>""",
    re.IGNORECASE | re.VERBOSE,
)
_SPANS = tuple(
    (re.compile(begin, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for begin, end in (
        ("<!--", "-->"),
        (r"<script\b[^<>]{0,500}>", r"</script\s*>"),
        (r"<style\b[^<>]{0,500}>", r"</style\s*>"),
        (r"<\?(?:xml|php)\b", r"\?>"),
    )
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_TORN = re.compile(r"(?<![&\w])(?:#(?:3[4689]|6[02]|9[1-3])|quot|amp|nbsp|apos|lt|gt);")
"""Entities of feeds that lost their ampersand."""

_BARE = re.compile(r"\blt(?:\s+[^\s<>]+){0,24}?\s+gt\b|\b(?:quot|nbsp)\b")
"""A tag whose signs were taken for punctuation and left out: "lt href http example fullquote gt"."""


def _without_html(text: str) -> str:
    if "&" in text or ";" in text:
        text = _TORN.sub(
            lambda match: _character(f"&{match[0]}"), _ENTITY.sub(lambda match: _character(match[0]), text)
        )
    if "<" in text and ">" in text:
        if "<![CDATA[" in text:
            text = text.replace("<![CDATA[", " ").replace("]]>", " ")
        for begin, end in _SPANS:
            text = _without_spans(text, begin, end)
        text = _TAG.sub(_tag, text)
    return _BARE.sub(" ", text) if "lt " in text or "quot" in text or "nbsp" in text else text


def _character(entity: str) -> str:
    """What an entity stands for; itself where it is none ("&notit;")."""
    found = unescape(entity)
    return entity if found.endswith(";") and len(found) > 1 else found.replace("\u00a0", " ")


def _tag(match: re.Match[str]) -> str:
    name, inside = match[1].lower(), (match[2] or "").strip(" /\t\r\n")
    if inside and "=" not in inside and name != "doctype":
        return match[0]  # "a <b and c> d"
    return "\n" if name in _BLOCKS else "" if name in _INLINE else match[0]


def _without_spans(text: str, begin: re.Pattern[str], end: re.Pattern[str]) -> str:
    """A text without what lies from each beginning to the next end; a beginning without an end stays."""
    parts, at = [], 0
    while (start := begin.search(text, at)) and (stop := end.search(text, start.end())):
        parts.append(text[at : start.start()])
        at = stop.end()
    return " ".join([*parts, text[at:]]) if parts else text


# Links

_WORDED = re.compile(
    r"!?\[([^\[\]\n]{0,500})\]\(\s?(?:https?://|www\.|mailto:|/)[^()\s]*(?:\([^()\s]*\))?[^()\s]*\s?\)"
)
"""A link of Markdown, whose words stay."""

_URL = re.compile(
    r"""<?(?:\b(?:https?|ftp)://|\bwww\.|\bmailto:)[^\s<>"\u201c\u201d]*[^\s<>"\u201c\u201d.,;:!?)\]}'\u2019]>?
    |\b(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,12}/[^\s<>"]*[^\s<>".,;:!?)\]}']   # example.org/page
    |<?[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,4}[a-z]{2,12}\b>?""",
    re.IGNORECASE | re.VERBOSE,
)

_BARE_URL = re.compile(
    r"\b(?:https?\s+(?:www\s+)?|www\s+)(?:[\w-]+\s+){1,3}?(?:com|org|net|edu|gov|uk)\b"
    r"(?:(?:\s+\w+){0,4}?\s+(?:html?|aspx?|php|jsp|jhtml)\b)?",
    re.IGNORECASE,
)
"""A link whose signs were taken for punctuation and left out: "http www example com news html"."""


def _without_urls(text: str) -> str:
    if "](" in text:
        text = _WORDED.sub(r"\1", text)
    if "/" in text or "@" in text or "www." in text or "mailto:" in text:
        text = _URL.sub(" ", text)
    return _BARE_URL.sub(" ", text) if "http" in text or "www " in text else text


# Quoted mail

_QUOTED = re.compile(r"^[ \t]{0,3}>.*(?:\n|\Z)", re.MULTILINE)
_ATTRIBUTION = re.compile(
    r"^[ \t]*(?:On|Am|Le|El|Il|Op|Em)\b[^\n]{4,200}(?:\n[^\n]{1,200})?"
    r"(?:wrote|schrieb[^:\n]{0,80}|a écrit|escribió|ha scritto|schreef[^:\n]{0,80}|escreveu)\s?:[ \t]*(?:\n|\Z)",
    re.MULTILINE,
)
"""The line above what is repeated: "On Monday, Ann wrote:"."""

_HEADER = (
    r"[ \t]*\*?(?:From|Sent|Date|To|Cc|Subject|Von|Gesendet|Datum|An|Betreff|De|Envoyé|À|Objet|Enviado|Fecha|Para|"
    r"Asunto|Da|Inviato|Data|A|Oggetto|Van|Verzonden|Aan|Onderwerp|Assunto)[ \u00a0]?:\*?[ \t][^\n]*\n"
)
_REPEATED = re.compile(
    rf"^(?:[ \t]*(?:-{{3,}}[^\n-]{{3,60}}-{{3,}}|_{{10,}})[ \t]*\n+(?={_HEADER})|(?:{_HEADER}){{3}})", re.MULTILINE
)
"""Where a mail begins that is repeated below: a ruled line before a header, or three lines of a header."""


def _without_quotes(text: str) -> str:
    repeated = _REPEATED.search(text + "\n") if "\n" in text else None
    if repeated is not None and text[: repeated.start()].strip():
        text = text[: repeated.start()]
    if ">" in text:
        quoted = _QUOTED.search(text) is not None
        text = _QUOTED.sub("", text) if quoted else text
        return _ATTRIBUTION.sub("", text) if quoted else _cut_at_attribution(text)
    return _cut_at_attribution(text) if ":" in text and "\n" in text else text


def _cut_at_attribution(text: str) -> str:
    """Without signs before its lines, what is repeated is all that follows; something has to stand above."""
    found = _ATTRIBUTION.search(text)
    return text[: found.start()] if found is not None and text[: found.start()].strip() else text
