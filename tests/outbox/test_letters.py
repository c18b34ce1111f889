"""Does a message say the right thing in both languages, harmlessly, and does it always fit?"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.returned import OF_DISPUTES
from reconciler.db.deliveries import Due
from reconciler.language import Language, Phrase
from reconciler.outbox import Terms
from reconciler.outbox.letters import letters, page_of, tag_of
from reconciler.outbox.wording import TITLES, body, title
from reconciler.push.sending import PAYLOAD_MAX_BYTES
from tests.core.builders import NOON
from tests.outbox.post import KEY, Got

TERMS = Terms(vapid_key=KEY)
APP = "https://app.example.com/invoices/{id}?n={number}"
NARROW, NBSP = "\u202f", "\u00a0"
DUE = Due(
    id=1,
    notification_id=1,
    subscription_id=1,
    attempts=0,
    milestone="invoice_paid:i1",
    user_id="ann",
    kind="invoice_paid",
    invoice_id="i1",
    number="INV-1",
    amount=123_456,
    currency="eur",
    stripe_at=NOON,
    endpoint="https://push.example.com/a",
    p256dh="p",
    auth="a",
    vapid_key=KEY,
    locale="en",
    browser="active",
)


def _first(due: Due, terms: Terms = TERMS) -> Got:
    return Got("", next(letters(due, terms, NOON)))


KINDS = {
    "invoice_paid": ("Payment received", "Paiement reçu"),
    "payment_failed": ("Payment failed", "Échec du paiement"),
    "refund_done": ("Refund made", "Remboursement effectué"),
    "refund_failed": ("Refund failed", "Échec du remboursement"),
    "dispute_opened": ("Payment disputed", "Paiement contesté"),
    "dispute_won": ("Dispute won", "Litige gagné"),
    "dispute_lost": ("Dispute lost", "Litige perdu"),
    "exceptions_open": ("Payments need a person", "Paiements à vérifier"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_each_thing_in_both_languages(kind: str) -> None:
    """Every kind has its words, and an amount as each language writes it."""
    said = [_first(replace(DUE, kind=kind, locale=each)).said for each in ("en", "fr", "tlh")]

    assert tuple(each["title"] for each in said) == (*KINDS[kind], KINDS[kind][0])
    if kind == "exceptions_open":
        assert [each["body"] for each in said[:2]] == [
            "Open exceptions: 123,456",
            f"Exceptions ouvertes : 123{NARROW}456",
        ]
    else:
        assert [each["body"] for each in said[:2]] == [
            "Invoice INV-1: 1,234.56 EUR",
            f"Facture INV-1 : 1{NARROW}234,56 EUR",
        ]
    assert {each["kind"] for each in said} == {kind}


def test_it_has_words_for_all_that_is_told() -> None:
    """No milestone of the core is without words."""
    assert {*KINDS} == {*TITLES}
    assert {*TITLES} >= OF_DISPUTES
    assert all(isinstance(each, Phrase) and each.en and each.fr for each in TITLES.values())
    with pytest.raises(KeyError):
        title("of_tomorrow", "en")


AMOUNTS: list[tuple[int, str, Language, str]] = [
    (500, "jpy", "en", "500 JPY"),
    (1_234_500, "jpy", "fr", f"1{NARROW}234{NARROW}500 JPY"),
    (1_230, "kwd", "en", "1.230 KWD"),
    (1_230, "kwd", "fr", "1,230 KWD"),
    (50_000, "isk", "en", "500.00 ISK"),
    (50_000, "ugx", "en", "500.00 UGX"),
    (0, "usd", "en", "0.00 USD"),
    (-1250, "usd", "en", "-12.50 USD"),
    (10**15, "usd", "en", "10,000,000,000,000.00 USD"),
    (1250, "", "en", "1,250"),
    (1250, "bitcoin", "en", "1,250 BITCOIN"),
]


@pytest.mark.parametrize(("minor", "currency", "language", "written"), AMOUNTS)
def test_it_writes_amounts_as_stripe_counts_them(
    minor: int, currency: str, language: Language, written: str
) -> None:
    """Decimals are Stripe's, marks are the language's; what is no currency is not made to look like one."""
    assert body("invoice_paid", "", minor, currency, language=language, longest=80) == written


HOSTILE = {
    "control characters": ("INV\x1b[31m-1\x00", "Invoice INV\\x1b[31m-1\\x00: 1.00 EUR"),
    "lines": ("INV-1\n\r\n  paid: 9,999 EUR", "Invoice INV-1 paid: 9,999 EUR: 1.00 EUR"),
    "marks that reorder": ("\u202e1-VNI\u202c", "Invoice \\x202e1-VNI\\x202c: 1.00 EUR"),
    "what looks like a place": ("{amount}{0}%s", "Invoice {amount}{0}%s: 1.00 EUR"),
    "markup": ("<b>&amp;", "Invoice <b>&amp;: 1.00 EUR"),
    "half a character": ("\ud800", "Invoice \\xd800: 1.00 EUR"),
    "nothing but blanks": (" \t\n", "1.00 EUR"),
    "a book": ("N" * 500, f"Invoice {'N' * 79}…: 1.00 EUR"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_makes_the_text_of_others_harmless(case: str) -> None:
    """A number that was made to deceive is shown as what it is, on one line and cut."""
    number, expected = HOSTILE[case]

    assert _first(replace(DUE, number=number, amount=100)).said["body"] == expected


@given(
    number=st.text(max_size=300) | st.text(min_size=1, max_size=4).map(lambda each: each * 600),
    invoice_id=st.text(max_size=300) | st.text(min_size=1, max_size=4).map(lambda each: each * 600),
    amount=st.integers(-(2**63), 2**63 - 1),
    kind=st.sampled_from(sorted(KINDS)),
    locale=st.sampled_from(["en", "fr"]),
)
def test_it_always_fits(number: str, invoice_id: str, amount: int, kind: str, locale: str) -> None:
    """Whatever the app calls its invoices, a message is within the bound, and each next one is shorter."""
    due = replace(
        DUE, number=number, invoice_id=invoice_id, amount=amount, kind=kind, locale=locale
    )

    found = list(letters(due, replace(TERMS, invoice_url=APP), NOON))

    sizes = [len(each.payload) for each in found]
    assert 1 <= len(found) <= 3
    assert sizes[0] <= PAYLOAD_MAX_BYTES
    assert sizes == sorted(set(sizes), reverse=True)
    assert len({each.topic for each in found}) == 1


PAGES = {
    "none": ("", {}, "/"),
    "by id": ("https://a.example/i/{id}", {"invoice_id": "i 1/ä?#"}, "https://a.example/i/i%201%2F%C3%A4%3F%23"),
    "by number": ("/i/{number}", {"number": "INV-1"}, "/i/INV-1"),
    "both": ("/i/{id}/{number}", {"invoice_id": "{number}", "number": "{id}"}, "/i/%7Bnumber%7D/%7Bid%7D"),
    "one that climbs": ("/i/{id}", {"invoice_id": ".."}, "/"),
    "no number": ("/i/{number}", {"number": ""}, "/"),
    "half a character": ("/i/{id}", {"invoice_id": "\ud800"}, "/i/%3F"),
    "of exceptions": ("/i/{id}", {"kind": "exceptions_open", "invoice_id": ""}, "/"),
}  # fmt: skip


@pytest.mark.parametrize("case", PAGES)
def test_it_leads_to_the_invoice(case: str) -> None:
    """A click opens the page of the settings with what names the invoice, encoded; else the start page."""
    template, changed, expected = PAGES[case]

    assert page_of(replace(DUE, **changed), template) == expected


SAME = [
    ({"kind": "payment_failed", "milestone": "payment_failed:pi_1:ch_1"}, {}),
    ({"milestone": "invoice_paid_again:1:i1"}, {}),
    (
        {"kind": "refund_done", "milestone": "refund_done:re_1"},
        {"kind": "refund_failed", "milestone": "refund_failed:re_1", "invoice_id": "i2"},
    ),
    (
        {"kind": "dispute_opened", "milestone": "dispute_opened:dp_1"},
        {"kind": "dispute_lost", "milestone": "dispute_lost:dp_1"},
    ),
    (
        {"kind": "exceptions_open", "milestone": "exceptions_open:1"},
        {"kind": "exceptions_open", "milestone": "exceptions_open:2"},
    ),
]
OTHER = [
    ({"user_id": "bob"}, {}),
    ({"invoice_id": "i2"}, {}),
    ({"user_id": 'n", "x', "invoice_id": "i1"}, {"user_id": "x", "invoice_id": 'i1", "n'}),
    ({"kind": "refund_done", "milestone": "refund_done:x"}, {"kind": "dispute_won", "milestone": "dispute_won:x"}),
    ({"kind": "refund_done", "milestone": "refund_done:re_1"}, {"kind": "refund_done", "milestone": "refund_done:re_2"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "two", "same"), [(*p, True) for p in SAME] + [(*p, False) for p in OTHER]
)
def test_it_replaces_what_is_news_of_the_same(
    one: dict[str, str], two: dict[str, str], same: bool
) -> None:
    """The later news of an invoice, refund or dispute replaces the earlier one of the same user, and nothing else."""
    first, second = (tag_of(replace(DUE, **each)) for each in (one, two))

    assert (first == second) is same
    assert len(first) == 32


LIVES = [(0, 86_400, 3600, 3600), (3000, 86_400, 3600, 600), (0, 60, 3600, 60), (3600, 60, 3600, 1)]


@pytest.mark.parametrize(("age_s", "ttl_s", "max_age_s", "left_s"), LIVES)
def test_it_lives_no_longer_than_it_is_news(
    age_s: int, ttl_s: int, max_age_s: int, left_s: int
) -> None:
    """A push service keeps a message until its expiry at most."""
    terms = replace(TERMS, ttl_s=ttl_s, max_age_s=max_age_s)
    due = replace(DUE, stripe_at=NOON - timedelta(seconds=age_s))

    assert _first(due, terms).message.ttl_s == left_s


def test_it_hurries_where_somebody_must_act() -> None:
    """Failed payments and disputes wake a sleeping device; good news waits."""
    urgent = {kind for kind in KINDS if _first(replace(DUE, kind=kind)).message.urgency == "high"}

    assert urgent == {"payment_failed", *OF_DISPUTES}
