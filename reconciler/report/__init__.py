"""How does a report become something that finance reads, prints, adds up or imports?

`write` puts a `core.report.Report` into one of five forms. A report on a run that was cut off, only rehearsed, or whose last day is
not over says so before anything else in each of them.
"""

from reconciler.report.places import OutputRefused
from reconciler.report.words import Language
from reconciler.report.writing import Form, check_place, write

__all__ = ["Form", "Language", "OutputRefused", "check_place", "write"]
