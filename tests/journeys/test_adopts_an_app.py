"""Can an app keep its own table of invoices, and give us no right that we don't need?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from reconciler.db.session import Database, open_database
from reconciler.simulator import till
from tests.adoption.apps import APPS, App
from tests.cli.program import Answer, Program
from tests.journeys.programs import (
    Stripe,
    environment,
    free_port,
    start,
    wait_until,
)
from tests.journeys.stories import Sender, event, intent


@dataclass(frozen=True, slots=True)
class House:
    """An app with its database, and our programs beside it as a user that may do no more than it must."""

    app: App
    owner: Database
    folder: Path
    environ: dict[str, str]

    def ask(self, *arguments: str) -> Answer:
        """Run one command to its end."""
        return Program(self.folder).run(*arguments, **self.environ, COLUMNS="200")


@pytest.fixture(params=APPS, ids=lambda app: app.name)
def house(
    request: pytest.FixtureRequest, dialect: str, stripe: Stripe, tmp_path: Path
) -> Iterator[House]:
    """Give each app in turn: its tables and rows are there before any of ours, and `init` was not run."""
    app: App = request.param
    if dialect == "sqlite":
        owner = open_database(f"sqlite:///{tmp_path / 'app.db'}", create=True)
        url, ours, user = f"sqlite:///{tmp_path / 'app.db'}", "reconciler", ""
    else:
        server = request.getfixturevalue("postgres_url")
        user = ours = f"ours_{uuid4().hex[:12]}"
        owner = open_database(server, schema="public")
        url = make_url(server).set(username=user).render_as_string(hide_password=False)
    app.drop(owner)
    app.create(owner)
    rights = (
        f"CREATE ROLE {user} LOGIN",
        f"CREATE SCHEMA {ours} AUTHORIZATION {user}",
        f"GRANT USAGE ON SCHEMA {app.name} TO {user}",
        *(grant.replace("{user}", user) for grant in app.grants),
    )
    if user:
        with owner.migrating() as tx:
            for each in rights:
                tx.execute(text(each))
    (tmp_path / "config.toml").write_text(app.config(owner), encoding="utf-8")
    yield House(app, owner, tmp_path, environment(url, ours, stripe.base_url, free_port()))
    app.drop(owner)
    if user:
        with owner.migrating() as tx:
            tx.execute(text(f"DROP OWNED BY {user} CASCADE"))
            tx.execute(text(f"DROP ROLE {user}"))
    owner.close()


def test_it_pays_the_apps_invoices(house: House, stripe: Stripe) -> None:
    """From `init` and `doctor` to paid invoices in the app's own words, by webhook and by sweep, with the README's rights."""
    app, (by_webhook, by_sweep) = house.app, house.app.keys
    currency = {"currency": app.currency}
    port = int(house.environ["RECONCILER_WEBHOOK__LISTEN"].rpartition(":")[2])
    about = intent("pi_1", "succeeded", app.due_minor, invoice=by_webhook, **currency)
    told = event("evt_1", "payment_intent.succeeded", about)
    named = {"invoice_id": by_sweep}
    till.succeed(
        stripe.world,
        till.make_intent(stripe.world, amount=app.due_minor, metadata=named, **currency),
    )
    stripe.catch_up()

    begun = house.ask("init", "--since", "2026-01-01")
    looked = house.ask("doctor")
    programs = [start(house.folder, each, **house.environ) for each in ("serve", "daemon")]
    try:
        wait_until(lambda: _is_taken(port, told), programs[0])
        wait_until(lambda: app.state(house.owner, by_webhook) == app.paid, programs[0])
        wait_until(lambda: app.state(house.owner, by_sweep) == app.paid, programs[1])
        codes = [each.stop() for each in programs]
    finally:
        for each in programs:
            each.kill_all()

    lines = [line.split() for line in looked.out.splitlines()]
    assert begun.code in {0, 1}, begun.everything
    assert [line[0] for line in lines if line[1:2] == ["invoices"]][:1] == ["ok"], looked.out
    assert "BAD   invoices" not in looked.out
    assert codes == [0, 0]
    assert house.ask("verify").code == 0


def _is_taken(port: int, told: dict[str, object]) -> bool:
    sender = Sender(port)
    try:
        return sender.send(told) == 200
    except OSError:
        return False
    finally:
        sender.close()
