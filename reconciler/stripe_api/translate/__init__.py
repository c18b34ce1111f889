"""What does one Stripe JSON object say, in our words?

The only place where Stripe's field names appear. Shapes of every API version since 2019-05-16 are read, because an event
keeps the shape of the version that it was made in (https://docs.stripe.com/api/events/list).
"""

from reconciler.stripe_api.translate.events import EVENT_TYPES, Outcome, Translation, translate
from reconciler.stripe_api.translate.fields import Json
from reconciler.stripe_api.translate.objects import UnreadableObject, observe_object
from reconciler.stripe_api.translate.said import Fetch
from reconciler.stripe_api.translate.vocabulary import IgnoreRule, Vocabulary, parse_ignore

__all__ = [
    "EVENT_TYPES",
    "Fetch",
    "IgnoreRule",
    "Json",
    "Outcome",
    "Translation",
    "UnreadableObject",
    "Vocabulary",
    "observe_object",
    "parse_ignore",
    "translate",
]
