"""How is a range of days reconciled, and how would everybody else do it?

`reconciled_of` is the manual run as the command makes it, but for the clock. `looped_of` is the loop that everybody writes
instead: Stripe's library page by page, and for each object one upsert by an ORM and one commit, in a table beside ours.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks.shelf import DATE_S, LAG_S
from benchmarks.work import KEY, Said, Task
from reconciler import logs
from reconciler.core.calendar import DayRange
from reconciler.db.migrate import upgrade
from reconciler.db.session import open_database, transaction_open
from reconciler.inbox import Inbox
from reconciler.poll import Poller
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.running import run
from reconciler.stripe_api.gateway import Access, Gateway

VERSION: Final = "2026-10-28.endive"


def reconciled_of(  # noqa: PLR0913 - all are named
    *, base: str, url: str, schema: str, reach_s: int, later_s: int, requests_per_s: float
) -> Task:
    """A run over the days of the last `reach_s` seconds, so long after the first one: how many objects, how many requests."""
    logs.configure("json", "error")
    db = open_database(url, schema=schema, create=True)
    upgrade(db)
    access = Access(api_key=KEY, api_version=VERSION, base=base, requests_per_s=requests_per_s)
    now = datetime.fromtimestamp(DATE_S + later_s, UTC)
    poller = Poller(
        db=db,
        gateway=Gateway(access, before_asking=_require_no_transaction),
        inbox=Inbox(db=db),
        now=lambda: now,
    )
    first = (now - timedelta(seconds=reach_s)).date()
    days = DayRange(first=first, last=now.date(), zone=UTC)

    def reconcile_once() -> Said:
        run_id = ask(db, Asked(days=days, zone="UTC", by="benchmark"), now)
        head = run(poller, run_id)
        if head.error:
            raise RuntimeError(head.error)
        return {"objects": head.objects, "requests": head.requests}

    return reconcile_once


def looped_of(*, base: str, url: str, schema: str, reach_s: int, later_s: int) -> Task:
    """The naive loop over PaymentIntents, into a table of its own."""
    import stripe  # noqa: PLC0415 - its memory belongs to those that use it
    from sqlalchemy import BigInteger, Text, create_engine  # noqa: PLC0415 - the same
    from sqlalchemy.orm import (  # noqa: PLC0415
        DeclarativeBase,
        Mapped,
        Session,
        mapped_column,
    )

    class Base(DeclarativeBase):
        pass

    class Payment(Base):
        __tablename__ = "naive_payments"
        id: Mapped[str] = mapped_column(Text, primary_key=True)
        status: Mapped[str] = mapped_column(Text)
        amount: Mapped[int] = mapped_column(BigInteger)
        currency: Mapped[str] = mapped_column(Text)

    engine = create_engine(url)
    if engine.dialect.name != "sqlite":
        engine = engine.execution_options(schema_translate_map={None: schema})
    Base.metadata.create_all(engine)
    client = stripe.StripeClient(KEY, base_addresses={"api": base})

    def loop_once() -> Said:
        objects = 0
        created: Any = {"gte": DATE_S - LAG_S + later_s - reach_s}
        listed = client.v1.payment_intents.list({"limit": 100, "created": created})
        with Session(engine) as session:
            for each in listed.auto_paging_iter():
                session.merge(
                    Payment(
                        id=each.id, status=each.status, amount=each.amount, currency=each.currency
                    )
                )
                session.commit()
                objects += 1
        return {"objects": objects}

    return loop_once


def _require_no_transaction() -> None:
    if transaction_open():
        raise RuntimeError("Stripe was asked while a transaction was open")
