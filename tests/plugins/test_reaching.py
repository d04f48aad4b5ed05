"""How web addresses are reached."""

from __future__ import annotations

import pytest

from feedback_app import ChannelDown
from feedback_app.plugins._reaching import reach_web
from tests.servers import free_port


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_what_does_not_answer_is_named_as_it_is_written(host: str) -> None:
    """An IPv6 address in its brackets, so that the port can be told from it."""
    port = free_port()
    with pytest.raises(ChannelDown) as refused:
        await reach_web(f"http://{host}:{port}/hook")
    assert str(refused.value).startswith(f"cannot connect to {host}:{port}: ")
