"""Which user of the app sends this request?

The app signs a short-lived JWT for the user who is signed in; nothing else in a request says who it is.
https://www.rfc-editor.org/rfc/rfc7519, https://www.rfc-editor.org/rfc/rfc6750
"""

from collections.abc import Sequence
from typing import Final

import jwt

# The only algorithm: a token that names another one, or none, is refused whatever it is signed with.
_ALGORITHMS: Final = ("HS256",)
_LEEWAY_S: Final = 30
_TOKEN_MAX_BYTES: Final = 4096
_USER_ID_MAX_LENGTH: Final = 200


class BadToken(Exception):  # noqa: N818 - it names what came in, not a mistake of ours
    """The request proves no user; `reason` is for the log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def user_of(authorization: Sequence[str], secret: str) -> str:
    """Return the user id of the token in the `Authorization` headers of a request; raise BadToken."""
    if len(authorization) != 1:
        raise BadToken("token_missing" if not authorization else "token_repeated")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BadToken("token_missing")
    if len(token) > _TOKEN_MAX_BYTES:
        raise BadToken("token_too_long")
    try:
        claims = jwt.decode(
            token.strip(),
            secret,
            algorithms=list(_ALGORITHMS),
            leeway=_LEEWAY_S,
            options={"require": ["exp", "sub"]},
        )
    except Exception as error:  # noqa: BLE001 - whatever a stranger's token does to the library, it is no token
        raise BadToken(type(error).__name__) from None
    return _user_id(claims["sub"])


def _user_id(sub: object) -> str:
    # An id that is not printable is none of an app's, and PostgreSQL could not store some of them.
    is_id = isinstance(sub, str) and 0 < len(sub) <= _USER_ID_MAX_LENGTH and sub.isprintable()
    if not is_id:
        raise BadToken("sub_is_no_user_id")
    return str(sub)
