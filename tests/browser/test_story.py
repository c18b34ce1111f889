"""The whole way once: a payment at Stripe, whose webhooks are lost, to the notification in a real browser."""

import json
import time

import pytest

from reconciler.db.session import Database
from tests.browser.conftest import OpenTab, Stage
from tests.browser.machinery import WITHIN_S
from tests.journeys.conftest import run, stripe  # noqa: F401 - fixtures
from tests.journeys.programs import Start, Stripe, set_out
from tests.journeys.test_push_story import (
    pay_by_link,
    payment_status,
    send_everything_again,
    start,
)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_reaches_the_users_browser_once(
    run: Start,  # noqa: F811
    stripe: Stripe,  # noqa: F811
    database: Database,
    stage: Stage,
    open_tab: OpenTab,
) -> None:
    """Subscribed with a click, paid by Payment Link, found by the sweep, encrypted, shown; told again, nothing more is sent."""
    set_out(database)
    origins = {"RECONCILER_PUSH__CORS_ORIGINS": json.dumps([stage.app_url])}
    _, port = start(run, stage.key, stage.service_url, **origins)
    stage.app.webhook_url = f"http://127.0.0.1:{port}"
    tab = open_tab()
    tab.settle("off")
    tab.click("on")

    pay_by_link(stripe, database, "ann")
    stripe.catch_up()
    deadline = time.monotonic() + WITHIN_S
    while not stage.service.bodies and time.monotonic() < deadline:
        time.sleep(0.05)
    [body] = stage.service.bodies
    tab.deliver(tab.decrypt(body))

    assert payment_status(database) == "paid"
    [shown] = tab.notifications()
    assert (shown["title"], shown["body"]) == ("Payment received", "Invoice INV-1: 25.00 EUR")
    assert tab.click_notification() == [f"opens {stage.app_url}/invoices/i1"]

    send_everything_again(stripe, port)
    # Longer than the daemon takes to look for what is to be sent.
    time.sleep(3)
    assert len(stage.service.bodies) == 1
