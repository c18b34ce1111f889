"""What happens when somebody pays in Checkout, or by a Payment Link?"""

from collections.abc import Generator, Iterator
from typing import Any, Final

from reconciler.simulator import checkout, till
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.world import AppInvoice


def session_paid(scene: Scene) -> Iterator[int]:
    """The app keeps the Session's id on its invoice; a card pays."""
    invoice = scene.invoice()
    session = _open(scene, invoice)
    scene.stores(invoice, stripe_checkout_session_id=session)
    yield from _pay_session(scene, session, invoice.customer_email)


def session_named(scene: Scene) -> Iterator[int]:
    """The Session names the invoice in its own metadata, which its PaymentIntent does not have."""
    invoice = scene.invoice()
    session = _open(scene, invoice, metadata=scene.name(invoice))
    yield from _pay_session(scene, session, invoice.customer_email)


def session_by_debit(scene: Scene) -> Iterator[int]:
    """The Session is complete and unpaid until the bank debit arrives."""
    invoice = scene.invoice()
    session, intent = yield from _debit_session(scene, invoice)
    yield scene.days(4)
    till.finish_debit(scene.world, intent)
    checkout.debit_arrived(scene.world, session)


def session_debit_failed(scene: Scene) -> Iterator[int]:
    """The Session is complete and unpaid, and the bank debit does not arrive."""
    invoice = scene.invoice()
    session, intent = yield from _debit_session(scene, invoice)
    yield scene.days(4)
    till.fail_debit(scene.world, intent)
    checkout.debit_failed(scene.world, session)


def session_expired(scene: Scene) -> Iterator[int]:
    """Nobody pays the Session within its day."""
    invoice = scene.invoice()
    session = _open(scene, invoice)
    scene.stores(invoice, stripe_checkout_session_id=session)
    yield scene.days(1)
    checkout.expire(scene.world, session)


def nothing_due(scene: Scene) -> Iterator[int]:
    """A voucher covers everything: the Session needs no payment, and has no PaymentIntent."""
    invoice = scene.invoice(amount_due=0)
    session = _open(scene, invoice, metadata=scene.name(invoice))
    yield scene.minutes(1)
    checkout.complete(scene.world, session, "no_payment_required")


def link_paid(scene: Scene) -> Iterator[int]:
    """A Payment Link whose address carries the invoice's number."""
    invoice = scene.invoice()
    session = yield from _pay_by_link(scene, invoice, client_reference_id=invoice.number)
    scene.meant_for(session, invoice.id)


def own_link_paid(scene: Scene) -> Iterator[int]:
    """A Payment Link that the app made for one invoice only."""
    invoice = scene.invoice()
    link = checkout.make_link(scene.world, invoice.currency)
    scene.stores(invoice, stripe_payment_link_id=link)
    session = yield from _pay_by_link(scene, invoice, payment_link=link)
    scene.meant_for(session, invoice.id)


def link_without_reference(scene: Scene) -> Iterator[int]:
    """A Payment Link that says nothing of the invoice: a person must find out."""
    yield from _pay_by_link(scene, scene.invoice())


def link_look_alike(scene: Scene) -> Iterator[int]:
    """The payer has spoilt the reference: it looks like the invoice's number, and is not."""
    invoice = scene.invoice()
    spoilt = invoice.number.lower().replace("-", "_")
    yield from _pay_by_link(scene, invoice, client_reference_id=spoilt)


def link_wrong_amount(scene: Scene) -> Iterator[int]:
    """The reference is right and the amount is not; the payer could have written any reference."""
    invoice = scene.invoice()
    fields = {"client_reference_id": invoice.number, "amount": invoice.amount_due + 500}
    yield from _pay_by_link(scene, invoice, **fields)


def _open(scene: Scene, invoice: AppInvoice, **fields: Any) -> str:
    """The app opens a Session for an invoice."""
    session = checkout.open_session(
        scene.world, amount=invoice.amount_due, currency=invoice.currency, **fields
    )
    scene.meant_for(session, invoice.id)
    return session


def _pay_by_link(scene: Scene, invoice: AppInvoice, **fields: Any) -> Generator[int, None, str]:
    """Somebody pays what an invoice asks by a Payment Link; returns the Session's id."""
    fields = {"amount": invoice.amount_due} | fields
    if "payment_link" not in fields:
        fields["payment_link"] = checkout.make_link(scene.world, invoice.currency)
    yield scene.minutes(2)
    session = checkout.open_session(scene.world, currency=invoice.currency, **fields)
    yield from _pay_session(scene, session, invoice.customer_email)
    return session


def _pay_session(scene: Scene, session: str, email: str) -> Generator[int, None, str]:
    """A card pays a Session; returns the PaymentIntent's id."""
    yield scene.minutes(1)
    intent = checkout.begin_payment(scene.world, session, email)
    yield scene.seconds(2)
    till.succeed(scene.world, intent)
    checkout.complete(scene.world, session)
    yield scene.seconds(4)
    till.settle(scene.world, intent)
    return intent


def _debit_session(scene: Scene, invoice: AppInvoice) -> Generator[int, None, tuple[str, str]]:
    """A Session is completed by a bank debit; returns its id and the PaymentIntent's."""
    session = _open(scene, invoice)
    scene.stores(invoice, stripe_checkout_session_id=session)
    yield scene.minutes(1)
    intent = checkout.begin_payment(scene.world, session, invoice.customer_email)
    yield scene.seconds(2)
    till.start_debit(scene.world, intent)
    checkout.complete(scene.world, session, "unpaid")
    return session, intent


STORIES: Final = (
    Story("session_paid", "Checkout paid", session_paid, "paid", "paid"),
    Story("session_named", "Checkout named by its metadata", session_named, "paid", "paid"),
    Story("session_by_debit", "Checkout by bank debit", session_by_debit, "paid", "paid"),
    Story("session_debit_failed", "Checkout debit fails", session_debit_failed, "failed", "open"),
    Story("session_expired", "Checkout expired", session_expired, "unpaid", "open"),
    Story("nothing_due", "Checkout with nothing to pay", nothing_due, "paid", "paid"),
    Story("link_paid", "Payment Link with a reference", link_paid, "paid", "paid"),
    Story("own_link_paid", "Payment Link of one invoice", own_link_paid, "paid", "paid"),
    Story(
        "link_without_reference", "Link without a reference", link_without_reference, None, "open"
    ),
    Story("link_look_alike", "Link with look-alike reference", link_look_alike, None, "open"),
    Story("link_wrong_amount", "Link with another amount", link_wrong_amount, None, "open"),
)
