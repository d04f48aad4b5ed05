"""What is packed for containers keeps the rules; no engine is needed to see that."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from feedback_app.cli import run_command_line
from feedback_app.settings import load_settings

PACKAGING = Path(__file__).parents[1] / "packaging"
DOCKERFILE = PACKAGING / "Dockerfile"
COMPOSE: dict[str, Any] = yaml.safe_load((PACKAGING / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "feedback-app"]


class Instruction(NamedTuple):
    """One line of a Dockerfile."""

    name: str
    text: str


def instructions(text: str) -> list[Instruction]:
    """Read a Dockerfile; comments are left out, continued lines put together."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        Instruction(name.upper(), " ".join(rest.split()))
        for line in joined.splitlines()
        if line.strip()
        for name, _, rest in [line.strip().partition(" ")]
    ]


ALL = instructions(DOCKERFILE.read_text())
LAST_STAGE = ALL[max(at for at, one in enumerate(ALL) if one.name == "FROM") :]


def one(name: str) -> str:
    """Return the text of the only such instruction of the last stage."""
    (found,) = [each.text for each in LAST_STAGE if each.name == name]
    return found


def test_the_image_is_built_in_two_stages_on_a_pinned_base() -> None:
    """What builds does not ship; the minor version and the distribution are named."""
    bases = [each.text for each in ALL if each.name == "FROM"]
    assert len(bases) == 2
    assert {base.split()[0] for base in bases} == {"python:3.13-slim-bookworm"}
    assert "Programming Language :: Python :: 3.13" in (PACKAGING.parent / "pyproject.toml").read_text()


def test_the_image_does_not_run_as_root() -> None:
    """By number, so that an orchestrator can see it; the volume is its user's and was made before it is declared."""
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", one("USER"))
    assert one("VOLUME") == one("WORKDIR") == "/var/lib/feedback_app"
    made = [each.text for each in LAST_STAGE if each.name == "RUN"]
    assert any("--mode=0700 /var/lib/feedback_app" in text for text in made)
    order = [each.name for each in LAST_STAGE]
    assert order.index("RUN") < order.index("USER") < order.index("VOLUME")


def test_the_program_gets_the_signals_itself() -> None:
    """No shell stands between; SIGTERM is what it drains on."""
    assert json.loads(one("ENTRYPOINT")) == ["feedback-app"]
    assert json.loads(one("CMD")) == ["run"]
    assert one("STOPSIGNAL") == "SIGTERM"


def test_health_is_asked_of_the_program() -> None:
    """Often enough to be of use, with time to start."""
    options, _, command = one("HEALTHCHECK").partition(" CMD ")
    assert json.loads(command) == ["feedback-app", "status", "--check"]
    assert set(re.findall(r"--([a-z-]+)=", options)) == {"interval", "timeout", "start-period", "retries"}


def test_the_build_gets_what_the_wheel_is_made_of_and_nothing_else() -> None:
    """Neither a ledger nor a secret that lies around in the checkout."""
    lines = (PACKAGING / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {line.removeprefix("!") for line in rules if line.startswith("!")}
    assert let_in == {"feedback_app", "plugins", "migrations", "pyproject.toml", "README.md", "LICENSE"}
    assert all((PACKAGING.parent / name).exists() for name in let_in)


def test_no_secret_stands_in_either_file() -> None:
    """They are named by file."""
    for file in (DOCKERFILE, PACKAGING / "compose.yaml"):
        settings = re.findall(
            r"(?im)^\s*(?:ENV\s+)?(\w*(?:password|secret|token)\w*)[ \t]*[:=][ \t]*(\S.*)$", file.read_text()
        )
        assert [(name, value) for name, value in settings if not value.startswith("/run/secrets/")] == []
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    assert all("@" not in url or ":" not in url.split("//")[1].split("@")[0] for url in _urls())


def _urls() -> list[str]:
    return [SERVICES[name]["environment"]["FEEDBACK_APP_STORE__URL"] for name in OURS]


def test_the_database_is_ready_before_the_ledger_is_upgraded_and_that_before_the_daemon() -> None:
    """Each waits for the one before it."""
    assert SERVICES["db"]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES["upgrade"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert SERVICES["upgrade"]["restart"] == "no"
    assert SERVICES["app"]["depends_on"]["upgrade"] == {"condition": "service_completed_successfully"}
    assert re.fullmatch(r"postgres:\d+-\w+", SERVICES["db"]["image"])


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_may_no_more_than_it_needs(name: str) -> None:
    """No capability, nothing to write but its volume and /tmp."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["volumes"] == ["data:/var/lib/feedback_app"]
    assert "user" not in service  # the image's
    assert not {"privileged", "ports", "network_mode", "pid"} & set(service)


def test_what_is_named_is_declared() -> None:
    """Volumes, secrets and configs; files that are part of the project are there."""
    for service in SERVICES.values():
        assert {one.split(":")[0] for one in service["volumes"]} <= set(COMPOSE["volumes"])
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
        assert {one["source"] for one in service.get("configs", [])} <= set(COMPOSE["configs"])
    assert (PACKAGING / COMPOSE["configs"]["settings"]["file"]).is_file()
    assert (
        PACKAGING / SERVICES["app"]["build"]["context"] / SERVICES["app"]["build"]["dockerfile"]
    ).samefile(DOCKERFILE)


def test_the_daemon_may_finish_before_it_is_killed() -> None:
    """[daemon] grace is 25 seconds."""
    grace = load_settings(PACKAGING.parent / "config.toml", environ={}).daemon.grace
    assert float(SERVICES["app"]["stop_grace_period"].removesuffix("s")) > grace + 10


def test_the_environment_is_understood() -> None:
    """As settings that exist."""
    settings = load_settings(PACKAGING.parent / "config.toml", environ=SERVICES["app"]["environment"])
    assert settings.store.url == "postgresql+psycopg://feedback@db/feedback"
    assert str(settings.store_password_file) == "/run/secrets/db-password"


@pytest.mark.parametrize(
    "command",
    [
        json.loads(one("CMD")),
        json.loads(one("HEALTHCHECK").partition(" CMD ")[2])[1:],
        *(SERVICES[name]["command"] for name in OURS),
    ],
)
def test_every_command_exists(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With its options."""
    assert run_command_line([*command, "--help"]) == 0
    assert f"Usage: feedback-app {command[0]}" in capsys.readouterr().out


def test_the_reader_of_this_test_joins_lines() -> None:
    """The test of the test."""
    assert instructions("# x\nRUN a \\\n    # why\n    && b\nuser 1:1\n") == [
        ("RUN", "a && b"),
        ("USER", "1:1"),
    ]
