"""The commonest small words of languages in Latin letters: they tell these apart where a text is short.

No language detector: words that several languages share stand with each of them.
"""

from __future__ import annotations

import re

__all__ = ["LISTED", "small_words"]

_TABLE = """
    en: a about after all am an and any are as at be because been before being but by can could did do does for
      from get had has have he her here him his how i if in into is it its just like me more my no not of on one
      or our out over she should so some than that the their them then there these they this those to too up us
      was we were what when where which who why will with would you your
    af: die het nie is en vir van hy sy my ons jy aan dit hulle sal dat kan nou baie wat waar
    ca: el la els les de del que i en un una per amb no és més aquest aquesta com està són ha però molt ens
    cs: je se na že to si do ve za ale jsem jsou nebo jako který která co kde kdy byl bylo není má už jak
      můj pro
    da: og er det at en et den til på af med for ikke jeg har der som han hun vi du kan skal vil var hvor
      hvad fra
    de: der die das und ist nicht ich ein eine einen einem einer zu zum zur mit auf für von dem den des es
      sie er wir ihr im am sind wird werden wurde hat haben kann wie was wo wenn auch aus bei nach mein
      meine
    es: el la los las de del que y en un una por para con no es se su lo mi te me le como está son fue ha
      pero muy más cuando donde qué esta este yo tu al
    et: on ei ja see ta ma et oli ka kui mis kes kas mu sa oma aga nad selle ole
    fi: on ja ei se että hän oli minä en olen joka mutta niin mitä kun ovat tämä minun sinä voi ole missä
      kuinka
    fr: le la les de des du un une et est que qui dans pour pas sur avec il elle je vous nous ce cette sont
      au aux en ne se mon ma mes tu son sa ses plus par où comment à été
    hr: je se na da i u su za ne sam od li što kako gdje nije ali bi kao ima mi te to koji koja
    hu: a az és nem hogy van egy is ez ki volt meg csak mit de én vagy ha el kell hol mint mi nagyon
    id: yang dan di ini itu dengan untuk tidak dari ke saya ada adalah akan pada kami kita dia apa bagaimana
      sudah
    is: og að er ekki það ég í á en við sem hann þú til var um með hún hvað hvar hafa mér þetta
    it: il lo la i gli le di del della dei delle che e è in un una per con non si sono ha ho mi ti ci come
      dove al alla da dal nel nella sul sulla questo questa più anche mio mia se cosa
    lt: ir yra kad aš tai jis ne su į kaip buvo iš ar mano kur bet ji mes jūs šis už
    lv: ir un es tas ka nav uz no kas ar par viņš vai man mans bet kā tu viņa šis
    nl: de het een en van is dat niet in ik op te zijn met voor die er aan hij zij naar om wat waar hoe mijn
      ze je deze ook maar bij uit door wordt kan heeft hebben was
    no: og er det at en et den til på av med for ikke jeg har der som han hun vi du kan skal vil var hvor
      hva fra
    pl: jest nie się na to że do jak z w co jestem czy są ale dla tego po mnie mi gdzie kiedy mój moja o
      przez był
    pt: o a os as de do da dos das que e em um uma para por com não é se no na meu minha eu ele ela como
      está são foi mais mas onde ao você isso
    ro: și este nu în pe la cu o un să de din că care am mai ce sunt pentru dar eu unde cum lui mea
    sk: je sa na že to si do vo za ale som sú alebo ako ktorý čo kde kedy bol bolo nie má už môj pre
    sl: je in se na da so ne za sem v ki to bi kaj kako ali ni kje pa moj od kot
    sq: është nuk në dhe të një për me që nga jam kjo ky do si ku unë ka por
    sv: och är det att en ett den till på av med för inte jag har där som han hon vi du kan ska vill var hur
      vad från
    tl: ang ng sa na ay mga ako hindi ko siya si ito at mo kung ka naman may para
    tr: bir ve bu için ne çok ben var da de mi değil olarak nas\u0131l daha gibi kadar o en sen benim nerede ile
    vi: là và của có không tôi một này cho với được các những người trong đã bạn khi như ở thì anh nào
"""
_WORDS = {
    code: frozenset(words.split()) for code, words in re.findall(r"(\w+): ((?:(?!\w+:).)*)", _TABLE, re.DOTALL)
}

LISTED = tuple(code for code in _WORDS if code != "en")
"""The languages other than English that have a list."""


def small_words(language: str) -> frozenset[str]:
    """Those of a language, ISO 639-1; none where they are not listed.

    Example:
        >>> "nicht" in small_words("de"), small_words("xx")
        (True, frozenset())
    """
    return _WORDS.get(language, frozenset())
