"""Each form of a report says the same, says first what is not whole, and lets nothing hostile through."""

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import openpyxl
import pytest

from reconciler.core.report import Discrepancy, PaymentLine, PayoutLine, Report, RunState
from reconciler.language import Language
from reconciler.report import Form, OutputRefused
from reconciler.report.comma import FILES, cell
from reconciler.report.page import ROWS_SHOWN
from reconciler.report.sheets import write_book
from reconciler.report.tongue import Tongue
from reconciler.report.writing import write
from tests.report.samples import HOSTILE, cut_off, differences, payments, quiet, sample

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
LANGUAGES: tuple[Language, ...] = ("en", "fr")
PROVISIONAL = [
    (cut_off(), "CUT OFF"),
    (quiet(state=RunState.RUNNING), "NOT ENDED"),
    (quiet(is_dry=True), "DRY RUN"),
    (quiet(day_not_over=True), "DAY NOT OVER"),
]


def written(report: Report, form: Form, tmp_path: Path, locale: Language = "en") -> Path:
    """A report in one form."""
    out = tmp_path / f"report.{form}"
    write(report, form, out, locale=locale)
    return out


class Tags(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element; the parser calls it by this name."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(("report", "mark"), PROVISIONAL)
def test_it_says_first_what_is_not_whole(report: Report, mark: str, tmp_path: Path) -> None:
    """In each form the first line, cell or title says that the numbers are not whole, real or final."""
    assert written(report, Form.TABLE, tmp_path).read_text().startswith(mark)
    page = written(report, Form.HTML, tmp_path).read_text()
    assert f"<title>{mark} · " in page
    assert page.index("notice") < page.index("<h1>")
    document = written(report, Form.JSON, tmp_path).read_text()
    assert list(json.loads(document))[:4] == ["state", "is_complete", "is_dry", "notices"]
    assert json.loads(document)["notices"][0].startswith(mark)
    for sheet in openpyxl.load_workbook(written(report, Form.XLSX, tmp_path)):
        assert str(sheet["A1"].value).startswith(mark)
    for table in written(report, Form.CSV, tmp_path).iterdir():
        assert table.read_text(encoding="utf-8-sig").startswith(f'"{mark}: ')


@pytest.mark.parametrize("locale", LANGUAGES)
def test_it_writes_json_as_its_schema_says(locale: Language, tmp_path: Path) -> None:
    """Real output has the documented keys and no others, and its text steers nothing and marks nothing up."""
    for report in (sample(), cut_off(), quiet(), quiet(signed_by="marie")):
        text = written(report, Form.JSON, tmp_path, locale).read_text()
        found = json.loads(text)

        jsonschema.Draft202012Validator(SCHEMA).validate(found)
        assert text.replace("\n", "").isprintable()
        assert text.isascii()
        assert not set("<>&") & set(text)

    written(sample(), Form.JSON, tmp_path, locale)
    found = json.loads((tmp_path / "report.json").read_text())
    assert [each["id"] for each in found["payments"]] == [each.id for each in payments()]
    assert (found["payments"][2]["received_minor"], found["payments"][2]["received"]) == (
        1230,
        "1.230",
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_it_writes_no_formula_into_csv(text: str) -> None:
    """No cell begins as a formula, also where another mark separates cells, and nothing in it steers a terminal."""
    shown = str(cell(text))

    assert shown.isprintable()
    for part in re.split(r"[;,|\t]", shown):
        assert part.strip(' "')[:1] not in set("=+-@\uff1d\uff0b\uff0d\uff20") or part.strip() == ""


def test_it_writes_csv_that_a_program_reads(tmp_path: Path) -> None:
    """A folder has every table with a byte order mark; numbers stay numbers, in both units."""
    out = written(sample(), Form.CSV, tmp_path)

    assert {each.name for each in out.iterdir()} == FILES
    assert all(each.read_bytes().startswith(b"\xef\xbb\xbf") for each in out.iterdir())
    with (out / "payments.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (rows[2]["received_minor"], rows[2]["received"], rows[2]["currency"]) == (
        "1230",
        "1.230",
        "kwd",
    )
    assert rows[-1]["received"] == "-0.05"
    assert len(rows) == len(list(payments()))


def test_it_writes_sheets_without_formula_or_link(tmp_path: Path) -> None:
    """In the sheets' XML there is no formula, link or markup of a payer's: every text is a text."""
    with zipfile.ZipFile(written(sample(), Form.XLSX, tmp_path)) as book:
        names = book.namelist()
        sheets = [book.read(name).decode() for name in names if "worksheets/sheet" in name]

    assert len(sheets) == 9
    for xml in sheets:
        assert not re.search(r"<f[ >]|<hyperlink|<script|<img", xml)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", xml)
    assert not [name for name in names if "externalLink" in name or "_rels/sheet" in name]
    assert any("=HYPERLINK(" in xml for xml in sheets)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_it_writes_numbers_and_moments_on_the_first_sheet(locale: Language, tmp_path: Path) -> None:
    """Of what was asked, numbers are numbers and moments are moments by the clock of the report's zone."""
    sheet = openpyxl.load_workbook(written(sample(), Form.XLSX, tmp_path, locale)).worksheets[0]
    values = [row[1] for row in sheet.iter_rows(max_row=18, values_only=True)]

    assert {7, 10_345, 412} <= set(values)
    assert datetime(2026, 4, 2, 10, 30, 5) in values  # noqa: DTZ001 - a spreadsheet knows no zone
    assert sum(isinstance(each, datetime) for each in values) == 3


@pytest.mark.parametrize("locale", LANGUAGES)
def test_it_shows_apart_what_was_accepted(locale: Language, tmp_path: Path) -> None:
    """What Stripe does not know and a person has accepted has a line of its own in text and page, only where there is some."""
    words = {"en": "Accepted, not at Stripe", "fr": "Accepté, absent de Stripe"}[locale]
    whole = sample()
    some = replace(
        whole, ledger=(replace(whole.ledger[0], not_at_stripe_minor=4_321), *whole.ledger[1:])
    )

    for form in (Form.TABLE, Form.HTML):
        text = written(some, form, tmp_path, locale).read_text()
        assert words in text
        assert "43" + {"en": ".", "fr": ","}[locale] + "21" in text
        assert words not in written(whole, form, tmp_path, locale).read_text()


def test_it_writes_numbers_and_dates_that_add_up_and_sort(tmp_path: Path) -> None:
    """Amounts are numbers with the currency's decimals, days are dates; heads are frozen and can be filtered."""
    book = openpyxl.load_workbook(written(sample(), Form.XLSX, tmp_path))
    sheet = book["Payments"]

    assert book.sheetnames[:4] == ["Summary", "Differences", "Payments", "Refunds"]
    assert book.sheetnames[4:8] == ["Disputes", "Days", "Sales", "Payouts"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", f"A1:N{sheet.max_row}")
    assert isinstance(sheet["B2"].value, datetime)
    formats = [(sheet[f"E{row}"].value, sheet[f"E{row}"].number_format) for row in (2, 3, 4)]
    assert [(value, form.split(";")[0]) for value, form in formats] == [
        (12.5, "#,##0.00"),
        (500, "#,##0"),
        (1.23, "#,##0.000"),
    ]


def test_it_goes_on_in_a_second_sheet() -> None:
    """What is longer than a sheet goes on in the next one, and no row is lost or told twice."""
    stream = io.BytesIO()

    write_book(sample(), stream, Tongue("fr", "UTC"), rows_a_sheet=7)

    book = openpyxl.load_workbook(stream)
    names = [name for name in book.sheetnames if name.startswith("Paiements")]
    assert names == ["Paiements", "Paiements 2", "Paiements 3"]
    assert sum(book[name].max_row - 1 for name in names) == len(list(payments()))


@pytest.mark.parametrize("locale", LANGUAGES)
def test_it_writes_a_page_that_fetches_and_runs_nothing(locale: Language, tmp_path: Path) -> None:
    """The page has none but its own elements, no script, link or picture, and forbids them by its policy."""
    text = written(cut_off(), Form.HTML, tmp_path, locale).read_text()
    found = Tags(text)

    assert not found.tags & {"script", "img", "a", "link", "iframe", "object", "form", "base"}
    assert not found.attributes & {"src", "href", "style", "onerror", "onload", "onclick"}
    assert re.search(r"default-src 'none'; style-src 'sha256-[\w+/=]+'", text.replace("&#39;", "'"))
    assert f'<html lang="{locale}">' in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)
    assert {"svg", "rect", "table"} <= found.tags


def test_it_shows_the_first_thousand_differences_and_how_many_more(tmp_path: Path) -> None:
    """A page is no book: what is left out is counted."""
    first = next(differences())
    kind, outcome = first.kind, first.outcome

    def many() -> list[Discrepancy]:
        return [replace(first, subject=f"pi_{number:05}") for number in range(ROWS_SHOWN + 234)]

    report = replace(
        quiet(), differences=many, differences_by_kind=((kind, outcome, ROWS_SHOWN + 234),)
    )
    page = written(report, Form.HTML, tmp_path).read_text()
    table = written(report, Form.TABLE, tmp_path).read_text()

    assert ("pi_00999" in page, "pi_01000" in page, "234 more" in page) == (True, False, True)
    assert ("pi_00049" in table, "pi_00050" in table, "1,184 more" in table) == (True, False, True)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_it_prints_no_more_than_eighty_columns(
    locale: Language, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer than the terminal, no number is broken, no colour or markup gets into what is not one."""
    monkeypatch.setenv("COLUMNS", "80")
    large = replace(
        sample(),
        ledger=tuple(replace(e, charges_minor=e.charges_minor * 10**6) for e in sample().ledger),
    )

    write(large, Form.TABLE, locale=locale)

    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "[bold red]not red[/bold red]" in text
    assert Tongue(locale, "UTC").number(large.ledger[0].net_minor, "usd") in text


def test_it_keeps_the_old_file_if_its_source_fails(tmp_path: Path) -> None:
    """Whatever form is cut off while it is written leaves what was there, and nothing beside it."""

    def broken() -> list[PaymentLine]:
        raise LookupError("the database is away")

    for form in (Form.JSON, Form.XLSX, Form.CSV):
        out = written(quiet(), form, tmp_path)
        with pytest.raises(LookupError):
            write(replace(sample(), payments=broken), form, out)
    assert {each.name for each in tmp_path.iterdir()} == {
        "report.json",
        "report.xlsx",
        "report.csv",
    }
    assert json.loads((tmp_path / "report.json").read_text())["payments"] == []


def test_it_needs_a_folder_for_csv() -> None:
    """Several tables do not fit on standard output."""
    with pytest.raises(OutputRefused, match="name one with --output"):
        write(quiet(), Form.CSV)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", list(Form))
def test_it_tells_in_each_form_what_else_is_open(
    form: Form, language: Language, tmp_path: Path
) -> None:
    """How many questions about these days are in the queue stands in every form, whatever its language."""
    report = replace(quiet(), open_questions=3_017)

    out = written(report, form, tmp_path, language)

    if form is Form.XLSX:
        cells = [cell.value for row in openpyxl.load_workbook(out).worksheets[0] for cell in row]
        text = " ".join(map(str, cells))
    else:
        text = (out / "summary.csv" if form is Form.CSV else out).read_text("utf-8")
    words = {"en": "in the queue: 3,017", "fr": "dans la file : 3\u202f017"}[language]
    shown = json.loads(text)["next_steps"][0] if form is Form.JSON else " ".join(text.split(" "))
    assert words in shown.replace("\n", " ").replace("\u202f\n", "\u202f")
    if form is Form.JSON:
        assert json.loads(text)["open_questions"] == 3_017
    if form is Form.CSV:
        assert '"open_questions",3017' in text


@pytest.mark.parametrize("form", [Form.TABLE, Form.HTML, Form.XLSX])
def test_it_says_what_here_means_in_a_dry_run(form: Form, tmp_path: Path) -> None:
    """Before anything was done, what is here is called so, and the gap is what would be left."""
    texts = []
    for is_dry in (True, False):
        out = written(sample(is_dry=is_dry), form, tmp_path)
        if form is Form.XLSX:
            sheet = openpyxl.load_workbook(out).worksheets[0]
            texts.append(" ".join(str(cell.value) for row in sheet for cell in row))
        else:
            texts.append(out.read_text("utf-8"))

    dry, wet = texts
    assert "Here before" in dry
    assert "Gap after" in dry
    assert "Here before" not in wet
    assert "Gap after" not in wet


ARRIVALS = [
    ("en", 12_345_678, "Mar 27", "123,456.78 EUR"),
    ("fr", 12_345_678, "27 mars", "123\u202f456,78 EUR"),
    ("fr", 123_456_789_012, "", "1\u202f234\u202f567\u202f890,12 EUR"),
]


@pytest.mark.parametrize(("language", "amount", "arrives", "shown"), ARRIVALS)
def test_it_says_in_80_columns_when_a_payout_arrives(
    language: Language, amount: int, arrives: str, shown: str, tmp_path: Path
) -> None:
    """Each payout has the day on which the bank has it, if there is room; ids and numbers are whole in any case."""
    payout = PayoutLine(
        id="po_1NxSample0abcdefghijklmn",
        day=date(2026, 3, 12),
        currency="eur",
        amount_minor=amount,
        status="in_transit",
        arrives_on=date(2026, 3, 27),
        is_complete=True,
        payments=12_345,
    )

    lines = written(replace(quiet(), payouts=(payout,)), Form.TABLE, tmp_path, language).read_text()

    (line,) = [each for each in lines.splitlines() if payout.id in each]
    assert (arrives or "12 mars") in line
    assert line.count("mars") + line.count("Mar") == (2 if arrives else 1)
    assert shown in line
    assert {"en": "12,345", "fr": "12\u202f345"}[language] in line
    assert max(map(len, lines.splitlines())) <= 80
