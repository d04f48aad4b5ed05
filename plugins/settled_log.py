"""A line of JSON for each message that ended as sent, suppressed or dead: for who counts or looks into it elsewhere.

Settings, `[plugins.settled_log]`; without them the plugin is idle:

    file = "settled.jsonl"    # made where it is not, readable for its owner only

Ids only, nothing of the customer: `time`, `message`, `feedback`, `purpose`, `channel`, `state`, `attempt`, `provider`
and `provider_id`, the far side's own id. The file is opened for each line, so it may be moved away at any time.
"""

# Annotations are read at run time by pydantic, so they are not postponed here.

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from feedback_app import Message, Settled, hookimpl


class Settings(BaseModel):
    """The table `[plugins.settled_log]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path


@hookimpl
def message_settled(message: Message, outcome: Settled, settings: Settings) -> None:
    """Append the line. Raises OSError when it cannot be written."""
    moment = datetime.fromtimestamp(outcome.at / 1000, UTC).isoformat(timespec="milliseconds")
    line = {
        "time": moment.replace("+00:00", "Z"),
        "message": message.id,
        "feedback": message.feedback_id,
        "purpose": message.purpose,
        "channel": message.channel,
        "state": outcome.state,
        "attempt": message.attempt,
        "provider": outcome.provider or None,
        "provider_id": outcome.provider_id,
    }
    # O_NONBLOCK: a named pipe that nobody reads is an error and not a wait without end.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(settings.file, flags, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")  # one write: lines of two daemons do not mix
    finally:
        os.close(descriptor)
