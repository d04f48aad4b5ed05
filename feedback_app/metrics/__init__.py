"""What the daemon tells Prometheus: one registry, written into a file, or served by whoever has a web server.

Imported only where it is asked for: `prometheus_client` takes a while to load.
"""

from feedback_app.metrics.registry import Metrics
from feedback_app.metrics.textfile import Textfile

__all__ = ["Metrics", "Textfile"]
