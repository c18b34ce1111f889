"""How do the tests share one Chromium, and get a page each?"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from reconciler.push.keys import VapidKey, new_key
from tests.browser.machinery import (
    FLAGS,
    VENDOR,
    WITHIN_S,
    App,
    PushService,
    Tab,
    chromium_path,
    listening,
    webhook,
)


@dataclass(frozen=True, slots=True)
class Stage:
    """All that a browser meets: the app, the webhook behind it, and the push service."""

    db: Database
    key: VapidKey
    app: App
    app_url: str
    service: PushService
    service_url: str


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Give one browser to all tests of a module."""
    path = chromium_path()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra that may be missing

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def stage(chromium: Any, tmp_path: Path) -> Iterator[Stage]:
    """Give an app at one origin, and the webhook at another."""
    db = open_database(f"sqlite:///{tmp_path / 'reconciler.db'}", create=True)
    upgrade(db)
    key, service = new_key(), PushService()
    app = App("")

    def keep(path: str, body: bytes) -> tuple[int, str, bytes]:
        service.paths.append(path)
        service.bodies.append(body)
        return 201, "text/plain", b""

    with ExitStack() as stack:
        stack.callback(db.close)
        app_url = stack.enter_context(listening(app.answer))
        service_url = stack.enter_context(listening(lambda _: (404, "text/plain", b""), keep))
        app.webhook_url = stack.enter_context(webhook(db, key, (app_url,)))
        yield Stage(db, key, app, app_url, service, service_url)


OpenTab = Callable[..., Tab]


@pytest.fixture
def open_tab(chromium: Any, stage: Stage) -> Iterator[OpenTab]:
    """Give a function that opens the app's page in a browser of its own, with or without permission."""
    with ExitStack() as stack:

        def begin(*, granted: bool = True, script: str = "", **more: Any) -> Tab:
            context = chromium.new_context(**more)
            stack.callback(context.close)
            context.set_default_timeout(WITHIN_S * 1000)
            if granted:
                context.grant_permissions(["notifications"], origin=stage.app_url)
            context.add_init_script(path=VENDOR)
            if script:
                context.add_init_script(script)
            page = context.new_page()
            cdp = context.new_cdp_session(page)
            tab = Tab(page, cdp, stage.app_url)
            cdp.on(
                "ServiceWorker.workerRegistrationUpdated",
                lambda event: tab.registrations.extend(
                    each["registrationId"] for each in event["registrations"]
                ),
            )
            cdp.on(
                "ServiceWorker.workerErrorReported",
                lambda event: tab.problems.append(event["errorMessage"]["errorMessage"]),
            )
            page.on(
                "console",
                lambda line: line.type == "error" and tab.problems.append(line.text),
            )
            cdp.send("ServiceWorker.enable")
            page.goto(f"{stage.app_url}/settings/page.html")
            return tab

        yield begin
