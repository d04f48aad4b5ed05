"""Everything that can be configured: types, bounds and defaults. `docs/configuration.md` explains each key.

Annotations are read at run time by pydantic, so they are not postponed here.
"""

from datetime import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from feedback_app.settings import rules
from feedback_app.settings.backup import Backup, BackupSettings
from feedback_app.settings.durations import format_duration
from feedback_app.settings.layers import Origin, Place
from feedback_app.settings.metrics import MetricsSettings
from feedback_app.settings.redaction import redact
from feedback_app.settings.retention import RetentionSettings
from feedback_app.settings.values import (
    Duration,
    Name,
    Names,
    Number,
    PathText,
    Table,
    Workers,
    plain,
    within,
)


def _table(value: object) -> object:
    """Beside its own keys, `[plugins]` holds a table for each plugin, and nothing else."""
    if not isinstance(value, dict):
        raise PydanticCustomError("extra_forbidden", "unknown key")
    return value


class RatingSettings(Table):
    """`[rating]`: the scale, and what counts as low."""

    minimum: Number = 1.0
    maximum: Number = Field(default=5, validate_default=True)
    step: Number = Field(default=1, validate_default=True)
    low_below: Number = Field(default=3, validate_default=True)

    @field_validator("maximum")
    @classmethod
    def _is_above_minimum(cls, maximum: float, info: ValidationInfo) -> float:
        minimum = info.data.get("minimum")
        if minimum is not None and maximum <= minimum:
            raise rules.RuleError(f"must be above minimum ({plain(minimum)})")
        return maximum

    @field_validator("step")
    @classmethod
    def _divides_the_scale(cls, step: float, info: ValidationInfo) -> float:
        if step <= 0:
            raise rules.RuleError("must be above 0")
        if {"minimum", "maximum"} <= info.data.keys():
            # As written in decimals, for 0.1 has no exact float.
            low, high, exact = (Fraction(str(n)) for n in (info.data["minimum"], info.data["maximum"], step))
            if (high - low) % exact:
                raise rules.RuleError(f"must lead from {float(low):g} to {float(high):g} in whole steps")
        return step

    @field_validator("low_below")
    @classmethod
    def _is_on_the_scale(cls, low_below: float, info: ValidationInfo) -> float:
        if {"minimum", "maximum", "step"} <= info.data.keys():
            # One step above the scale makes every rating a low one.
            low, high = info.data["minimum"], info.data["maximum"] + info.data["step"]
            if not low <= low_below <= high:
                raise rules.RuleError(f"must be from {plain(low)} to {plain(high)}")
        return low_below


class PipelineSettings(Table):
    """`[pipeline]`: what happens to a rating."""

    workers: Workers = 64  # ratings worked on at once
    thank_low_ratings: bool = False
    default_channels: Names = ("email", "sms")  # in order, for customers who never said what they prefer


class StoreSettings(Table):
    """`[store]`: where the ledger is."""

    url: Annotated[str, AfterValidator(rules.store_url)] = "sqlite:///feedback.db"
    password_file: Annotated[str, AfterValidator(rules.password_file)] = (
        ""  # holds the password of the database's user, so that it need not stand in the URL
    )

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file."""
        return self.url.startswith(rules.SQLITE)


class IntakeSettings(Table):
    """`[intake]`: how new ratings are noticed."""

    poll_interval: Annotated[Duration, within("100ms", "1h")] = Field(default="1s", validate_default=True)


class DeliverySettings(Table):
    """`[delivery]`: how messages leave."""

    workers: Workers = 16  # messages being sent at once, per channel
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    backoff_initial: Annotated[Duration, within("1ms", "30d")] = Field(default="30s", validate_default=True)
    backoff_maximum: Annotated[Duration, within("1ms", "30d")] = Field(default="1h", validate_default=True)

    @field_validator("backoff_maximum")
    @classmethod
    def _is_not_below_initial(cls, maximum: float, info: ValidationInfo) -> float:
        initial = info.data.get("backoff_initial")
        if initial is not None and maximum < initial:
            raise rules.RuleError(f"must be at least backoff_initial ({format_duration(initial)})")
        return maximum


class DaemonSettings(Table):
    """`[daemon]`: how it stops."""

    grace: Annotated[Duration, within("0s", "1h")] = Field(default="25s", validate_default=True)


class BusinessSettings(Table):
    """`[business]`: who speaks."""

    name: Annotated[str, AfterValidator(rules.one_line)] = "Our team"  # signs the messages


class TemplatesSettings(Table):
    """`[templates]`: own wordings."""

    directory: PathText = "templates"


class PluginsSettings(Table):
    """`[plugins]`: which plugins there are; every further table is a plugin's own, checked by the plugin."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Name, Annotated[dict[str, Any], BeforeValidator(_table)]] = Field(init=False)

    directory: PathText = "plugins"
    disabled: Names = ()
    required: Names = ()

    @field_validator("required")
    @classmethod
    def _are_not_disabled(cls, required: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        both = [name for name in required if name in info.data.get("disabled", ())]
        if both:
            raise rules.RuleError(f"must not name '{both[0]}', which is disabled")
        return required

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The plugins' own tables by plugin, as written: `[plugins.email_notifier]`."""
        return self.__pydantic_extra__


class ChannelSettings(Table):
    """`[channels.NAME]`: who serves a channel."""

    providers: Annotated[
        Names, Field(min_length=1, json_schema_extra={"minItems": 1})
    ]  # plugins, the first is asked first


class LimitSettings(Table):
    """`[limits.PLUGIN]`: how many messages a provider is given, by all daemons together; 0 means no limit."""

    per_second: Annotated[
        float, Field(ge=0, le=100_000, allow_inf_nan=False), PlainSerializer(plain, return_type=int | float)
    ] = 0.0
    per_day: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0  # in any 24 hours


class ReportSettings(Table):
    """`[reports.NAME]`: a daily report."""

    at: Annotated[str, AfterValidator(rules.clock_time)] = "08:00"
    timezone: Annotated[str, AfterValidator(rules.time_zone)] = "UTC"
    channel: Name = "email"
    to: Annotated[
        tuple[Annotated[str, AfterValidator(rules.recipient)], ...],
        Field(strict=False),
        AfterValidator(rules.unique),
    ] = ()  # nobody: the report is kept, not sent
    catch_up: Annotated[int, Field(ge=0, le=366)] = 7  # days made up at most after the daemon was down

    @property
    def time_of_day(self) -> time:
        """`at`, without a zone."""
        return time.fromisoformat(self.at)

    @property
    def zone(self) -> ZoneInfo:
        """`timezone`, loaded."""
        return ZoneInfo(self.timezone)


class Tables(Table):
    """All that a configuration file may hold."""

    rating: RatingSettings = Field(default_factory=RatingSettings)
    pipeline: PipelineSettings = Field(default_factory=PipelineSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    daemon: DaemonSettings = Field(default_factory=DaemonSettings)
    business: BusinessSettings = Field(default_factory=BusinessSettings)
    templates: TemplatesSettings = Field(default_factory=TemplatesSettings)
    plugins: PluginsSettings = Field(default_factory=PluginsSettings)
    channels: dict[Name, ChannelSettings] = Field(default_factory=dict)
    limits: dict[Name, LimitSettings] = Field(default_factory=dict)
    reports: dict[Name, ReportSettings] = Field(default_factory=dict, validate_default=True)
    backup: Backup = Field(default_factory=BackupSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)

    @field_validator("reports")
    @classmethod
    def _daily_is_always_there(cls, reports: dict[str, ReportSettings]) -> dict[str, ReportSettings]:
        return {"daily": ReportSettings(), **reports}


class Settings(Tables):
    """The configuration in force, and where it comes from. `load_settings` makes it."""

    files: tuple[Path, ...] = ()  # absolute, in the order they were read
    directory: Path = Field(default_factory=Path.cwd)  # absolute; where relative paths start
    origins: dict[Place, Origin] = Field(default_factory=dict)  # what is not in here has its default
    warnings: tuple[str, ...] = ()  # a line each

    @property
    def store_path(self) -> Path:
        """The SQLite file of the ledger."""
        return self.directory / self.store.url.removeprefix(rules.SQLITE)

    @property
    def store_password_file(self) -> Path | None:
        """Where the password of the ledger's server is, if it is in a file."""
        return self.directory / self.store.password_file if self.store.password_file else None

    @property
    def templates_directory(self) -> Path:
        """Where the user's own templates are, if any."""
        return self.directory / self.templates.directory

    @property
    def plugins_directory(self) -> Path:
        """Where drop-in plugins are, if any."""
        return self.directory / self.plugins.directory

    @property
    def metrics_textfile(self) -> Path | None:
        """What is written for Prometheus, if anything."""
        return self.directory / self.metrics.textfile if self.metrics.textfile else None

    def redacted(self) -> dict[str, Any]:
        """Return the configuration in the form of its file, fit for JSON, with the secrets hidden."""
        return redact(self.model_dump(mode="json", include=set(Tables.model_fields)))

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Return the JSON Schema of configuration files."""
        dialect = "https://json-schema.org/draft/2020-12/schema"
        return {"$schema": dialect, **Tables.model_json_schema(), "title": "feedback_app's config.toml"}
