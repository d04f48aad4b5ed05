"""Flags ratings that disagree with their words: five stars and anger, one star and praise. They are often slips.

Settings, `[plugins.disagreement]`; without them the plugin is idle. `languages` switches it on, the rest may be left
out:

    languages = ["en", "de"]    # whose lists below are looked up; [] for your own words alone
    high = 5                    # a rating from here on disagrees with anger
    low = 1                     # a rating up to here disagrees with praise
    praise = ["ace"]            # more words of your own
    anger = ["rubbish"]
    ignore = ["sick"]           # words of the lists that mean something else with you

Facts: `{"disagreement": {"disagrees": true, "words": ["terrible"]}}`, and none for all others.

A word counts unless one of the three before it turns it round ("not bad", "nie schlecht"). The rating is flagged when
the comment has words that speak against it and not one that speaks for it: "I feared it would be terrible, it is
wonderful" is none. Who is angry often praises something first, so praise disagrees with a low rating only where nothing
in the comment limits it: "lovely colour, but it tore" is none.
"""

# Annotations are read at run time by pydantic, so they are not postponed here.

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from feedback_app import Analyser, Feedback, hookimpl
from feedback_app.plugins._words import words

_REACH = 3  # words before a word that may turn it round
_SHOWN = 10  # words in the facts

# Strong words only, whose meaning hardly depends on what is rated: not "cheap", "small", "loose", "hot".
_PRAISE = {
    "en": """amazing awesome beautiful beautifully best brilliant delighted excellent exceptional fabulous fantastic
        flawless gorgeous great happy impressed incredible love loved lovely loves outstanding perfect perfectly
        recommend stunning superb wonderful""",
    "de": """ausgezeichnet begeistert begeisternd bestens beste bester brillant empfehlen empfehlenswert exzellent
        fantastisch genial glücklich großartig hervorragend klasse liebe perfekt perfekte perfekter prima spitze
        super tadellos toll tolle toller traumhaft wunderbar wunderschön zufrieden""",
}
_ANGER = {
    "en": """angry appalling atrocious awful broke broken defective disappointed disappointing disappointment
        disgusting dreadful faulty fraud furious garbage hate hated horrible junk lousy nightmare pathetic refund
        returning ridiculous rubbish ruined scam terrible terribly trash unacceptable unusable useless worst
        worthless""",
    "de": """abzocke ärgerlich beschissen betrug defekt enttäuscht enttäuschend enttäuschung entsetzlich fehlerhaft
        frechheit furchtbar grauenhaft grauenvoll inakzeptabel kaputt katastrophal katastrophe mangelhaft mies miese
        mieser miserabel müll nutzlos reklamation schlecht schlechte schlechter schrecklich schrott unbrauchbar
        unverschämt unverschämtheit unzufrieden verärgert wertlos wütend""",
}
_TURNED = {
    "en": """not no never none neither nor without hardly isn't wasn't aren't weren't don't doesn't didn't won't
        wouldn't can't couldn't ain't nothing less""",
    "de": "nicht kein keine keinen keiner keinem nie niemals ohne weder kaum nichts weniger",
}


_LIMITED = {
    "en": """but however although though until unfortunately sadly except wanted hoped expected expecting looked
        looks look supposed idea would could should if too only just back return returned were was had
        poor poorly bad cheap cheaply large small big huge tight short""",
    "de": """aber jedoch obwohl leider bis außer nur zu wollte hoffte erwartet sollte hätte wäre wenn zurück
        zurückgeschickt billig klein groß eng kurz dachte eigentlich""",
}


def _is_a_word(text: str) -> str:
    if len(words(text)) != 1:
        raise ValueError("must be one word")
    return words(text)[0]


Word = Annotated[str, Field(max_length=100), AfterValidator(_is_a_word)]
Words = Annotated[list[Word], Field(max_length=1000)]


class Settings(BaseModel):
    """The table `[plugins.disagreement]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: list[Literal["en", "de"]]
    high: float = 5
    low: float = 1
    praise: Words = []
    anger: Words = []
    ignore: Words = []

    @model_validator(mode="after")
    def _fits(self) -> "Settings":
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Disagreement(Analyser):
    """Looks the words up."""

    name = "disagreement"

    def __init__(self, settings: Settings) -> None:
        left_out = set(settings.ignore)
        self._low, self._high = settings.low, settings.high
        self._praise = {*_of(_PRAISE, settings.languages), *settings.praise} - left_out
        self._anger = {*_of(_ANGER, settings.languages), *settings.anger} - left_out
        self._turned = set(_of(_TURNED, settings.languages))
        self._limited = self._turned | set(_of(_LIMITED, settings.languages))

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Return `{"disagrees": True, "words": [...]}`, in alphabetical order, or nothing."""
        is_high = feedback.rating >= self._high
        if not is_high and feedback.rating > self._low:
            return {}
        comment = words(feedback.comment)
        if not is_high and not self._limited.isdisjoint(comment):
            return {}
        against, for_it = (self._anger, self._praise) if is_high else (self._praise, self._anger)
        said = set(self._meant(comment, against | for_it))
        found = sorted(said & against)
        return {"disagrees": True, "words": found[:_SHOWN]} if found and not said & for_it else {}

    def _meant(self, found: Sequence[str], known: set[str]) -> Iterator[str]:
        """Yield the known words that nothing turns round."""
        for at, word in enumerate(found):
            if word in known and self._turned.isdisjoint(found[max(at - _REACH, 0) : at]):
                yield word


def _of(lists: Mapping[str, str], languages: Sequence[str]) -> list[str]:
    return [word for language in languages for word in words(lists[language])]


@hookimpl
def make_analyser(settings: Settings) -> Analyser:
    """Return the analyser."""
    return Disagreement(settings)
