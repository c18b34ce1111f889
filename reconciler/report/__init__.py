"""How does a report become something that finance reads, prints, adds up or imports?

`writing.write` puts a `core.report.Report` into one of five forms. A report on a run that was cut off, only rehearsed, or whose last day is
not over says so before anything else in each of them.
"""

from reconciler.report.forms import Form
from reconciler.report.places import OutputRefused

# Not `writing`: what it needs takes longer to load than many a command to run.
__all__ = ["Form", "OutputRefused"]
