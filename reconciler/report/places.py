"""Where does a report go, so that half of one never looks like a whole one?

It is written beside its place under another name, and renamed when it is whole. What was there before stays until then.
"""

import os
import secrets
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class OutputRefused(Exception):  # noqa: N818 - it says what became of the place
    """A report can't be written to the place that was named; the message is one line with the mend."""


def check_file(out: Path) -> None:
    """Raise OutputRefused where `new_file` would, as far as anybody can know beforehand."""
    with _explained(out):
        place = _followed(out)
        if place.is_dir():
            raise OutputRefused(f"{out} is a folder: name a file in it, like {out / 'report'}")
        if not place.exists() or place.is_file():
            _try(place)


def check_folder(out: Path, ours: Collection[str]) -> None:
    """Raise OutputRefused where `new_folder` would, as far as anybody can know beforehand."""
    with _explained(out):
        place = _followed(out)
        if place.exists() and not place.is_dir():
            raise OutputRefused(f"{out} is a file: name a folder for the tables")
        if place.exists() and not _is_ours(place, ours):
            raise OutputRefused(
                f"{out} holds other files: name a new folder, like {out / 'report'}"
            )
        _try(place)


def _try(place: Path) -> None:
    beside = _beside(place)
    beside.touch()
    beside.unlink()


@contextmanager
def new_file(out: Path | None) -> Iterator[IO[bytes]]:
    """A file to write bytes to, which takes its place when the block ends well; without a place, standard output."""
    if out is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    check_file(out)
    with _explained(out):
        place = _followed(out)
        if place.exists() and not place.is_file():
            # A device or a pipe has no whole and no half, and must not be replaced by a file.
            with place.open("wb") as stream:
                yield stream
            return
        beside = _beside(place)
        try:
            with beside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def new_folder(out: Path, ours: Collection[str]) -> Iterator[Path]:
    """A folder to write files to, which takes its place when the block ends well.

    A folder that is there is replaced only if it is empty or an older one of ours: all its files are named as in `ours`.
    """
    check_folder(out, ours)
    with _explained(out):
        place = _followed(out)
        beside = _beside(place)
        beside.mkdir()
        try:
            yield beside
            _swap(beside, place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _swap(beside: Path, place: Path) -> None:
    if not place.exists():
        beside.rename(place)
        return
    before = _beside(place)
    place.rename(before)
    try:
        beside.rename(place)
    except OSError:
        before.rename(place)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _is_ours(place: Path, ours: Collection[str]) -> bool:
    return all(each.name in ours and each.is_file() for each in place.iterdir())


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")


def _followed(out: Path) -> Path:
    place = out.resolve()
    if not place.parent.is_dir():
        raise OutputRefused(f"{out}: there is no folder {place.parent}: create it, or name another")
    return place


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    """Tell a refusal of the file system in one line, with what mends it."""
    try:
        yield
    except PermissionError:
        mend = "name a folder in which you may write"
        raise OutputRefused(f"{out} can't be written, the rights are missing: {mend}") from None
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise OutputRefused(f"{out} can't be written: {reason}: name another place") from None
