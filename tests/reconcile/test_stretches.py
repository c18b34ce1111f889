"""Do the stretches of a list cover all of its time, and each second once?"""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.schedule import Window
from reconciler.reconcile.stretches import border_s, parts_of, unread

SECONDS = 60
MADE = st.lists(st.integers(0, SECONDS - 1), max_size=80)


def _read(made: list[int], window: Window, *, page: int, least: int, room: int) -> list[int]:
    """Read objects, told by their seconds, as a slice is read: page by page, and the rest given away."""
    left, read, ends = [window], [], []
    while left:
        part = left.pop()
        since_s, until_s = part.since_ms // 1000, part.until_ms // 1000
        there = sorted((s for s in made if since_s <= s < until_s), reverse=True)
        taken: list[int] = []
        for start in range(0, max(1, len(there)), page):
            shown = there[start : start + page]
            is_last = start + page >= len(there)
            is_long = len(taken) + len(shown) >= least
            border = border_s(shown, since_s) if is_long and not is_last else None
            if border is None:
                taken += shown
                continue
            taken += [s for s in shown if s >= border]
            rest = Window(part.since_ms, border * 1000)
            part = Window(border * 1000, part.until_ms)
            left += parts_of(rest, part, len(taken), room=room, least=least)
            break
        read += taken
        ends.append(part)
    assert unread(window, ends) == []
    assert sum(each.until_ms - each.since_ms for each in ends) == window.until_ms
    return read


@given(MADE, st.integers(1, 9), st.integers(1, 20), st.integers(1, 8))
def test_it_loses_none_and_counts_none_twice(
    made: list[int], page: int, least: int, room: int
) -> None:
    """However many objects share a second, and however long pages and slices are, each is read exactly once."""
    read = _read(made, Window(0, SECONDS * 1000), page=page, least=least, room=room)

    assert Counter(read) == Counter(made)


@given(st.sets(st.integers(0, 20), max_size=12))
def test_it_resumes_with_what_no_slice_has_covered(edges: set[int]) -> None:
    """What is left and what was read make up the window, and do not overlap."""
    bounds = sorted({0, 20, *edges})
    parts = [Window(a * 1000, b * 1000) for a, b in pairwise(bounds)]
    done = parts[::2]

    left = unread(Window(0, 20_000), done)

    assert sum(b - a for a, b in (*left, *done)) == 20_000
    assert unread(Window(0, 20_000), [*left, *done]) == []


def test_it_parts_no_page_whose_order_it_does_not_know() -> None:
    """A page with an object without a time, or in another order, is read on."""
    assert border_s([5, None, 3], 0) is None
    assert border_s([3, 5], 0) is None
    assert border_s([4, 4], 0) is None
    assert border_s([5, 4], 0) == 5
