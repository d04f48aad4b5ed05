"""`make_source`: what the host takes, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

SOURCE = """
from feedback_app import Batch, Source, hookimpl

class Shop(Source):
    def __init__(self, name):
        self.name = name

    async def receive(self, limit):
        return Batch()

    async def acknowledge(self, received):
        pass

@hookimpl
def make_source(settings):
    return [Shop(name) for name in settings.names]
"""


def test_a_plugin_may_bring_several_sources(place: Place) -> None:
    """Each under its own name."""
    place.write("shop.py", SOURCE)
    host = place.load("[plugins.shop]\nnames = ['north', 'south']\n")
    assert info(host, "shop").sources == ("north", "south")
    assert info(host, "shop").state == "active"
    assert [(plugin, source.name) for plugin, source in host.sources] == [
        ("shop", "north"),
        ("shop", "south"),
    ]


def test_none_at_all_is_idle(place: Place) -> None:
    """As with channels."""
    place.write("shop.py", SOURCE)
    assert info(place.load("[plugins.shop]\nnames = []\n"), "shop").state == "idle"


def test_one_name_of_two_plugins_is_a_clash(place: Place) -> None:
    """Their ids would mix."""
    place.write("one.py", SOURCE)
    place.write("two.py", SOURCE)
    host = place.load("[plugins.one]\nnames = ['shop']\n[plugins.two]\nnames = ['shop']\n")
    assert host.problems == (
        "the source 'shop' comes from the plugins 'one' and 'two'; give one another name",
    )
