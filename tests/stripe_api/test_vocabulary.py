"""Whether ignore rules mean exactly what a person wrote, and a rule that is none is refused."""

import pytest

from reconciler.core.observation import Span
from reconciler.stripe_api.translate import Vocabulary, observe_object, parse_ignore
from tests.stripe_api.shapes import Json, charge, payment_intent


def reasons(obj: Json, rule: str) -> frozenset[str]:
    """Return why an object is foreign under one rule."""
    (seen, *_), _ = observe_object(
        obj,
        span=Span(0, 0),
        evidence="req_1",
        vocabulary=Vocabulary(ignore=(rule,)),
        is_read=True,
    )
    found: frozenset[str] = seen.projection.foreign  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize(
    ("rule", "changes", "matches"),
    [
        ("metadata.shop", {"metadata": {"shop": "eu"}}, True),
        ("metadata.shop", {"metadata": {"shop": ""}}, True),
        ("metadata.shop", {"metadata": {}}, False),
        ("metadata.shop=eu", {"metadata": {"shop": "eu"}}, True),
        ("metadata.shop=eu", {"metadata": {"shop": "EU"}}, False),
        ("metadata.shop=eu", {"metadata": {}}, False),
        ("metadata.shop=a=b", {"metadata": {"shop": "a=b"}}, True),
        ("customer=cus_1", {"customer": "cus_1"}, True),
        ("customer=cus_1", {"customer": {"id": "cus_1", "object": "customer"}}, True),
        ("customer=cus_1", {"customer": "cus_11"}, False),
        ("customer=cus_1", {"customer": None}, False),
        ("application=ca_1", {"application": "ca_1"}, True),
        ("application=ca_1", {"application": None}, False),
    ],
)
def test_a_rule_marks_exactly_what_it_names(rule: str, changes: Json, *, matches: bool) -> None:
    """The reason repeats the rule, so that a person can find it; PaymentIntents and charges alike."""
    for build in (payment_intent, charge):
        assert reasons(build(**changes), rule) == ({f"ignored:{rule}"} if matches else set())


@pytest.mark.parametrize(
    "rule",
    ["", "x", "metadata", "metadata.", "metadata.=eu", "customer", "customer=", "application=",
     "description=x", "Customer=cus_1", "customer = cus_1"],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused_with_a_sentence(rule: str) -> None:
    """A typing mistake must not silently ignore nothing, or everything."""
    with pytest.raises(ValueError, match=r"write metadata\.KEY"):
        parse_ignore(rule)
