"""Whether the far sides of the channels can be reached, all side by side, without sending anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from feedback_app.concurrency.bounded import bounded
from feedback_app.contracts import Notifier
from feedback_app.doctor.findings import Finding, ok, problem, unchecked
from feedback_app.errors import DeliveryError, fault_site

if TYPE_CHECKING:
    from feedback_app.doctor.patient import Patient
    from feedback_app.plugin_host import Provider

_LIMIT = 30.0  # seconds for one provider
_CLOSE_LIMIT = 5.0


async def reach(patient: Patient) -> list[Finding]:
    """Ask each provider that has a far side to reach it."""
    try:
        served = patient.host.notifiers
    except Exception:  # noqa: BLE001 - the check of the plugins has said what it is
        return []
    every = [(channel, one) for channel, providers in served.items() for one in providers]
    if patient.offline:
        return [
            unchecked(f"channel {channel}", "--offline")
            for channel, one in every
            if _has_far_side(one.notifier)
        ]
    found = await asyncio.gather(*(_reach(patient, channel, one) for channel, one in every))
    return [one for one in found if one is not None]


def _has_far_side(notifier: Notifier) -> bool:
    return type(notifier).check is not Notifier.check


async def _reach(patient: Patient, channel: str, provider: Provider) -> Finding | None:
    about, plugin = f"channel {channel}", provider.plugin
    mend = f"check [plugins.{plugin}] in {patient.file}, or ask who runs that server"
    try:
        reached = await bounded(provider.notifier.check(), _LIMIT)
    except DeliveryError as error:
        return problem(about, f"{plugin}: {' '.join(error.reason.split())}", mend)
    except asyncio.CancelledError:
        raise
    except TimeoutError:
        return problem(about, f"{plugin}: no answer within {_LIMIT:g} s", mend)
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
        return problem(about, f"{plugin}: a bug in the plugin: {fault_site(error)}", "tell its author")
    else:
        return ok(about, f"{plugin}: {reached}") if reached else None
    finally:
        await _let_go(provider.notifier)


async def _let_go(notifier: Notifier) -> None:
    try:
        await bounded(notifier.close(), _CLOSE_LIMIT)
    except asyncio.CancelledError:
        raise
    except BaseException:  # noqa: BLE001, S110 - what it says when it is closed is the daemon's affair
        pass
