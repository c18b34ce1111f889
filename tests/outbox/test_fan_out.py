"""Does a notification go to each browser of its user once, and to nobody when it is too late?"""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.ledger import Rules
from reconciler.core.observation import Reference, ReferenceKind, Source
from reconciler.db import alerts, deliveries, tables
from reconciler.outbox import Terms
from reconciler.outbox.fan_out import BATCH, DELIVERIES_MAX, SETTLED, SUMMARY_EVERY, spread, sum_up
from reconciler.push.sending import Answer, Sent
from tests.core import builders as b
from tests.core.builders import NOON
from tests.journeys.conftest import write_invoices
from tests.outbox.post import HOST, KEY, Post

FAILED = {"kind": "payment_failed", "milestone": "payment_failed:pi_1:ch_1", "invoice_id": "i1"}
INV_1 = frozenset({Reference(ReferenceKind.METADATA, "INV-1")})
EVERY_S, SETTLED_S = SUMMARY_EVERY.total_seconds(), SETTLED.total_seconds()


def test_it_sends_to_every_browser_of_the_user_and_to_no_other(post: Post) -> None:
    """All active browsers that subscribed with our key get it, once; another user's, and another key's, never."""
    wanted = [post.subscribe("ann", each, host=f"{each}.example.com") for each in "ab"]
    post.subscribe("bob", "c")
    post.subscribe("ann", "d", vapid_key="the-key-before")
    post.notify("ann")

    post.run()
    post.run(after_s=2)
    post.restart()
    post.run(after_s=100)

    assert sorted(post.services.endpoints) == wanted
    assert post.states == ["accepted", "accepted"]
    assert post.notices == ["sent"]


def test_it_makes_each_delivery_once(post: Post) -> None:
    """A notification that is looked at twice, whatever its row says, has one delivery a browser."""
    post.subscribe()
    post.notify()
    spread(post.db, post.terms, post.now)
    with post.db.writing() as tx:
        tx.execute(tables.notifications.update().values(state="pending"))

    spread(post.db, post.terms, post.now)

    assert post.states == ["waiting"]
    assert spread(post.db, post.terms, post.now) == 0


LATE: dict[str, tuple[dict[str, Any], str]] = {
    "fresh": ({}, "sent"),
    "old": ({"stripe_at": NOON - timedelta(days=1)}, "expired"),
    "of nobody": ({"user_id": "cy"}, "no_browser"),
    "a failed attempt": (FAILED, "sent"),
}


@pytest.mark.parametrize("case", LATE)
def test_it_says_what_became_of_a_notification(post: Post, case: str) -> None:
    """News is sent, or too old, or for a user without a browser."""
    row, state = LATE[case]
    post.subscribe()

    post.notify(row.get("user_id", "ann"), **{k: v for k, v in row.items() if k != "user_id"})
    post.run()

    assert post.notices == [state]
    assert post.states == (["accepted"] if state == "sent" else [])


def _apply(post: Post, *evidence: Any) -> None:
    with post.db.writing() as tx:
        apply_payment_state(
            tx, evidence, source=Source.WEBHOOK, now=b.at(60), policy=Policy(rules=Rules())
        )


@pytest.mark.parametrize("paid_by", ["pi_1", "pi_2"])
def test_it_tells_of_no_failure_that_was_overtaken(post: Post, paid_by: str) -> None:
    """A failed attempt is not told once its payment has succeeded, or another one paid the invoice; also if it waited."""
    write_invoices(post.db, {"id": "i1", "number": "INV-1", "amount_due": 1000, "user_id": "ann"})
    post.subscribe()
    post.services.answers[HOST] = Sent(Answer.LATER, 500)
    post.notify(**FAILED)
    post.run()
    _apply(post, b.event(b.intent(id=paid_by, references=INV_1)))
    post.notify(**{**FAILED, "milestone": "payment_failed:pi_1:ch_2"})
    post.services.answers.clear()

    post.run(after_s=60)

    told = [each.said["kind"] for each in post.services.got]
    assert told == ["payment_failed", "invoice_paid"]
    assert sorted(post.notices) == ["overtaken", "sent", "sent"]
    assert (post.deliveries[0]["state"], post.deliveries[0]["reason"]) == ("expired", "paid by now")


def test_it_looks_at_all_in_batches(post: Post) -> None:
    """However many there are and however many browsers a user has, a transaction stays small and nothing is left out."""
    browsers = 3
    for each in range(browsers):
        post.crowd(BATCH, host=f"h{each}.example.com")
    sizes = []

    while spread(post.db, post.terms, post.now):
        sizes.append(len(post.deliveries) - sum(sizes))

    assert sum(sizes) == 3 * BATCH * browsers
    assert max(sizes) <= DELIVERIES_MAX
    assert set(post.notices) == {"sent"}


def test_it_lets_all_wait_while_push_is_not_set_up(post: Post) -> None:
    """Nothing is sent and nothing lost before a key is there; what grows too old meanwhile is dropped."""
    post.subscribe()
    post.notify(stripe_at=NOON - timedelta(hours=20))
    post.notify()
    post.restart(is_set_up=False)

    post.run()
    before = post.notices
    post.run(after_s=5 * 3600)
    after = post.notices
    post.restart()
    post.run(after_s=1)

    assert before == ["pending", "pending"]
    assert after == ["expired", "pending"]
    assert post.notices == ["expired", "sent"]
    assert post.states == ["accepted"]


def _finance(post: Post) -> None:
    post.terms = Terms(vapid_key=KEY, finance_users=("fin", "fay"))
    post.restart()
    post.subscribe("fin", "fin", locale="fr")
    post.subscribe("fay", "fay")


def _open(post: Post, subject: str, **changed: Any) -> None:
    plain = {"fingerprint": "1", "state": "open", "currency": "eur", "opened_at": post.now}
    row = {"kind": "overpaid", "subject": subject, "counts_from": post.now, **plain, **changed}
    with post.db.writing() as tx:
        tx.execute(tables.exceptions.insert(), row)


def test_it_sums_up_for_finance_what_needs_a_person(post: Post) -> None:
    """Each user of finance hears once how much is open, and again only after a quarter of an hour with something new."""
    _finance(post)
    for subject in ("i1", "i2"):
        _open(post, subject)
    bodies = []

    for wait_s in (0, SETTLED_S, 2, EVERY_S - 10, 10, EVERY_S):
        before = len(post.services.got)
        post.run(after_s=wait_s)
        bodies.append(sorted(each.said["body"] for each in post.services.got[before:]))
        if wait_s == 2:
            _open(post, "i3")

    two = ["Exceptions ouvertes : 2", "Open exceptions: 2"]
    assert bodies == [[], two, [], [], [two[0][:-1] + "3", two[1][:-1] + "3"], []]
    assert len({each.message.topic for each in post.services.got}) == 2


QUIET: dict[str, dict[str, Any]] = {
    "closed": {"state": "cleared"},
    "resolved": {"state": "resolved"},
    "in its time of grace": {"counts_from": NOON + timedelta(minutes=30)},
    "about the program": {"kind": "sweep_failing"},
}


@pytest.mark.parametrize("case", QUIET)
def test_it_calls_finance_for_nothing_else(post: Post, case: str) -> None:
    """What is over, does not count yet, or is the program's own trouble, is not told."""
    _finance(post)
    _open(post, "i1", **QUIET[case])

    post.run(after_s=SETTLED_S)

    assert post.services.got == []
    assert post.notices == []


def test_it_tells_finance_when_the_time_of_grace_is_over(post: Post) -> None:
    """What begins to count later is told then, also between two summaries."""
    _finance(post)
    _open(post, "i1")
    _open(post, "i2", counts_from=NOON + timedelta(minutes=20))

    post.run(after_s=SETTLED_S)
    post.run(after_s=EVERY_S)
    between = len(post.services.got)
    post.run(after_s=EVERY_S)

    assert between == 2
    assert [each.said["body"][-1] for each in post.services.got] == ["1", "1", "2", "2"]


def test_it_is_silent_about_what_was_before_the_first_day(post: Post) -> None:
    """Money of before `since` opens nothing, and so finance hears nothing of it."""
    _finance(post)
    rules = Rules(since_ms=b.at_ms(3600))
    with post.db.writing() as tx:
        apply_payment_state(
            tx, [b.event(b.intent())], source=Source.POLL, now=NOON, policy=Policy(rules=rules)
        )

    post.run(after_s=2 * 3600)

    assert post.notices == []


def test_it_goes_on_after_the_clock_was_set_back(post: Post) -> None:
    """A last summary that lies in the future silences nobody."""
    _finance(post)
    _open(post, "i1")
    post.run(after_s=SETTLED_S)
    post.now -= timedelta(days=2)
    _open(post, "i2", counts_from=post.now)

    sum_up(post.db, post.terms, post.now + SETTLED)

    assert "pending" in post.notices


def test_it_sums_up_nothing_where_finance_has_no_users(post: Post) -> None:
    """Without users of finance nothing is written, and no moment is remembered."""
    _open(post, "i1")
    with post.db.writing() as tx:
        kind = ExceptionKind.PUSH_REFUSED
        alerts.open_alert(tx, kind=kind, subject=HOST, fingerprint="403", now=NOON)

    post.run(after_s=SETTLED_S)

    assert post.notices == []


def test_it_forgets_what_ended_long_ago(post: Post) -> None:
    """Only messages that ended before a moment are deleted, so many at once; what waits stays."""
    waits = post.subscribe("bob", "waits")
    post.services.answers[waits] = Sent(Answer.LATER, 500)
    post.subscribe("ann", "a")
    for user in ("ann", "ann", "ann", "bob"):
        post.notify(user)
    post.run()
    post.notify("ann")
    post.run(after_s=5)

    with post.db.writing() as tx:
        gone = [deliveries.forget(tx, NOON + timedelta(seconds=1), limit=2) for _ in range(3)]

    assert gone == [2, 1, 0]
    assert sorted(post.states) == ["accepted", "waiting"]
