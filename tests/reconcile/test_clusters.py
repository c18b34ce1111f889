"""Is all that hangs together in one group, and is no group torn apart?"""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.reconcile.clusters import Clusters, packed

NAMES = st.sampled_from("abcdefghij")


@pytest.mark.parametrize(
    ("links", "groups"),
    [
        ([], []),
        ([("a",)], [["a"]]),
        ([("a", None)], [["a"]]),
        ([("a", "b"), ("c", "d")], [["a", "b"], ["c", "d"]]),
        ([("a", "b"), ("c", "b")], [["a", "b", "c"]]),
        ([("a", "b"), ("c", "d"), ("d", "a")], [["a", "b", "c", "d"]]),
        ([("a", "a")], [["a"]]),
    ],
)
def test_it_groups_what_is_linked(links: list[tuple[str, ...]], groups: list[list[str]]) -> None:
    """Links go on from one to the next, and nothing is linked to nothing."""
    clusters = Clusters()
    for link in links:
        clusters.link(*link)

    assert clusters.groups() == groups


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=12))
def test_it_tears_no_link_and_invents_none(links: list[list[str]]) -> None:
    """Each id is in one group, each link within one, and groups cannot be made smaller."""
    clusters = Clusters()
    for link in links:
        clusters.link(*link)

    groups = clusters.groups()

    counted = Counter(id_ for group in groups for id_ in group)
    assert counted == Counter({id_ for link in links for id_ in link})
    of = {id_: n for n, group in enumerate(groups) for id_ in group}
    assert all(len({of[id_] for id_ in link}) == 1 for link in links)
    for group in groups:
        reached = {group[0]}
        for _ in group:
            reached |= {id_ for link in links if reached & set(link) for id_ in link}
        assert reached == set(group)


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=9), max_size=12))
def test_it_packs_whole_groups(sizes: list[list[int]]) -> None:
    """Batches hold whole groups in their order, and no more than they may unless one group alone is larger."""
    groups = [[str(n) for n, _ in enumerate(group)] for group in sizes]

    batches = list(packed(groups, len, most=5))

    assert [id_ for batch in batches for id_ in batch] == [id_ for g in groups for id_ in g]
    left = list(groups)
    for batch in batches:
        whole = 0
        while whole < len(batch):
            whole += len(left.pop(0))
        assert whole == len(batch)
        assert len(batch) <= 5 or batch in groups
