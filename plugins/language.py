"""Says in which language a comment is written, without any service; says nothing when it is not sure.

Settings, `[plugins.language]`; without them the plugin is idle:

    enabled = true

Facts: `{"language": {"language": "de"}}`. It knows en, de, fr, es, it, pt, nl, pl, sv and tr by their
commonest words, and el, he, ko, ja, zh, th, hi, ar, ru and uk by their letters: see `_languages.py`.
"""

# Annotations are read at run time by pydantic, so they are not postponed here.

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from feedback_app import Analyser, Feedback, hookimpl
from feedback_app.plugins._languages import language_of


class Settings(BaseModel):
    """The table `[plugins.language]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False


class Language(Analyser):
    """Tells the language by its script or its commonest words."""

    name = "language"

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Return `{"language": "de"}`, ISO 639-1, or nothing."""
        language = language_of(feedback.comment)
        return {"language": language} if language else {}


@hookimpl
def make_analyser(settings: Settings) -> Analyser | None:
    """Return the analyser, or None where it is not enabled."""
    return Language() if settings.enabled else None
