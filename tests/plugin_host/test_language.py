"""The shipped analyser that tells languages: right, or silent."""

from __future__ import annotations

import csv
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app import Feedback
from feedback_app.plugins._languages import language_of
from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

FILE = Path(__file__).parents[2] / "plugins" / "language.py"

SAID = {
    "en": ["The umbrella is great and it arrived on time.", "Not what I expected, the colour was wrong.", "I love it"],
    "de": ["Der Schirm ist sehr gut, aber die Lieferung war zu spät.", "Bin sehr zufrieden mit der Ware"],
    "fr": ["Le parapluie est très bien mais la livraison était en retard.", "Je ne suis pas contente du tout."],
    "es": ["El paraguas es muy bueno pero llegó tarde.", "No me gusta, la calidad es mala para el precio."],
    "it": ["L'ombrello è molto bello ma la consegna non era puntuale.", "Non sono contenta della qualità."],
    "pt": ["O guarda-chuva é muito bom mas chegou com atraso.", "Não gostei da qualidade, não recomendo."],
    "nl": ["De paraplu is heel goed maar het was te laat.", "Ik ben niet tevreden met de kwaliteit."],
    "pl": ["Parasol jest bardzo dobry, ale przesyłka była za późno.", "Nie polecam, to nie jest dobra jakość."],
    "sv": ["Paraplyet är mycket bra men det kom för sent.", "Jag är inte nöjd med kvaliteten."],
    "tr": ["Şemsiye çok güzel ama kargo geç geldi.", "Bu ürün hiç iyi değil, tavsiye etmem."],
    "el": ["Πολύ καλή ομπρέλα, αλλά άργησε."],
    "he": ["מטרייה טובה מאוד"],
    "ko": ["우산이 아주 좋아요"],
    "ja": ["とても良い傘です。配送も早い。"],
    "zh": ["雨伞很好，但是太贵了。"],
    "th": ["ร่มดีมาก"],
    "hi": ["छाता बहुत अच्छा है"],
    "ar": ["المظلة جيدة جدا"],
    "ru": ["Очень хороший зонт, но привезли поздно, и это был не тот цвет, который мы выбрали"],
    "uk": ["Дуже гарна парасолька, але її привезли пізно"],
}  # fmt: skip
UNSURE = [
    "", " ", "👍👍👍", "5/5", "ok", "Super!", "Perfekt", "Umbrella", "42 € \ud83d \x00", "x" * 50_000,
    "Regenschirm Umbrella Parapluie Paraguas", "چتر خوبی است", "Ѐ Ѝ",
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text"), [(language, text) for language, texts in SAID.items() for text in texts]
)
def test_sentences_are_told(language: str, text: str) -> None:
    """Of the authors' own making, also in capitals."""
    assert language_of(text) == language
    assert language_of(text.upper()) == language


@pytest.mark.parametrize("text", UNSURE)
def test_it_is_silent_when_it_is_not_sure(text: str) -> None:
    """A name, a word that many languages share, several languages at once, a language that it does not know."""
    assert language_of(text) is None


@pytest.mark.parametrize("text", ["the und " * 200_000, "は" * 1_000_000, "x" * 1_000_000, "ы" * 1_000_000])
def test_a_huge_comment_does_not_hold_others_up(text: str) -> None:
    """A megabyte takes less than 50 ms."""
    started = time.process_time()
    language_of(text)
    assert time.process_time() - started < 0.05


def test_real_reviews_are_told_as_the_page_says(shared_data: Path) -> None:
    """More than 99 in 100 of some ten thousand, and none wrong."""
    with (shared_data / "womens_clothing_reviews.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["Review Text"] for row in csv.DictReader(file) if row["Review Text"]]
    told = Counter(map(language_of, texts))
    assert told.keys() <= {"en", None}
    assert told["en"] > 0.99 * len(texts)


async def test_it_is_idle_until_it_is_enabled(place: Place) -> None:
    """Then it tells a fact, or nothing."""
    place.write("language.py", FILE.read_text("utf-8"))
    assert info(place.load(), "language").state == "idle"

    [analyser] = [one for _, one in place.load("[plugins.language]\nenabled = true").analysers]
    assert await analyser.analyse(Feedback(rating=1, comment=SAID["de"][0])) == {"language": "de"}
    assert await analyser.analyse(Feedback(rating=1, comment="ok")) == {}
