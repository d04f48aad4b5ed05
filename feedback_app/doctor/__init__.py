"""`feedback-app doctor`: what is well, what is not, and how to mend it.

A check is one small function of a `Patient` that yields findings; `CHECKS` of each file lists them, and `examining`
runs all of them. Nothing is written and nothing is sent, so it may run beside a daemon.
"""

from feedback_app.doctor.examining import examine
from feedback_app.doctor.findings import Finding
from feedback_app.doctor.patient import Patient

__all__ = ["Finding", "Patient", "examine"]
