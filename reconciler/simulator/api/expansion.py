"""What stands in the place of an id that was asked to be expanded?

The whole object, up to four levels deep: https://docs.stripe.com/expand
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciler.simulator.api.resources import BY_KIND
from reconciler.simulator.api.wire import Refusal
from reconciler.simulator.world import Json

LEVELS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Expansion:
    """Where expanded objects come from: one by its id (None if there is none), and the list of a charge's refunds."""

    find: Callable[[str], Json | None]
    refunds_of: Callable[[str], Json]

    def expand(self, body: Json, paths: Sequence[str]) -> None:
        """Expand an answer's object or list in place; raise Refusal for what can't be expanded."""
        for path in paths:
            fields = path.split(".")
            if len(fields) > LEVELS_MAX:
                raise Refusal(
                    f"You cannot expand more than {LEVELS_MAX} levels of a property. Property: {path}",
                    param="expand",
                )
            self._open(body, fields, path)

    def _open(self, value: Any, fields: Sequence[str], path: str) -> None:
        """Follow a path from a value: an object, a list of them, or what there is nothing to open in."""
        if not fields or not isinstance(value, dict):
            return
        if value.get("object") == "list":
            if fields[0] != "data":
                raise _not_expandable(
                    path, f" You may want to try expanding 'data.{path}' instead."
                )
            for each in value["data"]:
                self._open(each, fields[1:], path)
            return
        self._put_in_place(value, fields[0], path)
        self._open(value.get(fields[0]), fields[1:], path)

    def _put_in_place(self, obj: Json, name: str, path: str) -> None:
        if isinstance(obj.get(name), dict):
            return  # An earlier path has opened it, or this version embeds it.
        resource = BY_KIND.get(obj.get("object", ""))
        if resource is None or name not in resource.expandable:
            raise _not_expandable(path)
        if name == "refunds":
            obj[name] = self.refunds_of(obj["id"])
        elif obj.get(name) is not None:
            obj[name] = self.find(obj[name]) or obj[name]


def _not_expandable(path: str, hint: str = "") -> Refusal:
    return Refusal(f"This property cannot be expanded ({path}).{hint}", param="expand")
