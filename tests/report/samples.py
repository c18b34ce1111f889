"""A believable report: three days in March, four currencies, hostile names, and the ways in which a run ends early."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from reconciler.core.drift import Drift
from reconciler.core.report import (
    Discrepancy,
    LedgerDay,
    ListCount,
    Outcome,
    PaymentLine,
    PayoutLine,
    Report,
    ReturnLine,
    RunHead,
    RunState,
    SalesDay,
    SignedChange,
)

FIRST = date(2026, 3, 1)
LAST = date(2026, 3, 3)
DAYS = tuple(FIRST + timedelta(days=n) for n in range(3))
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = datetime(2026, 4, 2, 8, 30, 5, tzinfo=UTC)

FORMULA = '=HYPERLINK("http://evil.example","pay")'
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"
RICH = "[bold red]not red[/bold red] [link=http://evil.example]x[/link]"
STEERING = "\x1b[2J\x1b]0;owned\x07 \u202ereversed\x00\ttab\r\nline"
HOSTILE = (
    FORMULA,
    MARKUP,
    RICH,
    STEERING,
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    'a;=1+1,"=2+2"',
    "\uff1d1+1",
    "{{ 7*7 }} {% raw %} ]]> --> \ud800",
    "http://evil.example/",
)


def head(**changes: object) -> RunHead:
    """A run of three days that went well."""
    whole = RunHead(
        id=7,
        first_day=FIRST,
        last_day=LAST,
        zone="Europe/Paris",
        is_dry=False,
        state=RunState.COMPLETE,
        by="marie",
        asked_at=ASKED,
        started_at=ASKED,
        ended_at=ASKED + timedelta(minutes=4),
        covered_from=datetime(2026, 2, 28, 23, tzinfo=UTC),
        covered_until=datetime(2026, 3, 3, 23, tzinfo=UTC),
        requests=412,
        objects=10_345,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def quiet(**changes: object) -> Report:
    """A report without a row, of a run that went well."""
    return Report(head=head(**changes), made_at=ASKED + timedelta(hours=1))


def sample(**changes: object) -> Report:
    """A report with something of everything."""
    return replace(
        quiet(**changes),
        lists=tuple(lists()),
        differences_by_kind=(
            (Drift.MISSING_HERE, Outcome.REPAIRED, 2),
            (Drift.STATUS_BEHIND, Outcome.REPAIRED, 1),
            (Drift.REFUND_UNKNOWN, Outcome.REPAIRED, 1),
            (Drift.UNMATCHED, Outcome.NEEDS_A_PERSON, len(HOSTILE)),
            (Drift.FEE_UNKNOWN, Outcome.EXPLAINED, 1),
        ),
        ledger=tuple(ledger()),
        sales=tuple(sales()),
        payouts=tuple(payouts()),
        changed_since_signed=(
            SignedChange(
                run_id=5,
                object_id="pi_3NxSigned000000000000001",
                day=date(2026, 2, 27),
                before="succeeded 10000 usd",
                after="succeeded 10000 usd, refunded 2500 usd",
                cause="refund re_3NxLate0001 of 2026-03-02",
                currency="usd",
                difference_minor=-2500,
            ),
        ),
        differences=differences,
        payments=payments,
        refunds=refunds,
        disputes=disputes,
    )


def cut_off() -> Report:
    """A run that ended early, with a hostile reason."""
    short = MIDNIGHT + timedelta(hours=9)
    return sample(
        state=RunState.CUT_OFF, error=f"Stripe did not answer {STEERING}", covered_until=short
    )


def lists() -> Iterator[ListCount]:
    """The five lists, tied out."""
    yield ListCount(name="balance_transactions", at_stripe=4_120, here=4_120)
    yield ListCount(name="payment_intents", at_stripe=4_002, here=4_002)
    yield ListCount(name="checkout_sessions", at_stripe=2_020, here=1_998, left_alone=22)
    yield ListCount(name="refunds", at_stripe=118, here=118)
    yield ListCount(name="disputes", at_stripe=7, here=7)


def ledger() -> Iterator[LedgerDay]:
    """Three currencies, of which one has an unknown balance before; each day closes with what the next one opens with."""
    for currency, scale, opening in (("usd", 100, 500_000), ("jpy", 1, None), ("kwd", 1000, 0)):
        balance = opening
        for number, day in enumerate(DAYS):
            line = LedgerDay(
                currency=currency,
                day=day,
                opening_minor=balance,
                charges_minor=12_345 * scale + number * 7 * scale,
                refunds_minor=-1_000 * scale,
                refund_failures_minor=25 * scale if number == 1 else 0,
                disputes_minor=-99 * scale if number == 2 else 0,
                fees_minor=-370 * scale - number,
                payouts_minor=-9_000 * scale,
                other_minor=-3 * number,
                closing_minor=None,
                transactions=400 + number,
            )
            balance = None if balance is None else balance + line.net_minor
            yield replace(line, closing_minor=balance, stripe_net_minor=line.net_minor)


def sales() -> Iterator[SalesDay]:
    """Two currencies in which payers paid."""
    for currency, scale in (("eur", 100), ("jpy", 1)):
        for number, day in enumerate(DAYS):
            yield SalesDay(
                currency=currency,
                day=day,
                payments=130 + number,
                received_minor=(10_000 + number) * scale,
                refunds=number,
                refunded_minor=number * 450 * scale,
                disputed_minor=99 * scale if number == 2 else 0,
            )


def payouts() -> Iterator[PayoutLine]:
    """An automatic one that ties out, and a manual one, of whose content nobody knows."""
    yield PayoutLine(
        id="po_1NxAutomatic00000000000a",
        day=DAYS[0],
        currency="usd",
        amount_minor=900_000,
        status="paid",
        arrives_on=DAYS[2],
        is_complete=True,
        payments=380,
        transactions=401,
        held_minor=900_000,
    )
    yield PayoutLine(
        id="po_1NxManual00000000000000b",
        day=DAYS[1],
        currency="jpy",
        amount_minor=9_000,
        status="in_transit",
        is_automatic=False,
    )


def differences() -> Iterator[Discrepancy]:
    """Five of the everyday ones, and one for each hostile text in every place that holds text."""
    since = MIDNIGHT + timedelta(hours=13, minutes=5)
    everyday = (
        (Drift.MISSING_HERE, Outcome.REPAIRED, "nothing", "succeeded 1250 usd", "webhook", ""),
        (Drift.MISSING_HERE, Outcome.REPAIRED, "nothing", "succeeded 500 jpy", "sweep", ""),
        (Drift.STATUS_BEHIND, Outcome.REPAIRED, "processing", "succeeded", "webhook", ""),
        (Drift.REFUND_UNKNOWN, Outcome.REPAIRED, "nothing", "succeeded 1230 kwd", "", ""),
        (
            Drift.FEE_UNKNOWN,
            Outcome.EXPLAINED,
            "nothing",
            "nothing",
            "",
            "The money is on its way.",
        ),
    )
    for number, (kind, outcome, here, there, missed_by, note) in enumerate(everyday):
        yield Discrepancy(
            kind=kind,
            subject=f"pi_3NxSample00000000000000{number}",
            payment_id=f"pi_3NxSample00000000000000{number}",
            invoice_ids=(f"INV-10{number}",),
            here=here,
            there=there,
            since=since,
            missed_by=missed_by,
            outcome=outcome,
            note=note,
        )
    for text in HOSTILE:
        yield Discrepancy(
            kind=Drift.UNMATCHED,
            subject=text,
            payment_id=text,
            invoice_ids=(text,),
            here=text,
            there=text,
            missed_by=text,
            outcome=Outcome.NEEDS_A_PERSON,
            note=text,
        )


def payments() -> Iterator[PaymentLine]:
    """Payments in three currencies, one not settled yet, and one for each hostile text."""
    for number, (currency, amount) in enumerate(
        (("usd", 1250), ("jpy", 500), ("kwd", 1230), ("eur", 999))
    ):
        settled = currency != "eur"
        yield PaymentLine(
            id=f"pi_3NxSample00000000000000{number}",
            day=DAYS[number % 3],
            status="succeeded",
            currency=currency,
            received_minor=amount,
            refunded_minor=number,
            disputed_minor=0,
            settlement_currency="usd" if settled else "",
            gross_minor=amount if settled else None,
            fee_minor=66 if settled else None,
            net_minor=amount - 66 if settled else None,
            exchange_rate="1.08512" if currency == "kwd" else "",
            invoice_ids=(f"INV-10{number}", "INV-200"),
            payout_id="po_1NxAutomatic00000000000a" if settled else "",
        )
    for text in HOSTILE:
        yield PaymentLine(
            id=text,
            day=DAYS[0],
            status=text,
            currency="usd",
            received_minor=-5,
            refunded_minor=0,
            disputed_minor=0,
            exchange_rate=text,
            invoice_ids=(text, text),
            payout_id=text,
        )


def refunds() -> Iterator[ReturnLine]:
    """A refund, and hostile reasons."""
    for number, reason in enumerate(("requested_by_customer", *HOSTILE)):
        yield ReturnLine(
            id=f"re_3NxSample{number}",
            day=DAYS[1],
            payment_id="pi_3NxSample000000000000000",
            status="succeeded",
            currency="usd",
            amount_minor=250,
            reason=reason,
        )


def disputes() -> Iterator[ReturnLine]:
    """A dispute that waits for an answer, and one that is over."""
    for number, status in enumerate(("needs_response", "lost")):
        yield ReturnLine(
            id=f"dp_1NxSample{number}",
            day=DAYS[2],
            payment_id="pi_3NxSample000000000000000",
            status=status,
            currency="kwd",
            amount_minor=99_000,
            reason="fraudulent",
            respond_by=datetime(2026, 4, 20, 21, 59, 59, tzinfo=UTC),
        )
