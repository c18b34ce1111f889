"""Which words of its own does this installation use: where invoices are named, and which payments are none of ours?

A metadata key names an invoice. An ignore rule marks a payment as foreign; there are four, and each compares exactly:
`metadata.KEY`, `metadata.KEY=VALUE`, `customer=ID`, `application=ID`.
"""

from dataclasses import dataclass
from functools import cache

from reconciler.core.observation import Reference, ReferenceKind
from reconciler.stripe_api.envelope import sanitise
from reconciler.stripe_api.translate.fields import Json, link, metadata

STRIPE_INVOICE = "stripe_invoice"

# Stripe's own limit for a metadata value: https://docs.stripe.com/api/metadata
VALUE_MAX_CHARS = 500

_METADATA = "metadata."


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The metadata keys that name an invoice, and the ignore rules. Raises ValueError for a rule that is none."""

    metadata_keys: tuple[str, ...] = ("invoice_id",)
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.ignore:
            parse_ignore(rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """One rule: the field that it looks at, a metadata key where that field is `metadata`, None for "any value"."""

    field: str
    key: str = ""
    value: str | None = None


@cache
def parse_ignore(text: str) -> IgnoreRule:
    """Return the rule that a text stands for, or raise ValueError with a sentence for the person who wrote it."""
    left, equals, right = text.partition("=")
    value = right if equals else None
    if left.startswith(_METADATA) and left != _METADATA and value != "":
        return IgnoreRule(field="metadata", key=left.removeprefix(_METADATA), value=value)
    if left in {"customer", "application"} and value:
        return IgnoreRule(field=left, value=value)
    raise ValueError(
        f"{text!r} is not an ignore rule: "
        "write metadata.KEY, metadata.KEY=VALUE, customer=ID or application=ID"
    )


def foreign_reasons(obj: Json, vocabulary: Vocabulary) -> frozenset[str]:
    """Return why a PaymentIntent or charge is none of our business; empty where it is.

    Before 2025-03-31 both named the Stripe invoice that they pay:
    https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
    """
    ignored = {f"ignored:{text}" for text in vocabulary.ignore if _matches(parse_ignore(text), obj)}
    return frozenset(ignored | {STRIPE_INVOICE} if link(obj, "invoice") else ignored)


def _matches(rule: IgnoreRule, obj: Json) -> bool:
    if rule.field != "metadata":
        return link(obj, rule.field) == rule.value
    values = metadata(obj)
    return rule.key in values and rule.value in {None, values[rule.key]}


def references(kind: ReferenceKind, *values: object) -> frozenset[Reference]:
    """Return the references that values make: exact text of 1 to 500 characters, anything else names nothing."""
    texts = [sanitise(each) for each in values if isinstance(each, str)]
    return frozenset(Reference(kind, each) for each in texts if 0 < len(each) <= VALUE_MAX_CHARS)


def metadata_references(
    obj: Json, kind: ReferenceKind, vocabulary: Vocabulary
) -> frozenset[Reference]:
    """Return the invoices that an object names in its metadata, under the configured keys only."""
    values = metadata(obj)
    return references(kind, *(values.get(key) for key in vocabulary.metadata_keys))
