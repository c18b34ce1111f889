"""Whether every event that we subscribe to says the same in our words, whatever API version wrote it."""

from typing import Any

import pytest

from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    Failure,
    ForeignSeen,
    IntentSeen,
    Observation,
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
    observe_object,
    parse_ignore,
    translate,
)
from tests.stripe_api.shapes import (
    NOON_MS,
    V2019,
    V2022,
    VERSIONS,
    Json,
    balance_transaction,
    body,
    charge,
    checkout_session,
    dispute,
    listing,
    payment_intent,
    received,
    refund,
    thin_event,
)

OURS = Vocabulary()
INTENT_REFERENCE = Reference(ReferenceKind.PAYMENT_INTENT, "pi_1")
SHAPES: dict[str, Json] = {
    "payment_intent": payment_intent(),
    "charge": charge(),
    "refund": refund(),
    "dispute": dispute(),
    "checkout_session": checkout_session(),
}
KINDS = {
    "payment_intent": IntentSeen,
    "charge": ChargeSeen,
    "refund": RefundSeen,
    "dispute": DisputeSeen,
    "checkout_session": SessionSeen,
}


def said(type_: str, obj: Json, vocabulary: Vocabulary = OURS, **over: Any) -> list[Any]:
    """Return the projections of an event."""
    translated = translate(received(type_, obj, **over), vocabulary)
    return [each.projection for each in translated.observations]


def read(obj: Json, vocabulary: Vocabulary = OURS) -> list[Any]:
    """Return the projections of an object that was read from the API."""
    span = Span(NOON_MS, NOON_MS + 5000)
    observations, fetch = observe_object(obj, span=span, evidence="req_1", vocabulary=vocabulary)
    assert fetch == ()
    return [each.projection for each in observations]


@pytest.mark.parametrize(("type_", "kind"), EVENT_TYPES.items())
def test_it_translates_every_type_that_we_subscribe_to(type_: str, kind: str) -> None:
    """The first observation is about the event's own object, true within the second of the event."""
    translated = translate(received(type_, SHAPES[kind]), OURS)

    assert translated.outcome is Outcome.OBSERVED
    assert translated.fetch == ()
    first = translated.observations[0]
    assert first == Observation(
        span=Span(NOON_MS, NOON_MS + 999), evidence="evt_1", projection=first.projection
    )
    assert type(first.projection) is KINDS[kind]
    assert first.projection.id == SHAPES[kind]["id"]


def test_it_subscribes_to_the_types_of_one_off_payments() -> None:
    """The list is a promise to whoever sets the endpoint up; it neither grows nor shrinks unseen."""
    counts = {kind: list(EVENT_TYPES.values()).count(kind) for kind in KINDS}

    assert counts == {
        "payment_intent": 8,
        "charge": 7,
        "refund": 4,
        "dispute": 5,
        "checkout_session": 4,
    }
    assert sum(counts.values()) == len(EVENT_TYPES)


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


@pytest.mark.parametrize("kind", KINDS)
def test_it_passes_on_a_word_that_it_does_not_know(kind: str) -> None:
    """A status that Stripe invents tomorrow is kept as it is, never taken for another."""
    field = "payment_status" if kind == "checkout_session" else "status"
    type_ = next(type_ for type_, about in EVENT_TYPES.items() if about == kind)
    seen = said(type_, SHAPES[kind] | {field: "half_paid"})[0]

    assert getattr(seen, field) == "half_paid"


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


@pytest.mark.parametrize("mode", ["subscription", "setup"])
def test_it_ignores_sessions_that_are_no_payment(mode: str) -> None:
    """Subscriptions and saved cards are another product's business, in events and in reads."""
    session = checkout_session(mode=mode, payment_intent=None)

    assert translate(received("checkout.session.completed", session), OURS) == Translation(
        Outcome.IGNORED
    )
    assert read(session) == []


def test_it_takes_a_session_without_a_mode_for_a_payment() -> None:
    """The first Sessions had no mode, and nothing that was paid may be overlooked."""
    without = checkout_session()
    del without["mode"]

    for session in (without, checkout_session(mode=None)):
        assert said("checkout.session.completed", session) == said(
            "checkout.session.completed", checkout_session()
        )


def test_it_takes_a_free_session_without_a_payment_intent() -> None:
    """A total of zero is completed without any PaymentIntent."""
    free = checkout_session(
        payment_status="no_payment_required", payment_intent=None, amount_total=0
    )
    (seen,) = said("checkout.session.completed", free)

    assert (seen.payment_status, seen.intent, seen.amount_minor) == ("no_payment_required", None, 0)


@pytest.mark.parametrize(
    ("kind", "fetch"),
    [
        ("payment_intent", "payment_intent"),
        ("charge", "charge"),
        ("refund", "refund"),
        ("dispute", "dispute"),
        ("checkout.session", "checkout_session"),
    ],
)
def test_it_defers_a_thin_event(kind: str, fetch: str) -> None:
    """A thin event shows nothing: its object must be read."""
    translated = translate(read_event(body(thin_event(kind, "xx_1"))), OURS)

    assert translated == Translation(Outcome.DEFERRED, fetch=((fetch, "xx_1"),))


@pytest.mark.parametrize(
    "thin",
    [
        thin_event("customer", "cus_1"),
        thin_event("balance_transaction", "txn_1"),
        thin_event(related_object=None, type="v2.core.health.event_generation_failure.resolved"),
    ],
)
def test_it_ignores_thin_events_about_other_things(thin: Json) -> None:
    """A thin event about nothing that we read asks for no fetch."""
    assert translate(read_event(body(thin)), OURS) == Translation(Outcome.IGNORED)


@pytest.mark.parametrize(
    "type_",
    ["customer.created", "payment_intent.invented", "charge", "", "PAYMENT_INTENT.SUCCEEDED"],
)
def test_it_ignores_types_that_it_does_not_know(type_: str) -> None:
    """An endpoint may be subscribed to more than we asked for; the object does not matter then."""
    incoming = received(type_ or "invoice.created", {"id": 7})

    assert translate(incoming, OURS) == Translation(Outcome.IGNORED)


@pytest.mark.parametrize("version", [V2019, V2022])
def test_it_leaves_payments_of_stripes_own_invoices_alone(version: str) -> None:
    """Old PaymentIntents and charges name the Stripe Invoice that they pay."""
    for invoice in ("in_1", {"id": "in_1", "object": "invoice"}):
        seen = said("payment_intent.succeeded", payment_intent(version, invoice=invoice))[0]
        assert seen.foreign == {"stripe_invoice"}
        assert said("charge.succeeded", charge(version, invoice=invoice))[0].foreign == {
            "stripe_invoice"
        }


@pytest.mark.parametrize(
    ("type_", "obj"),
    [
        ("invoice_payment.paid", {"payment": {"type": "payment_intent", "payment_intent": "pi_1"}}),
        ("invoice.paid", {"payment_intent": "pi_1"}),
        ("invoice.payment_failed", {"payment_intent": {"id": "pi_1"}}),
    ],
)
def test_it_learns_from_stripes_invoices_whose_payment_is_foreign(type_: str, obj: Json) -> None:
    """Today only the Invoice names its PaymentIntent, so its events are the way to know."""
    assert said(type_, obj) == [ForeignSeen(id="pi_1", reason="stripe_invoice")]


@pytest.mark.parametrize(
    "obj", [{}, {"payment": None}, {"payment": {"type": "charge"}}, {"payment_intent": 7}]
)
@pytest.mark.parametrize("type_", ["invoice_payment.paid", "invoice.paid"])
def test_it_ignores_stripes_invoices_that_name_no_payment(type_: str, obj: Json) -> None:
    """An Invoice of today, or one paid from credit, tells nothing."""
    assert translate(received(type_, obj), OURS) == Translation(Outcome.IGNORED)


def test_it_reads_a_charge_that_does_not_say_whose_it_is() -> None:
    """Without the key we can't know whether the charge is a payment of its own: it is read."""
    silent = charge()
    del silent["payment_intent"]

    translated = translate(received("charge.succeeded", silent), OURS)

    assert translated == Translation(Outcome.OBSERVED, fetch=(("charge", "ch_1"),))


def test_it_takes_a_charge_that_says_it_has_no_payment_intent() -> None:
    """Such a charge is a payment of its own, and carries its own names of the invoice."""
    (seen,) = said("charge.succeeded", charge(payment_intent=None))

    assert seen.intent is None
    assert seen.references == {Reference(ReferenceKind.METADATA, "INV-7")}


@pytest.mark.parametrize(
    ("rule", "over", "matches"),
    [
        ("metadata.shop", {"metadata": {"shop": "b"}}, True),
        ("metadata.shop", {"metadata": {"shop": ""}}, True),
        ("metadata.shop", {"metadata": {}}, False),
        ("metadata.shop", {"metadata": None}, False),
        ("metadata.shop=b", {"metadata": {"shop": "b"}}, True),
        ("metadata.shop=b", {"metadata": {"shop": "c"}}, False),
        ("metadata.shop=b=c", {"metadata": {"shop": "b=c"}}, True),
        ("metadata.shop=", {"metadata": {"shop": ""}}, True),
        ("customer=cus_1", {}, True),
        ("customer=cus_1", {"customer": {"id": "cus_1"}}, True),
        ("customer=cus_2", {}, False),
        ("customer=cus_1", {"customer": None}, False),
        ("application=ca_1", {"application": "ca_1"}, True),
        ("application=ca_1", {}, False),
    ],
)
def test_it_marks_what_the_settings_ignore(rule: str, over: Json, matches: bool) -> None:
    """A rule marks the PaymentIntent and the charge, and says which rule it was."""
    vocabulary = Vocabulary(ignore=(rule,))
    expected = {f"ignored:{rule}"} if matches else set()

    assert said("payment_intent.created", payment_intent(**over), vocabulary)[0].foreign == expected
    assert said("charge.updated", charge(**over), vocabulary)[0].foreign == expected


@pytest.mark.parametrize(
    "rule", ["", "metadata.", "metadata", "customer", "customer=", "email=a@b", "metadata=a"]
)
def test_it_refuses_a_rule_that_it_does_not_know(rule: str) -> None:
    """A typing error in the settings must not silently ignore nothing."""
    with pytest.raises(ValueError, match="is no rule"):
        parse_ignore(rule)


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


def test_it_does_not_give_the_events_type_to_what_is_expanded_inside() -> None:
    """That a Session completed says nothing of when its expanded PaymentIntent succeeded."""
    session = checkout_session(payment_intent=payment_intent())
    _, intent = said("checkout.session.completed", session)

    assert intent.succeeded_ms is None


@pytest.mark.parametrize("id_", [None, "", 7, "pi 1", "../v1/refunds", "x" * 256])
def test_it_says_when_an_object_has_no_id_to_read(id_: object) -> None:
    """Without an id there is nothing to fetch, and a person must look."""
    with pytest.raises(UnreadableObject):
        translate(received("payment_intent.succeeded", payment_intent(id=id_)), OURS)
