"""Which pages may read our answers?

A page of the app may come from another origin than the webhook; those in `[push] cors_origins` may ask, every other page gets
an answer that its browser keeps from it. Who asks is told by the token alone: no cookie plays a part.
https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

# How long a browser may remember the answer to its question; it asks again soon after the settings have changed.
_REMEMBERED_S: Final = "600"


def shared_with(request: Request, origins: Collection[str]) -> Mapping[str, str]:
    """Return the headers that let the asking page read the answer, if it may."""
    origin = request.headers.get("origin", "")
    return {"Vary": "Origin"} | (
        {"Access-Control-Allow-Origin": origin} if origin in origins else {}
    )


def answer_preflight(request: Request, origins: Collection[str]) -> Response:
    """Answer a browser's question whether a page may subscribe and unsubscribe."""
    headers = shared_with(request, origins)
    if "Access-Control-Allow-Origin" not in headers:
        return PlainTextResponse("this origin is not in [push] cors_origins", 403, headers)
    allowed = {
        "Access-Control-Allow-Methods": "POST, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": _REMEMBERED_S,
    }
    return Response(status_code=204, headers={**headers, **allowed})
