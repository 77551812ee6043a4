"""The languages of models that know many, as ISO 639-1 codes. Not which language a text is in.

Each list is its maker's. Languages without a two-letter code are left out; where Bokmål (`nb`) is listed, so is
Norwegian (`no`).
"""

from __future__ import annotations

__all__ = [
    "ARCTIC",
    "ENGLISH",
    "GTE",
    "LABSE",
    "MMARCO",
    "PARALLEL",
    "POTION",
    "QWEN",
    "RERANKED",
    "STATIC",
    "XLM_R",
]


def _codes(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


ENGLISH = ("en",)

PARALLEL = _codes(
    "ar bg ca cs da de el en es et fa fi fr gl gu he hi hr hu hy id it ja ka ko ku lt lv mk mn mr ms my nb nl no "
    "pl pt ro ru sk sl sq sr sv th tr uk ur vi zh"
)
"""Those with parallel texts that Sentence-Transformers' multilingual models were distilled on."""

XLM_R = _codes(
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id "
    "is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my nb ne nl no om or pa pl ps pt ro ru sa sd "
    "si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)
"""Those that XLM-RoBERTa was trained on, and models that say of themselves to know the same."""

LABSE = _codes(
    "af am ar as az be bg bn bo bs ca co cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr ht hu "
    "hy id ig is it ja jv ka kk km kn ko ku ky la lb lo lt lv mg mi mk ml mn mr ms mt my ne nl no ny or pa pl pt "
    "ro ru rw si sk sl sm sn so sq sr st su sv sw ta te tg th tk tl tr tt ug uk ur uz vi wo xh yi yo zh zu"
)

GTE = _codes(
    "af ar az be bg bn ca cs cy da de el en es et eu fa fi fr gl gu he hi hr ht hu hy id is it ja jv ka kk km kn "
    "ko ky lo lt lv mk ml mn mr ms my nb ne nl nn no pa pl pt qu ro ru si sk sl sw ta te th tl tr uk ur vi yo zh"
)

ARCTIC = _codes(
    "af ar az be bg bn ca cs cy da de el en es et eu fa fi fr gl gu he hi hr ht hu hy id is it ja jv ka kk km kn "
    "ko ky lo lt lv mk ml mn mr ms my ne nl pa pl pt qu ro ru si sk sl so sq sr sv sw ta te th tl tr uk ur vi yo "
    "zh"
)

QWEN = _codes(
    "af ar as az ba be bg bn bs ca cs cy da de el en es et eu fa fi fo fr ga gl gu he hi hr ht hu hy id is it ja "
    "jv ka kk km kn ko lb li lo lt lv mk ml mr ms mt my nb ne nl nn no oc or pa pl pt ro ru sc sd si sk sl sq sr "
    "su sv sw ta te tg th tl tr tt uk ur uz vi yi zh"
)

POTION = _codes(
    "af am ar az be bg bn ca co cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi ht hu hy id ig is "
    "it ja jv ka kk km kn ko ku ky la lb lo lt lv mg mi mk ml mn mr ms mt my nb ne nl no ny pa pl ps pt ro ru sd "
    "si sk sl sm sn so sq sr st su sv sw ta te tg th tl tr uk ur uz vi xh yi yo zh zu"
)

STATIC = _codes(
    "ar bg ca cs da de el en es et fa fi fr gl gu he hi hu hy id it ja ka ko ku lt lv mk ml mn mr my nb nl no pl "
    "pt ro ru sk sl sq sr sv th tr uk ur vi zh"
)

MMARCO = _codes("ar de en es fr hi id it ja nl pt ru vi zh")
"""Those that the passages of MS MARCO were translated into."""

RERANKED = _codes(
    "ar bn da de en es fa fi fr he hi hu id it ja km ko ms nb nl no pl pt ru sv sw te th tr vi yo zh"
)
"""Those that a reranker made for many languages was evaluated on."""
