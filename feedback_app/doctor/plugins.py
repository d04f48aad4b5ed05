"""The plugins, the templates, and whether anybody serves what is asked for."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from feedback_app.doctor.findings import Finding, ok, problem, taken_apart, warning
from feedback_app.rehearsing import check_templates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.doctor.patient import Patient
    from feedback_app.plugin_host import PluginInfo


def plugins(patient: Patient) -> Iterator[Finding]:
    """Say what each plugin serves, or why it does not."""
    host = patient.host
    for one in host.plugins:
        if one.state == "broken":
            found = one.error or ""
            mend = f'mend the file, or write into {patient.file}: [plugins] disabled = ["{one.name}"]'
            if "; run: " in found:  # else what stands behind a semicolon may be the plugin's own words
                found, mend = taken_apart(found, mend)
            yield problem(f"plugin {one.name}", f"broken: {found}", mend)
        elif one.state == "active":
            yield ok(f"plugin {one.name}", _described(one))
    yield from _out_of_use(patient)
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


def _out_of_use(patient: Patient) -> Iterator[Finding]:
    for state, why in (("idle", "idle, for they have no settings"), ("disabled", "disabled")):
        names = [one.name for one in patient.host.plugins if one.state == state and one.error is None]
        if names:
            yield ok("plugins", f"{len(names)} {why}: {', '.join(names)}")


def templates(patient: Patient) -> Iterator[Finding]:
    """Render every template with sample data."""
    found = check_templates(patient.settings, patient.host.notifiers)
    for line in found.problems:
        mend = f"edit {_file_of(line, patient)}; `feedback-app templates check` checks it"
        yield problem("templates", line, mend)
    for line in found.warnings:
        yield warning("templates", line, f"mend or remove {_file_of(line, patient)}")
    if not found.problems:
        yield ok("templates", "all of them render with sample data, in each language")


def _file_of(line: str, patient: Patient) -> Path | str:
    """Return the file that a line about a template is on; what names no template is on the configuration."""
    named = re.match(r"template (\S+?)(?::| line )", line)
    if named is None:
        return patient.file
    folder = patient.settings.templates_directory
    return next((one for one in (folder / named[1], folder) if os.path.lexists(one)), folder)


def served_channels(patient: Patient) -> Iterator[Finding]:
    """Compare the channels that are asked for with those that somebody serves."""
    served = patient.host.notifiers
    there = f"no plugin serves it; there are: {', '.join(served) or 'none'}"
    for name, report in patient.settings.reports.items():
        if report.to and report.channel not in served:
            mend = f"edit [reports.{name}] channel in {patient.file}"
            yield problem(f"report {name}", f"its channel is '{report.channel}': {there}", mend)
    if ("pipeline", "default_channels") in patient.settings.origins:
        for channel in patient.settings.pipeline.default_channels:
            if channel not in served:
                mend = f"edit [pipeline] default_channels in {patient.file}"
                yield warning(f"channel {channel}", f"customers are to be thanked by it: {there}", mend)


CHECKS = (plugins, templates, served_channels)
