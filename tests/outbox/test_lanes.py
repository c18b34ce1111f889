"""Does each message come to its end, whatever its push service answers, and does nobody wait for another's?"""

import threading
import time
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from reconciler.core.schedule import resend_after_ms
from reconciler.db.session import StorageUnavailable
from reconciler.outbox import Terms
from reconciler.outbox.batches import BATCH, LEASE, Batch, claim, settle
from reconciler.outbox.fan_out import spread
from reconciler.outbox.lanes import AT_ONCE, run_lane
from reconciler.outbox.letters import letters
from reconciler.outbox.outbox import LANES_MAX
from reconciler.outbox.outcomes import PROBE_EVERY, RETRY_AFTER_MAX_S, Result
from reconciler.outbox.repute import USERS_MIN
from reconciler.push.sending import Answer, Message, Sent, Subscription
from tests.core.builders import NOON
from tests.outbox.post import ACCEPTED, HOST, KEY, Post

PROBE_S = PROBE_EVERY.total_seconds()

ANSWERS = {
    "accepted": (ACCEPTED, "accepted", 1, None, "active"),
    "gone": (Sent(Answer.GONE, 410, reason="gone"), "gone", 1, None, None),
    "later": (Sent(Answer.LATER, 500), "waiting", 1, 15, "active"),
    "nobody answers": (Sent(Answer.LATER, None, reason="time-out"), "waiting", 1, 15, "active"),
    "later, in its own time": (Sent(Answer.LATER, 429, 90), "waiting", 1, 90, "active"),
    "later, and sooner than we do": (Sent(Answer.LATER, 503, 1), "waiting", 1, 15, "active"),
    "in a year": (Sent(Answer.LATER, 503, 31_536_000), "waiting", 1, RETRY_AFTER_MAX_S, "active"),
    "too large": (Sent(Answer.TOO_LARGE, 413), "failed", 1, None, "active"),
    "refused": (Sent(Answer.REFUSED, 403), "waiting", 0, PROBE_S, "active"),
    "no key": (Sent(Answer.BAD_KEY, None, reason="no point"), "failed", 1, None, "quarantined"),
    "no address": (Sent(Answer.BAD_ENDPOINT, reason="port"), "failed", 1, None, "quarantined"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_it_writes_down_what_an_answer_means(post: Post, case: str) -> None:
    """Each answer ends the delivery or lets it wait, and touches the browser only where the browser is to blame."""
    sent, state, attempts, wait_s, browser = ANSWERS[case]
    endpoint = post.subscribe()
    post.services.answers[endpoint] = sent
    post.notify()

    post.run()

    [row] = post.deliveries
    assert (row["state"], row["attempts"], row["status"]) == (state, attempts, sent.status)
    assert (row["claim"], row["claimed_until"]) == (None, None)
    assert post.browsers == ([(endpoint, browser)] if browser else [])
    if wait_s is None:
        assert row["ended_at"] == NOON
    else:
        assert row["ended_at"] is None
        assert row["due_at"] == NOON + timedelta(seconds=wait_s)


def test_it_tries_ever_more_rarely_until_the_news_is_old(post: Post) -> None:
    """A push service that is down for long is asked at growing distances, and the message is dropped at its expiry."""
    post.services.answers[HOST] = Sent(Answer.LATER, 502)
    post.terms = Terms(vapid_key=KEY, max_age_s=4 * 3600)
    post.subscribe()
    post.notify()
    waits = []

    post.run()
    while post.states == ["waiting"]:
        due_at = post.deliveries[0]["due_at"]
        waits.append((due_at - post.now).total_seconds())
        before = len(post.services.got)
        post.run(after_s=waits[-1] - 1)
        assert len(post.services.got) == before
        post.run(after_s=1)
        assert len(post.services.got) == before + 1

    assert waits[:4] == [15, 30, 60, 120]
    assert max(waits) == 3600
    assert post.states == ["expired"]
    assert post.now - NOON < timedelta(seconds=post.terms.max_age_s)
    assert resend_after_ms(10**6) == 3_600_000


def test_it_leaves_a_push_service_alone_that_asks_for_it(post: Post) -> None:
    """After a 429 with a time nothing more is sent there until then, and what was not sent has not been tried."""
    other = post.subscribe("ann", "b", host="other.example.com")
    post.services.answers[HOST] = Sent(Answer.LATER, 429, 60)
    post.crowd(30)
    post.notify("ann")

    post.run()
    tried = len(post.services.got)
    post.run(after_s=59)
    held = len(post.services.got)
    post.services.answers.clear()
    post.run(after_s=1)

    assert tried <= AT_ONCE + 1
    assert held == tried
    assert other in post.services.endpoints
    assert post.states == ["accepted"] * 31
    assert sum(row["attempts"] for row in post.deliveries) == len(post.services.got)


def test_it_forgets_a_browser_that_is_gone_with_all_that_waits_for_it(post: Post) -> None:
    """After a 410 nothing more is sent to that browser, and the user's other ones get everything."""
    gone, stays = post.subscribe(browser="gone"), post.subscribe(browser="stays")
    post.services.answers[gone] = Sent(Answer.LATER, 500)
    post.notify()
    post.run()
    post.notify()
    post.services.answers[gone] = Sent(Answer.GONE, 404)
    post.run(after_s=1)
    sent = post.services.endpoints.count(gone)

    post.run(after_s=60)

    assert post.browsers == [(stays, "active")]
    assert sorted(post.states) == ["accepted", "accepted", "gone", "gone"]
    assert post.services.endpoints.count(gone) == sent == 2


def test_it_sends_nothing_to_a_new_owner_of_a_browser(post: Post) -> None:
    """What waits for a browser is gone when another user signs in on it, also while it is being sent again."""
    endpoint = post.subscribe("ann")
    post.services.answers[HOST] = Sent(Answer.LATER, 500)
    post.notify("ann")
    post.run()
    post.subscribe("bob")
    post.services.answers.clear()

    post.run(after_s=60)

    assert post.services.endpoints == [endpoint]
    assert post.states == ["gone"]


def test_it_sends_the_rest_though_one_browser_has_no_key(post: Post) -> None:
    """One subscription that can't be encrypted for is set aside with all its messages; no other one suffers."""
    bad = post.subscribe("ann", "bad")
    post.services.answers[bad] = Sent(Answer.LATER, 500)
    post.notify("ann")
    post.run()
    post.services.answers[bad] = Sent(Answer.BAD_KEY, reason="no point on the curve")
    post.subscribe("bob", "good")
    for user in ("ann", "bob"):
        post.notify(user)

    post.run(after_s=1)
    post.notify("ann")
    post.run(after_s=1)

    assert sorted(post.states) == ["accepted", "failed", "failed"]
    assert post.notices[-1] == "no_browser"


def test_it_shortens_what_is_too_large_and_tries_once_more(post: Post) -> None:
    """After a 413 the same message goes again, shorter, and is seen once."""
    endpoint = post.subscribe()
    post.services.answers[endpoint] = lambda message: (
        ACCEPTED if len(message.payload) < 250 else Sent(Answer.TOO_LARGE, 413)
    )
    post.notify(number="N" * 500)

    post.run()

    first, second = (each.message for each in post.services.got)
    assert len(second.payload) < len(first.payload)
    assert first.topic == second.topic
    assert (post.states, post.deliveries[0]["attempts"]) == (["accepted"], 1)


def test_it_stops_where_it_is_refused_and_calls_once(post: Post) -> None:
    """A push service that refuses us is asked no more; one alert, nothing deleted, and the messages wait untried."""
    post.services.answers[HOST] = Sent(Answer.REFUSED, 403, reason="403")
    post.crowd(40)

    with capture_logs() as logs:
        post.run()
        post.run(after_s=60)
        post.run(after_s=60)

    assert len(post.services.got) <= AT_ONCE + USERS_MIN
    assert [each["log_level"] for each in logs].count("error") == 1
    assert post.alerts == [("push_refused", HOST, "open", 1)]
    assert len(post.browsers) == 40
    assert {(row["state"], row["attempts"]) for row in post.deliveries} == {("waiting", 0)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("refund_done:re_1", "refund_failed:re_1"),
        ("dispute_opened:dp_1", "dispute_won:dp_1"),
        ("dispute_opened:dp_1", "dispute_lost:dp_1"),
    ],
)
def test_it_puts_no_old_news_in_the_place_of_new(post: Post, old: str, new: str) -> None:
    """What had to wait is not sent any more once there is later news of the same refund or dispute for the same user."""
    post.subscribe()
    post.services.answers[HOST] = Sent(Answer.LATER, 500)
    post.notify(kind=old.partition(":")[0], milestone=old)
    post.run()
    post.services.answers.clear()
    post.notify(kind=new.partition(":")[0], milestone=new)

    post.run(after_s=5)
    post.run(after_s=3600)

    assert [each.said["kind"] for each in post.services.got][1:] == [new.partition(":")[0]]
    assert sorted((row["state"], row["reason"]) for row in post.deliveries)[1] == (
        "expired",
        "there is later news",
    )


def test_it_writes_down_what_was_taken_when_it_has_to_end(post: Post) -> None:
    """Told to end while one push service hangs, a lane notes at once what was accepted: only that message is sent again."""
    hanging = post.subscribe("slow", "slow")
    post.notify("slow")
    post.crowd(30)
    with post.services.holding(hanging):
        post.outbox.tick()
        while len(post.services.got) < 31:
            time.sleep(0.01)
        time.sleep(0.1)

        post.stop.set()
        assert post.outbox.rest(5)

        assert sorted(post.states) == ["accepted"] * 30 + ["waiting"]
        assert [row["claim"] is None for row in post.deliveries if row["state"] == "waiting"] == [
            False
        ]


def test_it_drops_a_batch_for_good_that_it_gave_up(post: Post) -> None:
    """A lease that lapses and comes back while a push service hangs: what was given up is sent once, by the next lane."""
    post.crowd(30)
    with post.services.holding(HOST):
        post.outbox.tick()
        while len(post.services.got) < AT_ONCE:
            time.sleep(0.01)
        post.stop.set()
        assert post.outbox.rest(5)
        post.stop.clear()
        senders = [each for each in threading.enumerate() if each.name == "push"]
    for each in senders:
        each.join(20)
    old = len(post.services.got)

    post.run()
    once = len(post.services.got)
    post.run(after_s=LEASE.total_seconds())

    assert (old, once) == (AT_ONCE, 30)
    assert len(set(post.services.endpoints)) == 30
    assert set(post.states) == {"accepted"}


def test_it_lets_no_user_silence_a_push_service_for_the_others(post: Post) -> None:
    """Addresses that a push service has never given out are refused one by one: no alert, and the others get theirs."""
    post.crowd(1)
    post.run()
    for number in range(20):
        endpoint = post.subscribe("mallory", f"made-up-{number}")
        post.services.answers[endpoint] = Sent(Answer.REFUSED, 400)
    post.notify("mallory")
    post.run(after_s=1)
    post.subscribe("ann", "hers")
    post.notify("ann")

    post.run(after_s=1)

    assert post.alerts == []
    assert sorted(post.states) == ["accepted"] * 2 + ["waiting"] * 20


def test_it_believes_a_push_service_that_refuses_several_users(post: Post) -> None:
    """One that took our messages before, and takes none of any user now, refuses us: one alert, and it is left alone."""
    post.crowd(1)
    post.run()
    post.services.answers[HOST] = Sent(Answer.REFUSED, 403)
    for number in range(USERS_MIN):
        assert post.alerts == []
        post.subscribe(f"later{number}", f"later{number}")
        post.notify(f"later{number}")
        post.run(after_s=1)

    assert post.alerts == [("push_refused", HOST, "open", 1)]


def test_it_asks_with_one_message_whether_it_is_still_refused(post: Post) -> None:
    """Every quarter of an hour one message is tried; when it is taken, the alert closes and all are sent."""
    post.services.answers[HOST] = Sent(Answer.REFUSED, 401)
    post.crowd(20)
    post.run()
    first = len(post.services.got)

    with post.services.holding(HOST):
        post.now += PROBE_EVERY
        post.outbox.tick()
        post.outbox.rest(0.2)
        probes = len(post.services.got) - first
    assert post.outbox.rest(20)
    refused = post.alerts
    post.services.answers.clear()
    post.run(after_s=PROBE_S)
    post.run(after_s=PROBE_S)

    assert probes == 1
    assert refused == [("push_refused", HOST, "open", 2)]
    assert post.alerts == [("push_refused", HOST, "cleared", 2)]
    assert post.states == ["accepted"] * 20


def test_it_asks_at_once_when_it_begins_anew(post: Post) -> None:
    """A daemon that is started again, with the right key perhaps, tries one message at once, and not all of them."""
    post.services.answers[HOST] = Sent(Answer.REFUSED, 403)
    post.crowd(20)
    post.run()
    before = len(post.services.got)

    post.restart()
    post.run(after_s=1)

    assert len(post.services.got) == before + 1


def test_it_blames_one_message_while_others_are_taken(post: Post) -> None:
    """A push service that takes what others get has nothing against us: the one message waits, and nobody is called."""
    odd = post.subscribe("odd", "odd")
    post.services.answers[odd] = Sent(Answer.REFUSED, 400)
    post.crowd(5)
    post.notify("odd")

    with post.services.holding(HOST):
        post.outbox.tick()
    assert post.outbox.rest(20)

    assert post.alerts == []
    assert sorted(post.states) == ["accepted"] * 5 + ["waiting"]
    assert post.deliveries[-1]["attempts"] == 1


def test_it_sends_again_what_somebody_left_behind_who_died(post: Post) -> None:
    """A lane killed after it sent and before it wrote that down: sent again under the same topic and tag, not before."""
    post.subscribe()
    post.notify()
    batch = _claimed(post)
    _sent(post, batch)

    post.restart()
    post.run(after_s=LEASE.total_seconds() - 1)
    early = len(post.services.got)
    post.run(after_s=1)

    first, second = (each.message for each in post.services.got)
    assert early == 1
    assert first.topic == second.topic
    assert {each.said["tag"] for each in post.services.got} == {first.topic}
    assert (post.states, post.deliveries[0]["attempts"]) == (["accepted"], 1)


def _claimed(post: Post) -> Batch:
    """Claim what is due, as a lane does, and go no further."""
    spread(post.db, post.terms, post.now)
    batch = claim(post.db, post.terms, HOST, post.now)
    assert batch is not None
    return batch


def _sent(post: Post, batch: Batch) -> None:
    """Send what was claimed, and write nothing down."""
    for due in batch.dues:
        message = next(letters(due, post.terms, post.now))
        browser = Subscription(due.endpoint or "", due.p256dh or "", due.auth or "")
        post.services.send(browser, message, post.now)


def test_it_lets_only_the_last_claim_say_how_it_went(post: Post) -> None:
    """Whoever comes back after the lease is over changes nothing of what another one has claimed since."""
    post.subscribe()
    post.notify()
    late = _claimed(post)
    assert claim(post.db, post.terms, HOST, post.now) is None
    post.now += LEASE
    second = claim(post.db, post.terms, HOST, post.now)
    assert second is not None

    settle(post.db, post.terms, late, [Result(late.dues[0], ACCEPTED)], post.now, at_fault=False)
    between = post.deliveries[0]
    settle(
        post.db,
        post.terms,
        second,
        [Result(second.dues[0], Sent(Answer.LATER, 500))],
        post.now,
        at_fault=False,
    )
    settle(post.db, post.terms, late, [Result(late.dues[0], ACCEPTED)], post.now, at_fault=False)

    assert (between["state"], between["claim"]) == ("waiting", second.token)
    assert (post.states, post.deliveries[0]["attempts"]) == (["waiting"], 1)


def test_it_lets_no_push_service_wait_for_a_slow_one(post: Post) -> None:
    """While one hangs, another gets everything, and the tick waits for neither."""
    post.subscribe("ann", "slow", host="slow.example.com")
    quick = post.subscribe("ann", "quick")

    with post.services.holding("slow.example.com"):
        for _ in range(3):
            post.notify("ann")
            post.outbox.tick()
            post.now += timedelta(seconds=2)
        while post.services.endpoints.count(quick) < 3:
            post.outbox.tick()
        waiting = post.states.count("waiting")
    assert post.outbox.rest(20)
    post.run()

    assert waiting >= 3
    assert post.states == ["accepted"] * 6


def test_it_has_a_bound_for_everything_at_once(post: Post) -> None:
    """However many hosts and messages there are, so many lanes are at work, and so many messages on their way in each."""
    hosts = [f"h{number:02}.example.com" for number in range(LANES_MAX + 4)]
    for host in hosts:
        post.subscribe("ann", host, host=host)
    post.crowd(40, host="a.example.com")
    post.notify("ann")

    with post.services.holding(*hosts, "a.example.com"):
        while len(post.services.most_at_once) < LANES_MAX:
            post.outbox.tick()
        while post.services.most_at_once["a.example.com"] < AT_ONCE:
            post.outbox.tick()
        post.outbox.rest(0.3)
        busy = len(post.services.most_at_once)
    assert post.outbox.rest(20)
    post.run()

    assert busy == LANES_MAX
    assert max(post.services.most_at_once.values()) == AT_ONCE
    assert set(post.states) == {"accepted"}


def test_it_sends_more_than_one_batch(post: Post) -> None:
    """A lane goes on until nothing is due, each browser once."""
    many = 2 * BATCH + 10
    post.crowd(many)

    post.run()
    post.run(after_s=2)

    assert len(post.services.got) == len(set(post.services.endpoints)) == many
    assert set(post.states) == {"accepted"}


def test_it_sends_nothing_that_is_not_worth_it_any_more(post: Post) -> None:
    """What grew too old while it waited is dropped."""
    post.terms = Terms(vapid_key=KEY, max_age_s=3600)
    post.services.answers[HOST] = Sent(Answer.LATER, 503, 3000)
    post.subscribe()
    post.notify(stripe_at=NOON - timedelta(seconds=590))
    post.run()

    post.services.answers.clear()
    post.run(after_s=3590)

    assert len(post.services.got) == 1
    assert (post.states, post.deliveries[0]["reason"]) == (["expired"], "too old")


def test_it_goes_on_though_a_message_can_not_be_made(post: Post) -> None:
    """A kind without words is logged and tried later; the others are sent."""
    post.subscribe()
    post.notify(kind="of_tomorrow", milestone="of_tomorrow:1")
    post.notify()

    with capture_logs() as logs:
        post.run()

    assert post.states == ["waiting", "accepted"]
    assert [each["kind"] for each in logs if each["event"] == "message.not_sent"] == ["of_tomorrow"]


def test_it_looks_once_more_whose_a_browser_is(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch is on its way another user signs in at a browser: what was claimed for the one before is not sent there."""
    monkeypatch.setattr("reconciler.outbox.lanes._FRESH_S", 0.0)
    slow = [post.subscribe(f"slow{number}", f"slow{number}") for number in range(AT_ONCE)]
    shared = post.subscribe("ann", "shared")
    for number in range(AT_ONCE):
        post.notify(f"slow{number}")
    post.notify("ann")

    with post.services.holding(*slow):
        post.outbox.tick()
        while len(post.services.got) < AT_ONCE:
            time.sleep(0.01)
        post.subscribe("bob", "shared")
    assert post.outbox.rest(20)

    assert shared not in post.services.endpoints
    assert sorted(post.states) == ["accepted"] * AT_ONCE + ["gone"]


def test_it_sends_nothing_where_nobody_knows_whose_a_browser_is(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that can't be asked whose a browser is costs no attempt: the message is due again at once."""
    monkeypatch.setattr("reconciler.outbox.lanes._FRESH_S", 0.0)
    monkeypatch.setattr("reconciler.outbox.lanes.LANE_LASTS_S", 0.05)
    post.subscribe()
    post.notify()
    with monkeypatch.context() as patch:
        patch.setattr("reconciler.db.subscriptions.is_there", _away)
        post.run()
    before = post.deliveries[0]["attempts"], list(post.services.got)

    post.run()

    assert before == (0, [])
    assert post.states == ["accepted"]


def test_it_looks_up_nothing_while_its_claim_is_fresh(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes out at once costs no question more than its claim."""
    monkeypatch.setattr("reconciler.outbox.lanes._FRESH_S", 60.0)
    monkeypatch.setattr("reconciler.db.subscriptions.is_there", _away)
    post.crowd(20)

    post.run()

    assert post.states == ["accepted"] * 20


def _away(*_: object) -> bool:
    raise StorageUnavailable("gone for a moment")


def test_it_leaves_to_the_next_batch_what_it_has_no_time_for(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch ends before its claims run out, whatever is left of it; all is sent in the end, and once."""
    monkeypatch.setattr("reconciler.outbox.lanes.SEND_WITHIN_S", 0.05)

    def slowly(_message: Message) -> Sent:
        time.sleep(0.02)
        return ACCEPTED

    post.services.answers[HOST] = slowly
    post.crowd(60)

    with capture_logs() as logs:
        post.run()

    assert sum(each.get("left", 0) for each in logs if each["event"] == "batch.sent") > 0
    assert (len(post.services.got), set(post.states)) == (60, {"accepted"})


def test_it_sends_nothing_again_because_the_database_was_away(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent is written down as soon as that can be done again."""
    monkeypatch.setattr("reconciler.outbox.lanes._RETRY_S", 0.0)
    tries = []

    def fails_twice(*arguments: object, **named: object) -> object:
        tries.append(arguments)
        if len(tries) <= 2:
            raise StorageUnavailable("gone for a moment")
        return settle(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("reconciler.outbox.lanes.settle", fails_twice)
    post.subscribe()
    post.notify()

    post.run()

    assert (len(post.services.got), post.states) == (1, ["accepted"])


def test_it_begins_nothing_after_the_end(post: Post) -> None:
    """Once the program must end, no message is taken, and what is left is due for the next one at once."""

    def taken(_message: Message) -> Sent:
        post.stop.set()
        return ACCEPTED

    post.services.answers[HOST] = taken
    post.crowd(30)
    post.run()
    sent = len(post.services.got)
    post.stop.clear()
    post.restart()
    post.services.answers.clear()

    post.run()

    assert sent <= AT_ONCE
    assert len(post.services.got) == 30
    assert set(post.states) == {"accepted"}


def test_it_leaves_nothing_claimed_when_it_has_run(post: Post) -> None:
    """However its messages were answered, a lane holds none of them behind; one for which nothing is due asks nobody."""
    for number, (sent, *_) in enumerate(ANSWERS.values()):
        post.services.answers[post.subscribe(f"u{number}", str(number))] = sent
        post.notify(f"u{number}")
    spread(post.db, post.terms, post.now)

    for _ in ANSWERS:
        run_lane(HOST, post.around)
    asked = len(post.services.got)
    closed_until = run_lane(HOST, post.around)

    assert [row["claim"] for row in post.deliveries] == [None] * len(ANSWERS)
    assert [row["claimed_until"] for row in post.deliveries] == [None] * len(ANSWERS)
    assert (len(post.services.got), closed_until) == (asked, None)
