"""`feedback-app customers`: whom to thank and by which channel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli.contact import contact_options, contact_rules, customer_of, judged, warn_of_unserved
from feedback_app.cli.context import echo_json, iso, json_option, limit_option
from feedback_app.cli.importing import Kind, Request, import_options, run_import
from feedback_app.cli.paging import Form, echo_facts, print_rows
from feedback_app.cli.typed import NAME
from feedback_app.errors import NotFound

if TYPE_CHECKING:
    from feedback_app.cli.context import Program
    from feedback_app.intake.importing import Tally
    from feedback_app.intake.records import IncomingCustomer
    from feedback_app.model import Milliseconds
    from feedback_app.store.customers import StoredCustomer


@click.group()
def group() -> None:
    """Tell the ledger of customers, look at them, and opt them out and in."""


@group.command()
@click.option("--id", "customer_id", required=True, help="The customer's id, as ratings name it.")
@contact_options
@click.pass_obj
def add(program: Program, /, customer_id: str, **contact: str | None) -> None:
    """Add a customer or update one; what is not given stays as it is."""
    from feedback_app.clock import now_ms
    from feedback_app.store import customers

    rules = {"id": _needed_id, **contact_rules()}
    kept = judged({"id": customer_id, **contact}, rules)
    customer = customer_of(kept["id"], kept)
    existed = program.with_store(
        lambda store: store.write(partial(customers.put, customers=[customer], now=now_ms()))
    )
    click.echo(f"{'updated' if existed else 'added'} {customer.id}")
    warn_of_unserved(program, customer.preferred_channels)


def _needed_id(value: object) -> str:
    from feedback_app.intake import fields

    customer_id = fields.identifier("id", value)
    if customer_id is None:
        raise ValueError("id is missing")
    return customer_id


@group.command(name="import")
@import_options
@click.pass_obj
def import_(program: Program, request: Request) -> int:
    """Add and update customers from a CSV, TSV or JSON lines FILE; - is standard input.

    Fields are id, name, email, phone, preferred_channel, locale and timezone; a column with a field's name is
    that field. Blanks never overwrite what is known. Rows without an id are refused; the exit code is then 65.
    """
    from feedback_app.intake.customers import CUSTOMERS, read_customers
    from feedback_app.intake.importing import import_customers

    kind: Kind[IncomingCustomer] = Kind(
        wanted=CUSTOMERS,
        read=read_customers,
        store=import_customers,
        contact=lambda record: record.customer,
        counts=_counts,
    )
    return run_import(program, request, kind)


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "accepted": tally.accepted,
        "updated": tally.duplicates,
        "duplicates": 0,  # the same customer again is an update
        "conflicts": 0,
        "rejected": tally.rejected,
        "warnings": tally.warnings,
    }


@group.command(name="list")
@click.option("--opted-out", is_flag=True, help="Only who has opted out.")
@limit_option
@json_option
@click.pass_obj
def list_(program: Program, *, opted_out: bool, limit: int | None, as_json: bool) -> None:
    """List customers by id."""
    from feedback_app.store import customers

    query = partial(customers.page, opted_out=True if opted_out else None)
    program.with_store(lambda store: print_rows(store, query, _FORM, as_json=as_json, limit=limit))


@group.command()
@click.argument("customer_id", metavar="ID", type=NAME)
@json_option
@click.pass_obj
def show(program: Program, customer_id: str, *, as_json: bool) -> None:
    """Show one customer."""
    from feedback_app.store import customers

    found = program.with_store(lambda store: store.read(partial(customers.stored, customer_id=customer_id)))
    if found is None:
        raise _unknown(customer_id)
    if as_json:
        echo_json(_data(found))
    else:
        echo_facts(_facts(found))


@group.command(name="opt-out")
@click.argument("customer_id", metavar="ID", type=NAME)
@click.pass_obj
def opt_out(program: Program, customer_id: str) -> None:
    """Never thank this customer again; messages that wait are suppressed when their turn comes."""
    from feedback_app.clock import now_ms

    _set_opted_out(program, customer_id, now_ms())
    click.echo(f"opted out {customer_id}")


@group.command(name="opt-in")
@click.argument("customer_id", metavar="ID", type=NAME)
@click.pass_obj
def opt_in(program: Program, customer_id: str) -> None:
    """Thank this customer again, for ratings from now on."""
    _set_opted_out(program, customer_id, None)
    click.echo(f"opted in {customer_id}")


def _set_opted_out(program: Program, customer_id: str, when: Milliseconds | None) -> None:
    from feedback_app.store import customers

    change = partial(customers.set_opted_out, customer_id=customer_id, when=when)
    if not program.with_store(lambda store: store.write(change)):
        raise _unknown(customer_id)


def _unknown(customer_id: str) -> NotFound:
    return NotFound(f"no customer {customer_id[:40]!r}; `customers list` shows them")


def _data(found: StoredCustomer) -> dict[str, Any]:
    customer = found.customer
    return {
        "id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "preferred_channels": list(customer.preferred_channels),
        "addresses": dict(customer.addresses),
        "locale": customer.locale,
        "timezone": customer.timezone,
        "opted_out": customer.opted_out,
        "opted_out_at": iso(found.opted_out_at),
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
    }


def _facts(found: StoredCustomer) -> dict[str, object]:
    customer = found.customer
    listed = {
        "preferred_channels": ", ".join(customer.preferred_channels),
        "addresses": ", ".join(f"{channel}: {address}" for channel, address in customer.addresses.items()),
        "opted_out": "yes" if customer.opted_out else "no",
    }
    return {**_data(found), **listed}


def _cells(found: StoredCustomer) -> tuple[object, ...]:
    one = found.customer
    channels = ", ".join(one.preferred_channels)
    return one.id, one.name, one.email, one.phone, channels, one.locale, "yes" if one.opted_out else "no"


_FORM = Form(
    data=_data,
    header=("id", "name", "email", "phone", "channels", "locale", "opted out"),
    cells=_cells,
)
