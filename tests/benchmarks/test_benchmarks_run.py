"""Whether the benchmarks measure what they say; how fast it is, is for `make bench`."""

import sys
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import ranges
from benchmarks.__main__ import main
from benchmarks.books import fresh_sqlite
from benchmarks.recent import Asked, Bench
from benchmarks.work import LANES
from reconciler.poll.recent import LISTS, SLICES


def test_it_makes_the_folders_of_its_files_before_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is missing is made, and one that can't be made ends it before the first benchmark, not after it."""
    (tmp_path / "file").touch()
    places = (
        "--chart",
        str(tmp_path / "new" / "a.svg"),
        "--json",
        str(tmp_path / "file" / "a.json"),
    )
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", "recent", "--ranges", "10", "--target-range", "10", *places]
    )

    with pytest.raises(OSError, match="file"):
        main()

    assert (tmp_path / "new").is_dir()
    assert "## recent" not in capsys.readouterr().out


def test_it_measures_a_pass_that_finds_nothing_new() -> None:
    """The first pass applies every object and the second none, each with the requests that its slices need."""
    with fresh_sqlite() as books:
        bench = Bench(Asked(ranges=(300,), target_range=300, repeats=1, books=books))
        drained, first, again = islice(bench.figures(), 3)

    requests = [round(each.requests_per_1000 * 0.3) for each in (drained, first, again)]
    assert [each.news for each in (drained, first, again)] == [None, 300, 0]
    assert requests == [LANES, 1 + len(LISTS) * SLICES, 1 + len(LISTS) * SLICES]
    assert 0 < again.rss_mib < 1000


def test_it_measures_a_range_beside_the_loop() -> None:
    """Runs and loops read every object, of both the first makes the books, and every target has its figure."""
    with fresh_sqlite() as books, fresh_sqlite() as far_books:
        asked = ranges.Asked(count=300, repeats=1, books=books, far_books=far_books)
        figures = list(ranges.Bench(asked).figures())

    written, unchanged, loop = figures[:3]
    assert [each.objects for each in figures] == [300] * 7
    assert written.requests_per_1000 >= unchanged.requests_per_1000 > loop.requests_per_1000
    assert [each.figure.objects for each in ranges.targets(figures)] == [300] * 8
