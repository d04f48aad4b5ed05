"""Customers in the ledger."""

from __future__ import annotations

from functools import partial

from feedback_app.model import Customer
from feedback_app.store import customers
from feedback_app.store.store import Store
from tests.making import NOW

ADA = Customer(
    id="c1",
    name="Ada",
    email="ada@example.com",
    phone="+4915112345678",
    preferred_channels=("sms", "email"),
    addresses={"chat": "@ada"},
    locale="de-AT",
    timezone="Europe/Vienna",
)


async def test_a_customer_is_kept_as_told(store: Store) -> None:
    """Every field comes back as it was given."""
    existed = await store.write(partial(customers.put, customers=[ADA], now=NOW))
    assert existed == 0
    assert await store.read(partial(customers.get, customer_id="c1")) == ADA


async def test_blanks_never_overwrite_what_is_known(store: Store) -> None:
    """A later record changes what it says and leaves the rest."""
    await store.write(partial(customers.put, customers=[ADA], now=NOW))
    existed = await store.write(partial(customers.put, customers=[Customer(id="c1", name="Ada L.")], now=NOW))
    found = await store.read(partial(customers.get, customer_id="c1"))
    assert existed == 1
    assert found is not None
    assert (found.name, found.email, found.preferred_channels) == (
        "Ada L.",
        "ada@example.com",
        ("sms", "email"),
    )


async def test_one_customer_twice_in_a_batch_is_merged(store: Store) -> None:
    """The later record wins where it says something; the second counts as an update."""
    batch = [Customer(id="c1", name="Ada", email="a@example.com"), Customer(id="c1", email="b@example.com")]
    existed = await store.write(partial(customers.put, customers=batch, now=NOW))
    found = await store.read(partial(customers.get, customer_id="c1"))
    assert existed == 1
    assert found is not None
    assert (found.name, found.email) == ("Ada", "b@example.com")


async def test_opting_out_lasts_over_updates_and_ends_with_opting_in(store: Store) -> None:
    """New contact data does not opt anybody in again."""
    await store.write(partial(customers.put, customers=[ADA], now=NOW))
    assert await store.write(partial(customers.set_opted_out, customer_id="c1", when=NOW))
    await store.write(partial(customers.put, customers=[ADA], now=NOW))
    out = await store.read(partial(customers.get, customer_id="c1"))
    await store.write(partial(customers.set_opted_out, customer_id="c1", when=None))
    back = await store.read(partial(customers.get, customer_id="c1"))
    assert out is not None
    assert out.opted_out
    assert back == ADA
    assert not await store.write(partial(customers.set_opted_out, customer_id="nobody", when=NOW))


async def test_a_batch_larger_than_one_statement_is_stored_whole(store: Store) -> None:
    """Rows are spread over statements of fixed sizes; none is lost at the seams."""
    batch = [Customer(id=f"c{number:04}") for number in range(431)]
    await store.write(partial(customers.put, customers=batch, now=NOW))
    ids = [one.id for one in batch]
    assert await store.read(partial(customers.known, ids=ids)) == set(ids)


async def test_preferred_channels_are_listed_once_each(store: Store) -> None:
    """What customers prefer, whatever is installed."""
    batch = [ADA, Customer(id="c2", preferred_channels=("chat",)), Customer(id="c3")]
    await store.write(partial(customers.put, customers=batch, now=NOW))
    assert await store.read(customers.preferred_channels) == {"sms", "email", "chat"}
