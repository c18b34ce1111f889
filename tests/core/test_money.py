"""Whether every amount is exactly what Stripe means by it, and anything inexact is refused."""

import re
from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.core.money import (
    distribute,
    exponent,
    format_amount,
    is_currency,
    to_major,
    to_minor,
)

ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
THREE_DECIMAL = "bhd jod kwd omr tnd"
SPECIAL = "isk ugx"
# The locale databases give these 0, 3 or 4 decimals; Stripe gives them 2.
TWO_DECIMAL_AT_STRIPE = (
    "afn all iqd irr kpw lak lbp mmk rsd sll sos std syp yer zmk lyd clf uyw huf twd"
)
DECIMALS = {
    **dict.fromkeys(ZERO_DECIMAL.split(), 0),
    **dict.fromkeys(THREE_DECIMAL.split(), 3),
    **dict.fromkeys(SPECIAL.split(), 2),
    **dict.fromkeys(TWO_DECIMAL_AT_STRIPE.split(), 2),
    **dict.fromkeys(("usd", "eur", "gbp", "zzz"), 2),
}

currencies = st.sampled_from(sorted(DECIMALS))
weights_in_lists = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)
totals = st.integers(-(10**12), 10**12)


def step_of(currency: str) -> int:
    """Return the smallest step of the facts, written down here a second time on purpose."""
    return 100 if currency in SPECIAL.split() else 10 if currency in THREE_DECIMAL.split() else 1


@pytest.mark.parametrize(("currency", "decimals"), DECIMALS.items())
def test_it_knows_the_exponent_of_every_currency(currency: str, decimals: int) -> None:
    """The number of decimals is Stripe's, where ISO and the locale databases disagree too."""
    assert exponent(currency) == decimals


@pytest.mark.parametrize("text", ["JPY", "jp", "jpyy", "", "us1", "usd\n", "é€a", " usd"])
def test_it_guesses_no_exponent_for_what_is_no_currency(text: str) -> None:
    """Anything but three lower-case letters is refused instead of counted as two decimals."""
    assert not is_currency(text)

    with pytest.raises(ValueError, match="three lower-case letters"):
        exponent(text)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "usd", 1250),
        ("12.5", "usd", 1250),
        ("12", "usd", 1200),
        ("+12", "usd", 1200),
        ("-0.01", "usd", -1),
        ("-0", "usd", 0),
        ("007", "usd", 700),
        ("500", "jpy", 500),
        ("1.230", "kwd", 1230),
        ("1.23", "kwd", 1230),
        ("5", "isk", 500),
        ("5.00", "ugx", 500),
        ("10000000000000.00", "usd", 10**15),
        ("-1000000000000000", "jpy", -(10**15)),
        (Decimal("12.5000"), "usd", 1250),
        (Decimal("1E+3"), "usd", 100_000),
        (Decimal("500.00"), "jpy", 500),
        (Decimal("0E-9999"), "usd", 0),
    ],
)
def test_it_reads_an_amount_exactly(amount: str | Decimal, currency: str, minor: int) -> None:
    """A representable amount becomes its minor units and nothing else."""
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "sentence"),
    [
        ("12.345", "usd", "12.345 has more decimals than USD, which has 2"),
        ("12.500", "usd", "more decimals"),
        ("500.0", "jpy", "500.0 has more decimals than JPY, which has 0"),
        ("1.2300", "kwd", "more decimals"),
        (Decimal("0.001"), "usd", "more decimals"),
        (Decimal("1.0000000000000000000000000000001"), "usd", "more decimals"),
        (Decimal("1E-999999"), "usd", "more decimals"),
        ("1.235", "kwd", "1.235 KWD is not a multiple of 0.010 KWD"),
        ("5.50", "isk", "5.50 ISK is not a multiple of 1.00 ISK"),
        (Decimal("0.01"), "ugx", "multiple of 1.00 UGX"),
        ("10000000000000.01", "usd", "beyond 10000000000000.00 USD"),
        ("1000000000000001", "jpy", "beyond"),
        ("9" * 5000, "jpy", "beyond"),
        (Decimal("-1E+999999"), "usd", "beyond"),
        (Decimal("NaN"), "usd", "NaN is not an amount"),
        (Decimal("sNaN"), "usd", "is not an amount"),
        (Decimal("-Infinity"), "usd", "-Infinity is not an amount"),
        ("NaN", "usd", "write digits and one '.'"),
        ("Infinity", "usd", "write digits"),
        ("1e3", "usd", "write digits"),
        ("1,234.50", "usd", "write digits"),
        ("12,50", "usd", "write digits"),
        ("1_000", "usd", "write digits"),
        ("1 000", "usd", "write digits"),
        ("$12", "usd", "write digits"),
        (".5", "usd", "write digits"),
        ("5.", "usd", "write digits"),
        ("1.2.3", "usd", "write digits"),
        ("--1", "usd", "write digits"),
        ("", "usd", "write digits"),
        (" 12", "usd", "write digits"),
        ("12\n", "usd", "write digits"),
        ("١٢", "usd", "write digits"),
        ("x" * 5000, "usd", "write digits"),
        ("12", "USD", "not a currency"),
    ],
)
def test_it_refuses_what_it_cannot_hold_exactly(
    amount: str | Decimal, currency: str, sentence: str
) -> None:
    """What is not representable is refused with a short sentence, and never rounded."""
    with pytest.raises(ValueError, match=re.escape(sentence)) as refusal:
        to_minor(amount, currency)

    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("number", [12.5, 12])
def test_it_takes_no_binary_number(number: object) -> None:
    """A float or a bare int has no place here: nobody can tell major from minor units."""
    with pytest.raises(TypeError):
        to_minor(number, "usd")  # type: ignore[arg-type]


@given(steps=st.integers(-(10**11), 10**11), currency=currencies)
def test_it_comes_back_from_major_units_as_it_went(steps: int, currency: str) -> None:
    """Minor to major to minor changes nothing, as a Decimal and as text."""
    minor = steps * step_of(currency)

    assert to_minor(to_major(minor, currency), currency) == minor
    assert to_minor(format_amount(minor, currency).split()[0], currency) == minor


@given(value=st.decimals(), currency=currencies)
def test_it_is_exact_or_refuses(value: Decimal, currency: str) -> None:
    """For any Decimal at all the answer equals the question, or is a ValueError."""
    try:
        minor = to_minor(value, currency)
    except ValueError:
        return

    assert to_major(minor, currency) == value
    assert minor % step_of(currency) == 0


def test_it_does_not_depend_on_the_decimal_context() -> None:
    """A coarse decimal context elsewhere in the program can't round our money."""
    with localcontext(prec=3):
        assert to_major(123_456_789, "usd").as_tuple() == Decimal("1234567.89").as_tuple()


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "usd", "12.50 USD"),
        (500, "jpy", "500 JPY"),
        (1230, "kwd", "1.230 KWD"),
        (500, "isk", "5.00 ISK"),
        (-5, "eur", "-0.05 EUR"),
        (0, "usd", "0.00 USD"),
        (10**15, "usd", "10000000000000.00 USD"),
    ],
)
def test_it_writes_an_amount_plainly(minor: int, currency: str, text: str) -> None:
    """The text has every decimal of the currency, no separators and no exponent."""
    assert format_amount(minor, currency) == text


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, [1, 1, 1], (34, 33, 33)),
        (-100, [1, 1, 1], (-34, -33, -33)),
        (2, [1, 1, 1], (1, 1, 0)),
        (1, [0, 5, 5], (0, 1, 0)),
        (10, [1, 2, 7], (1, 2, 7)),
        (5, [1, 2, 3], (1, 2, 2)),
        (1, [1, 3], (0, 1)),
        (0, [3, 4], (0, 0)),
        (0, [0, 0], (0, 0)),
        (0, [], ()),
    ],
)
def test_it_splits_a_total_by_largest_remainder(
    total: int, weights: list[int], shares: tuple[int, ...]
) -> None:
    """The units that division leaves over go to the largest remainders, the earlier first."""
    assert distribute(total, weights) == shares


@pytest.mark.parametrize(
    ("total", "weights", "sentence"),
    [
        (1, [0, 0], "every weight is zero"),
        (-1, [], "every weight is zero"),
        (1, [2, -1], "negative"),
    ],
)
def test_it_does_not_split_over_nothing(total: int, weights: list[int], sentence: str) -> None:
    """Money never vanishes into weights that can't hold it."""
    with pytest.raises(ValueError, match=sentence):
        distribute(total, weights)


@given(total=totals, weights=weights_in_lists)
def test_it_loses_no_unit_and_is_fair(total: int, weights: list[int]) -> None:
    """The shares add up exactly, each is within one unit of its proportion, zero gets nothing."""
    assume(any(weights))

    shares = distribute(total, weights)

    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)
        assert weight or not share


@given(total=totals, weights=weights_in_lists)
def test_it_splits_a_negative_total_as_its_positive_twin(total: int, weights: list[int]) -> None:
    """A refund is split exactly as the payment was."""
    assume(any(weights))

    assert distribute(-total, weights) == tuple(-share for share in distribute(total, weights))


@given(total=st.integers(0, 10**12), weights=weights_in_lists)
def test_it_treats_equal_weights_alike(total: int, weights: list[int]) -> None:
    """Equal weights differ by one unit at most, and the earlier one has it."""
    assume(any(weights))

    shares = distribute(total, weights)

    for weight in set(weights):
        alike = [share for share, other in zip(shares, weights, strict=True) if other == weight]
        assert alike == sorted(alike, reverse=True)
        assert alike[0] - alike[-1] <= 1


@given(total=totals, weights=weights_in_lists, data=st.data())
def test_it_cares_for_order_only_in_a_tie(
    total: int, weights: list[int], data: st.DataObject
) -> None:
    """Where no two remainders are equal, reordering the weights only reorders the shares."""
    assume(any(weights))
    remainders = [abs(total) * weight % sum(weights) for weight in weights]
    assume(len(set(remainders)) == len(remainders))
    order = data.draw(st.permutations(range(len(weights))))

    shares = distribute(total, weights)
    reordered = distribute(total, [weights[index] for index in order])

    assert reordered == tuple(shares[index] for index in order)
