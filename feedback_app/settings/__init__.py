"""The configuration: config.toml and environment variables become typed, frozen settings.

`schema` says what may be configured, `load` brings it together; everything wrong is reported at once.
"""

from feedback_app.settings.load import Reading, load_settings, read_settings
from feedback_app.settings.schema import Settings

__all__ = ["Reading", "Settings", "load_settings", "read_settings"]
