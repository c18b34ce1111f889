"""How are pages of a hundred applied without anybody to ask, and how is it done in an afternoon?

What each PaymentIntent says is read before the clock starts; then every page is a transaction of its own, as a sweep does it.
Each payment pays an invoice of its own.
"""

import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.shelf import DATE_S, EVERY_S, NEWEST_S, PAGE, Shelf
from benchmarks.work import Said, Task
from reconciler import logs
from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Observation, Source, Span
from reconciler.db import tables
from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from reconciler.stripe_api.translate import Vocabulary
from reconciler.stripe_api.translate.objects import observe_object

_AMOUNT_MINOR: Final = 4998


def applied_of(*, url: str, schema: str, count: int, later_s: int, billed: bool) -> Task:
    """Apply `count` PaymentIntents as they are read `later_s` after the first time; their invoices are `billed` already or not."""
    logs.configure("json", "error")
    db = open_database(url, schema=schema, create=True)
    upgrade(db)
    now = datetime.fromtimestamp(DATE_S + later_s, UTC)
    if not billed:
        _bill(db, count, now)
    pages = [_said(page, later_s) for page in _listed(count)]
    policy = Policy()
    # What was made ready is nobody's garbage, and looking through it again and again is none of the work.
    gc.freeze()

    def apply_all() -> Said:
        settled = 0
        for page in pages:
            with db.writing() as tx:
                decision = apply_payment_state(tx, page, source=Source.POLL, now=now, policy=policy)
            settled += len(decision.invoices)
        return {"objects": count, "found": settled}

    return apply_all


def upserted_of(*, url: str, count: int) -> Task:
    """Take as many in by an ORM: an upsert, its invoice, and a commit for each."""
    from types import SimpleNamespace  # noqa: PLC0415 - like the next, only this task needs it

    from sqlalchemy.orm import Session  # noqa: PLC0415

    from benchmarks.afternoon import Base, Invoice, engine_of, ingest  # noqa: PLC0415

    engine = engine_of(url)
    Base.metadata.create_all(engine)
    listed = [each for page in _listed(count) for each in page]
    with Session(engine) as session:
        known = session.get(Invoice, listed[0]["metadata"]["invoice_id"])
        if known is None:
            session.add_all(
                Invoice(
                    id=each["metadata"]["invoice_id"],
                    currency="eur",
                    amount_due=_AMOUNT_MINOR,
                    status="open",
                )
                for each in listed
            )
            session.commit()

    def upsert_all() -> Said:
        for each in listed:
            with Session(engine) as session:
                ingest(session, SimpleNamespace(**each))
                session.commit()
        return {"objects": len(listed)}

    return upsert_all


def _listed(count: int) -> Iterator[list[dict[str, Any]]]:
    shelf = Shelf(count=count)
    for start in range(0, count, PAGE):
        query = {"created[lt]": str(NEWEST_S - start * EVERY_S + 1), "limit": str(PAGE)}
        yield json.loads(shelf.page(query))["data"]


def said_pages(count: int) -> Iterator[list[Observation]]:
    """What so many PaymentIntents say, page by page."""
    return (_said(page, 0) for page in _listed(count))


def _said(page: list[dict[str, Any]], later_s: int) -> list[Observation]:
    at_ms = (DATE_S + later_s) * 1000
    return [
        observation
        for each in page
        for observation in observe_object(
            each,
            span=Span(at_ms, at_ms + 999),
            evidence="req_benchmark",
            vocabulary=Vocabulary(),
            is_read=True,
        )[0]
    ]


def _bill(db: Database, count: int, now: datetime) -> None:
    rows = [
        {
            "id": each["metadata"]["invoice_id"],
            "currency": "eur",
            "amount_due": _AMOUNT_MINOR,
            "status": "open",
            "created_at": now,
            "updated_at": now,
        }
        for page in _listed(count)
        for each in page
    ]
    with db.writing() as tx:
        tx.execute(tables.invoices.insert(), rows)
