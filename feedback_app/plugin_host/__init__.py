"""Finds, checks and calls plugins; nothing else in the program sees pluggy.

`finding` says which plugins there are, `permissions` who may write them, `registry` talks to pluggy, `tables`
reads a plugin's settings, `checking` judges what its hooks hand back, `demands` compares all that with the
configuration, `api` knows which version a plugin wants, `bringing_up` takes one through all that, `blame` words what
is wrong, `patience` names who takes long, `host` brings it together, and `alone` gives one plugin to who tests it.
`sections` and `observers` call the hooks that are called later than at start.
"""

from feedback_app.plugin_host.alone import OnePlugin
from feedback_app.plugin_host.host import PluginHost
from feedback_app.plugin_host.observers import Observers
from feedback_app.plugin_host.sections import Sections
from feedback_app.plugin_host.started import PluginInfo, Provider

__all__ = ["Observers", "OnePlugin", "PluginHost", "PluginInfo", "Provider", "Sections"]
