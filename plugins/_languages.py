"""Tells the language of a comment by its script and its commonest words: small, and silent when it is not sure.

Two steps. Most letters of one script that few languages share: that language (Greek, Hebrew, Korean, Japanese, Chinese,
Thai, Hindi; Arabic, and Russian or Ukrainian by the letters that only one of them has). Latin letters: every word that
is among the commonest of some languages is one vote, shared between them: "the" counts for English alone, "in" a
quarter each for English, German, Italian and Dutch. The language with the most votes is told when it has at least
`MINIMUM` of them, one in `SPARSE` words, and `LEAD` times as many as the next.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

from feedback_app.plugins._words import LONGEST, words

MINIMUM = 1.5  # votes
SPARSE = 12  # words for each vote, at most
LEAD = 1.5

_SCRIPTS = {  # the first word of a letter's name in Unicode → the language
    "GREEK": "el",
    "HEBREW": "he",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "THAI": "th",
    "DEVANAGARI": "hi",
    "ARABIC": "ar",
    "CYRILLIC": "ru",
}
_MOSTLY = 0.6  # of the letters
_SAMPLE = 400  # letters whose script is looked up
_UKRAINIAN, _RUSSIAN = set("іїєґ"), set("ыэё")
_PERSIAN = set("پچژگ")

_COMMON = {
    "en": """the and is it this to of a in for was i my but with are not so on have be very you that they as had would
        great good love nice perfect product me at too just these fit like from were when will all bought it's i'm
        don't loved excellent really because which than one has an if or there their been what out up only well""",
    "de": """der die das und ist nicht ich ein eine zu mit den in es sehr auf für war aber auch von im sich dem bei
        sind hat wie nur noch gut schön leider nach aus wurde habe wieder ware lieferung alles schnell mir meine
        wird als einen am zum zur oder wenn kann sie er wir kein keine mehr immer gerne qualität schlecht super""",
    "fr": """le la les et est pas je un une des de du pour que qui dans ce il elle très avec sur mais au j'ai c'est
        bien plus trop sont été cette mon ma produit bon bonne rien livraison tout nous vous ne ou comme n'est
        qualité parfait merci d'un d'une l'article en fait""",
    "es": """el la los las y es no que de un una en por para con muy me lo se pero mi más bien como todo fue buen buena
        bueno producto calidad llegó está al del su le este esta cuando muchas gracias también porque ha excelente
        recomiendo sin nada son era""",
    "it": """il la le gli e è non che di un una per con molto mi ma ho del della sono si ottimo prodotto come più
        bene anche tutto al dal alla buona buono questo questa nel qualità consegna stato stata mio perfetto in
        lo i da su perché grazie però solo""",
    "pt": """o a os as e é não que de um uma em para com muito me mas do da no na meu minha bom boa produto chegou por
        mais ao foi ótimo qualidade tudo gostei recomendo está são nem como bem quando entrega obrigado veio""",
    "nl": """de het een en is niet ik van te dat in op met voor zeer erg maar ook was zijn heb goed mooi wel heel aan
        er bij die naar om deze nog geen snel kwaliteit mijn werd prima je we meer als kan uit product""",
    "pl": """i w nie na się jest z do to że jak ale bardzo po tak co dla od ten są był była już tylko o polecam
        produkt dobry dobra jakość mi mnie szybko wszystko przez bez jestem dobrze super""",
    "sv": """och att det är en jag som på inte med för den ett av till var men har mycket bra så de om han kan från
        när min mitt vi mig också snabb leverans inget bara väldigt fin nöjd i""",
    "tr": """ve bir bu çok için ama da de ile güzel ürün değil iyi ben daha gibi kadar en olarak var yok kötü kargo
        geldi aldım tavsiye ederim teşekkürler hızlı beğendim kaliteli olan her ne""",
}  # fmt: skip


def _votes() -> dict[str, tuple[tuple[str, float], ...]]:
    known: dict[str, list[str]] = {}
    for language, common in _COMMON.items():
        for word in set(common.split()):
            known.setdefault(word, []).append(language)
    return {word: tuple((one, 1 / len(shared)) for one in shared) for word, shared in known.items()}


_VOTES = _votes()


def language_of(text: str) -> str | None:
    """Return the language as ISO 639-1, None when it is not sure."""
    return _by_script(text[:LONGEST]) or _by_words(words(text))


def _by_script(text: str) -> str | None:
    if text.isascii():
        return None
    letters = [letter for letter in text.casefold() if letter.isalpha()][:_SAMPLE]
    scripts = Counter(unicodedata.name(letter, "?").split(" ")[0].split("-")[0] for letter in letters)
    if not scripts or scripts.most_common(1)[0][0] == "LATIN":
        return None
    by_language: Counter[str] = Counter()
    for script, count in scripts.items():
        by_language[_SCRIPTS.get(script, script)] += count
    if by_language["ja"]:  # Japanese is written with Chinese characters between its own
        by_language["ja"] += by_language.pop("zh", 0)
    language, count = by_language.most_common(1)[0]
    if language not in _SCRIPTS.values() or count < _MOSTLY * len(letters):
        return None
    return _among_its_neighbours(language, set(letters))


def _among_its_neighbours(language: str, letters: set[str]) -> str | None:
    if language == "ru":
        russian, ukrainian = bool(letters & _RUSSIAN), bool(letters & _UKRAINIAN)
        return (
            None if russian == ukrainian else "ru" if russian else "uk"
        )  # neither: Bulgarian, Serbian, or too short
    if language == "ar" and letters & _PERSIAN:
        return None  # Persian or Urdu
    return language


def _by_words(found: list[str]) -> str | None:
    votes: Counter[str] = Counter()
    for word in found:
        for language, vote in _VOTES.get(word, ()):
            votes[language] += vote  # type: ignore[assignment]  # a Counter holds any numbers
    if not votes:
        return None
    (language, most), *others = votes.most_common(2)
    next_most = others[0][1] if others else 0
    sure = most >= MINIMUM and most * SPARSE >= len(found) and most >= LEAD * next_most
    return language if sure else None
