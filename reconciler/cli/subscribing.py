"""What does `serve` need so that browsers can subscribe, and is it all there?"""

import structlog

from reconciler.cli.outbox import vapid_key_of
from reconciler.config import Settings, missing_for_push
from reconciler.db.session import Database
from reconciler.push.address import resolved
from webhook.push.endpoint import Push, PushSettings

log = structlog.get_logger(__name__)


def push_of(settings: Settings, db: Database) -> Push | None:
    """The routes of push as the settings describe them; None, and one line in the log, where something is not set."""
    key, secret = vapid_key_of(settings), settings.secrets.push_token_secret
    missing = missing_for_push(settings)
    if missing or key is None or secret is None:
        log.info("push.left_off", missing=list(missing))
        return None
    push = settings.push
    return Push(
        db,
        PushSettings(
            public_key=key.public,
            token_secret=secret.get_secret_value(),
            allowed_hosts=tuple(push.allowed_hosts),
            cors_origins=tuple(push.cors_origins),
            locale=settings.report.locale,
            # What goes to a relay goes to no host of that name.
            resolve=(lambda _: ()) if settings.push_relay else resolved,
        ),
    )
