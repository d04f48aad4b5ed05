"""A batcher whose thread is held in its first batch until a test lets it go on."""

from __future__ import annotations

import threading

from feedback_app.concurrency import Batcher

DEADLINE = 5.0  # seconds


class Gate:
    """A run_batch that writes the batches down and holds the first ones until it is opened."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, items: list[int]) -> list[int | Exception]:
        """Answer ten times the item, or an error for a negative one."""
        self.batches.append(items)
        self.begun.release()
        self.open.wait(DEADLINE)
        return [ValueError(item) if item < 0 else item * 10 for item in items]


def gated(gate: Gate, max_batch: int = 500, max_waiting: int | None = None) -> Batcher[int, int]:
    """Make a started batcher whose thread is held in a batch of [0]."""
    batcher: Batcher[int, int] = Batcher(gate, name="writer", max_batch=max_batch, max_waiting=max_waiting)
    batcher.start()
    batcher.submit(0)
    assert gate.begun.acquire(timeout=DEADLINE)
    return batcher
