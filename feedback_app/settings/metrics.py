"""`[metrics]`: what Prometheus is told, without a web server.

Annotations are read at run time by pydantic, so they are not postponed here.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from feedback_app.settings import rules
from feedback_app.settings.values import Duration, Table, within


def _prom(text: str) -> str:
    if text and not rules.path_text(text).endswith(".prom"):
        raise rules.RuleError("must end with .prom, or node_exporter leaves it alone")
    return text


class MetricsSettings(Table):
    """Off unless there is a file to write."""

    textfile: Annotated[str, AfterValidator(_prom)] = ""
    interval: Annotated[Duration, within("1s", "1h")] = Field(default="15s", validate_default=True)
