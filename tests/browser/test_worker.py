"""Whether what the server encrypts is shown in a real browser, once, and opens the invoice.

The vendor's part alone is played, by vendor.js: the browser's own WebCrypto decrypts with the page's key what the server sent,
and the browser hands the clear text to the worker.
"""

from datetime import UTC, datetime

import pytest

from reconciler.db import subscriptions
from reconciler.push.sending import Answer, Message, Sender, Subscription
from tests.browser.conftest import OpenTab, Stage
from tests.browser.machinery import Tab, message


@pytest.fixture
def tab(stage: Stage, open_tab: OpenTab) -> Tab:
    """Give a page whose user has turned notifications on."""
    tab = open_tab()
    tab.settle("off")
    tab.click("on")
    return tab


def send(stage: Stage, payload: str) -> bytes:
    """Let the server send a message to the user's browser; returns what the push service got."""
    with stage.db.reading() as tx:
        [browser] = subscriptions.of_user(tx, "ann")
    sender = Sender(
        stage.key, "mailto:us@example.com", ("fcm.googleapis.com",), relay=stage.service_url
    )
    sent = sender.send(
        Subscription(browser.endpoint, browser.p256dh, browser.auth),
        Message(payload.encode(), ttl_s=60, urgency="normal", topic="t" * 32),
        datetime.now(UTC),
    )
    sender.close()
    assert sent.answer is Answer.ACCEPTED
    return stage.service.bodies[-1]


def test_it_shows_what_the_server_sent_and_opens_the_invoice(stage: Stage, tab: Tab) -> None:
    """From the server's words to the click: encrypted on the way, decrypted with the page's key, shown word for word."""
    body = send(stage, message())
    assert b"INV-1" not in body
    clear = tab.decrypt(body)
    assert clear == message()

    tab.deliver(clear)
    [shown] = tab.notifications()
    assert (shown["title"], shown["body"]) == (
        "Payment received",
        "Invoice INV-1: €10.00 received. Thank you.",
    )

    [asked] = tab.click_notification()
    assert asked == f"opens {stage.app_url}/invoices/i1"
    assert tab.notifications(lambda tray: not tray) == []
    tab.page.goto(asked.removeprefix("opens "))
    assert tab.page.title() == "Invoice"
    assert tab.problems == []


def test_it_shows_the_same_news_once(tab: Tab) -> None:
    """What comes twice stays one notification and makes no sound; later news takes its place, and is heard."""
    tab.deliver(message())
    [first] = tab.notifications()
    tab.deliver(message())
    [again] = tab.notifications(lambda tray: any(each["silent"] for each in tray))
    tab.deliver(message(id="milestone-2", title="Payment failed"))
    [later] = tab.notifications(
        lambda tray: any(each["title"] == "Payment failed" for each in tray)
    )

    assert (first["renotify"], again["renotify"], later["renotify"]) == (True, False, True)
    assert (first["silent"], again["silent"], later["silent"]) == (False, True, False)
    assert again["title"] == first["title"]


def test_it_makes_no_sound_again_for_what_was_dismissed(tab: Tab) -> None:
    """What comes once more after the user has put it away is shown, as a browser demands, and not heard."""
    tab.deliver(message())
    tab.notifications()
    tab.click_notification()
    tab.notifications(lambda tray: not tray)

    tab.deliver(message())
    [again] = tab.notifications()
    tab.deliver(message(id="milestone-2", tag="u" * 32))
    tray = tab.notifications(lambda tray: len(tray) > 1)

    assert (again["silent"], again["renotify"]) == (True, False)
    assert {each["data"]["id"]: each["silent"] for each in tray} == {
        "milestone-1": True,
        "milestone-2": False,
    }


def test_it_remembers_only_the_last_names(tab: Tab) -> None:
    """Of all that was ever shown fifty names are kept, the latest ones."""
    for number in range(55):
        tab.deliver(message(id=f"m{number}", title=f"News {number}"))
    tab.notifications(lambda tray: any(each["title"] == "News 54" for each in tray))
    tab.deliver("")
    tab.notifications(lambda tray: len(tray) > 1)

    kept = tab.worker().evaluate(
        "async () => (await (await caches.open('reconciler-push')).match('/push/seen')).json()"
    )
    assert kept == [f"m{number}" for number in range(5, 55)]


@pytest.mark.parametrize("broken", ["open", "match", "put"])
def test_it_shows_everything_where_nothing_can_be_stored(tab: Tab, broken: str) -> None:
    """A browser without room, or whose storage is blocked, still shows each message, with its sound."""
    tab.worker().evaluate(
        """broken => {
          const fails = async () => { throw new DOMException("no room", "QuotaExceededError"); };
          (broken === "open" ? CacheStorage : Cache).prototype[broken] = fails;
        }""",
        broken,
    )

    tab.deliver(message())
    [shown] = tab.notifications()

    assert shown["silent"] is False


def test_it_keeps_news_of_two_invoices_apart(tab: Tab) -> None:
    """Another tag is another notification."""
    tab.deliver(message())
    tab.deliver(message(id="milestone-2", tag="u" * 32))

    assert len(tab.notifications(lambda tray: len(tray) > 1)) == 2


UNREADABLE = [
    "",
    "not JSON",
    "null",
    "[]",
    "3",
    '{"title": 3, "tag": {}}',
    '{"id": "x", "title": ""}',
]


def test_it_always_shows_something(tab: Tab) -> None:
    """A message that can't be read is still shown: a browser takes the permission from who shows nothing."""
    for clear in UNREADABLE:
        tab.deliver(clear)

        [shown] = tab.notifications()

        assert shown["title"] == "News about your payment", clear
        assert shown["body"] == "Open the app to see it."
        assert shown["tag"]
        tab.click_notification()


OPENED = [
    ("/invoices/i1?from=push", "{app}/invoices/i1?from=push"),
    ("https://billing.example.com/i/1", "https://billing.example.com/i/1"),
    ("http://evil.example/", "{app}/"),
    ("//evil.example/", "{app}/"),
    ("javascript:alert(1)", "{app}/"),
    ("data:text/html,x", "{app}/"),
    ("https://", "{app}/"),
    ("", "{app}/"),
    (None, "{app}/"),
    (["https://evil.example"], "{app}/"),
]


def test_it_opens_only_what_is_safe(stage: Stage, tab: Tab) -> None:
    """A click opens a page of the app, or an https address; whatever else is named, the app's start page."""
    for url, opened in OPENED:
        tab.deliver(message(url=url))
        tab.notifications()

        assert tab.click_notification() == [f"opens {opened.format(app=stage.app_url)}"], url


def test_it_focuses_a_page_that_is_open(stage: Stage, tab: Tab) -> None:
    """A page that shows the invoice already is brought to the front, and not opened twice."""
    tab.deliver(message(url="/settings/page.html"))
    tab.notifications()

    assert tab.click_notification() == [f"focuses {stage.app_url}/settings/page.html"]
