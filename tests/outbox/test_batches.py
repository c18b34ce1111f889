"""Is each message ended that is not worth sending, and does what one user's browsers answer stay that user's matter?"""

from datetime import timedelta

import pytest

from reconciler.db import subscriptions
from reconciler.outbox import Terms
from reconciler.outbox.batches import BATCH, SILENT_FOR, SILENT_MAX
from reconciler.outbox.lanes import AT_ONCE
from reconciler.outbox.outcomes import PROBE_EVERY
from reconciler.push.sending import Answer, Message, Sent
from tests.outbox.post import ACCEPTED, HOST, Post

PROBE_S = PROBE_EVERY.total_seconds()
LATER = Sent(Answer.LATER, 500)


def test_it_tries_somebody_elses_message_next(post: Post) -> None:
    """Where a push service has refused one user's browsers, all of that user's messages stand behind those of the others."""
    for number in range(20):
        endpoint = post.subscribe("mallory", f"made-up-{number}")
        post.services.answers[endpoint] = Sent(Answer.REFUSED, 403)
    hers = post.subscribe("ann", "hers")
    for _ in range(6):
        post.notify("mallory")
    post.run()
    assert len(post.services.got) <= BATCH
    post.notify("ann")
    post.run(after_s=5)

    post.run(after_s=PROBE_S - 5)

    assert post.services.endpoints.count(hers) == 1
    assert [state for *_, state, _ in post.alerts] == ["cleared"]


def test_it_lets_nobody_wait_less_because_others_are_refused(post: Post) -> None:
    """What a push service told one of the user's messages to wait is not shortened."""
    patient, bad = post.subscribe("mallory", "patient"), post.subscribe("mallory", "bad")
    post.services.answers[patient] = Sent(Answer.LATER, 500, 3600)
    post.services.answers[bad] = Sent(Answer.REFUSED, 403)
    post.notify("mallory")

    post.run()

    due = [row["due_at"] - post.now for row in post.deliveries]
    assert due == [timedelta(hours=1), PROBE_EVERY]


def test_it_leaves_a_browser_alone_that_has_other_keys_by_now(post: Post) -> None:
    """A browser that subscribed anew while its former keys were found to be none is not set aside."""
    endpoint = post.subscribe()

    def answered(_message: Message) -> Sent:
        post.subscribe(p256dh="another")
        return Sent(Answer.BAD_KEY, reason="no point on the curve")

    post.services.answers[endpoint] = answered
    post.notify()
    post.run()
    post.services.answers.clear()
    post.notify()
    post.run(after_s=1)

    assert post.browsers == [(endpoint, "active")]
    assert post.states == ["failed", "accepted"]


def _waiting(post: Post) -> None:
    """A message that waits for its second try."""
    post.services.answers[HOST] = LATER
    post.subscribe()
    post.notify()
    post.run()
    post.services.answers.clear()


def test_it_sends_nothing_under_a_key_that_the_browser_does_not_know(post: Post) -> None:
    """What waits for a browser that subscribed with another pair ends, and the push service is not asked."""
    _waiting(post)
    post.terms = Terms(vapid_key="another-public-key")
    post.restart()

    post.run(after_s=60)

    [row] = post.deliveries
    assert (row["state"], row["reason"]) == ("failed", "the browser subscribed with another key")
    assert len(post.services.got) == 1


def test_it_sends_nothing_to_a_browser_that_was_set_aside(post: Post) -> None:
    """What waits for a browser that can't be used ends, and its push service is not asked."""
    _waiting(post)
    with post.db.writing() as tx:
        [browser] = subscriptions.of_user(tx, "ann")
        subscriptions.quarantine(tx, browser.id, "bad", p256dh=browser.p256dh, auth=browser.auth)

    post.run(after_s=60)

    [row] = post.deliveries
    assert (row["state"], row["reason"]) == ("failed", "the browser's subscription can't be used")
    assert len(post.services.got) == 1


@pytest.mark.parametrize("status", [None, 500])
def test_it_leaves_a_push_service_alone_that_says_nothing(post: Post, status: int | None) -> None:
    """Where nobody answers one message after the other, the rest is not tried for a while; a bad answer is an answer."""
    post.services.answers[HOST] = Sent(Answer.LATER, status)
    post.crowd(60)

    post.run()
    tried = len(post.services.got)
    post.run(after_s=SILENT_FOR.total_seconds() - 1)
    held = len(post.services.got)
    post.services.answers[HOST] = ACCEPTED
    post.run(after_s=60)

    assert (tried < SILENT_MAX + AT_ONCE) == (status is None)
    assert (held == tried) == (status is None)
    assert post.states == ["accepted"] * 60
