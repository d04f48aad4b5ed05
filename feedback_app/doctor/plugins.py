"""The plugins, the templates, and whether anybody serves what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app import assembly
from feedback_app.doctor.findings import Finding, ok, problem, taken_apart, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.doctor.patient import Patient
    from feedback_app.plugin_host import PluginInfo


def plugins(patient: Patient) -> Iterator[Finding]:
    """Say what each plugin serves, or why it does not."""
    host = patient.host
    for one in host.plugins:
        if one.state == "broken":
            mend = f'mend the file, or write into {patient.file}: [plugins] disabled = ["{one.name}"]'
            yield problem(f"plugin {one.name}", f"broken: {one.error}", mend)
        elif one.state == "active":
            yield ok(f"plugin {one.name}", _described(one))
    rest = [one for one in host.plugins if one.state in ("idle", "disabled") and one.error is None]
    for state in ("idle", "disabled"):
        if names := [one.name for one in rest if one.state == state]:
            meaning = "idle, for they have no settings" if state == "idle" else state
            yield ok("plugins", f"{len(names)} {meaning}: {', '.join(names)}")
    for line in host.problems:
        # What is broken has its own line.
        if not any(one.error and line.endswith(one.error) for one in host.broken):
            found, mend = taken_apart(line, f"edit {patient.file}; `feedback-app config check` checks it")
            yield problem("plugins", found, mend)
    for line in host.warnings:
        found, mend = taken_apart(line, f"edit {patient.file}")
        yield warning("plugins", found, mend)


def _described(plugin: PluginInfo) -> str:
    serves = [f"channel {name}" for name in plugin.channels] + [f"source {name}" for name in plugin.sources]
    what = f"serves {', '.join(serves)}" if serves else f"implements {', '.join(plugin.hooks)}"
    return f"{plugin.version or 'no version'}, {what}"


def templates(patient: Patient) -> Iterator[Finding]:
    """Render every template with sample data, and see whether somebody takes the reports along."""
    lines = list(assembly.unfit(patient.settings, patient.host))
    for line in lines:
        about = "templates" if line.startswith("template ") or "[templates]" in line else "reports"
        where = patient.settings.templates_directory if about == "templates" else patient.file
        yield problem(about, line, f"edit {where}; `feedback-app config check` checks it")
    strays = assembly.composer_of(patient.settings).strays(patient.host.notifiers)
    for line in strays:
        yield warning("templates", line, f"rename or remove it in {patient.settings.templates_directory}")
    if not lines:
        yield ok("templates", "all of them render with sample data, in each language")


def channels(patient: Patient) -> Iterator[Finding]:
    """Warn of default channels that nobody serves."""
    for line in assembly.unserved_defaults(patient.settings, patient.host):
        yield warning("channels", line, f"edit [pipeline] default_channels in {patient.file}")


CHECKS = (plugins, templates, channels)
