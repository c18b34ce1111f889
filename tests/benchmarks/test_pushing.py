"""Whether the benchmark of messages measures what it says; how fast it is, is for `make bench`."""

from benchmarks.books import many_sqlite
from benchmarks.pushing import BESIDE, OUTBOX, Asked, Bench, targets


def test_it_measures_messages_that_a_push_service_has_read() -> None:
    """Every message is accepted, alone and through the outbox, payments are applied beside it, and every target has its figure."""
    with many_sqlite() as fresh:
        figures = list(Bench(Asked(count=20, applied=5, fresh=fresh)).figures())

    by_name = {each.name: each for each in figures}
    assert by_name[OUTBOX].objects == 20
    assert by_name[BESIDE].runs[0].cost.said["p99_us"] > 0
    assert len(targets(figures)) == 6
