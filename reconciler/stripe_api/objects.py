"""What does one Stripe object say, in our words?

One function an object. Each knows the shapes from 2019 (`charges` list) to today (`latest_charge`); see
https://docs.stripe.com/changelog/2022-11-15 . A word that we do not know is passed on as it is, never guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    Failure,
    IntentSeen,
    Reference,
    ReferenceKind,
    RefundSeen,
    SessionSeen,
    TransactionSeen,
)
from reconciler.stripe_api import fields
from reconciler.stripe_api.envelope import sanitise
from reconciler.stripe_api.fields import Json, UnknownShape

# Before 2019-02-11 two words had other names: https://docs.stripe.com/upgrades#2019-02-11
_OLD_WORDS: Final[Mapping[str, str]] = {
    "requires_source": "requires_payment_method",
    "requires_source_action": "requires_action",
}
_CARDS: Final = frozenset({"card", "card_present", "interac_present"})
_RATE: Final = re.compile(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_CATEGORIES: Final[Mapping[str, str]] = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payment_failure_refund": "payment_failure_refund",
    "payout": "payout",
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which metadata keys name an invoice, and which payments are none of our business."""

    metadata_keys: tuple[str, ...] = ("invoice_id",)
    ignore: tuple[str, ...] = ()


def parse_ignore(rule: str) -> tuple[str, str, str | None]:
    """Read an ignore rule: `metadata.KEY`, `metadata.KEY=VALUE`, `customer=ID` or `application=ID`."""
    name, equals, value = rule.partition("=")
    if name.startswith("metadata.") and len(name) > len("metadata."):
        return "metadata", name.removeprefix("metadata."), value if equals else None
    if name in {"customer", "application"} and value:
        return name, "", value
    raise ValueError(
        f"{rule!r} is no rule; write metadata.KEY, metadata.KEY=VALUE, customer=ID or application=ID"
    )


def intent(obj: Json, event_type: str, at_ms: int, vocabulary: Vocabulary) -> IntentSeen:
    """Read a PaymentIntent; `event_type` is empty for a read."""
    id_ = fields.identity(obj)
    is_success = event_type == "payment_intent.succeeded"
    status = fields.text(obj, "status")
    kind = ReferenceKind.FROZEN_METADATA if is_success else ReferenceKind.METADATA
    return IntentSeen(
        id=id_,
        status=_OLD_WORDS.get(status, status),
        amount_minor=fields.amount(obj, "amount"),
        currency=fields.currency(obj),
        created_ms=fields.time_ms(obj, "created"),
        received_minor=fields.amount(obj, "amount_received", 0),
        capturable_minor=fields.amount(obj, "amount_capturable", 0),
        succeeded_ms=at_ms if is_success and status == "succeeded" else None,
        references=_metadata(obj, kind, vocabulary)
        | {Reference(ReferenceKind.PAYMENT_INTENT, id_)},
        failures=_failures(obj, at_ms),
        emails=fields.emails(obj.get("receipt_email")),
        foreign=foreign(obj, vocabulary),
        newborn=event_type == "payment_intent.created",
    )


def _failures(obj: Json, at_ms: int) -> tuple[tuple[str, Failure], ...]:
    """The attempt that `last_payment_error` tells of: by its charge, else by payment method and code."""
    error = obj.get("last_payment_error")
    if not isinstance(error, dict):
        return ()
    code = fields.optional_text(error, "code") or "unknown"
    charge = fields.reference(error, "charge")
    if charge is not None:
        made = error["charge"] if isinstance(error["charge"], dict) else {}
        has_time = isinstance(made.get("created"), int)
        return ((charge, Failure(fields.time_ms(made, "created") if has_time else at_ms, code)),)
    method = error.get("payment_method") or error.get("source")
    name = method.get("id") if isinstance(method, dict) else method
    method_id = sanitise(name) if isinstance(name, str) else "-"
    return ((f"{method_id}:{code}", Failure(at_ms, code)),)


def charge(obj: Json, owner: str | None, vocabulary: Vocabulary) -> ChargeSeen:
    """Read a charge; `owner` is the PaymentIntent that it was found in, if it was."""
    if owner is None and "payment_intent" not in obj:
        raise UnknownShape("the charge does not say whether it has a PaymentIntent")
    status = fields.text(obj, "status")
    _, refunds_listed = fields.listed(obj, "refunds")
    return ChargeSeen(
        id=fields.identity(obj),
        intent=fields.reference(obj, "payment_intent") or owner,
        status=status,
        amount_minor=fields.amount(obj, "amount"),
        currency=fields.currency(obj),
        created_ms=fields.time_ms(obj, "created"),
        captured_minor=_captured(obj, status),
        refunded_minor=fields.amount(obj, "amount_refunded", 0),
        refunds_listed=refunds_listed,
        is_card=_method(obj) in _CARDS,
        failure_code=fields.optional_text(obj, "failure_code"),
        references=_own_metadata(obj, owner, vocabulary),
        emails=fields.emails(
            obj.get("receipt_email"), fields.inner(obj, "billing_details").get("email")
        ),
        foreign=foreign(obj, vocabulary),
    )


def _own_metadata(obj: Json, owner: str | None, vocabulary: Vocabulary) -> frozenset[Reference]:
    """A charge without a PaymentIntent carries its own names; any other repeats those of its PaymentIntent."""
    if owner is not None or obj.get("payment_intent") is not None:
        return frozenset()
    return _metadata(obj, ReferenceKind.METADATA, vocabulary)


def _captured(obj: Json, status: str) -> int:
    if obj.get("amount_captured") is not None:
        return fields.amount(obj, "amount_captured")
    is_captured = obj.get("captured") is True and status == "succeeded"
    return fields.amount(obj, "amount") if is_captured else 0


def _method(obj: Json) -> str:
    details = fields.inner(obj, "payment_method_details")
    return fields.optional_text(details, "type") or fields.optional_text(
        fields.inner(obj, "source"), "object"
    )


def refund(obj: Json, owner: str | None, intent_id: str | None) -> RefundSeen:
    """Read a refund; `owner` and `intent_id` are the charge and PaymentIntent that it was found in."""
    return RefundSeen(
        id=fields.identity(obj),
        charge=fields.reference(obj, "charge") or owner,
        intent=fields.reference(obj, "payment_intent") or intent_id,
        status=fields.text(obj, "status"),
        amount_minor=fields.amount(obj, "amount"),
        currency=fields.currency(obj),
        created_ms=fields.time_ms(obj, "created"),
    )


def dispute(obj: Json) -> DisputeSeen:
    """Read a dispute."""
    evidence = fields.inner(obj, "evidence_details")
    charge_id = fields.reference(obj, "charge")
    if charge_id is None:
        raise UnknownShape("the dispute names no charge")
    return DisputeSeen(
        id=fields.identity(obj),
        charge=charge_id,
        intent=fields.reference(obj, "payment_intent"),
        status=fields.text(obj, "status"),
        reason=fields.optional_text(obj, "reason"),
        amount_minor=fields.amount(obj, "amount"),
        currency=fields.currency(obj),
        created_ms=fields.time_ms(obj, "created"),
        respond_by_ms=fields.time_ms(evidence, "due_by") if evidence.get("due_by") else None,
    )


def session(obj: Json, event_type: str, vocabulary: Vocabulary) -> SessionSeen:
    """Read a Checkout Session in payment mode."""
    id_ = fields.identity(obj)
    named = set(_metadata(obj, ReferenceKind.SESSION_METADATA, vocabulary))
    client_reference = fields.optional_text(obj, "client_reference_id")
    if client_reference:
        named.add(Reference(ReferenceKind.CLIENT_REFERENCE, client_reference))
    link = fields.reference(obj, "payment_link")
    if link:
        named.add(Reference(ReferenceKind.PAYMENT_LINK, link))
    status = obj.get("status")
    completed = event_type == "checkout.session.completed"
    return SessionSeen(
        id=id_,
        intent=fields.reference(obj, "payment_intent"),
        payment_status=fields.text(obj, "payment_status"),
        complete=status == "complete" or (status is None and completed),
        created_ms=fields.time_ms(obj, "created"),
        amount_minor=fields.amount(obj, "amount_total", 0),
        currency=fields.currency(obj) if obj.get("currency") else "",
        references=frozenset(named | {Reference(ReferenceKind.CHECKOUT_SESSION, id_)}),
        emails=fields.emails(
            fields.inner(obj, "customer_details").get("email"), obj.get("customer_email")
        ),
    )


def transaction(obj: Json) -> TransactionSeen:
    """Read a balance transaction."""
    kind = fields.text(obj, "type")
    return TransactionSeen(
        id=fields.identity(obj),
        source=fields.reference(obj, "source") or "",
        type=kind,
        category=fields.optional_text(obj, "reporting_category") or _CATEGORIES.get(kind, ""),
        currency=fields.currency(obj),
        amount_minor=fields.integer(obj, "amount"),
        fee_minor=fields.integer(obj, "fee"),
        net_minor=fields.integer(obj, "net"),
        exchange_rate=_rate(obj),
        created_ms=fields.time_ms(obj, "created"),
        available_on_ms=fields.time_ms(obj, "available_on"),
    )


def _rate(obj: Json) -> str:
    rate = obj.get("exchange_rate")
    if rate is None:
        return ""
    if isinstance(rate, bool) or not _RATE.fullmatch(str(rate)):
        raise UnknownShape("exchange_rate is no number")
    return str(rate)


def foreign(obj: Json, vocabulary: Vocabulary) -> frozenset[str]:
    """Why a payment is none of our business: Stripe's own Invoices, or a rule of the settings."""
    found = {f"ignored:{rule}" for rule in vocabulary.ignore if _matches(obj, rule)}
    if fields.reference(obj, "invoice") is not None:
        found.add("stripe_invoice")
    return frozenset(found)


def _matches(obj: Json, rule: str) -> bool:
    kind, key, value = parse_ignore(rule)
    if kind == "metadata":
        found = fields.inner(obj, "metadata").get(key)
        return found is not None if value is None else found == value
    return fields.reference(obj, kind) == value


def _metadata(obj: Json, kind: ReferenceKind, vocabulary: Vocabulary) -> frozenset[Reference]:
    metadata = fields.inner(obj, "metadata")
    values = (metadata.get(key) for key in vocabulary.metadata_keys)
    return frozenset(
        Reference(kind, sanitise(value[: fields.TEXT_LENGTH_MAX]))
        for value in values
        if isinstance(value, str) and value
    )
