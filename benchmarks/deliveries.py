"""What does Stripe deliver, again and again, each time about another payment?

Each delivery is a `payment_intent.succeeded` of its own PaymentIntent, which names an invoice of its own; it is indented as
Stripe sends it, between 3 and 4 KB. All are made of one template by their number when they are sent, so that a hundred thousand of
them take no memory; what takes long is done before: each has its signature.
"""

import hashlib
import hmac
import json
import time
from typing import Any, Final

from reconciler.simulator import till
from reconciler.simulator.clock import Clock
from reconciler.simulator.world import World

SECRET: Final = "whsec_0123456789abcdef"  # noqa: S105 - nobody else has it
PATH: Final = "/api/webhooks/stripe"
AMOUNT_MINOR: Final = 4998
CURRENCY: Final = "eur"
_ADDRESS: Final = {
    "city": "Lyon",
    "country": "FR",
    "line1": "17 quai Saint-Antoine",
    "line2": None,
    "postal_code": "69002",
    "state": None,
}
# What Stripe tells besides, and nobody here reads (https://docs.stripe.com/api/payment_intents/object).
_BESIDES: Final[dict[str, Any]] = {
    "amount_details": {"tip": {}},
    "application_fee_amount": None,
    "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
    "client_secret": "pi_3SbXq0KoVw7y_secret_Zt1c0VYwGm8QpXo5bHn3RkLsD",
    "excluded_payment_method_types": None,
    "on_behalf_of": None,
    "payment_method_configuration_details": {"id": "pmc_1PqXv2KoVw7yTe4sd", "parent": None},
    "payment_method_options": {
        "afterpay_clearpay": {"capture_method": "manual", "reference": None},
        "bancontact": {"preferred_language": "en"},
        "card": {
            "installments": None,
            "mandate_options": None,
            "network": None,
            "request_three_d_secure": "automatic",
        },
        "klarna": {"preferred_locale": None},
        "link": {"persistent_token": None},
        "paypal": {"preferred_locale": None, "reference": None},
        "sepa_debit": {"mandate_options": {}},
        "us_bank_account": {"mandate_options": {}, "verification_method": "automatic"},
    },
    "payment_method_types": ["card", "bancontact", "klarna", "link", "sepa_debit"],
    "processing": None,
    "review": None,
    "shipping": {
        "address": _ADDRESS,
        "carrier": None,
        "name": "Jenny Rosen",
        "phone": "+33 4 72 00 00 00",
        "tracking_number": None,
    },
    "source": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": "CONCERT",
    "transfer_data": None,
    "transfer_group": "group_of_concerts",
}
_NUMBER: Final = "9" * 9


def event_id(number: int) -> str:
    """The id of a delivery's event; ids are ordered as their numbers are."""
    return f"evt_1SbXq2{number:09d}KoVw7y"


def payment_id(number: int) -> str:
    """The id of its PaymentIntent."""
    return f"pi_3SbXq0{number:09d}KoVw7y"


def invoice_id(number: int) -> str:
    """The id of the invoice that it pays."""
    return f"INV-{number:09d}"


class Deliveries:
    """Requests of one moment, signed; they are good for some minutes."""

    def __init__(self, first: int, count: int) -> None:
        self._first = first
        at_s = int(time.time())
        self._body = _template(at_s)
        signed = b"%d." % at_s + self._body
        key = SECRET.encode()
        self._signatures = [
            hmac.digest(key, signed % {b"n": number}, hashlib.sha256).hex().encode()
            for number in range(first, first + count)
        ]
        length = len(self._body % {b"n": first})
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json; charset=utf-8\r\n"
            "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\nAccept: */*; q=0.5, application/xml\r\n"
            f"Content-Length: {length}\r\nStripe-Signature: t={at_s},v1="
        )
        self._request = head.encode() + b"%(signature)b\r\n\r\n" + self._body

    def __len__(self) -> int:
        return len(self._signatures)

    def request(self, place: int) -> bytes:
        """The whole request at a place; the first has place 0."""
        return self._request % {b"signature": self._signatures[place], b"n": self._first + place}


def _template(at_s: int) -> bytes:
    """The body, with places for the number of the delivery."""
    world = World(seed=1, clock=Clock((at_s - 60) * 1000))
    id_ = till.make_intent(
        world,
        amount=AMOUNT_MINOR,
        currency=CURRENCY,
        customer="cus_QxR7pLm2TzV9aB",
        description="Two tickets for the concert of the fourth of May, second row",
        receipt_email="jenny.rosen@example.com",
        metadata={
            "invoice_id": invoice_id(int(_NUMBER)),
            "cart": "c_01JABCDEFGHJKMNPQRSTVWXYZ",
            "shop": "Halle Tony Garnier",
            "seats": "B 14, B 15",
            "campaign": "spring",
        },
    )
    till.succeed(world, id_)
    [told] = [
        each.event for each in world.happenings if each.event["type"] == "payment_intent.succeeded"
    ]
    about = told["data"]["object"]
    return _with_places({**told, "data": {"object": {**about, **_BESIDES}}}, id_)


def _with_places(told: dict[str, Any], id_: str) -> bytes:
    number = int(_NUMBER)
    text = json.dumps(told, indent=2).replace("%", "%%")
    for theirs, ours in (
        (str(told["id"]), event_id(number)),
        (id_, payment_id(number)),
        (str(told["data"]["object"]["latest_charge"]), f"ch_3SbXq0{_NUMBER}KoVw7y"),
    ):
        text = text.replace(theirs, ours)
    return text.replace(_NUMBER, "%(n)09d").encode()
