"""Which things hang together, so that one decision must see all of them?"""

from collections.abc import Callable, Iterable, Iterator


class Clusters:
    """Ids in groups. Two that are linked are in one group, and so is all that is linked to either."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def link(self, one: str, *others: str | None) -> None:
        """Put ids into one group; None is nothing."""
        root = self._root(one)
        for each in others:
            if each is not None:
                self._above[self._root(each)] = root

    def groups(self) -> list[list[str]]:
        """All groups, each in order."""
        found: dict[str, list[str]] = {}
        for each in self._above:
            found.setdefault(self._root(each), []).append(each)
        return sorted(sorted(group) for group in found.values())

    def _root(self, id_: str) -> str:
        above = self._above.setdefault(id_, id_)
        while above != self._above[above]:
            self._above[above] = self._above[self._above[above]]
            above = self._above[above]
        self._above[id_] = above
        return above


def packed(
    groups: Iterable[list[str]], size: Callable[[list[str]], int], *, most: int
) -> Iterator[list[str]]:
    """Whole groups together, as many as have at most a size; one that is larger stands alone."""
    batch: list[str] = []
    left = most
    for group in groups:
        needed = size(group)
        if batch and needed > left:
            yield batch
            batch, left = [], most
        batch = [*batch, *group]
        left -= needed
    if batch:
        yield batch
