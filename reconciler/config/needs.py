"""Whether the settings hold all that a command needs before it may start."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from reconciler.config.problems import SettingsError
from reconciler.config.settings import Settings

Need = Literal["mode", "webhook_secret", "api_key", "push", "push_secret"]

PUSH_SECRET_MIN_BYTES: Final = 32
"""What a secret of HMAC with SHA-256 has at least. https://www.rfc-editor.org/rfc/rfc7518#section-3.2"""

# Stripe's own are much longer; this only keeps out what cannot be one.
_WEBHOOK_SECRET = re.compile(r"whsec_[!-~]{11,}")
_API_KEY = re.compile(r"[sr]k_(test|live)_[!-~]+")


def require(settings: Settings, *needs: Need) -> None:
    """Raise SettingsError with everything that is missing or wrong among the needs of a command."""
    problems = [problem for need in needs for problem in _CHECKS[need](settings)]
    if problems:
        raise SettingsError(problems)


def _mode_problems(settings: Settings) -> Iterator[str]:
    if settings.stripe.mode is None:
        yield '[stripe] mode: is not set; write mode = "test" or mode = "live" in config.toml'


def _webhook_secret_problems(settings: Settings) -> Iterator[str]:
    secrets = settings.secrets.stripe_webhook_secret
    if not secrets:
        yield (
            "STRIPE_WEBHOOK_SECRET: is empty or not set; it is the endpoint's signing secret (whsec_...), "
            "in the Stripe Dashboard under Developers, Webhooks, your endpoint"
        )
    for number, secret in enumerate(secrets, start=1):
        if not _WEBHOOK_SECRET.fullmatch(secret.get_secret_value()):
            yield (
                f"STRIPE_WEBHOOK_SECRET: secret {number} of {len(secrets)} is no signing secret; "
                "it begins with whsec_, has more than 10 characters after that, and no blanks"
            )


def _api_key_problems(settings: Settings) -> Iterator[str]:
    secret, mode = settings.secrets.stripe_api_key, settings.stripe.mode
    if secret is None:
        yield (
            "STRIPE_API_KEY: is empty or not set; make a restricted key (rk_...) with read rights, "
            "in the Stripe Dashboard under Developers, API keys"
        )
        return
    key = _API_KEY.fullmatch(secret.get_secret_value())
    if key is None:
        yield "STRIPE_API_KEY: must begin with rk_test_, rk_live_, sk_test_ or sk_live_"
    elif mode is not None and key[1] != mode:
        yield (
            f"STRIPE_API_KEY: is a {key[1]} key, but [stripe] mode is {mode}; "
            f'use a {mode} key, or set mode = "{key[1]}"'
        )


def missing_for_push(settings: Settings) -> tuple[str, ...]:
    """What browsers can't subscribe without, by the name under which it is set; with nothing missing, push is on."""
    return (
        *missing_for_sending(settings),
        *_unset(PUSH_TOKEN_SECRET=settings.secrets.push_token_secret),
    )


def missing_for_sending(settings: Settings) -> tuple[str, ...]:
    """What no notification is sent without, by the name under which it is set."""
    key = _unset(VAPID_PRIVATE_KEY=settings.secrets.vapid_private_key)
    return key if settings.push.subject else ("[push] subject", *key)


def _unset(**secrets: object) -> tuple[str, ...]:
    return tuple(name for name, value in secrets.items() if value is None)


def _push_problems(settings: Settings) -> Iterator[str]:
    for name in missing_for_sending(settings):
        yield f"{name}: is empty or not set; {_PUSH_MENDS[name]}"


def _push_secret_problems(settings: Settings) -> Iterator[str]:
    """A secret is needed only where browsers subscribe, but a weak one is refused: whoever guesses it is any user."""
    secret = settings.secrets.push_token_secret
    if secret is not None and len(secret.get_secret_value().encode()) < PUSH_SECRET_MIN_BYTES:
        yield (
            f"PUSH_TOKEN_SECRET: is shorter than {PUSH_SECRET_MIN_BYTES} bytes;"
            " make one with `openssl rand -base64 48`, and give it to your app too"
        )


_PUSH_MENDS: Mapping[str, str] = {
    "[push] subject": 'write subject = "mailto:you@example.com", or an https:// address, in config.toml',
    "VAPID_PRIVATE_KEY": "`reconciler push keys` makes one",
}

_CHECKS: Mapping[Need, Callable[[Settings], Iterator[str]]] = {
    "mode": _mode_problems,
    "webhook_secret": _webhook_secret_problems,
    "api_key": _api_key_problems,
    "push": _push_problems,
    "push_secret": _push_secret_problems,
}
