"""Reads what Prometheus is told, as Prometheus does."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.running import RECORDER

METRICS = '[metrics]\ntextfile = "feedback_app.prom"\ninterval = "1s"\n'
FICKLE = RECORDER.replace(
    "        with LOG.open",
    """        from feedback_app import OutcomeUnknown, PermanentFailure, TemporaryFailure
        what = message.feedback_id % 4
        if what == 1 and message.attempt == 1:
            raise TemporaryFailure("try again")
        if what == 2:
            raise PermanentFailure("no such person")
        if what == 3 and message.attempt == 1:
            raise ValueError("a bug")
        with LOG.open""",
)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    """Return the samples of a text by their name and labels."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def told_in(folder: Path) -> Samples:
    """Return the samples of the file that a daemon has written."""
    return samples_of((folder / "feedback_app.prom").read_text())


def by_labels(samples: Samples, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one name by the values of some labels."""
    return {
        tuple(dict(found)[label] for label in labels): value
        for (one, found), value in samples.items()
        if one == f"feedback_app_{name}"
    }


def value_of(samples: Samples, name: str) -> float:
    """Return the sample of a name that has no labels."""
    return samples[f"feedback_app_{name}", frozenset()]
