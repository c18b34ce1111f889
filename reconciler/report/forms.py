"""Which forms has a report? Nothing heavy is loaded to know it."""

from enum import StrEnum


class Form(StrEnum):
    """The forms of a report, by the words of `--format`."""

    TABLE = "table"
    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    HTML = "html"
