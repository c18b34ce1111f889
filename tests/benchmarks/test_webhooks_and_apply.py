"""Whether the benchmarks of webhooks and of apply measure what they say; how fast it is, is for `make bench`."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import applying, chart, sheets, taken, webhooks
from benchmarks.books import many_sqlite
from benchmarks.deliveries import SECRET, Deliveries, event_id, invoice_id, payment_id
from benchmarks.sheets import Bar, Sheet
from benchmarks.shops import Shop
from reconciler.core.observation import IntentSeen
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.signature import verify
from reconciler.stripe_api.translate import Vocabulary, translate
from webhook.wiring import utc_now

MISSING = [name for name in ("flask", "gunicorn") if importlib.util.find_spec(name) is None]


def a_sheet(database: str, per_s: float) -> Sheet:
    """Make a sheet with one row, one target and one bar."""
    return Sheet(
        benchmark="webhooks",
        database=database,
        told=["a day"],
        columns=[("what", ""), ("requests/s", ",.0f")],
        rows=[["ours", per_s]],
        targets=[("at least 1", per_s, "met")],
        bars=[Bar(says="ours & theirs", value=per_s, is_ours=True)],
    )


def test_it_delivers_events_that_pay_an_invoice_each() -> None:
    """Each request is signed, has the size of Stripe's, and tells of a payment and an invoice of its own."""
    deliveries = Deliveries(first=7, count=3)

    for place in range(3):
        head, _, body = deliveries.request(place).partition(b"\r\n\r\n")
        [header] = [
            line.partition(b": ")[2].decode()
            for line in head.split(b"\r\n")
            if line.startswith(b"Stripe-Signature")
        ]
        verify(body, header, (SECRET,), now=utc_now(), tolerance_s=300)
        told = read_event(body)
        [seen] = translate(told, Vocabulary()).observations

        assert f"Content-Length: {len(body)}\r\n".encode() in head
        assert 3000 < len(body) < 4500
        assert isinstance(seen.projection, IntentSeen)
        assert (told.id, seen.projection.id) == (event_id(7 + place), payment_id(7 + place))
        assert invoice_id(7 + place) in {each.value for each in seen.projection.references}


@pytest.mark.skipif(bool(MISSING), reason=f"needs the extra `bench`: {', '.join(MISSING)}")
def test_it_measures_webhooks_beside_the_afternoon() -> None:
    """Every system answers 200 to each delivery, what was acknowledged is in its database, and every target has its figure."""
    with many_sqlite() as fresh:
        asked = webhooks.Asked(connections=(2,), seconds=0.3, repeats=1, fresh=fresh)
        figures = list(webhooks.Bench(asked).figures())

    names = [each.name.partition(" at ")[0] for each in figures]
    assert names == [
        taken.EMPTY,
        taken.STORING,
        taken.AFTERNOON,
        taken.OURS,
        taken.AGAIN,
        taken.BESIDE,
        taken.OURS_TWICE,
    ]
    assert [(each.refused, each.lost) for each in figures] == [(0, 0)] * 7
    assert all(each.middle.answers.answered > 0 for each in figures)
    assert all(each.rss_mib > 0 for each in figures)
    goals = taken.targets(figures, "SQLite")
    assert [goal.verdict()[2] for goal in goals[-2:]] == ["met", "met"]
    assert len(taken.bars(figures)) == 5


def test_it_sees_what_was_acknowledged_and_is_not_there() -> None:
    """Of three acknowledged deliveries of which none was stored, three are lost."""
    with many_sqlite() as fresh:
        shop = Shop("afternoon", fresh())
        shop.open(Path())
        shop.bill(3)

        lost = shop.lost(first=0, sent=3, acknowledged=3)
        shop.close()

    assert lost == 3


def test_it_measures_pages_beside_upserts() -> None:
    """The first pages settle every invoice and the next none, and every target has its figure."""
    with many_sqlite() as fresh:
        asked = applying.Asked(count=200, repeats=1, fresh=fresh)
        figures = list(applying.Bench(asked).figures())

    assert [each.objects for each in figures] == [200] * 4
    assert [each.news for each in figures] == [200, 0, None, None]
    assert [goal.figure.objects for goal in applying.targets(figures, "SQLite")] == [200] * 4


def test_it_keeps_the_newest_sheet_of_each(tmp_path: Path) -> None:
    """A file holds one sheet for each benchmark and database, and what is read is what was kept."""
    file = tmp_path / "build" / "benchmarks.json"
    for database, per_s in (("SQLite", 1.0), ("PostgreSQL", 2.0), ("SQLite", 3000.0)):
        kept = sheets.keep(file, a_sheet(database, per_s))

    read = sheets.read(file)
    assert [(each.database, each.rows[0][1]) for each in read] == [
        ("PostgreSQL", 2.0),
        ("SQLite", 3000.0),
    ]
    assert [each.table() for each in read] == [each.table() for each in kept]
    assert read[1].table()[2] == "| ours | 3,000 |"
    assert read[1].judged()[2] == "| at least 1 | 3,000.00 | met |"


def test_it_draws_a_bar_for_each_figure() -> None:
    """The chart is XML, and has a bar for each figure, the longest of a sheet as wide as there is room."""
    sheet = a_sheet("SQLite", 10.0)
    bars = [*sheet.bars, Bar(says="theirs", value=5.0, is_ours=False)]

    drawn = chart.drawn([replace(sheet, bars=bars), a_sheet("PostgreSQL", 1.0)])

    found = ET.fromstring(drawn).findall("{http://www.w3.org/2000/svg}rect")  # noqa: S314 - it is our own
    assert [float(each.attrib["width"]) for each in found] == [360.0, 180.0, 360.0]
