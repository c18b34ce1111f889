"""What does every command need first: the program's options, settings, the database and the policy?"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from reconciler import logs
from reconciler.apply import Policy
from reconciler.config import Invoices, Settings, SettingsError, load, require
from reconciler.core.ledger import Rules
from reconciler.core.observation import ms
from reconciler.db import events, migrate, queries
from reconciler.db.adopted import Unmappable, adopt
from reconciler.db.fitting import Description
from reconciler.db.invoice_table import EMBEDDED, InvoiceTable
from reconciler.db.session import Database, Tx, open_database, transaction_open
from reconciler.inbox import Inbox
from reconciler.stripe_api.gateway import Access, Gateway
from reconciler.stripe_api.translate import Vocabulary, parse_ignore

app = typer.Typer(
    name="reconciler",
    help="Keeps your invoices equal to what Stripe says was paid.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", help="The settings; else $RECONCILER_CONFIG, ./config.toml."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
Limit: TypeAlias = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]


class Refused(Exception):  # noqa: N818 - a plain answer to the person, not a mistake of the program
    """The command can't be carried out; the message says why and what mends it."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def settings_of(config: Path | None) -> Settings:
    """Load the settings and start the log."""
    settings = load(config)
    logs.configure(settings.log.format, settings.log.level)
    return settings


def connect(settings: Settings, *, create: bool = False) -> Database:
    """Open the database that the settings name."""
    url = settings.secrets.database_url.get_secret_value()
    try:
        return open_database(
            url,
            schema=settings.database.schema,
            busy_timeout_s=settings.database.busy_timeout_s,
            create=create,
        )
    except ValueError as error:
        raise SettingsError([f"[database] url: {error}"]) from None


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database, with the schema and the mode that this program and its settings expect."""
    db = connect(settings)
    try:
        migrate.require_current(db)
        _require_mode(db, settings)
        yield db
    finally:
        db.close()


def _require_mode(db: Database, settings: Settings) -> None:
    """Live and test never share a database."""
    with db.reading() as tx:
        stored = events.setting(tx, "mode")
    mode = settings.stripe.mode
    if stored is not None and mode is not None and stored != mode:
        raise Refused(
            f"this database belongs to Stripe's {stored} mode, and [stripe] mode is {mode}:"
            " use another database, or the other mode"
        )


def policy_of(settings: Settings, db: Database) -> Policy:
    """What the settings, and what `init` wrote down, say about decisions."""
    with db.reading() as tx:
        since = events.setting(tx, "since")
    if settings.matching.since is not None:
        since = settings.matching.since.isoformat()
    start = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None
    return Policy(
        rules=Rules(
            payable=frozenset(settings.invoices.payable),
            since_ms=ms(start) if start else 0,
            grace_s=int(settings.exceptions.grace_s),
            notice_max_age_s=int(settings.push.max_age_s),
            dispute_notices=settings.push.dispute_notices,
        ),
        invoices=invoices_of(settings, db),
    )


def invoices_of(settings: Settings, db: Database) -> InvoiceTable:
    """The table of invoices that the settings describe, as it is."""
    chosen = settings.invoices
    _require_the_same_table(db, chosen.table)
    if not chosen.table:
        _require_nothing_to_map(chosen)
        return EMBEDDED
    try:
        with db.reading() as tx:
            return adopt(tx, description_of(settings))
    except Unmappable as refused:
        raise SettingsError(refused.problems) from None


def invoice_called(tx: Tx, key: str, table: InvoiceTable) -> dict[str, Any]:
    """The one invoice with this id or number, in our words, or a plain answer."""
    found = queries.invoice(tx, key, table)
    if found is None:
        raise Refused(
            f"no invoice, or more than one, has the id or number {key!r}:"
            " `reconciler invoices list` shows them",
            1,
        )
    return found


def description_of(settings: Settings) -> Description:
    """What the settings say of the app's table."""
    chosen = settings.invoices
    return Description(
        table=chosen.table,
        columns=chosen.columns,
        words=chosen.words,
        payable=tuple(chosen.payable),
        in_decimals=chosen.amounts == "decimal",
        only=chosen.filter,
        zone=settings.report.timezone,
    )


def _require_the_same_table(db: Database, table: str) -> None:
    """What was settled belongs to the invoices of one table: another one may have the same ids."""
    with db.reading() as tx:
        kept = events.setting(tx, "invoices")
    if kept is not None and kept != table:
        raise Refused(
            f"this database settles {kept or 'the table that we bring'}, and [invoices] table is {table!r}: set it back,"
            " or run `reconciler init` if that is meant"
        )


def _require_nothing_to_map(chosen: Invoices) -> None:
    """Refuse what would be ignored: money must never go to another table than the one that is described."""
    described = {
        "columns": chosen.columns,
        "words": chosen.words,
        "filter": chosen.filter,
        "amounts": chosen.amounts != "minor",
    }
    problems = [
        f"[invoices] {key}: describes a table, but table names none; name it, or leave {key} out"
        for key, is_set in described.items()
        if is_set
    ]
    if problems:
        raise SettingsError(problems)


def inbox_of(settings: Settings, db: Database) -> Inbox:
    """The inbox of the account that the settings name."""
    require(settings, "mode")
    try:
        for rule in settings.matching.ignore:
            parse_ignore(rule)
    except ValueError as error:
        raise SettingsError([f"[matching] ignore: {error}"]) from None
    return Inbox(
        db=db,
        livemode=settings.stripe.mode == "live",
        policy=policy_of(settings, db),
        vocabulary=Vocabulary(
            metadata_keys=tuple(settings.matching.metadata_keys),
            ignore=tuple(settings.matching.ignore),
        ),
    )


def gateway_of(
    settings: Settings,
    stop: threading.Event | None = None,
    *,
    before_asking: Callable[[], None] = lambda: None,
) -> Gateway:
    """The way to the Stripe account that the settings name; reads only, and never inside a transaction."""

    def check() -> None:
        _require_no_transaction()
        before_asking()

    require(settings, "mode", "api_key")
    key = settings.secrets.stripe_api_key
    stripe = settings.stripe
    return Gateway(
        Access(
            api_key=key.get_secret_value() if key else "",
            api_version=stripe.api_version,
            base=settings.stripe_api_base,
            connect_timeout_s=stripe.connect_timeout_s,
            read_timeout_s=stripe.read_timeout_s,
            requests_per_s=stripe.requests_per_s,
        ),
        stop=stop,
        before_asking=check,
    )


def _require_no_transaction() -> None:
    if transaction_open():
        raise RuntimeError("Stripe was asked while a transaction was open")


def now() -> datetime:
    """The present moment; the only clock of the commands."""
    return datetime.now(UTC)
