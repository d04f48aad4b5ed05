"""The road of one rating, as the user drew it: each step decides which step comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.errors import storable
from feedback_app.model import Customer, Ended, Feedback, Message, Outcome
from feedback_app.pipeline.analysing import Asked, ask_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feedback_app.contracts import Analyser, Notifier
    from feedback_app.pipeline.composer import Composer


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the business decided."""

    low_below: float = 3  # a rating below this is low
    thank_low_ratings: bool = False  # low ratings get the apology
    default_channels: tuple[str, ...] = ("email", "sms")  # for customers who never said what they prefer


class Pipeline:
    """`await pipeline(feedback, customer)` decides what is to be done; whoever calls it does it.

    `notifiers` are asked only where a customer is reached. `ledger_id` makes the ids of messages unique over
    ledgers. An exception means that the rating could not be processed, and says why.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        composer: Composer,
        notifiers: Mapping[str, Notifier],
        analysers: Sequence[Analyser] = (),
        ledger_id: str,
    ) -> None:
        self._policy = policy
        self._composer = composer
        self._notifiers = notifiers
        self._analysers = [Asked(one) for one in analysers]
        self._ledger_id = ledger_id

    async def __call__(self, feedback: Feedback, customer: Customer | None) -> Outcome:
        """Take one rating all the way; `customer` is None when nobody told us of them."""
        analysis = await ask_all(self._analysers, feedback) if self._analysers else {}
        failpoints.reached("pipeline.analysed")
        if feedback.rating < self._policy.low_below:
            return self._keep_low(feedback, customer, analysis)
        ended, messages = self._thank(feedback, customer)
        return Outcome(feedback=feedback, ended=ended, analysis=analysis, keep_low=False, messages=messages)

    def _keep_low(
        self, feedback: Feedback, customer: Customer | None, analysis: Mapping[str, object]
    ) -> Outcome:
        messages: tuple[Message, ...] = ()
        if self._policy.thank_low_ratings:
            _, messages = self._thank(feedback, customer, apologise=True)
        return Outcome(feedback=feedback, ended="low", analysis=analysis, keep_low=True, messages=messages)

    def _thank(
        self, feedback: Feedback, customer: Customer | None, *, apologise: bool = False
    ) -> tuple[Ended, tuple[Message, ...]]:
        if not feedback.thank:
            return "history", ()
        if feedback.customer is None:
            return "no_customer", ()
        if customer is None:
            return "unknown_customer", ()
        if customer.opted_out:
            return "opted_out", ()
        reached = self._choose_channel(customer, self._channels_of(customer))
        if reached is None:
            return "no_channel", ()
        return "thanked", (self._form_message(feedback, customer, *reached, apologise=apologise),)

    def by_next_channel(self, feedback: Feedback, customer: Customer, failed: Message) -> Message | None:
        """Form the same message, under its id, for the channel that the customer prefers next; None: that was the last.

        Raises BadConfig for a template, and whatever a plugin raises.
        """
        channels = self._channels_of(customer)
        if customer.opted_out:
            return None
        behind = channels[channels.index(failed.channel) + 1 :] if failed.channel in channels else channels
        reached = self._choose_channel(customer, behind)
        if reached is None:
            return None
        return self._form_message(feedback, customer, *reached, apologise=failed.purpose == "apology")

    def _channels_of(self, customer: Customer) -> tuple[str, ...]:
        return customer.preferred_channels or self._policy.default_channels

    def _choose_channel(self, customer: Customer, channels: Sequence[str]) -> tuple[str, str] | None:
        """Return (channel, address): the first that is installed and reaches the customer."""
        for channel in channels:
            notifier = self._notifiers.get(channel)
            address = _ask_address(notifier, customer) if notifier is not None else None
            if address:
                return channel, address
        return None

    def _form_message(
        self, feedback: Feedback, customer: Customer, channel: str, address: str, *, apologise: bool
    ) -> Message:
        form = self._composer.compose("apology" if apologise else "thanks", channel, feedback, customer)
        return Message(
            id=f"thanks.{feedback.number}.{self._ledger_id}",
            purpose="apology" if apologise else "thanks",
            channel=channel,
            recipient=address,
            text=form.text,
            feedback_id=feedback.number,
            customer_id=customer.id,
            customer_name=customer.name,
            subject=form.subject,
            html=form.html,
            locale=customer.locale,
        )


def _ask_address(notifier: Notifier, customer: Customer) -> str | None:
    """Return where the customer is reached. Raises Exception and nothing else, for it must not end the program."""
    try:
        address = notifier.address(customer)
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"address raised {type(error).__name__}") from error
    if address is not None and not isinstance(address, str):
        raise TypeError(f"address returned {type(address).__name__}, want a str or None")
    if address is not None and storable(address) != address:
        raise ValueError("address returned text that the ledger cannot hold")
    return address
