"""Run the commands: as a process of their own, or, far faster, inside the test."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli import main

ROOT = Path(__file__).parents[2]
MODE = '[stripe]\nmode = "test"\n'
# Their ports are the same for all programs of a machine.
NO_METRICS = {"RECONCILER_METRICS__SERVE": "", "RECONCILER_METRICS__DAEMON": ""}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        """Return both outputs, for what must stand in neither."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Program:
    """The real program in a folder of its own, without metrics; it gets no other variable of ours but those given here."""

    folder: Path

    def configure(self, text: str) -> None:
        """Write config.toml."""
        (self.folder / "config.toml").write_text(text)

    def run(self, *arguments: str, **environ: str) -> Answer:
        """Run one command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=self.folder,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **NO_METRICS, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Commands:
    """The same commands inside the test, where only words and exit code matter."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str, **environ: str) -> Answer:
        """Run one command to its end, as `python -m reconciler` would."""
        with self.patch.context() as patch:
            patch.setattr(sys, "argv", ["reconciler", *arguments])
            for name, value in environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as left:
                main()
        code = left.value.code
        assert isinstance(code, int)
        return Answer(code, *self.capture.readouterr())
