"""Whether exactly the bytes that Stripe signed just now are accepted, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from reconciler.stripe_api.signature import BadSignature, SignatureFault, verify
from tests.webhook.signing import SECRET, sign, v1

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
BODY = b'{"id": "evt_1"}'
GOOD = v1(BODY, SECRET, NOW)
OTHER_SECRET = "whsec_fedcba9876543210"


def fault(body: bytes, header: str | None, *secrets: str) -> SignatureFault | None:
    """Return why a signature is not accepted now; None if it is."""
    try:
        verify(body, header, secrets or (SECRET,), now=NOW, tolerance_s=300)
    except BadSignature as refused:
        return refused.reason
    return None


@pytest.mark.parametrize(
    "body",
    [b"", BODY, b'{ "a" :\r\n\t1 }\n\n', '{"name":"Zoë"}'.encode(), b"\x00", b"\xef\xbb\xbf{}"],
)
def test_it_accepts_exactly_the_bytes_that_were_signed(body: bytes) -> None:
    """Odd white space and escapes are part of what is signed, and one more byte breaks it."""
    header = sign(body, SECRET, NOW)

    assert fault(body, header) is None
    assert fault(body + b" ", header) is SignatureFault.MISMATCH


def test_it_agrees_with_the_library_on_how_to_sign() -> None:
    """The HMAC of these tests is the one that Stripe's own library makes."""
    theirs = stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, NOW_S)

    assert theirs == sign(BODY, SECRET, NOW)


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (0, None),
        (300, None),
        (301, SignatureFault.STALE),
        (86_400, SignatureFault.STALE),
        (-300, None),
        (-301, SignatureFault.FUTURE),
        (-86_400, SignatureFault.FUTURE),
    ],
)
def test_it_limits_the_age_in_both_directions(age_s: int, expected: SignatureFault | None) -> None:
    """A signature counts within the tolerance of now, boundaries included; the library looks back only."""
    header = sign(BODY, SECRET, NOW - timedelta(seconds=age_s))

    assert fault(BODY, header) is expected


def test_it_calls_only_a_true_signature_stale() -> None:
    """`stale` says that Stripe signed it, so that it points to a wrong clock and not to a forger."""
    header = sign(BODY, OTHER_SECRET, NOW - timedelta(days=1))

    assert fault(BODY, header) is SignatureFault.MISMATCH


@pytest.mark.parametrize("signed_with", [SECRET, OTHER_SECRET])
@pytest.mark.parametrize(
    ("secrets", "accepted"),
    [
        ((SECRET, OTHER_SECRET), {SECRET, OTHER_SECRET}),
        ((SECRET,), {SECRET}),
        ((OTHER_SECRET,), {OTHER_SECRET}),
    ],
)
def test_it_accepts_each_of_several_secrets(
    signed_with: str, secrets: tuple[str, ...], accepted: set[str]
) -> None:
    """While a secret is being replaced both count; the old one is worthless once it is removed."""
    is_accepted = fault(BODY, sign(BODY, signed_with, NOW), *secrets) is None

    assert is_accepted == (signed_with in accepted)


def test_it_accepts_one_good_signature_among_several() -> None:
    """Stripe signs with the old and the new secret at once while they are exchanged."""
    header = f"t={NOW_S},v1={'0' * 64},v0=abc,v1={GOOD}"

    assert fault(BODY, header) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, SignatureFault.MISSING),
        ("", SignatureFault.MISSING),
        ("garbage", SignatureFault.MALFORMED),
        (",,,", SignatureFault.MALFORMED),
        (f"v1={GOOD}", SignatureFault.MALFORMED),
        (f"t={NOW_S}", SignatureFault.MALFORMED),
        (f"t={NOW_S},v1=", SignatureFault.MALFORMED),
        (f"t={NOW_S},v0={GOOD}", SignatureFault.MALFORMED),
        (f"t={NOW_S},t={NOW_S},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t,t={NOW_S},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t=,v1={GOOD}", SignatureFault.MALFORMED),
        (f"t=-1,v1={GOOD}", SignatureFault.MALFORMED),
        (f"t=+{NOW_S},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t= {NOW_S},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t={NOW_S}.0,v1={GOOD}", SignatureFault.MALFORMED),
        (f"t=1_7{NOW_S},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t={NOW_S}=1,v1={GOOD}", SignatureFault.MALFORMED),
        (f"t={'9' * 13},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t={'9' * 4000},v1={GOOD}", SignatureFault.MALFORMED),
        (f"t=١٢٣,v1={GOOD}", SignatureFault.MALFORMED),
        (f"t={NOW_S},v1={GOOD},v1=é", SignatureFault.MALFORMED),
        (f"t={NOW_S},v1={GOOD}" + ",v1=0" * 100_000, SignatureFault.MALFORMED),
        (f"t={NOW_S},v1={GOOD}," + "x" * 4096, SignatureFault.MALFORMED),
        (f"t={NOW_S},v1={GOOD[:-1]}", SignatureFault.MISMATCH),
        (f"t={NOW_S},v1={GOOD.upper()}", SignatureFault.MISMATCH),
        (f"t={NOW_S + 1},v1={GOOD}", SignatureFault.MISMATCH),
    ],
)
def test_it_names_what_is_wrong_with_a_header(header: str | None, expected: SignatureFault) -> None:
    """Every header that is not of Stripe's form is refused for a reason, whatever else is in it."""
    assert fault(BODY, header) is expected


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"id": "\xed\xa0\x80"}'])
def test_it_refuses_bytes_that_are_no_text(body: bytes) -> None:
    """Bytes that are not UTF-8 are refused like any other, even if they are signed well."""
    assert fault(body, sign(body, SECRET, NOW)) is SignatureFault.MALFORMED


@given(body=st.binary(max_size=60), header=st.text(max_size=80))
def test_it_raises_nothing_but_bad_signature(body: bytes, header: str) -> None:
    """No header and no body brings out another error, and none of them is accepted."""
    assert fault(body, header) is not None
    assert fault(body, f"t={NOW_S},v1={header}") is not None


@pytest.mark.parametrize("secrets", [(), ("",), (" \t",), ("\u3000",), (SECRET, ""), SECRET])
def test_it_refuses_to_work_with_secrets_that_protect_nothing(secrets: tuple[str, ...]) -> None:
    """No secret, a blank one, or one string read as many of one character: anyone could sign with those."""
    with pytest.raises(ValueError, match="secret"):
        verify(BODY, sign(BODY, "", NOW), secrets, now=NOW, tolerance_s=300)


def test_it_keeps_what_came_in_out_of_its_error() -> None:
    """The error may be logged, so neither it nor its causes hold the body or the header."""
    with pytest.raises(BadSignature) as refused:
        verify(BODY + b"\xff", sign(BODY, SECRET, NOW), [SECRET], now=NOW, tolerance_s=300)

    assert refused.value.args == ("signature_malformed",)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_it_switches_the_telemetry_of_the_library_off() -> None:
    """The library writes no file below the home directory once our package is imported."""
    assert stripe.enable_telemetry is False
