"""Options that say with which sample data a message is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from feedback_app.errors import UsageError

if TYPE_CHECKING:
    from feedback_app.settings import Settings


class Locale(click.ParamType[str]):
    """A language, as a customer has it."""

    name = "locale"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the tag in its usual form, or refuse what is none."""
        from feedback_app.intake import contact

        try:
            return contact.locale(str(value))
        except ValueError as problem:
            self.fail(f"{str(value)[:40]!r}: {problem}", param, ctx)


rating_option = click.option(
    "--rating", metavar="N", help="How many stars; the highest, for an apology the lowest."
)
locale_option = click.option("--locale", type=Locale(), help="The customer's language, such as de-AT.")


def sample_rating(given: str | None, settings: Settings, *, default: str) -> float:
    """Return the rating that was asked for, else the one that leads to `default`. Raises UsageError."""
    from feedback_app.intake.scale import Scale

    rating = settings.rating
    if given is None:
        return rating.minimum if default == "apology" else rating.maximum
    scale = Scale(minimum=rating.minimum, maximum=rating.maximum, step=rating.step)
    try:
        return scale.parse(given)
    except ValueError as problem:
        raise UsageError(f"--rating {given[:40]}: {problem}") from None
