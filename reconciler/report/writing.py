"""Which form does a report get, and where does it go?"""

import sys
from io import TextIOWrapper
from pathlib import Path

from reconciler.core.report import Report
from reconciler.language import Language
from reconciler.report.comma import FILES, write_tables
from reconciler.report.document import write_document
from reconciler.report.forms import Form
from reconciler.report.page import write_page
from reconciler.report.places import (
    OutputRefused,
    check_file,
    check_folder,
    new_file,
    new_folder,
)
from reconciler.report.sheets import write_book
from reconciler.report.terminal import print_report
from reconciler.report.tongue import Tongue

_WRITERS = {Form.XLSX: write_book, Form.JSON: write_document, Form.HTML: write_page}


def check_place(form: Form, out: Path | None) -> None:
    """Raise OutputRefused if `write` could not write there: an hour's run must not end with that."""
    if form is Form.CSV:
        check_folder(_folder(out), FILES)
    elif out is not None:
        check_file(out)
    elif form is Form.XLSX and sys.stdout.isatty():
        raise OutputRefused("a terminal can't show xlsx: name a file with --output")


def _folder(out: Path | None) -> Path:
    if out is None:
        raise OutputRefused("csv is a folder of tables: name one with --output")
    return out


def write(report: Report, form: Form, out: Path | None = None, *, locale: Language = "en") -> None:
    """Write a report to a file, for CSV a folder, or to standard output. Raises OutputRefused with the mend.

    What is at its place already is replaced once the new one is whole, and kept if it never is.
    """
    tongue = Tongue(locale, report.head.zone)
    if form is Form.CSV:
        with new_folder(_folder(out), FILES) as folder:
            write_tables(report, folder, tongue)
        return
    if form is Form.TABLE and out is None:
        print_report(report, None, tongue)
        return
    check_place(form, out)
    with new_file(out) as stream:
        if form is Form.TABLE:
            text = TextIOWrapper(stream, encoding="utf-8", newline="\n")
            print_report(report, text, tongue)
            text.flush()
            text.detach()
        else:
            _WRITERS[form](report, stream, tongue)
