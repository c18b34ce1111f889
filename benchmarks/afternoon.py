"""How does a good engineer take Stripe's webhooks in an afternoon?

Flask behind two synchronous workers of gunicorn, Stripe's own `construct_event`, an ORM. The event's id is looked up and
stored, the payment is made or read and set, the invoice is marked paid, and one commit holds it all. It forgets nothing
that it acknowledged and takes nothing twice; it knows neither order nor refunds. SQLite is as durable as ours: WAL, and
`synchronous=FULL`. `ingest` is the backfill that is written the same afternoon: an upsert and a commit for each payment.
"""

import os
from datetime import UTC, datetime
from typing import Any

import stripe
from sqlalchemy import BigInteger, Text, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The tables of the app."""


class Event(Base):
    """An event that was taken."""

    __tablename__ = "events"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]


class Payment(Base):
    """A PaymentIntent as it was seen last."""

    __tablename__ = "payments"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    status: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    invoice_id: Mapped[str | None] = mapped_column(Text, index=True)


class Invoice(Base):
    """What a customer owes."""

    __tablename__ = "invoices"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text)
    amount_due: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Text)
    paid_at: Mapped[datetime | None]


def engine_of(url: str) -> Engine:
    """Open a database; a commit returns only when it is on the disk."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")


def take(session: Session, told: Any, body: str) -> None:
    """Take one event, unless it was taken before."""
    if session.get(Event, told.id) is not None:
        return
    session.add(Event(id=told.id, type=told.type, body=body, received_at=datetime.now(UTC)))
    if told.type == "payment_intent.succeeded":
        ingest(session, told.data.object)
    try:
        session.commit()
    except IntegrityError:
        session.rollback()  # The other worker took it in this very moment.


def ingest(session: Session, intent: Any) -> None:
    """Make or read a payment, set it, and mark the invoice that it names."""
    invoice_id = intent.metadata["invoice_id"]
    payment = session.get(Payment, intent.id)
    if payment is None:
        payment = Payment(id=intent.id)
        session.add(payment)
    payment.status = intent.status
    payment.amount = intent.amount
    payment.currency = intent.currency
    payment.invoice_id = invoice_id
    invoice = session.get(Invoice, invoice_id)
    if invoice is not None and intent.status == "succeeded" and invoice.status != "paid":
        invoice.status = "paid"
        invoice.paid_at = datetime.now(UTC)


def create_app() -> Any:
    """The application that gunicorn serves."""
    from flask import Flask, jsonify, request  # noqa: PLC0415 - an extra, and the backfill needs none

    app = Flask(__name__)
    engine = engine_of(os.environ["DATABASE_URL"])
    secret = os.environ["STRIPE_WEBHOOK_SECRET"]

    def webhook() -> Any:
        body = request.get_data()
        try:
            told = stripe.Webhook.construct_event(body, request.headers["Stripe-Signature"], secret)
        except (ValueError, stripe.SignatureVerificationError):
            return jsonify(error="not accepted"), 400
        with Session(engine) as session:
            take(session, told, body.decode())
        return jsonify(received=True)

    def alive() -> Any:
        return jsonify(alive=True)

    app.add_url_rule("/api/webhooks/stripe", view_func=webhook, methods=["POST"])
    app.add_url_rule("/readyz", view_func=alive)
    return app
