"""Runs all checks, whatever becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.doctor import configuration, daemon, ledger, machine, plugins, reaching, reports
from feedback_app.doctor.findings import Finding, unchecked
from feedback_app.errors import FeedbackAppError, fault_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from feedback_app.doctor.patient import Patient

    Check = Callable[[Patient], Iterable[Finding]]


async def examine(patient: Patient) -> list[Finding]:
    """Return what each check finds, in the order in which they look; far sides are reached side by side."""
    found = list(_run((*machine.CHECKS, *configuration.CHECKS), patient))
    if patient.reading.settings is None:
        why = "too little of the configuration can be read; mend it first"
        return [*found, *(unchecked(about, why) for about in ("plugins", "ledger", "reports", "channels"))]
    found += _run((*configuration.MORE_CHECKS, *plugins.CHECKS, *ledger.CHECKS), patient)
    if _can_be_asked(patient):
        found += _run((*daemon.CHECKS, *reports.CHECKS), patient)
    elif not _is_new(patient):
        found.append(unchecked("daemon, reports", "the ledger cannot be asked; mend it first"))
    return [*found, *await reaching.reach(patient)]


def _run(checks: Iterable[Check], patient: Patient) -> Iterator[Finding]:
    for check in checks:
        about = check.__name__.replace("_", " ")
        try:
            yield from check(patient)
        except FeedbackAppError as error:
            yield unchecked(about, " ".join(str(error).split()))
        except Exception as error:  # noqa: BLE001 - the other checks have something to tell too
            yield unchecked(about, f"a bug in the program: {fault_site(error)}")


def _can_be_asked(patient: Patient) -> bool:
    try:
        return patient.can_be_asked
    except FeedbackAppError:  # what it is, the ledger's own checks have said
        return False


def _is_new(patient: Patient) -> bool:
    """Whether there is no ledger yet, so nothing to tell about."""
    try:
        return not patient.ledger_problems and patient.revision is None
    except FeedbackAppError:
        return False
