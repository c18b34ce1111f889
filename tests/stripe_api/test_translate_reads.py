"""Whether an object read from the API says everything that stands in it, expanded or not, and each thing once."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    IntentSeen,
    RefundSeen,
    SessionSeen,
    Span,
    TransactionSeen,
)
from reconciler.stripe_api.translate import UnreadableObject, Vocabulary, observe_object
from tests.stripe_api.shapes import (
    Json,
    balance_transaction,
    charge,
    checkout_session,
    dispute,
    payment_intent,
    refund,
)

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "stripe-objects.json"
READ = Span(1_790_000_000_000, 1_790_000_006_999)
NO_CATEGORY = "no category"


def read(obj: Json) -> tuple[list[Any], list[tuple[str, str]]]:
    """Return what an object that was read says, and what it asks for."""
    observations, fetch = observe_object(
        obj, span=READ, evidence="req_1", vocabulary=Vocabulary(), is_read=True
    )
    assert {(each.span, each.evidence, each.is_read) for each in observations} <= {
        (READ, "req_1", True)
    }
    return [each.projection for each in observations], list(fetch)


EXPANDED = [
    pytest.param(payment_intent(), ["pi_1"], id="intent"),
    pytest.param(payment_intent(charges=[charge()]), ["pi_1"], id="intent, charge named"),
    pytest.param(
        payment_intent(charges=[charge()], expand=True), ["pi_1", "ch_1"], id="intent, charge"
    ),
    pytest.param(
        payment_intent(charges=[charge(balance_transaction=balance_transaction())], expand=True),
        ["pi_1", "ch_1", "txn_1"],
        id="intent, charge, transaction",
    ),
    pytest.param(charge(), ["ch_1"], id="charge"),
    pytest.param(
        charge(intent=payment_intent(), balance_transaction=balance_transaction()),
        ["ch_1", "pi_1", "txn_1"],
        id="charge, intent, transaction",
    ),
    pytest.param(
        charge(refunds=[refund()], refunds_=None)
        | {"refunds": {"object": "list", "data": [refund()], "has_more": False}},
        ["ch_1", "re_1"],
        id="charge, refunds",
    ),
    pytest.param(
        refund(charge=charge(), intent=payment_intent()),
        ["re_1", "ch_1", "pi_1"],
        id="refund, charge, intent",
    ),
    pytest.param(
        refund(
            balance_transaction=balance_transaction(
                "txn_2", source="re_1", type="refund", amount=-400
            ),
            failure_balance_transaction=balance_transaction(
                "txn_3", source="re_1", type="refund_failure", amount=400
            ),
        ),
        ["re_1", "txn_2", "txn_3"],
        id="refund, transactions",
    ),
    pytest.param(
        dispute(charge=charge(), transactions=[balance_transaction("txn_9", source="dp_1")]),
        ["dp_1", "ch_1", "txn_9"],
        id="dispute, charge, transactions",
    ),
    pytest.param(checkout_session(), ["cs_test_1"], id="session"),
    pytest.param(
        checkout_session(intent=payment_intent(charges=[charge()], expand=True)),
        ["cs_test_1", "pi_1", "ch_1"],
        id="session, intent, charge",
    ),
    pytest.param(balance_transaction(), ["txn_1"], id="transaction"),
    pytest.param(balance_transaction(source=charge()), ["txn_1", "ch_1"], id="transaction, charge"),
    pytest.param(balance_transaction(source=refund()), ["txn_1", "re_1"], id="transaction, refund"),
    pytest.param(
        balance_transaction(source=dispute()), ["txn_1", "dp_1"], id="transaction, dispute"
    ),
    pytest.param(
        balance_transaction(source={"id": "po_1", "object": "payout"}), ["txn_1"], id="payout"
    ),
]


@pytest.mark.parametrize(("obj", "ids"), EXPANDED)
def test_it_observes_every_object_that_stands_in_another(obj: Json, ids: list[str]) -> None:
    """What is expanded speaks for itself; what is only named does not."""
    seen, fetch = read(obj)

    assert sorted(each.id for each in seen) == sorted(ids)
    assert fetch == []


def test_expanded_or_named_an_object_is_linked_alike() -> None:
    """Expansion changes how much is said, never what is said of the outer object."""
    (named,), _ = read(refund())
    (expanded, *_), _ = read(refund(charge=charge(), intent=payment_intent()))

    assert expanded == named


def test_an_object_that_stands_there_twice_is_observed_once() -> None:
    """Some versions carry the charge both as the latest and in the list."""
    obj = payment_intent(charges=[charge()], expand=True, charges_=None)
    obj["charges"] = {"object": "list", "data": [charge()], "has_more": False}

    seen, _ = read(obj)

    assert [each.id for each in seen] == ["pi_1", "ch_1"]


def test_a_charge_within_its_payment_is_never_a_payment_of_its_own() -> None:
    """A null there must not turn one payment into two."""
    seen, _ = read(payment_intent(charges=[charge(intent=None)], expand=True))

    assert seen[1].intent == "pi_1"


def test_an_expanded_complete_list_of_refunds_is_known_to_be_complete() -> None:
    """Only then can a refunded total that nothing explains be called a contradiction."""
    page = {"object": "list", "data": [refund()], "has_more": False}

    assert read(charge(amount_refunded=400, refunds=[]) | {"refunds": page})[0][0].refunds_listed
    assert not read(charge())[0][0].refunds_listed
    assert not read(charge() | {"refunds": page | {"has_more": True}})[0][0].refunds_listed


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, ""), (1.2345, "1.2345"), (1.2e-05, "0.000012"), (150.0, "150"), (2, "2"), (1e22, "1" + "0" * 22)],
)  # fmt: skip
def test_an_exchange_rate_is_plain_decimal_digits(rate: float | None, text: str) -> None:
    """No exponent, no trailing zero: the same rate is always the same text."""
    ((seen,), _) = read(balance_transaction(exchange_rate=rate))

    assert seen.exchange_rate == text


@pytest.mark.parametrize(
    ("type_", "given", "category"),
    [
        ("charge", NO_CATEGORY, "charge"),
        ("payment", NO_CATEGORY, "charge"),
        ("refund", NO_CATEGORY, "refund"),
        ("payment_refund", NO_CATEGORY, "refund"),
        ("refund_failure", NO_CATEGORY, "refund_failure"),
        ("payment_failure_refund", NO_CATEGORY, "charge_failure"),
        ("adjustment", NO_CATEGORY, ""),
        ("something_new", NO_CATEGORY, ""),
        ("refund", "partial_capture_reversal", "partial_capture_reversal"),
        ("adjustment", "dispute", "dispute"),
    ],
)
def test_the_category_is_as_given_or_follows_from_the_type(
    type_: str, given: str, category: str
) -> None:
    """An adjustment may be a dispute or its reversal, so that without a category it is neither."""
    obj = balance_transaction(type=type_, reporting_category=given)
    if given == NO_CATEGORY:
        del obj["reporting_category"]

    assert read(obj)[0][0].category == category


def test_a_fee_has_no_source() -> None:
    """Stripe's own fees come from no payment."""
    ((seen,), _) = read(balance_transaction(source=None, type="stripe_fee", amount=-59, fee=0))

    assert (seen.source, seen.amount_minor) == ("", -59)


def test_text_of_a_read_is_made_storable() -> None:
    """A read does not pass the envelope, and a payer chooses metadata."""
    ((seen,), _) = read(payment_intent(metadata={"invoice_id": "a\x00b\ud800"}))

    assert {each.value for each in seen.references} == {"pi_1", "a\ufffdb\ufffd"}


def test_a_balance_transaction_that_cannot_be_read_is_not_passed_over() -> None:
    """It can't be fetched by id, so that silence would lose money: it is an error, for the caller to set aside."""
    with pytest.raises(UnreadableObject):
        read(balance_transaction(net=None))


@pytest.mark.parametrize("obj", [{}, {"id": "po_1", "object": "payout"}, {"object": ["charge"]}])
def test_an_object_of_no_known_kind_is_unreadable(obj: Json) -> None:
    """Nobody asked for it, so that silence would hide a mistake of ours."""
    with pytest.raises(UnreadableObject):
        read(obj)


def _sample(kind: str) -> Json:
    if not SAMPLES.exists():
        pytest.skip("Stripe's sample objects (shared/data/stripe-objects.json) are not here")
    found: Json = json.loads(SAMPLES.read_text(encoding="utf-8"))["resources"][kind]
    return found


@pytest.mark.parametrize(
    ("kind", "projection", "same"),
    [
        ("payment_intent", IntentSeen, {"amount": "amount_minor", "amount_received": "received_minor", "amount_capturable": "capturable_minor"}),
        ("charge", ChargeSeen, {"amount": "amount_minor", "amount_captured": "captured_minor", "amount_refunded": "refunded_minor", "payment_intent": "intent"}),
        ("refund", RefundSeen, {"amount": "amount_minor", "charge": "charge", "payment_intent": "intent"}),
        ("dispute", DisputeSeen, {"amount": "amount_minor", "charge": "charge", "reason": "reason"}),
        ("checkout.session", SessionSeen, {"payment_intent": "intent", "payment_status": "payment_status"}),
        ("balance_transaction", TransactionSeen, {"amount": "amount_minor", "fee": "fee_minor", "net": "net_minor", "reporting_category": "category", "source": "source", "type": "type"}),
    ],
)  # fmt: skip
def test_stripes_own_samples_lose_nothing_that_we_read(
    kind: str, projection: type, same: dict[str, str]
) -> None:
    """The objects that Stripe publishes for tests are understood whole, and ask for nothing."""
    sample = _sample(kind)

    (seen, *_), fetch = read(sample)

    assert (type(seen), seen.id, seen.created_ms) == (
        projection,
        sample["id"],
        sample["created"] * 1000,
    )
    assert {key: getattr(seen, field) for key, field in same.items()} == {
        key: sample[key] for key in same
    }
    assert getattr(seen, "status", None) == (
        sample.get("status") if hasattr(seen, "status") else None
    )
    assert fetch == []
