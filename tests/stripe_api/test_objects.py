"""Whether one Stripe object says the same in our words, whatever API version wrote it."""

import pytest

from reconciler.core.observation import (
    ChargeSeen,
    Failure,
    IntentSeen,
    Reference,
    ReferenceKind,
    RefundSeen,
    TransactionSeen,
)
from reconciler.stripe_api.translate import (
    EVENT_TYPES,
    Vocabulary,
)
from tests.stripe_api.shapes import (
    NOON_MS,
    V2019,
    VERSIONS,
    Json,
    balance_transaction,
    charge,
    checkout_session,
    dispute,
    listing,
    payment_intent,
    refund,
)
from tests.stripe_api.telling import INTENT_REFERENCE, read, said


@pytest.mark.parametrize("version", VERSIONS)
def test_it_says_the_same_of_a_payment_in_every_version(version: str) -> None:
    """A PaymentIntent and its charge tell the same facts from the shape of 2019 and from today's."""
    intent, *charges = said(
        "payment_intent.succeeded", payment_intent(version), api_version=version
    )

    assert intent == IntentSeen(
        id="pi_1",
        status="succeeded",
        amount_minor=1000,
        currency="eur",
        created_ms=NOON_MS - 60_000,
        received_minor=1000,
        succeeded_ms=NOON_MS,
        references=frozenset({INTENT_REFERENCE, Reference(ReferenceKind.FROZEN_METADATA, "INV-7")}),
        emails=frozenset({"payer@example.com"}),
    )
    alone = said("charge.succeeded", charge(version), api_version=version)
    assert alone == [
        ChargeSeen(
            id="ch_1",
            intent="pi_1",
            status="succeeded",
            amount_minor=1000,
            currency="eur",
            created_ms=NOON_MS - 5000,
            captured_minor=1000,
            refunds_listed=version == V2019,
            is_card=True,
            emails=frozenset({"billing@example.com"}),
        )
    ]
    assert charges == (alone if version == V2019 else [])


def test_it_reads_what_is_expanded_like_what_was_embedded() -> None:
    """A read of today's API with `latest_charge` expanded shows what 2019 embedded unasked."""
    today = payment_intent(latest_charge=charge(refunds=listing(refund())))
    then = payment_intent(V2019, charges=listing(charge(V2019, refunds=listing(refund()))))

    assert read(today) == read(then)
    assert [type(each) for each in read(today)] == [IntentSeen, ChargeSeen, RefundSeen]


@pytest.mark.parametrize("captured", [True, False])
def test_it_knows_what_an_old_charge_captured(captured: bool) -> None:
    """Before `amount_captured` came, a captured charge had captured all of its amount."""
    (seen,) = said("charge.updated", charge(V2019, captured=captured))

    assert seen.captured_minor == (1000 if captured else 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("requires_source", "requires_payment_method"),
        ("requires_source_action", "requires_action"),
    ],
)
def test_it_knows_the_words_that_stripe_gave_up(old: str, new: str) -> None:
    """Two words of the first versions mean what others mean since."""
    assert said("payment_intent.created", payment_intent(status=old))[0].status == new


@pytest.mark.parametrize(
    "type_", [type_ for type_, kind in EVENT_TYPES.items() if kind == "payment_intent"]
)
def test_it_freezes_metadata_only_when_the_payment_succeeds(type_: str) -> None:
    """Only `payment_intent.succeeded` freezes the invoice's name and gives the moment of payment."""
    seen = said(type_, payment_intent())[0]
    is_success = type_ == "payment_intent.succeeded"
    kind = ReferenceKind.FROZEN_METADATA if is_success else ReferenceKind.METADATA

    assert seen.references == {INTENT_REFERENCE, Reference(kind, "INV-7")}
    assert seen.succeeded_ms == (NOON_MS if is_success else None)
    assert seen.newborn is (type_ == "payment_intent.created")


def test_it_freezes_nothing_from_a_read() -> None:
    """Metadata can be edited after payment, and a read shows the edited one."""
    seen = read(payment_intent())[0]

    assert seen.references == {INTENT_REFERENCE, Reference(ReferenceKind.METADATA, "INV-7")}
    assert seen.succeeded_ms is None


def test_it_reads_only_the_metadata_keys_of_the_settings() -> None:
    """The keys are the user's; a value that is no text names nothing."""
    vocabulary = Vocabulary(metadata_keys=("order", "number", "none"))
    metadata = {"order": "A-1", "number": 7, "none": "", "invoice_id": "INV-7"}
    (seen,) = said("payment_intent.created", payment_intent(metadata=metadata), vocabulary)

    assert seen.references == {INTENT_REFERENCE, Reference(ReferenceKind.METADATA, "A-1")}


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (
            {},
            {(ReferenceKind.SESSION_METADATA, "INV-7"), (ReferenceKind.CLIENT_REFERENCE, "INV-7")},
        ),
        ({"metadata": {}}, {(ReferenceKind.CLIENT_REFERENCE, "INV-7")}),
        ({"client_reference_id": None}, {(ReferenceKind.SESSION_METADATA, "INV-7")}),
        ({"client_reference_id": "", "metadata": None}, set()),
        (
            {"client_reference_id": None, "metadata": {}, "payment_link": "plink_1"},
            {(ReferenceKind.PAYMENT_LINK, "plink_1")},
        ),
        (
            {"client_reference_id": None, "metadata": {}, "payment_link": {"id": "plink_1"}},
            {(ReferenceKind.PAYMENT_LINK, "plink_1")},
        ),
    ],
)
def test_it_keeps_apart_the_ways_in_which_a_session_names_an_invoice(
    over: Json, expected: set[tuple[ReferenceKind, str]]
) -> None:
    """The payer can edit some of a Session's references and not others, so their kinds matter."""
    (seen,) = said("checkout.session.completed", checkout_session(**over))

    assert seen.references == expected | {(ReferenceKind.CHECKOUT_SESSION, "cs_test_1")}


@pytest.mark.parametrize(
    ("type_", "status", "complete"),
    [
        ("checkout.session.completed", "complete", True),
        ("checkout.session.completed", None, True),
        ("checkout.session.completed", "open", False),
        ("checkout.session.expired", "expired", False),
        ("checkout.session.expired", None, False),
        ("checkout.session.async_payment_succeeded", "complete", True),
    ],
)
def test_it_believes_the_session_before_the_event(
    type_: str, status: str | None, complete: bool
) -> None:
    """A Session is complete if it says so; old Sessions say nothing, and then the event counts."""
    assert said(type_, checkout_session(status=status))[0].complete is complete


def test_it_takes_a_free_session_without_a_payment_intent() -> None:
    """A total of zero is completed without any PaymentIntent."""
    free = checkout_session(
        payment_status="no_payment_required", payment_intent=None, amount_total=0
    )
    (seen,) = said("checkout.session.completed", free)

    assert (seen.payment_status, seen.intent, seen.amount_minor) == ("no_payment_required", None, 0)


def test_it_takes_a_charge_that_says_it_has_no_payment_intent() -> None:
    """Such a charge is a payment of its own, and carries its own names of the invoice."""
    (seen,) = said("charge.succeeded", charge(payment_intent=None))

    assert seen.intent is None
    assert seen.references == {Reference(ReferenceKind.METADATA, "INV-7")}


DECLINED = {"code": "card_declined", "type": "card_error"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DECLINED | {"charge": "ch_9"}, ("ch_9", Failure(NOON_MS, "card_declined"))),
        (
            DECLINED | {"charge": {"id": "ch_9", "created": 7}},
            ("ch_9", Failure(7000, "card_declined")),
        ),
        (DECLINED | {"charge": {"id": "ch_9"}}, ("ch_9", Failure(NOON_MS, "card_declined"))),
        (
            DECLINED | {"payment_method": {"id": "pm_1"}},
            ("pm_1:card_declined", Failure(NOON_MS, "card_declined")),
        ),
        (
            DECLINED | {"payment_method": "pm_1"},
            ("pm_1:card_declined", Failure(NOON_MS, "card_declined")),
        ),
        (
            DECLINED | {"source": {"id": "src_1"}},
            ("src_1:card_declined", Failure(NOON_MS, "card_declined")),
        ),
        (DECLINED, ("-:card_declined", Failure(NOON_MS, "card_declined"))),
        ({"type": "api_error"}, ("-:unknown", Failure(NOON_MS, "unknown"))),
    ],
)
def test_it_names_a_failed_attempt(error: Json, expected: tuple[str, Failure]) -> None:
    """An attempt is known by its charge; 3-D Secure fails without one, and then by its card and code."""
    failed = payment_intent(
        status="requires_payment_method", amount_received=0, last_payment_error=error
    )

    assert said("payment_intent.payment_failed", failed)[0].failures == (expected,)


def test_it_reads_a_dispute_with_the_money_that_it_moved() -> None:
    """A dispute shows its withdrawal, in the words of Stripe's reporting."""
    seen, moved = said("charge.dispute.funds_withdrawn", dispute())

    assert (seen.status, seen.charge, seen.respond_by_ms) == (
        "needs_response",
        "ch_1",
        NOON_MS + 604_800_000,
    )
    assert (moved.id, moved.category, moved.amount_minor, moved.source) == (
        "txn_3",
        "dispute",
        -1000,
        "dp_1",
    )


def test_it_reads_a_balance_transaction_with_its_source() -> None:
    """The sweep of money reads transactions with the charge or refund behind them expanded."""
    found = read(balance_transaction(source=charge(), exchange_rate=1.1))

    assert [type(each) for each in found] == [TransactionSeen, ChargeSeen]
    assert (found[0].source, found[0].net_minor, found[0].exchange_rate) == ("ch_1", 961, "1.1")
