"""How does the real Stripe library reach the simulated Stripe without a socket?"""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe
from requests.structures import CaseInsensitiveDict

from reconciler.simulator.api import Api, Request
from tests.stripe_api.answering import Body


class InProcess(stripe.HTTPClient):
    """Turns each request of the library's into a question to an Api, and keeps it in `asked`.

    `meanwhile` is called before each answer: there a test lets something happen between two requests. An answer that stalls
    or is cut off is a connection that broke.
    """

    name = "in_process"

    def __init__(self, api: Api) -> None:
        super().__init__()
        self.api = api
        self.asked: list[Request] = []
        self.meanwhile: Callable[[Request], None] = lambda _: None

    def request_stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **_: Any,
    ) -> tuple[Body, int, Mapping[str, str]]:
        """Return the body, the status and the headers of the answer."""
        if post_data is not None:
            raise AssertionError("only reads are allowed")
        parts = urlsplit(url)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        asked = Request(method.upper(), parts.path, query, dict(headers or {}))
        self.asked.append(asked)
        self.meanwhile(asked)
        answer = self.api.answer(asked)
        if answer.stall_s or answer.is_cut:
            raise stripe.APIConnectionError("the connection broke")
        return Body(answer.body), answer.status, CaseInsensitiveDict(answer.headers)


class Unhurried(threading.Event):
    """A stop signal on which no time is spent: whoever waits for it goes on at once."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as an event has it
        """Return whether it is set."""
        return self.is_set()
