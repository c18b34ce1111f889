"""Does `verify` stay quiet about right books while others write them?"""

import threading

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Observation, Reference, ReferenceKind, Source
from reconciler.db import tables as t
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.core import builders as b

NOW = b.at(100)
PAYMENTS = 60


def _steps(number: int) -> list[list[Observation]]:
    """A payment of an invoice in four transactions, each of which changes sums and words of both."""
    names = frozenset({Reference(ReferenceKind.FROZEN_METADATA, f"i{number % 7}")})
    id_, charge = f"pi_{number}", f"ch_{number}"
    common = {"charge": charge, "intent": id_}
    return [
        [b.event(b.intent("processing", id=id_), 5, "evt_1")],
        [b.event(b.intent(id=id_, succeeded_ms=b.at_ms(9), references=names), 9, "evt_2")],
        [b.event(b.charge(id=charge, intent=id_), 9, "evt_3")],
        [
            b.event(b.transaction(id=f"txn_{number}", source=charge), 10, "evt_4"),
            b.event(b.refund("failed", 300, id=f"re_{number}", **common), 20, "evt_5"),
        ],
    ]


def test_it_finds_nothing_while_others_write(database: Database) -> None:
    """However often it looks while payments come, are placed and refunded, what is half done is no problem."""
    common = {"amount_due": 1000, "currency": "eur", "status": "open"}
    times = {"created_at": b.NOON, "updated_at": b.NOON}
    with database.writing() as tx:
        tx.execute(t.invoices.insert(), [{"id": f"i{n}", **common, **times} for n in range(7)])
    done, looks = threading.Event(), 0

    def write() -> None:
        try:
            for number in range(PAYMENTS):
                for step in _steps(number):
                    with database.writing() as tx:
                        apply_payment_state(
                            tx, step, source=Source.WEBHOOK, now=NOW, policy=Policy()
                        )
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set() or not looks:
        assert verify(database, Policy(), now=NOW, rebuild=True).problems == ()
        looks += 1
    writer.join()

    assert verify(database, Policy(), now=NOW, rebuild=True).payments == PAYMENTS
