"""Does a lane that failed come back, and not at once, and does nothing wait for what does not come?"""

import threading
from datetime import timedelta

import pytest

from reconciler import metrics
from reconciler.core.exceptions import ExceptionKind
from reconciler.db import alerts
from reconciler.db.session import StorageUnavailable
from reconciler.outbox import Outbox, Terms
from reconciler.outbox.batches import BATCH, LEASE, claim, close_deserted
from reconciler.outbox.fan_out import spread
from reconciler.push.sending import Answer, Sent
from tests.core.builders import NOON
from tests.metrics.scraping import counted, growth
from tests.outbox.post import HOST, KEY, Post

DAY_S = 86_400


def test_it_lets_a_lane_rest_that_failed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane whose database was away is not begun again for ten seconds, and then sends what is due."""
    asked = []

    def fails_once(*arguments: object) -> object:
        asked.append(arguments)
        if len(asked) == 1:
            raise StorageUnavailable("gone for a moment")
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("reconciler.outbox.lanes.claim", fails_once)
    post.subscribe()
    post.notify()

    post.run()
    post.run(after_s=9)
    early = len(asked)
    post.run(after_s=1)

    assert early == 1
    assert post.states == ["accepted"]


def test_it_waits_for_no_lane_that_does_not_come_back(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a lane writes to a database that hangs the tick ends, and a later one does what was left."""
    monkeypatch.setattr("reconciler.outbox.outbox._PEN_S", 0.05)
    around = post.around
    post.subscribe()
    post.notify()
    tick = threading.Thread(target=Outbox(around).tick)

    with around.pen:
        tick.start()
        tick.join(5)
        has_ended, before = not tick.is_alive(), post.notices
    tick.join(20)
    post.run()

    assert has_ended
    assert before == ["pending"]
    assert post.states == ["accepted"]


def test_it_ends_old_messages_too_while_push_is_not_set_up(post: Post) -> None:
    """What waits for a browser expires like what waits to be spread; what is young waits on, and is sent later."""
    post.crowd(BATCH + 10)
    spread_all(post)
    post.now += timedelta(seconds=DAY_S - 1)
    post.subscribe("ann", "ann")
    post.notify("ann")
    spread_all(post)
    post.restart(is_set_up=False)

    post.run()
    early = set(post.states)
    post.run(after_s=2)
    late = [*post.states]
    reason = post.deliveries[0]["reason"]
    post.restart()
    post.run()

    assert early == {"waiting"}
    assert (late.count("expired"), late.count("waiting"), reason) == (BATCH + 10, 1, "too old")
    assert post.services.endpoints == [f"https://{HOST}/ann"]


def spread_all(post: Post) -> None:
    """Make deliveries of all that is new, and send none."""
    while spread(post.db, post.terms, post.now):
        pass


@pytest.mark.parametrize(
    ("is_spread", "is_set_up", "after_s"),
    [(False, True, 11), (False, False, 11), (True, True, 11), (True, False, 11), (True, True, 0)],
    ids=["new", "new, not set up", "waiting", "waiting, not set up", "tried in vain"],
)
def test_it_counts_what_it_drops(
    post: Post, is_spread: bool, is_set_up: bool, after_s: int
) -> None:
    """Wherever news grew too old, it is dropped and counted once."""
    post.terms = Terms(vapid_key=KEY, max_age_s=10)
    post.services.answers[HOST] = Sent(Answer.LATER, 502)
    post.subscribe()
    post.notify()
    if is_spread:
        spread_all(post)
    post.restart(is_set_up=is_set_up)
    before = counted(metrics.OF_DAEMON)

    post.run(after_s=after_s)
    post.run()

    grown = growth(before, counted(metrics.OF_DAEMON), "reconciler_push_expired_total")
    assert list(grown.values()) == [1]
    assert (post.states or post.notices) == ["expired"]


def test_it_waits_for_no_hour_that_a_fast_clock_showed(post: Post) -> None:
    """A clock that was a day fast is set right: what was put off, claimed or left alone by its time is sent in a minute."""
    right = post.now
    post.now += timedelta(days=1)
    for number, sent in enumerate((Sent(Answer.LATER, 429, 60), Sent(Answer.LATER, 500))):
        host = f"h{number}.example.com"
        post.services.answers[host] = sent
        post.subscribe("ann", str(number), host=host)
    post.notify("ann")
    post.run()
    post.services.answers.clear()

    post.now = right
    post.run(after_s=2)
    early = len(post.services.got)
    for _ in range(31):
        post.run(after_s=2)

    assert early == 2
    assert post.states == ["accepted"] * 2


def test_it_takes_no_message_from_a_lane_when_the_clock_is_set_right(post: Post) -> None:
    """What a lane has claimed may be on its way: it is due to others only a lease later."""
    right = post.now
    post.now += timedelta(days=1)
    post.subscribe()
    post.notify()
    spread_all(post)
    assert claim(post.db, post.terms, HOST, post.now) is not None

    post.now = right
    for _ in range(30):
        post.run()
        post.now += timedelta(seconds=1)
    early = len(post.services.got)
    post.run(after_s=LEASE.total_seconds())

    assert early == 0
    assert post.states == ["accepted"]


@pytest.mark.parametrize("case", ["active", "quarantined", "none"])
def test_it_closes_the_alert_of_a_deserted_push_service(post: Post, case: str) -> None:
    """Nothing is tried any more where no browser is left that can be sent to, so nothing else would close its alert."""
    kind = ExceptionKind.PUSH_REFUSED
    if case != "none":
        endpoint = post.subscribe()
    if case == "quarantined":
        post.services.answers[endpoint] = Sent(Answer.BAD_KEY)
        post.notify()
        post.run()
    with post.db.writing() as tx:
        alerts.open_alert(tx, kind=kind, subject=HOST, fingerprint="403", now=NOON)

    close_deserted(post.db, post.now)

    assert [state for _, _, state, _ in post.alerts] == ["open" if case == "active" else "cleared"]
