"""The main road: analyse, route, keep low, form the message.

Pure: no database, no network, no clock of its own. One rating and its customer go in, one Outcome comes out.
"""

from feedback_app.pipeline.composer import Composer
from feedback_app.pipeline.road import Pipeline, Policy

__all__ = ["Composer", "Pipeline", "Policy"]
