"""A gateway that turns us away and quotes a part of what it was told: nobody reads that in the log or in `status`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.faults.program import Program
from tests.running import rows, until
from tests.servers import HttpAnswer, RecordingHttpGateway

COMMON = """
[plugins]
disabled = ["email_notifier", "console_notifier", "file_notifier"]
"""
GATEWAYS = {
    "twilio": f"""
[plugins.sms_notifier]
gateway = "twilio"
url = "{{url}}"
account_sid = "{RecordingHttpGateway.account_sid}"
auth_token = "canary-token"
sender = "Shop"
""",
    "kannel": """
[plugins.sms_notifier]
gateway = "kannel"
url = "{url}"
username = "shop"
password = "canary-word"
sender = "Shop"
""",
    "http": """
[plugins.sms_notifier]
gateway = "http"
sender = "Shop"
[plugins.sms_notifier.http]
url = "{url}"
secret = "canary-key"
headers = {{ Authorization = "Bearer {{secret}}" }}
body_form = {{ to = "{{to}}", text = "{{text}}" }}
""",
    "webhook": """
[plugins.webhook_notifier]
url = "{url}"
secret = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnkta2V5"
""",
}
PARTLY = [
    b'blocked: "Dear Canary 2, than"',
    b"not allowed: Dear%20Canary%202%2C%20thank",
    b'{"error": "bad words in: ear Canary 2, thank you fo"}',
]


@pytest.mark.parametrize("status", [401, 403, 302])
@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_what_a_gateway_quotes_when_the_channel_goes_down_is_not_shown(
    gateway: str, status: int, tmp_path: Path
) -> None:
    """The status and what to do about it are enough."""
    channel = "webhook" if gateway == "webhook" else "sms"
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / f"thanks.{channel}.txt").write_text("Dear {{ name }}, thank you for the words")
    (tmp_path / "ratings.csv").write_text(
        f"id,customer,rating,name,phone,preferred_channel\nr1,canary-1,5,Canary 2,+12020000001,{channel}\n"
    )
    answers = [HttpAnswer(status=status, body=body) for body in PARTLY]
    with RecordingHttpGateway(answers * 20) as server:
        (tmp_path / "config.toml").write_text(COMMON + GATEWAYS[gateway].format(url=server.url))
        (tmp_path / "config.toml").chmod(0o600)
        await _said(tmp_path, "feedback", "import", str(tmp_path / "ratings.csv"))
        daemon = await Program.start(tmp_path, "run")
        await daemon.until('"channel down"')
        ledger = tmp_path / "feedback.db"
        await until(lambda: "answered" in str(rows(ledger, "SELECT channels FROM daemon")))
        shown = [json.loads(await _said(tmp_path, "status", "--json"))["channels"][channel]["reason"]]
        shown.append(await _said(tmp_path, "status"))
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == 0
    assert daemon.leaks == []
    assert [one for one in (daemon.said, *shown) if f"answered {status}; " not in one] == []


async def _said(folder: Path, *arguments: str) -> str:
    """Run a command to its end; returns what it printed, in which there is no canary."""
    program = await Program.start(folder, *arguments)
    assert await program.ended() == 0, program.said
    assert program.leaks == []
    return program.said
