"""The channel `webhook`: its settings, and whom it reaches."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from feedback_app import Customer
from feedback_app.plugins import webhook_notifier
from feedback_app.plugins.webhook_notifier import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = f"whsec_{base64.b64encode(b'canary-canary-canary-key').decode()}"
GOOD = {"url": "https://example.com/hook", "secret": SECRET}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"secret": SECRET}, "Field required"),
        ({"url": "https://example.com/hook"}, "needs secret or secret_file"),
        ({**GOOD, "secret_file": "/x"}, "both given"),
        ({**GOOD, "secret": ""}, "holds no secret"),
        ({**GOOD, "secret": "canary"}, "not a secret of Standard Webhooks"),
        ({**GOOD, "secret": "whsec_canary!"}, "not a secret of Standard Webhooks"),
        ({**GOOD, "secret": "whsec_Y2FuYXJ5"}, "24 to 64 random bytes"),
        ({**GOOD, "url": "http://example.com/hook"}, "use https"),
        ({**GOOD, "url": "https://me:canary@example.com/"}, "no login may stand in it"),
        ({**GOOD, "url": "https://example.com/#canary"}, "only host, port and path"),
        ({**GOOD, "url": "https://example.com/a b"}, "other letters than ASCII"),
        ({**GOOD, "url": "file:///etc/passwd"}, "not a web address"),
        ({**GOOD, "secrt": "canary"}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str], complaint: str) -> None:
    """Each with what is wrong, and never with the secret."""
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(given)
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)


def test_the_secrets_file_is_read_at_the_start(tmp_path: Path) -> None:
    """One that is missing or holds something else fails the start by name; nothing prints the secret."""
    file = tmp_path / "secret"
    settings = Settings.model_validate({"url": GOOD["url"], "secret_file": file})
    with pytest.raises(ValueError, match=f"secret_file: cannot read {file}"):
        webhook_notifier.make_notifier(settings)
    file.write_text("canary")
    with pytest.raises(
        ValueError, match=f"secret_file: {file}: not a secret of Standard Webhooks"
    ) as refused:
        webhook_notifier.make_notifier(settings)
    assert "canary" not in str(refused.value)
    file.write_text(f"{SECRET}\n")
    made = webhook_notifier.make_notifier(settings)
    assert (made.channel, made.on_unknown) == ("webhook", "resend")
    assert SECRET not in f"{Settings.model_validate(GOOD)!r} {made!r} {vars(made)['_gateway']!r}"


def test_a_customer_is_named_by_their_id_or_by_what_is_stored() -> None:
    """The receiver knows its customers; nobody needs an address."""
    one = webhook_notifier.make_notifier(Settings.model_validate(GOOD))
    assert one.address(Customer(id="ada")) == "ada"
    assert one.address(Customer(id="ada", addresses={"webhook": "crm-7"})) == "crm-7"
