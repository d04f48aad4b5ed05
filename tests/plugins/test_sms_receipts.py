"""What gateways say of text messages later, and who else says it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from feedback_app import DeliveryReceipt, ForgedReceipt, ReceiptRequest
from feedback_app.plugins import sms_notifier
from feedback_app.plugins._sms_receipts import KannelReceipts, TwilioReceipts
from feedback_app.plugins.sms_notifier import Settings

TOKEN = SecretStr("12345")
OURS = TwilioReceipts("https://shop.example.com/receipts", TOKEN)
ID = "thanks.7.0123abcd"


def signed(url: str, **form: str) -> ReceiptRequest:
    """Return a request as Twilio signs it."""
    text = url + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.digest(b"12345", text.encode(), hashlib.sha1)).decode()
    return ReceiptRequest(url=url, headers={"x-twilio-signature": signature}, body=urlencode(form).encode())


def test_twilios_own_example_is_valid() -> None:
    """The one of its page on security: URL, form, token, signature."""
    form = {"CallSid": "CA1234567890ABCDE", "Caller": "+12349013030", "Digits": "1234", "From": "+12349013030",
            "To": "+18005551212"}  # fmt: skip
    request = ReceiptRequest(
        url="https://mycompany.com/myapp.php?foo=1&bar=2",
        headers={"x-twilio-signature": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
        body=urlencode(form).encode(),
    )
    assert OURS.read(request) == ()


@pytest.mark.parametrize(
    ("status", "code", "state", "bad_address"),
    [
        ("delivered", "", "delivered", False),
        ("read", "", "delivered", False),
        ("undelivered", "30005", "failed", True),
        ("undelivered", "30006", "failed", True),
        ("undelivered", "30003", "failed", False),
        ("failed", "30008", "failed", False),
    ],
)
def test_twilios_last_words(status: str, code: str, state: str, *, bad_address: bool) -> None:
    """Which number is gone for good, and which message alone."""
    (found,) = OURS.read(signed(OURS.url(ID), MessageSid="SM1", MessageStatus=status, ErrorCode=code))
    assert (found.message_id, found.state, found.bad_address) == (ID, state, bad_address)
    assert found.detail == f"Twilio: {status}" + (f", error {code}" if code else "")


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "accepted", "a new one", ""])
def test_states_on_the_way_tell_nothing(status: str) -> None:
    """Also one that is not known."""
    assert OURS.read(signed(OURS.url(ID), MessageStatus=status)) == ()


def test_forged_receipts_are_refused() -> None:
    """Another URL, another body, another token, no signature, one of other letters, no form."""
    true = signed(OURS.url(ID), MessageStatus="failed")
    forged = [
        ReceiptRequest(url=OURS.url("thanks.8.0123abcd"), headers=true.headers, body=true.body),
        ReceiptRequest(url=true.url, headers=true.headers, body=b"MessageStatus=delivered"),
        ReceiptRequest(url=true.url, headers={}, body=true.body),
        ReceiptRequest(url=true.url, headers={"x-twilio-signature": "é"}, body=true.body),
        ReceiptRequest(url=true.url, headers=true.headers, body=b"\xff"),
    ]
    for one in forged:
        with pytest.raises(ForgedReceipt):
            OURS.read(one)
    with pytest.raises(ForgedReceipt):
        TwilioReceipts("https://shop.example.com/receipts", SecretStr("other")).read(true)


def test_one_that_names_no_message_is_malformed() -> None:
    """Though it is Twilio's."""
    with pytest.raises(ValueError, match="names no message"):
        OURS.read(signed("https://shop.example.com/receipts", MessageStatus="failed"))


@pytest.mark.parametrize(
    ("status", "state"), [("1", "delivered"), ("2", "failed"), ("4", "delayed"), ("16", "failed")]
)
def test_kannels_events(status: str, state: str) -> None:
    """By their numbers."""
    ours = KannelReceipts("https://shop.example.com/dlr", SecretStr("0123456789abcdef"))
    (found,) = ours.read(ReceiptRequest(url=ours.url(ID).replace("%d", status), method="GET"))
    assert (found.message_id, found.state) == (ID, state)


@pytest.mark.parametrize(
    "query", ["message=x&status=2", "message=x&status=2&secret=", "message=x&status=2&secret=%C3%A9"]
)
def test_calls_without_kannels_secret_are_forged(query: str) -> None:
    """Whoever guesses the URL."""
    ours = KannelReceipts("https://shop.example.com/dlr", SecretStr("0123456789abcdef"))
    with pytest.raises(ForgedReceipt):
        ours.read(ReceiptRequest(url=f"https://shop.example.com/dlr?{query}", method="GET"))


def test_who_asked_for_no_receipts_believes_none() -> None:
    """A gateway without them."""
    one = sms_notifier.make_notifier(Settings())
    with pytest.raises(ForgedReceipt, match="no gateway was told"):
        one.read_receipts(ReceiptRequest(url="https://shop.example.com/"))


def test_a_receipt_shows_no_secret() -> None:
    """Neither does what made it."""
    assert "12345" not in repr(vars(OURS))
    assert DeliveryReceipt(message_id=ID, state="failed").detail == ""
