"""What does the simulated Stripe answer to a request?

Read-only: objects change by stories, never over HTTP. https://docs.stripe.com/api
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Final

from reconciler.simulator.api.balance import balance
from reconciler.simulator.api.broken import damaged, instead
from reconciler.simulator.api.keys import Key, key_of
from reconciler.simulator.api.lists import aged_out, cursor_of, expand, listed, page
from reconciler.simulator.api.parameters import CURSORS, Asked, asked_of_list, asked_of_one
from reconciler.simulator.api.resources import BY_PATH, Resource
from reconciler.simulator.api.shelves import Shelves
from reconciler.simulator.api.wire import NOT_FOUND, Answer, Refusal, Request, encoded
from reconciler.simulator.faults import Fault, FaultKind, Faults
from reconciler.simulator.shapes import VERSIONS
from reconciler.simulator.world import NEWEST_VERSION, Json, World

_PATH: Final = re.compile(r"/v1/(checkout/sessions|[a-z_]+)(?:/([^/]+))?")


class Api:
    """The HTTP API of one simulated account. Safe to use from several threads."""

    def __init__(self, world: World, keys: Sequence[Key], faults: Faults | None = None) -> None:
        self._world = world
        self._keys = tuple(keys)
        self._faults = faults or Faults()
        self._count = itertools.count(1)

    def answer(self, request: Request) -> Answer:
        """Answer a request; whatever is wrong with it, or with us by a fault, is an answer too."""
        headers = self._headers(request)
        has_cursor = any(name in CURSORS for name, _ in request.query)
        fault = self._faults.next_for(request.path, has_cursor=has_cursor)
        broken = instead(fault, headers) if fault else None
        if broken is not None:
            return broken
        try:
            with self._world.lock:
                answer = Answer(200, headers, encoded(self._content(request, fault)))
        except Refusal as refused:
            answer = Answer(refused.status, headers, encoded({"error": refused.error}))
        answer = replace(answer, stall_s=self._faults.latency_s())
        return damaged(fault, answer) if fault else answer

    def _headers(self, request: Request) -> Mapping[str, str]:
        """What stands on every answer; its date is that of the world, by which a client can tell the time there."""
        return {
            "Content-Type": "application/json",
            "Date": formatdate(self._world.now_s, usegmt=True),
            "Request-Id": f"req_{next(self._count):014d}",
            "Stripe-Version": request.header("stripe-version") or NEWEST_VERSION,
        }

    def _content(self, request: Request, fault: Fault | None) -> Json:
        key = key_of(request, self._keys)
        resource, id_ = _route(request)
        key.require(resource.right, self._world.account_id)
        shelves = Shelves(self._world, key, _version(request), self._replica_ms())
        if resource.kind == "account" and id_ in {None, self._world.account_id}:
            return self._account(shelves)
        if resource.kind == "balance" and id_ is None:
            asked_of_one(request.query)
            return balance(self._world)
        if id_ is not None:
            return _single(resource, id_, request, shelves)
        asked = asked_of_list(request.query, resource)
        return _stuck(resource, asked, shelves, fault) or page(resource, asked, shelves)

    def _account(self, shelves: Shelves) -> Json:
        """The account of the key: as a story wrote it, or with no more than its id."""
        found = self._world.find(self._world.account_id)
        return shelves.shown(found or {"id": self._world.account_id, "object": "account"})

    def _replica_ms(self) -> int | None:
        stale_ms = self._faults.stale_ms()
        return self._world.clock.now_ms() - stale_ms if stale_ms else None


def _route(request: Request) -> tuple[Resource, str | None]:
    match = _PATH.fullmatch(request.path)
    resource = BY_PATH.get(match[1]) if match else None
    if match is None or resource is None or request.method != "GET":
        raise Refusal(
            f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs or we can "
            "help at https://support.stripe.com/.",
            status=NOT_FOUND,
        )
    return resource, match[2]


def _version(request: Request) -> str:
    version = request.header("stripe-version") or NEWEST_VERSION
    if version not in VERSIONS:
        raise Refusal(f"Invalid Stripe API version: {version}")
    return version


def _single(resource: Resource, id_: str, request: Request, shelves: Shelves) -> Json:
    paths = asked_of_one(request.query)
    found = shelves.one(resource, id_)
    expand(resource, found, paths, shelves)
    return found


def _stuck(resource: Resource, asked: Asked, shelves: Shelves, fault: Fault | None) -> Json | None:
    """A page that does not lead on, if that is the fault."""
    kind = fault.kind if fault else None
    if kind is FaultKind.EMPTY_PAGE:
        return listed(resource, [], asked, shelves, has_more=True)
    cursor = cursor_of(asked)
    if cursor is None:
        return None
    param, id_ = cursor
    if kind is FaultKind.AGED_OUT_CURSOR:
        raise aged_out(id_, param)
    if kind is FaultKind.SAME_PAGE:
        return page(resource, replace(asked, starting_after=None, ending_before=None), shelves)
    if kind is FaultKind.NO_PROGRESS:
        here = [each for each in shelves.all(resource) if each["id"] == id_]
        return listed(resource, here, asked, shelves, has_more=True)
    return None
