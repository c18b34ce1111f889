"""How many of Stripe's minor units an amount is, and how a person writes them.

Stripe counts money in whole minor units; how many make one major unit depends on the currency
(https://docs.stripe.com/currencies). Stripe's rule is the only one that counts here: ISO 4217 and the
locale databases disagree with it for about twenty currencies. Floats never appear.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

ZERO_DECIMAL = frozenset((
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga",
    "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
))  # fmt: skip
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
# Stripe lists UGX among the zero-decimal currencies and among the special cases; the special case wins.
_TWO_DECIMAL_IN_NAME_ONLY = frozenset(("isk", "ugx"))

_CURRENCY = re.compile(r"[a-z]{3}")
_PLAIN_AMOUNT = re.compile(r"[+-]?[0-9]+(?:\.([0-9]+))?")
_LIMIT_MINOR = 10**15


def is_currency(text: str) -> bool:
    """Return whether the text has the form of a currency as Stripe writes it: three of a to z."""
    return _CURRENCY.fullmatch(text) is not None


def exponent(currency: str) -> int:
    """Return how many decimals Stripe's minor unit stands for: 0, 2 or 3.

    Raises ValueError for anything but a lower-case code: "JPY" taken for an unknown currency would
    silently make a hundredth of the money. See https://docs.stripe.com/currencies .
    """
    if not is_currency(currency):
        raise ValueError(
            f"{currency!r} is not a currency: write three lower-case letters, like usd"
        )
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def to_minor(amount: str | Decimal, currency: str) -> int:
    """Return an amount in major units as Stripe's whole minor units, exactly, or raise ValueError.

    Text is digits with an optional sign and one "." before the decimals, and never has more decimals
    than the currency: "12.500" may be twelve thousand and a half to whoever wrote it. A Decimal is
    taken by its value, because a database pads its decimals with zeros. Refused as well is what
    Stripe refuses: parts of a krona in ISK and UGX, a third decimal other than 0, and anything
    beyond 10**15 minor units. See https://docs.stripe.com/currencies .
    """
    value = amount if isinstance(amount, Decimal) else _plain_decimal(amount, currency)
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    if value.copy_abs() > to_major(_LIMIT_MINOR, currency):
        raise ValueError(f"the amount is beyond {format_amount(_LIMIT_MINOR, currency)}")
    minor = int(value.scaleb(exponent(currency)))
    # The way back is exact, so what does not come back as it went was never representable.
    if to_major(minor, currency) != value:
        raise ValueError(_too_many_decimals(str(value), currency))
    step = _smallest_step(currency)
    if minor % step:
        step_text = format_amount(step, currency)
        raise ValueError(f"{value} {currency.upper()} is not a multiple of {step_text}")
    return minor


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Return minor units as a Decimal in major units, with all the decimals of the currency."""
    # Only the constructor is exact whatever the precision of the surrounding decimal context.
    return Decimal(f"{amount_minor}E-{exponent(currency)}")


def format_amount(amount_minor: int, currency: str) -> str:
    """Return minor units as plain text that belongs to no locale: 12.50 USD, 500 JPY, 1.230 KWD."""
    return f"{to_major(amount_minor, currency):f} {currency.upper()}"


def distribute(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split a total over weights in proportion, to the unit: the shares add up to exactly the total.

    By largest remainder; the earlier one wins a tie. A zero weight gets nothing, and a negative
    total is split as its positive twin. Raises ValueError for a negative weight, and where there is
    something to split but nothing to split it over.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight must not be negative")
    whole = sum(weights)
    if total == 0:
        return (0,) * len(weights)
    if whole == 0:
        raise ValueError(f"{total} cannot be split: every weight is zero")
    shares, remainders = zip(
        *(divmod(abs(total) * weight, whole) for weight in weights), strict=True
    )
    # What is left is fewer units than there are remainders above zero, so a zero weight never gets one.
    left = abs(total) - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda index: -remainders[index])
    favoured = frozenset(by_remainder[:left])
    sign = -1 if total < 0 else 1
    return tuple(sign * (share + (index in favoured)) for index, share in enumerate(shares))


def _plain_decimal(text: str, currency: str) -> Decimal:
    match = _PLAIN_AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an amount: write digits and one '.', like 1234.50")
    if len(match[1] or "") > exponent(currency):
        raise ValueError(_too_many_decimals(text, currency))
    return Decimal(text)


def _too_many_decimals(text: str, currency: str) -> str:
    return f"{text[:40]} has more decimals than {currency.upper()}, which has {exponent(currency)}"


def _smallest_step(currency: str) -> int:
    """Return the minor units of the smallest amount that Stripe takes a multiple of."""
    if currency in _TWO_DECIMAL_IN_NAME_ONLY:
        return 100
    return 10 if currency in THREE_DECIMAL else 1
