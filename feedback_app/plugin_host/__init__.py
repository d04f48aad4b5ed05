"""Finds, checks and calls plugins; nothing else in the program sees pluggy.

`finding` says which plugins there are, `permissions` who may write them, `registry` talks to pluggy, `tables`
reads a plugin's settings, `checking` judges what its hooks hand back, `demands` compares all that with the
configuration, `blame` words what is wrong, `patience` names who takes long, and `host` brings it together.
"""

from feedback_app.plugin_host.host import PluginHost
from feedback_app.plugin_host.started import PluginInfo, Provider

__all__ = ["PluginHost", "PluginInfo", "Provider"]
