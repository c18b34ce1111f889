"""Whether the settings hold all that a command needs before it may start."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from reconciler.config.problems import SettingsError
from reconciler.config.settings import Settings

Need = Literal["mode", "webhook_secret", "api_key"]

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


_CHECKS: Mapping[Need, Callable[[Settings], Iterator[str]]] = {
    "mode": _mode_problems,
    "webhook_secret": _webhook_secret_problems,
    "api_key": _api_key_problems,
}
