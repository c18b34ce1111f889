"""Does a run over a range overlook nothing, put right what differs, and never look complete when it is not?"""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.core.calendar import DayRange
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.report import Outcome, RunHead, RunState
from reconciler.db import alerts, exceptions, queries, runs
from reconciler.db.session import Database
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.running import Bounds, run
from reconciler.reconcile.signing import Obstacle, sign
from reconciler.reconcile.statement import report_of
from reconciler.simulator import payouts, returns, till
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.simulator.world import World
from tests.journeys.conftest import add_invoices
from tests.poll.account import Account
from tests.reconcile.days import (
    DAY_S,
    OWN,
    all_rows,
    days,
    everything,
    invoices,
    kinds,
    one,
    paid,
    reconciled,
    today,
    told,
)


@pytest.fixture
def account(database: Database, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give an account whose lists are told in pages of a few objects, so that they can be cut."""
    monkeypatch.setattr("reconciler.stripe_api.pager.PAGE", 4)
    return Account(database)


def _payment(database: Database, id_: str) -> dict[str, object]:
    with database.reading() as tx:
        return queries.payment(tx, id_) or {}


def test_it_puts_right_what_was_lost(account: Account, database: Database) -> None:
    """Of a day of which nobody told us, every payment is there afterwards, and told as missing before."""
    add_invoices(database, *invoices())
    first = today(account)
    made = everything(account)
    account.wait(DAY_S)

    head = reconciled(account, days(account, first))

    assert (head.state, head.error) == (RunState.COMPLETE, "")
    assert _payment(database, made["paid"])["status"] == "succeeded"
    found = kinds(database, head)
    payments = {id_ for id_ in made.values() if id_.startswith("pi_")}
    assert found["missing_here"] == payments
    assert found["unmatched"] == {made["unmatched"]}
    assert found["underpaid"] == {"2"}
    assert found["overpaid"] == {"3"}
    assert found["second_payment"] == {"4"}
    with database.reading() as tx:
        assert sum(each.gap for each in runs.slices(tx, head.id)) == 0


def test_it_changes_nothing_the_second_time(account: Account, database: Database) -> None:
    """A run right after another one writes nothing but its own record, and finds nothing to put right."""
    add_invoices(database, *invoices())
    first = today(account)
    everything(account)
    account.wait(DAY_S)
    reconciled(account, days(account, first))

    again = reconciled(account, days(account, first))

    found = {each.outcome.value for each in runs.differences(database, again.id)}
    assert again.state is RunState.COMPLETE
    assert "repaired" not in found


def test_it_tells_before_what_it_does_then(account: Account, database: Database) -> None:
    """A dry run writes nothing but its own record, and lists exactly what the run then does."""
    add_invoices(database, *invoices())
    first = today(account)
    everything(account)
    account.wait(DAY_S)
    before = all_rows(database, without=OWN)

    dry = reconciled(account, days(account, first), is_dry=True)
    between = all_rows(database, without=OWN)
    wet = reconciled(account, days(account, first))

    assert (dry.state, dry.error) == (RunState.COMPLETE, "")
    assert between == before
    assert told(database, dry) == told(database, wet)
    assert told(database, dry)


def _half_known(account: Account) -> dict[str, str]:
    """Payments of which some are known, some by half, and some not at all."""
    world, heard = account.world, []
    world.on_event.append(lambda happening: heard.append(happening.event))
    made = everything(account)
    known = {made["under"], made["first"], made["back"], made["debit"], made["over"]}
    account.tell(*(each for each in heard if _about(each) in known))
    heard.clear()
    till.finish_debit(world, made["debit"])
    till.settle(world, made["debit"])
    made["later"] = returns.refund(world, made["over"], 700)
    account.wait(DAY_S)
    return made


def _about(event: dict[str, object]) -> object:
    obj = event["data"]["object"]  # type: ignore[index]
    return obj["id"] if obj["object"] == "payment_intent" else obj.get("payment_intent")


def test_it_tells_and_mends_what_is_behind(account: Account, database: Database) -> None:
    """A status that is behind and a refund that nobody told of are told by name with both values, and put right."""
    add_invoices(database, *invoices())
    first = today(account)
    made = _half_known(account)

    dry = reconciled(account, days(account, first), is_dry=True)
    wet = reconciled(account, days(account, first))

    debit = one(database, wet, "status_behind", made["debit"])
    refund = one(database, wet, "refund_unknown", made["later"])
    assert (debit.here, debit.there) == ("processing", "succeeded")
    assert (refund.here, refund.payment_id) == ("nothing", made["over"])
    assert told(database, dry) == told(database, wet)
    assert "overpaid" not in kinds(database, wet)


def test_it_counts_money_on_the_day_it_moved(account: Account, database: Database) -> None:
    """What was made in May and is paid in June is found by June's run, though no list of June has it."""
    made = till.make_intent(account.world, amount=1000, currency="eur")
    till.start_debit(account.world, made)
    account.wait(30 * DAY_S)
    first = today(account)
    till.finish_debit(account.world, made)
    account.wait(DAY_S)

    dry = reconciled(account, days(account, first), is_dry=True)
    wet = reconciled(account, days(account, first))

    assert kinds(database, wet)["missing_here"] == {made}
    assert _payment(database, made)["status"] == "succeeded"
    assert told(database, dry) == told(database, wet)
    assert _books(account, wet) == ([(first, 1000, 0, 1)], [(first, 1, 1000, 0, 0)])
    report = report_of(database, wet.id, now=account.now())
    assert [(each.id, each.day) for each in report.payments()] == [(made, first)]


def _books(account: Account, head: RunHead) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What the report's two books say: of the ledger what moved, of the sales what was received and given back."""
    report = report_of(account.database, head.id, now=account.now())
    assert all(each.ties_out for each in report.ledger)
    ledger = [(e.day, e.charges_minor, e.refunds_minor, e.transactions) for e in report.ledger]
    sales = [
        (e.day, e.payments, e.received_minor, e.refunds, e.refunded_minor) for e in report.sales
    ]
    return ledger, sales


@pytest.mark.parametrize("is_known", [True, False])
def test_it_books_a_refund_of_an_older_payment(
    account: Account, database: Database, is_known: bool
) -> None:
    """What goes back of money from before the range is in both books on its day, whether or not that payment was known."""
    early, made = today(account), paid(account)
    account.wait(DAY_S)
    if is_known:
        reconciled(account, days(account, early))
    account.wait(30 * DAY_S)
    first = today(account)
    refund = returns.refund(account.world, made, 300)
    account.wait(DAY_S)

    dry = reconciled(account, days(account, first), is_dry=True)
    wet = reconciled(account, days(account, first))

    assert _books(account, wet) == ([(first, 0, -300, 1)], [(first, 0, 0, 1, 300)])
    expected = {"refund_unknown": {refund}} if is_known else {"missing_here": {made}}
    assert kinds(database, wet) == expected
    assert told(database, dry) == told(database, wet)
    assert _payment(database, made)["amount_refunded"] == 300


def test_it_looks_into_payouts_beforehand_too(account: Account, database: Database) -> None:
    """A payment from before the range that only a payout of the range tells of is in the dry run's list as in the run's."""
    made = paid(account)
    account.wait(8 * DAY_S)
    first = today(account)
    (id_,) = payouts.pay_out(account.world)
    payouts.submit(account.world, id_)
    payouts.tell_composition(account.world, id_)
    account.wait(2 * DAY_S)
    before = all_rows(database, without=OWN)

    dry = reconciled(account, days(account, first), is_dry=True)
    between = all_rows(database, without=OWN)
    wet = reconciled(account, days(account, first))

    assert between == before
    assert kinds(database, wet)["missing_here"] == {made}
    assert told(database, dry) == told(database, wet)


LONG = [("UTC", 30), ("Europe/Paris", 400), ("America/Santiago", 60), ("Africa/Casablanca", 60)]


@pytest.mark.parametrize(("zone", "length"), LONG)
def test_it_ties_out_over_a_year_of_a_zone(
    database: Database, monkeypatch: pytest.MonkeyPatch, zone: str, length: int
) -> None:
    """Over clocks that change and a leap day, each day has what Stripe's list says of it, and no object is in none or in two."""
    monkeypatch.setattr("reconciler.stripe_api.pager.PAGE", 4)
    begun = DayRange(first=date(2028, 1, 20), last=date(2028, 1, 20), zone=ZoneInfo(zone)).window
    world = World(seed=7, clock=Clock(begun.since_ms))
    account = Account(database, world=world, since_ms=0)
    for _ in range(40):
        paid(account)
        account.wait(length * DAY_S // 40 - 3600)
    asked = DayRange(
        first=date(2028, 1, 20),
        last=date(2028, 1, 20) + timedelta(days=length - 1),
        zone=ZoneInfo(zone),
    )
    account.wait((asked.window.until_ms - world.clock.now_ms()) / 1000 + 120)

    run_id = ask(database, Asked(days=asked, zone=zone, by="finance"), account.now())
    head = run(account.poller, run_id, bounds=Bounds(slice_objects=5))

    assert (head.state, head.error, head.day_not_over) == (RunState.COMPLETE, "", False)
    ledger, sales = _books(account, head)
    expected = Counter(
        datetime.fromtimestamp(each["created"], asked.zone).date()
        for each in world.every("balance_transaction")
    )
    assert {each[0]: each[3] for each in ledger} == expected
    assert {each[0]: each[1] for each in sales} == expected


def test_it_reads_again_what_is_not_over(account: Account, database: Database) -> None:
    """A refund made after the range of a payment of the range, known as pending, is read by its id."""
    first = today(account)
    made = paid(account)
    account.wait(DAY_S)
    refund = returns.refund(account.world, made, 300, "pending")
    account.wait(DAY_S)
    reconciled(account, days(account, first))
    account.wait(DAY_S)
    returns.confirm_refund(account.world, refund)
    account.wait(DAY_S)

    head = reconciled(account, days(account, first, first))

    assert one(database, head, "status_behind", refund).there == "succeeded"


def test_it_covers_what_is_over_at_stripe(account: Account, database: Database) -> None:
    """Of a day that goes on, what is older than a minute is covered, and the run says that the day is not over."""
    old = paid(account)
    account.wait(1)
    young = till.make_intent(account.world, amount=1000, currency="eur")

    head = reconciled(account, days(account, today(account)))

    assert head.state is RunState.COMPLETE
    assert head.day_not_over
    assert head.covered_until == account.ago(60)
    assert _payment(database, old)
    assert not _payment(database, young)


@pytest.mark.parametrize("is_dry", [False, True])
def test_it_tells_what_stripe_does_not_know(
    account: Account, database: Database, is_dry: bool
) -> None:
    """A payment of ours that Stripe has not is a difference, no gap in what Stripe's list gave, and nobody's guess is booked."""
    first, stays = today(account), paid(account)
    made = _of_another_account(account)
    if is_dry:
        reconciled(account, days(account, first))

    head = reconciled(account, days(account, first), is_dry=is_dry)

    found = one(database, head, "missing_at_stripe", made)
    with database.reading() as tx:
        gaps = {each.list: each.gap for each in runs.slices(tx, head.id) if each.gap}
    assert head.state is RunState.COMPLETE
    assert (found.here, found.there) == ("succeeded 1000 eur", "nothing")
    assert gaps == {}
    assert _payment(database, stays)


def _of_another_account(account: Account) -> str:
    """A payment that somebody told us of, and that Stripe does not know."""
    other, heard = World(seed=8, clock=account.world.clock), []
    other.on_event.append(lambda happening: heard.append(happening.event))
    made = till.make_intent(other, amount=1000, currency="eur")
    till.succeed(other, made)
    account.tell(*heard)
    account.wait(DAY_S)
    return made


def test_it_takes_a_reason_for_what_stripe_does_not_know(
    account: Account, database: Database
) -> None:
    """What a person has accepted is told as explained, with who and why, and is signed for; without that it is not."""
    first = today(account)
    made = _of_another_account(account)
    one_day = days(account, first, first)

    before = reconciled(account, one_day)
    obstacle = sign(database, before.id, "ada", account.now())
    with database.writing() as tx:
        queue = queries.open_exceptions(tx, now=account.now())
        (row,) = [each for each in queue if each["kind"] == "missing_at_stripe"]
        exceptions.resolve(tx, row, by="ada b", reason="tests; of May: 3", now=account.now())
    dry = reconciled(account, one_day, is_dry=True)
    after = reconciled(account, one_day)

    assert row["subject"] == made
    assert obstacle is Obstacle.GONE
    assert one(database, before, "missing_at_stripe", made).outcome is Outcome.NEEDS_A_PERSON
    for head in (dry, after):
        found = one(database, head, "missing_at_stripe", made)
        assert found.outcome is Outcome.EXPLAINED
        assert found.note == "accepted by ada b: tests; of May: 3"
    assert sign(database, after.id, "ada", account.now()) is None


def test_it_asks_nobody_any_more_about_what_stripe_knows_after_all(
    account: Account, database: Database
) -> None:
    """An object that Stripe did not know and knows now is no question, also where a person had accepted it."""
    first, made = today(account), paid(account)
    account.wait(DAY_S)
    reconciled(account, days(account, first, first))
    with database.writing() as tx:
        alerts.open_alert(
            tx,
            kind=ExceptionKind.MISSING_AT_STRIPE,
            subject=made,
            fingerprint="was not there",
            now=account.now(),
        )

    reconciled(account, days(account, first, first), is_dry=True)
    with database.reading() as tx:
        dry = queries.open_exceptions(tx, now=account.now())
    reconciled(account, days(account, first, first))

    with database.reading() as tx:
        left = {each["kind"] for each in queries.open_exceptions(tx, now=account.now())}
    assert "missing_at_stripe" in {each["kind"] for each in dry}
    assert "missing_at_stripe" not in left


def test_it_counts_what_else_is_open(account: Account, database: Database) -> None:
    """A dispute of these days and money in another currency are no differences, and are counted; those of other days are not."""
    add_invoices(database, *invoices())
    first = today(account)
    everything(account)
    account.wait(DAY_S)

    head = reconciled(account, days(account, first, first))
    account.wait(DAY_S)
    later = reconciled(account, days(account, first + timedelta(days=2)))

    with database.reading() as tx:
        named = {"unmatched_payment", "underpaid", "overpaid", "second_payment"}
        found = {each["kind"] for each in queries.open_exceptions(tx, now=account.now())} - named
    assert found == {"dispute_open", "wrong_currency"}
    assert report_of(database, head.id, now=account.now()).open_questions == 2
    assert report_of(database, later.id, now=account.now()).open_questions == 0


def test_it_refuses_a_day_that_has_not_begun_at_stripe(
    account: Account, database: Database
) -> None:
    """A machine whose clock is a day ahead gets no report on a day of which Stripe knows nothing, but the reason."""
    paid(account)
    tomorrow = today(account) + timedelta(days=1)

    head = reconciled(account, days(account, today(account), tomorrow))

    assert (head.state, head.covered_until) == (RunState.CUT_OFF, None)
    assert head.error.startswith(
        f"{tomorrow} has not begun at Stripe, where it is {today(account)}:"
    )


def test_it_never_looks_complete_when_it_was_cut_off(account: Account, database: Database) -> None:
    """A run whose list breaks says why, and goes on later with what is left: then it is complete, and told as if never cut."""
    add_invoices(database, *invoices())
    first = today(account)
    made = everything(account)
    account.wait(DAY_S)
    account.faults.script(Fault(kind=FaultKind.HTML, path="/v1/refunds"))
    bounds = Bounds(slice_objects=3)

    cut = reconciled(account, days(account, first), bounds=bounds)
    whole = run(account.poller, cut.id, bounds=bounds)

    assert cut.state is RunState.CUT_OFF
    assert "/v1/refunds" in cut.error
    assert (whole.state, whole.error) == (RunState.COMPLETE, "")
    assert whole.requests > cut.requests
    payments = {id_ for id_ in made.values() if id_.startswith("pi_")}
    assert kinds(database, whole)["missing_here"] == payments


def test_it_ends_at_once_when_it_is_stopped(account: Account, database: Database) -> None:
    """A run that is stopped says so, and what it did is not lost for whoever resumes it."""
    first, made = today(account), paid(account)
    account.wait(DAY_S)
    account.stop.set()

    cut = reconciled(account, days(account, first))
    account.stop.clear()
    whole = run(account.poller, cut.id)

    assert (cut.state, cut.error) == (RunState.CUT_OFF, "it was stopped")
    assert whole.state is RunState.COMPLETE
    assert _payment(database, made)


def test_it_keeps_no_more_in_mind_than_it_may(account: Account, database: Database) -> None:
    """A dry run over more changes than it may keep in mind stops and says what to do."""
    first = today(account)
    everything(account)
    account.wait(DAY_S)

    head = reconciled(account, days(account, first), is_dry=True, bounds=Bounds(payments_in_mind=3))

    assert head.state is RunState.CUT_OFF
    assert "fewer days" in head.error


@pytest.mark.parametrize("least", [1, 2, 5])
def test_it_counts_each_object_once_however_it_is_cut(
    account: Account, database: Database, least: int
) -> None:
    """Slices of a few objects cover the range without a hole, and their sums are those of the whole lists."""
    first = today(account)
    everything(account)
    account.wait(DAY_S)

    head = reconciled(account, days(account, first), bounds=Bounds(slice_objects=least))

    with database.reading() as tx:
        found = {name: runs.slices(tx, head.id, name) for name in ("payment_intents", "refunds")}
    listed = {name: sum(each.at_stripe for each in parts) for name, parts in found.items()}
    assert listed == {
        "payment_intents": len(account.world.every("payment_intent")),
        "refunds": len(account.world.every("refund")),
    }
