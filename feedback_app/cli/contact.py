"""Customers' data as a person types it: judged by the rules of the intake, but a bad value is an error here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from feedback_app.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from feedback_app.cli.context import Program
    from feedback_app.model import Customer

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS = (
    click.option("--name", help="How the customer is called in messages."),
    click.option("--email", help="One plain address."),
    click.option("--phone", help="E.164, such as +4915112345678."),
    click.option("--preferred-channel", metavar="CHANNEL[,CHANNEL]", help="In the customer's order."),
    click.option("--locale", help="BCP 47, such as de-AT."),
    click.option("--timezone", help="IANA, such as Europe/Vienna."),
)


def contact_options(command: Command) -> Command:
    """Add an option for each contact field, named as in files."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def contact_rules() -> dict[str, Callable[[object], object]]:
    """Return what judges each contact field."""
    from feedback_app.intake.contact import CONTACT_FIELDS, contact_value

    return {field: partial(contact_value, field) for field in CONTACT_FIELDS}


def judged(values: Mapping[str, object], rules: Mapping[str, Callable[[object], object]]) -> dict[str, Any]:
    """Return what is kept of each value that was given. Raises BadData with a line for each bad one."""
    kept: dict[str, Any] = {}
    problems = []
    for field, value in values.items():
        if value is None:
            continue
        try:
            kept[field] = rules[field](value)
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise BadData("\n".join(problems))
    return kept


def customer_of(customer_id: str, kept: Mapping[str, Any]) -> Customer:
    """Return the customer made of judged contact fields; other fields are passed over."""
    from feedback_app.intake.contact import CONTACT_FIELDS
    from feedback_app.model import Customer

    known = {field: kept[field] for field in CONTACT_FIELDS if kept.get(field) is not None}
    channels = known.pop("preferred_channel", ())
    return Customer(id=customer_id, preferred_channels=channels, **known)


def warn_of_unserved(program: Program, channels: Iterable[str]) -> None:
    """Say which channels no installed plugin serves; they are kept, for a plugin may come later."""
    wanted = set(channels)
    if not wanted:
        return
    from feedback_app.plugin_host import PluginHost

    served = PluginHost.load(program.settings()).notifiers
    for channel in sorted(wanted - served.keys()):
        there_are = ", ".join(sorted(served)) or "none"
        click.echo(
            f"warning: no installed plugin serves the channel {channel!r}; it is kept (there are: {there_are})",
            err=True,
        )
