"""What goes over the wire: a request, an answer, and the error that Stripe refuses a request with?

Errors have the form of https://docs.stripe.com/api/errors.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BAD_REQUEST = 400
UNAUTHORISED = 401
FORBIDDEN = 403
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: the decoded path without the query, the query as decoded pairs in their order."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    # They hold the key.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name."""
        return next((v for key, v in self.headers.items() if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. A server waits `stall_s` before it sends it, and breaks off in the body if it `is_cut`.

    It waits `drip_s` after each byte of the body: no client is ever kept waiting long, and the end never comes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    stall_s: float = 0.0
    is_cut: bool = False
    drip_s: float = 0.0

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Refusal(Exception):  # noqa: N818 - it names what the request gets
    """A request is refused with one of Stripe's errors."""

    def __init__(
        self,
        message: str,
        *,
        status: int = BAD_REQUEST,
        code: str | None = None,
        param: str | None = None,
        type_: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        known = {"code": code, "message": message, "param": param, "type": type_}
        self.error = {key: value for key, value in known.items() if value is not None}


def encoded(content: object) -> bytes:
    """JSON as Stripe writes it, with two spaces of indentation."""
    return json.dumps(content, indent=2).encode()
