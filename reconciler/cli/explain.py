"""`explain INVOICE`: every event, read and decision that led to its state, in order, and the rule that decided."""

from datetime import datetime
from typing import Any, Final

from reconciler.cli.context import (
    AsJson,
    Config,
    app,
    database,
    invoice_called,
    invoices_of,
    settings_of,
)
from reconciler.cli.lateness import sentence
from reconciler.cli.output import cell, money, say, say_json, say_wrapped
from reconciler.cli.story import MEANINGS, claim_words, due_words, rule_words, story_of

_INDENT: Final = " " * len("2026-01-01 00:00:00  ")


@app.command()
def explain(invoice: str, config: Config = None, as_json: AsJson = False) -> None:
    """Tell how an invoice came to its state: what Stripe said, what was decided, and by which rule."""
    settings = settings_of(config)
    with database(settings) as db:
        source = invoices_of(settings, db)
        with db.reading() as tx:
            found = invoice_called(tx, invoice, source)
            story = story_of(tx, found, source.day_zone)
    if as_json:
        say_json(story)
        return
    _tell_state(story)
    _tell_payments(story)
    _tell_steps(story)


def _tell_state(story: dict[str, Any]) -> None:
    invoice, settlement = story["invoice"], story["settlement"]
    say_wrapped(f"Invoice {invoice['number'] or invoice['id']} over {due_words(invoice)}")
    word = invoice["payment_status"]
    meaning = f"{word}: {MEANINGS.get(word, 'a word that is not ours')}" if word else "no payment"
    paid_at = invoice["paid_at"]
    say_wrapped(f"  status          {invoice['status']}")
    say_wrapped(f"  payment_status  {meaning}", "    ")
    say_wrapped(
        f"  paid at         {cell(paid_at)}{' UTC' if isinstance(paid_at, datetime) else ''}"
    )
    if settlement is not None:
        parts = (
            f"{name} {money(settlement[name], settlement['currency'])}"
            for name in ("received", "refunded", "disputed")
        )
        held = money(settlement["net"], settlement["currency"])
        say_wrapped(f"  {', '.join(parts)}; {held} is held", "    ")


def _tell_payments(story: dict[str, Any]) -> None:
    for row in story["allocations"]:
        amount = money(row["amount"], row["currency"])
        words = f"{row['payment_id']} ({row['status']}) pays {amount}: {rule_words(row)}."
        say_wrapped(f"  {words}", "    ")
    for told in story["first_told"]:
        say_wrapped(f"  {sentence(told)}", "    ")
    for row in story["claims"]:
        say_wrapped(f"  {row['holder_id']} {claim_words(row)}.", "    ")


def _tell_steps(story: dict[str, Any]) -> None:
    changed = True
    for step in story["steps"]:
        if changed or step["changes"]:
            say()
        changed = bool(step["changes"])
        first, *others = step["causes"] or ["nothing was said about it"]
        say_wrapped(f"{cell(step['at'])}  {first}", _INDENT)
        for each in others:
            say_wrapped(f"{_INDENT}{each}", _INDENT)
        for each in step["changes"]:
            say_wrapped(f"{_INDENT}-> {each}", f"{_INDENT}   ")
