"""Is every address that is read told apart, and no id of any object ever told?"""

import pytest

from reconciler.core.doubts import FetchKind
from reconciler.stripe_api.account import RIGHTS
from reconciler.stripe_api.paths import LISTS, template_of
from reconciler.stripe_api.reading import read_object
from tests.stripe_api.answering import bench, said_json


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/events", "/v1/events"),
        ("/v1/payment_intents/pi_1", "/v1/payment_intents/{id}"),
        ("/v1/checkout/sessions/cs_test_1", "/v1/checkout/sessions/{id}"),
        ("/v1/checkout/sessions", "/v1/checkout/sessions"),
        ("/v1/charges/ch%2F1", "/v1/charges/{id}"),
        ("/v1/charges/ch_1/refunds", "other"),
        ("/v1/customers/cus_canary", "other"),
        ("/v1/payment_intents/", "/v1/payment_intents/{id}"),
        ("pi_1", "other"),
        ("", "other"),
    ],
)
def test_it_puts_no_id_into_a_name(path: str, template: str) -> None:
    """An id becomes a placeholder, and an address that is not known has no name of its own."""
    assert template_of(path) == template


def test_it_knows_every_list_that_the_program_reads() -> None:
    """What the key must be allowed to read has a name of its own."""
    assert set(RIGHTS) <= LISTS


@pytest.mark.parametrize("kind", FetchKind)
def test_it_knows_every_object_that_the_program_reads(kind: FetchKind) -> None:
    """Each kind of object that is read by its id has a name of its own."""
    asking = bench([said_json({"id": "x_1"})])

    read_object(asking.gateway, kind, "x_1")

    [asked] = asking.asked
    assert template_of(asked.path) == asked.path.replace("x_1", "{id}")
