"""How an analyser is asked: whatever it does, the rating goes on, and soon."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from feedback_app.concurrency.bounded import Abandoned, bounded
from feedback_app.errors import fault_site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feedback_app.contracts import Analyser
    from feedback_app.model import Feedback

log = logging.getLogger(__name__)

_FAULTS = 5  # failures in a row before an analyser is suspended
_PAUSE = 60.0  # seconds until it is asked again, for one rating


async def ask_all(asked: Sequence[Asked], feedback: Feedback) -> dict[str, Mapping[str, object]]:
    """Return the facts by analyser, without those that had nothing to say; it takes as long as the slowest of them."""
    if len(asked) > 1:
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(one.facts(feedback), name=f"ask {one.name}") for one in asked]
        found = [(one.name, task.result()) for one, task in zip(asked, asking, strict=True)]
    else:  # without company a task of its own would only cost
        found = [(one.name, await one.facts(feedback)) for one in asked]
    return {name: facts for name, facts in found if facts}


class Asked:
    """An analyser that fails again and again is not asked for a while, so that it does not hold every rating up."""

    def __init__(self, analyser: Analyser) -> None:
        self.name = analyser.name
        self._analyser = analyser
        self._task_name = f"analyser-{analyser.name}"
        self._faults = 0  # in a row
        self._asked_again_at = 0.0  # of the loop's clock, while suspended

    async def facts(self, feedback: Feedback) -> Mapping[str, object]:
        """Return the analyser's facts, or {"failed": why}; raises only the caller's own cancellation."""
        if not self._is_asked():
            return {"failed": "suspended"}
        try:
            work = self._analyser.analyse(feedback)
            facts = dict(await bounded(work, self._analyser.timeout, name=self._task_name))
            _check_storable(facts)  # what the ledger could not hold is this plugin's failure
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
            self._note(error, feedback)
            return {"failed": type(error).__name__}
        if self._faults >= _FAULTS:
            log.info("analyser works again", extra={"analyser": self.name})
        self._faults = 0
        return facts

    def _is_asked(self) -> bool:
        if self._faults < _FAULTS:
            return True
        now = asyncio.get_running_loop().time()
        if now < self._asked_again_at:
            return False
        self._asked_again_at = now + _PAUSE  # this rating is the one
        return True

    def _note(self, error: BaseException, feedback: Feedback) -> None:
        self._faults += 1
        suspended = self._faults >= _FAULTS
        if suspended:
            self._asked_again_at = asyncio.get_running_loop().time() + _PAUSE
        log.warning(
            "analysis left out",
            extra={
                "analyser": self.name,
                "feedback": feedback.number,
                "fault": str(error) if isinstance(error, Abandoned) else fault_site(error),
                "suspended_for": _PAUSE if suspended else None,
            },
        )


def _check_storable(facts: Mapping[str, object]) -> None:
    """Raise ValueError, or what json raises, for facts that are not JSON in either database."""
    text = json.dumps(facts, allow_nan=False, ensure_ascii=False)
    text.encode()  # half a surrogate pair
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("a text holds NUL")
