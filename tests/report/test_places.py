"""Half a report never looks like a whole one, and nothing foreign is overwritten."""

from pathlib import Path

import pytest

from reconciler.report.places import OutputRefused, new_file, new_folder

OURS = frozenset({"a.csv", "b.csv"})


class Crash(Exception):  # noqa: N818 - it is what happens
    """The writer stops in the middle."""


def _crash_in_file(out: Path) -> None:
    with new_file(out) as stream:
        stream.write(b"half")
        raise Crash


def _crash_in_folder(out: Path) -> None:
    with new_folder(out, OURS) as folder:
        (folder / "a.csv").write_text("half")
        raise Crash


def test_it_takes_its_place_only_when_it_is_whole(tmp_path: Path) -> None:
    """While it is written the old file stays; after a crash too, and nothing is left beside it."""
    out = tmp_path / "report.json"
    out.write_bytes(b"old")

    with pytest.raises(Crash):
        _crash_in_file(out)
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
    assert out.read_bytes() == b"old"

    with new_file(out) as stream:
        stream.write(b"new")
        assert out.read_bytes() == b"old"
    assert out.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_it_writes_through_a_link(tmp_path: Path) -> None:
    """A link stays one: what it leads to is replaced."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)

    with new_file(link) as stream:
        stream.write(b"new")

    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_it_writes_to_a_device_as_it_is() -> None:
    """A device is written to and never replaced by a file."""
    null = Path("/dev/null")

    with new_file(null) as stream:
        stream.write(b"gone")

    assert null.is_char_device()


def test_it_replaces_a_folder_of_ours_and_no_other(tmp_path: Path) -> None:
    """An older report and an empty folder are replaced as a whole; one with another file in it is refused and stays."""
    out = tmp_path / "march"
    for name in ("a.csv", "b.csv"):
        with new_folder(out, OURS) as folder:
            (folder / name).write_text(name)
        assert [each.name for each in out.iterdir()] == [name]

    with pytest.raises(Crash):
        _crash_in_folder(out)
    assert [each.name for each in out.iterdir()] == ["b.csv"]

    (out / "letter.txt").write_text("mine")
    with pytest.raises(OutputRefused, match=r"march holds other files: name a new folder"):
        new_folder(out, OURS).__enter__()
    assert {each.name for each in out.iterdir()} == {"b.csv", "letter.txt"}
    assert [each.name for each in tmp_path.iterdir()] == ["march"]


def test_it_says_in_one_line_why_a_place_is_refused(tmp_path: Path) -> None:
    """A folder that is not there, a folder for a file, a file for a folder: each with its mend."""
    (tmp_path / "file").write_text("")

    cases = (
        (new_file(tmp_path / "no" / "r.html"), "there is no folder .*: create it, or name another"),
        (new_file(tmp_path), "is a folder: name a file in it"),
        (new_folder(tmp_path / "no" / "r", OURS), "there is no folder"),
        (new_folder(tmp_path / "file", OURS), "is a file: name a folder for the tables"),
        (new_file(tmp_path / "file" / "r"), "there is no folder"),
        (new_file(tmp_path / ("x" * 300)), "can't be written: .*: name another place"),
    )

    for place, words in cases:
        with pytest.raises(OutputRefused, match=words) as refused, place:
            pass
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "problem", [PermissionError(13, "no"), OSError(28, "No space left on device")]
)
def test_it_explains_what_the_file_system_refuses(tmp_path: Path, problem: OSError) -> None:
    """Missing rights and a full disk are told in one line, and nothing is left behind."""
    with pytest.raises(OutputRefused, match="can't be written"), new_file(tmp_path / "r"):
        raise problem

    assert list(tmp_path.iterdir()) == []
