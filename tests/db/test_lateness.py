"""Does the audit trail say who told us first that a payment was paid, and how late?"""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from reconciler.core.lateness import TELLS_OF_MONEY, Told
from reconciler.core.observation import Source, moment
from reconciler.db import lateness
from reconciler.db.lateness import Heard
from reconciler.db.session import Database
from reconciler.poll import (
    Depth,
    read_due,
    sweep_events,
    sweep_money,
    sweep_open,
)
from reconciler.simulator import till
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.translate import EVENT_TYPES
from tests.databases import refusing
from tests.poll.account import SINCE_MS, START_MS, Account
from tests.stripe_api import shapes

DAY_S = 86_400
EVENTS = Depth(name="events", overlap_s=120, lag_s=10)
MONEY = Depth(name="money", overlap_s=2 * DAY_S, lag_s=10)
Story = Callable[[Account], None]


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account whose daemon has begun before anything happens."""
    account = Account(database)
    sweep_events(account.poller, EVENTS)
    account.wait(1)
    return account


def _paid(account: Account) -> str:
    paid = till.make_intent(account.world, amount=1000, currency="eur")
    till.succeed(account.world, paid)
    return paid


def _sent(account: Account, *types: str) -> list[shapes.Json]:
    """The events of these types, or all, in the order in which they were made."""
    told = [each.event for each in account.world.happenings]
    return [each for each in told if not types or each["type"] in types]


def _heard(account: Account, **asked: object) -> Heard:
    with account.database.reading() as tx:
        since = asked.pop("counts_from", moment(SINCE_MS))
        return lateness.told_since(tx, moment(SINCE_MS), counts_from=since, **asked)  # type: ignore[arg-type]


def _said(found: tuple[Told, ...]) -> list[tuple[str, float | None, bool]]:
    return [(each.source.value, each.late_s, each.is_only_swept) for each in found]


def _by_webhook(account: Account) -> None:
    _paid(account)
    account.wait(2)
    account.tell(*_sent(account))


def _by_sweep(account: Account) -> None:
    _paid(account)
    account.wait(75)
    sweep_events(account.poller, EVENTS)


def _by_the_read_that_a_webhook_asked_for(account: Account) -> None:
    _paid(account)
    account.wait(2)
    account.tell(*_sent(account, "charge.succeeded"))
    account.wait(3)
    read_due(account.poller)


def _by_a_thin_webhook(account: Account) -> None:
    related = ("payment_intent", _paid(account))
    created = account.now().isoformat()
    account.wait(2)
    account.tell(shapes.thin_event("v1.payment_intent.succeeded", related, created=created))
    account.wait(3)
    read_due(account.poller)


def _though_a_webhook_told_that_it_was_made(account: Account) -> None:
    _paid(account)
    account.tell(*_sent(account, "payment_intent.created"))
    account.wait(75)
    sweep_events(account.poller, EVENTS)


def _though_a_webhook_told_of_the_hold(account: Account) -> None:
    held = _hold(account)
    till.capture(account.world, held, 1000)
    account.wait(75)
    sweep_events(account.poller, EVENTS)


def _by_sweep_before_the_webhook(account: Account) -> None:
    till.settle(account.world, _paid(account))
    account.wait(60)
    sweep_money(account.poller, MONEY)
    read_due(account.poller)
    account.wait(60)
    account.tell(*_sent(account))


def _by_a_person(account: Account) -> None:
    _paid(account)
    account.tell(*_sent(account, "charge.succeeded"))
    account.wait(600)
    read = [read_event(shapes.body(each)) for each in _sent(account)]
    account.poller.inbox.accept(read, source=Source.MANUAL, now=account.now())


def _by_a_try_again(account: Account) -> None:
    paid = _paid(account)
    with refusing(account.database, paid), capture_logs():
        account.tell(*_sent(account, "payment_intent.succeeded"))
    account.wait(5)
    account.poller.inbox.retry_due(now=account.now())


def _by_a_clock_that_lags(account: Account) -> None:
    _paid(account)
    read = [read_event(shapes.body(each)) for each in _sent(account)]
    account.poller.inbox.accept(read, source=Source.WEBHOOK, now=account.ago(30))


def _hold(account: Account) -> str:
    """A card is held, of which webhooks tell; a day goes by."""
    held = till.make_intent(account.world, amount=1000, currency="eur", capture_method="manual")
    till.authorise(account.world, held)
    account.tell(*_sent(account))
    account.wait(DAY_S)
    return held


@pytest.mark.parametrize(
    ("story", "source", "late_s", "is_only_swept"),
    [
        (_by_webhook, "webhook", 2, False),
        (_by_sweep, "poll", 75, True),
        (_by_the_read_that_a_webhook_asked_for, "webhook", 5, False),
        (_by_a_thin_webhook, "webhook", 5, False),
        (_though_a_webhook_told_that_it_was_made, "poll", 75, True),
        (_though_a_webhook_told_of_the_hold, "poll", 75, True),
        (_by_sweep_before_the_webhook, "poll", 60, False),
        (_by_a_person, "manual", 600, False),
        (_by_a_try_again, "webhook", 5, False),
        (_by_a_clock_that_lags, "webhook", 0, False),
    ],
)
def test_it_says_who_told_first_and_how_late(
    account: Account, story: Story, source: str, late_s: float, is_only_swept: bool
) -> None:
    """Whoever first told of the money has told it, until the decision, and never before it was paid."""
    story(account)

    assert _said(_heard(account).payments) == [(source, late_s, is_only_swept)]


def _captured(account: Account) -> None:
    till.capture(account.world, _hold(account), 1000)


def _debited(account: Account) -> None:
    debit = till.make_intent(account.world, amount=1000, currency="eur")
    till.start_debit(account.world, debit)
    account.tell(*_sent(account))
    account.wait(DAY_S)
    till.finish_debit(account.world, debit)


@pytest.mark.parametrize("story", [_captured, _debited])
def test_it_gives_no_lateness_to_a_time_that_is_not_stripes(account: Account, story: Story) -> None:
    """What only a read told of has the time of that read, or of a hold, until its money is known; only then is it late."""
    story(account)
    account.wait(40)
    sweep_open(account.poller)
    read_due(account.poller)
    account.wait(60)
    before = _said(_heard(account).payments)

    sweep_money(account.poller, MONEY)

    assert before == [("poll", None, True)]
    assert _said(_heard(account).payments) == [("poll", 40, True)]


def _foreign(account: Account) -> None:
    now_s = int(account.now().timestamp())
    invoiced = shapes.payment_intent(version=shapes.V2022, invoice="in_1", created=now_s)
    event = shapes.event("payment_intent.succeeded", invoiced, created=now_s)
    account.tell(event)


def _unpaid(account: Account) -> None:
    till.make_intent(account.world, amount=1000, currency="eur")
    account.tell(*_sent(account))


@pytest.mark.parametrize("story", [_foreign, _unpaid])
def test_it_leaves_out_what_is_not_ours_to_hear(account: Account, story: Story) -> None:
    """A payment of Stripe's own invoices is none of ours, and one that is not paid can't be late."""
    story(account)

    assert _heard(account).payments == ()


def test_it_leaves_out_what_was_paid_before_all_counts(account: Account) -> None:
    """What was paid before the day from which everything counts is left out, whoever told it."""
    _by_webhook(account)

    assert len(_heard(account, counts_from=account.ago(3)).payments) == 1
    assert _heard(account, counts_from=account.ago(1)).payments == ()


@pytest.mark.parametrize(("webhook", "said"), [(False, []), (True, [("webhook", 3600.0, False)])])
def test_it_leaves_out_what_stripe_had_before_we_began(
    database: Database, webhook: bool, said: list[object]
) -> None:
    """What a first sweep finds of the time before it is not late; a webhook of that time is, since Stripe had tried."""
    account = Account(database)
    _paid(account)
    account.wait(3600)
    if webhook:
        account.tell(*_sent(account))

    sweep_events(account.poller, EVENTS)
    account.wait(60)

    assert _said(_heard(account).payments) == said


def test_it_reaches_back_as_far_as_it_may_look(account: Account) -> None:
    """Of too many rows the newest are looked at, and the answer says since when."""
    for _ in range(3):
        _by_webhook(account)
        account.wait(60)
    whole = _heard(account)

    cut = _heard(account, rows_max=1)

    assert [each.known_at for each in whole.payments] == [account.ago(s) for s in (184, 122, 60)]
    assert whole.after == moment(SINCE_MS)
    assert cut.after > whole.after
    assert cut.payments == whole.payments[-1:]


def test_it_tells_of_single_payments_whenever_that_was(account: Account) -> None:
    """Asked for one payment it tells of that one, also where it does not count as late."""
    _by_webhook(account)
    first = _sent(account, "payment_intent.succeeded")[0]["data"]["object"]["id"]
    _by_webhook(account)

    with account.database.reading() as tx:
        found = lateness.told_of(tx, [first, "cs_unknown"])

    known_at = moment(START_MS) + timedelta(seconds=3)
    assert [(each.payment_id, each.known_at, each.late_s) for each in found] == [
        (first, known_at, 2)
    ]
    assert isinstance(found[0].known_at, datetime)


def test_it_knows_types_of_stripes_only() -> None:
    """Every type that tells of money is one that is asked for."""
    assert set(EVENT_TYPES) >= TELLS_OF_MONEY
