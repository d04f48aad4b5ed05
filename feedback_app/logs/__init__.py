"""How log lines leave the program: about what they are, how often one is said, and a way out that holds nothing up."""

from feedback_app.logs.about import about
from feedback_app.logs.outage import Outage
from feedback_app.logs.queue import LogQueue, dropped_lines, flush_logs

__all__ = ["LogQueue", "Outage", "about", "dropped_lines", "flush_logs"]
