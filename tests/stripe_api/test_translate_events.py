"""Whether every type of event says what it should, in the shape of every API version."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    Failure,
    ForeignSeen,
    IntentSeen,
    Reference,
    ReferenceKind,
    RefundSeen,
    SessionSeen,
    Span,
    TransactionSeen,
)
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.translate import (
    EVENT_TYPES,
    Outcome,
    Translation,
    UnreadableObject,
    Vocabulary,
    translate,
)
from tests.stripe_api.shapes import (
    BASIL,
    ENDIVE,
    T0_S,
    V2019,
    V2022,
    VERSIONS,
    Json,
    balance_transaction,
    body,
    charge,
    checkout_session,
    dispute,
    event,
    payment_intent,
    refund,
    thin_event,
)

T0_MS = T0_S * 1000
EVENT_MS = T0_MS + 10_000
OWN = Reference(ReferenceKind.PAYMENT_INTENT, "pi_1")


def told(type_: str, obj: Json, *, version: str = ENDIVE, **words: Any) -> Translation:
    """Translate one snapshot event, by way of its bytes."""
    sent = body(event(type_, obj, version=version))
    return translate(read_event(sent), Vocabulary(**words))


def projections(translation: Translation) -> list[Any]:
    """Return what was observed, without when and by which event."""
    return [each.projection for each in translation.observations]


INTENT_STATUS = {
    "created": "requires_payment_method",
    "processing": "processing",
    "requires_action": "requires_action",
    "partially_funded": "requires_action",
    "amount_capturable_updated": "requires_capture",
    "succeeded": "succeeded",
    "payment_failed": "requires_payment_method",
    "canceled": "canceled",
}
CHARGE_STATUS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "pending": "pending",
    "updated": "succeeded",
    "captured": "succeeded",
    "expired": "succeeded",
    "refunded": "succeeded",
}
REFUND_STATUS = {
    "refund.created": "pending",
    "refund.updated": "succeeded",
    "refund.failed": "failed",
    "charge.refund.updated": "succeeded",
}
DISPUTE_STATUS = {
    "created": "needs_response",
    "updated": "under_review",
    "closed": "won",
    "funds_withdrawn": "needs_response",
    "funds_reinstated": "under_review",
}
SESSION_STATUS = {
    "completed": "unpaid",
    "async_payment_succeeded": "paid",
    "async_payment_failed": "unpaid",
    "expired": "unpaid",
}
CASES = [
    *((f"payment_intent.{t}", payment_intent, s, IntentSeen) for t, s in INTENT_STATUS.items()),
    *((f"charge.{t}", charge, s, ChargeSeen) for t, s in CHARGE_STATUS.items()),
    *((t, refund, s, RefundSeen) for t, s in REFUND_STATUS.items()),
    *((f"charge.dispute.{t}", dispute, s, DisputeSeen) for t, s in DISPUTE_STATUS.items()),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("type_", "build", "status", "kind"), CASES)
def test_it_reads_the_status_of_the_object_that_each_type_carries(
    version: str, type_: str, build: Any, status: str, kind: type
) -> None:
    """The object's own word counts and not the event's name, in every version's shape."""
    seen = told(type_, build(status=status, version=version), version=version)

    assert seen.outcome is Outcome.OBSERVED
    assert [(type(each), each.status) for each in projections(seen)] == [(kind, status)]
    assert seen.fetch == ()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("type_", "payment_status"), SESSION_STATUS.items())
def test_it_reads_the_payment_status_of_a_session(
    version: str, type_: str, payment_status: str
) -> None:
    """A Session is read from each of its four events."""
    obj = checkout_session(payment_status=payment_status, version=version)
    (seen,) = projections(told(f"checkout.session.{type_}", obj, version=version))

    assert (type(seen), seen.payment_status, seen.intent) == (SessionSeen, payment_status, "pi_1")


def test_the_table_names_every_type_that_is_tested_here() -> None:
    """No type is in the table without a case, and none has a case without being in the table."""
    tested = {type_ for type_, *_ in CASES} | {f"checkout.session.{t}" for t in SESSION_STATUS}

    assert (
        set(EVENT_TYPES) - {"invoice.paid", "invoice.payment_failed", "invoice_payment.paid"}
        == tested
    )


@pytest.mark.parametrize(
    "type_", ["payout.paid", "payout.reconciliation_completed", "customer.created", "x", "charge"]
)
def test_it_ignores_every_other_type(type_: str) -> None:
    """What we don't know by name says nothing, whatever it carries."""
    assert told(type_, payment_intent()) == Translation(outcome=Outcome.IGNORED)


def test_an_observation_carries_its_event_and_its_second() -> None:
    """An event is true somewhere in the second of its creation, and never a read."""
    (seen,) = told("payment_intent.processing", payment_intent(status="processing")).observations

    assert (seen.evidence, seen.span) == ("evt_1", Span(EVENT_MS, EVENT_MS + 999))
    assert not seen.is_read


@pytest.mark.parametrize("version", VERSIONS)
def test_a_succeeded_payment_says_the_same_in_every_version(version: str) -> None:
    """Amounts, times, frozen metadata and payer come out equal, whether charges are embedded or not."""
    obj = payment_intent(version=version, receipt_email=" A@B.C ")
    (seen,) = projections(told("payment_intent.succeeded", obj, version=version))

    assert seen == IntentSeen(
        id="pi_1",
        status="succeeded",
        amount_minor=1000,
        currency="usd",
        created_ms=T0_MS,
        received_minor=1000,
        succeeded_ms=EVENT_MS,
        references=frozenset({OWN, Reference(ReferenceKind.FROZEN_METADATA, "INV-7")}),
        emails=frozenset({"a@b.c"}),
    )


def test_only_the_succeeded_event_freezes_metadata() -> None:
    """A succeeded PaymentIntent in another event may already have been edited."""
    (seen,) = projections(told("payment_intent.canceled", payment_intent()))

    assert seen.succeeded_ms is None
    assert seen.references == {OWN, Reference(ReferenceKind.METADATA, "INV-7")}


def test_a_succeeded_event_with_another_word_freezes_nothing() -> None:
    """Where the event and its snapshot contradict each other, no moment of payment is concluded."""
    seen = told("payment_intent.succeeded", payment_intent(status="processing"))

    assert [each for each in projections(seen) if each.succeeded_ms is not None] == []


def test_only_the_created_event_shows_a_newborn() -> None:
    """A first event proves that no attempt came before it."""
    obj = payment_intent(status="requires_payment_method")

    assert projections(told("payment_intent.created", obj))[0].newborn
    assert not projections(told("payment_intent.payment_failed", obj))[0].newborn


@pytest.mark.parametrize("version", VERSIONS)
def test_a_charge_says_the_same_in_every_version(version: str) -> None:
    """What was captured is derived where an old shape does not say it."""
    given = charge(version=version, amount_refunded=0)
    (seen,) = projections(told("charge.succeeded", given, version=version))

    references = seen.references - {Reference(ReferenceKind.CHARGE, "ch_1")}
    assert references == frozenset()
    assert replace(seen, references=frozenset(), refunds_listed=False) == ChargeSeen(
        id="ch_1",
        intent="pi_1",
        status="succeeded",
        amount_minor=1000,
        currency="usd",
        created_ms=T0_MS + 5000,
        captured_minor=1000,
        is_card=True,
        emails=frozenset({"jenny@example.com"}),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_refund_dispute_and_session_say_the_same_in_every_version(version: str) -> None:
    """Nothing that we read of these three was ever renamed."""
    said = [
        *projections(told("refund.updated", refund(version=version))),
        *projections(told("charge.dispute.created", dispute(version=version))),
        *projections(told("checkout.session.completed", checkout_session(version=version))),
    ]

    assert said == [
        RefundSeen(
            id="re_1",
            charge="ch_1",
            intent="pi_1",
            status="succeeded",
            amount_minor=400,
            currency="usd",
            created_ms=T0_MS + 60_000,
            booked=True,
        ),
        DisputeSeen(
            id="dp_1",
            charge="ch_1",
            intent="pi_1",
            status="needs_response",
            reason="fraudulent",
            amount_minor=1000,
            currency="usd",
            created_ms=T0_MS + 90_000,
            respond_by_ms=T0_MS + 900_000,
        ),
        SessionSeen(
            id="cs_test_1",
            intent="pi_1",
            payment_status="paid",
            complete=True,
            created_ms=T0_MS - 30_000,
            amount_minor=1000,
            currency="usd",
            references=frozenset(
                {
                    Reference(ReferenceKind.CHECKOUT_SESSION, "cs_test_1"),
                    Reference(ReferenceKind.FROZEN_SESSION_METADATA, "INV-7"),
                    Reference(ReferenceKind.CLIENT_REFERENCE, "INV-7"),
                    Reference(ReferenceKind.PAYMENT_LINK, "plink_1"),
                }
            ),
            emails=frozenset({"jenny@example.com"}),
            frozen=True,
        ),
    ]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("checkout.session.completed", ReferenceKind.FROZEN_SESSION_METADATA),
        ("checkout.session.async_payment_succeeded", ReferenceKind.SESSION_METADATA),
        ("checkout.session.expired", ReferenceKind.SESSION_METADATA),
    ],
)
def test_only_the_completion_of_a_session_freezes_its_metadata(
    type_: str, kind: ReferenceKind
) -> None:
    """A bank debit arrives days after its Session was completed, and by then the metadata may be another's."""
    [said] = projections(told(type_, checkout_session()))

    assert isinstance(said, SessionSeen)
    named = {each.kind for each in said.references if each.value == "INV-7"}
    assert named == {kind, ReferenceKind.CLIENT_REFERENCE}
    assert said.frozen is (kind is ReferenceKind.FROZEN_SESSION_METADATA)


def test_an_old_payment_brings_its_charges_and_their_refunds() -> None:
    """In 2019 all stood in one snapshot; the inner ones may leave out whose they are."""
    bare = refund(version=V2019)
    del bare["payment_intent"], bare["charge"]
    failed = charge("ch_0", status="failed", version=V2019)
    paid = charge(version=V2019, refunds=[bare])
    del paid["payment_intent"]
    obj = payment_intent(version=V2019, charges=[failed, paid])

    _, first, second, back = projections(told("payment_intent.succeeded", obj, version=V2019))

    assert (first.id, first.status, first.failure_code) == ("ch_0", "failed", "card_declined")
    assert (second.id, second.intent, second.refunded_minor) == ("ch_1", "pi_1", 400)
    assert second.refunds_listed
    assert (back.id, back.charge, back.intent) == ("re_1", "ch_1", "pi_1")


def test_an_incomplete_list_of_refunds_is_not_taken_for_the_whole() -> None:
    """A page with more behind it shows its refunds but settles no total."""
    obj = charge(version=V2019, refunds=[refund()])
    obj["refunds"]["has_more"] = True

    seen, back = projections(told("charge.refunded", obj, version=V2019))

    assert (seen.refunds_listed, back.id) == (False, "re_1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("requires_source", "requires_payment_method"),
        ("requires_source_action", "requires_action"),
        ("requires_new_thing", "requires_new_thing"),
    ],
)
def test_old_words_are_translated_and_unknown_ones_passed_on(old: str, new: str) -> None:
    """Only the two renamed words have another name; nobody guesses the rest."""
    (seen,) = projections(told("payment_intent.processing", payment_intent(status=old)))

    assert seen.status == new


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        ({"charge": "ch_9", "code": "card_declined"}, {"ch_9": "card_declined"}),
        (
            {"code": "payment_intent_authentication_failure", "payment_method": {"id": "pm_1"}},
            {"pm_1:payment_intent_authentication_failure": "payment_intent_authentication_failure"},
        ),
        ({"code": "expired_card", "payment_method": "pm_2"}, {"pm_2:expired_card": "expired_card"}),
        (
            {"code": "expired_card", "source": {"id": "src_1"}},
            {"src_1:expired_card": "expired_card"},
        ),
    ],
)
def test_a_failed_attempt_is_known_by_its_charge_or_else_by_its_method_and_code(
    error: Json, attempts: dict[str, str]
) -> None:
    """An attempt that never became a charge, such as a failed 3-D Secure, still counts."""
    obj = payment_intent(status="requires_payment_method", last_payment_error=error)
    (seen,) = projections(told("payment_intent.payment_failed", obj))

    assert dict(seen.failures) == {id_: Failure(EVENT_MS, code) for id_, code in attempts.items()}


def test_a_failed_attempt_without_method_is_still_a_failure() -> None:
    """Two different errors without a method are two attempts."""
    attempts = set()
    for code in ("a", "b"):
        obj = payment_intent(status="requires_payment_method", last_payment_error={"code": code})
        (seen,) = projections(told("payment_intent.payment_failed", obj))
        attempts |= {id_ for id_, _ in seen.failures}

    assert len(attempts) == 2


def test_a_failed_charge_at_hand_gives_its_own_time() -> None:
    """However the attempt is told, its earliest known moment is that of the charge."""
    failed = charge("ch_9", status="failed", version=V2019)
    obj = payment_intent(
        status="requires_payment_method",
        version=V2019,
        charges=[failed],
        last_payment_error={"charge": "ch_9", "code": "card_declined"},
    )

    _, seen = projections(told("payment_intent.payment_failed", obj, version=V2019))

    assert (seen.id, seen.status, seen.created_ms) == ("ch_9", "failed", T0_MS + 5000)


def test_a_charge_without_a_payment_intent_is_a_payment_that_names_its_invoice() -> None:
    """An explicit null means that there is none, and then the charge's own metadata counts."""
    (seen,) = projections(told("charge.succeeded", charge(intent=None)))

    assert seen.intent is None
    assert Reference(ReferenceKind.METADATA, "INV-7") in seen.references


def test_a_charge_that_does_not_say_whose_it_is_must_be_read() -> None:
    """A missing key is an unknown shape: taken for "none" it would count the money twice."""
    obj = charge()
    del obj["payment_intent"]

    seen = told("charge.succeeded", obj)

    assert (projections(seen), list(seen.fetch)) == ([], [("charge", "ch_1")])


@pytest.mark.parametrize(
    ("changes", "captured_minor"),
    [
        ({"amount_captured": 300}, 300),
        ({"amount_captured": 0, "captured": False}, 0),
        ({"captured": True}, 1000),
        ({"captured": False}, 0),
        ({"captured": True, "status": "pending"}, 0),
    ],
)
def test_what_was_captured_is_the_amount_only_where_an_old_shape_says_no_more(
    changes: Json, captured_minor: int
) -> None:
    """Captured by half is never taken for the whole."""
    obj = charge(version=V2019) | changes

    assert projections(told("charge.updated", obj))[0].captured_minor == captured_minor


@pytest.mark.parametrize(
    ("changes", "is_card"),
    [
        ({}, True),
        ({"payment_method_details": {"type": "card_present"}}, True),
        ({"payment_method_details": {"type": "sepa_debit"}}, False),
        ({"payment_method_details": None, "source": {"object": "card", "id": "card_1"}}, True),
        ({"payment_method_details": None, "source": {"object": "source", "id": "src_1"}}, False),
        ({"payment_method_details": None}, False),
    ],
)
def test_it_knows_a_card_from_everything_else(changes: Json, *, is_card: bool) -> None:
    """The charge's time is a moment of payment for cards only."""
    assert projections(told("charge.succeeded", charge(**changes)))[0].is_card is is_card


@pytest.mark.parametrize("version", [V2019, V2022])
def test_a_payment_of_a_stripe_invoice_is_foreign(version: str) -> None:
    """Old shapes name the invoice themselves, on the PaymentIntent and on the charge."""
    for type_, build in (("payment_intent.processing", payment_intent), ("charge.updated", charge)):
        (seen,) = projections(told(type_, build(version=version, invoice="in_1")))

        assert seen.foreign == {"stripe_invoice"}


@pytest.mark.parametrize(
    ("type_", "obj"),
    [
        ("invoice.paid", {"id": "in_1", "object": "invoice", "payment_intent": "pi_1"}),
        ("invoice.paid", {"id": "in_1", "object": "invoice", "payment_intent": payment_intent()}),
        ("invoice.payment_failed", {"id": "in_1", "object": "invoice", "payment_intent": "pi_1"}),
        (
            "invoice_payment.paid",
            {
                "id": "inpay_1",
                "object": "invoice_payment",
                "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
            },
        ),
    ],
)
def test_an_invoice_of_stripes_says_whose_payment_it_is(type_: str, obj: Json) -> None:
    """Of such a PaymentIntent we learn that it is foreign, and nothing else."""
    seen = told(type_, obj)

    assert projections(seen) == [ForeignSeen(id="pi_1", reason="stripe_invoice")]
    assert seen.outcome is Outcome.OBSERVED


@pytest.mark.parametrize(
    ("type_", "obj"),
    [
        ("invoice.paid", {"id": "in_1", "object": "invoice"}),
        ("invoice.paid", {"id": "in_1", "object": "invoice", "payment_intent": None}),
        (
            "invoice_payment.paid",
            {
                "id": "i",
                "object": "invoice_payment",
                "payment": {"type": "charge", "charge": "ch_1"},
            },
        ),
    ],
)
def test_an_invoice_that_names_no_payment_intent_is_ignored(type_: str, obj: Json) -> None:
    """Since 2025-03-31 an invoice names none; its InvoicePayment does."""
    assert told(type_, obj) == Translation(outcome=Outcome.IGNORED)


@pytest.mark.parametrize("mode", ["subscription", "setup", "something_new"])
def test_a_session_that_sells_no_single_payment_is_ignored(mode: str) -> None:
    """Subscriptions and set-ups are another product."""
    obj = checkout_session(mode=mode, intent=None)

    assert told("checkout.session.completed", obj) == Translation(outcome=Outcome.IGNORED)


@pytest.mark.parametrize(
    ("type_", "changes", "complete"),
    [
        ("completed", {"status": "complete"}, True),
        ("expired", {"status": "expired"}, False),
        ("completed", {}, True),
        ("expired", {}, False),
    ],
)
def test_a_session_is_complete_by_its_status_or_else_by_the_type(
    type_: str, changes: Json, *, complete: bool
) -> None:
    """Shapes from before there was a status say it by the event that carries them."""
    obj = checkout_session(version=V2019, **changes)

    assert projections(told(f"checkout.session.{type_}", obj))[0].complete is complete


def test_a_session_without_total_names_its_invoice_all_the_same() -> None:
    """Amounts may be null; nothing is invented in their place."""
    obj = checkout_session(amount=None, payment_status="no_payment_required", intent=None)
    (seen,) = projections(told("checkout.session.completed", obj))

    assert (seen.amount_minor, seen.currency, seen.intent) == (0, "", None)


def test_a_dispute_brings_its_balance_transactions() -> None:
    """What a dispute took is what its balance transactions say."""
    taken = balance_transaction(
        "txn_9", source="dp_1", type="adjustment", amount=-1000, fee=1500,
        reporting_category="dispute", exchange_rate=0.000012,
    )  # fmt: skip
    _, moved = projections(told("charge.dispute.funds_withdrawn", dispute(transactions=[taken])))

    assert moved == TransactionSeen(
        id="txn_9",
        source="dp_1",
        type="adjustment",
        category="dispute",
        currency="usd",
        amount_minor=-1000,
        fee_minor=1500,
        net_minor=-2500,
        exchange_rate="0.000012",
        created_ms=T0_MS + 5000,
        available_on_ms=T0_MS + 172_800_000,
    )


@pytest.mark.parametrize("value", ["", "x" * 501, 7, None, ["INV-7"]])
def test_metadata_that_names_nothing_is_no_reference(value: object) -> None:
    """Only text of 1 to 500 characters can be an invoice's name."""
    obj = payment_intent(status="processing", metadata={"invoice_id": value, "other": "INV-8"})

    assert projections(told("payment_intent.processing", obj))[0].references == {OWN}


def test_metadata_is_read_exactly_and_from_the_configured_keys_only() -> None:
    """Blanks and case belong to an id; another key is another app's."""
    obj = payment_intent(status="processing", metadata={"a": " Inv 7 ", "b": "INV-8", "c": "INV-9"})
    (seen,) = projections(told("payment_intent.processing", obj, metadata_keys=("a", "b", "nope")))

    assert {each.value for each in seen.references - {OWN}} == {" Inv 7 ", "INV-8"}


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("payment_intent", "payment_intent"),
        ("charge", "charge"),
        ("refund", "refund"),
        ("dispute", "dispute"),
        ("checkout.session", "checkout_session"),
    ],
)
def test_a_thin_event_asks_for_its_object(kind: str, word: str) -> None:
    """It says which object to read, and nothing about it."""
    seen = translate(read_event(body(thin_event(f"v1.{kind}.x", (kind, "id_1")))), Vocabulary())

    assert (seen.outcome, seen.observations) == (Outcome.DEFERRED, ())
    assert list(seen.fetch) == [(word, "id_1")]


@pytest.mark.parametrize("related", [None, ("v2.core.account", "acct_1"), ("invoice", "in_1")])
def test_a_thin_event_about_anything_else_is_ignored(related: tuple[str, str] | None) -> None:
    """What we could not read by id is not asked for."""
    seen = translate(read_event(body(thin_event("v2.x", related))), Vocabulary())

    assert seen == Translation(outcome=Outcome.IGNORED)


def test_an_object_without_an_id_is_unreadable_and_the_error_tells_nothing_of_it() -> None:
    """There is nothing to fetch, so that a person must look; the message is fit for a log."""
    with pytest.raises(UnreadableObject) as raised:
        told("charge.failed", charge("<script>\n"))

    assert "script" not in str(raised.value)


@pytest.mark.parametrize("version", [BASIL, ENDIVE])
def test_a_live_charge_that_waits_for_its_balance_transaction_is_read(version: str) -> None:
    """With asynchronous capture the transaction is null at first and says nothing yet."""
    seen = told("charge.succeeded", charge(version=version, balance_transaction=None))

    assert [each.id for each in projections(seen)] == ["ch_1"]
