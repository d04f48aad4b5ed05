"""Whether the far sides of channels and sources can be reached, side by side, without sending or taking anything."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.concurrency.bounded import bounded
from feedback_app.contracts import Notifier, Source
from feedback_app.doctor.findings import Finding, ok, problem, unchecked
from feedback_app.errors import DeliveryError, SourceDown, fault_site

if TYPE_CHECKING:
    from feedback_app.doctor.patient import Patient

_LIMIT = 30.0  # seconds for one of them
_CLOSE_LIMIT = 5.0


class _Far(NamedTuple):
    about: str
    plugin: str
    side: Notifier | Source


async def reach(patient: Patient) -> list[Finding]:
    """Ask each notifier and each source that has a far side to reach it."""
    try:
        every = _far_sides(patient)
    except Exception:  # noqa: BLE001 - the check of the plugins has said what it is
        return []
    if patient.offline:
        return [unchecked(one.about, f"{one.plugin}: was not to be reached (--offline)") for one in every]
    with contextlib.redirect_stdout(sys.stderr):  # what plugins print is no data of ours
        found = await asyncio.gather(*(_reach(patient, one) for one in every))
    return [one for one in found if one is not None]


def _far_sides(patient: Patient) -> list[_Far]:
    host = patient.host
    notifiers = (
        _Far(f"channel {channel}", one.plugin, one.notifier)
        for channel, providers in host.notifiers.items()
        for one in providers
    )
    sources = (_Far(f"source {source.name}", plugin, source) for plugin, source in host.sources)
    # Who has not written a `check` has none to reach, or nobody who knows how.
    return [
        one for one in (*notifiers, *sources) if type(one.side).check not in (Notifier.check, Source.check)
    ]


async def _reach(patient: Patient, far: _Far) -> Finding | None:
    about, plugin, side = far
    mend = f"check [plugins.{plugin}] in {patient.file}, or ask who runs that server"
    try:
        reached = await bounded(side.check(), _LIMIT)
    except (DeliveryError, SourceDown) as error:
        return problem(about, f"{plugin}: {' '.join(str(error).split())}", mend)
    except asyncio.CancelledError:
        raise
    except TimeoutError:
        return problem(about, f"{plugin}: no answer within {_LIMIT:g} s", mend)
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
        return problem(about, f"{plugin}: a bug in the plugin: {fault_site(error)}", "tell its author")
    else:
        return ok(about, f"{plugin}: {reached}") if reached else None
    finally:
        await _let_go(side)


async def _let_go(side: Notifier | Source) -> None:
    try:
        await bounded(side.close(), _CLOSE_LIMIT)
    except asyncio.CancelledError:
        raise
    except BaseException:  # noqa: BLE001, S110 - what it says when it is closed is the daemon's affair
        pass
