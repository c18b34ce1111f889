"""Whether every event that we subscribe to becomes observations, a fetch or nothing, as it should."""

import pytest

from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    ForeignSeen,
    IntentSeen,
    Observation,
    RefundSeen,
    SessionSeen,
    Span,
)
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.translate import (
    EVENT_TYPES,
    Outcome,
    Translation,
    UnreadableObject,
    Vocabulary,
    parse_ignore,
    translate,
)
from tests.stripe_api.shapes import (
    NOON_MS,
    V2019,
    V2022,
    Json,
    body,
    charge,
    checkout_session,
    dispute,
    payment_intent,
    received,
    refund,
    thin_event,
)
from tests.stripe_api.telling import OURS, read, said

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


@pytest.mark.parametrize("kind", KINDS)
def test_it_passes_on_a_word_that_it_does_not_know(kind: str) -> None:
    """A status that Stripe invents tomorrow is kept as it is, never taken for another."""
    field = "payment_status" if kind == "checkout_session" else "status"
    type_ = next(type_ for type_, about in EVENT_TYPES.items() if about == kind)
    seen = said(type_, SHAPES[kind] | {field: "half_paid"})[0]

    assert getattr(seen, field) == "half_paid"


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
