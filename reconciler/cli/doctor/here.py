"""What stands on this machine: are settings and secrets there, does the database answer, and what did the webhook get?"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from reconciler.cli import lateness
from reconciler.cli.context import Refused, database, description_of, invoices_of, now
from reconciler.cli.lines import Colour, Line
from reconciler.cli.output import cell
from reconciler.config import Settings, SettingsError, redacted_url, require
from reconciler.db import adoption_checks, queries
from reconciler.db.migrate import SchemaMismatch
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.stripe_api.signature import SignatureFault

_NO_DATABASE: Final = (
    StorageUnavailable,
    StatementFailed,
    SchemaMismatch,
    Refused,
    SettingsError,
)
# After so long without a good delivery a bad one is no stranger's any more, it is all that comes.
_QUIET: Final = timedelta(days=1)

_CLOCK_MEND: Final = "Stripe signed it, but its time is far from ours: set this machine's clock"
_MENDS: Final = MappingProxyType(
    {
        SignatureFault.MISMATCH: (
            "STRIPE_WEBHOOK_SECRET is not the secret of the endpoint that sends here: copy it from the Dashboard under"
            " Developers, Webhooks, your endpoint"
        ),
        SignatureFault.STALE: _CLOCK_MEND,
        SignatureFault.FUTURE: _CLOCK_MEND,
        SignatureFault.MISSING: "the proxy in front must hand on the header Stripe-Signature",
        SignatureFault.MALFORMED: "the proxy in front must hand on header and body as they come",
    }
)


def settings_lines(settings: Settings) -> Iterator[Line]:
    """What the settings lack, one line a need."""
    good = {
        "mode": f"Stripe's {settings.stripe.mode} mode",
        "webhook_secret": f"{len(settings.secrets.stripe_webhook_secret)} signing secret(s)",
        "api_key": "set, restricted, and of the same mode",
    }
    for need, words in good.items():
        try:
            require(settings, need)  # type: ignore[arg-type]
        except SettingsError as error:
            for problem in error.problems:
                yield Line(Colour.RED, need, problem)
            continue
        yield (
            _full_key()
            if need == "api_key" and _is_full(settings)
            else Line(Colour.GOOD, need, words)
        )


def expects_webhooks(settings: Settings) -> bool:
    """Whether somebody means webhooks to come here; where the database does not tell, the secret alone does."""
    has_secret = bool(settings.secrets.stripe_webhook_secret)
    try:
        with database(settings) as db, db.reading() as tx:
            at = now()
            seen = lateness.arrivals(tx, at, counts_from=None, has_secret=has_secret)
            return lateness.expects_webhooks(seen, at)
    except _NO_DATABASE:
        return has_secret


def database_lines(settings: Settings) -> Iterator[Line]:
    """Whether the database is there and right, and what its count of deliveries says."""
    where = redacted_url(settings.secrets.database_url.get_secret_value())
    try:
        with database(settings) as db:
            with db.reading() as tx:
                health = queries.health(tx)
            invoices = list(_invoices(settings, db))
    except _NO_DATABASE as error:
        yield Line(Colour.RED, "database", f"{where}: {error}")
        return
    yield Line(Colour.GOOD, "database", f"{where}, schema right")
    yield from invoices
    yield _webhook(health)


def _invoices(settings: Settings, db: Database) -> Iterator[Line]:
    """Whether the app's own table is as the settings describe it, where there is one."""
    if not settings.invoices.table:
        return
    try:
        table = invoices_of(settings, db)
    except SettingsError as error:
        for problem in error.problems:
            yield Line(Colour.RED, "invoices", problem)
        return
    with db.reading() as tx:
        found = list(adoption_checks.findings(tx, table, description_of(settings)))
    written = ", ".join(str(table.columns[each].name) for each in table.written)
    words = f"{settings.invoices.table}: writes {written or 'nothing'}"
    if missing := adoption_checks.left_out(table):
        words += f"; has no {', '.join(missing)}"
    yield Line(Colour.GOOD, "invoices", words)
    for each in found:
        yield Line(Colour.RED if each.is_bad else Colour.LOOK, "invoices", each.what)


def _is_full(settings: Settings) -> bool:
    key = settings.secrets.stripe_api_key
    return key is not None and key.get_secret_value().startswith("sk_")


def _full_key() -> Line:
    words = (
        "set, and of the same mode; it is a full secret key, which may also move money: a restricted key (rk_...) with read"
        " rights is enough, and safer"
    )
    return Line(Colour.LOOK, "api_key", words)


def _webhook(health: Mapping[str, Any] | None) -> Line:
    if health is None:
        return Line(Colour.GOOD, "webhook", "nothing received yet")
    good_at, bad_at, reason = health["last_good_at"], health["last_bad_at"], _reason(health)
    words = f"{health['good']} good, {health['bad']} bad, last good {_moment(good_at)}"
    if bad_at is None:
        return Line(Colour.GOOD, "webhook", words)
    words += f", last bad {_moment(bad_at)} ({reason})"
    # Anybody may send rubbish to an open door: bad ones between good ones are no reason to call a person.
    if reason in _MENDS and (good_at is None or bad_at - good_at > _QUIET):
        return Line(Colour.RED, "webhook", f"{words}: {_MENDS[SignatureFault(reason)]}")
    if health["bad"] > health["good"]:
        return Line(Colour.LOOK, "webhook", f"{words}; most of them are bad")
    return Line(Colour.GOOD, "webhook", words)


def _reason(health: Mapping[str, Any]) -> str:
    return str(health["last_bad_reason"] or "no reason known")


def _moment(at: object) -> str:
    return "never" if at is None else f"{cell(at)} UTC"
