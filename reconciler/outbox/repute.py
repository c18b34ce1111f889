"""Is it us whom a push service refuses, or one user's browser?

A subscription comes from a stranger's browser, and its address may be one that the push service has never given out. Whoever
brings such addresses must not be able to stop the messages of all others: a push service that has taken ours is believed to
refuse us only after several users in a row.
"""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from reconciler.db import deliveries
from reconciler.db.session import Database
from reconciler.outbox.outcomes import Result
from reconciler.push.sending import Answer

USERS_MIN: Final = 3
# A push service that took something of ours so lately knows our key.
_KNOWN_FOR: Final = timedelta(days=30)


class Repute:
    """What push services think of us; lanes share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._takes_ours: dict[str, bool] = {}
        self._refused: dict[str, set[str]] = {}

    def learn(self, db: Database, host: str, now: datetime) -> None:
        """Look up once whether a push service has taken a message of ours lately."""
        if host in self._takes_ours:
            return
        with db.reading() as tx:
            known = deliveries.has_accepted(tx, host, now - _KNOWN_FOR)
        with self._lock:
            self._takes_ours.setdefault(host, known)

    def refuses_us(self, host: str, results: Iterable[Result], *, is_probe: bool) -> bool:
        """Take note of a batch; returns whether the push service takes nothing of ours, whoever it is for."""
        said = [(each.due.user_id, each.sent.answer) for each in results if each.sent is not None]
        refused = {user_id for user_id, answer in said if answer is Answer.REFUSED}
        with self._lock:
            if any(answer is Answer.ACCEPTED for _, answer in said):
                self._takes_ours[host] = True
                self._refused.pop(host, None)
                return False
            if not refused:
                return False
            # No more names than it takes.
            users = self._refused.setdefault(host, set())
            users.update(sorted(refused)[:USERS_MIN])
            return is_probe or not self._takes_ours.get(host) or len(users) >= USERS_MIN
