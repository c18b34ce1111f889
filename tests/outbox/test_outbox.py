"""Does a lane that failed come back, and not at once?"""

import pytest

from reconciler.db.session import StorageUnavailable
from reconciler.outbox.batches import claim
from tests.outbox.post import Post


def test_it_lets_a_lane_rest_that_failed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane whose database was away is not begun again for ten seconds, and then sends what is due."""
    asked = []

    def fails_once(*arguments: object) -> object:
        asked.append(arguments)
        if len(asked) == 1:
            raise StorageUnavailable("gone for a moment")
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("reconciler.outbox.lanes.claim", fails_once)
    post.subscribe()
    post.notify()

    post.run()
    post.run(after_s=9)
    early = len(asked)
    post.run(after_s=1)

    assert early == 1
    assert post.states == ["accepted"]
