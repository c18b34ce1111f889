"""Whether the page asks only when it is clicked, says what is true, and keeps browser and server of one mind.

The vendor's part alone is played, by vendor.js; browser, page, CORS, token, webhook and database are the real ones.
"""

from pathlib import Path

import pytest

from reconciler.db import subscriptions
from reconciler.db.subscriptions import Browser
from reconciler.push.keys import new_key
from tests.browser.conftest import OpenTab, Stage
from tests.browser.machinery import webhook

# A browser without a head never asks: this is one whose user answers in this way.
ANSWERS = """
Object.defineProperty(Notification, "permission", { get: () => window.answered || "default" });
Notification.requestPermission = async () => { window.asked = true; window.answered = "%s"; return "%s"; };
"""
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"


def kept(stage: Stage, user: str = "ann") -> list[Browser]:
    """Return the browsers of a user."""
    with stage.db.reading() as tx:
        return subscriptions.of_user(tx, user)


def test_it_turns_on_and_off(stage: Stage, open_tab: OpenTab) -> None:
    """The browser is kept after one click, still on after a reload, and gone on both sides after another click."""
    tab = open_tab()
    tab.settle("off")
    assert (tab.text("status"), tab.text("button")) == (
        "Notifications are off in this browser.",
        "Turn on notifications",
    )

    tab.click("on")
    [browser] = kept(stage)
    assert (browser.host, browser.locale) == ("fcm.googleapis.com", "en")
    assert browser.vapid_key == stage.key.public
    assert tab.text("button") == "Turn off notifications"

    tab.page.reload()
    tab.settle("on")
    assert [each.id for each in kept(stage)] == [browser.id]

    tab.click("off")
    assert kept(stage) == []
    tab.page.reload()
    tab.settle("off")
    assert tab.problems == []


@pytest.mark.parametrize(
    ("answer", "state"), [("granted", "on"), ("denied", "denied"), ("default", "off")]
)
def test_it_asks_on_a_click_only(stage: Stage, open_tab: OpenTab, answer: str, state: str) -> None:
    """Nobody is asked for leave before the click, and each answer leads to the state that it means."""
    tab = open_tab(script=ANSWERS % (answer, answer))
    tab.settle("off")
    assert tab.page.evaluate("window.asked") is None

    tab.click(state)

    assert tab.page.evaluate("window.asked") is True
    assert len(kept(stage)) == (state == "on")


def test_it_says_that_the_browser_refuses(open_tab: OpenTab) -> None:
    """Where notifications are blocked there is nothing to click, and the page says where to allow them."""
    tab = open_tab(granted=False)
    tab.block()
    tab.page.reload()

    tab.settle("denied")

    assert "settings for this site, then reload" in tab.text("status")
    assert not tab.page.is_visible("[data-push-button]")


@pytest.mark.parametrize(("agent", "is_hinted"), [(None, False), (IPHONE, True)])
def test_it_says_that_the_browser_cannot(
    open_tab: OpenTab, agent: str | None, is_hinted: bool
) -> None:
    """A browser without push is told so; on an iPhone also that the app on its home screen could."""
    tab = open_tab(script="delete window.PushManager;", **({"user_agent": agent} if agent else {}))

    tab.settle("unsupported")

    assert not tab.page.is_visible("[data-push-button]")
    assert tab.page.is_visible("[data-push-hint]") == is_hinted
    assert not is_hinted or "Add to Home Screen" in tab.text("hint")


def test_it_waits_only_so_long_for_a_push_service(stage: Stage, open_tab: OpenTab) -> None:
    """Offline, a browser's subscribe never ends: the page gives up by itself, and can be asked again."""
    stage.app.section["timeout-ms"] = "300"
    tab = open_tab(script="window.vendorIsAway = true;")
    tab.settle("off")

    tab.click("offline")
    assert tab.text("button") == "Try again"
    assert kept(stage) == []

    tab.page.evaluate("window.vendorIsAway = false")
    tab.click("on")
    assert len(kept(stage)) == 1


def test_it_knows_that_there_is_no_network(stage: Stage, open_tab: OpenTab) -> None:
    """Without a network the page says so at once, and works again with one."""
    tab = open_tab()
    tab.settle("off")
    tab.page.context.set_offline(True)

    tab.click("offline")
    tab.page.context.set_offline(False)
    tab.click("on")

    assert len(kept(stage)) == 1


def test_it_says_that_the_server_failed(stage: Stage, open_tab: OpenTab) -> None:
    """A server without push is a failure, and never shown as on."""
    stage.app.webhook_url = stage.app_url
    tab = open_tab()
    tab.settle("off")

    tab.click("failed")

    assert tab.text("status") == "That did not work. Try again in a moment."


def test_it_subscribes_again_when_the_servers_key_changed(stage: Stage, open_tab: OpenTab) -> None:
    """After a change of keys the next look at the page replaces the subscription, and the old one is gone."""
    tab = open_tab()
    tab.settle("off")
    tab.click("on")
    [before] = kept(stage)
    another = new_key()

    with webhook(stage.db, another, (stage.app_url,)) as url:
        stage.app.webhook_url = url
        tab.page.reload()
        tab.settle("on")
        [after] = kept(stage)

    assert (after.vapid_key, after.endpoint != before.endpoint) == (another.public, True)


def test_it_moves_with_who_is_signed_in(stage: Stage, open_tab: OpenTab) -> None:
    """When another user signs in at the same browser, it belongs to that user alone."""
    tab = open_tab()
    tab.settle("off")
    tab.click("on")

    stage.app.user = "bob"
    tab.page.reload()
    tab.settle("on")

    assert (len(kept(stage, "ann")), len(kept(stage, "bob"))) == (0, 1)


# What the browser says of the change, whether the vendor can be asked, and whether the worker subscribes anew, with which key.
OLD: dict[str, object] = {"oldSubscription": {"options": {"applicationServerKey": [4, 5, 6]}}}
CHANGES: dict[str, tuple[dict[str, object], bool, list[int] | None]] = {
    "it has made a new one": (OLD | {"newSubscription": {}}, True, None),
    "it has made none": (OLD | {"newSubscription": None}, True, [4, 5, 6]),
    "the vendor is away": (OLD | {"newSubscription": None}, False, [4, 5, 6]),
    "it says nothing of the old one": ({}, True, None),
}


@pytest.mark.parametrize("case", CHANGES)
def test_it_tells_the_server_of_a_subscription_that_the_browser_changed(
    stage: Stage, open_tab: OpenTab, case: str
) -> None:
    """Where the browser took a subscription away, the worker makes one with the same key, and the page tells the server."""
    said, is_reached, key = CHANGES[case]
    tab = open_tab()
    tab.settle("off")
    tab.click("on")
    [lost] = kept(stage)
    with stage.db.writing() as tx:
        subscriptions.drop(tx, [lost.id], now=lost.created_at)

    with tab.page.expect_event("response", lambda answer: answer.status == 201):
        asked = tab.worker().evaluate(
            """async ([said, isReached]) => {
              const asked = [];
              PushManager.prototype.subscribe = async (options) => {
                asked.push([options.userVisibleOnly, [...new Uint8Array(options.applicationServerKey)]]);
                if (!isReached) throw new DOMException("no push service", "AbortError");
              };
              const event = Object.assign(new Event("pushsubscriptionchange"), said);
              const deeds = [];
              event.waitUntil = (deed) => deeds.push(deed);
              self.dispatchEvent(event);
              await Promise.all(deeds);
              return asked;
            }""",
            [said, is_reached],
        )

    assert asked == ([] if key is None else [[True, key]])
    assert len(kept(stage)) == 1


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_fits_into_a_narrow_window(
    stage: Stage, open_tab: OpenTab, language: str, tmp_path: Path
) -> None:
    """On a small screen nothing is cut off, in either language, and the server learns the language."""
    stage.app.language = language
    tab = open_tab(viewport={"width": 280, "height": 480})
    tab.settle("off")

    tab.click("on")
    tab.page.screenshot(path=tmp_path / f"narrow-{language}.png")

    assert tab.page.evaluate("document.documentElement.scrollWidth") == 280
    box = tab.page.locator("[data-push-button]").bounding_box()
    assert box["height"] >= 44
    assert box["x"] + box["width"] <= 280
    assert tab.text("title") == (
        "Notifications de paiement" if language == "fr" else "Payment notifications"
    )
    assert kept(stage)[0].locale == language


def test_it_can_be_used_without_eyes_or_mouse(stage: Stage, open_tab: OpenTab) -> None:
    """The state is announced, the button has a name and is reached by the keyboard, and keeps its focus."""
    tab = open_tab()
    tab.settle("off")

    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.settle("on")

    assert tab.page.get_by_role("status").inner_text() == tab.text("status")
    assert tab.page.get_by_role("button", name="Turn off notifications").is_visible()
    assert tab.page.evaluate("document.activeElement.matches('[data-push-button]')")
    assert tab.page.get_by_role("region", name="Payment notifications").is_visible()
