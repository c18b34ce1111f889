"""May we send to this address, which a stranger gave us?

A browser names the address at which its push service takes messages for it, and whoever has a bearer token can name another
one. So the address is read by one narrow pattern, about which no two programs can disagree, and every address that DNS gives
for its host must be public: when it is saved, and again when we connect (docs/adr/0025).
"""

import re
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

URL_MAX_CHARACTERS: Final = 1000
_HOST_MAX_CHARACTERS: Final = 253
# More lookups than that are never under way: one that hangs can't be ended, only be left alone.
_LOOKUPS_MAX: Final = 32

Resolve: TypeAlias = Callable[[str], Iterable[str]]
"""Gives the addresses of a host as text; raises OSError if there is no answer."""

# A last label that begins with a letter: no notation of a number, such as 127.1, 0x7f.1 or 2130706433, has one.
_HOST: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.ASCII
)
# What a path and a query hold after a browser has written them; no fragment, no backslash, no blank.
_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_DOTS: Final = re.compile(r"(?:\.|%2e){1,2}", re.ASCII | re.IGNORECASE)
_SCHEME: Final = "https://"

# The registries of IANA, and one address of a cloud's own. It does not depend on what Python's version thinks of them:
# https://www.iana.org/assignments/iana-ipv4-special-registry and https://www.iana.org/assignments/iana-ipv6-special-registry
_SPECIAL_V4: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # the carrier's own, and some clouds' metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # what each machine in Azure asks about itself
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_GLOBAL_V6: Final = ip_network("2000::/3")
_SPECIAL_V6: Final = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # Teredo among them, which holds an address of IPv4
            "2001:db8::/32",
            "2002::/16",  # 6to4 holds one too
            "3fff::/20",
        ),
    )
)
_NAT64: Final = ip_network("64:ff9b::/96")
_V4_BITS: Final = 0xFFFF_FFFF


class EndpointRefused(ValueError):  # noqa: N818 - a plain answer about what was given, not our mistake
    """We never send there. `reason` is one plain sentence, and does not quote the address: that is a secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unresolved(Exception):  # noqa: N818 - it names a state of the world, not our mistake
    """DNS gave no answer in time, or none at all: ask again later. It says nothing about the address."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a push service takes messages for one browser. Whoever knows the path may send: it is a secret."""

    url: str = field(repr=False)
    host: str
    path: str = field(repr=False)

    @property
    def audience(self) -> str:
        """For whom a token is meant that goes with a message: https://www.rfc-editor.org/rfc/rfc8292#section-2."""
        return f"{_SCHEME}{self.host}"


def checked(url: str, allowed_hosts: Sequence[str]) -> Endpoint:
    """The endpoint that a URL names, its host in lower case; or EndpointRefused.

    `allowed_hosts` are names, or "*." and a name, which stands for every name below that one.
    """
    if not url.isascii() or not url.isprintable():
        raise EndpointRefused("the endpoint holds characters that no URL has")
    if len(url) > URL_MAX_CHARACTERS:
        raise EndpointRefused(f"the endpoint is longer than {URL_MAX_CHARACTERS} characters")
    if not url.lower().startswith(_SCHEME):
        raise EndpointRefused("the endpoint must begin with https://")
    authority, slash, rest = url[len(_SCHEME) :].partition("/")
    host = authority.lower().removesuffix(":443")
    if len(host) > _HOST_MAX_CHARACTERS or not _HOST.fullmatch(host):
        raise EndpointRefused(
            "the endpoint must name a host, with no user, no port but 443 and no number in place of a name"
        )
    if not _is_allowed(host, allowed_hosts):
        raise EndpointRefused("the endpoint's host is none of [push] allowed_hosts")
    path = slash + rest
    if not _PATH.fullmatch(path) or any(map(_DOTS.fullmatch, path.partition("?")[0].split("/"))):
        raise EndpointRefused("the endpoint's path is not as a browser writes it")
    return Endpoint(url=f"{_SCHEME}{host}{path}", host=host, path=path)


def _is_allowed(host: str, allowed_hosts: Sequence[str]) -> bool:
    return any(
        host.endswith(each[1:]) if each.startswith("*.") else host == each for each in allowed_hosts
    )


def system_addresses(host: str) -> tuple[str, ...]:
    """What this machine's resolver says; it has no time-out of its own."""
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def resolved(
    host: str, resolve: Resolve = system_addresses, *, timeout_s: float = 3.0
) -> tuple[str, ...]:
    """All addresses of a host, of which each is public; connect to no others.

    Raises EndpointRefused if any of them is not, and Unresolved if there is no answer.
    """
    found = _asked(host, resolve, timeout_s)
    if not found:
        raise Unresolved("the host has no address")
    if not all(map(is_public, found)):
        raise EndpointRefused("the endpoint's host has an address that is not public")
    return found


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large, whatever it is written as."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public_v4(found)
    if found in _NAT64:
        return _is_public_v4(IPv4Address(int(found) & _V4_BITS))
    return _is_public_v6(found)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in each for each in _SPECIAL_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    return not any(address in each for each in _SPECIAL_V6)


_lookups: Final = threading.BoundedSemaphore(_LOOKUPS_MAX)


def _asked(host: str, resolve: Resolve, timeout_s: float) -> tuple[str, ...]:
    """What a resolver says within the time, asked in a thread that nobody has to wait for."""
    if not _lookups.acquire(blocking=False):
        raise Unresolved("too many lookups are under way")
    found: list[tuple[str, ...]] = []
    done = threading.Event()

    def ask() -> None:
        try:
            found.append(tuple(resolve(host)))
        except (OSError, ValueError):
            pass  # No answer, or a name that it can't ask for: `found` stays empty.
        finally:
            _lookups.release()
            done.set()

    try:
        threading.Thread(target=ask, name="lookup", daemon=True).start()
    except RuntimeError:
        # No thread is to be had at the moment: nobody would ever give this place back.
        _lookups.release()
        raise Unresolved("too many lookups are under way") from None
    if not done.wait(timeout_s) or not found:
        raise Unresolved("DNS gave no answer")
    return found[0]
