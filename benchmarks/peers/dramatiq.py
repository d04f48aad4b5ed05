"""dramatiq on Redis: 2 processes of 8 threads, acknowledged after the work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from benchmarks.peers.job import Rating

broker = RedisBroker(url=os.environ[SERVER])
dramatiq.set_broker(broker)
rate = dramatiq.actor(do)


def enqueue(ratings: list[Rating]) -> None:
    """Enqueue them all."""
    for rating in ratings:
        rate.send(*rating)
