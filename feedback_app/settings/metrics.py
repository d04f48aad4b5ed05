"""`[metrics]`: what Prometheus is told, without a web server.

Annotations are read at run time by pydantic, so they are not postponed here.
"""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from feedback_app.settings import rules
from feedback_app.settings.durations import format_duration, parse_duration

_Interval = Annotated[
    float,  # seconds
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["15s", "1m"]}),
    AfterValidator(rules.between("1s", "1h")),
]


def _prom(text: str) -> str:
    if text and not rules.path_text(text).endswith(".prom"):
        raise rules.RuleError("must end with .prom, or node_exporter leaves it alone")
    return text


class MetricsSettings(BaseModel):
    """Off unless there is a file to write."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    textfile: Annotated[str, AfterValidator(_prom)] = ""
    interval: _Interval = Field(default="15s", validate_default=True)
