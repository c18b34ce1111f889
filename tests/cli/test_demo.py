"""Does the demo show, as real processes, that the books come to equal the simulated Stripe's truth, and would it say if not?"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.apply import Policy
from reconciler.cli.demo.house import furnished
from reconciler.cli.demo.ledger import Ledger
from reconciler.cli.demo.verdict import differences
from reconciler.db.session import Database
from reconciler.simulator.truth import InvoiceTruth, Truth
from reconciler.simulator.world import AppInvoice
from tests.cli.program import Program

WIDTH = 80
# What may be late by then, because the daemon has ended.
SWEEPS = {"events", "events_deep", "leader"}
# Nine stories that are soon told: three Payment Links, a refund, two bank debits, another currency, one payment for two.
SHORT = ("--seed", "31", "--payments", "9")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str, str]:
    """Run the demo once, without a terminal, and keep its folder: folder, exit code and what it said."""
    place = tmp_path_factory.mktemp("demo")
    answer = Program(place).run("demo", "--keep", *SHORT, TMPDIR=str(place))
    folders = [each for each in place.iterdir() if each.name.startswith("reconciler-demo-")]
    assert len(folders) == 1, answer.everything
    return folders[0], answer.code, answer.out, answer.err


def test_it_ends_equal_though_webhooks_are_lost(kept: tuple[Path, int, str, str]) -> None:
    """Every invoice is as in truth, some news came by the sweep alone, and the exit code is 0."""
    _, code, out, err = kept

    assert "EQUAL: all 10 invoices" in out, out
    assert "≠" not in out
    assert "webhook lost" in out
    assert (code, err) == (0, "")


def test_it_fits_a_terminal_of_80_columns(kept: tuple[Path, int, str, str]) -> None:
    """No line is wider than 80 columns, and none steers a terminal where there is none."""
    _, _, out, _ = kept
    lines = [line for line in out.splitlines() if not line.startswith("  cd ")]

    assert [line for line in lines if len(line) > WIDTH] == []
    assert "\x1b" not in out


def test_it_leaves_what_its_last_words_promise(kept: tuple[Path, int, str, str]) -> None:
    """The commands that it names work in the folder that it names, and nothing there was logged as an error."""
    folder, _, out, _ = kept
    program = Program(folder)

    explained = program.run("explain", "INV-0001")

    assert str(folder) in out
    assert explained.code == 0
    assert "INV-0001" in explained.out
    assert "unmatched_payment" in program.run("exceptions", "list", "--json").out
    status = {each["what"]: each for each in json.loads(program.run("status", "--json").out)}
    assert {what for what, line in status.items() if line["state"] == "RED"} <= SWEEPS
    assert "60 times as fast" in status["demo"]["words"]
    assert program.run("verify", "--rebuild").code == 0
    log = (folder / "reconciler.log").read_text()
    assert "Traceback" not in log
    assert "whsec_" not in log
    assert "sk_test_" not in log


def test_it_leaves_nothing_unless_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without --keep the folder is gone in the end."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with furnished(keep=False) as house:
        assert house.config.exists()

    assert list(tmp_path.iterdir()) == []


def test_it_names_what_differs_from_the_truth(database: Database) -> None:
    """An invoice that is open here and paid in truth is told, value by value."""
    now = datetime.now(UTC)
    ledger = Ledger(database, Policy())
    billed = AppInvoice(id="1001", number="INV-0001", currency="eur", amount_due=500)
    ledger.write_invoice(billed, now)
    told = {"status": "open", "payment_status": None, "received": 0, "net": 0}
    rest = {"refunded": 0, "disputed": 0, "paid_at_ms": None}
    same = InvoiceTruth(invoice_id="1001", **told, **rest)
    other = InvoiceTruth(
        invoice_id="1001", **(told | {"status": "paid", "received": 500, "net": 500}), **rest
    )

    equal, unequal = (
        ledger.verdicts(Truth(invoices={"1001": each}, unmatched=frozenset()))
        for each in (same, other)
    )

    assert differences(equal) == []
    assert [line.split(" differs")[0] for line in differences(unequal)] == [
        "INV-0001: status",
        "INV-0001: received",
        "INV-0001: net",
    ]
